// Package executor reads the executor section of the configuration and keeps the named executors of a runtime.
//
// What an executor is made of is a Factory's business: the shared library makes threads in C, Goroutines here serves pure Go programs and
// tests. The package knows no call.
package executor

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"aimrtrpc/runtime/config"
)

// Sentinels of Post and PostAfter.
var (
	ErrFull     = errors.New("executor queue is full")
	ErrClosed   = errors.New("executor is shut down")
	ErrNoTimers = errors.New("executor has no timers")
)

// MaxExecutors limits the executors of one runtime.
const MaxExecutors = 1024

// Executor runs tasks under a name.
type Executor interface {
	Name() string
	Type() string
	// ThreadSafe tells that its tasks never run at the same time.
	ThreadSafe() bool
	HasTimers() bool
	// Post runs a task soon; ErrFull or ErrClosed mean that it will not run.
	Post(task func()) error
	// PostAfter runs a task after a delay. cancel is true when the task will not run.
	PostAfter(delay time.Duration, task func()) (cancel func() bool, err error)
	// Now is the executor's clock.
	Now() time.Time
	// Queued is the number of tasks that wait.
	Queued() int
}

// Closer is an executor that has something to end. Close returns when its threads are gone.
type Closer interface{ Close() }

// Starter is an executor that runs nothing before the runtime starts.
type Starter interface{ Start() }

// Factory makes executors out of checked specifications.
type Factory interface {
	// Make makes one; bound is the executor it is bound to, nil for none.
	Make(spec Spec, bound Executor) (Executor, error)
}

// Table holds the executors of one runtime by name, in the order of the configuration.
type Table struct {
	mu     sync.RWMutex // guards what follows
	list   []Executor
	byName map[string]Executor
}

// Build makes all executors of the specifications. When one cannot be made those made before are closed.
func Build(specs []Spec, factory Factory) (*Table, error) {
	t := &Table{}
	for _, s := range specs {
		bound, _ := t.Find(s.BindTo)
		e, err := factory.Make(s, bound)
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("executor %q: %w", s.Name, err)
		}
		if err := t.Add(e); err != nil {
			t.Close()
			return nil, err
		}
	}
	return t, nil
}

// Add puts in an executor that the host brings.
func (t *Table) Add(e Executor) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, twice := t.byName[e.Name()]; twice {
		return fmt.Errorf("executor name %q is in use", e.Name())
	}
	if len(t.list) >= MaxExecutors {
		return fmt.Errorf("more than %d executors", MaxExecutors)
	}
	if t.byName == nil {
		t.byName = map[string]Executor{}
	}
	t.byName[e.Name()] = e
	t.list = append(t.list, e)
	return nil
}

// Remove takes an executor out without closing it.
func (t *Table) Remove(e Executor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byName[e.Name()] == e {
		delete(t.byName, e.Name())
		t.list = slices.DeleteFunc(slices.Clone(t.list), func(other Executor) bool { return other == e })
	}
}

// Find gives an executor by name.
func (t *Table) Find(name string) (Executor, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, ok := t.byName[name]
	return e, ok
}

// Get is Find with an error that names the nearest.
func (t *Table) Get(name string) (Executor, error) {
	if e, ok := t.Find(name); ok {
		return e, nil
	}
	return nil, NotFound(name, t.Names())
}

// NotFound is the error for a name nobody has, with the nearest one.
func NotFound(name string, known []string) error {
	e := config.Node{}.Unknown("executor", name, known)
	return &NotFoundError{Name: name, Nearest: e.Nearest, message: e.Message}
}

// NotFoundError is what Get gives for an unknown name.
type NotFoundError struct{ Name, Nearest, message string }

func (e *NotFoundError) Error() string { return e.message }

// Suggestion is the nearest name, empty for none.
func (e *NotFoundError) Suggestion() string { return e.Nearest }

// All lists the executors in order.
func (t *Table) All() []Executor {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.list)
}

// Names lists the names in order.
func (t *Table) Names() []string {
	var out []string
	for _, e := range t.All() {
		out = append(out, e.Name())
	}
	return out
}

// Start lets executors go that wait for the start of the runtime.
func (t *Table) Start() {
	for _, e := range t.All() {
		if s, ok := e.(Starter); ok {
			s.Start()
		}
	}
}

// Close ends all executors, the last made first.
func (t *Table) Close() {
	list := t.All()
	slices.Reverse(list)
	for _, e := range list {
		if c, ok := e.(Closer); ok {
			c.Close()
		}
	}
}
