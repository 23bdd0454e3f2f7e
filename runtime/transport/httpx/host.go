package httpx

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// host is the pool of one address. What a request goes through:
//
//	request        becomes               when
//	-------        -------               ----
//	new            in hand               Start: place looks for a connection
//	in hand        on a connection       there is an idle one and it lives (else the next idle one is looked at)
//	in hand        queued                none is idle; a dial begins unless enough are under way or MaxConnsPerHost is reached
//	queued         on a connection       a connection was dialled or has answered; it is looked at first
//	queued         over                  its deadline passed, or a dial that began after it was queued failed
//	on a conn.     over                  the response is complete; or the connection ended after bytes were sent: LostError
//	on a conn.     in hand               the connection ended and the write had failed before a byte was out
//	any            over                  Cancel, Close
//
// A request is on one connection after another, never on two, and once a byte
// of it is out it stays where it is: a call is made at most once.
//
// What a connection goes through; its state is in clientConn.state, the columns
// beside it say who else knows it:
//
//	connection     state         in conns/idle   becomes
//	----------     -----         -------------   -------
//	being dialled  -             dialing         free; or none: the failure goes to the queue
//	free, idle     connFree      conns, idle     free, in hand (place); dead (peer closed, idle timeout)
//	free, in hand  connFree      conns           busy (begin); idle (queue is empty); dead (it was found closed)
//	busy           connBusy      conns           free, in hand (response); answered; dead (its end, deadline, Cancel)
//	answered       connAnswered  conns           free, in hand when the rest of its request is out; dead (that takes too long)
//	dead           connDead      conns           gone, by its reading goroutine, which is told by the close
//
// Three rules keep requests from waiting for nothing. Under mu the queue is
// empty or no connection is idle. Whenever the queue, a dial or the number of
// connections changes, dialMore sees to it that as many dials are under way as
// requests wait, or that MaxConnsPerHost is reached. And every connection that
// is in somebody's hand comes back: through serveNext, or dead, through discard.
type host struct {
	client *Client
	key    hostKey
	users  atomic.Int32 // goroutines that may place a request

	mu          sync.Mutex // guards the fields below; taken before clientConn.mu
	conns       map[*clientConn]struct{}
	idle        []*clientConn // last used last
	dialing     int
	turn        uint64   // number of the latest placement; a dial carries the one of its beginning
	first, last *Pending // queue of requests without a connection
	queued      int
	queuedBytes int
	closed      bool
}

// maxHangUps is how many connections that were dialled for a request, or for
// one before it, may end before it is written. A peer that hangs up on
// everybody must not be dialled for ever.
const maxHangUps = 3

// errBorrowed: a request that shall be queued has a body that is borrowed only
// until Start returns. The copy is made outside the lock.
var errBorrowed = errors.New("body is borrowed")

var errHungUp = errors.New("the peer closed it before the request was written")

// unused reports whether the pool holds nothing.
func (h *host) unused() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.users.Load() == 0 && len(h.conns) == 0 && h.dialing == 0 && h.queued == 0
}

// place writes the request to an idle connection or queues it. An idle
// connection that the peer has closed meanwhile is not an attempt.
func (h *host) place(p *Pending) {
	for {
		c, err := h.assign(p)
		if err == errBorrowed {
			p.own()
			continue
		}
		if err != nil {
			p.finish(nil, err)
		}
		if c == nil {
			return
		}
		if c.look() != nothing {
			c.drop()
			continue
		}
		switch c.begin(p) {
		case begun:
			if !c.send(p) {
				return
			}
		case requestOver:
			h.serveNext(c)
			return
		case connOver:
		}
	}
}

// assign gives an idle connection to write to, or queues the request and
// dials, or says why it cannot; neither when the request is over.
func (h *host) assign(p *Pending) (*clientConn, error) {
	cfg := &h.client.cfg
	size := len(p.request.Head) + len(p.request.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	p.turn = h.turn
	switch {
	case h.closed:
		return nil, ErrClosed
	case p.over():
		return nil, nil
	case len(h.idle) > 0:
		return h.takeIdle(), nil
	case p.request.BodyUntilStart:
		return nil, errBorrowed
	case h.queued >= cfg.MaxQueued:
		return nil, &LimitError{Name: "MaxQueued", Limit: cfg.MaxQueued, What: "requests waiting for a connection to " + h.key.address}
	case h.queued > 0 && h.queuedBytes+size > cfg.MaxQueuedBytes:
		return nil, &LimitError{Name: "MaxQueuedBytes", Limit: cfg.MaxQueuedBytes, What: "bytes waiting for a connection to " + h.key.address}
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
	h.dialMore()
	return nil, nil
}

// takeIdle takes the connection used last; h.mu is held.
func (h *host) takeIdle() *clientConn {
	n := len(h.idle)
	c := h.idle[n-1]
	h.idle[n-1] = nil
	h.idle = h.idle[:n-1]
	return c
}

// dialMore starts as many dials as the queue needs and the limit allows; h.mu
// is held.
func (h *host) dialMore() {
	for !h.closed && h.dialing < h.queued && len(h.conns)+h.dialing < h.client.cfg.MaxConnsPerHost {
		h.dialing++
		h.client.running.Add(1)
		turn := h.turn
		guard.Go("httpx dial", func() { h.dial(turn) })
	}
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

// dial opens one connection and gives it to the queue. turn tells which
// requests were there when it began.
func (h *host) dial(turn uint64) {
	defer h.client.running.Done()
	conn, err := h.client.dial(h.key)
	var c *clientConn
	if err == nil {
		c = newClientConn(h, conn, turn)
		if c.look() == theEnd {
			err = errHungUp
		}
	}
	h.mu.Lock()
	h.dialing--
	if err == nil && h.closed {
		err = ErrClosed
	}
	if err != nil {
		p, err := h.blame(turn, err)
		h.dialMore()
		h.mu.Unlock()
		if c != nil {
			c.abandon()
		}
		if p != nil {
			p.finish(nil, err)
		}
		return
	}
	h.conns[c] = struct{}{}
	h.client.running.Add(1)
	p := h.nextFor(c)
	h.users.Add(1)
	h.mu.Unlock()
	var b beginning
	if p != nil { // before anybody reads: an overloaded peer may answer before it is asked
		b = c.begin(p)
	}
	guard.Go("httpx client reader", c.run)
	if p != nil && !h.carry(c, p, b) {
		h.serveNext(c)
	}
	h.users.Add(-1)
}

// blame takes the request out of the queue whose outcome a failed dial is: the
// one that has waited longest, if it waited already when the dial began. A
// connection that was made and ended at once counts only after a few of them.
// h.mu is held.
func (h *host) blame(turn uint64, err error) (*Pending, error) {
	p := h.first
	if p == nil || p.turn > turn {
		return nil, nil
	}
	if err == errHungUp {
		if p.hangUps++; p.hangUps < maxHangUps {
			return nil, nil
		}
		err = h.hungUp()
	}
	return h.next(), err
}

func (h *host) hungUp() error { return &LostError{Address: h.key.address, Err: errHungUp} }

// nextFor takes the first request out of the queue for a connection in hand;
// when there is none, the connection becomes idle. h.mu is held.
func (h *host) nextFor(c *clientConn) *Pending {
	p := h.next()
	if p == nil && !h.closed && c.rest() {
		h.idle = append(h.idle, c)
	}
	return p
}

// carry writes a request from the queue to the connection that has begun it;
// false: the connection is in hand still, the request was over.
func (h *host) carry(c *clientConn, p *Pending, b beginning) bool {
	switch b {
	case requestOver:
		return false
	case connOver:
		h.replace(p, c)
	case begun:
		if c.send(p) {
			h.replace(p, c)
		}
	}
	return true
}

// serveNext gives a connection in hand to the first queued request and writes
// it, or makes the connection idle.
func (h *host) serveNext(c *clientConn) {
	for {
		if c.look() != nothing {
			c.drop()
			return
		}
		h.mu.Lock()
		p := h.nextFor(c)
		h.mu.Unlock()
		if p == nil || h.carry(c, p, c.begin(p)) {
			return
		}
	}
}

// replace places a request anew after c ended before a byte of it was out.
func (h *host) replace(p *Pending, c *clientConn) {
	if p.turn <= c.turn {
		if p.hangUps++; p.hangUps >= maxHangUps {
			p.finish(nil, h.hungUp())
			return
		}
	}
	h.place(p)
}

// release is serveNext for the goroutine that reads the connection, or that has
// written another request: a waiting one is written by a goroutine of its own.
func (h *host) release(c *clientConn) {
	h.mu.Lock()
	waiting := h.first != nil
	if !waiting && !h.closed && c.rest() {
		h.idle = append(h.idle, c)
	}
	h.mu.Unlock()
	if waiting {
		h.goWrite(func() { h.serveNext(c) })
	}
}

// goWrite runs a write that may have to wait for the peer; false when the pool
// is closed, and with it all its connections.
func (h *host) goWrite(write func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.client.running.Add(1)
	h.users.Add(1)
	guard.Go("httpx writer", func() {
		defer h.client.running.Done()
		defer h.users.Add(-1)
		write()
	})
	return true
}

// discard forgets a connection that has ended, and replaces it when requests
// wait that nobody would serve otherwise.
func (h *host) discard(c *clientConn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.removeIdle(c)
	h.dialMore()
	h.mu.Unlock()
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
