package executor

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

func sorted(list []string) []string { slices.Sort(list); return list }

// MaxPendingTasks bounds the queue of an executor whose type has no limit of its own.
const MaxPendingTasks = 1 << 20

// Goroutines makes executors out of goroutines, for Go programs and tests. Scheduling policy and processor binding do not apply.
type Goroutines struct{}

// Make makes one executor.
func (Goroutines) Make(spec Spec, bound Executor) (Executor, error) {
	limit := spec.QueueThreshold
	if limit == 0 {
		limit = MaxPendingTasks
	}
	safe := bound != nil && bound.ThreadSafe()
	p := &pool{spec: spec, safe: spec.ThreadSafe(safe), limit: limit, timers: map[*timer]struct{}{}, born: time.Now()}
	p.ready = sync.NewCond(&p.mu)
	switch spec.Type {
	case AsioStrand:
		p.serial = bound
	case TimeWheel:
		p.tick = spec.Tick
		if p.forward = bound; bound == nil {
			p.waits = true // an unbound wheel waits for Start
		}
	}
	if p.serial == nil && p.forward == nil {
		for range spec.Threads {
			p.group.Add(1)
			guard.Go("executor "+spec.Name, p.work)
		}
	}
	return p, nil
}

// pool is every type: workers of its own, or a strand that runs one task at a time on another executor, or a wheel that forwards.
type pool struct {
	spec    Spec
	safe    bool
	limit   int
	serial  Executor // a strand's
	forward Executor // a bound wheel's
	tick    time.Duration
	born    time.Time
	group   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	ready   *sync.Cond
	tasks   []func()
	timers  map[*timer]struct{}
	running bool // a strand's batch is on its way
	waits   bool
	closed  bool
}

type timer struct {
	clock *time.Timer
	state atomic.Bool // fired or cancelled
}

func (p *pool) Name() string     { return p.spec.Name }
func (p *pool) Type() string     { return p.spec.Type }
func (p *pool) ThreadSafe() bool { return p.safe }
func (p *pool) HasTimers() bool  { return p.spec.HasTimers() }
func (p *pool) Now() time.Time   { return time.Now() }

func (p *pool) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tasks)
}

// Start lets an unbound wheel go.
func (p *pool) Start() {
	p.mu.Lock()
	p.waits = false
	p.ready.Broadcast()
	p.mu.Unlock()
}

func (p *pool) Post(task func()) error {
	if p.forward != nil {
		return p.forward.Post(task)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if len(p.tasks) >= p.limit {
		return ErrFull
	}
	p.tasks = append(p.tasks, task)
	if p.serial == nil {
		p.ready.Signal()
		return nil
	}
	if p.running {
		return nil
	}
	if err := p.serial.Post(p.drain); err != nil {
		p.tasks = p.tasks[:len(p.tasks)-1]
		return err
	}
	p.running = true
	return nil
}

// drain runs a strand's tasks one after the other on the executor below.
func (p *pool) drain() {
	for {
		p.mu.Lock()
		if len(p.tasks) == 0 {
			p.running = false
			p.ready.Broadcast()
			p.mu.Unlock()
			return
		}
		task := p.tasks[0]
		p.tasks = slices.Delete(p.tasks, 0, 1)
		p.mu.Unlock()
		p.run(task)
	}
}

func (p *pool) run(task func()) {
	defer guard.Recover("executor " + p.spec.Name)
	task()
}

func (p *pool) work() {
	defer p.group.Done()
	for {
		p.mu.Lock()
		for (len(p.tasks) == 0 || p.waits) && !p.closed {
			p.ready.Wait()
		}
		if len(p.tasks) == 0 || p.waits {
			p.mu.Unlock()
			return
		}
		task := p.tasks[0]
		p.tasks = slices.Delete(p.tasks, 0, 1)
		p.mu.Unlock()
		p.run(task)
	}
}

// PostAfter rounds the delay of a wheel up to its tick.
func (p *pool) PostAfter(delay time.Duration, task func()) (func() bool, error) {
	if !p.HasTimers() {
		return nil, ErrNoTimers
	}
	if p.tick > 0 && delay > 0 {
		delay = (delay + p.tick - 1) / p.tick * p.tick
	}
	t := &timer{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if len(p.timers) >= MaxPendingTasks {
		return nil, ErrFull
	}
	p.timers[t] = struct{}{}
	t.clock = time.AfterFunc(max(0, delay), func() {
		defer guard.Recover("executor timer " + p.spec.Name)
		if p.take(t) {
			_ = p.Post(task) // a full or closed executor drops the task, as Post says
		}
	})
	return func() bool {
		if !p.take(t) {
			return false
		}
		t.clock.Stop()
		return true
	}, nil
}

// take claims a timer for firing or cancelling.
func (p *pool) take(t *timer) bool {
	if t.state.Swap(true) {
		return false
	}
	p.mu.Lock()
	delete(p.timers, t)
	p.mu.Unlock()
	return true
}

// Close drops timers, runs what is queued and waits for it. An unbound wheel that never started drops its tasks.
func (p *pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	for t := range p.timers {
		t.state.Store(true)
		t.clock.Stop()
	}
	clear(p.timers)
	p.ready.Broadcast()
	for p.serial != nil && p.running {
		p.ready.Wait()
	}
	p.mu.Unlock()
	p.group.Wait()
}
