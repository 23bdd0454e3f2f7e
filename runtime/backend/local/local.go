// Package local carries calls between modules of one process.
//
// Inside one package and with equal types the request and response are handed over as they are, nothing times out, and the call ends when
// its handler does. Across packages both are encoded and decoded, exactly as a network would, and the call may end early.
//
// The shared library runs most local calls in C; this backend serves Go programs and calls that need the engine (filters, addresses).
package local

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/rpc"
)

// Name of the backend, and scheme of its addresses.
const Name = "local"

type options struct {
	TimeoutExecutor string `cfg:"timeout_executor"`
}

// Backend is the local backend of one runtime.
type Backend struct {
	timeout backend.Executor

	mu       sync.RWMutex // guards services
	services map[string][]service

	running atomic.Bool
}

type service struct {
	method *rpc.Method
	serve  rpc.Handler
}

// New makes the backend. Its option timeout_executor names where timed out calls are finished.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{services: map[string][]service{}}
	var o options
	if err := env.Options.Decode(&o); err != nil {
		return nil, err
	}
	if o.TimeoutExecutor == "" {
		return b, nil
	}
	e, err := env.Executor(o.TimeoutExecutor)
	if err != nil {
		return nil, env.Options.Errorf("timeout_executor", "%w", err)
	}
	if !e.HasTimers() {
		return nil, env.Options.Errorf("timeout_executor", "executor %q has no timers", e.Name())
	}
	b.timeout = e
	return b, nil
}

// RegisterClient accepts everything: who serves is looked up per call.
func (b *Backend) RegisterClient(*rpc.Method) error { return nil }

// RegisterService keeps every module's handler; without an address the first one serves.
func (b *Backend) RegisterService(m *rpc.Method, serve rpc.Handler) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services[m.Name()] = append(b.services[m.Name()], service{m, serve})
	return nil
}

// Start lets calls in.
func (b *Backend) Start(context.Context) error {
	b.running.Store(true)
	return nil
}

// Stop does nothing: incoming calls are the outgoing calls of this process.
func (b *Backend) Stop() {}

// Close refuses further calls.
func (b *Backend) Close(context.Context) error {
	b.running.Store(false)
	return nil
}

// Resolve gives the method that would serve a name without an address.
func (b *Backend) Resolve(name string) (*rpc.Method, bool) {
	s, status := b.find(name, rpc.Target{})
	return s.method, status.OK()
}

// find picks the service: by package and module of the address, else the first registered.
func (b *Backend) find(name string, target rpc.Target) (service, rpc.Status) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := b.services[name]
	if len(list) == 0 {
		return service{}, rpc.Statusf(rpc.CodeSvrNotFound, "no module of this process serves %q over local", name)
	}
	pkg, byPackage := target.QueryValue("pkg_path")
	module, byModule := target.QueryValue("module_name")
	for _, s := range list {
		owner := s.method.Owner()
		if (!byPackage || pkg == "" || owner.Package == pkg) && (!byModule || module == "" || owner.Module == module) {
			return s, rpc.OK
		}
	}
	return service{}, rpc.Statusf(rpc.CodeCliInvalidAddr, "no module %q of package %q serves %q", module, pkg, name)
}

// pick finds the service of a call.
func (b *Backend) pick(call *rpc.Call) (service, rpc.Status) {
	if call.Context.Target == "" {
		return b.find(call.Method.Name(), rpc.Target{})
	}
	target, err := rpc.ParseTarget(call.Context.Target)
	if err != nil {
		return service{}, rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
	}
	if target.Scheme != Name {
		return service{}, rpc.Statusf(rpc.CodeCliBackendInternalError, "address %q is not one of local", call.Context.Target)
	}
	return b.find(call.Method.Name(), target)
}

// Accept takes calls that somebody serves.
func (b *Backend) Accept(call *rpc.Call) rpc.Status {
	if !b.running.Load() {
		return rpc.NewStatus(rpc.CodeCliBackendInternalError, "the local backend does not run")
	}
	_, status := b.pick(call)
	return status
}

// TimeoutStatus gives calls inside one package no timer.
func (b *Backend) TimeoutStatus(call *rpc.Call) (rpc.Status, bool) {
	s, status := b.pick(call)
	return rpc.StatusOfCode(rpc.CodeTimeout), !status.OK() || !direct(call, s.method)
}

// TimeoutExecutor is where timed out calls are finished, nil for core's timer.
func (b *Backend) TimeoutExecutor() backend.Executor { return b.timeout }

// direct tells whether messages are handed over as they are.
func direct(call *rpc.Call, served *rpc.Method) bool { return call.Method.SameNativeTypes(served) }

// serverCall is a call as its handler sees it, made in one piece.
type serverCall struct {
	rpc.Call
	context rpc.CallContext
}

// Invoke runs the handler on this goroutine.
func (b *Backend) Invoke(ctx context.Context, call *rpc.Call) {
	s, status := b.pick(call)
	if !b.running.Load() {
		status = rpc.NewStatus(rpc.CodeCliBackendInternalError, "the local backend does not run")
	}
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	inside := direct(call, s.method)
	request := call.Request.Detach()
	if inside {
		if status = bytesAccepted(call, s.method); !status.OK() {
			call.Finish(status, rpc.Payload{})
			return
		}
		if !call.Borrow() {
			return // ended already
		}
	} else if request, status = encodeRequest(call, s.method); !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	server := b.newServerCall(call, s.method, request)
	if inside {
		server.OnFinish(handBack)
	} else {
		server.OnFinish(encodeBack)
	}
	call.SetPeer(rpc.Peer{Scheme: Name})
	if inside {
		server.Borrow() // a cancel only raises the flag: the handler works on the caller's memory
		call.OnEnd(func(*rpc.Call) { server.Cancel() })
	} else {
		call.OnFinish(func(*rpc.Call) { server.Cancel() })
	}
	s.serve.Handle(ctx, &server.Call)
}

func (b *Backend) newServerCall(call *rpc.Call, served *rpc.Method, request rpc.Payload) *serverCall {
	client := call.Context
	server := &serverCall{context: rpc.CallContext{
		Kind: rpc.ServerContext, FunctionName: served.Name(), Target: client.Target, Serialization: client.Serialization,
		Timeout: client.Timeout, Metadata: client.Metadata.Clone(),
	}}
	c := &server.Call
	c.ID, c.IDText, c.Method, c.Context, c.Request = call.ID, call.IDText, served, &server.context, request
	c.Backend, c.Peer, c.From, c.Started = Name, rpc.Peer{Scheme: Name}, call.Method.Owner(), time.Now()
	c.Tag = call
	return server
}

// handBack gives the handler's answer to the caller as it is.
func handBack(server *rpc.Call) {
	server.Tag.(*rpc.Call).Finish(server.Status(), server.Response())
}

// bytesAccepted refuses bytes of a serialization that one of the sides does not have. A native message that is handed over has none, so
// there the name does not matter.
func bytesAccepted(call *rpc.Call, served *rpc.Method) rpc.Status {
	if _, _, native := call.Request.Native(); native {
		return rpc.OK
	}
	if status := clientHas(call); !status.OK() {
		return status
	}
	return serviceHas(call, served)
}

func clientHas(call *rpc.Call) rpc.Status {
	if name := call.Context.Serialization; !call.Method.Supports(name) {
		return rpc.Statusf(rpc.CodeCliInvalidSerializationType, "%q does not support serialization %q", call.Method.Name(), name)
	}
	return rpc.OK
}

func serviceHas(call *rpc.Call, served *rpc.Method) rpc.Status {
	if name := call.Context.Serialization; !served.Supports(name) {
		return rpc.Statusf(rpc.CodeCliDeserializationFailed, "the service does not understand serialization %q", name)
	}
	return rpc.OK
}

// encodeRequest takes the request from the client's types to the server's.
func encodeRequest(call *rpc.Call, served *rpc.Method) (rpc.Payload, rpc.Status) {
	name := call.Context.Serialization
	if status := clientHas(call); !status.OK() {
		return rpc.Payload{}, status
	}
	data, err := call.Request.Bytes(name)
	if err != nil {
		return rpc.Payload{}, rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error())
	}
	if status := serviceHas(call, served); !status.OK() {
		return rpc.Payload{}, status
	}
	p, err := rpc.DecodePayload(served.RequestType(), name, data)
	if err != nil {
		return rpc.Payload{}, rpc.NewStatus(rpc.CodeCliDeserializationFailed, err.Error())
	}
	return p, rpc.OK
}

// encodeBack takes the answer from the server's types to the client's. A response comes with any status, as in AimRT.
func encodeBack(server *rpc.Call) {
	call := server.Tag.(*rpc.Call)
	if !server.Unasked() {
		server.Request.Release() // a handler that nobody waits for may still read it
	}
	response := server.Response()
	defer response.Release()
	if call.Finished() {
		return // the client's side ended first; the handler has been told
	}
	if response.Empty() {
		call.Finish(server.Status(), rpc.Payload{})
		return
	}
	name := server.Context.Serialization
	data, err := response.Bytes(name)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrSerializationFailed, err.Error()), rpc.Payload{})
		return
	}
	p, err := rpc.DecodePayload(call.Method.ResponseType(), name, data)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(server.Status(), p)
}
