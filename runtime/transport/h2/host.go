package h2

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// host is the pool of one address: connections that take streams, and requests
// that wait for one.
type host struct {
	client *Client
	key    hostKey
	users  atomic.Int32 // callers between enter and the end of start
	queued atomic.Int32 // changed under mu

	mu          sync.Mutex // guards the fields below; never held together with conn.mu
	open        []*conn    // that may take streams
	all         map[*conn]struct{}
	dialing     bool
	first, last *Pending
	queuedBytes int
	closed      bool
}

// What became of a request that was given to a connection.
type verdict uint8

const (
	begun verdict = iota
	full          // of streams
	unusable
	canceled
	refused // by its own fault, with the error
)

// maxStreamID is the last stream a client can open.
const maxStreamID = 1<<31 - 1

// begin sends the request's head, and its data as far as the windows admit.
func (c *conn) begin(p *Pending) (verdict, error) {
	c.mu.Lock()
	switch {
	case !c.usable():
		c.mu.Unlock()
		return unusable, nil
	case len(c.streams) >= min(c.peerStreams, c.lim.MaxStreams):
		c.mu.Unlock()
		return full, nil
	case c.peerHeaders > 0 && p.request.Head.size > c.peerHeaders:
		limit := c.peerHeaders
		c.mu.Unlock()
		return refused, &LimitError{Name: "the peer's MAX_HEADER_LIST_SIZE", Limit: limit, What: "request headers"}
	}
	if !p.attach(c) {
		c.mu.Unlock()
		return canceled, nil
	}
	p.attempts++
	c.armAlive()
	s := &p.Stream
	if p.unary() {
		s.prefix, s.buf, s.off, s.owned = p.request.Prefix, p.request.Body, 0, false
	}
	bare := s.ending && s.waiting() == 0 && s.trailer == nil
	c.headerBlock(s.id, p.request.Head.buf, bare)
	if bare {
		c.localEnd(s)
	} else {
		c.serve(s)
	}
	if !s.deadline.IsZero() {
		c.arm(s.deadline)
	}
	c.unlockFlush()
	return begun, nil
}

// start gives the request to a connection, or queues it and dials.
func (h *host) start(p *Pending) {
	if h.queued.Load() == 0 && h.place(p) {
		return
	}
	h.enqueue(p)
}

// place gives the request to the first connection that takes it; true means
// that it is no longer the caller's.
func (h *host) place(p *Pending) bool {
	h.mu.Lock()
	var few [4]*conn
	open := append(few[:0], h.open...)
	h.mu.Unlock()
	for _, c := range open {
		switch v, err := c.begin(p); v {
		case begun:
			return true
		case canceled:
			p.fail(ErrCanceled)
			return true
		case refused:
			p.fail(err)
			return true
		}
	}
	return false
}

// enqueue appends the request to the queue and dials while there is room.
func (h *host) enqueue(p *Pending) {
	cfg := &h.client.cfg
	size := p.bytes()
	h.mu.Lock()
	queued := int(h.queued.Load())
	var err error
	switch {
	case h.closed:
		err = ErrClosed
	case p.canceled.Load():
		err = ErrCanceled
	case queued >= cfg.MaxQueued:
		err = &LimitError{Name: "MaxQueued", Limit: cfg.MaxQueued, What: "requests waiting for a stream to " + h.key.address}
	case queued > 0 && h.queuedBytes+size > cfg.MaxQueuedBytes:
		err = &LimitError{Name: "MaxQueuedBytes", Limit: cfg.MaxQueuedBytes, What: "bytes waiting for a stream to " + h.key.address}
	default:
		h.push(p)
	}
	h.mu.Unlock()
	if err != nil {
		p.fail(err)
		return
	}
	h.serve()
}

func (p *Pending) bytes() int {
	return len(p.request.Head.buf) + len(p.request.Prefix) + len(p.request.Body)
}

// serve gives queued requests to connections while these take them, and dials
// when none does.
func (h *host) serve() {
	for h.queued.Load() > 0 {
		c := h.roomy()
		if c == nil {
			return
		}
		h.mu.Lock()
		p := h.first
		if p == nil {
			h.mu.Unlock()
			return
		}
		h.remove(p)
		h.mu.Unlock()
		switch v, err := c.begin(p); v {
		case begun:
		case canceled:
			p.fail(ErrCanceled)
		case refused:
			p.fail(err)
		default: // somebody else took the room
			h.putBack(p)
		}
	}
}

// roomy is a connection that takes a stream now. Without one, another is dialled
// if that is allowed.
func (h *host) roomy() *conn {
	h.mu.Lock()
	open := slices.Clone(h.open)
	h.mu.Unlock()
	for _, c := range open {
		c.mu.Lock()
		room := c.usable() && len(c.streams) < min(c.peerStreams, c.lim.MaxStreams)
		c.mu.Unlock()
		if room {
			return c
		}
	}
	h.mu.Lock()
	dial := h.first != nil && h.planDial()
	h.mu.Unlock()
	if dial {
		guard.Go("h2 dial", h.dial)
	}
	return nil
}

// usable reports whether the connection takes new streams at all; mu is held.
func (c *conn) usable() bool {
	return !c.done && c.quitErr == nil && !c.draining && c.nextID < maxStreamID
}

// planDial notes a dial when one is needed and allowed; mu is held.
func (h *host) planDial() bool {
	if h.closed || h.dialing || len(h.open) >= h.client.cfg.MaxConnsPerHost {
		return false
	}
	h.dialing = true
	h.client.running.Add(1)
	return true
}

// dial opens one connection. A failure is the outcome of every request that
// waits, unless other connections are there to serve them.
func (h *host) dial() {
	defer h.client.running.Done()
	nc, err := h.client.dial(h.key)
	h.mu.Lock()
	h.dialing = false
	if err == nil && h.closed {
		nc.Close()
		err = ErrClosed
	}
	if err != nil {
		var lost []*Pending
		for len(h.open) == 0 && h.first != nil {
			lost = append(lost, h.first)
			h.remove(h.first)
		}
		h.mu.Unlock()
		for _, p := range lost {
			p.fail(err)
		}
		h.client.changed()
		return
	}
	c := newConn(nc, h, false, &h.client.cfg.Limits)
	h.open = append(h.open, c)
	h.all[c] = struct{}{}
	h.client.running.Add(1)
	h.mu.Unlock()
	guard.Go("h2 client reader", func() {
		defer h.client.running.Done()
		c.run()
		h.mu.Lock()
		delete(h.all, c)
		h.mu.Unlock()
		h.client.changed()
	})
	h.serve()
}

func (h *host) opened(c *conn, id uint32, _ bool) error {
	c.mu.Lock()
	defer c.unlock()
	if c.isIdle(id) {
		return broken(CodeProtocol, "HEADERS on idle stream %d", id)
	}
	return nil // of a stream that we ended
}

// freed: requests that waited for a stream go on.
func (h *host) freed(*conn) {
	if h.queued.Load() > 0 {
		h.serve()
	}
}

// retired takes a connection out of the pool; what waits gets another one.
func (h *host) retired(c *conn) {
	h.mu.Lock()
	if i := slices.Index(h.open, c); i >= 0 {
		h.open = slices.Delete(h.open, i, i+1)
	}
	h.mu.Unlock()
	h.freed(c)
}

// retry sends a request again that its peer has turned away. The connection may
// be the same one: it said so for this stream only.
func (h *host) retry(p *Pending, err error) {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		p.finish(err)
		return
	}
	p.rearm()
	h.enqueue(p)
}

// push and remove keep the queue; mu is held. A request with a deadline has a
// timer while it waits.
func (h *host) push(p *Pending) {
	p.waits, p.prev, p.next = true, h.last, nil
	if h.last == nil {
		h.first = p
	} else {
		h.last.next = p
	}
	h.last = p
	h.entered(p)
}

func (h *host) entered(p *Pending) {
	h.queued.Add(1)
	h.queuedBytes += p.bytes()
	if p.request.Deadline.IsZero() {
		return
	}
	h.client.running.Add(1) // until the timer has run or is stopped
	p.timer = time.AfterFunc(time.Until(p.request.Deadline), func() {
		defer h.client.running.Done()
		if h.unqueue(p) {
			p.fail(ErrTimeout)
		}
	})
}

// putBack makes the request the first of the queue again.
func (h *host) putBack(p *Pending) {
	h.mu.Lock()
	err := error(nil)
	switch {
	case h.closed:
		err = ErrClosed
	case p.canceled.Load():
		err = ErrCanceled
	default:
		p.waits, p.prev, p.next = true, nil, h.first
		if h.first == nil {
			h.last = p
		} else {
			h.first.prev = p
		}
		h.first = p
		h.entered(p)
	}
	h.mu.Unlock()
	if err != nil {
		p.fail(err)
	}
}

func (h *host) remove(p *Pending) {
	if p.prev == nil {
		h.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		h.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.waits, p.prev, p.next = false, nil, nil
	h.queued.Add(-1)
	h.queuedBytes -= p.bytes()
	if p.timer != nil {
		if p.timer.Stop() {
			h.client.running.Done()
		}
		p.timer = nil
	}
}

// unqueue takes a request out of the queue; false means that it is not there.
func (h *host) unqueue(p *Pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !p.waits {
		return false
	}
	h.remove(p)
	return true
}

// unused reports whether the pool holds nothing.
func (h *host) unused() bool {
	if h.users.Load() != 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) == 0 && !h.dialing && h.first == nil
}

// drain tells every connection to end when its streams have; it reports
// whether anything is left.
func (h *host) drain() bool {
	h.mu.Lock()
	waits := h.first != nil || h.dialing
	left := len(h.all) > 0 || waits
	conns := make([]*conn, 0, len(h.all))
	for c := range h.all {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	if !waits {
		for _, c := range conns {
			c.drain()
		}
	}
	return left
}

func (h *host) close() {
	h.mu.Lock()
	h.closed = true
	var waiting []*Pending
	for h.first != nil {
		p := h.first
		h.remove(p)
		waiting = append(waiting, p)
	}
	conns := make([]*conn, 0, len(h.all))
	for c := range h.all {
		conns = append(conns, c)
	}
	h.mu.Unlock()
	for _, p := range waiting {
		p.fail(ErrClosed)
	}
	for _, c := range conns {
		c.abort(ErrClosed)
	}
}
