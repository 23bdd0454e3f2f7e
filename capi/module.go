package main

/*
#include "bridge.h"
*/
import "C"

import (
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/core"
)

// moduleObjects holds the modules by the id that C knows.
var moduleObjects handle.Table[*moduleObject]

// moduleObject ties a module of the core to its C object and its callbacks.
type moduleObject struct {
	id         uint64
	runtime    *runtimeObject
	core       *core.Module
	front      *C.front_module
	initialize C.aimrt_rpc_module_fn
	start      C.aimrt_rpc_module_fn
	shutdown   C.aimrt_rpc_module_shutdown_fn
	userData   C.uintptr_t
	free       C.aimrt_rpc_free_fn
	loaded     *pkgModule // the module of a Pkg file behind it, nil for others
}

// findModule gives the object of a module handle.
func findModule(h C.aimrt_rpc_module_t) (*moduleObject, error) {
	if m, ok := moduleObjects.Get(uint64(C.front_go_id(C.AIMRT_RPC_KIND_MODULE, C.uint64_t(h)))); ok {
		return m, nil
	}
	return nil, stale("module", uint64(h))
}

// onModule is result for the functions of a module.
func onModule(place string, h C.aimrt_rpc_module_t, errorOut *C.aimrt_rpc_error_t, work func(m *moduleObject) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		m, err := findModule(h)
		if err != nil {
			return err
		}
		if !m.runtime.users.enter() {
			return stale("module", uint64(h))
		}
		defer m.runtime.users.leave()
		return work(m)
	})
}

//export aimrtgo_module_create
func aimrtgo_module_create(h C.aimrt_rpc_runtime_t, o *C.aimrt_rpc_module_options_t, out *C.aimrt_rpc_module_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("module_create", h, errorOut, func(r *runtimeObject) error {
		m, err := r.createModule(o)
		if err != nil {
			return err
		}
		*out = C.front_module_handle(m.front)
		return nil
	})
}

// createModule registers a module with the core and then gives it its C object. user_data stays the caller's when that fails.
func (r *runtimeObject) createModule(o *C.aimrt_rpc_module_options_t) (*moduleObject, error) {
	m := &moduleObject{runtime: r, initialize: o.initialize, start: o.start, shutdown: o.shutdown, userData: word(unsafe.Pointer(&o.user_data))}
	options := core.ModuleOptions{
		Name: text(&o.name), Package: text(&o._package), Author: text(&o.author), Description: text(&o.description),
		Major: uint32(o.major_version), Minor: uint32(o.minor_version), Patch: uint32(o.patch_version), Build: uint32(o.build_version), Tag: m,
	}
	if m.initialize != nil {
		options.Initialize = func(*core.Module) error { return m.run(m.initialize) }
	}
	if m.start != nil {
		options.Start = func(*core.Module) error { return m.run(m.start) }
	}
	if m.shutdown != nil {
		options.Shutdown = func(*core.Module) {
			C.bridge_module_shutdown(m.shutdown, m.userData, C.front_module_handle(m.front))
		}
	}
	var err error
	if m.core, err = r.core.NewModule(options); err != nil {
		return nil, err
	}
	m.id = moduleObjects.Add(m)
	name, pkg := m.core.Name(), m.core.Package()
	m.front = C.front_module_new(r.front, C.uint64_t(m.id), chars(name), C.size_t(len(name)), chars(pkg), C.size_t(len(pkg)))
	if m.front == nil {
		moduleObjects.Take(m.id)
		return nil, failf(C.AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory or handle is left for module %q", name)
	}
	C.front_module_set_info(m.front, o.major_version, o.minor_version, o.patch_version, o.build_version,
		chars(options.Author), C.size_t(len(options.Author)), chars(options.Description), C.size_t(len(options.Description)))
	m.free = o.user_data_free
	r.mu.Lock()
	r.modules = append(r.modules, m)
	r.mu.Unlock()
	if r.core.State() != core.PreInit {
		m.mirror()
	}
	return m, nil
}

// run calls initialize or start of a module.
func (m *moduleObject) run(callback C.aimrt_rpc_module_fn) error {
	if C.bridge_module(callback, m.userData, C.front_module_handle(m.front)) == 0 {
		return core.Refused()
	}
	return nil
}

// mirror gives C what the configuration says about the module.
func (m *moduleObject) mirror() {
	C.front_module_set_log_level(m.front, C.uint32_t(m.core.LogLevel()))
	path := m.core.ConfigPath()
	C.front_module_set_config_path(m.front, chars(path), C.size_t(len(path)))
}

// release gives the user data back.
func (m *moduleObject) release() {
	if m.free != nil {
		C.bridge_free(m.free, m.userData)
	}
}

// mirrorModules gives C what the configuration says, before the modules' callbacks.
func (r *runtimeObject) mirrorModules() {
	keys := r.core.PassedKeys()
	var b block
	sizes := make([]C.uint32_t, len(keys))
	for i, key := range keys {
		sizes[i] = b.add(key)
	}
	C.front_runtime_set_passed_keys(r.front, b.start(), unsafe.SliceData(sizes), C.uint32_t(len(keys)))
	for _, m := range r.moduleList() {
		m.mirror()
	}
}

// mirrorLogLevels gives C the levels as they are now.
func (r *runtimeObject) mirrorLogLevels() {
	if !r.users.enter() {
		return
	}
	defer r.users.leave()
	for _, m := range r.moduleList() {
		C.front_module_set_log_level(m.front, C.uint32_t(m.core.LogLevel()))
	}
}

func (r *runtimeObject) moduleList() []*moduleObject {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*moduleObject(nil), r.modules...)
}

//export aimrtgo_module_executor
func aimrtgo_module_executor(h C.aimrt_rpc_module_t, name C.aimrt_rpc_str_t, out *C.aimrt_rpc_executor_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onModule("module_executor", h, errorOut, func(m *moduleObject) error {
		e, err := m.core.Executor(text(&name))
		if err != nil {
			return err
		}
		t, ok := e.(*threads)
		if !ok {
			return failf(C.AIMRT_RPC_RESULT_UNSUPPORTED, "executor %q is not one of the library", e.Name())
		}
		*out = C.aimrt_rpc_executor_t(t.handle)
		return nil
	})
}

//export aimrtgo_module_parameter_get
func aimrtgo_module_parameter_get(h C.aimrt_rpc_module_t, key C.aimrt_rpc_str_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onModule("module_parameter_get", h, errorOut, func(m *moduleObject) error {
		return buffer(out, []byte(m.core.Parameter(text(&key))))
	})
}

//export aimrtgo_module_parameter_set
func aimrtgo_module_parameter_set(h C.aimrt_rpc_module_t, key, value C.aimrt_rpc_str_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onModule("module_parameter_set", h, errorOut, func(m *moduleObject) error {
		return m.core.SetParameter(text(&key), text(&value))
	})
}
