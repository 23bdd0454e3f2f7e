package core

import (
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/aiomas"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/rpc"
)

// PlanKind says who carries out the calls of a client method.
type PlanKind uint8

// Kinds of plans; the numbers are those of the C half.
const (
	Refuse PlanKind = iota // ends with code and text
	Direct                 // same package and types: the handler is called with the caller's messages
	Local                  // same process: encoded and decoded
	Engine                 // everything else: this package
)

// String names the kind as reports show it.
func (k PlanKind) String() string { return [...]string{"refuse", "direct", "local", "engine"}[k] }

// Plan is what happens to calls of one client method that give no address. It is decided at start and whenever the configuration changes.
type Plan struct {
	Kind    PlanKind
	Service *Service // of Direct and Local
	Code    rpc.Code // of Refuse
	Text    string   // of Refuse
	Backend string   // the backend a call shows; the first one of an Engine plan
	// Native tells an Engine plan that messages stay native: the only server is in the same package.
	Native         bool
	DefaultTimeout time.Duration
	// TimeoutExecutor finishes timed out calls of a Local plan; nil = where the timer is.
	TimeoutExecutor executor.Executor
}

// PlanSink learns the plans. Publish comes at registration, start, reload and shutdown, one at a time.
type PlanSink interface {
	Publish(client *Client, plan Plan)
}

// StateSink is a PlanSink that also wants to know the state of the runtime.
type StateSink interface{ StateChanged(state State) }

// CallSink is a PlanSink that carries calls this package does not see.
type CallSink interface {
	// OpenCalls is the number of calls that have not ended.
	OpenCalls() int64
	// CancelCalls cancels them; it comes when no new ones can start.
	CancelCalls()
	// Closed comes at the end of a shutdown, before the state is Shutdown.
	Closed()
}

// InProcess is implemented by the backend whose calls stay in the process.
type InProcess interface {
	// Resolve gives the method that serves a name when the call has no address.
	Resolve(name string) (*rpc.Method, bool)
}

// Texts of refusals.
const (
	textBeforeStart   = "the runtime has not been started"
	textAfterShutdown = "the runtime has been shut down"
)

// plan decides how calls of a client method are carried out from now on.
func (r *Runtime) plan(c *Client) Plan {
	if !r.calls.accepting() {
		return Plan{Kind: Refuse, Code: rpc.CodeCliNotReady, Text: r.notReadyText()}
	}
	if c.connection != nil {
		return Plan{Kind: Engine, Backend: aiomas.Name}
	}
	route := c.route.Load()
	if len(route.backends) == 0 {
		return Plan{Kind: Refuse, Code: rpc.CodeCliNoBackendToHandle, Text: noBackendText(c.method.Name(), route)}
	}
	first := route.backends[0]
	p := Plan{Kind: Engine, Backend: first.name, DefaultTimeout: aimrt.DefaultTimeout}
	inProcess, ok := first.backend.(InProcess)
	if !ok {
		return p
	}
	served, found := inProcess.Resolve(c.method.Name())
	if !found {
		if len(route.backends) > 1 {
			return p
		}
		return Plan{Kind: Refuse, Code: rpc.CodeSvrNotFound, Text: "no module of this process serves " + c.method.Name(),
			Backend: first.name, DefaultTimeout: aimrt.DefaultTimeout}
	}
	same := c.method.SameNativeTypes(served)
	service, ok := r.services.Find(served.Name(), served.Owner())
	if !ok || service.foreign == nil || c.method.Shape() != rpc.Unary || len(route.filters) > 0 || len(service.route.Load().filters) > 0 {
		p.Native = same && len(route.backends) == 1
		return p
	}
	if same {
		p.Kind, p.Service = Direct, service
		return p
	}
	p.Kind, p.Service = Local, service
	if t, timed := first.backend.(backend.Timed); timed && t.TimeoutExecutor() != nil {
		p.TimeoutExecutor, _ = r.executors.Get(t.TimeoutExecutor().Name()) // the backend has found it before
	}
	return p
}

// publish tells the sink the plan of every client method.
func (r *Runtime) publish() {
	for _, c := range append(r.clients.All(), r.linkClients()...) {
		r.publishOne(c)
	}
}

func (r *Runtime) publishOne(c *Client) {
	r.planMu.Lock()
	defer r.planMu.Unlock()
	p := r.plan(c)
	c.plan.Store(&p)
	if r.options.Sink != nil {
		r.options.Sink.Publish(c, p)
	}
}

func (r *Runtime) notReadyText() string {
	if r.State() < Start {
		return textBeforeStart
	}
	return textAfterShutdown
}
