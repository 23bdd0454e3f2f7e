package http

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/httpx"
	"aimrtrpc/runtime/wire/aimrthttp"
)

// lateGrace is how long after its timeout the transport gives up a call that core has not ended by then. It only matters when the peer does
// not read and nobody else could free the connection.
const lateGrace = time.Second

// clientMethod is a function that a module calls.
type clientMethod struct {
	method *rpc.Method
	url    string // of the rule; empty: none
	route  route  // of the rule
	last   atomic.Pointer[route]
	late   backend.Late
}

// route is where an address leads.
type route struct {
	target  string // the address
	to      aimrthttp.Endpoint
	refused rpc.Status // not OK: the address is of no use
}

// RegisterClient finds the server of the function. A function without one can still be called with an address.
func (b *Backend) RegisterClient(m *rpc.Method) error {
	rule, _ := aimrt.RuleOf(b.options.Clients, m.Name())
	c := &clientMethod{method: m, url: rule.ServerURL}
	if c.url == "" {
		c.route.refused = rpc.Statusf(rpc.CodeCliInvalidAddr, "Server url is not set for func: %s", m.Name())
		b.log.Warn(c.route.refused.Message(), "function", m.Name())
	} else if c.route = newRoute(c.url, m, false); !c.route.refused.OK() {
		b.log.Warn("server url cannot be used", "function", m.Name(), "reason", c.route.refused.Message())
	}
	b.methods.Store(m, c)
	return nil
}

// newRoute finds where an address leads. AimRT does not look at the protocol of a server_url, so that one says "tcp://" today works here,
// too; but what asks for encryption must not go out in the clear.
func newRoute(address string, m *rpc.Method, target bool) route {
	r := route{target: address}
	u := aimrthttp.ParseURL(address)
	switch {
	case u.Protocol == "https":
		r.refused = rpc.Statusf(rpc.CodeCliInvalidAddr, "address %q: https is not supported by the http backend", address)
		return r
	case u.Protocol != "" && u.Protocol != Name && !target:
		address = address[len(u.Protocol)+len("://"):]
	}
	to, err := aimrthttp.Resolve(address, m.Name())
	switch {
	case err == nil:
		r.to = to
	case u.Host != "" && u.Service == "":
		r.refused = rpc.NewStatus(rpc.CodeCliUnknown, err.Error())
	default:
		r.refused = rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
	}
	return r
}

// routeOf finds where a call goes: its own address, else the rule's.
func (c *clientMethod) routeOf(call *rpc.Call) *route {
	target := call.Context.Target
	if target == "" {
		return &c.route
	}
	if r := c.last.Load(); r != nil && r.target == target {
		return r
	}
	r := newRoute(target, c.method, true)
	c.last.Store(&r)
	return &r
}

// find gives the method of a call, once calls can be made.
func (b *Backend) find(call *rpc.Call) (*clientMethod, rpc.Status) {
	if !b.running.Load() {
		return nil, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the http backend does not run")
	}
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return nil, rpc.Statusf(rpc.CodeCliFuncNotRegistered, "function %q is not registered at the http backend", call.Method.Name())
	}
	return value.(*clientMethod), rpc.OK
}

// Accept takes calls that have somewhere to go and a message that can travel.
func (b *Backend) Accept(call *rpc.Call) rpc.Status {
	c, status := b.find(call)
	if !status.OK() {
		return status
	}
	if _, status = aimrt.Serialization(call, aimrthttp.ContentType); !status.OK() {
		return status
	}
	return c.routeOf(call).refused
}

// TimeoutStatus is 2000, as in AimRT, with a text that says what did not come.
func (b *Backend) TimeoutStatus(call *rpc.Call) (rpc.Status, bool) {
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return rpc.StatusOfCode(rpc.CodeCliUnknown), true
	}
	c := value.(*clientMethod)
	timeout := call.Context.Timeout
	return c.late.Status(call.Context.Target, timeout, func() rpc.Status {
		return rpc.Statusf(rpc.CodeCliUnknown, "no answer from %s within the timeout of %v", c.routeOf(call).to.Address, timeout)
	}), true
}

// TimeoutExecutor is core's timer.
func (b *Backend) TimeoutExecutor() backend.Executor { return nil }

// outgoing is a call on its way.
type outgoing struct {
	backend       *Backend
	call          *rpc.Call
	to            *route
	serialization string
	buffer        *[]byte // the head, and a small message behind it
	pending       *httpx.Pending
}

// Invoke sends the request.
func (b *Backend) Invoke(_ context.Context, call *rpc.Call) {
	o, body, status := b.prepare(call)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	b.sent.Add(1)
	// The caller may reuse its message as soon as the call ends, which can be while this one is still being written or queued; while Invoke
	// runs it keeps it.
	r := httpx.Request{Address: o.to.to.Address, Head: *o.buffer, Body: body, BodyUntilStart: true}
	if timeout := call.Context.Timeout; timeout > 0 {
		r.Deadline = time.Now().Add(timeout + lateGrace)
	}
	o.pending = b.client.Prepare(r, o.done)
	call.OnFinish(o.ended) // at once when the call has been cancelled before
	o.pending.Start()
}

// prepare makes the request. A large body is given back instead of standing behind the head.
func (b *Backend) prepare(call *rpc.Call) (*outgoing, []byte, rpc.Status) {
	c, status := b.find(call)
	if !status.OK() {
		return nil, nil, status
	}
	name, status := aimrt.Serialization(call, aimrthttp.ContentType)
	if !status.OK() {
		return nil, nil, status
	}
	to := c.routeOf(call)
	if !to.refused.OK() {
		return nil, nil, to.refused
	}
	body, status := aimrt.EncodeRequest(call, name, b.limits.aimrt())
	if !status.OK() {
		return nil, nil, status
	}
	o := &outgoing{backend: b, call: call, to: to, serialization: name, buffer: heads.Get().(*[]byte)}
	if err := o.head(len(body)); err != nil {
		keepHead(o.buffer)
		return nil, nil, rpc.NewStatus(rpc.CodeCliInvalidContext, err.Error())
	}
	if len(body) > inlineBytes {
		return o, body, rpc.OK
	}
	*o.buffer = append(*o.buffer, body...)
	return o, nil, rpc.OK
}

// head writes the request's head into the buffer.
func (o *outgoing) head(bodySize int) error {
	timeout := o.call.Context.Timeout
	if timeout < 0 {
		timeout = math.MaxInt64 // none; a header of 0 or less would mean AimRT's default
	}
	head, err := aimrthttp.AppendRequest((*o.buffer)[:0], &aimrthttp.RequestHead{
		Path: o.to.to.Path, Host: o.to.to.Host, Timeout: timeout, Serialization: o.serialization, BodySize: bodySize,
	}, o.metadata)
	*o.buffer = head
	if limit := int(o.backend.limits.MaxHeaderBytes); err == nil && len(head) > limit {
		return errors.New("the request's head with the metadata has " + strconv.Itoa(len(head)) + " bytes, the limit max_header_bytes is " + strconv.Itoa(limit))
	}
	return err
}

func (o *outgoing) metadata(yield func(key, value string) bool) { aimrt.RangeMetadata(o.call, yield) }

// ended gives up the request of a call that ended without its answer, also one that is still being written.
func (o *outgoing) ended(*rpc.Call) { o.pending.Cancel() }

// done ends the call with what came of the request.
func (o *outgoing) done(r *httpx.Response, err error) {
	keepHead(o.buffer)
	o.backend.sent.Add(-1)
	if o.call.Finished() {
		return
	}
	o.call.SetPeer(rpc.Peer{Scheme: Name, Address: o.to.to.Address})
	if err != nil {
		o.call.Finish(o.failure(err), rpc.Payload{})
		return
	}
	out := aimrthttp.Interpret(r.Status, r.Headers, r.Body)
	if out.Code != 0 {
		o.call.Finish(aimrt.StatusOf(out.Code, out.Message), rpc.Payload{})
		return
	}
	aimrt.FinishDecoded(o.call, o.serialization, r.TakeBody())
}

// queueLimits are the transport's limits that a call runs into before anything was sent, with the names under which they are configured.
var queueLimits = map[string]string{"MaxQueued": "max_pending_calls", "MaxQueuedBytes": "max_pending_bytes", "MaxHosts": "MaxHosts"}

// failure says what happened to a request that got no answer.
func (o *outgoing) failure(err error) rpc.Status {
	address := o.to.to.Address
	var limit *httpx.LimitError
	var bad *httpx.ProtocolError
	switch {
	case errors.Is(err, httpx.ErrClosed):
		return rpc.NewStatus(rpc.CodeCliBackendInternalError, "the http backend was closed before "+address+" answered")
	case errors.Is(err, httpx.ErrTimeout):
		status, _ := o.backend.TimeoutStatus(o.call)
		return status
	case errors.As(err, &limit):
		if name, ours := queueLimits[limit.Name]; ours {
			return rpc.Statusf(rpc.CodeResourceExhausted, "%s: %s, the limit %s is %d", address, limit.What, name, limit.Limit)
		}
		return rpc.Statusf(rpc.CodeCliUnknown, "the answer of %s is too large: %s exceeds the limit of %d", address, limit.What, limit.Limit)
	case errors.As(err, &bad):
		return rpc.Statusf(rpc.CodeCliUnknown, "the answer of %s is not HTTP: %s: %s", address, bad.Where, bad.What)
	}
	return rpc.NewStatus(rpc.CodeCliUnknown, err.Error())
}
