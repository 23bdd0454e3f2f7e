// Package framed carries frames over TCP and Unix sockets: a four-byte
// big-endian length and as many bytes. It knows nothing about what is in them.
// Backends import it.
//
// A Conn has one reading and one writing goroutine. Frames to send are copied
// into a bounded queue and written together; when the peer does not read, the
// queue fills and senders wait. While a Handler's Frame runs nothing is read,
// so a slow receiver is felt by the peer as well. Memory per connection is
// bounded by the queue twice (filling and being written) and one frame each
// way; a quiet connection holds 16 KiB.
package framed

import (
	"log/slog"
	"time"
)

// headerBytes is the size of the length in front of every frame.
const headerBytes = 4

// Limits and deadlines that hold when a Config names none.
const (
	// DefaultMaxFrameBytes bounds a frame, received or sent.
	DefaultMaxFrameBytes = 64 << 20
	// DefaultMaxQueueBytes bounds what waits to be written. A frame larger than
	// that is taken when the queue is empty.
	DefaultMaxQueueBytes = 1 << 20
	// DefaultMaxWaiting bounds the senders that wait for room in the queue.
	DefaultMaxWaiting = 65536
	// DefaultReadTimeout is the longest pause inside a frame.
	DefaultReadTimeout = 30 * time.Second
	// DefaultWriteTimeout is how long the peer may take for one piece of
	// writePiece bytes.
	DefaultWriteTimeout = 2 * time.Minute
	// DefaultCloseTimeout is how long Close waits for the queue to be written.
	DefaultCloseTimeout = time.Second
	// DefaultDialTimeout bounds connecting and wrapping, DefaultWrapTimeout the
	// wrapping of an accepted connection.
	DefaultDialTimeout = 10 * time.Second
	DefaultWrapTimeout = 10 * time.Second
)

// Config bounds a connection; a zero field means its default.
type Config struct {
	MaxFrameBytes int
	MaxQueueBytes int
	MaxWaiting    int
	// IdleTimeout closes a connection on which no frame began to arrive and
	// nothing was written for that long. 0 means never: aiomas peers are silent
	// between calls, and have no heartbeat.
	IdleTimeout time.Duration
	// Busy, when set, is asked before an idle connection is closed; true keeps
	// it for another IdleTimeout. Calls that wait for an answer are busy.
	Busy         func() bool
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	CloseTimeout time.Duration
	// Logger receives why a connection ended; nil discards it.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.MaxFrameBytes = orDefault(c.MaxFrameBytes, DefaultMaxFrameBytes)
	c.MaxQueueBytes = orDefault(c.MaxQueueBytes, DefaultMaxQueueBytes)
	c.MaxWaiting = orDefault(c.MaxWaiting, DefaultMaxWaiting)
	c.ReadTimeout = orDefault(c.ReadTimeout, DefaultReadTimeout)
	c.WriteTimeout = orDefault(c.WriteTimeout, DefaultWriteTimeout)
	c.CloseTimeout = orDefault(c.CloseTimeout, DefaultCloseTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Handler receives what arrives on a connection.
type Handler interface {
	// Frame takes one payload, which it may keep. It runs on the connection's
	// reading goroutine, one frame at a time in the order of arrival; nothing is
	// read meanwhile. It must not call Close, which waits for it; Fail it may.
	Frame(c *Conn, payload []byte)
	// Closed comes once, after the last Frame. The reason is never nil.
	Closed(c *Conn, reason error)
}
