package main

/*
#include "front.h"
*/
import "C"

import (
	"context"
	"strconv"
	"sync/atomic"
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/rpc"
)

// servedCalls holds the calls that foreign handlers have not finished, by token.
var servedCalls handle.Table[*servedCall]

// foreignService is a method that a foreign module serves, as the model's handler.
type foreignService struct {
	runtime *runtimeObject
	module  *moduleObject
	method  *rpc.Method
	front   *C.front_service
}

// servedCall is one call in a foreign handler. C's reference is given back when the last user is gone: the call itself, or a cancel that
// runs at that moment on another thread.
type servedCall struct {
	service *foreignService
	call    *rpc.Call
	native  bool
	ref     *C.front_server_call
	users   atomic.Int32
}

func (s *servedCall) release() {
	if s.users.Add(-1) == 0 {
		C.front_serve_release(s.ref)
	}
}

// cancel tells the handler that nobody waits, unless the call is over.
func (s *servedCall) cancel() {
	for n := s.users.Load(); n > 0; n = s.users.Load() {
		if s.users.CompareAndSwap(n, n+1) {
			C.front_serve_cancel(s.ref)
			s.release()
			return
		}
	}
}

// Handle gives a call to C, where the handler's thread is chosen.
func (f *foreignService) Handle(_ context.Context, call *rpc.Call) {
	if f.front == nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrNotReady, "the service is not complete"), rpc.Payload{})
		return
	}
	s := &servedCall{service: f, call: call}
	s.users.Store(1)
	r := C.front_serve_request{timeout_ns: C.uint64_t(max(call.Context.Timeout, 0))}
	data, status := requestOf(s, &r)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	b := newBlock()
	r.serialization_size = b.add(serialization(call))
	sizes := addServerPairs(&b, call)
	r.pair_count = C.uint32_t(len(sizes) / 2)
	r.size = C.uint64_t(len(data))
	if call.Backend == "local" {
		r.flags |= C.FRONT_SERVE_INLINE // the caller's open call keeps the C objects, however long the handler takes
	} else if f.runtime.users.enter() {
		defer f.runtime.users.leave()
	} else {
		call.Finish(rpc.StatusOfCode(rpc.CodeSvrNotReady), rpc.Payload{})
		return
	}
	token := servedCalls.Add(s)
	r.engine_token = C.uint64_t(token)
	s.ref = C.front_serve(f.front, &r, b.start(), unsafe.SliceData(sizes), unsafe.Pointer(unsafe.SliceData(data)))
	if s.ref == nil {
		servedCalls.Take(token)
		call.Finish(rpc.NewStatus(rpc.CodeResourceExhausted, "too many calls are being served"), rpc.Payload{})
		return
	}
	call.OnEnd(func(*rpc.Call) { s.cancel() })
	call.OnFinish(func(*rpc.Call) { s.release() })
}

// requestOf fills in the messages of a call: native ones when a foreign caller shares its types with the service, else bytes. Who brings
// the call has compared the types.
func requestOf(s *servedCall, r *C.front_serve_request) ([]byte, rpc.Status) {
	message, _, ok := s.call.Request.Native()
	if m, foreign := message.(nativeMessages); ok && foreign {
		if !s.call.Borrow() {
			return nil, rpc.StatusOfCode(rpc.CodeCancelled)
		}
		s.native = true
		*(*C.uintptr_t)(unsafe.Pointer(&r.native_request)) = C.uintptr_t(m.request)
		*(*C.uintptr_t)(unsafe.Pointer(&r.native_response)) = C.uintptr_t(m.response)
		return nil, rpc.OK
	}
	data, err := s.call.Request.Bytes(serialization(s.call))
	if err != nil {
		return nil, rpc.NewStatus(rpc.CodeSvrInvalidDeserializationType, err.Error())
	}
	return data, rpc.OK
}

// serialization of a call's request.
func serialization(call *rpc.Call) string {
	if s := call.Request.Serialization(); s != "" {
		return s
	}
	if call.Context.Serialization != "" {
		return call.Context.Serialization
	}
	return call.Method.DefaultSerialization()
}

// addServerPairs writes the metadata of the server context: what the framework says, and the caller's other keys.
func addServerPairs(b *block, call *rpc.Call) []C.uint32_t {
	id := call.IDText
	if id == "" && call.ID != 0 {
		id = strconv.FormatUint(call.ID, 10)
	}
	framework := [...]rpc.Pair{
		{Key: "aimrt-function_name", Value: call.Method.Name()},
		{Key: "aimrt-backend", Value: call.Backend},
		{Key: "aimrt-request_id", Value: id},
		{Key: "aimrt-response_id", Value: id},
		{Key: "aimrt-serialization_type", Value: serialization(call)},
		{Key: "aimrt-from_pkg", Value: call.From.Package},
		{Key: "aimrt-from_module", Value: call.From.Module},
	}
	sizes := make([]C.uint32_t, 0, 2*(call.Context.Metadata.Len()+len(framework)))
	call.Context.Metadata.Range(func(key, value string) bool {
		for i := range framework {
			if framework[i].Key == key && framework[i].Value != "" {
				return true
			}
		}
		sizes = append(sizes, b.add(key), b.add(value))
		return true
	})
	for _, p := range framework {
		if p.Value != "" {
			sizes = append(sizes, b.add(p.Key), b.add(p.Value))
		}
	}
	return sizes
}

//export aimrtgo_engine_finish
func aimrtgo_engine_finish(token C.uint64_t, answer *C.front_engine_answer) C.int32_t {
	return guarded("engine_finish", func(any) C.int32_t { return C.AIMRT_RPC_RESULT_LOST }, func() C.int32_t {
		s, ok := servedCalls.Take(uint64(token))
		if !ok || !s.call.Finish(statusOf(answer), responseOf(s, answer)) {
			return C.AIMRT_RPC_RESULT_LOST
		}
		return C.AIMRT_RPC_RESULT_OK
	})
}

// statusOf copies the status a handler gave.
func statusOf(a *C.front_engine_answer) rpc.Status {
	status := rpc.NewStatus(rpc.Code(a.code), text(&a.message))
	if trace := text(&a.trace); trace != "" {
		status = status.WithTrace(trace)
	}
	if a.detail_count > 0 {
		pairs := unsafe.Slice(a.details, int(a.detail_count))
		details := make([]rpc.Detail, len(pairs))
		for i := range pairs {
			details[i] = rpc.Detail{Key: text(&pairs[i].key), Value: text(&pairs[i].value)}
		}
		status = status.WithDetails(details...)
	}
	return status
}

// responseOf copies the answer's message, or tells that the native one is filled.
func responseOf(s *servedCall, a *C.front_engine_answer) rpc.Payload {
	if a.native != 0 && s.native {
		message, _, _ := s.call.Request.Native()
		return rpc.NativePayload(message, s.call.Method.ResponseType(), nil)
	}
	return rpc.BytesPayload(text(&a.serialization), bytesOf(&a.bytes))
}
