// Package registry knows which methods are served and called by which module, and which rule of the configuration each one falls under.
// Everything decidable at registration is decided here, once per method.
//
// It does not know backends or filters beyond their names. core uses it; backends do not.
package registry

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/rpc"
)

// MaxMethods limits the methods of one side of one runtime.
const MaxMethods = 65536

// Sentinels of Add.
var (
	ErrDuplicate = errors.New("registered repeatedly")
	ErrLimit     = errors.New("too many methods")
)

// Registered is what a table holds.
type Registered interface {
	comparable
	Method() *rpc.Method
}

type key struct {
	name  string
	owner rpc.Owner
}

// Table holds the methods of one side in the order of registration. The zero value is empty. It may be used from any goroutine.
type Table[T Registered] struct {
	mu     sync.RWMutex // guards what follows
	list   []T
	byKey  map[key]T
	byName map[string][]T
}

// Add registers an entry. The same name may come from several modules, but once from each.
func (t *Table[T]) Add(entry T) error {
	m := entry.Method()
	k := key{m.Name(), m.Owner()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, twice := t.byKey[k]; twice {
		return fmt.Errorf("function %q is %w, module %q, pkg path %q", m.Name(), ErrDuplicate, k.owner.Module, k.owner.Package)
	}
	if len(t.list) >= MaxMethods {
		return fmt.Errorf("%w: the limit is %d", ErrLimit, MaxMethods)
	}
	if t.byKey == nil {
		t.byKey, t.byName = map[key]T{}, map[string][]T{}
	}
	t.byKey[k] = entry
	t.byName[k.name] = append(t.byName[k.name], entry)
	t.list = append(t.list, entry)
	return nil
}

// Remove takes out an entry whose registration did not go through.
func (t *Table[T]) Remove(entry T) {
	m := entry.Method()
	same := func(e T) bool { return e == entry }
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byKey, key{m.Name(), m.Owner()})
	t.byName[m.Name()] = slices.DeleteFunc(slices.Clone(t.byName[m.Name()]), same)
	if len(t.byName[m.Name()]) == 0 {
		delete(t.byName, m.Name())
	}
	t.list = slices.DeleteFunc(slices.Clone(t.list), same)
}

// All lists the entries in the order of registration.
func (t *Table[T]) All() []T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.list)
}

// Named lists the entries of a name in the order of registration.
func (t *Table[T]) Named(name string) []T {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.byName[name])
}

// Find gives the entry a module registered under a name.
func (t *Table[T]) Find(name string, owner rpc.Owner) (T, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	entry, ok := t.byKey[key{name, owner}]
	return entry, ok
}

// Names lists the distinct names in the order of first registration.
func (t *Table[T]) Names() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]string, 0, len(t.byName))
	seen := make(map[string]bool, len(t.byName))
	for _, e := range t.list {
		if name := e.Method().Name(); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// Route is what the rules say about one method.
type Route struct {
	// Rule is the index of the rule that matched, -1 for none.
	Rule     int
	Pattern  string // of that rule
	Backends []string
	Filters  []string
}

// Match finds the first rule whose pattern matches the whole name.
func Match(rules []config.RPCRule, name string) Route {
	for i := range rules {
		if r := &rules[i]; r.FuncName.Match(name) {
			return Route{Rule: i, Pattern: r.FuncName.String(), Backends: dedup(r.EnableBackends), Filters: slices.Clone(r.EnableFilters)}
		}
	}
	return Route{Rule: -1}
}

// dedup keeps the first of equal names.
func dedup(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Counters hands out one request counter per function name, shared by all modules that call it.
type Counters struct {
	mu     sync.Mutex // guards byName
	byName map[string]*atomic.Uint64
}

// Of gives the counter of a name.
func (c *Counters) Of(name string) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*atomic.Uint64{}
	}
	n := c.byName[name]
	if n == nil {
		n = &atomic.Uint64{}
		c.byName[name] = n
	}
	return n
}
