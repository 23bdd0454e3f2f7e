package main

/*
#include <stdlib.h>
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/executor"
)

const (
	// executorGrace is how long the shutdown of one executor waits for tasks that run.
	executorGrace = 5 * time.Second
	// executorErrorBytes is room for the text of an executor that cannot be made.
	executorErrorBytes = 512
)

// goTasks holds what Go has posted to C executors and has not run.
var goTasks handle.Table[func()]

// threads is an executor of the C half.
type threads struct {
	front  *C.front_executor
	handle uint64
	name   string
	kind   string
}

// factory makes the executors of one runtime.
type factory struct {
	runtime *runtimeObject
}

var executorTypes = map[string]C.front_executor_type{
	executor.SimpleThread: C.FRONT_EXECUTOR_SIMPLE_THREAD,
	executor.AsioThread:   C.FRONT_EXECUTOR_ASIO_THREAD,
	executor.AsioStrand:   C.FRONT_EXECUTOR_ASIO_STRAND,
	executor.TBBThread:    C.FRONT_EXECUTOR_TBB_THREAD,
	executor.TimeWheel:    C.FRONT_EXECUTOR_TIME_WHEEL,
}

// Make makes the executor a specification describes.
func (f factory) Make(spec executor.Spec, bound executor.Executor) (executor.Executor, error) {
	kind, ok := executorTypes[spec.Type]
	if !ok {
		return nil, fmt.Errorf("executor type %q is not one of %v", spec.Type, executor.Types())
	}
	var keep cMemory
	defer keep.free()
	o := (*C.front_executor_options)(keep.zeroed(C.sizeof_front_executor_options))
	C.front_executor_options_init(o, kind)
	o.name = keep.text(spec.Name)
	o.thread_num = C.uint32_t(spec.Threads)
	o.thread_sched_policy = keep.text(spec.SchedPolicy)
	o.thread_bind_cpu = keep.numbers(spec.BindCPU)
	o.thread_bind_cpu_count = C.size_t(len(spec.BindCPU))
	switch spec.Type {
	case executor.SimpleThread, executor.TBBThread:
		o.queue_threshold = C.FRONT_EXECUTOR_UNLIMITED
		if spec.QueueThreshold > 0 {
			o.queue_threshold = C.uint32_t(spec.QueueThreshold)
		}
		o.threshold_alarm_interval_ms = C.int32_t(spec.AlarmInterval / time.Millisecond)
	case executor.AsioThread, executor.AsioStrand:
		o.timeout_alarm_threshold_us = C.uint64_t(spec.TimeoutAlarm / time.Microsecond)
		o.timeout_alarm_interval_ms = C.int32_t(spec.AlarmInterval / time.Millisecond)
	case executor.TimeWheel:
		o.dt_us = C.uint64_t(spec.Tick / time.Microsecond)
	}
	if spec.UseSystemClock {
		o.use_system_clock = 1
	}
	if b, ok := bound.(*threads); ok {
		o.bind = b.front
	} else if bound != nil {
		return nil, fmt.Errorf("executor %q cannot be bound to %q, a loop of the host", spec.Name, bound.Name())
	}
	return f.make(o, spec.Name)
}

// make creates the executor and its public handle.
func (f factory) make(o *C.front_executor_options, name string) (*threads, error) {
	C.bridge_executor_logs_to(o, C.uintptr_t(f.runtime.id))
	problem := (*C.char)(C.calloc(1, executorErrorBytes))
	defer C.free(unsafe.Pointer(problem))
	front := C.front_executor_create(o, problem, executorErrorBytes)
	if front == nil {
		return nil, errors.New(C.GoString(problem))
	}
	if warning := C.GoString(problem); warning != "" {
		f.runtime.logger().Warn("executor is not placed as configured", "executor", name, "reason", warning)
	}
	t := &threads{front: front, name: name, kind: C.GoString(C.front_executor_type_text(front))}
	t.handle = uint64(C.front_executor_publish(front))
	if t.handle == 0 {
		C.front_executor_release(front)
		return nil, failf(C.AIMRT_RPC_RESULT_LIMIT, "no handle is left for executor %q", name)
	}
	f.runtime.addExecutor(t)
	return t, nil
}

// handlerPoolThreads are the threads the handler pool keeps, and the most it makes.
const (
	handlerPoolThreads    = 1
	handlerPoolMaxThreads = 256
	handlerPoolIdle       = 10 * time.Second
)

// makeHandlerPool makes the threads for handlers of calls from other processes.
func (r *runtimeObject) makeHandlerPool() error {
	r.mu.Lock()
	have := r.pool != nil
	r.mu.Unlock()
	if have {
		return nil
	}
	var keep cMemory
	defer keep.free()
	o := (*C.front_executor_options)(keep.zeroed(C.sizeof_front_executor_options))
	C.front_executor_options_init(o, C.FRONT_EXECUTOR_POOL)
	o.name = keep.text("aimrt_handlers")
	o.thread_num = handlerPoolThreads
	o.max_threads = handlerPoolMaxThreads
	o.idle_timeout_ns = C.uint64_t(handlerPoolIdle)
	t, err := factory{r}.make(o, "aimrt_handlers")
	if err != nil {
		return err
	}
	C.front_runtime_set_handler_pool(r.front, C.aimrt_rpc_executor_t(t.handle))
	r.mu.Lock()
	r.pool = t
	r.mu.Unlock()
	return nil
}

// placeThread names and places the calling thread: the host's, which has entered Go for this call.
func placeThread(name, schedPolicy string, cpus []uint32) error {
	var keep cMemory
	defer keep.free()
	problem := (*C.char)(keep.zeroed(executorErrorBytes))
	if C.front_executor_place_this_thread(keep.text(name), keep.text(schedPolicy), keep.numbers(cpus), C.size_t(len(cpus)), problem, executorErrorBytes) {
		return nil
	}
	return errors.New(C.GoString(problem))
}

// closeExecutors ends the pool, which the core does not know.
func (r *runtimeObject) closeExecutors() {
	r.mu.Lock()
	pool := r.pool
	r.mu.Unlock()
	if pool != nil {
		pool.Close()
	}
}

// hostExecutor makes an executor of a loop of the host.
func (r *runtimeObject) hostExecutor(o *C.aimrt_rpc_host_executor_options_t) (*threads, error) {
	name := text(&o.name)
	if name == "" || o.post == nil {
		return nil, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "a loop of the host needs a name and a post function")
	}
	if r.core.State() != core.PreInit {
		return nil, failf(C.AIMRT_RPC_RESULT_INVALID_STATE, "an executor of the host can only be added before initialize")
	}
	for _, other := range r.executorList() {
		if other.name == name {
			return nil, failf(C.AIMRT_RPC_RESULT_ALREADY_EXISTS, "executor name %q is in use", name)
		}
	}
	var keep cMemory
	defer keep.free()
	options := (*C.front_executor_options)(keep.zeroed(C.sizeof_front_executor_options))
	C.front_executor_options_init(options, C.FRONT_EXECUTOR_HOST)
	options.name = keep.text(name)
	C.bridge_host_executor(options, o)
	t, err := factory{r}.make(options, name)
	if err != nil {
		return nil, err
	}
	return t, r.core.AddExecutor(t)
}

// Name of the executor.
func (t *threads) Name() string { return t.name }

// Type as the configuration spells it.
func (t *threads) Type() string { return t.kind }

// ThreadSafe tells that its tasks never run at the same time.
func (t *threads) ThreadSafe() bool { return bool(C.front_executor_is_thread_safe(t.front)) }

// HasTimers tells whether PostAfter works.
func (t *threads) HasTimers() bool { return bool(C.front_executor_has_timers(t.front)) }

// Now is the executor's clock; the system's where it has none.
func (t *threads) Now() time.Time {
	if ns := C.front_executor_now_ns(t.front); ns != 0 {
		return time.Unix(0, int64(ns))
	}
	return time.Now()
}

// Queued is the number of tasks that wait.
func (t *threads) Queued() int {
	var s C.front_executor_statistics
	C.front_executor_statistics_get(t.front, &s)
	return int(s.queued)
}

// Start lets a time wheel go that waits for the start of the runtime.
func (t *threads) Start() { C.front_executor_start(t.front) }

// Close ends the executor; its memory stays until the runtime is released, because C programs may still ask about it.
func (t *threads) Close() {
	C.bridge_executor_shutdown(t.front, C.uint64_t(executorGrace))
}

// Post runs a Go function on the executor.
func (t *threads) Post(task func()) error {
	id := goTasks.Add(task)
	if err := postError(C.bridge_post(t.front, C.uintptr_t(id))); err != nil {
		goTasks.Take(id)
		return err
	}
	return nil
}

// PostAfter runs a Go function after a delay.
func (t *threads) PostAfter(delay time.Duration, task func()) (func() bool, error) {
	id := goTasks.Add(task)
	var timer C.uint64_t
	if err := postError(C.bridge_post_after(t.front, C.uint64_t(max(delay, 0)), C.uintptr_t(id), &timer)); err != nil {
		goTasks.Take(id)
		return nil, err
	}
	return func() bool { return C.front_executor_cancel(t.front, timer) == C.AIMRT_RPC_RESULT_OK }, nil
}

func postError(result C.aimrt_rpc_result_t) error {
	switch result {
	case C.AIMRT_RPC_RESULT_OK:
		return nil
	case C.AIMRT_RPC_RESULT_LIMIT:
		return executor.ErrFull
	case C.AIMRT_RPC_RESULT_INVALID_STATE:
		return executor.ErrClosed
	case C.AIMRT_RPC_RESULT_UNSUPPORTED:
		return executor.ErrNoTimers
	}
	return fmt.Errorf("executor: %s", C.GoString(C.aimrt_rpc_result_string(result)))
}

//export aimrtgo_task_run
func aimrtgo_task_run(id C.uintptr_t) {
	quiet("task_run", func() {
		if task, ok := goTasks.Take(uint64(id)); ok {
			task()
		}
	})
}

//export aimrtgo_task_drop
func aimrtgo_task_drop(id C.uintptr_t) {
	quiet("task_drop", func() { goTasks.Take(uint64(id)) })
}

//export aimrtgo_executor_log
func aimrtgo_executor_log(id C.uintptr_t, level C.int32_t, line *C.char) {
	quiet("executor_log", func() {
		if r, ok := runtimes.Get(uint64(id)); ok {
			r.log(int(level), C.GoString(line))
		}
	})
}

// cMemory is memory of the C heap that lives for one call.
type cMemory struct{ blocks []unsafe.Pointer }

func (m *cMemory) zeroed(size C.size_t) unsafe.Pointer {
	at := C.calloc(1, max(size, 1))
	m.blocks = append(m.blocks, at)
	return at
}

func (m *cMemory) text(s string) *C.char {
	at := C.CString(s)
	m.blocks = append(m.blocks, unsafe.Pointer(at))
	return at
}

func (m *cMemory) numbers(list []uint32) *C.uint32_t {
	at := (*C.uint32_t)(m.zeroed(C.size_t(4 * len(list))))
	for i, out := 0, unsafe.Slice(at, len(list)); i < len(out); i++ {
		out[i] = C.uint32_t(list[i])
	}
	return at
}

func (m *cMemory) free() {
	for _, at := range m.blocks {
		C.free(at)
	}
}
