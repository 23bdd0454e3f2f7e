package aiomas

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"aimrtrpc/internal/guard"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// AuthPath is the path of the first call on a connection that wants a token.
const AuthPath = "__auth__"

// serverCall is a call of the peer, made in one piece. It is also the context.Context of its handler, which ends with the call.
type serverCall struct {
	rpc.Call
	context rpc.CallContext
	session *session
	number  uint64
	handler rpc.Handler
	encode  func(rpc.Payload) ([]byte, error) // makes the result; nil: the response is the value
}

// nonBlocking is a handler that may declare that it returns at once.
type nonBlocking interface{ NonBlocking() bool }

// Deadline of the context: aiomas has none.
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

var _ context.Context = (*serverCall)(nil)

// anyMethod is the method of incoming calls until a tree has found theirs.
var anyMethod = func() *rpc.Method {
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: Name})
	if err != nil {
		panic(err)
	}
	return m
}()

// take hands a request to the workers; mu is held. Requests are begun in the order of their arrival and run beside each other: a handler may
// wait for a call of its own over the same connection. A request whose handler never waits is given back instead, unless others are in line.
func (s *session) take(e dialect.Event, handler rpc.Handler) *serverCall {
	for _, part := range []struct {
		name string
		raw  []byte
		want wire.Shape
	}{{"args", e.Call.Args, wire.Array}, {"kwargs", e.Call.Kwargs, wire.Map}} {
		if shape := s.format.ShapeOf(part.raw); shape != part.want {
			s.except(e.Number, "TypeError", fmt.Sprintf("%s are %s, expected %s", part.name, shape, part.want))
			return nil
		}
	}
	path := string(e.Call.Path)
	c := &serverCall{session: s, number: e.Number, handler: handler}
	c.context = rpc.CallContext{
		Kind: rpc.ServerContext, FunctionName: path, Serialization: s.serial, Timeout: -1,
		Metadata: rpc.MetadataOf(rpc.Pair{Key: dialect.KeyPath, Value: path}),
	}
	c.ID, c.Method, c.Context, c.Backend, c.Started = e.Number, anyMethod, &c.context, Name, time.Now()
	c.Peer, c.Conn, c.Tag = s.peer, s.conn, c
	c.Request = rpc.BytesPayload(s.serial, e.Call.TakePair(s.format))
	s.serving[c] = struct{}{}
	if tree, ok := handler.(*dialect.Tree); ok {
		if method, found, err := tree.Resolve(path); err == nil {
			c.Method, c.handler = method, found
		}
	}
	if quick, ok := c.handler.(nonBlocking); ok && len(s.inbox) == 0 && quick.NonBlocking() {
		return c
	}
	s.inbox = append(s.inbox, c)
	if s.idle+s.waking >= len(s.inbox) {
		s.arrived.Signal()
		return nil
	}
	s.waking++
	guard.Go("aiomas handler", s.work)
	return nil
}

// work serves requests until there are none, and then waits for more when nobody else does.
func (s *session) work() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waking--
	for s.ended == nil {
		if len(s.inbox) == 0 {
			if s.idle > 0 {
				return
			}
			s.idle++
			s.arrived.Wait()
			s.idle--
			continue
		}
		c := s.inbox[0]
		s.inbox[0] = nil
		s.inbox = s.inbox[1:]
		s.mu.Unlock()
		s.handle(c)
		s.mu.Lock()
	}
}

// handle runs the handler of one request.
func (s *session) handle(c *serverCall) {
	defer func() {
		if value := recover(); value != nil {
			guard.Caught("aiomas handler", value)
			c.Finish(rpc.Statusf(rpc.CodeSvrHandleFailed, "handler panicked: %v", value), rpc.Payload{})
		}
	}()
	c.OnFinish(answer)
	c.handler.Handle(c, &c.Call)
}

// answer sends the outcome of a call to the peer.
func answer(call *rpc.Call) {
	c := call.Tag.(*serverCall)
	s, status, response := c.session, c.Status(), c.Response()
	defer response.Release()
	var result []byte
	if status.OK() {
		var err error
		encode := c.encode
		if encode == nil {
			encode = s.conn.options.result
		}
		if result, err = encode(response); err != nil {
			status = rpc.NewStatus(rpc.CodeSvrSerializationFailed, err.Error())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return
	}
	delete(s.serving, c)
	if status.OK() {
		out, err := s.link.AppendResult(s.scratch[:0], c.number, result)
		if err == nil {
			s.post(out, nil)
			return
		}
		status = rpc.NewStatus(rpc.CodeSvrSerializationFailed, "the result cannot be sent: "+err.Error())
	}
	failure := dialect.FailureOf(status)
	out, err := s.link.AppendFailure(s.scratch[:0], c.number, dialect.AppendFailure(nil, s.format, failure, s.conn.options.FailureArray))
	if err == nil {
		s.post(out, nil)
		return
	}
	s.except(c.number, failure.Class, "the text of the failure cannot be sent: "+err.Error())
}

// except answers a request with a short exception; mu is held.
func (s *session) except(number uint64, class, message string) {
	failure := dialect.Failure{Class: class, Message: message, Trace: dialect.ExceptionText(class, message)}
	out, err := s.link.AppendFailure(s.scratch[:0], number, dialect.AppendFailure(nil, s.format, failure, s.conn.options.FailureArray))
	if err != nil {
		s.link.Drop(number)
		s.conn.options.Logger.Warn("a request stays without an answer", "peer", s.peer.String(), "reason", err.Error())
		return
	}
	s.post(out, nil)
}

// demand makes the peer prove who it is before anything else.
func (s *session) demand() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proving = true
	s.limit = time.AfterFunc(s.conn.options.AuthTimeout, func() {
		defer guard.Recover("aiomas auth timer")
		s.mu.Lock()
		late := s.proving
		s.mu.Unlock()
		if late {
			s.fc.Fail(fmt.Errorf("%w: no token came within %v", ErrRefused, s.conn.options.AuthTimeout))
		}
	})
}

// prove looks at the first request of a peer that has to give a token; it unlocks mu.
func (s *session) prove(e dialect.Event) {
	var token string
	if e.Kind == dialect.Requested && string(e.Call.Path) == AuthPath {
		for part := range dialect.Elements(s.format, e.Call.Args) {
			token, _ = s.format.Text(part)
			break
		}
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.conn.options.Token)) != 1 {
		s.mu.Unlock()
		s.conn.options.Logger.Warn("connection closed: the peer gave no valid token", "peer", s.peer.String())
		s.fc.Fail(fmt.Errorf("%w: its first call was not %s with the right token", ErrRefused, AuthPath))
		return
	}
	s.proving = false
	s.limit.Stop()
	s.peer.Verified = true
	out, err := s.link.AppendResult(s.scratch[:0], e.Number, s.format.AppendNull(nil))
	if err == nil {
		s.post(out, nil)
	}
	s.mu.Unlock()
	s.conn.opened(s)
}
