package main

/*
#include "front.h"
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

// clientMethods holds the methods whose calls may come to Go, by engine id.
var clientMethods handle.Table[*clientMethod]

// engineCalls holds the calls that C waits for, by the number C gave them.
var engineCalls handle.Table[*rpc.Call]

// clientMethod is what a foreign module registered to call.
type clientMethod struct {
	id     uint64
	client *core.Client
	front  *C.front_method
}

// nativeMessages are the messages of a call between modules that share their types: addresses in the caller's memory, which Go never
// follows. C can encode the request while the call starts.
type nativeMessages struct {
	call              uint64
	request, response uintptr
	starting          *atomic.Bool
}

//export aimrtgo_engine_start
func aimrtgo_engine_start(r *C.front_engine_request) {
	id := uint64(r.call)
	guarded("engine_start", func(value any) struct{} {
		status := rpc.Statusf(rpc.CodeCliUnknown, "a fault inside the library was contained: %v", value)
		if call, ok := engineCalls.Get(id); ok {
			call.Finish(status, rpc.Payload{})
		} else {
			complete(id, status, rpc.Payload{}, nil)
		}
		return struct{}{}
	}, func() struct{} {
		engineStart(id, r)
		return struct{}{}
	})
}

//export aimrtgo_engine_cancel
func aimrtgo_engine_cancel(id C.uint64_t) C.uint8_t {
	return guarded("engine_cancel", func(any) C.uint8_t { return 0 }, func() C.uint8_t {
		call, ok := engineCalls.Get(uint64(id))
		// Not decided after a Cancel that was not the end: the call ends when its handler does.
		if ok && (call.Cancel() || !call.Decided()) {
			return 1
		}
		return 0
	})
}

// engineStart makes the model's call out of what C hands over and invokes it. Everything is copied: the views end with this function.
func engineStart(id uint64, r *C.front_engine_request) {
	m, ok := clientMethods.Get(uint64(r.engine_id))
	if !ok {
		complete(id, rpc.StatusOfCode(rpc.CodeCliNotReady), rpc.Payload{}, nil)
		return
	}
	method := m.client.Method()
	call := &rpc.Call{
		ID: uint64(r.request_id), Method: method, Context: clientContext(r), From: method.Owner(), Started: time.Now(), Tag: m,
	}
	if native := uintptr(word(unsafe.Pointer(&r.native_request))); native != 0 {
		starting := &atomic.Bool{}
		starting.Store(true)
		defer starting.Store(false)
		messages := nativeMessages{id, native, uintptr(word(unsafe.Pointer(&r.native_response))), starting}
		call.Request = rpc.NativePayload(messages, method.RequestType(), nil)
	} else {
		call.Request = rpc.BytesPayload(text(&r.serialization), bytesOf(&r.bytes))
	}
	engineCalls.Set(id, call)
	call.OnFinish(func(call *rpc.Call) {
		engineCalls.Take(id)
		complete(id, call.Status(), call.Response(), call)
		call.Response().Release()
		call.Request.Release()
	})
	m.client.Invoke(context.Background(), call)
}

// clientContext copies all texts of a request in one block.
func clientContext(r *C.front_engine_request) *rpc.CallContext {
	views := unsafe.Slice(r.pairs, int(r.pair_count))
	size := 0
	for i := range views {
		size += int(views[i].key.size) + int(views[i].value.size)
	}
	cut := copier{data: make([]byte, 0, size+int(r.to_addr.size)+int(r.serialization.size))}
	pairs := make([]rpc.Pair, len(views))
	for i := range views {
		pairs[i] = rpc.Pair{Key: cut.text(&views[i].key), Value: cut.text(&views[i].value)}
	}
	c := rpc.NewClientContext()
	c.Target = cut.text(&r.to_addr)
	c.Serialization = cut.text(&r.serialization)
	c.Timeout = time.Duration(min(uint64(r.timeout_ns), uint64(1<<63-1)))
	c.Metadata = rpc.MetadataOf(pairs...)
	c.MarkUsed()
	return c
}

// copier copies views into one block of memory and gives parts of it.
type copier struct{ data []byte }

func (c *copier) text(s *C.aimrt_rpc_str_t) string {
	if s.size == 0 {
		return ""
	}
	at := len(c.data)
	c.data = append(c.data, unsafe.Slice((*byte)(unsafe.Pointer(s.data)), int(s.size))...)
	part := c.data[at:]
	return unsafe.String(&part[0], len(part))
}

// complete tells C how a call ended.
func complete(id uint64, status rpc.Status, response rpc.Payload, call *rpc.Call) {
	b := newBlock()
	o := C.front_engine_outcome{code: C.uint32_t(status.Code()), flags: 0}
	data := responseBytes(&o, &status, response)
	native := status.Native()
	if message := status.Message(); message != status.Code().Text() {
		o.message_size = b.add(message)
	}
	o.trace_size = b.add(status.Trace())
	o.native_dialect_size = b.add(native.Dialect)
	o.native_code_size = b.add(native.Code)
	if call != nil {
		o.peer_size = b.add(call.Peer.String())
		o.backend_size = b.add(call.Backend)
		if call.Context.Target != "" {
			o.flags |= C.FRONT_OUTCOME_NO_BACKEND
		}
	}
	o.serialization_size = b.add(response.Serialization())
	details := status.Details()
	sizes := make([]C.uint32_t, 0, 2*len(details)+1)
	for _, d := range details {
		sizes = append(sizes, b.add(d.Key), b.add(d.Value))
	}
	o.detail_count = C.uint32_t(len(details))
	C.front_engine_complete(C.uint64_t(id), &o, b.start(), unsafe.SliceData(sizes), unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
}

// responseBytes gives the bytes of a response and sets the flags of the outcome. A native response has been filled in place.
func responseBytes(o *C.front_engine_outcome, status *rpc.Status, response rpc.Payload) []byte {
	if response.Empty() {
		return nil
	}
	if message, _, ok := response.Native(); ok {
		if _, foreign := message.(nativeMessages); foreign {
			o.flags |= C.FRONT_OUTCOME_NATIVE
			return nil
		}
	}
	data, err := response.Bytes("")
	if err != nil {
		*status = rpc.NewStatus(rpc.CodeSvrSerializationFailed, err.Error())
		o.code = C.uint32_t(status.Code())
		return nil
	}
	o.flags |= C.FRONT_OUTCOME_RESPONSE
	return data
}
