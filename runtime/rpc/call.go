package rpc

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// inlineHooks is how many OnFinish entries fit into the Call itself; filters rarely need more, so a call costs one allocation.
const inlineHooks = 6

// Call is one invocation on one side: the object every layer passes on. The fields are set by whoever makes the call and must not change
// once it is invoked, except where noted. Everything that happens at the end goes through Finish.
type Call struct {
	// ID is the request id: a counter per function name on the client, what the client sent on the server.
	ID uint64
	// IDText is the request id as text where the peer's is not a number; empty otherwise.
	IDText  string
	Method  *Method
	Context *CallContext
	// Request stays the maker's, who releases it after the end of the call.
	Request Payload
	// Backend is the name of the backend that carries the call; core sets it before the backend sees the call.
	Backend string
	// Peer is who is at the other end, as far as known. A client backend sets it with SetPeer.
	Peer Peer
	// Conn is the link an incoming call came over, for calls back; nil when the backend has no lasting links.
	Conn Conn
	// From is the calling module, for calls inside the process.
	From Owner
	// Stream carries further messages; nil for unary methods.
	Stream Stream
	// Started is when the call was made, for filters that measure.
	Started time.Time
	// Tag belongs to the maker of the call.
	Tag any

	claimed atomic.Bool // decided by one swap: the first Finish
	over    atomic.Bool // result below may be read
	unasked atomic.Bool // End was called: nobody waits for the answer

	mu       sync.Mutex // guards what follows until over is set
	status   Status
	response Payload
	hooks    [inlineHooks]func(*Call)
	hookN    int
	moreHook []func(*Call)
	onEnd    []func(*Call)
	borrowed bool
	unwound  bool
	done     chan struct{}
	parent   *Call
	attempts []*Call
}

// Finish ends the call. The first caller wins, on any goroutine; its status and response become the outcome, open attempts are cancelled,
// and the OnFinish work runs on its goroutine, last added first. Every later caller gets false and its response is released; so does one
// who could know from Unasked that End is about to finish the call.
func (c *Call) Finish(status Status, response Payload) bool {
	if c.unasked.Load() && !c.lent() {
		response.Release()
		return false
	}
	return c.finish(status, response)
}

func (c *Call) finish(status Status, response Payload) bool {
	if c.claimed.Swap(true) {
		response.Release()
		return false
	}
	c.mu.Lock()
	c.status, c.response = status, response
	attempts := c.attempts
	c.attempts = nil
	c.over.Store(true)
	c.mu.Unlock()
	if c.parent != nil {
		c.parent.forget(c)
	}
	for _, a := range attempts {
		a.Cancel()
	}
	c.unwind()
	return true
}

// Cancel ends the call with CANCELLED, see End.
func (c *Call) Cancel() bool { return c.End(StatusOfCode(CodeCancelled)) }

// End ends the call before its answer: cancel, timeout, shutdown, connection lost. It finishes the call with the status, unless somebody
// has borrowed the caller's memory: then the handler only learns that nobody waits, and the call ends when the handler does. It is true
// when this End finished the call.
func (c *Call) End(status Status) bool {
	c.mu.Lock()
	if c.claimed.Load() {
		c.mu.Unlock()
		return false
	}
	first := !c.unasked.Swap(true)
	var work []func(*Call)
	if first {
		work, c.onEnd = c.onEnd, nil
	}
	borrowed := c.borrowed
	c.mu.Unlock()
	for _, f := range work {
		c.run(f)
	}
	if borrowed {
		return false
	}
	return c.finish(status, Payload{})
}

// lent tells whether Borrow was granted.
func (c *Call) lent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.borrowed
}

// Borrow tells that somebody uses request or response memory of the caller in place, so that only the handler may end the call from now
// on. It is false when the call has ended, or is about to: then the memory must not be touched.
func (c *Call) Borrow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claimed.Load() || c.unasked.Load() {
		return false
	}
	c.borrowed = true
	return true
}

// Unasked tells a handler that nobody waits for the answer any more.
func (c *Call) Unasked() bool { return c.unasked.Load() }

// OnEnd adds what runs when somebody ends the call before its answer, once, before the end; at once when that has happened. It does not
// run for a call that is finished in the ordinary way.
func (c *Call) OnEnd(work func(*Call)) {
	c.mu.Lock()
	if c.unasked.Load() {
		c.mu.Unlock()
		c.run(work)
		return
	}
	if !c.claimed.Load() {
		c.onEnd = append(c.onEnd, work)
	}
	c.mu.Unlock()
}

// unwind runs the hooks and then lets the waiters go.
func (c *Call) unwind() {
	for {
		hook := c.popHook()
		if hook == nil {
			return
		}
		c.run(hook)
	}
}

// run contains a panic of one hook, so that the others still run and waiters are released.
func (c *Call) run(hook func(*Call)) {
	defer guard.Recover("rpc: work after a call")
	hook(c)
}

// popHook takes the newest hook; with none left it closes Done.
func (c *Call) popHook() func(*Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.moreHook); n > 0 {
		hook := c.moreHook[n-1]
		c.moreHook = c.moreHook[:n-1]
		return hook
	}
	if c.hookN > 0 {
		c.hookN--
		hook := c.hooks[c.hookN]
		c.hooks[c.hookN] = nil
		return hook
	}
	c.unwound = true
	if c.done != nil {
		close(c.done)
	}
	return nil
}

// OnFinish adds work for the end of the call. It runs once, with the call finished, last added first. When the call has ended already it
// runs at once, inside.
func (c *Call) OnFinish(work func(*Call)) {
	c.mu.Lock()
	if c.over.Load() {
		c.mu.Unlock()
		c.run(work)
		return
	}
	if c.hookN < inlineHooks {
		c.hooks[c.hookN] = work
		c.hookN++
	} else {
		c.moreHook = append(c.moreHook, work)
	}
	c.mu.Unlock()
}

// Decided tells whether somebody has ended the call: no later Finish or End changes its outcome. It may come before Finished.
func (c *Call) Decided() bool { return c.claimed.Load() }

// Finished tells whether the call has ended, so that its outcome may be read.
func (c *Call) Finished() bool { return c.over.Load() }

// Status is the outcome; OK with Finished false while the call runs.
func (c *Call) Status() Status {
	if !c.over.Load() {
		return Status{}
	}
	return c.status
}

// Response is the answer of a call that ended; the maker of the call releases it.
func (c *Call) Response() Payload {
	if !c.over.Load() {
		return Payload{}
	}
	return c.response
}

// Done is closed when the call has ended and its OnFinish work is done.
func (c *Call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.unwound {
			close(c.done)
		}
	}
	return c.done
}

// SetPeer notes who is at the other end; a client backend calls it before it finishes the call.
func (c *Call) SetPeer(peer Peer) {
	c.mu.Lock()
	if !c.over.Load() {
		c.Peer = peer
	}
	c.mu.Unlock()
}

// Attempt is a copy of the call for one try: same method, id and request, its own context and outcome. A filter that tries more than once
// invokes attempts and finishes the call itself. An attempt shares the request message and never releases it. Finishing the call cancels
// its open attempts; an attempt of a finished call is cancelled at once.
func (c *Call) Attempt() *Call {
	a := &Call{
		ID: c.ID, IDText: c.IDText, Method: c.Method, Context: c.Context.Clone(), Request: c.Request, Backend: c.Backend,
		From: c.From, Stream: c.Stream, Started: c.Started, Tag: c.Tag, parent: c,
	}
	a.Context.used = c.Context.used
	c.mu.Lock()
	late := c.over.Load()
	if !late {
		c.attempts = append(c.attempts, a)
	}
	c.mu.Unlock()
	if late {
		a.Cancel()
	}
	return a
}

// forget drops a finished attempt.
func (c *Call) forget(a *Call) {
	c.mu.Lock()
	if i := slices.Index(c.attempts, a); i >= 0 {
		c.attempts = slices.Delete(c.attempts, i, i+1)
	}
	c.mu.Unlock()
}
