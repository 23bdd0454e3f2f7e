package framed

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// Conn is one connection. All methods may be called from any goroutine.
type Conn struct {
	nc  net.Conn
	cfg Config

	wake     chan struct{} // capacity 1: the writer has something to look at
	dead     chan struct{} // closed when the reason is decided
	ended    chan struct{} // closed when both goroutines are over and Closed has returned
	lastSent atomic.Int64  // time of the last write, in nanoseconds; only with IdleTimeout

	mu       sync.Mutex // guards the fields below
	started  bool
	closing  bool    // nothing more is taken to send
	reason   error   // not nil once the connection has ended
	filling  *buffer // frames the writer has not taken yet; nil when there are none
	writing  bool    // Flush writes: the writer has to wait
	busy     bool    // the writer writes: Flush must not
	queued   int     // bytes in filling and in the writer's hands
	waiting  []*waiter
	writable chan struct{} // closed and forgotten when there is room; nil when nobody asked
}

// New makes a Conn of a connected socket, which it owns from then on. Nothing
// is read or written before Start or Serve.
func New(nc net.Conn, cfg Config) *Conn {
	return &Conn{
		nc: nc, cfg: cfg.withDefaults(),
		wake: make(chan struct{}, 1), dead: make(chan struct{}), ended: make(chan struct{}),
	}
}

// LocalAddr is the address of this side.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is the address of the peer; of Unix clients it is empty.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// NetConn is the socket or what Wrap made of it, to ask for the peer's
// certificate. Reading from it or writing to it breaks the framing.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Start serves the connection on a goroutine of its own. Start or Serve is
// called once.
func (c *Conn) Start(h Handler) {
	c.begin()
	guard.Go("framed read", func() { c.run(h) })
}

// Serve reads frames and hands them to h until the connection ends, and returns
// the reason.
func (c *Conn) Serve(h Handler) error {
	c.begin()
	return c.run(h)
}

func (c *Conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		panic("framed: connection served twice")
	}
	c.started = true
}

// abandon ends a connection that nobody is going to serve.
func (c *Conn) abandon() {
	c.begin()
	c.Fail(ErrClosed)
	close(c.ended)
}

func (c *Conn) run(h Handler) error {
	c.lastSent.Store(time.Now().UnixNano())
	written := make(chan struct{})
	guard.Go("framed write", func() {
		defer close(written)
		c.write()
	})
	defer close(c.ended)
	c.read(h)
	<-written
	reason := c.Reason()
	c.cfg.Logger.Debug("connection ended", "peer", c.nc.RemoteAddr().String(), "reason", reason)
	h.Closed(c, reason)
	return reason
}

// read ends with a reason set, also when the handler panics.
func (c *Conn) read(h Handler) {
	defer func() {
		if value := recover(); value != nil {
			c.Fail(ErrHandlerPanic)
			guard.Caught("framed handler", value)
		}
	}()
	r := reader{conn: c}
	for {
		payload, err := r.next()
		if err != nil {
			c.Fail(err)
			return
		}
		h.Frame(c, payload)
	}
}

// Done is closed when the connection has ended, its goroutines are gone and
// Closed has returned. Of a connection that was never started it stays open.
func (c *Conn) Done() <-chan struct{} { return c.ended }

// Reason says why the connection ended; nil while it is alive.
func (c *Conn) Reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// Close takes nothing more to send, waits up to CloseTimeout until the queue is
// written, closes the socket, and returns when the goroutines are gone and
// Closed has returned. Calling it again is a no-op. Not from Frame or Closed.
func (c *Conn) Close() {
	if !c.closeSoon() {
		c.Fail(ErrClosed)
		return
	}
	limit := time.NewTimer(c.cfg.CloseTimeout)
	defer limit.Stop()
	select {
	case <-c.ended:
	case <-limit.C:
		c.settle(ErrClosed)
		c.closeSocket() // also when the writer is busy with a wrapper's farewell
		<-c.ended
	}
}

// closeSoon lets the writer close the socket once the queue is written, and
// tells whether there is a writer.
func (c *Conn) closeSoon() (running bool) {
	c.mu.Lock()
	c.closing = true
	refused := c.waiting
	c.waiting = nil
	running = c.started
	c.mu.Unlock()
	for _, w := range refused {
		w.done <- ErrClosed
	}
	c.poke()
	return running
}

// Fail ends the connection at once with the given reason, drops what is queued
// and does not wait for anything. The first reason stays.
func (c *Conn) Fail(reason error) {
	if c.settle(reason) {
		c.closeSocket()
	}
}

// closeSocket closes what is below any wrapper: the farewell that TLS sends
// could block.
func (c *Conn) closeSocket() {
	raw := c.nc
	for {
		wrapper, ok := raw.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		raw = wrapper.NetConn()
	}
	raw.Close()
}

// settle decides the reason; it tells whether this call did.
func (c *Conn) settle(reason error) bool {
	if reason == nil {
		reason = ErrClosed
	}
	c.mu.Lock()
	if c.reason != nil {
		c.mu.Unlock()
		return false
	}
	if c.closing && !errors.Is(reason, ErrHandlerPanic) {
		reason = ErrClosed // what happens to a connection that is being closed is no news
	}
	c.reason, c.closing = reason, true
	c.filling, c.queued = nil, 0
	refused := c.waiting
	c.waiting = nil
	if c.writable != nil {
		close(c.writable)
		c.writable = nil
	}
	close(c.dead)
	c.mu.Unlock()
	for _, w := range refused {
		w.done <- reason
	}
	return true
}
