package httpx

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// writeErrorWait is how long a connection whose write failed may still deliver
// the answer that explains it, such as a 413 before the body was taken.
const writeErrorWait = time.Second

// clientConn is one pooled connection. Its goroutine is in a read all the time,
// so a response needs no other goroutine and an idle connection that the server
// closes leaves the pool at once.
type clientConn struct {
	stream
	host *host
	used atomic.Bool // has answered a request or lain idle: it may be dead when next used

	mu        sync.Mutex // guards the fields below
	current   *Pending
	dead      bool
	armed     time.Time // read deadline in force; zero: none
	writeErr  error
	idleSince time.Time

	// Used by the reading goroutine only.
	response *Response // reused
	lent     *buffer   // holds a response that did not fit into the connection's buffer
	received bool      // some of the response has arrived
}

func newClientConn(h *host, conn net.Conn) *clientConn {
	c := &clientConn{host: h, response: &Response{}}
	c.stream = stream{conn: conn, in: buffers.Get().(*buffer), read: c.readConn}
	return c
}

// begin makes p the request of this connection; false when the connection or
// the request is over.
func (c *clientConn) begin(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false
	}
	c.current = p
	p.conn.Store(c)
	c.arm(p.request.Deadline)
	return true
}

// send writes the request on the caller's goroutine. A failed write is not the
// outcome: the reading goroutine sees what came of it.
func (c *clientConn) send(p *Pending) {
	if !p.beginWrite() {
		c.release(p)
		return
	}
	err := writeBoth(c.conn, p.request.Head, p.request.Body)
	if err != nil {
		c.mu.Lock()
		if c.current == p {
			c.writeErr = err
			if until := time.Now().Add(writeErrorWait); c.armed.IsZero() || c.armed.After(until) {
				c.arm(until)
			}
		}
		c.mu.Unlock()
	}
	p.endWrite()
}

// release gives back a connection whose request ended before it was written.
func (c *clientConn) release(p *Pending) {
	if c.take(p) {
		c.host.serveNext(c)
	}
}

// take ends the connection between p and c; only one caller gets true.
func (c *clientConn) take(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != p || p == nil {
		return false
	}
	c.current = nil
	return true
}

// drop closes the connection; its goroutine does the rest.
func (c *clientConn) drop() {
	c.mu.Lock()
	c.dead = true
	c.mu.Unlock()
	c.conn.Close()
}

// rest arms the idle timeout; false when the connection is over. A deadline
// that comes earlier stays: when it passes, readConn finds out what it means.
func (c *clientConn) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return false
	}
	c.used.Store(true)
	c.idleSince = time.Now()
	if until := c.idleSince.Add(c.host.client.cfg.IdleTimeout); c.armed.IsZero() || c.armed.After(until) {
		c.arm(until)
	}
	return true
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
	until := c.idleSince.Add(c.host.client.cfg.IdleTimeout)
	if now.Before(until) {
		c.rearm(until)
		c.mu.Unlock()
		return true
	}
	c.mu.Unlock()
	if c.host.dropIdle(c) {
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
	if err := c.fill(); err != nil {
		return false, err
	}
	c.received = true
	c.mu.Lock()
	p := c.current
	c.mu.Unlock()
	if p == nil {
		return false, malformed(400, "response", "%s came without a request", sample(c.in.b[:c.in.w]))
	}
	keep, err := c.readResponse(p)
	if err != nil {
		return false, err
	}
	if !c.take(p) {
		return false, nil // cancelled meanwhile
	}
	keep = keep && c.in.r == c.in.w
	if !keep {
		c.drop()
	}
	if p.finish(c.response, nil) {
		// A goroutine that still is in its write delivers: the memory is its now.
		c.response, c.in = &Response{}, buffers.Get().(*buffer)
	} else if c.lent != nil {
		c.lent.free()
	}
	c.lent = nil
	if keep {
		c.host.release(c)
	}
	return keep, nil
}

// end closes the connection and gives its request, if any, an outcome.
func (c *clientConn) end(err error) {
	c.drop()
	c.mu.Lock()
	p, writeErr := c.current, c.writeErr
	c.current = nil
	c.mu.Unlock()
	c.host.discard(c)
	if p == nil {
		if err != nil && err != io.EOF && !errors.Is(err, net.ErrClosed) {
			c.host.client.log.Debug("idle connection dropped", "address", c.host.key.address, "error", err)
		}
		return
	}
	if c.mayRetry(p, err) {
		c.host.retry(p)
		return
	}
	p.finish(nil, c.outcome(err, writeErr))
}

// mayRetry reports whether the connection was dead before the request came: it
// had been used, and nothing of a response arrived.
func (c *clientConn) mayRetry(p *Pending, err error) bool {
	if c.received || !c.used.Load() || p.request.OnlyOnce || p.over() || p.retried.Load() {
		return false
	}
	return err == io.EOF || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (c *clientConn) outcome(err, writeErr error) error {
	var bad *ProtocolError
	var limit *LimitError
	switch {
	case errors.As(err, &bad), errors.As(err, &limit):
		return err
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case writeErr != nil:
		return &LostError{Address: c.host.key.address, Err: writeErr}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case err == io.EOF && c.received:
		err = io.ErrUnexpectedEOF
	}
	return &LostError{Address: c.host.key.address, Received: c.received, Err: err}
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
		r.Status, r.Reason, r.Headers, r.Body = status, reason, f.headers, nil
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
	c.lent = own
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
