package main

/*
#include "bridge.h"
#include "guards.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
)

// runtimes holds the live runtimes by the id that C knows.
var runtimes handle.Table[*runtimeObject]

// runtimeObject ties a runtime of the core to its C object.
type runtimeObject struct {
	id    uint64
	core  *core.Runtime
	front *C.front_runtime
	index uint32
	sink  *logSink
	users users // of the C objects
	links hostLinks

	mu        sync.Mutex // guards what follows
	modules   []*moduleObject
	methods   []uint64 // in clientMethods
	services  []uint64 // in services
	filters   []*foreignFilter
	executors []*threads
	pool      *threads
	flags     uint32
	released  bool // somebody releases it
}

// findRuntime gives the object of a handle.
func findRuntime(h C.aimrt_rpc_runtime_t) (*runtimeObject, error) {
	if r, ok := runtimes.Get(uint64(C.front_go_id(C.AIMRT_RPC_KIND_RUNTIME, C.uint64_t(h)))); ok {
		return r, nil
	}
	return nil, stale("runtime", uint64(h))
}

// onRuntime is result for the functions of a runtime.
func onRuntime(place string, h C.aimrt_rpc_runtime_t, errorOut *C.aimrt_rpc_error_t, work func(r *runtimeObject) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		r, err := findRuntime(h)
		if err != nil {
			return err
		}
		if !r.users.enter() {
			return stale("runtime", uint64(h))
		}
		defer r.users.leave()
		return work(r)
	})
}

//export aimrtgo_runtime_create
func aimrtgo_runtime_create(o *C.aimrt_rpc_runtime_options_t, out *C.aimrt_rpc_runtime_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return result("runtime_create", errorOut, func() error {
		r, err := createRuntime(o)
		if err != nil {
			return err
		}
		*out = C.front_runtime_handle(r.front)
		return nil
	})
}

func createRuntime(o *C.aimrt_rpc_runtime_options_t) (*runtimeObject, error) {
	if o.override_count > 0 && o.overrides == nil {
		return nil, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "override_count is %d and overrides is NULL", uint64(o.override_count))
	}
	if o.log_fd < -1 || o.log_fd == 0 {
		return nil, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "log_fd is %d: expected a descriptor above 0, or -1 for none", int(o.log_fd))
	}
	r := &runtimeObject{sink: newLogSink(o)}
	options := core.Options{
		ConfigPath: text(&o.config_path), ConfigText: text(&o.config_text), Overrides: texts(o.overrides, o.override_count),
		Executors: factory{r}, Sink: planSink{r}, LogFD: int(o.log_fd), Version: version(),
		PlaceThread: placeThread, Packages: packages{r}, PackageSearch: searchPath(text(&o.plugin_search_path)),
	}
	if r.sink != nil {
		options.Log = r.sink
	}
	r.core = core.New(options)
	r.id = runtimes.Add(r)
	r.front = C.front_runtime_new(C.uint64_t(r.id))
	if r.front == nil {
		runtimes.Take(r.id)
		return nil, failf(C.AIMRT_RPC_RESULT_LIMIT, "%d runtimes are alive, or no memory is left", uint(C.FRONT_MAX_RUNTIMES))
	}
	r.index = uint32(C.front_runtime_index(r.front))
	if err := process.enter(); err != nil {
		runtimes.Take(r.id)
		C.front_runtime_free(r.front)
		return nil, err
	}
	return r, nil
}

// searchPath splits folders as PATH does.
func searchPath(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ":")
}

//export aimrtgo_runtime_initialize
func aimrtgo_runtime_initialize(h C.aimrt_rpc_runtime_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_initialize", h, errorOut, func(r *runtimeObject) error {
		C.front_guards_fix_onstack()
		if r.core.State() == core.PreInit {
			if err := r.makeHandlerPool(); err != nil {
				return err
			}
		}
		return r.core.Initialize(context.Background())
	})
}

//export aimrtgo_runtime_start_async
func aimrtgo_runtime_start_async(h C.aimrt_rpc_runtime_t, flags C.uint32_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_start_async", h, errorOut, func(r *runtimeObject) error {
		if flags&^C.AIMRT_RPC_START_SHUTDOWN_IN_WAIT != 0 {
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "flags %#x: only %#x is known", uint32(flags), uint32(C.AIMRT_RPC_START_SHUTDOWN_IN_WAIT))
		}
		C.front_guards_fix_onstack()
		if r.core.State() == core.Init {
			r.setFlags(uint32(flags))
			C.front_runtime_set_start_flags(r.front, flags)
		}
		err := r.core.Start(context.Background())
		if err == nil && C.front_runtime_shutdown_requested(r.front) != 0 {
			r.shutDownSoon()
		}
		return err
	})
}

func (r *runtimeObject) setFlags(flags uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flags = flags
}

// shutDownSoon runs the shutdown that somebody asked for, unless a waiting thread of the host does it.
func (r *runtimeObject) shutDownSoon() {
	if !r.users.enter() {
		return
	}
	defer r.users.leave()
	r.mu.Lock()
	inWait := r.flags&C.AIMRT_RPC_START_SHUTDOWN_IN_WAIT != 0
	r.mu.Unlock()
	state := r.core.State()
	if inWait || state == core.PreInit || state == core.Init {
		return // before start: the start sees the request
	}
	// The event may be an older runtime's that had the same index.
	if C.front_runtime_shutdown_requested(r.front) == 0 || C.front_runtime_claim_shutdown(r.front) == 0 {
		return
	}
	guard.Go("capi: shutdown", func() {
		runtime.LockOSThread() // the modules' callbacks come on one thread
		defer runtime.UnlockOSThread()
		r.shutDown()
	})
}

// shutDown runs the shutdown on this thread, or waits for who does. Its errors are logged by the core.
func (r *runtimeObject) shutDown() {
	_ = r.core.Shutdown(context.Background())
}

//export aimrtgo_runtime_run_shutdown
func aimrtgo_runtime_run_shutdown(id C.uint64_t) {
	quiet("runtime_run_shutdown", func() {
		if r, ok := runtimes.Get(uint64(id)); ok {
			r.shutDown()
		}
	})
}

//export aimrtgo_runtime_report
func aimrtgo_runtime_report(h C.aimrt_rpc_runtime_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_report", h, errorOut, func(r *runtimeObject) error {
		report, err := r.core.Report()
		if err != nil {
			return err
		}
		return buffer(out, []byte(report))
	})
}

//export aimrtgo_runtime_dump_config
func aimrtgo_runtime_dump_config(h C.aimrt_rpc_runtime_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_dump_config", h, errorOut, func(r *runtimeObject) error {
		c := r.core.Config()
		if c == nil {
			return failf(C.AIMRT_RPC_RESULT_INVALID_STATE, "the configuration is known from initialize on")
		}
		return buffer(out, []byte(c.Dump()))
	})
}

//export aimrtgo_runtime_reload
func aimrtgo_runtime_reload(h C.aimrt_rpc_runtime_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_reload", h, errorOut, func(r *runtimeObject) error {
		err := r.core.Reload()
		r.mirrorLogLevels()
		return err
	})
}

//export aimrtgo_runtime_list_methods
func aimrtgo_runtime_list_methods(h C.aimrt_rpc_runtime_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_list_methods", h, errorOut, func(r *runtimeObject) error {
		list, err := r.core.ListMethods()
		if err != nil {
			return err
		}
		return buffer(out, list)
	})
}

//export aimrtgo_runtime_describe_method
func aimrtgo_runtime_describe_method(h C.aimrt_rpc_runtime_t, name C.aimrt_rpc_str_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_describe_method", h, errorOut, func(r *runtimeObject) error {
		description, err := r.core.DescribeMethod(text(&name))
		if err != nil {
			return err
		}
		return buffer(out, description)
	})
}

//export aimrtgo_runtime_statistics
func aimrtgo_runtime_statistics(h C.aimrt_rpc_runtime_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_statistics", h, errorOut, func(r *runtimeObject) error {
		statistics, err := r.statistics()
		if err != nil {
			return err
		}
		return buffer(out, statistics)
	})
}

//export aimrtgo_runtime_release
func aimrtgo_runtime_release(h C.aimrt_rpc_runtime_t) {
	quiet("runtime_release", func() {
		id := uint64(C.front_go_id(C.AIMRT_RPC_KIND_RUNTIME, C.uint64_t(h)))
		r, ok := runtimes.Get(id)
		if !ok || !r.claimRelease() {
			return
		}
		C.front_runtime_request_shutdown(r.front)
		if C.front_runtime_claim_shutdown(r.front) == 0 {
			<-r.core.Done() // the thread that claimed it is on its way
		}
		r.shutDown()
		runtimes.Take(id)
		r.free()
	})
}

//export aimrtgo_runtime_host_executor
func aimrtgo_runtime_host_executor(h C.aimrt_rpc_runtime_t, o *C.aimrt_rpc_host_executor_options_t, out *C.aimrt_rpc_executor_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRuntime("runtime_host_executor", h, errorOut, func(r *runtimeObject) error {
		t, err := r.hostExecutor(o)
		if err != nil {
			return err
		}
		*out = C.aimrt_rpc_executor_t(t.handle)
		return nil
	})
}

// logger is the library's own log of a runtime.
func (r *runtimeObject) logger() *slog.Logger { return r.core.Logger() }

// claimRelease gives true to the first caller.
func (r *runtimeObject) claimRelease() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.released
	r.released = true
	return first
}

// addExecutor notes an executor whose memory goes with the runtime.
func (r *runtimeObject) addExecutor(t *threads) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.executors = append(r.executors, t)
}

func (r *runtimeObject) executorList() []*threads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*threads(nil), r.executors...)
}

// free gives back what C holds for the runtime. It has shut down, and nobody finds it any more.
func (r *runtimeObject) free() {
	r.users.close()
	r.links.free()
	for _, id := range r.methods {
		clientMethods.Take(id)
	}
	for _, id := range r.services {
		services.Take(id)
	}
	for _, m := range r.modules {
		moduleObjects.Take(m.id)
		m.release()
	}
	for _, t := range slices.Backward(r.executors) {
		C.front_executor_withdraw(C.aimrt_rpc_executor_t(t.handle)) // the memory goes with the last user
	}
	for _, f := range r.filters {
		f.leave()
	}
	openCalls := C.front_runtime_open_calls(r.front) != 0
	C.front_runtime_free(r.front)
	r.destroyLoaded(openCalls)
	if r.sink != nil {
		r.sink.release()
	}
	process.leave()
}
