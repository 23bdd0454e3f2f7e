package httpx

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
)

// What the next read waits for; it decides the deadline.
type waitFor uint8

const (
	forRequest waitFor = iota // the first byte of a request
	forHead
	forBody
	forAnswer // a handler's answer; reading only notices the peer's leaving
)

// serverConn serves one connection. Its goroutine reads; the answer is written
// by whoever calls Respond, while the goroutine stays in its next read. So an
// answer from elsewhere wakes nobody up, and the peer's leaving is noticed.
type serverConn struct {
	stream
	srv     *Server
	raw     syscall.RawConn // nil: not a socket
	peer    string
	current atomic.Pointer[Exchange]
	hungUp  atomic.Bool   // no further request is read
	waiting atomic.Bool   // the goroutine waits for wake, not in a read
	wake    chan struct{} // capacity 1

	// Used by the reading goroutine only.
	next     waitFor
	since    time.Time // when the wait for head or body began
	received int       // bytes of the body so far
	armed    time.Time // the read deadline in force

	writeArmed time.Time // used by whoever writes; there is one writer at a time
}

func newServerConn(s *Server, conn net.Conn) *serverConn {
	c := &serverConn{srv: s, raw: rawOf(conn), wake: make(chan struct{}, 1)}
	if a := conn.RemoteAddr(); a != nil {
		c.peer = a.String()
	}
	c.stream = stream{conn: conn, in: buffers.Get().(*buffer), read: c.readConn}
	return c
}

func (c *serverConn) serve() {
	for {
		x, err := c.readRequest()
		if err != nil {
			c.reject(err)
			return
		}
		if x == nil {
			return
		}
		c.current.Store(x)
		if c.srv.closed.Load() {
			x.lose()
			return
		}
		c.handle(x)
		if !c.await(x) {
			return
		}
	}
}

// handle calls the handler; a panic becomes a 500 unless there is an answer.
func (c *serverConn) handle(x *Exchange) {
	defer func() {
		if v := recover(); v != nil {
			guard.Caught("httpx handler", v)
			_ = x.RespondClose(plain(500, "handler panicked"))
		}
	}()
	c.srv.cfg.Handler(x)
}

// readRequest reads one request. Both results are nil when the connection
// ended between requests.
func (c *serverConn) readRequest() (*Exchange, error) {
	c.next = forRequest
	if err := c.firstByte(); err != nil {
		return nil, nil
	}
	c.next, c.since = forHead, time.Time{}
	head, err := c.head(c.srv.cfg.MaxHeadBytes)
	if err != nil {
		return nil, err
	}
	x := &Exchange{conn: c}
	x.request.buf = c.in
	var f fields
	if err := x.parse(head, &f, c.srv.cfg.MaxHeaders); err != nil {
		return nil, err
	}
	if f.chunked || f.length > 0 {
		if err := c.readBody(x, &f); err != nil {
			return nil, err
		}
	}
	if x.request.buf != c.in {
		x.state.Store(exDetached)
	}
	return x, nil
}

// firstByte waits for a request to begin. One empty line before it is ignored,
// as old clients send one behind a body.
func (c *serverConn) firstByte() error {
	if c.in.r == c.in.w {
		c.rewind()
		if err := c.fillFirst(); err != nil {
			return err
		}
	}
	for skipped := false; ; {
		in := c.in
		switch waiting := in.b[in.r:in.w]; {
		case len(waiting) > 1 && !skipped && waiting[0] == '\r' && waiting[1] == '\n':
			in.r += 2
			skipped = true
		case len(waiting) > 1 || len(waiting) == 1 && waiting[0] != '\r':
			return nil
		default:
			if in.w == len(in.b) {
				in.grow()
			}
			if err := c.fill(); err != nil {
				return err
			}
		}
	}
}

// fillFirst waits between requests. A request that has arrived when the idle
// time is over, or when Drain ends it, is read and answered: its peer could not
// know that the connection would close.
func (c *serverConn) fillFirst() error {
	err := c.fill()
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.hungUp.Load() || !c.arrived() {
		return err
	}
	c.next, c.since = forHead, time.Time{}
	return c.fill()
}

// arrived reports whether the socket holds bytes.
func (c *serverConn) arrived() (yes bool) {
	return c.raw != nil && c.raw.Control(func(fd uintptr) { yes = peek(fd) == someData }) == nil && yes
}

func (x *Exchange) parse(head []byte, f *fields, maxHeaders int) error {
	line, rest := nextLine(head)
	method, target, minor, bad := requestLine(line)
	if bad != nil {
		return bad
	}
	f.headers = x.request.buf.headers[:0]
	if bad := f.parse(rest, maxHeaders); bad != nil {
		return bad
	}
	if bad := f.conflict(minor); bad != nil {
		return bad
	}
	if len(f.expect) > 0 && !equalFold(f.expect, "100-continue") {
		return malformed(417, "Expect", "%s is not \"100-continue\"", sample(f.expect))
	}
	x.request.buf.headers = f.headers
	x.request.method, x.request.target, x.request.headers = method, target, f.headers
	x.minor, x.last, x.isHead = minor, f.close || minor == 0, string(method) == "HEAD"
	return nil
}

// readBody reads a body behind the head when it fits there, else into memory
// of its own that goes with the request.
func (c *serverConn) readBody(x *Exchange, f *fields) (err error) {
	limit := c.srv.cfg.MaxBodyBytes
	if f.length > int64(limit) {
		return &LimitError{Name: "MaxBodyBytes", Limit: limit, What: "Content-Length " + strconv.FormatInt(f.length, 10)}
	}
	c.next, c.since, c.received = forBody, time.Time{}, 0
	if len(f.expect) > 0 && x.minor == 1 && c.in.r == c.in.w {
		if err := c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), nil); err != nil {
			return err
		}
	}
	if !f.chunked && c.inPlace(f.length) {
		x.request.body, err = c.bodyInPlace(int(f.length))
		return err
	}
	own := c.detach()
	x.request.own = own
	if f.chunked {
		own.body, err = c.bodyChunked(own.body, limit)
	} else {
		own.body, err = c.bodyFixed(own.body, int(f.length))
	}
	x.request.body = own.body
	return err
}

// await returns when the exchange is over; false ends the connection.
func (c *serverConn) await(x *Exchange) bool {
	if x.state.Load()&exDone == 0 {
		if x.request.buf == c.in {
			own := c.detach()
			if x.state.Or(exDetached)&exDone != 0 && !x.gone.Load() {
				own.free()
			}
		}
		if !c.watch(x) {
			return false
		}
	}
	if c.hungUp.Load() {
		c.linger()
		return false
	}
	return true
}

// watch reads ahead while the answer is pending, to see the peer leave. Once
// the peer has sent part of its next request there is nothing to be seen, and
// only the answer is waited for.
func (c *serverConn) watch(x *Exchange) bool {
	c.next = forAnswer
	for x.state.Load()&exDone == 0 {
		if c.in.r < c.in.w {
			c.waitDone(x, nil)
			continue
		}
		c.in.r, c.in.w = 0, 0
		err := c.fill()
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) && !c.hungUp.Load() {
			continue
		}
		x.setGone()
		if err == io.EOF {
			grace := time.NewTimer(c.srv.cfg.GoneGrace)
			c.waitDone(x, grace.C)
			grace.Stop()
		}
		c.abandon()
		x.lose()
		return false
	}
	return true
}

func (c *serverConn) waitDone(x *Exchange, limit <-chan time.Time) {
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	for x.state.Load()&exDone == 0 {
		select {
		case <-c.wake:
		case <-limit:
			return
		}
	}
}

// readConn is one read under the deadline that fits what is waited for. Drain
// may have ended a wait that was not one for a request; then it goes on.
func (c *serverConn) readConn(p []byte) (int, error) {
	for {
		c.armRead()
		n, err := c.conn.Read(p)
		if c.next == forBody {
			c.received += n
		}
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		due := !time.Now().Before(c.armed)
		c.armed = time.Time{}
		if due || c.next == forRequest || c.next == forAnswer || c.hungUp.Load() {
			return n, err
		}
	}
}

func (c *serverConn) armRead() {
	cfg, now := &c.srv.cfg, time.Now()
	switch c.next {
	case forRequest, forAnswer:
		// Arming a timer per request costs more than a slightly early close.
		if left := c.armed.Sub(now); left > cfg.IdleTimeout || left < cfg.IdleTimeout-cfg.IdleTimeout/32 {
			c.arm(now.Add(cfg.IdleTimeout))
		}
		if c.next == forRequest && c.srv.draining.Load() {
			c.nudge()
		}
	default:
		if c.since.IsZero() {
			c.since = now
		}
		earned := time.Duration(c.received/cfg.MinBodyRate) * time.Second
		c.arm(c.since.Add(cfg.ReadHeaderTimeout + earned))
	}
}

// nudge ends the wait for the next request: the reading goroutine looks whether
// one has arrived and closes the connection if not.
func (c *serverConn) nudge() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) }

func (c *serverConn) arm(t time.Time) {
	c.armed = t
	_ = c.conn.SetReadDeadline(t)
	if c.hungUp.Load() { // hangUp may have set its short deadline just before
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
	}
}

var outgoing = sync.Pool{New: func() any {
	b := make([]byte, 0, coalesceBytes)
	return &b
}}

// write sends head and body with one system call, unless the socket is full.
func (c *serverConn) write(head, body []byte) error {
	c.armWrite(len(head) + len(body))
	_, err := writeBoth(c.conn, head, body)
	return err
}

// writeSome is write that does not wait for the peer: it tells how much is out.
func (c *serverConn) writeSome(head, body []byte) (int64, error) {
	c.armWrite(len(head) + len(body))
	if c.raw == nil || len(head)+len(body) <= coalesceBytes {
		return writeBoth(c.conn, head, body) // fits an empty socket buffer
	}
	return writeNow(c.raw, head, body)
}

func (c *serverConn) armWrite(size int) {
	cfg, now := &c.srv.cfg, time.Now()
	grace := cfg.WriteTimeout + time.Duration(size/cfg.MinBodyRate)*time.Second
	if left := c.writeArmed.Sub(now); left > grace || left < grace-grace/8 {
		c.writeArmed = now.Add(grace)
		_ = c.conn.SetWriteDeadline(c.writeArmed)
	}
}

// writeBoth copies small messages together and hands large ones to the kernel
// as they are; either way it is one system call while the socket has room. It
// tells how many bytes are out.
func writeBoth(conn net.Conn, head, body []byte) (int64, error) {
	if len(head)+len(body) > coalesceBytes && len(body) > 0 {
		parts := net.Buffers{head, body}
		return parts.WriteTo(conn)
	}
	if len(body) == 0 {
		n, err := conn.Write(head)
		return int64(n), err
	}
	b := outgoing.Get().(*[]byte)
	*b = append(append((*b)[:0], head...), body...)
	n, err := conn.Write(*b)
	outgoing.Put(b)
	return int64(n), err
}

// hangUp ends the sending half: the peer sees the end of the answer, and what
// it still sends does not turn into a reset that would destroy the answer.
func (c *serverConn) hangUp() {
	c.hungUp.Store(true)
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.conn.Close()
		return
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
}

// abandon closes the connection without ceremony.
func (c *serverConn) abandon() {
	c.hungUp.Store(true)
	c.conn.Close()
}

// linger reads and drops what the peer still sends, for a short time.
func (c *serverConn) linger() {
	until := time.Now().Add(lingerTime)
	for dropped := 0; dropped < lingerBytes && time.Now().Before(until); {
		_ = c.conn.SetReadDeadline(until) // again: Drain may have set another
		n, err := c.conn.Read(c.in.b)
		dropped += n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// reject answers a request that cannot be served, where there still is a peer,
// and ends the connection.
func (c *serverConn) reject(err error) {
	status, text := 0, err.Error()
	var bad *ProtocolError
	var limit *LimitError
	switch {
	case errors.As(err, &bad):
		status = bad.Status
	case errors.As(err, &limit):
		status = 413
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, text = 408, "request did not arrive in time"
	default:
		return
	}
	c.srv.log.Debug("request refused", "peer", c.peer, "status", status, "reason", text)
	if c.write(plain(status, text)) == nil {
		c.hangUp()
		c.linger()
	}
}

// reasons of the answers that the engine gives by itself.
var reasons = map[int]string{
	400: "Bad Request", 408: "Request Timeout", 413: "Content Too Large", 417: "Expectation Failed",
	431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
	503: "Service Unavailable", 505: "HTTP Version Not Supported",
}

// plain is a complete answer of the engine itself; the connection closes after it.
func plain(status int, text string) (head, body []byte) {
	body = append([]byte(text), '\n')
	head = append(head, "HTTP/1.1 "...)
	head = strconv.AppendInt(head, int64(status), 10)
	head = append(append(head, ' '), reasons[status]...)
	head = append(head, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "...)
	head = strconv.AppendInt(head, int64(len(body)), 10)
	return append(head, "\r\n\r\n"...), body
}
