package aiomas

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"aimrtrpc/internal/guard"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/value"
)

// Conn is one connection with calls in both directions. With Reconnect it goes on over a new socket when the peer has gone. Its methods may be
// called from any goroutine.
type Conn struct {
	options Options
	redial  *dialer // nil: a lost socket is the end

	mu      sync.Mutex // guards what follows
	current *session   // nil while there is none
	peer    rpc.Peer   // of the last one
	serve   rpc.Handler
	closing bool
	reason  error // not nil once the connection has ended for good
	onClose []func(error)
	ready   func(*Conn) // of a listener: the connection may be used
	done    chan struct{}
}

func newConn(o Options) *Conn {
	return &Conn{options: o, serve: o.Handler, done: make(chan struct{})}
}

// Invoke calls the path that is the name of the call's method. The payload is the array [args, kwargs] in "json" or "msgpack", none for a call
// without arguments; the result is one value, in that of the call's context or else that of the connection. It never waits: what the socket has no room for is kept, within MaxPendingBytes. Timeout and cancellation are
// the caller's, who ends the call; the reply is then ignored.
func (c *Conn) Invoke(_ context.Context, call *rpc.Call) {
	args, kwargs, status := c.options.arguments(call.Request)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	c.invoke(call, call.Method.Name(), args, kwargs)
}

func (c *Conn) invoke(call *rpc.Call, path string, args, kwargs []byte) {
	c.mu.Lock()
	s, reason, peer := c.current, c.reason, c.peer
	c.mu.Unlock()
	switch {
	case s != nil:
		s.invoke(call, path, args, kwargs)
	case reason != nil:
		call.Finish(lost(peer, reason), rpc.Payload{})
	default:
		call.Finish(rpc.Statusf(rpc.CodeUnavailable, "not connected to %s at the moment", peer), rpc.Payload{})
	}
}

// Peer is who is at the other end.
func (c *Conn) Peer() rpc.Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

// Serve sets what answers the peer's calls from now on; nil finds no name.
func (c *Conn) Serve(handler rpc.Handler) {
	if handler == nil {
		handler = dialect.NewTree()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serve = handler
}

func (c *Conn) handler() rpc.Handler {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serve
}

// OnClose adds what runs once when the connection has ended for good, with the reason; at once when it has ended already.
func (c *Conn) OnClose(f func(reason error)) {
	c.mu.Lock()
	reason := c.reason
	if reason == nil {
		c.onClose = append(c.onClose, f)
	}
	c.mu.Unlock()
	if reason != nil {
		f(reason)
	}
}

// Done is closed when the connection has ended for good and the OnClose work has been done.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Connected tells whether there is a socket.
func (c *Conn) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil
}

// Close ends the connection and all calls on it, and returns when its socket is closed. It must not be called in OnClose work. Further calls do nothing.
func (c *Conn) Close() error {
	c.mu.Lock()
	s := c.current
	c.closing = true
	c.mu.Unlock()
	if c.redial != nil {
		c.redial.stop()
	}
	if s != nil {
		s.fc.Close()
	}
	c.end(errClosed)
	<-c.done
	return nil
}

// errClosed is the reason of a connection that this end closed.
var errClosed = errors.New("connection closed")

// lost is told by a session that its socket is gone.
func (c *Conn) lost(s *session, reason error) {
	c.mu.Lock()
	mine := c.current == s
	if mine {
		c.current = nil
	}
	again := mine && c.redial != nil && !c.closing
	c.mu.Unlock()
	switch {
	case again:
		c.options.Logger.Warn("connection lost, connecting again", "peer", s.peer.String(), "reason", reason.Error())
		c.redial.again(c, reason)
	case mine || c.ready != nil: // not a session that Dial could not use
		c.end(reason)
	}
}

// end ends the connection for good.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	if c.reason != nil {
		c.mu.Unlock()
		return
	}
	c.reason = reason
	work := c.onClose
	c.onClose = nil
	c.mu.Unlock()
	for _, f := range work {
		c.told(f, reason)
	}
	close(c.done)
}

// told runs work of a user; a panic of one does not keep the others from running.
func (c *Conn) told(f func(error), reason error) {
	defer guard.Recover("aiomas connection closed")
	f(reason)
}

// opened lets calls out over a session; false when it, or the connection, has ended already.
func (c *Conn) opened(s *session) bool {
	c.mu.Lock()
	s.mu.Lock()
	gone := c.closing || c.reason != nil || s.ended != nil
	if !gone {
		c.current, c.peer = s, s.peer
	}
	s.mu.Unlock()
	ready := c.ready
	c.mu.Unlock()
	if !gone && ready != nil {
		ready(c)
	}
	return !gone
}

// arguments takes the payload of an own call apart, in the codec of the connection.
func (o *Options) arguments(request rpc.Payload) (args, kwargs []byte, status rpc.Status) {
	data, err := o.bytesOf(request)
	if err != nil {
		return nil, nil, rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error())
	}
	if args, kwargs, err = dialect.SplitPair(o.values(), data); err != nil {
		return nil, nil, refusedRequest(err)
	}
	return args, kwargs, rpc.OK
}

// result is the value of a response in the codec of the connection; no response is None.
func (o *Options) result(response rpc.Payload) ([]byte, error) {
	data, err := o.bytesOf(response)
	if err == nil && len(data) == 0 {
		return o.values().AppendNull(nil), nil
	}
	return data, err
}

// bytesOf gives a payload in the codec of the connection.
func (o *Options) bytesOf(p rpc.Payload) ([]byte, error) {
	want := o.serialization()
	have := p.Serialization()
	if _, _, native := p.Native(); native || have == "" || have == want {
		return p.Bytes(want)
	}
	data, err := p.Bytes(have)
	if err != nil || len(data) == 0 {
		return data, err
	}
	return o.transcode(have, want, data)
}

// transcode turns one encoded value into the other of the two encodings.
func (o *Options) transcode(have, want string, data []byte) ([]byte, error) {
	limits := value.Limits{MaxBytes: o.MaxFrameBytes, MaxDepth: o.MaxDepth}
	switch {
	case have == want:
		return data, nil
	case have == serialJSON && want == serialMsgPack:
		return value.JSONToMsgPack(nil, data, limits)
	case have == serialMsgPack && want == serialJSON:
		return value.MsgPackToJSON(nil, data, limits)
	}
	return nil, fmt.Errorf("a value of the serialization %q cannot travel, expected %q or %q", have, serialJSON, serialMsgPack)
}

// Reference writes a reference to the own service at a path, as a value of the connection's codec. When a tree is served it must have the path.
func (c *Conn) Reference(path string) ([]byte, error) {
	if tree, ok := c.handler().(*dialect.Tree); ok && !tree.Reachable(path) {
		return nil, fmt.Errorf("this end of the connection serves nothing at %q", path)
	}
	return dialect.AppendReference(nil, c.options.values(), c.options.ReferenceType, path), nil
}

// ReferencePath is the path of the peer's service that a value refers to; false when it does not refer to one.
func (c *Conn) ReferencePath(value []byte) (string, bool) {
	return dialect.ReadReference(c.options.values(), value, c.options.ReferenceType)
}

// Serialization of payloads that need no conversion, "json" or "msgpack".
func (c *Conn) Serialization() string { return c.options.serialization() }

var _ rpc.Conn = (*Conn)(nil)
