package main

/*
#include <stdlib.h>
#include "front.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// services holds the foreign services by the id that C knows.
var services handle.Table[*foreignService]

// foreignTypes is a type support that lives in C. Go never follows a native message; C encodes it.
type foreignTypes struct {
	name           string
	serializations []string
}

// Name of the type.
func (t foreignTypes) Name() string { return t.name }

// Serializations it has, the default first.
func (t foreignTypes) Serializations() []string { return t.serializations }

// Encode asks C for the bytes of a request, which it can give while the call starts.
func (t foreignTypes) Encode(serialization string, message any) ([]byte, error) {
	m, ok := message.(nativeMessages)
	if !ok {
		return nil, fmt.Errorf("%s is a type of a foreign module, it cannot encode a Go %T", t.name, message)
	}
	if !m.starting.Load() {
		return nil, fmt.Errorf("a native %s can only be encoded while its call starts", t.name)
	}
	var view C.aimrt_rpc_bytes_t
	code := C.front_call_encode(C.uint64_t(m.call), chars(serialization), C.size_t(len(serialization)), &view)
	if code != 0 {
		return nil, rpc.StatusOfCode(rpc.Code(code)).Err()
	}
	return bytesOf(&view), nil
}

// typesOf describes one direction of a method: a type support, or raw bytes with a list of serializations.
func typesOf(t *C.aimrt_rpc_type_support_t, raw []string) rpc.TypeSupport {
	if t == nil {
		return rpc.Raw(raw)
	}
	return foreignTypes{name: text(&t.name), serializations: texts(t.serializations, t.serialization_count)}
}

// onHandle is result for the functions of an rpc handle.
func onHandle(place string, h C.aimrt_rpc_handle_t, errorOut *C.aimrt_rpc_error_t, work func(m *moduleObject) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		m, ok := moduleObjects.Get(uint64(C.front_go_id(C.AIMRT_RPC_KIND_RPC_HANDLE, C.uint64_t(h))))
		if !ok || !m.runtime.users.enter() {
			return stale("rpc", uint64(h))
		}
		defer m.runtime.users.leave()
		return work(m)
	})
}

//export aimrtgo_handle_register_service
func aimrtgo_handle_register_service(h C.aimrt_rpc_handle_t, o *C.aimrt_rpc_service_options_t, out *C.aimrt_rpc_service_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_register_service", h, errorOut, func(m *moduleObject) error {
		if err := checked(func(e *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t { return C.front_service_options_check(o, e) }); err != nil {
			return err
		}
		s, err := m.registerService(o, m.core.RegisterService)
		if err == nil && out != nil {
			*out = C.front_service_handle(s.front)
		}
		return err
	})
}

// registerService registers with the core first, in the module or in a router: when that refuses, user_data is still the caller's.
func (m *moduleObject) registerService(o *C.aimrt_rpc_service_options_t, register func(core.ServiceOptions) (*core.Service, error)) (*foreignService, error) {
	if o.queue != 0 && C.front_handle_find(C.AIMRT_RPC_KIND_QUEUE, C.uint64_t(o.queue)) == nil {
		return nil, stale("queue", uint64(o.queue))
	}
	if o.executor != 0 && C.front_handle_find(C.AIMRT_RPC_KIND_EXECUTOR, C.uint64_t(o.executor)) == nil {
		return nil, stale("executor", uint64(o.executor))
	}
	raw := texts(o.serializations, o.serialization_count)
	s := &foreignService{runtime: m.runtime, module: m}
	served, err := register(core.ServiceOptions{
		Name: text(&o.name), Shape: rpc.Shape(o.shape), Request: typesOf(o.request_type, raw), Response: typesOf(o.response_type, raw),
		Descriptor: bytesOf(&o.descriptor), Handler: s, Foreign: s,
		NonBlocking: o.queue != 0 || o.flags&C.AIMRT_RPC_SERVICE_NON_BLOCKING != 0,
	})
	if err != nil {
		return nil, err
	}
	s.method = served.Method()
	id := services.Add(s)
	err = checked(func(e *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
		if s.front = C.front_service_new(m.front, C.uint64_t(id), o, e); s.front == nil {
			return C.aimrt_rpc_error_result(*e)
		}
		return C.AIMRT_RPC_RESULT_OK
	})
	if err != nil {
		services.Take(id)
		return nil, err
	}
	m.runtime.mu.Lock()
	m.runtime.services = append(m.runtime.services, id)
	m.runtime.mu.Unlock()
	return s, nil
}

//export aimrtgo_handle_register_client
func aimrtgo_handle_register_client(h C.aimrt_rpc_handle_t, o *C.aimrt_rpc_client_options_t, out *C.aimrt_rpc_method_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_register_client", h, errorOut, func(m *moduleObject) error {
		if err := checked(func(e *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t { return C.front_client_options_check(o, e) }); err != nil {
			return err
		}
		c, err := m.registerClient(o)
		if err == nil && out != nil {
			*out = C.front_method_handle(c.front)
		}
		return err
	})
}

func (m *moduleObject) registerClient(o *C.aimrt_rpc_client_options_t) (*clientMethod, error) {
	raw := texts(o.serializations, o.serialization_count)
	c := &clientMethod{}
	client, err := m.core.RegisterClient(core.ClientOptions{
		Name: text(&o.name), Shape: rpc.Shape(o.shape), Request: typesOf(o.request_type, raw), Response: typesOf(o.response_type, raw),
		Descriptor: bytesOf(&o.descriptor), Tag: c,
	})
	if err != nil {
		return nil, err
	}
	c.client = client
	c.id = clientMethods.Add(c)
	c.front = C.front_method_new(m.front, C.uint64_t(c.id), o)
	if c.front == nil {
		clientMethods.Take(c.id)
		return nil, failf(C.AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory or handle is left for function %q", client.Method().Name())
	}
	m.runtime.mu.Lock()
	m.runtime.methods = append(m.runtime.methods, c.id)
	m.runtime.mu.Unlock()
	planSink{m.runtime}.Publish(client, client.Plan())
	return c, nil
}

//export aimrtgo_handle_find_client
func aimrtgo_handle_find_client(h C.aimrt_rpc_handle_t, name C.aimrt_rpc_str_t, out *C.aimrt_rpc_method_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_find_client", h, errorOut, func(m *moduleObject) error {
		client, err := m.core.Client(text(&name))
		if err != nil {
			return err
		}
		if c, ok := client.Tag().(*clientMethod); ok && c.front != nil {
			*out = C.front_method_handle(c.front)
			return nil
		}
		return failf(C.AIMRT_RPC_RESULT_NOT_FOUND, "function %q was registered by a Go module", client.Method().Name())
	})
}

// checked runs a C check and takes its error object over.
func checked(check func(e *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t) error {
	e := (*C.aimrt_rpc_error_t)(C.calloc(1, C.sizeof_aimrt_rpc_error_t))
	defer C.free(unsafe.Pointer(e))
	code := check(e)
	if code == C.AIMRT_RPC_RESULT_OK {
		return nil
	}
	message := C.aimrt_rpc_error_message(*e)
	err := failf(code, "%s", text(&message))
	C.aimrt_rpc_error_free(*e)
	return err
}
