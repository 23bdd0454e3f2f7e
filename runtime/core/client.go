package core

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

// ClientOptions describes a method that a module calls. Name is required.
type ClientOptions struct {
	Name       string // "pb:/package.Service/Method"
	Shape      rpc.Shape
	Request    rpc.TypeSupport // nil means raw bytes
	Response   rpc.TypeSupport
	Descriptor []byte
	// Tag belongs to the caller; the sink finds its own object by it.
	Tag any
}

// Client is a method that one module calls. It may be used from any goroutine.
type Client struct {
	runtime    *Runtime
	method     *rpc.Method
	tag        any
	counter    *atomic.Uint64
	counts     codeCounts
	route      atomic.Pointer[clientRoute]
	plan       atomic.Pointer[Plan]
	connection *Connection     // nil: the rules say where calls go
	ended      func(*rpc.Call) // made once, so that a call does not allocate it
}

// clientRoute is what the rules give one client method.
type clientRoute struct {
	registry.Route
	backends []runningBackend
	names    []string
	filters  []rpc.Filter
	chain    rpc.Next
}

// runningBackend is a backend under the name the configuration gives it.
type runningBackend struct {
	name    string
	backend backend.Backend
}

// Method describes what is called.
func (c *Client) Method() *rpc.Method { return c.method }

// Tag of the options.
func (c *Client) Tag() any { return c.tag }

// Plan in force.
func (c *Client) Plan() Plan { return *c.plan.Load() }

// Counter draws the request ids of the function name.
func (c *Client) Counter() *atomic.Uint64 { return c.counter }

// Start begins a call and returns at once, unless a handler of this process runs inside. nil settings mean defaults. The payload stays the
// caller's until the call ended; the call is done when Done is closed, or rpc.Wait returns.
func (c *Client) Start(ctx context.Context, settings *rpc.CallContext, request rpc.Payload) *rpc.Call {
	if settings == nil {
		settings = rpc.NewClientContext()
	}
	call := &rpc.Call{Method: c.method, Context: settings, Request: request, From: c.method.Owner(), Started: time.Now()}
	if !c.runtime.calls.accepting() {
		c.refuse(call, rpc.NewStatus(rpc.CodeCliNotReady, c.runtime.notReadyText()))
		return call
	}
	if settings.Kind != rpc.ClientContext || !settings.MarkUsed() {
		why := "the context has been used by another call; reset it first"
		if settings.Kind != rpc.ClientContext {
			why = "a server context cannot start a call"
		}
		c.refuse(call, rpc.NewStatus(rpc.CodeCliInvalidContext, why))
		return call
	}
	c.Invoke(ctx, call)
	return call
}

// Call calls with bytes and waits for the answer. The settings give metadata, timeout and address, nil means defaults.
func (c *Client) Call(ctx context.Context, settings *rpc.CallContext, request []byte) ([]byte, error) {
	serialization := c.method.DefaultSerialization()
	if settings != nil && settings.Serialization != "" {
		serialization = settings.Serialization
	}
	call := c.Start(ctx, settings, rpc.BytesPayload(serialization, request))
	if err := rpc.Wait(ctx, call).Err(); err != nil {
		return nil, err
	}
	response := call.Response()
	defer response.Release()
	return response.Bytes(serialization)
}

// Invoke starts a call that somebody has made for this method, with its context marked as used. A call without an id gets the next one.
func (c *Client) Invoke(ctx context.Context, call *rpc.Call) {
	if call.Context == nil || call.Context.Kind != rpc.ClientContext {
		c.refuse(call, rpc.StatusOfCode(rpc.CodeCliInvalidContext))
		return
	}
	if call.ID == 0 {
		call.ID = c.counter.Add(1)
	}
	if call.Context.Serialization == "" {
		call.Context.Serialization = c.method.DefaultSerialization()
	}
	switch c.runtime.calls.add(call) {
	case closed:
		c.refuse(call, rpc.NewStatus(rpc.CodeCliNotReady, c.runtime.notReadyText()))
		return
	case full:
		c.refuse(call, rpc.Statusf(rpc.CodeResourceExhausted, "%d calls are open, the limit of MaxOpenCalls", MaxOpenCalls))
		return
	}
	call.OnFinish(c.ended)
	defer containCall(call, rpc.CodeCliUnknown, "client call")
	if ctx.Done() != nil {
		c.followContext(ctx, call)
	}
	c.route.Load().chain(ctx, call)
}

// refuse ends a call that never became an open one.
func (c *Client) refuse(call *rpc.Call, status rpc.Status) {
	c.counts.add(status.Code())
	call.Finish(status, rpc.Payload{})
}

// followContext ends the call when ctx ends.
func (c *Client) followContext(ctx context.Context, call *rpc.Call) {
	stop := context.AfterFunc(ctx, func() {
		defer guard.Recover("call context")
		call.End(rpc.StatusOf(ctx.Err()))
	})
	call.OnFinish(func(*rpc.Call) { stop() })
}

// end is the last work of every call.
func (c *Client) end(call *rpc.Call) {
	c.runtime.calls.remove(call)
	c.counts.add(call.Status().Code())
}

// dispatch is the innermost part of the chain: it picks the backend and hands the call over.
func (c *Client) dispatch(ctx context.Context, call *rpc.Call) {
	if call.Context.Timeout == 0 {
		call.Context.Timeout = aimrt.DefaultTimeout
	}
	route := c.route.Load()
	if len(route.backends) == 0 {
		c.runtime.log.Warn("Rpc call found no backend to handle, func name '" + c.method.Name() + "'.")
		call.Finish(rpc.NewStatus(rpc.CodeCliNoBackendToHandle, noBackendText(c.method.Name(), route)), rpc.Payload{})
		return
	}
	b, status := choose(route, call)
	if !status.OK() {
		if status.Code() == rpc.CodeCliInvalidAddr && call.Context.Target != "" {
			c.runtime.log.Error("Rpc call address '" + call.Context.Target + "' is invalid, func name '" + c.method.Name() + "'.")
		}
		call.Finish(status, rpc.Payload{})
		return
	}
	call.Backend = b.name
	c.armTimer(call, b.backend)
	b.backend.Invoke(ctx, call)
}

// choose picks the backend: the one the address names, else the first of the rule that takes the call.
func choose(route *clientRoute, call *rpc.Call) (runningBackend, rpc.Status) {
	candidates := route.backends
	if call.Context.Target != "" {
		name, status := aimrt.BackendOfTarget(call.Context.Target, route.names)
		if !status.OK() {
			return runningBackend{}, status
		}
		for _, b := range route.backends {
			if b.name == name {
				candidates = []runningBackend{b}
			}
		}
	}
	var first rpc.Status
	var reasons []string
	for i, b := range candidates {
		status := b.backend.Accept(call)
		if status.OK() {
			return b, status
		}
		if i == 0 {
			first = status
		}
		reasons = append(reasons, b.name+": "+status.Message())
	}
	if len(candidates) == 1 {
		call.Backend = candidates[0].name
		return runningBackend{}, first
	}
	return runningBackend{}, rpc.NewStatus(rpc.CodeCliNoBackendToHandle, "no backend takes the call: "+strings.Join(reasons, "; "))
}

func noBackendText(name string, route *clientRoute) string {
	if route.Rule < 0 {
		return fmt.Sprintf("no rule of aimrt.rpc.clients_options matches %q", name)
	}
	return fmt.Sprintf("the rule %q of aimrt.rpc.clients_options, which matches %q, enables no backend", route.Pattern, name)
}

// armTimer ends the call after its timeout. Calls inside one package have none; a negative timeout means none either.
func (c *Client) armTimer(call *rpc.Call, b backend.Backend) {
	if call.Context.Timeout < 0 {
		return
	}
	status := rpc.StatusOfCode(rpc.CodeTimeout)
	var where backend.Executor
	if t, ok := b.(backend.Timed); ok {
		timed := false
		if status, timed = t.TimeoutStatus(call); !timed {
			return
		}
		where = t.TimeoutExecutor()
	}
	expire := func() { call.End(status) }
	timer := time.AfterFunc(call.Context.Timeout, func() {
		defer guard.Recover("call timer")
		if where == nil || where.Post(expire) != nil {
			expire()
		}
	})
	call.OnFinish(func(*rpc.Call) { timer.Stop() })
}

// containCall turns a panic on the way of a call into its end.
func containCall(call *rpc.Call, code rpc.Code, place string) {
	if value := recover(); value != nil {
		guard.Caught(place, value)
		call.Finish(rpc.Statusf(code, "panic: %v", value), rpc.Payload{})
	}
}

// routeClient applies the rules to a client method. It registers the method with backends that do not know it yet.
func (r *Runtime) routeClient(c *Client) error {
	match := registry.Match(r.rules().ClientRules, c.method.Name())
	route := &clientRoute{Route: match}
	before := c.route.Load()
	for _, name := range match.Backends {
		b, ok := r.backend(name)
		if !ok {
			continue // a reload named a backend that needs a new start; it is reported there
		}
		if before == nil || !before.has(name) {
			if err := b.RegisterClient(c.method); err != nil {
				return fail(Config, fmt.Errorf("backend %q refuses function %q: %w", name, c.method.Name(), err))
			}
		}
		route.backends = append(route.backends, runningBackend{name, b})
		route.names = append(route.names, name)
	}
	filters, err := r.filtersOf(filter.Client, match.Filters)
	if err != nil {
		return err
	}
	route.filters = filters
	route.chain = filter.Chain(filters, c.dispatch)
	c.route.Store(route)
	return nil
}

func (r *clientRoute) has(name string) bool {
	for _, n := range r.names {
		if n == name {
			return true
		}
	}
	return false
}

// warnUnrouted says at registration what would otherwise only be seen at the first call.
func (r *Runtime) warnUnrouted(c *Client) {
	if route := c.route.Load(); len(route.backends) == 0 {
		var rules []string
		for _, rule := range r.rules().ClientRules {
			rules = append(rules, rule.FuncName.String())
		}
		r.log.Warn("client function has no backend, its calls will fail with code 2009: "+noBackendText(c.method.Name(), route),
			"function", c.method.Name(), "rules", strings.Join(rules, " "))
	}
}
