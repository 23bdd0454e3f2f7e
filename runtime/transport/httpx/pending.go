package httpx

import (
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// State of a pending request: two flags and, above them, the number of
// goroutines inside a write of its bytes. The outcome is decided by whoever sets
// pendingClaimed, and delivered when it is known and no write runs any more,
// so that done means the caller's buffers are free.
const (
	pendingClaimed uint32 = 1 << iota
	pendingFinished
	pendingWriter
)

// Pending is a started request.
type Pending struct {
	request  Request
	done     func(*Response, error)
	host     *host
	state    atomic.Uint32
	conn     atomic.Pointer[clientConn]
	retried  atomic.Bool // this is the second attempt
	response *Response
	err      error
	starts   int // by whoever took it from the queue

	// Guarded by host.mu.
	queued     bool
	prev, next *Pending
	timer      *time.Timer // while queued
}

// Cancel ends the request with ErrCanceled unless it is over; its connection
// is closed. done may run before Cancel returns.
func (p *Pending) Cancel() {
	if !p.claim() {
		return
	}
	if c := p.conn.Load(); c != nil && c.take(p) {
		c.drop()
	}
	if p.host != nil {
		p.host.forget(p)
	}
	p.publish(nil, ErrCanceled)
}

func (p *Pending) over() bool { return p.state.Load()&pendingClaimed != 0 }

func (p *Pending) claim() bool { return p.state.Or(pendingClaimed)&pendingClaimed == 0 }

// finish decides the outcome unless it is decided; it reports whether a writer
// is still busy and will deliver, in which case the response is no longer the
// caller's.
func (p *Pending) finish(r *Response, err error) (handedOver bool) {
	if !p.claim() {
		return false
	}
	return p.publish(r, err)
}

func (p *Pending) publish(r *Response, err error) (handedOver bool) {
	p.response, p.err = r, err
	if p.state.Or(pendingFinished) >= pendingWriter {
		return true
	}
	p.deliver()
	return false
}

// beginWrite announces a write of the request's bytes; false means the request
// is over and its buffers may be gone.
func (p *Pending) beginWrite() bool {
	for {
		old := p.state.Load()
		if old&pendingClaimed != 0 {
			return false
		}
		if p.state.CompareAndSwap(old, old+pendingWriter) {
			return true
		}
	}
}

func (p *Pending) endWrite() {
	if p.state.Add(^(pendingWriter - 1)) == pendingClaimed|pendingFinished {
		p.deliver()
	}
}

func (p *Pending) deliver() {
	defer guard.Recover("httpx done callback")
	p.done(p.response, p.err)
}
