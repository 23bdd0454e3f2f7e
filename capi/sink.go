package main

/*
#include "bridge.h"
*/
import "C"

import (
	"aimrtrpc/runtime/core"
)

// planSink carries the core's decisions to C.
type planSink struct{ r *runtimeObject }

// Publish replaces the entry of a client method. A method that C does not know yet is published when it does.
func (s planSink) Publish(client *core.Client, plan core.Plan) {
	m, ok := client.Tag().(*clientMethod)
	if !ok || m.front == nil {
		return
	}
	e := C.front_entry_init{
		default_timeout_ns: C.uint64_t(max(plan.DefaultTimeout, 0)), engine_id: C.uint64_t(m.id), code: C.uint32_t(plan.Code),
	}
	var b block
	e.text_size = b.add(plan.Text)
	e.backend_size = b.add(plan.Backend)
	switch plan.Kind {
	case core.Refuse:
		e.kind = C.FRONT_ENTRY_REFUSE
	case core.Direct, core.Local:
		e.kind = C.FRONT_ENTRY_LOCAL
		if plan.Kind == core.Direct {
			e.kind = C.FRONT_ENTRY_DIRECT
		}
		e.service = frontService(plan.Service)
		if t, ok := plan.TimeoutExecutor.(*threads); ok {
			e.timeout_executor = C.uint64_t(t.handle)
		}
	case core.Engine:
		e.kind = C.FRONT_ENTRY_ENGINE
	}
	if plan.Native {
		e.flags = C.FRONT_ENTRY_NATIVE
	}
	if e.service == nil && (plan.Kind == core.Direct || plan.Kind == core.Local) {
		e.kind = C.FRONT_ENTRY_ENGINE // the core's own handler of the service answers
	}
	if C.front_method_publish(m.front, &e, b.start()) == 0 {
		s.r.logger().Error("a plan could not be published", "function", client.Method().Name(), "plan", plan.Kind.String())
	}
}

func frontService(s *core.Service) *C.front_service {
	if f, ok := s.Foreign().(*foreignService); ok {
		return f.front
	}
	return nil
}

// LogLevelsChanged mirrors the levels of the modules' loggers.
func (s planSink) LogLevelsChanged() { s.r.mirrorLogLevels() }

// StateChanged mirrors the state of the runtime.
func (s planSink) StateChanged(state core.State) {
	if state == core.Init {
		s.r.mirrorModules()
	}
	C.front_runtime_set_state(s.r.front, C.uint32_t(state))
}

// OpenCalls counts the calls that C carries out.
func (s planSink) OpenCalls() int64 { return int64(C.front_runtime_open_calls(s.r.front)) }

// CancelCalls ends them.
func (s planSink) CancelCalls() { C.front_runtime_cancel_calls(s.r.front) }

// Closed ends what the core does not know and tells the queues; the last state follows.
func (s planSink) Closed() {
	s.r.closeExecutors()
	C.front_runtime_push_shutdown(s.r.front)
}
