package httpx

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// writeErrorWait is how long a connection whose write failed may still deliver
// the answer that explains it, such as a 413 before the body was taken.
const writeErrorWait = time.Second

// State of a connection; the moves are in the table above host.
type connState uint8

const (
	connFree     connState = iota // no request: idle, or in the hand of a goroutine that looks for one
	connBusy                      // carries current
	connAnswered                  // current has its response, yet is still being written: the writer frees it
	connDead                      // closed; current, if any, is still to be told
)

// What begin made of a request.
type beginning uint8

const (
	begun beginning = iota
	connOver
	requestOver
)

// clientConn is one pooled connection. Its goroutine is in a read all the time,
// so a response needs no other goroutine and an idle connection that the server
// closes leaves the pool soon. While there is no request it only looks at the
// socket and takes nothing out: what somebody else sees there before he writes
// a request is all that came since the last response.
type clientConn struct {
	stream
	host *host
	turn uint64          // host.turn when its dial began
	raw  syscall.RawConn // nil: not a socket; then only the goroutine's reads tell of the peer's close

	control func(fd uintptr) // looks for look
	seen    arrival          // by whoever has the connection in hand
	ready   func(fd uintptr) bool

	mu        sync.Mutex // guards the fields below
	state     connState
	current   *Pending
	armed     time.Time // read deadline in force; zero: none
	writeErr  error
	idleSince time.Time

	// Used by the reading goroutine only.
	asked    *Pending  // found by await
	response *Response // reused
	lent     *buffer   // holds a response that did not fit into the connection's buffer
	received bool      // some of the response has arrived
}

func newClientConn(h *host, conn net.Conn, turn uint64) *clientConn {
	c := &clientConn{host: h, turn: turn, raw: rawOf(conn), response: &Response{}}
	c.control = func(fd uintptr) { c.seen = peek(fd) }
	c.ready = c.isReady
	c.stream = stream{conn: conn, in: buffers.Get().(*buffer), read: c.readConn}
	return c
}

// abandon closes a connection that has no goroutine yet.
func (c *clientConn) abandon() {
	c.conn.Close()
	c.in.free()
}

// look tells what has arrived on a connection in hand. A request may be written
// only where that is nothing: the peer has not closed, so far as it is known here.
func (c *clientConn) look() arrival {
	if c.raw == nil {
		return nothing // begin asks the state
	}
	if c.raw.Control(c.control) != nil {
		return theEnd
	}
	return c.seen
}

// begin makes p the request of this connection, unless one of them is over.
func (c *clientConn) begin(p *Pending) beginning {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connDead {
		return connOver
	}
	p.conn.Store(c) // before beginWrite: whoever cancels after it looks here
	if !p.beginWrite() {
		return requestOver
	}
	c.state, c.current = connBusy, p
	c.arm(p.request.Deadline)
	return begun
}

// send writes the request that has begun, as much as the socket takes at once.
// again asks for another connection: nothing went out. Any other failure is not
// the outcome yet, the reading goroutine sees what came of it.
func (c *clientConn) send(p *Pending) (again bool) {
	head, body := p.request.Head, p.request.Body
	if c.raw == nil || len(head)+len(body) <= coalesceBytes {
		n, err := writeBoth(c.conn, head, body) // fits an empty socket buffer
		return c.sent(p, n, err)
	}
	n, err := writeNow(c.raw, head, body)
	if err != nil || n == int64(len(head)+len(body)) {
		return c.sent(p, n, err)
	}
	if n == 0 {
		p.own() // it may still be written elsewhere
	}
	head, body = behind(head, p.request.Body, n)
	if p.request.BodyUntilStart {
		body = bytes.Clone(body)
	}
	rest := func() {
		more, err := writeBoth(c.conn, head, body)
		if c.sent(p, n+more, err) {
			c.host.replace(p, c)
		}
	}
	if !c.host.goWrite(rest) {
		return c.sent(p, n, net.ErrClosed)
	}
	return false
}

// sent ends the write after n bytes.
func (c *clientConn) sent(p *Pending, n int64, err error) (again bool) {
	if err != nil {
		if n == 0 {
			p.own()
		}
		c.writeFailed(p, n, err)
	}
	return p.endWrite(c, n > 0 || err == nil, err == nil)
}

func (c *clientConn) writeFailed(p *Pending, n int64, err error) {
	if n == 0 {
		c.drop()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == p {
		c.writeErr = err
		c.armBefore(time.Now().Add(writeErrorWait))
	}
}

// take parts p from c; only one caller gets true.
func (c *clientConn) take(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.part(p)
}

// part is take with c.mu held.
func (c *clientConn) part(p *Pending) bool {
	if p == nil || c.current != p {
		return false
	}
	c.current = nil
	if c.state == connBusy {
		c.state = connFree
	}
	return true
}

// drop closes the connection; its goroutine does the rest.
func (c *clientConn) drop() {
	c.mu.Lock()
	c.state = connDead
	c.mu.Unlock()
	c.conn.Close()
}

// rest arms the idle timeout; false when the connection is over. A deadline
// that comes earlier stays: when it passes, again finds out what it means.
func (c *clientConn) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connDead {
		return false
	}
	c.state = connFree
	c.idleSince = time.Now()
	c.armBefore(c.idleSince.Add(c.host.client.cfg.IdleTimeout))
	return true
}

// armBefore sets the read deadline unless an earlier one is in force; c.mu is held.
func (c *clientConn) armBefore(t time.Time) {
	if c.armed.IsZero() || c.armed.After(t) {
		c.rearm(t)
	}
}

// arm sets the read deadline unless it is in force; c.mu is held.
func (c *clientConn) arm(t time.Time) {
	if !c.armed.Equal(t) {
		c.rearm(t)
	}
}

func (c *clientConn) rearm(t time.Time) {
	c.armed = t
	_ = c.conn.SetReadDeadline(t)
}

// readConn is one read. A deadline left over from an earlier request is
// replaced by the one that holds now.
func (c *clientConn) readConn(p []byte) (int, error) {
	for {
		n, err := c.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !c.again() {
			return n, err
		}
	}
}

// await waits until there is a request, or something arrives that nobody asked
// for; then the connection is dead.
func (c *clientConn) await() error {
	if c.raw == nil {
		return nil
	}
	for {
		err := c.raw.Read(c.ready)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.again() {
			return err
		}
	}
}

// isReady is called when the socket may have become readable; false waits on.
func (c *clientConn) isReady(fd uintptr) bool {
	c.mu.Lock()
	c.asked = c.current
	c.mu.Unlock()
	if c.asked != nil {
		return true
	}
	if peek(fd) == nothing {
		return false
	}
	c.asked = c.requested()
	return true
}

// requested gives the request that what has arrived belongs to. Without one
// the connection is dead from now on.
func (c *clientConn) requested() *Pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		c.state = connDead
	}
	return c.current
}

// again decides what a passed deadline means: true to go on reading.
func (c *clientConn) again() bool {
	c.mu.Lock()
	now := time.Now()
	if p := c.current; p != nil {
		defer c.mu.Unlock()
		until := p.request.Deadline
		if c.writeErr != nil || !until.IsZero() && !now.Before(until) {
			return false
		}
		c.rearm(until)
		return true
	}
	until, answered := c.idleSince.Add(c.host.client.cfg.IdleTimeout), c.state == connAnswered
	if !answered && now.Before(until) {
		c.rearm(until)
		c.mu.Unlock()
		return true
	}
	c.mu.Unlock()
	if answered || c.host.dropIdle(c) {
		return false
	}
	c.mu.Lock() // a request has the connection in hand and is about to begin
	if c.current == nil {
		c.rearm(now.Add(writeErrorWait))
	}
	c.mu.Unlock()
	return true
}

// run reads responses until the connection ends.
func (c *clientConn) run() {
	defer c.host.client.running.Done()
	for {
		again, err := c.one()
		if !again {
			c.end(err)
			return
		}
	}
}

// one reads one response and delivers it; false ends the connection, with the
// error that its request shall see.
func (c *clientConn) one() (again bool, err error) {
	c.rewind()
	c.received = false
	if err := c.await(); err != nil {
		return false, err
	}
	if err := c.fill(); err != nil {
		return false, err
	}
	c.received = true
	p := c.asked
	if c.raw == nil {
		p = c.requested()
	}
	if p == nil {
		return false, malformed(400, "response", "%s came without a request", sample(c.in.b[:c.in.w]))
	}
	keep, err := c.readResponse(p)
	if err != nil {
		return false, err
	}
	keep, ours := c.answered(p, keep && c.in.r == c.in.w)
	if !ours {
		return false, nil // cancelled meanwhile
	}
	if !keep {
		c.drop()
	}
	p.keep = keep
	if p.publish(c.response, nil) {
		// A goroutine that still is in its write delivers: the memory is its now.
		c.response, c.in, c.lent = &Response{}, buffers.Get().(*buffer), nil
		return keep, nil
	}
	if c.lent != nil {
		c.lent.free()
		c.lent = nil
	}
	if keep {
		c.host.release(c)
	}
	return keep, nil
}

// answered parts the request from the connection when its response is complete
// and claims its outcome; false when somebody else has. It says whether the
// connection can be kept.
func (c *clientConn) answered(p *Pending, keep bool) (kept, ours bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.part(p) || !p.claim() {
		return false, false
	}
	keep = keep && c.state == connFree && c.writeErr == nil
	if keep && p.writing() {
		c.state = connAnswered
		c.armBefore(time.Now().Add(writeErrorWait))
	}
	return keep, true
}

// end closes the connection and gives its request, if any, an outcome.
func (c *clientConn) end(err error) {
	h := c.host
	h.users.Add(1)
	defer h.users.Add(-1)
	c.drop()
	c.mu.Lock()
	p, writeErr := c.current, c.writeErr
	c.current = nil
	c.mu.Unlock()
	h.discard(c)
	if p == nil {
		if err != nil && err != io.EOF && !errors.Is(err, net.ErrClosed) {
			h.client.log.Debug("idle connection dropped", "address", h.key.address, "error", err)
		}
		return
	}
	if p.connEnded(c.outcome(err, writeErr)) {
		h.replace(p, c)
	}
}

// outcome is what a request sees whose connection ended after some of it was sent.
func (c *clientConn) outcome(err, writeErr error) error {
	var bad *ProtocolError
	var limit *LimitError
	switch {
	case errors.As(err, &bad), errors.As(err, &limit):
		return err
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case writeErr != nil:
		err = writeErr
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case err == io.EOF && c.received:
		err = io.ErrUnexpectedEOF
	}
	return &LostError{Address: c.host.key.address, Sent: true, Received: c.received, Err: err}
}

// readResponse reads the response to p into c.response; keep tells whether the
// connection can serve another request.
func (c *clientConn) readResponse(p *Pending) (keep bool, err error) {
	cfg := &c.host.client.cfg
	r := c.response
	for interim := 0; ; interim++ {
		head, err := c.head(cfg.MaxHeadBytes)
		if err != nil {
			return false, err
		}
		line, rest := nextLine(head)
		status, minor, reason, bad := statusLine(line)
		if bad != nil {
			return false, bad
		}
		f := fields{headers: c.in.headers[:0]}
		if bad := f.parse(rest, cfg.MaxHeaders); bad != nil {
			return false, bad
		}
		if bad := f.conflict(minor); bad != nil {
			return false, bad
		}
		if status >= 100 && status < 200 {
			if status == 101 || interim == maxInterimResponses {
				return false, malformed(400, "status line", "%s where a final response should be", sample(line))
			}
			continue
		}
		c.in.headers = f.headers
		r.Status, r.Reason, r.Headers, r.Body, r.own = status, reason, f.headers, nil, nil
		toEnd, err := c.readBody(p, &f, status)
		return !toEnd && !f.close && (minor == 1 || f.keepAlive), err
	}
}

// readBody reads the body that f announces; toEnd tells that the connection's
// end was its end.
func (c *clientConn) readBody(p *Pending, f *fields, status int) (toEnd bool, err error) {
	limit, r := c.host.client.cfg.MaxBodyBytes, c.response
	switch {
	case p.request.NoBody || status == 204 || status == 304:
		return false, nil
	case f.length > int64(limit):
		return false, &LimitError{Name: "MaxBodyBytes", Limit: limit, What: "response body"}
	case f.length >= 0 && c.inPlace(f.length):
		r.Body, err = c.bodyInPlace(int(f.length))
		return false, err
	}
	own := c.detach() // keeps the head's views alive
	c.lent, r.own = own, own
	switch {
	case f.chunked:
		r.Body, err = c.bodyChunked(own.body, limit)
	case f.length >= 0:
		r.Body, err = c.bodyFixed(own.body, int(f.length))
	default:
		r.Body, err = c.bodyToEnd(own.body, limit)
		toEnd = true
	}
	own.body = r.Body
	return toEnd, err
}
