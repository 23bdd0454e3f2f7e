package grpc

import (
	"context"
	"errors"
	"math"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/transport/port"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// lendBytes is the size from which a response is not copied when the peer does not take it at once.
const lendBytes = 8 << 10

// service is one function with its path, or one of gRPC's own services.
type service struct {
	path    string
	method  *rpc.Method
	serve   rpc.Handler
	stream  func(*h2.Exchange)                // instead of method and serve
	collect func(*h2.Exchange, []byte, error) // made once, so that a call does not allocate it
}

// RegisterService makes a function reachable at its path.
func (b *Backend) RegisterService(m *rpc.Method, serve rpc.Handler) error {
	if !b.listen.serves() {
		return b.plugin.Errorf("listen_port", "function %q cannot be served over grpc: there is no port. Set listen_ip and listen_port in "+
			"aimrt.plugin.plugins, name: grpc_plugin, options (for example {listen_ip: 127.0.0.1, listen_port: 50050})", m.Name())
	}
	path, err := aimrtgrpc.FuncPath(m.Name())
	if err != nil {
		return err
	}
	if len(m.Descriptor()) > 0 {
		if err := b.reflect.add(m.Descriptor()); err != nil {
			b.log.Warn("descriptor of a function cannot be read, reflection does not show it", "function", m.Name(), "error", err)
		}
	}
	s := &service{path: path, method: m, serve: serve}
	s.collect = func(x *h2.Exchange, body []byte, err error) { b.begin(s, x, err) }
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services = append(b.services, s)
	if name, _, ok := aimrtgrpc.SplitPath(path); ok {
		b.health.add(name)
		b.reflect.addService(name)
	}
	if b.started {
		b.table.Store(b.newTable())
	}
	return nil
}

// serverCall is a call of a peer, made in one piece. It is also the context.Context of its handler, which ends with the call.
type serverCall struct {
	rpc.Call
	context       rpc.CallContext
	backend       *Backend
	exchange      *h2.Exchange
	serialization string // of the content type
	encoding      string // of the request
	compress      bool   // the answer, as the request was
	prefix        [framePrefix]byte
	deadline      time.Time // zero: none
	timer         *time.Timer
}

// Deadline of the context is the caller's.
func (c *serverCall) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Err of the context.
func (c *serverCall) Err() error {
	switch {
	case !c.Finished():
		return nil
	case c.Status().Code() == rpc.CodeTimeout:
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// Value of the context: it carries none.
func (*serverCall) Value(any) any { return nil }

// HTTP statuses of requests that are no gRPC.
const (
	statusOK               = "200"
	statusMethodNotAllowed = "405"
	statusUnsupportedMedia = "415"
)

// arrive takes the head of a request, on the goroutine that read it.
func (b *Backend) arrive(x *h2.Exchange) {
	contentType := header(x.Headers(), aimrtgrpc.HeaderContentType)
	serialization, known := aimrtgrpc.Serialization(contentType)
	switch {
	case x.Method() != "POST":
		refuse(x, statusMethodNotAllowed, rpc.Statusf(rpc.CodeProtocolError, "the method is %.16q, gRPC knows only POST", x.Method()))
		return
	case !known:
		refuse(x, statusUnsupportedMedia, rpc.Statusf(rpc.CodeSvrInvalidSerializationType,
			"content-type is %.64q, expected application/grpc, application/grpc+proto or application/grpc+json", contentType))
		return
	}
	s, ok := b.table.Load().Find(x.Path())
	switch encoding := header(x.Headers(), aimrtgrpc.HeaderEncoding); {
	case !ok:
		refuse(x, statusOK, rpc.Statusf(rpc.CodeSvrNotFound, "no function is served at %.512q", x.Path()))
	case encoding != "" && encoding != "identity" && encoding != gzipEncoding:
		refuse(x, statusOK, rpc.Statusf(rpc.CodeSvrNotImplemented, "grpc-encoding is %.32q, expected identity or gzip", encoding),
			h2.Field{Name: aimrtgrpc.HeaderAccept, Value: "identity,gzip"})
	case s.stream != nil:
		if serialization != "pb" {
			refuse(x, statusOK, rpc.Statusf(rpc.CodeSvrInvalidSerializationType, "%s speaks protobuf only", s.path))
			return
		}
		s.stream(x)
	default:
		x.Collect(0, s.collect)
	}
}

// begin makes a call of a request that is complete.
func (b *Backend) begin(s *service, x *h2.Exchange, err error) {
	if err != nil {
		b.refuseBody(x, err)
		return
	}
	if n := b.served.Add(1); n > int64(b.limits.MaxCalls) {
		b.served.Add(-1)
		refuse(x, statusOK, rpc.Statusf(rpc.CodeResourceExhausted, "%d calls are being served, the limit max_calls", b.limits.MaxCalls))
		return
	}
	c := b.newServerCall(s, x)
	c.OnFinish(answer)
	if !c.admit(x.TakeBody()) {
		return
	}
	if !c.deadline.IsZero() {
		c.timer = time.AfterFunc(farAway, c.expire)
		c.timer.Reset(c.context.Timeout) // now that expire can see c.timer
	}
	s.serve.Handle(c, &c.Call)
	if !c.Finished() {
		x.OnGone(c.leave)
	}
}

// farAway is a time that does not come.
const farAway = math.MaxInt64

// refuseBody answers a request without a complete body.
func (b *Backend) refuseBody(x *h2.Exchange, err error) {
	var limit *h2.LimitError
	if !errors.As(err, &limit) { // the peer is gone
		x.Reset(h2.CodeCancel)
		return
	}
	refuse(x, statusOK, rpc.Statusf(rpc.CodeResourceExhausted, "the request is too large: %s, the limit max_message_bytes is %d", limit.What, b.limits.MaxMessageBytes))
}

// leave ends the call of a peer that does not wait any more.
func (c *serverCall) leave() { c.Cancel() }

// expire ends the call at the caller's deadline.
func (c *serverCall) expire() {
	defer guard.Recover("grpc deadline")
	c.End(rpc.Statusf(rpc.CodeTimeout, "the handler did not answer within the caller's timeout of %v", c.context.Timeout))
}

// newServerCall makes the call that the handler sees.
func (b *Backend) newServerCall(s *service, x *h2.Exchange) *serverCall {
	c := &serverCall{backend: b, exchange: x}
	c.context = rpc.CallContext{Kind: rpc.ServerContext, FunctionName: s.method.Name(), Timeout: -1}
	c.Method, c.Context, c.Backend, c.Started, c.Tag = s.method, &c.context, b.name, time.Now(), c
	c.Peer = rpc.Peer{Scheme: Name, Address: peerAddress(x.NetConn(), x.Peer())}
	names := port.PeerNames(x.NetConn())
	if len(names) > 0 {
		c.Peer.Identity, c.Peer.Verified = names[0], true
	}
	c.readHeaders(x.Headers(), names)
	return c
}

// readHeaders turns all fields into metadata, in their order. The framework's own keys land in the fields that stand for them. What the
// server knows about the peer comes last; a peer cannot say that itself.
func (c *serverCall) readHeaders(fields []h2.Field, names []string) {
	pairs := make([]rpc.Pair, 0, len(fields)+1+len(names))
	for i := range fields {
		switch f := fields[i]; f.Name {
		case aimrtgrpc.HeaderContentType:
			c.serialization, _ = aimrtgrpc.Serialization(f.Value)
			if c.context.Serialization == "" {
				c.context.Serialization = c.serialization
			}
		case aimrtgrpc.HeaderTimeout:
			if timeout, ok := aimrtgrpc.ParseTimeout(f.Value); ok {
				c.context.Timeout, c.deadline = timeout, c.Started.Add(timeout)
			}
		case aimrtgrpc.HeaderEncoding:
			c.encoding = f.Value
		}
		aimrtgrpc.DecodePairs(fields[i], func(key, value string) {
			if !aimrt.Receive(&c.Call, key, value) && !aimrt.AboutPeer(key) {
				pairs = append(pairs, rpc.Pair{Key: key, Value: value})
			}
		})
	}
	c.context.Metadata = rpc.MetadataOf(aimrt.AppendPeer(pairs, c.Peer.Address, names)...)
}

// admit gives the call its message; false when it is none that the service's types understand, and the call is answered.
func (c *serverCall) admit(body []byte) bool {
	limit := int(c.backend.limits.MaxMessageBytes)
	data, err := unframe(body, c.encoding, limit)
	if err != nil {
		c.Finish(unframeStatus(err, "the request", limit, rpc.CodeProtocolError), rpc.Payload{})
		return false
	}
	c.compress = len(body) > 0 && body[0] == 1
	if status := aimrt.DecodeRequest(&c.Call, c.serialization, data); !status.OK() {
		c.Finish(status, rpc.Payload{})
		return false
	}
	return true
}

// unframeStatus says why a body gives no message; code is for one that is malformed.
func unframeStatus(err error, what string, limit int, code rpc.Code) rpc.Status {
	var size *grpcframe.SizeError
	var ratio *grpcframe.RatioError
	switch {
	case errors.As(err, &size):
		return rpc.Statusf(rpc.CodeResourceExhausted, "%s is too large: the limit max_message_bytes is %d", what, limit)
	case errors.As(err, &ratio):
		return rpc.Statusf(rpc.CodeResourceExhausted, "%s is refused: %v", what, err)
	}
	return rpc.Statusf(code, "%s is no gRPC message: %v", what, err)
}

// Heads and trailers of answers with a message.
var (
	okHead    = h2.NewBlock(aimrtgrpc.OKHead()...)
	gzipHead  = h2.NewBlock(append(aimrtgrpc.OKHead(), h2.Field{Name: aimrtgrpc.HeaderEncoding, Value: gzipEncoding})...)
	okTrailer = h2.NewBlock(h2.Field{Name: aimrtgrpc.HeaderStatus, Value: "0"})
)

// answer writes the outcome of a call to its peer.
func answer(call *rpc.Call) {
	c := call.Tag.(*serverCall)
	c.backend.served.Add(-1)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.Request.Release()
	response := c.Response()
	body, status := aimrt.EncodeResponse(call, c.serialization, c.backend.limits.aimrt())
	if !status.OK() {
		refuse(c.exchange, statusOK, status)
		response.Release()
		return
	}
	head, compressed := okHead, false
	if c.compress {
		if body, compressed = compress(body); compressed {
			head = gzipHead
		}
	}
	grpcframe.PutPrefix(&c.prefix, len(body), compressed)
	a := h2.Answer{Head: head, Prefix: c.prefix[:], Body: body, Trailer: okTrailer}
	if len(body) >= lendBytes {
		a.Release = response.Release
		_ = c.exchange.Respond(a) // an error means that the peer is gone; nobody is left to be told
		return
	}
	_ = c.exchange.Respond(a)
	response.Release()
}

// refuse answers with a status and no message: the head has what trailers would have.
func refuse(x *h2.Exchange, httpStatus string, status rpc.Status, more ...h2.Field) {
	o := outcomeOf(status)
	head := blocks.Get().(*h2.Block)
	head.Reset()
	fields := append([]h2.Field{{Name: ":status", Value: httpStatus}, aimrtgrpc.OKHead()[1]}, o.Fields()...)
	for _, f := range append(fields, more...) {
		_ = head.Add(f.Name, f.Value) // escaped, so nothing is refused
	}
	_ = x.Respond(h2.Answer{Head: head})
	blocks.Put(head)
}
