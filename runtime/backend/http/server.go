package http

import (
	"context"
	"time"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/httpx"
	"aimrtrpc/runtime/transport/port"
	"aimrtrpc/runtime/wire/aimrthttp"
)

// service is one registered function with its path.
type service struct {
	path   string
	method *rpc.Method
	serve  rpc.Handler
}

// tableOf is what finds the services by their paths.
func tableOf(services []*service) *aimrt.Paths[*service] {
	table := &aimrt.Paths[*service]{}
	for _, s := range services {
		table.Add(s.path, s)
	}
	return table
}

// RegisterService makes a function reachable at its path.
func (b *Backend) RegisterService(m *rpc.Method, serve rpc.Handler) error {
	if b.listen == nil {
		return b.plugin.Errorf("http_options", "function %q cannot be served over http: there is no port. Set listen_ip and listen_port in "+
			"aimrt.plugin.plugins, name: net_plugin, options: http_options (for example {listen_ip: 127.0.0.1, listen_port: 50080})", m.Name())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	path, err := aimrthttp.FuncPath(m.Name())
	if err != nil {
		return err
	}
	b.services = append(b.services, &service{path: path, method: m, serve: serve})
	if b.started {
		b.table.Store(tableOf(b.services))
	}
	return nil
}

// serverCall is a call of a peer, made in one piece. It is also the context.Context of its handler, which ends with the call.
type serverCall struct {
	rpc.Call
	context       rpc.CallContext
	backend       *Backend
	exchange      *httpx.Exchange
	serialization string             // of the content type, which the answer has, too
	refused       *aimrthttp.Failure // the service's types do not understand the request
}

// Deadline of the context: a server does not enforce the caller's timeout.
func (*serverCall) Deadline() (time.Time, bool) { return time.Time{}, false }

// Err of the context.
func (c *serverCall) Err() error {
	if c.Finished() {
		return context.Canceled
	}
	return nil
}

// Value of the context: it carries none.
func (*serverCall) Value(any) any { return nil }

// serve handles one request on the goroutine that read it.
func (b *Backend) serve(x *httpx.Exchange) {
	path, preflight, failure := aimrthttp.CheckLine(x.Method(), x.Target())
	if failure != nil {
		fail(x, failure)
		return
	}
	s, ok := b.table.Load().FindBytes(path)
	if !ok {
		fail(x, aimrthttp.NotFound(path))
		return
	}
	if preflight {
		buffer := heads.Get().(*[]byte)
		*buffer = aimrthttp.AppendPreflight((*buffer)[:0], framing(x))
		_ = x.Respond(*buffer, nil)
		keepHead(buffer)
		return
	}
	head, failure := aimrthttp.ReadHeaders(x.Headers())
	if failure != nil {
		fail(x, failure)
		return
	}
	if n := b.served.Add(1); n > int64(b.limits.MaxCalls) {
		b.served.Add(-1)
		fail(x, failed(rpc.Statusf(rpc.CodeResourceExhausted, "%d calls are being served, the limit max_calls", b.limits.MaxCalls)))
		return
	}
	c := b.newServerCall(x, s, head)
	c.OnFinish(answer)
	if !c.admit(x.TakeBody()) {
		return
	}
	s.serve.Handle(c, &c.Call)
	if !c.Finished() {
		x.OnGone(func() { c.Cancel() })
	}
}

// newServerCall makes the call that the handler sees. Nothing of it points into the exchange's memory: a handler may still look at the
// call when somebody else has ended and answered it.
func (b *Backend) newServerCall(x *httpx.Exchange, s *service, head aimrthttp.Call) *serverCall {
	c := &serverCall{backend: b, exchange: x, serialization: head.Serialization}
	c.context = rpc.CallContext{Kind: rpc.ServerContext, FunctionName: s.method.Name(), Serialization: head.Serialization, Timeout: -1}
	if head.HasTimeout {
		c.context.Timeout = head.Timeout
	}
	c.Method, c.Context, c.Backend, c.Started, c.Tag = s.method, &c.context, b.name, time.Now(), c
	c.Peer = rpc.Peer{Scheme: Name, Address: x.Peer()}
	names := port.PeerNames(x.NetConn())
	if len(names) > 0 {
		c.Peer.Identity, c.Peer.Verified = names[0], true
	}
	c.readMetadata(x.Headers(), x.Peer(), names)
	return c
}

// admit gives the call its message; false when the service's types refuse it, and the call is answered.
func (c *serverCall) admit(body []byte) bool {
	status := aimrt.DecodeRequest(&c.Call, c.serialization, body)
	if status.OK() {
		return true
	}
	if status.Code() == rpc.CodeSvrDeserializationFailed {
		c.refused = aimrthttp.NotDeserialized()
		c.refused.Message = status.Message()
	}
	c.Finish(status, rpc.Payload{})
	return false
}

// answer writes the outcome of a call to its peer.
func answer(call *rpc.Call) {
	c := call.Tag.(*serverCall)
	c.backend.served.Add(-1)
	c.Request.Release()
	response := c.Response()
	body, status := aimrt.EncodeResponse(call, c.serialization, c.backend.limits.aimrt())
	c.respond(status, body, response)
}

// respond writes and releases the response. An error means that the peer is gone; nobody is left to be told.
func (c *serverCall) respond(status rpc.Status, body []byte, response rpc.Payload) {
	if c.refused != nil || !status.OK() {
		failure := c.refused
		if failure == nil {
			failure = failed(status)
		}
		fail(c.exchange, failure)
		response.Release()
		return
	}
	contentType, _ := aimrthttp.ContentType(c.serialization)
	buffer := heads.Get().(*[]byte)
	*buffer = aimrthttp.AppendOK((*buffer)[:0], contentType, len(body), framing(c.exchange))
	rest, _ := c.exchange.RespondNow(*buffer, body)
	if rest != nil && c.backend.writeElsewhere(func() { _ = rest(); keepHead(buffer); response.Release() }) {
		return
	}
	if rest != nil {
		_ = rest() // the backend is closed, which has ended the connection and with it the write
	}
	keepHead(buffer)
	response.Release()
}

func framing(x *httpx.Exchange) aimrthttp.Framing {
	return aimrthttp.Framing{HTTP10: x.HTTP10(), Close: x.Closing()}
}

// failed is the answer of a call that did not succeed. The header has our number, which may be one that AimRT does not know; the text has
// AimRT's.
func failed(status rpc.Status) *aimrthttp.Failure {
	code, own := aimrt.Numbers(status)
	f := aimrthttp.Failed(own, status.Message())
	if code != own {
		f.Text = aimrthttp.Failed(code, "").Text
	}
	return f
}

func fail(x *httpx.Exchange, failure *aimrthttp.Failure) {
	buffer := heads.Get().(*[]byte)
	*buffer = aimrthttp.AppendFailure((*buffer)[:0], failure, framing(x))
	_ = x.Respond(*buffer, []byte(failure.Text))
	keepHead(buffer)
}
