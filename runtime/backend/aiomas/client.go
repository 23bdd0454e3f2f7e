package aiomas

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// clientMethod is a function that a module calls.
type clientMethod struct {
	method  *rpc.Method
	route   route // of the rule
	refused error // why there is none
	last    atomic.Pointer[targeted]
}

// route is where a call goes and what it asks for there.
type route struct {
	to   address
	path string
}

// targeted is what an address of a call says.
type targeted struct {
	target  string
	route   route
	refused error
}

// newRoute reads an address. A path given for the rule counts before that of the address, and that before the function's own.
func newRoute(text, path, function string) (route, error) {
	to, err := parseAddress(text)
	if err != nil {
		return route{}, err
	}
	if path == "" {
		path = to.path
	}
	if path == "" {
		path = function
	}
	to.path = ""
	return route{to, strings.Trim(path, "/")}, nil
}

// RegisterClient finds the server of the function. A function without one can still be called with an address.
func (b *Backend) RegisterClient(m *rpc.Method) error {
	c := &clientMethod{method: m, refused: fmt.Errorf("no rule of clients_options has a server_url for function %q", m.Name())}
	if rule, ok := aimrt.RuleOf(b.config.Clients, m.Name()); ok {
		c.route, c.refused = newRoute(rule.ServerURL, rule.Path, functionPath(m.Name()))
	}
	if c.refused != nil {
		b.log.Warn(c.refused.Error(), "function", m.Name())
	}
	b.methods.Store(m, c)
	return nil
}

// routeOf finds where a call goes: its own address, else the rule's.
func (c *clientMethod) routeOf(call *rpc.Call) (route, error) {
	target := call.Context.Target
	if target == "" {
		return c.route, c.refused
	}
	if t := c.last.Load(); t != nil && t.target == target {
		return t.route, t.refused
	}
	t := &targeted{target: target}
	t.route, t.refused = newRoute(target, "", functionPath(c.method.Name()))
	c.last.Store(t)
	return t.route, t.refused
}

// prepared is a call with what the backend needs of it.
type prepared struct {
	call          *rpc.Call
	route         route
	serialization string
}

// find tells where a call goes and in which serialization, or why it cannot go.
func (b *Backend) find(call *rpc.Call) (prepared, rpc.Status) {
	if !b.running.Load() {
		return prepared{}, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the aiomas backend does not run")
	}
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return prepared{}, rpc.Statusf(rpc.CodeCliFuncNotRegistered, "function %q is not registered at the aiomas backend", call.Method.Name())
	}
	serialization, status := aimrt.Serialization(call, nil)
	if !status.OK() {
		return prepared{}, status
	}
	p := prepared{call: call, serialization: serialization}
	if p.serialization != serialJSON && b.options.serialization() == serialJSON {
		return p, rpc.Statusf(rpc.CodeCliInvalidSerializationType, "serialization %q: %v", p.serialization, errNoBinary)
	}
	var err error
	if p.route, err = value.(*clientMethod).routeOf(call); err != nil {
		return p, rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
	}
	return p, rpc.OK
}

// Accept takes calls that have somewhere to go and a message that can travel.
func (b *Backend) Accept(call *rpc.Call) rpc.Status {
	_, status := b.find(call)
	return status
}

// Invoke sends the request over the connection to its address, which is opened when there is none.
func (b *Backend) Invoke(_ context.Context, call *rpc.Call) {
	p, status := b.find(call)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	data, err := call.Request.Bytes(p.serialization)
	var args, kwargs []byte
	if err == nil {
		args, kwargs, err = b.options.pack(call.Method, p.serialization, data)
	}
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error()), rpc.Payload{})
		return
	}
	l, status := b.linkTo(p.route.to)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	// The call on the wire has values; the caller's has messages.
	inner := &rpc.Call{
		ID: call.ID, Method: call.Method, Context: &rpc.CallContext{Serialization: p.serialization}, Backend: b.name, Started: call.Started,
	}
	inner.OnFinish(func(inner *rpc.Call) { b.settle(call, inner, p.serialization) })
	call.OnFinish(func(*rpc.Call) { inner.Cancel() })
	if !inner.Decided() {
		l.invoke(request{inner, p.route.path, args, kwargs})
	}
}

// settle ends the caller's call with what came of that on the wire.
func (b *Backend) settle(call, inner *rpc.Call, serialization string) {
	if call.Decided() {
		return
	}
	call.SetPeer(inner.Peer)
	if !inner.Status().OK() {
		call.Finish(inner.Status(), rpc.Payload{})
		return
	}
	result, err := inner.Response().Bytes("") // JSON has been made by the connection
	if err == nil && serialization != serialJSON {
		result, err = b.options.unpack(serialization, result)
	}
	var response rpc.Payload
	if err == nil {
		response, err = rpc.DecodePayload(call.Method.ResponseType(), serialization, result)
	}
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeCliDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, response)
}

// request is a call on its way to a link.
type request struct {
	call         *rpc.Call
	path         string
	args, kwargs []byte
}

func (r *request) size() int { return len(r.args) + len(r.kwargs) + len(r.path) }

// link is the connection to one address, opened for the first call and again for the first one after it was lost.
type link struct {
	backend *Backend
	to      address

	mu      sync.Mutex // guards what follows
	conn    *Conn      // nil while there is none
	dialing bool
	waiting []request // for the connection, in order
	bytes   int       // of those
	closed  bool
	cancel  context.CancelFunc // of connecting; nil when there has been none
}

// linkTo finds the link of an address.
func (b *Backend) linkTo(to address) (*link, rpc.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the aiomas backend is closed")
	}
	l, ok := b.links[to]
	if !ok {
		if len(b.links) >= int(b.limits.MaxAddresses) {
			return nil, rpc.Statusf(rpc.CodeResourceExhausted, "calls go to %d addresses, the limit max_addresses", len(b.links))
		}
		l = &link{backend: b, to: to}
		b.links[to] = l
	}
	return l, rpc.OK
}

func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn != nil
}

// invoke sends a request, or keeps it until there is a connection.
func (l *link) invoke(r request) {
	l.mu.Lock()
	conn := l.conn
	if conn != nil {
		l.mu.Unlock()
		conn.invoke(r.call, r.path, r.args, r.kwargs)
		return
	}
	limits := &l.backend.limits
	if l.closed || len(l.waiting) >= int(limits.MaxPending) || l.bytes > 0 && l.bytes+r.size() > int(limits.MaxPendingBytes) {
		status := rpc.Statusf(rpc.CodeResourceExhausted, "%d calls with %d bytes wait for a connection to %s, limits max_pending_calls %d and max_pending_bytes %d",
			len(l.waiting), l.bytes, l.to, limits.MaxPending, limits.MaxPendingBytes)
		if l.closed {
			status = rpc.NewStatus(rpc.CodeCliBackendInternalError, "the aiomas backend is closed")
		}
		l.mu.Unlock()
		r.call.Finish(status, rpc.Payload{})
		return
	}
	// The caller may use its memory again when the call has ended.
	r.args, r.kwargs = bytes.Clone(r.args), bytes.Clone(r.kwargs)
	l.waiting = append(l.waiting, r)
	l.bytes += r.size()
	start := !l.dialing
	l.dialing = true
	l.mu.Unlock()
	if start {
		l.start()
	}
}

// start connects beside the caller.
func (l *link) start() {
	b := l.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return // close has ended, or will end, those that wait
	}
	b.work.Add(1)
	guard.Go("aiomas connect", func() {
		defer b.work.Done()
		l.connect()
	})
}

func (l *link) connect() {
	b := l.backend
	ctx, cancel := context.WithTimeout(context.Background(), b.connectTimeout())
	l.mu.Lock()
	l.cancel = cancel
	if l.closed {
		cancel()
	}
	l.mu.Unlock()
	conn, err := Dial(ctx, DialConfig{Options: b.options, Address: l.to.String()})
	cancel()
	if err != nil {
		status := rpc.NewStatus(rpc.CodeUnavailable, err.Error())
		l.mu.Lock()
		waiting := l.take()
		l.dialing = false
		l.mu.Unlock()
		for _, r := range waiting {
			r.call.SetPeer(rpc.Peer{Scheme: l.to.network, Address: l.to.text})
			r.call.Finish(status, rpc.Payload{})
		}
		return
	}
	for { // nothing is called with the lock held: what ends a call may make another
		l.mu.Lock()
		waiting := l.take()
		if len(waiting) == 0 {
			break
		}
		l.mu.Unlock()
		for _, r := range waiting {
			if !r.call.Decided() {
				conn.invoke(r.call, r.path, r.args, r.kwargs)
			}
		}
	}
	l.dialing = false
	closed := l.closed
	if !closed {
		l.conn = conn
	}
	l.mu.Unlock()
	if closed {
		conn.Close()
		return
	}
	conn.OnClose(func(error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.conn == conn {
			l.conn = nil
		}
	})
}

// take gives those that wait; mu is held.
func (l *link) take() []request {
	waiting := l.waiting
	l.waiting, l.bytes = nil, 0
	return waiting
}

// close ends the connection and the calls that wait for one.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	conn, waiting := l.conn, l.take()
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	for _, r := range waiting {
		r.call.Finish(rpc.NewStatus(rpc.CodeCliBackendInternalError, "the aiomas backend was closed before "+l.to.String()+" was reached"), rpc.Payload{})
	}
	if conn != nil {
		conn.Close()
	}
}
