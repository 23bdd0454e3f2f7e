package h2

import (
	"net"
	"sync/atomic"
	"time"
)

// Exchange is one request and the chance to answer it.
type Exchange struct {
	Stream
	method, path, scheme, authority string
	headers                         []Field
	collected                       func(*Exchange, []byte, error)
	gone                            atomic.Bool
	onGone                          atomic.Pointer[func()]
}

// Answer is a complete response.
type Answer struct {
	Head *Block // :status first
	// Prefix and Body are the data, sent as one piece.
	Prefix, Body []byte
	// Trailer ends the response; nil: the data does, or without any the head
	// (a trailers-only answer of gRPC is a head alone).
	Trailer *Block
	// Release, when set, makes Prefix and Body borrowed until it is called, once,
	// also when Respond fails. Otherwise both are free when Respond returns.
	// The request's body must not be lent this way.
	Release func()
}

// newExchange makes the exchange of a request whose header block was just
// decoded. conn.mu is held.
func newExchange(c *conn, id uint32, end bool) *Exchange {
	p := &c.fields.pseudo
	x := &Exchange{
		method: p.method, path: p.path, scheme: p.scheme, authority: p.authority,
		headers: c.fields.kept(),
	}
	s := &x.Stream
	s.id, s.user, s.sendLimit = id, x, c.lim.SendBuffer
	s.headGot, s.expect = true, c.fields.length
	s.sendWindow, s.recvWindow = c.peerWindow, int64(c.lim.StreamWindow)
	s.conn.Store(c)
	if end {
		s.move(evRemoteEnd)
	}
	return x
}

// Method is the request's method.
func (x *Exchange) Method() string { return x.method }

// Path is the request's path and query as sent; empty for CONNECT.
func (x *Exchange) Path() string { return x.path }

// Scheme is the request's scheme as sent.
func (x *Exchange) Scheme() string { return x.scheme }

// Authority is the request's :authority; it may be empty.
func (x *Exchange) Authority() string { return x.authority }

// Headers are the regular fields in order. They may be kept, not changed.
func (x *Exchange) Headers() []Field { return x.headers }

// NetConn is the connection the request came on, for what TLS or the socket
// knows about the peer. Nobody but the server reads or writes it.
func (x *Exchange) NetConn() net.Conn { return x.conn.Load().nc }

// Collect has done called once, with the complete body or the reason why there
// will be none: *LimitError when it exceeds maxBody (0: MaxBodyBytes) or
// MaxBuffered, anything else when the exchange is over already. The body is
// valid until the exchange is ended. Collect belongs inside the handler.
func (x *Exchange) Collect(maxBody int, done func(x *Exchange, body []byte, err error)) {
	c := x.conn.Load()
	c.mu.Lock()
	orDefault(&maxBody, c.lim.MaxBodyBytes)
	x.collected, x.mode, x.maxBody = done, modeCollect, maxBody
	if x.expect > int64(maxBody) {
		x.mode = modeDiscard
		c.discard(&x.Stream, &LimitError{Name: "MaxBodyBytes", Limit: maxBody, What: "content-length"})
	} else if !x.gotEnd() {
		c.armStall()
	}
	c.mu.Unlock()
}

// TakeBody gives the body that Collect handed over to the caller, who may keep
// it beyond the exchange. It comes at most once and belongs inside done.
func (x *Exchange) TakeBody() []byte {
	c := x.conn.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	body := x.whole
	if cap(body) > 2*len(body) && len(body) <= keptBodyBytes { // a small message must not hold a large buffer
		return append(make([]byte, 0, len(body)), body...)
	}
	x.whole = nil
	return body
}

// Receive gives the body to r as it comes. It belongs inside the handler.
func (x *Exchange) Receive(r Receiver) {
	c := x.conn.Load()
	c.mu.Lock()
	x.receiver, x.mode = r, modeReceive
	c.mu.Unlock()
}

// Respond sends the complete answer and ends the exchange. The error is
// ErrAnswered, or ErrGone when the peer does not want it any more.
func (x *Exchange) Respond(a Answer) error {
	c := x.conn.Load()
	s := &x.Stream
	c.mu.Lock()
	defer c.unlockFlush()
	err := error(nil)
	switch {
	case s.ending || s.headSent:
		err = ErrAnswered
	case s.state == stateClosed:
		err = ErrGone
	}
	if err != nil {
		c.later(a.Release)
		c.answered(s)
		return err
	}
	s.headSent, s.ending = true, true
	bare := len(a.Prefix)+len(a.Body) == 0 && a.Trailer == nil
	c.headerBlock(s.id, a.Head.buf, bare)
	if bare {
		c.later(a.Release)
		c.localEnd(s)
		c.answered(s)
		return nil
	}
	if a.Trailer != nil {
		s.trailer = a.Trailer.buf
	}
	s.release = a.Release
	c.push(s, a.Prefix, a.Body)
	if s.trailer != nil {
		s.trailer = append([]byte(nil), s.trailer...)
	}
	if s.waiting() > 0 && a.Release == nil {
		s.own()
	}
	if s.waiting() > 0 {
		c.armStall()
	}
	c.answered(s)
	return nil
}

// SendHeaders begins a response that is sent in pieces.
func (x *Exchange) SendHeaders(b *Block) error {
	c := x.conn.Load()
	c.mu.Lock()
	defer c.unlockFlush()
	switch {
	case x.headSent:
		return ErrAnswered
	case x.state == stateClosed:
		return ErrGone
	}
	x.headSent = true
	c.headerBlock(x.id, b.buf, false)
	return nil
}

// SetDeadline resets the stream with CANCEL at t unless it is over; zero takes
// the deadline back.
func (x *Exchange) SetDeadline(t time.Time) {
	c := x.conn.Load()
	c.mu.Lock()
	x.deadline = t
	if !t.IsZero() {
		c.arm(t)
	}
	c.mu.Unlock()
}

// Gone reports whether the stream ended before the answer was complete.
func (x *Exchange) Gone() bool { return x.gone.Load() }

// OnGone has f called once when the peer resets the stream or leaves, the
// server closes, or the deadline passes, before the answer is complete; at once
// if that has happened. f must not block.
func (x *Exchange) OnGone(f func()) {
	x.onGone.Store(&f)
	if x.gone.Load() {
		x.tellGone()
	}
}

func (x *Exchange) tellGone() {
	if f := x.onGone.Swap(nil); f != nil {
		protect("h2 gone callback", *f)
	}
}

func (x *Exchange) killed(error) {
	x.gone.Store(true)
	x.tellGone()
}

func (x *Exchange) head(int, []Field) {}

func (x *Exchange) received(err error) {
	switch {
	case x.collected != nil:
		protect("h2 body callback", func() { x.collected(x, x.whole, err) })
	case x.receiver != nil:
		protect("h2 receiver", func() { x.receiver.End(x.trailers, err) })
	}
}
