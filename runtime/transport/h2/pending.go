package h2

import (
	"sync/atomic"
	"time"
)

// Pending is a started request. For one started by Open it is also the stream:
// Send, SendLast, CloseSend, OnWritable and Consumed may be used at once, what
// is sent before there is a connection waits in the send buffer.
type Pending struct {
	Stream
	request  Request
	done     func(*Response, error)
	receiver ResponseReceiver // instead of done
	response Response
	host     *host
	canceled atomic.Bool
	attempts int // by whoever holds it

	// Guarded by host.mu.
	waits      bool
	prev, next *Pending
	timer      *time.Timer // while it waits
}

// A pending request belongs to one place at a time, which alone may end it: the
// host's queue, the goroutine that carries it from the queue to a connection,
// or the connection. Cancel ends it where it is, or leaves word for the carrier.

// Cancel ends the request with ErrCanceled unless it is over; the peer is told.
// done may run before Cancel returns.
func (p *Pending) Cancel() {
	p.canceled.Store(true)
	if p.host == nil {
		return
	}
	if p.host.unqueue(p) {
		p.fail(ErrCanceled)
		return
	}
	if c := p.conn.Load(); c != nil {
		c.mu.Lock()
		if c.streams[p.id] == &p.Stream {
			c.reset(&p.Stream, CodeCancel, ErrCanceled)
		}
		c.giveBackHeld(&p.Stream)
		c.unlockFlush()
	}
}

func (p *Pending) unary() bool { return p.receiver == nil }

// fail ends a request that no connection has.
func (p *Pending) fail(err error) {
	p.early.Lock()
	p.state = stateClosed
	release := p.dropSend()
	p.early.Unlock()
	if release != nil {
		release()
	}
	p.finish(err)
}

// finish tells the user the outcome. It is called once.
func (p *Pending) finish(err error) {
	switch {
	case !p.unary():
		protect("h2 receiver", func() { p.receiver.End(p.trailers, err) })
	case err != nil:
		protect("h2 done callback", func() { p.done(nil, err) })
	default:
		p.response.Body, p.response.Trailers = p.whole, p.trailers
		protect("h2 done callback", func() { p.done(&p.response, nil) })
		if !p.response.taken {
			putBody(p.whole)
		}
		p.whole = nil
	}
}

func (p *Pending) head(status int, fields []Field) {
	if p.unary() {
		p.response.Status, p.response.Headers = status, fields
		return
	}
	p.receiver.Head(status, fields)
}

func (p *Pending) killed(error) {}

func (p *Pending) received(err error) {
	if err != nil && p.mayRetry(err) {
		p.host.retry(p, err)
		return
	}
	p.finish(err)
}

// mayRetry reports whether the request can be sent again without anybody
// noticing.
func (p *Pending) mayRetry(err error) bool {
	lost, ok := err.(*LostError)
	if !ok || !lost.Unprocessed || !p.unary() || p.canceled.Load() || p.attempts >= maxAttempts {
		return false
	}
	return p.request.Deadline.IsZero() || time.Now().Before(p.request.Deadline)
}

// rearm makes the stream of a turned-away request fresh again. The connection
// it was on has forgotten it.
func (p *Pending) rearm() {
	s := &p.Stream
	s.early.Lock()
	defer s.early.Unlock()
	s.conn.Store(nil)
	s.id, s.state, s.queued, s.next = 0, stateOpen, false, nil
	s.headGot, s.expect, s.interim = false, 0, 0
	s.recvCredit, s.busy, s.recvOver, s.delivered, s.recvErr = 0, false, false, false, nil
	s.trailers, s.markAt = nil, time.Time{}
}

// attach puts the request on a connection as its next stream. conn.mu is held.
func (p *Pending) attach(c *conn) bool {
	s := &p.Stream
	s.early.Lock()
	defer s.early.Unlock()
	s.conn.Store(c)
	if p.canceled.Load() {
		s.conn.Store(nil)
		return false
	}
	s.id = c.nextID
	c.nextID += 2
	s.sendWindow, s.recvWindow = c.peerWindow, int64(c.lim.StreamWindow)
	s.deadline = p.request.Deadline
	s.maxBody = p.request.MaxBody
	s.expect = anyLength
	if p.request.NoBody {
		s.expect = noBody
	}
	s.mode = modeReceive
	if p.unary() {
		s.mode = modeCollect
	} else {
		s.receiver = p.receiver
	}
	c.streams[s.id] = s
	return true
}
