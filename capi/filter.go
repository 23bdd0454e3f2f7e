package main

/*
#include "bridge.h"
#include "filter.h"
*/
import "C"

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// maxFilterKeyBytes limits a metadata key, as in a context.
const maxFilterKeyBytes = 65535

// foreignFilter is a filter of a foreign module.
type foreignFilter struct {
	name     string
	side     uint32
	around   C.aimrt_rpc_filter_fn
	userData C.uintptr_t
	free     C.aimrt_rpc_free_fn
	users    atomic.Int64 // calls inside, and one for the runtime; at 0 the user data is given back
}

func (f *foreignFilter) enter() bool {
	for n := f.users.Load(); n > 0; n = f.users.Load() {
		if f.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (f *foreignFilter) leave() {
	if f.users.Add(-1) == 0 && f.free != nil {
		C.bridge_free(f.free, f.userData)
	}
}

// filteredCalls holds the calls that are inside a filter function, by the id behind the filter handle.
var filteredCalls handle.Table[*filteredCall]

// What became of a call inside a filter.
const (
	filterHolds uint32 = iota
	filterDecided
)

// filteredCall is one call inside one filter function.
type filteredCall struct {
	filter *foreignFilter
	ctx    context.Context
	call   *rpc.Call
	next   rpc.Next
	state  atomic.Uint32
}

func (c *filteredCall) decide() bool { return c.state.CompareAndSwap(filterHolds, filterDecided) }

//export aimrtgo_handle_register_filter
func aimrtgo_handle_register_filter(h C.aimrt_rpc_handle_t, o *C.aimrt_rpc_filter_options_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_register_filter", h, errorOut, func(m *moduleObject) error {
		if o.around == nil {
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "options.around is NULL")
		}
		if o.side > C.AIMRT_RPC_FILTER_SIDE_SERVER {
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "options.side is %d: expected %d (client) or %d (server)", uint32(o.side),
				uint32(C.AIMRT_RPC_FILTER_SIDE_CLIENT), uint32(C.AIMRT_RPC_FILTER_SIDE_SERVER))
		}
		f := &foreignFilter{name: text(&o.name), side: uint32(o.side), around: o.around, userData: word(unsafe.Pointer(&o.user_data))}
		f.users.Store(1)
		if err := m.core.RegisterFilter(core.NamedFilter{Side: core.FilterSide(f.side), Name: f.name, Filter: f.run}); err != nil {
			return err
		}
		f.free = o.user_data_free
		m.runtime.mu.Lock()
		m.runtime.filters = append(m.runtime.filters, f)
		m.runtime.mu.Unlock()
		return nil
	})
}

// run is the filter of the model: it lets C decide.
func (f *foreignFilter) run(ctx context.Context, call *rpc.Call, next rpc.Next) {
	if !f.enter() {
		call.Finish(f.failure(call, "filter %q is gone with its runtime", f.name), rpc.Payload{})
		return
	}
	defer f.leave()
	c := &filteredCall{filter: f, ctx: ctx, call: call, next: next}
	id := filteredCalls.Add(c)
	defer filteredCalls.Take(id)
	filter := C.front_link_handle_new(C.AIMRT_RPC_KIND_FILTER, C.uint64_t(id))
	if filter == 0 {
		call.Finish(rpc.NewStatus(rpc.CodeResourceExhausted, "no handle is left for a call in a filter"), rpc.Payload{})
		return
	}
	shown := c.show(filter)
	C.front_link_drop(C.AIMRT_RPC_KIND_FILTER, filter)
	switch {
	case !shown:
		call.Finish(rpc.NewStatus(rpc.CodeResourceExhausted, "no memory for the metadata of a call in a filter"), rpc.Payload{})
	case c.decide():
		call.Finish(f.failure(call, "filter %q neither passed the call on nor rejected it", f.name), rpc.Payload{})
	}
}

// failure is the end of a call whose filter cannot do its work.
func (f *foreignFilter) failure(call *rpc.Call, format string, arguments ...any) rpc.Status {
	code := rpc.CodeCliUnknown
	if call.Context.Kind == rpc.ServerContext {
		code = rpc.CodeSvrHandleFailed
	}
	return rpc.Statusf(code, format, arguments...)
}

// show calls the filter function; false when C has no memory.
func (c *filteredCall) show(filter C.uint64_t) bool {
	call := c.call
	b := newBlock()
	head := C.front_filter_call{filter: filter, request_id: C.uint64_t(call.ID), timeout_ns: timeoutNs(call.Context.Timeout), side: C.uint32_t(c.filter.side)}
	head.function_name_size = b.add(call.Method.Name())
	head.from_module_size = b.add(call.From.Module)
	if call.Context.Kind == rpc.ServerContext {
		head.peer_size = b.add(call.Peer.String())
	}
	head.serialization_size = b.add(serialization(call))
	sizes := make([]C.uint32_t, 0, 2*call.Context.Metadata.Len()+1)
	call.Context.Metadata.Range(func(key, value string) bool {
		sizes = append(sizes, b.add(key), b.add(value))
		return true
	})
	head.pair_count = C.uint32_t(len(sizes) / 2)
	data := encoded(call.Request)
	return C.front_filter_run(c.filter.around, c.filter.userData, &head, b.start(), unsafe.SliceData(sizes),
		unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data))) != 0
}

// timeoutNs is a timeout as C sees it: UINT64_MAX is none.
func timeoutNs(timeout time.Duration) C.uint64_t {
	if timeout < 0 {
		return C.UINT64_MAX
	}
	return C.uint64_t(timeout)
}

// encoded gives the bytes of a message that has them without work.
func encoded(p rpc.Payload) []byte {
	if _, _, native := p.Native(); native {
		return nil
	}
	data, err := p.Bytes("")
	if err != nil {
		return nil
	}
	return data
}

// onFilter is result for the functions of a call inside a filter.
func onFilter(place string, h C.aimrt_rpc_filter_t, errorOut *C.aimrt_rpc_error_t, work func(c *filteredCall) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		c, ok := filteredCalls.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_FILTER, C.uint64_t(h))))
		if !ok {
			return stale("filter", uint64(h))
		}
		return work(c)
	})
}

// errDecided is the answer to what comes after next and reject.
func (c *filteredCall) errDecided() error {
	return failf(C.AIMRT_RPC_RESULT_INVALID_STATE, "filter %q has passed the call of %s on, or rejected it", c.filter.name, c.call.Method.Name())
}

//export aimrtgo_filter_pass
func aimrtgo_filter_pass(h C.aimrt_rpc_filter_t, ended C.aimrt_rpc_filter_end_fn, userData C.uintptr_t, free C.aimrt_rpc_free_fn, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onFilter("filter_next", h, errorOut, func(c *filteredCall) error {
		if !c.decide() {
			return c.errDecided()
		}
		c.call.OnFinish(func(call *rpc.Call) {
			if ended != nil {
				tellEnd(call, ended, userData)
			}
			if free != nil {
				C.bridge_free(free, userData)
			}
		})
		c.proceed()
		return nil
	})
}

// proceed goes on with the chain. A panic in it is the end of the call, not a failure of the filter that passed it on.
func (c *filteredCall) proceed() {
	guarded("filter_next", func(value any) struct{} {
		c.call.Finish(c.filter.failure(c.call, "panic: %v", value), rpc.Payload{})
		return struct{}{}
	}, func() struct{} {
		c.next(c.ctx, c.call)
		return struct{}{}
	})
}

// tellEnd calls the end function of a filter.
func tellEnd(call *rpc.Call, ended C.aimrt_rpc_filter_end_fn, userData C.uintptr_t) {
	status, response := call.Status(), call.Response()
	data := encoded(response)
	b := newBlock()
	message := b.add(status.Message())
	name := b.add(response.Serialization())
	C.front_filter_ended(ended, userData, C.uint32_t(status.Code()), b.start(), message, name,
		unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
}

//export aimrtgo_filter_end
func aimrtgo_filter_end(h C.aimrt_rpc_filter_t, answer *C.front_engine_answer, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onFilter("filter_reject", h, errorOut, func(c *filteredCall) error {
		if !c.decide() {
			return c.errDecided()
		}
		c.call.Finish(statusOf(answer), rpc.Payload{})
		return nil
	})
}

//export aimrtgo_filter_set
func aimrtgo_filter_set(h C.aimrt_rpc_filter_t, key, value C.aimrt_rpc_str_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onFilter("filter_set", h, errorOut, func(c *filteredCall) error {
		if c.state.Load() != filterHolds {
			return c.errDecided()
		}
		if key.size == 0 || key.size > maxFilterKeyBytes {
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "key has %d bytes, expected 1 to %d", uint64(key.size), maxFilterKeyBytes)
		}
		if value.size > C.FRONT_MAX_CONTEXT_BYTES {
			return failf(C.AIMRT_RPC_RESULT_LIMIT, "value has %d bytes, the limit is %d", uint64(value.size), uint(C.FRONT_MAX_CONTEXT_BYTES))
		}
		metadata := &c.call.Context.Metadata
		if _, there := metadata.Lookup(text(&key)); !there && metadata.Len() >= C.FRONT_MAX_CONTEXT_ENTRIES {
			return failf(C.AIMRT_RPC_RESULT_LIMIT, "the call has %d metadata entries, the limit", metadata.Len())
		}
		metadata.Set(text(&key), text(&value))
		return nil
	})
}

//export aimrtgo_filter_remove
func aimrtgo_filter_remove(h C.aimrt_rpc_filter_t, key C.aimrt_rpc_str_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onFilter("filter_remove", h, errorOut, func(c *filteredCall) error {
		if c.state.Load() != filterHolds {
			return c.errDecided()
		}
		c.call.Context.Metadata.Remove(text(&key))
		return nil
	})
}
