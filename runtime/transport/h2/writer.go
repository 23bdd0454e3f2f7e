package h2

import (
	"errors"
	"runtime"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
)

// inlineWrites is how many buffers the goroutine that began to write takes on
// for others before a writer goroutine takes over.
const inlineWrites = 4

// flush writes the output unless somebody does already or the reader is about
// to. It never waits for the peer: what the socket does not take goes to a
// writer goroutine. mu is held; it is released during system calls.
func (c *conn) flush() {
	if len(c.out) > maxOutBytes {
		c.quit(broken(CodeCalmDown, "more than %d bytes of answers that the peer does not read", maxOutBytes))
	}
	if c.writing || c.corked && len(c.out) < corkBytes {
		return
	}
	c.pump()
	if len(c.out) == 0 {
		return
	}
	c.writing = true
	if c.raw == nil {
		guard.Go("h2 writer", c.writeLoop)
		return
	}
	for range inlineWrites {
		buf := c.take()
		c.mu.Unlock()
		n, err := c.tryWrite(buf)
		c.mu.Lock()
		if err != nil {
			c.writeFailed(err)
			return
		}
		if n < len(buf) {
			c.rest = buf[n:]
			guard.Go("h2 writer", c.writeLoop)
			return
		}
		c.giveBack(buf)
		c.pump()
		if len(c.out) == 0 {
			c.endWriting()
			return
		}
	}
	guard.Go("h2 writer", c.writeLoop)
}

// take swaps the output for an empty buffer.
func (c *conn) take() []byte {
	buf := c.out
	c.out, c.spare = c.spare[:0], nil
	return buf
}

func (c *conn) giveBack(buf []byte) {
	if cap(buf) <= keptOutBytes {
		c.spare = buf[:0]
	}
}

func (c *conn) endWriting() {
	c.writing = false
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// writeFailed ends the connection; the reader notices.
func (c *conn) writeFailed(err error) {
	if c.quitErr == nil {
		c.quitErr = err
	}
	c.out, c.rest = c.out[:0], nil
	c.endWriting()
	c.later(func() { c.nc.Close() })
}

// tryWrite writes what the socket takes without waiting.
func (c *conn) tryWrite(buf []byte) (int, error) {
	c.tryBuf, c.tryN, c.tryErr = buf, 0, nil
	err := c.raw.Write(c.try)
	c.tryBuf = nil
	if err == nil {
		err = c.tryErr
	}
	return c.tryN, err
}

func (c *conn) tryOnce(fd uintptr) bool {
	for c.tryN < len(c.tryBuf) {
		n, err := syscall.Write(int(fd), c.tryBuf[c.tryN:])
		switch {
		case n > 0:
			c.tryN += n
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return true
		default:
			c.tryErr = err
			return true
		}
	}
	return true
}

// writeLoop is a goroutine that lives while there is output the socket did not
// take at once.
func (c *conn) writeLoop() {
	runtime.Gosched() // others that are about to append join this write
	c.mu.Lock()
	for {
		buf := c.rest
		c.rest = nil
		if buf == nil {
			c.pump()
			if len(c.out) == 0 {
				break
			}
			buf = c.take()
		}
		if !c.done && c.lim.WriteTimeout > 0 {
			c.nc.SetWriteDeadline(time.Now().Add(c.lim.WriteTimeout))
		}
		c.mu.Unlock()
		_, err := c.nc.Write(buf)
		c.mu.Lock()
		if err != nil {
			c.writeFailed(err)
			c.unlock()
			return
		}
		c.giveBack(buf)
	}
	if !c.done {
		c.nc.SetWriteDeadline(time.Time{})
	}
	c.endWriting()
	c.unlock()
}
