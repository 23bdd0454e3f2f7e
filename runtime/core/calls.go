package core

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"aimrtrpc/runtime/rpc"
)

// MaxOpenCalls limits the client calls of one runtime that have not ended.
const MaxOpenCalls = 1 << 20

// admission is the answer to a new client call.
type admission uint8

const (
	admitted admission = iota
	closed
	full
)

// openCalls holds the calls of one runtime that have not ended, so that a shutdown can wait for them and cancel the rest.
type openCalls struct {
	mu     sync.Mutex // guards what follows
	open   bool
	set    map[*rpc.Call]struct{}
	served map[*rpc.Call]struct{}
	idle   chan struct{} // closed when both sets are empty; made by drain
}

// accepting tells whether client calls may start.
func (o *openCalls) accepting() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open
}

// setOpen lets client calls in, or refuses them from now on.
func (o *openCalls) setOpen(open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = open
	if o.set == nil {
		o.set, o.served = map[*rpc.Call]struct{}{}, map[*rpc.Call]struct{}{}
	}
}

// add notes a client call, when one may start.
func (o *openCalls) add(call *rpc.Call) admission {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !o.open:
		return closed
	case len(o.set) >= MaxOpenCalls:
		return full
	}
	o.set[call] = struct{}{}
	return admitted
}

func (o *openCalls) remove(call *rpc.Call) { o.forget(o.set, call) }

// addServed notes a call a handler of this runtime works on; false beyond the limit.
func (o *openCalls) addServed(call *rpc.Call, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.served == nil || len(o.served) >= limit {
		return false
	}
	o.served[call] = struct{}{}
	return true
}

func (o *openCalls) removeServed(call *rpc.Call) { o.forget(o.served, call) }

func (o *openCalls) forget(set map[*rpc.Call]struct{}, call *rpc.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(set, call)
	if o.idle != nil && len(o.set) == 0 && len(o.served) == 0 {
		close(o.idle)
		o.idle = nil
	}
}

// counts gives the numbers of open client and served calls.
func (o *openCalls) counts() (clients, served int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.set), len(o.served)
}

// drain gives a channel that is closed when no call is open.
func (o *openCalls) drain() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	idle := make(chan struct{})
	if len(o.set) == 0 && len(o.served) == 0 {
		close(idle)
		return idle
	}
	if o.idle == nil {
		o.idle = idle
	}
	return o.idle
}

// cancel ends every open call: the clients' first, so that handlers learn it from them.
func (o *openCalls) cancel() {
	o.mu.Lock()
	clients := slices.Collect(maps.Keys(o.set))
	served := slices.Collect(maps.Keys(o.served))
	o.mu.Unlock()
	for _, list := range [][]*rpc.Call{clients, served} {
		for _, call := range list {
			call.End(rpc.NewStatus(rpc.CodeCancelled, "cancelled by the shutdown of the runtime"))
		}
	}
}

// pollForeign is how often the grace time looks at calls that only the sink can count.
const pollForeign = 2 * time.Millisecond

// waitIdle waits until no call is open, or the grace time or ctx ends.
func (r *Runtime) waitIdle(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, r.options.Grace)
	defer cancel()
	select {
	case <-r.calls.drain():
	case <-ctx.Done():
		return false
	}
	sink, ok := r.options.Sink.(CallSink)
	if !ok {
		return true
	}
	ticker := time.NewTicker(pollForeign)
	defer ticker.Stop()
	for sink.OpenCalls() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
