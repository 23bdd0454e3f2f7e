package framed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// writePiece is the most that goes to the socket at once: a deadline holds
	// for a piece, so that a slow peer is told from a dead one.
	writePiece = 256 << 10
	// keepBuffer is the largest buffer that is used again.
	keepBuffer = 1 << 20
)

// buffer holds frames to write. A connection with nothing to write has none.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) free() {
	if b != nil && cap(b.b) <= keepBuffer {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}

// waiter is a sender that found the queue full. Its payload is copied by the
// goroutine that makes room, so that frames leave in the order of the senders.
type waiter struct {
	payload []byte
	done    chan error // capacity 1
}

// Send queues one frame and returns when it is in the queue, not when it is
// written. The payload is copied. With a full queue it waits, first come first
// served, until there is room, ctx is done, or the connection ends; the error
// is then ctx's or the connection's reason.
func (c *Conn) Send(ctx context.Context, payload []byte) error {
	w, err := c.offer(payload, true)
	if w == nil {
		if err == nil {
			c.poke()
		}
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return c.giveUp(w, ctx.Err())
	}
}

// TrySend is Send that never waits: ErrQueueFull when there is no room.
func (c *Conn) TrySend(payload []byte) error {
	_, err := c.offer(payload, false)
	if err == nil {
		c.poke()
	}
	return err
}

// TrySendSoon is TrySend while Frame runs: the frame leaves together with those
// that follow, before the next one is waited for, or with Flush.
func (c *Conn) TrySendSoon(payload []byte) error {
	_, err := c.offer(payload, false)
	return err
}

// Flush writes what TrySendSoon has queued as far as the socket has room, on the
// calling goroutine: waking the writing one costs more than a small write. It
// never waits; the writer has the rest.
func (c *Conn) Flush() {
	c.mu.Lock()
	batch := c.filling
	switch {
	case batch == nil:
		c.mu.Unlock()
		return
	case c.writing || c.busy || c.reason != nil || len(batch.b) > flushBytes:
		c.mu.Unlock()
		c.poke()
		return
	}
	c.filling, c.writing = nil, true
	c.mu.Unlock()
	n := writeNow(c.nc, batch.b)
	if n > 0 && c.cfg.IdleTimeout > 0 {
		c.lastSent.Store(time.Now().UnixNano())
	}
	c.mu.Lock()
	c.writing = false
	if rest := batch.b[n:]; len(rest) > 0 && c.reason == nil { // in front of what was queued meanwhile
		left := &buffer{append([]byte(nil), rest...)}
		if c.filling != nil {
			left.b = append(left.b, c.filling.b...)
		}
		c.filling = left
	}
	c.mu.Unlock()
	batch.free()
	c.wrote(n)
	c.mu.Lock()
	more := c.filling != nil || c.closing
	c.mu.Unlock()
	if more {
		c.poke()
	}
}

// flushBytes is the most that Flush writes: a long write is the writer's.
const flushBytes = 64 << 10

// writeNow writes what the socket takes at once; nothing when it is wrapped. An
// error is left for the writer to find.
func writeNow(nc net.Conn, data []byte) int {
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	written := 0
	err = raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), data)
		if err == nil {
			written = n
		}
		return true
	})
	if err != nil {
		return 0
	}
	return written
}

// Writable returns a channel that is closed when the queue has room or the
// connection has ended. A TrySend after it may still find the queue full again.
func (c *Conn) Writable() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writable == nil {
		c.writable = make(chan struct{})
	}
	ch := c.writable
	if c.closing || c.queued < c.cfg.MaxQueueBytes && len(c.waiting) == 0 {
		close(ch)
		c.writable = nil
	}
	return ch
}

// Queued is the number of bytes that wait to be written.
func (c *Conn) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// offer queues the frame, or returns a waiter when it has to wait and may. The
// writer is not told.
func (c *Conn) offer(payload []byte, mayWait bool) (*waiter, error) {
	if n := len(payload); n > c.cfg.MaxFrameBytes || int64(n) > 1<<32-1 {
		return nil, &FrameSizeError{Size: int64(n), Max: c.cfg.MaxFrameBytes}
	}
	c.mu.Lock()
	switch {
	case c.reason != nil:
		defer c.mu.Unlock()
		return nil, c.reason
	case c.closing:
		c.mu.Unlock()
		return nil, ErrClosed
	case len(c.waiting) == 0 && c.fits(payload):
		c.enqueue(payload)
		c.mu.Unlock()
		return nil, nil
	case !mayWait || len(c.waiting) >= c.cfg.MaxWaiting:
		defer c.mu.Unlock()
		return nil, fmt.Errorf("%w: %d bytes, %d senders waiting", ErrQueueFull, c.queued, len(c.waiting))
	}
	w := &waiter{payload: payload, done: make(chan error, 1)}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	return w, nil
}

// giveUp takes the waiter out of the line. When its frame was queued meanwhile
// it counts as sent.
func (c *Conn) giveUp(w *waiter, err error) error {
	c.mu.Lock()
	if i := slices.Index(c.waiting, w); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		// The next in line may be a smaller frame that fits.
		admitted := c.admit()
		c.mu.Unlock()
		release(admitted)
		c.poke()
		return err
	}
	c.mu.Unlock()
	return <-w.done
}

// fits needs mu.
func (c *Conn) fits(payload []byte) bool {
	return c.queued == 0 || c.queued+headerBytes+len(payload) <= c.cfg.MaxQueueBytes
}

// enqueue needs mu.
func (c *Conn) enqueue(payload []byte) {
	if c.filling == nil {
		c.filling = buffers.Get().(*buffer)
	}
	c.filling.b = binary.BigEndian.AppendUint32(c.filling.b, uint32(len(payload)))
	c.filling.b = append(c.filling.b, payload...)
	c.queued += headerBytes + len(payload)
}

// admit queues the frames of those who wait, as far as there is room. It needs
// mu; the waiters it returns are released without.
func (c *Conn) admit() []*waiter {
	n := 0
	for n < len(c.waiting) && c.fits(c.waiting[n].payload) {
		c.enqueue(c.waiting[n].payload)
		n++
	}
	admitted := c.waiting[:n:n]
	if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
		c.waiting = nil
		if c.writable != nil && c.queued < c.cfg.MaxQueueBytes {
			close(c.writable)
			c.writable = nil
		}
	}
	return admitted
}

func release(admitted []*waiter) {
	for _, w := range admitted {
		w.done <- nil
	}
}

func (c *Conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write is the writing goroutine: everything queued since the last write goes
// out together.
func (c *Conn) write() {
	for {
		batch, finished := c.take()
		if finished && c.settle(ErrClosed) {
			c.nc.Close()
		}
		if batch == nil {
			return
		}
		for rest := batch.b; len(rest) > 0; {
			piece := rest[:min(len(rest), writePiece)]
			if err := c.writePiece(piece); err != nil {
				c.Fail(err)
				return
			}
			rest = rest[len(piece):]
			c.wrote(len(piece))
		}
		batch.free()
	}
}

// take waits for frames. nil means there will be none: because the connection
// has ended or, finished, because Close was called and all is written.
func (c *Conn) take() (batch *buffer, finished bool) {
	for {
		c.mu.Lock()
		c.busy = false
		ended, closing, wait := c.reason != nil, c.closing, c.writing
		if !wait {
			batch, c.filling = c.filling, nil
			c.busy = batch != nil
		}
		c.mu.Unlock()
		switch {
		case wait && !ended:
		case ended:
			return nil, false
		case batch != nil:
			return batch, false
		case closing:
			return nil, true
		}
		select {
		case <-c.wake:
		case <-c.dead:
		}
	}
}

func (c *Conn) writePiece(piece []byte) error {
	now := time.Now()
	if err := c.nc.SetWriteDeadline(now.Add(c.cfg.WriteTimeout)); err != nil {
		return err
	}
	n, err := c.nc.Write(piece)
	if c.cfg.IdleTimeout > 0 {
		c.lastSent.Store(now.UnixNano())
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w: %d of %d bytes taken in %v", ErrWriteStalled, n, len(piece), c.cfg.WriteTimeout)
	}
	return err
}

// wrote makes room for those who wait.
func (c *Conn) wrote(n int) {
	c.mu.Lock()
	if c.reason != nil {
		c.mu.Unlock()
		return
	}
	c.queued -= n
	admitted := c.admit()
	c.mu.Unlock()
	release(admitted)
}
