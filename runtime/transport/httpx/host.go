package httpx

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// host is the pool of one address.
type host struct {
	client *Client
	key    hostKey
	users  atomic.Int32 // callers between enter and the end of Start

	mu          sync.Mutex // guards the fields below; taken before clientConn.mu
	conns       map[*clientConn]struct{}
	idle        []*clientConn // last used last
	dialing     int
	first, last *Pending // queue of requests without a connection
	queued      int
	queuedBytes int
	closed      bool
}

// unused reports whether the pool holds nothing.
func (h *host) unused() bool {
	if h.users.Load() != 0 {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns) == 0 && h.dialing == 0 && h.queued == 0
}

// start gives the request an idle connection and writes it there, or queues it
// and dials.
func (h *host) start(p *Pending) {
	for {
		c := h.popIdle()
		if c == nil {
			h.enqueue(p)
			return
		}
		if c.begin(p) {
			c.send(p)
			return
		}
	}
}

func (h *host) popIdle() *clientConn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.idle) == 0 {
		return nil
	}
	return h.takeIdle()
}

// takeIdle takes the connection used last; h.mu is held.
func (h *host) takeIdle() *clientConn {
	n := len(h.idle)
	c := h.idle[n-1]
	h.idle[n-1] = nil
	h.idle = h.idle[:n-1]
	return c
}

// enqueue appends the request to the queue and dials while there is room.
func (h *host) enqueue(p *Pending) {
	cfg := &h.client.cfg
	size := len(p.request.Head) + len(p.request.Body)
	h.mu.Lock()
	var err error
	switch {
	case h.closed:
		err = ErrClosed
	case p.over():
		h.mu.Unlock()
		return
	case h.queued >= cfg.MaxQueued:
		err = &LimitError{Name: "MaxQueued", Limit: cfg.MaxQueued, What: "requests waiting for a connection to " + h.key.address}
	case h.queued > 0 && h.queuedBytes+size > cfg.MaxQueuedBytes:
		err = &LimitError{Name: "MaxQueuedBytes", Limit: cfg.MaxQueuedBytes, What: "bytes waiting for a connection to " + h.key.address}
	}
	if err != nil {
		h.mu.Unlock()
		p.finish(nil, err)
		return
	}
	h.push(p)
	if !p.request.Deadline.IsZero() {
		h.client.running.Add(1) // until the timer has run or is stopped
		p.timer = time.AfterFunc(time.Until(p.request.Deadline), func() {
			defer h.client.running.Done()
			defer guard.Recover("httpx queue timer")
			h.forget(p)
			p.finish(nil, ErrTimeout)
		})
	}
	dial := h.planDial()
	var spare *clientConn
	if !dial && len(h.idle) > 0 {
		spare = h.takeIdle()
	}
	h.mu.Unlock()
	if dial {
		guard.Go("httpx dial", h.dial)
	}
	if spare != nil {
		h.serveNext(spare)
	}
}

// planDial counts one more dial when the queue needs it and there is room; the
// caller, who holds h.mu, starts it.
func (h *host) planDial() bool {
	if h.closed || h.dialing >= h.queued || len(h.conns)+h.dialing >= h.client.cfg.MaxConnsPerHost {
		return false
	}
	h.dialing++
	h.client.running.Add(1)
	return true
}

// push and remove keep the queue; h.mu is held.
func (h *host) push(p *Pending) {
	p.queued, p.prev, p.next = true, h.last, nil
	if h.last == nil {
		h.first = p
	} else {
		h.last.next = p
	}
	h.last = p
	h.queued++
	h.queuedBytes += len(p.request.Head) + len(p.request.Body)
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
	p.queued, p.prev, p.next = false, nil, nil
	h.queued--
	h.queuedBytes -= len(p.request.Head) + len(p.request.Body)
	if p.timer != nil {
		if p.timer.Stop() {
			h.client.running.Done()
		}
		p.timer = nil
	}
}

// forget takes a request out of the queue if it is there.
func (h *host) forget(p *Pending) {
	h.mu.Lock()
	if p.queued {
		h.remove(p)
	}
	h.mu.Unlock()
}

// next takes the first request out of the queue; h.mu is held.
func (h *host) next() *Pending {
	p := h.first
	if p != nil {
		h.remove(p)
	}
	return p
}

// dial opens one connection and gives it to the queue. A failure is the
// outcome of the request that has waited longest.
func (h *host) dial() {
	defer h.client.running.Done()
	conn, err := h.client.dial(h.key)
	h.mu.Lock()
	h.dialing--
	if err == nil && h.closed {
		conn.Close()
		err = ErrClosed
	}
	if err != nil {
		p := h.next()
		h.mu.Unlock()
		if p != nil {
			p.finish(nil, err)
		}
		return
	}
	c := newClientConn(h, conn)
	h.conns[c] = struct{}{}
	h.client.running.Add(1)
	h.mu.Unlock()
	guard.Go("httpx client reader", c.run)
	h.serveNext(c)
}

// serveNext gives a free connection to the first queued request and writes it,
// or makes the connection idle.
func (h *host) serveNext(c *clientConn) {
	for {
		h.mu.Lock()
		p := h.next()
		if p == nil {
			if !h.closed && c.rest() {
				h.idle = append(h.idle, c)
			}
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
		if c.begin(p) {
			c.send(p)
			return
		}
		if p.over() {
			continue
		}
		// The connection ended between its dial, or its last answer, and now. A
		// peer that hangs up on everybody must not be dialled for ever.
		if p.starts++; p.starts == maxStarts {
			p.finish(nil, &LostError{Address: h.key.address, Err: errUnused})
		} else {
			h.enqueue(p)
		}
		return
	}
}

// maxStarts is how often a request may be given a connection that turns out to
// be closed before anything is written.
const maxStarts = 3

var errUnused = errors.New("the peer closed it before the request was written")

// release is serveNext for the goroutine that reads the connection: it must go
// on reading, so a waiting request is written by another one.
func (h *host) release(c *clientConn) {
	c.used.Store(true)
	h.mu.Lock()
	waiting := h.first != nil
	if !waiting && !h.closed && c.rest() {
		h.idle = append(h.idle, c)
	}
	if waiting {
		h.client.running.Add(1)
	}
	h.mu.Unlock()
	if waiting {
		guard.Go("httpx queue writer", func() {
			defer h.client.running.Done()
			h.serveNext(c)
		})
	}
}

// discard forgets a connection that has ended, and replaces it when requests
// wait that nobody would serve otherwise.
func (h *host) discard(c *clientConn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.removeIdle(c)
	dial := h.planDial()
	h.mu.Unlock()
	if dial {
		guard.Go("httpx dial", h.dial)
	}
}

// dropIdle takes an idle connection out of the pool; false means a request got
// hold of it first.
func (h *host) dropIdle(c *clientConn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.removeIdle(c)
}

// removeIdle is dropIdle with h.mu held.
func (h *host) removeIdle(c *clientConn) bool {
	i := slices.Index(h.idle, c)
	if i < 0 {
		return false
	}
	h.idle = slices.Delete(h.idle, i, i+1)
	return true
}

// retry gives the request its second attempt: on a new connection, or on one
// that has just answered somebody else, never on one that lay idle.
func (h *host) retry(p *Pending) {
	p.conn.Store(nil)
	p.retried.Store(true)
	h.enqueue(p)
}

func (h *host) close() {
	h.mu.Lock()
	h.closed = true
	var waiting []*Pending
	for p := h.next(); p != nil; p = h.next() {
		waiting = append(waiting, p)
	}
	conns := make([]*clientConn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.idle = nil
	h.mu.Unlock()
	for _, p := range waiting {
		p.finish(nil, ErrClosed)
	}
	for _, c := range conns {
		c.drop()
	}
}
