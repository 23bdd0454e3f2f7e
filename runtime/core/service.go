package core

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

// MaxServedCalls limits the calls from other processes that handlers of one runtime work on at the same time; more are refused with
// RESOURCE_EXHAUSTED. Calls inside the process count as the caller's open calls.
const MaxServedCalls = 10_000

// ServiceOptions describes a method that a module serves. Name and Handler are required.
type ServiceOptions struct {
	Name       string
	Shape      rpc.Shape
	Request    rpc.TypeSupport // nil means raw bytes
	Response   rpc.TypeSupport
	Descriptor []byte
	Handler    rpc.Handler
	// Foreign is the sink's object when the sink can call the handler without this package; nil for handlers in Go.
	Foreign any
	// NonBlocking declares that the handler returns at once, also when it finishes later: a backend may run it on the goroutine that reads
	// the connection of the call.
	NonBlocking bool
}

// Service is a method that one module serves.
type Service struct {
	runtime *Runtime
	method  *rpc.Method
	handler rpc.Handler
	foreign any
	counts  codeCounts
	route   atomic.Pointer[serviceRoute]
	ended   func(*rpc.Call)

	nonBlocking bool
}

// NonBlocking tells whether a backend may run the handler on the goroutine that reads; filters could wait.
func (s *Service) NonBlocking() bool { return s.nonBlocking && len(s.route.Load().filters) == 0 }

type serviceRoute struct {
	registry.Route
	filters []rpc.Filter
	chain   rpc.Next
}

// Method describes what is served.
func (s *Service) Method() *rpc.Method { return s.method }

// Foreign of the options.
func (s *Service) Foreign() any { return s.foreign }

// HandlerFunc serves calls with bytes on the goroutine that brings them; the error's status is the outcome. While it runs, a backend may be
// unable to notice that the caller has gone; a handler that takes long does better as an rpc.Handler that finishes the call later.
type HandlerFunc func(ctx context.Context, call *rpc.Call, request []byte) ([]byte, error)

// Handle serves one call.
func (f HandlerFunc) Handle(ctx context.Context, call *rpc.Call) {
	request, err := call.Request.Bytes(call.Context.Serialization)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	response, err := f(ctx, call, request)
	call.Finish(rpc.StatusOf(err), rpc.BytesPayload(call.Context.Serialization, response))
}

// Handle is where backends hand in calls. It runs the filters and the handler on the goroutine of the backend.
func (s *Service) Handle(ctx context.Context, call *rpc.Call) {
	if !s.runtime.serving.Load() {
		call.Finish(rpc.NewStatus(rpc.CodeSvrNotReady, "the runtime is shutting down"), rpc.Payload{})
		return
	}
	limit := MaxServedCalls
	if call.From != (rpc.Owner{}) {
		limit = MaxOpenCalls
	}
	if !s.runtime.calls.addServed(call, limit) {
		call.Finish(rpc.Statusf(rpc.CodeResourceExhausted, "%d calls are being served, the limit", limit), rpc.Payload{})
		return
	}
	call.OnFinish(s.ended)
	defer s.contain(call)
	s.route.Load().chain(ctx, call)
}

// end is the last work of every served call.
func (s *Service) end(call *rpc.Call) {
	s.runtime.calls.removeServed(call)
	s.counts.add(call.Status().Code())
}

// contain turns a panic of the handler into HANDLE_FAILED.
func (s *Service) contain(call *rpc.Call) {
	value := recover()
	if value == nil {
		return
	}
	guard.Caught("rpc handler "+s.method.Name(), value)
	status := rpc.Statusf(rpc.CodeSvrHandleFailed, "handler panicked: %v", value)
	if s.runtime.options.RemoteTraces {
		status = status.WithTrace(string(debug.Stack()))
	}
	s.runtime.log.Error("rpc handler panicked", "function", s.method.Name(), "request_id", call.ID, "panic", fmt.Sprint(value))
	call.Finish(status, rpc.Payload{})
}

// routeService applies the rules to a service; backends learn of it only in state Init.
func (r *Runtime) routeService(s *Service) error {
	match := registry.Match(r.rules().ServerRules, s.method.Name())
	filters, err := r.filtersOf(filter.Server, match.Filters)
	if err != nil {
		return err
	}
	first := s.route.Load() == nil
	s.route.Store(&serviceRoute{Route: match, filters: filters, chain: filter.Chain(filters, s.handler.Handle)})
	if !first {
		return nil
	}
	for _, name := range match.Backends {
		b, ok := r.backend(name)
		if !ok {
			continue
		}
		if err := b.RegisterService(s.method, s); err != nil {
			return fail(Config, fmt.Errorf("backend %q refuses service function %q: %w", name, s.method.Name(), err))
		}
	}
	return nil
}
