package httpx

import (
	"bytes"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// State of a pending request. The outcome is decided by whoever sets
// pendingClaimed, and delivered when it is known and nobody writes any more, so
// that done means the caller's buffers are free. Whether a request may be tried
// on another connection is known when its write has ended (the writer sees it)
// and its connection has (the reading goroutine sees it): whoever comes last,
// by the bits, decides. So a request has one writer at most.
const (
	pendingClaimed  uint32 = 1 << iota // somebody decides the outcome
	pendingFinished                    // response and err hold the outcome
	pendingWriting                     // a goroutine is inside a write of the bytes
	pendingUnsent                      // that write failed before a byte was out
	pendingEnded                       // its connection ended without a response
)

// Pending is a request.
type Pending struct {
	client   *Client
	request  Request
	done     func(*Response, error)
	state    atomic.Uint32
	host     atomic.Pointer[host]
	conn     atomic.Pointer[clientConn] // of the last attempt
	response *Response
	err      error
	keep     bool  // with pendingFinished: the writer shall release the connection
	loss     error // with pendingEnded: the outcome if bytes were sent

	// Used by whoever places the request; guarded by host.mu while it is queued.
	turn    uint64 // see host.turn
	hangUps int    // connections dialled for it that ended before it was written

	// Guarded by host.mu.
	queued     bool
	prev, next *Pending
	timer      *time.Timer // while queued
}

// Start sends the request and returns. The bytes are written on the caller's
// goroutine when an idle connection is there; what the socket does not take at
// once is left to another goroutine, so it never waits for the peer. It may be
// called once.
func (p *Pending) Start() {
	h, err := p.client.enter(hostKey{p.request.Network, p.request.Address})
	if err != nil {
		p.finish(nil, err)
		return
	}
	p.host.Store(h)
	h.place(p)
	h.users.Add(-1)
}

// Cancel ends the request with ErrCanceled unless it is over; its connection
// is closed. It may come at any time, also before Start and while Start writes.
// done may run before Cancel returns.
func (p *Pending) Cancel() {
	if !p.claim() {
		return
	}
	if c := p.conn.Load(); c != nil && c.take(p) {
		c.drop()
	}
	if h := p.host.Load(); h != nil {
		h.forget(p)
	}
	p.publish(nil, ErrCanceled)
}

// own makes the body the request's own if it is borrowed for a short time.
func (p *Pending) own() {
	if p.request.BodyUntilStart {
		p.request.BodyUntilStart, p.request.Body = false, bytes.Clone(p.request.Body)
	}
}

func (p *Pending) over() bool { return p.state.Load()&pendingClaimed != 0 }

func (p *Pending) claim() bool { return p.state.Or(pendingClaimed)&pendingClaimed == 0 }

// finish decides the outcome unless it is decided.
func (p *Pending) finish(r *Response, err error) {
	if p.claim() {
		p.publish(r, err)
	}
}

// publish stores the outcome that the caller has claimed. It reports whether a
// writer is still busy and will deliver, in which case the response is no
// longer the caller's.
func (p *Pending) publish(r *Response, err error) (handedOver bool) {
	p.response, p.err = r, err
	if p.state.Or(pendingFinished)&pendingWriting != 0 {
		return true
	}
	p.deliver()
	return false
}

// beginWrite begins an attempt; false means the request is over and its
// buffers may be gone.
func (p *Pending) beginWrite() bool {
	for {
		old := p.state.Load()
		if old&pendingClaimed != 0 {
			return false
		}
		if p.state.CompareAndSwap(old, pendingWriting) {
			return true
		}
	}
}

// endWrite ends the write on c. again asks the caller to place the request
// anew: the connection is over and nothing went out.
func (p *Pending) endWrite(c *clientConn, sent, whole bool) (again bool) {
	change := ^(pendingWriting - 1) // minus pendingWriting
	if !sent {
		change += pendingUnsent
	}
	switch now := p.state.Add(change); {
	case now&pendingFinished != 0:
		if p.keep { // the response came first, and the connection is fit for more
			if whole {
				c.host.release(c)
			} else {
				c.drop()
			}
		}
		p.deliver()
	case now&pendingEnded != 0:
		return p.ended(now)
	}
	return false
}

// connEnded tells that the connection is over without a response; loss is the
// outcome unless nothing went out, again as in endWrite.
func (p *Pending) connEnded(loss error) (again bool) {
	p.loss = loss
	old := p.state.Or(pendingEnded)
	return old&pendingWriting == 0 && p.ended(old)
}

func (p *Pending) ended(state uint32) (again bool) {
	if state&pendingUnsent != 0 {
		return true
	}
	p.finish(nil, p.loss)
	return false
}

func (p *Pending) writing() bool { return p.state.Load()&pendingWriting != 0 }

func (p *Pending) deliver() {
	defer guard.Recover("httpx done callback")
	p.done(p.response, p.err)
}
