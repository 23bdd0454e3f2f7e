package grpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// lateGrace is how long after its timeout the transport gives up a call that core has not ended by then. It only matters when the peer does
// not read and nobody else could free the stream.
const lateGrace = time.Second

// compressFrom is the size below which gzip makes messages larger.
const compressFrom = 256

const gzipEncoding = "gzip"

// clientMethod is a function that a module calls.
type clientMethod struct {
	method *rpc.Method
	url    string // of the rule; empty: none
	route  *route // of the rule
	last   atomic.Pointer[route]
	late   backend.Late
}

// route is where an address leads.
type route struct {
	target  string // the address
	to      aimrtgrpc.Endpoint
	heads   map[string]*h2.Block // by serialization: the fields that all requests have
	refused rpc.Status           // not OK: the address is of no use
}

// RegisterClient finds the server of the function. A function without one can still be called with an address.
func (b *Backend) RegisterClient(m *rpc.Method) error {
	if _, err := aimrtgrpc.FuncPath(m.Name()); err != nil {
		return err
	}
	rule, _ := aimrt.RuleOf(b.options.Clients, m.Name())
	c := &clientMethod{method: m, url: rule.ServerURL}
	if c.url == "" {
		c.route = &route{refused: rpc.Statusf(rpc.CodeCliInvalidAddr, "Server url is not set for func: %s", m.Name())}
		b.log.Warn(c.route.refused.Message(), "function", m.Name())
	} else if c.route = b.newRoute(c.url, m); !c.route.refused.OK() {
		b.log.Warn("server url cannot be used", "function", m.Name(), "reason", c.route.refused.Message())
	}
	b.methods.Store(m, c)
	return nil
}

// newRoute finds where an address leads, and encodes what is the same for all calls that go there.
func (b *Backend) newRoute(address string, m *rpc.Method) *route {
	r := &route{target: address, heads: map[string]*h2.Block{}}
	to, err := aimrtgrpc.Resolve(address, m.Name(), b.clientTLS != nil)
	if err != nil {
		r.refused = rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
		return r
	}
	r.to = to
	for _, serialization := range []string{"pb", "json", "ros2"} {
		contentType, err := aimrtgrpc.ContentType(serialization)
		head := &h2.Block{}
		for _, f := range []h2.Field{
			{Name: ":method", Value: "POST"}, {Name: ":path", Value: to.Path}, {Name: ":scheme", Value: to.Scheme()}, {Name: ":authority", Value: to.Authority},
			{Name: aimrtgrpc.HeaderContentType, Value: contentType}, {Name: "te", Value: "trailers"}, {Name: "user-agent", Value: aimrtgrpc.UserAgent},
		} {
			err = errors.Join(err, head.Add(f.Name, f.Value))
		}
		if b.options.Compression == gzipEncoding {
			err = errors.Join(err, head.Add(aimrtgrpc.HeaderAccept, gzipEncoding))
		}
		if err != nil {
			r.refused = rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
		}
		r.heads[serialization] = head
	}
	return r
}

// routeOf finds where a call goes: its own address, else the rule's.
func (b *Backend) routeOf(c *clientMethod, call *rpc.Call) *route {
	target := call.Context.Target
	if target == "" {
		return c.route
	}
	if r := c.last.Load(); r != nil && r.target == target {
		return r
	}
	r := b.newRoute(target, c.method)
	c.last.Store(r)
	return r
}

// find gives the method of a call, once calls can be made.
func (b *Backend) find(call *rpc.Call) (*clientMethod, rpc.Status) {
	if !b.running.Load() {
		return nil, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the grpc backend does not run")
	}
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return nil, rpc.Statusf(rpc.CodeCliFuncNotRegistered, "function %q is not registered at the grpc backend", call.Method.Name())
	}
	return value.(*clientMethod), rpc.OK
}

// Accept takes calls that have somewhere to go and a message that can travel.
func (b *Backend) Accept(call *rpc.Call) rpc.Status {
	c, status := b.find(call)
	if !status.OK() {
		return status
	}
	if _, status = aimrt.Serialization(call, aimrtgrpc.ContentType); !status.OK() {
		return status
	}
	return b.routeOf(c, call).refused
}

// TimeoutStatus is 2002, as in AimRT, with a text that says what did not come.
func (b *Backend) TimeoutStatus(call *rpc.Call) (rpc.Status, bool) {
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return rpc.StatusOfCode(rpc.CodeCliBackendInternalError), true
	}
	c := value.(*clientMethod)
	timeout := call.Context.Timeout
	return c.late.Status(call.Context.Target, timeout, func() rpc.Status {
		return rpc.Statusf(rpc.CodeCliBackendInternalError, "no answer from %s within the timeout of %v", b.routeOf(c, call).to.Address, timeout)
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
	head          *h2.Block
	prefix        [framePrefix]byte
	deadline      time.Time // of the call; zero: none
	pending       *h2.Pending
}

// blocks are for request heads.
var blocks = sync.Pool{New: func() any { return &h2.Block{} }}

// Invoke sends the request.
func (b *Backend) Invoke(_ context.Context, call *rpc.Call) {
	o, body, status := b.prepare(call)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	b.sent.Add(1)
	r := h2.Request{Network: o.to.to.Network, Address: o.to.to.Address, Head: o.head, Prefix: o.prefix[:], Body: body}
	if timeout := call.Context.Timeout; timeout > 0 {
		o.deadline = time.Now().Add(timeout)
		r.Deadline = o.deadline.Add(lateGrace)
	}
	client := b.client
	if o.to.to.TLS {
		client = b.secure
	}
	// The caller may reuse its message as soon as the call ends, which can be while it is being written or queued: ended takes it back first.
	o.pending = client.Start(r, o.done)
	call.OnFinish(o.ended) // at once when the call has ended before
}

// prepare makes the request.
func (b *Backend) prepare(call *rpc.Call) (*outgoing, []byte, rpc.Status) {
	c, status := b.find(call)
	if !status.OK() {
		return nil, nil, status
	}
	name, status := aimrt.Serialization(call, aimrtgrpc.ContentType)
	if !status.OK() {
		return nil, nil, status
	}
	to := b.routeOf(c, call)
	if !to.refused.OK() {
		return nil, nil, to.refused
	}
	body, status := aimrt.EncodeRequest(call, name, b.limits.aimrt())
	if !status.OK() {
		return nil, nil, status
	}
	o := &outgoing{backend: b, call: call, to: to, serialization: name, head: blocks.Get().(*h2.Block)}
	compressed := false
	if b.options.Compression == gzipEncoding {
		body, compressed = compress(body)
	}
	if err := o.writeHead(compressed); err != nil {
		blocks.Put(o.head)
		return nil, nil, rpc.NewStatus(rpc.CodeCliInvalidContext, err.Error())
	}
	grpcframe.PutPrefix(&o.prefix, len(body), compressed)
	return o, body, rpc.OK
}

// compress makes a message smaller where that helps, and where the peer, if it is one of ours, does not take it for an attack.
func compress(message []byte) (data []byte, compressed bool) {
	if len(message) < compressFrom {
		return message, false
	}
	data = grpcframe.Gzip(nil, message)
	if len(data) >= len(message) || len(message) > max(grpcframe.FreeBytes, grpcframe.MaxRatio*len(data)) {
		return message, false
	}
	return data, true
}

// fieldOverhead is what a field counts in a header list beyond its texts.
const fieldOverhead = 32

// writeHead writes the request's fields.
func (o *outgoing) writeHead(compressed bool) error {
	head, call := o.head, o.call
	head.Reset()
	head.Append(o.to.heads[o.serialization])
	var err error
	if timeout := call.Context.Timeout; timeout >= 0 {
		if timeout == 0 {
			timeout = aimrt.DefaultTimeout
		}
		var room [16]byte
		err = head.Add(aimrtgrpc.HeaderTimeout, string(aimrtgrpc.AppendTimeout(room[:0], timeout)))
	}
	if compressed && err == nil {
		err = head.Add(aimrtgrpc.HeaderEncoding, gzipEncoding)
	}
	if err != nil {
		return err
	}
	size, limit := 0, int(o.backend.limits.MaxHeaderBytes)
	aimrt.RangeMetadata(call, func(key, value string) bool {
		f := aimrtgrpc.EncodePair(key, value)
		if size += len(f.Name) + len(f.Value) + fieldOverhead; size > limit {
			err = errTooMuchMetadata
			return false
		}
		err = head.Add(f.Name, f.Value)
		return err == nil
	})
	return err
}

var errTooMuchMetadata = errors.New("the metadata of the call is larger than the limit max_header_bytes")

// ended gives up the request of a call that ended without its answer, also one that is still being written.
func (o *outgoing) ended(*rpc.Call) { o.pending.Cancel() }

// done ends the call with what came of the request.
func (o *outgoing) done(r *h2.Response, err error) {
	blocks.Put(o.head)
	o.backend.sent.Add(-1)
	if o.call.Finished() {
		return
	}
	o.call.SetPeer(rpc.Peer{Scheme: Name, Address: o.to.to.Address, Verified: o.to.to.TLS})
	data, status := o.outcome(r, err)
	if !status.OK() {
		if !o.deadline.IsZero() && !time.Now().Before(o.deadline) {
			// The peer has a clock, too. Whose is faster must not decide what the caller sees.
			status, _ = o.backend.TimeoutStatus(o.call)
		}
		o.call.Finish(status, rpc.Payload{})
		return
	}
	aimrt.FinishDecoded(o.call, o.serialization, data)
}

// outcome is the message of an answer, or why there is none.
func (o *outgoing) outcome(r *h2.Response, err error) ([]byte, rpc.Status) {
	if err != nil {
		return nil, o.failure(err)
	}
	fields := r.Trailers
	if fields == nil && len(r.Body) == 0 {
		fields = r.Headers // an answer of trailers only; behind a body the status has to follow
	}
	if status := statusOf(fields, r.Status); !status.OK() {
		return nil, status
	}
	return o.message(r)
}

// message takes the message out of an answer.
func (o *outgoing) message(r *h2.Response) ([]byte, rpc.Status) {
	limit := int(o.backend.limits.MaxMessageBytes)
	data, err := unframe(r.TakeBody(), header(r.Headers, aimrtgrpc.HeaderEncoding), limit)
	if err != nil {
		return nil, unframeStatus(err, "the answer of "+o.to.to.Address, limit, rpc.CodeCliBackendInternalError)
	}
	return data, rpc.OK
}

// errNotAnnounced is a compressed message without a grpc-encoding that says how.
var errNotAnnounced = errors.New("the message is compressed, and grpc-encoding is not gzip")

// unframe takes the only message out of a body.
func unframe(body []byte, encoding string, limit int) ([]byte, error) {
	m, err := grpcframe.Single(body, limit)
	switch {
	case err != nil:
		return nil, err
	case !m.Compressed:
		return m.Data, nil
	case encoding != gzipEncoding:
		return nil, errNotAnnounced
	}
	return grpcframe.Gunzip(m.Data, limit)
}

// header is the first field of a name.
func header(fields []h2.Field, name string) string {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value
		}
	}
	return ""
}

// limitNames are the transport's limits with the names under which they are configured.
var limitNames = map[string]string{
	"MaxQueued": "max_pending_calls", "MaxQueuedBytes": "max_pending_bytes", "MaxBodyBytes": "max_message_bytes", "MaxHeaderBytes": "max_header_bytes",
}

// failure says what happened to a request that got no answer. AimRT's client knows one number for all of these.
func (o *outgoing) failure(err error) rpc.Status {
	address := o.to.to.Address
	var limit *h2.LimitError
	switch {
	case errors.Is(err, h2.ErrClosed):
		return rpc.NewStatus(rpc.CodeCliBackendInternalError, "the grpc backend was closed before "+address+" answered")
	case errors.Is(err, h2.ErrTimeout):
		status, _ := o.backend.TimeoutStatus(o.call)
		return status
	case errors.As(err, &limit):
		name := limitNames[limit.Name]
		if name == "" {
			name = limit.Name
		}
		return rpc.Statusf(rpc.CodeResourceExhausted, "%s: %s, the limit %s is %d", address, limit.What, name, limit.Limit)
	}
	return rpc.Statusf(rpc.CodeCliBackendInternalError, "%s: %v", address, err)
}
