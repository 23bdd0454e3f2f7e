package httpx

import (
	"fmt"
	"net"
	"sync/atomic"
)

// Life of an exchange. The answer is decided once (claimed); the memory of the
// request goes back when it is done and the reading goroutine has let go of it.
const (
	exClaimed  = 1 << iota // Respond runs or ran, or nobody can answer any more
	exDone                 // nothing of the exchange is in use by Respond
	exDetached             // the connection no longer uses the request's buffer
)

// request is a parsed request. Its slices point into buf.
type request struct {
	buf            *buffer
	own            *buffer // buf when the body has memory of its own
	method, target []byte
	headers        []Header
	body           []byte
}

// Exchange is one request and the chance to answer it once. Method, Target,
// Headers and Body are views that are valid until Respond returns.
type Exchange struct {
	conn    *serverConn
	request request
	minor   int
	isHead  bool
	last    bool // the request asks for the connection to be closed
	state   atomic.Uint32
	gone    atomic.Bool
	onGone  atomic.Pointer[func()]
}

// Method is the request's method as sent.
func (x *Exchange) Method() []byte { return x.request.method }

// Target is the request target as sent; it may be empty or not begin with "/".
func (x *Exchange) Target() []byte { return x.request.target }

// Headers are the header lines in order, names and values as sent.
func (x *Exchange) Headers() []Header { return x.request.headers }

// Body is the complete body.
func (x *Exchange) Body() []byte { return x.request.body }

// TakeBody gives the body to the caller for good: without a copy when it has
// memory of its own. Only the handler may call it, before it returns and before
// anybody can answer; Body is empty afterwards.
func (x *Exchange) TakeBody() []byte {
	body := x.request.body
	x.request.body = nil
	return takeBody(x.request.own, body)
}

// HTTP10 reports whether the request is HTTP/1.0.
func (x *Exchange) HTTP10() bool { return x.minor == 0 }

// Peer is the peer's address as text, "ip:port" for TCP.
func (x *Exchange) Peer() string { return x.conn.peer }

// NetConn is the connection the request came on, for what TLS or the socket
// knows about the peer. Nobody but the server reads or writes it.
func (x *Exchange) NetConn() net.Conn { return x.conn.conn }

// Closing reports whether the connection will be closed after the answer, so
// that the answer's head can say so.
func (x *Exchange) Closing() bool { return x.last || x.conn.srv.draining.Load() }

// Gone reports whether the peer has left.
func (x *Exchange) Gone() bool { return x.gone.Load() }

// OnGone has f called once when the peer leaves, or the server closes, before
// the exchange is answered; at once if that has happened. f runs on a goroutine
// of the server and must not block. A peer that only closed its sending half
// counts as gone, yet an answer still reaches it.
func (x *Exchange) OnGone(f func()) {
	x.onGone.Store(&f)
	if x.gone.Load() {
		x.tellGone()
	}
}

func (x *Exchange) setGone() {
	if x.state.Load()&exClaimed != 0 || x.gone.Swap(true) {
		return
	}
	x.tellGone()
}

func (x *Exchange) tellGone() {
	if f := x.onGone.Swap(nil); f != nil {
		x.conn.srv.protect("httpx gone callback", *f)
	}
}

// Respond writes the answer: head is everything up to and including the blank
// line, body what follows; for HEAD the body is dropped. It may be called from
// any goroutine, at any time, once; both slices are free again when it returns.
// The error is ErrAnswered, or wraps ErrGone when the peer cannot be reached.
func (x *Exchange) Respond(head, body []byte) error { return x.respond(head, body, false) }

// RespondClose is Respond, and closes the connection afterwards.
func (x *Exchange) RespondClose(head, body []byte) error { return x.respond(head, body, true) }

// RespondNow is Respond that never waits for the peer. What the socket does not
// take at once is written by rest, to be called on a goroutine that may wait;
// until it returns both slices stay borrowed. A nil rest: the answer is out, or
// never will be.
func (x *Exchange) RespondNow(head, body []byte) (rest func() error, err error) {
	if err := x.claim(); err != nil {
		return nil, err
	}
	if x.isHead {
		body = nil
	}
	n, err := x.conn.writeSome(head, body)
	if err != nil || n == int64(len(head)+len(body)) {
		return nil, x.responded(err, false)
	}
	head, body = behind(head, body, n)
	return func() error { return x.responded(x.conn.write(head, body), false) }, nil
}

func (x *Exchange) respond(head, body []byte, last bool) error {
	if err := x.claim(); err != nil {
		return err
	}
	if x.isHead {
		body = nil
	}
	return x.responded(x.conn.write(head, body), last)
}

// claim makes the caller the one who answers.
func (x *Exchange) claim() error {
	switch {
	case x.state.Or(exClaimed)&exClaimed == 0:
		return nil
	case x.gone.Load():
		return ErrGone
	}
	return ErrAnswered
}

// responded ends the exchange after its answer was written, or was not.
func (x *Exchange) responded(err error, last bool) error {
	c := x.conn
	switch {
	case err != nil:
		c.abandon()
	case last || x.Closing():
		c.hangUp()
	}
	x.settle()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return nil
}

// lose ends an unanswered exchange whose connection is gone.
func (x *Exchange) lose() {
	if x.state.Load()&exClaimed != 0 {
		return
	}
	x.gone.Store(true)
	if x.state.Or(exClaimed)&exClaimed == 0 {
		x.tellGone()
		x.settle()
	}
}

// settle is the last touch of whoever claimed the exchange.
func (x *Exchange) settle() {
	c, answered := x.conn, x.request.buf
	if x.state.Or(exDone)&exDetached != 0 && !x.gone.Load() {
		answered.free()
	}
	if c.waiting.Load() {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}
