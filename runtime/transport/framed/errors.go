package framed

import (
	"errors"
	"fmt"
	"io"
)

// Why a connection ended, and why a frame was not sent. Other reasons are the
// system's (reset by peer, broken pipe), and what was given to Fail.
var (
	// ErrClosed: this side closed the connection.
	ErrClosed = errors.New("connection closed")
	// ErrPeerClosed: the peer closed it between two frames. When it did inside
	// a frame the reason also wraps io.ErrUnexpectedEOF.
	ErrPeerClosed = errors.New("connection closed by peer")
	// ErrIdle: IdleTimeout passed.
	ErrIdle = errors.New("connection idle")
	// ErrReadStalled: ReadTimeout passed inside a frame.
	ErrReadStalled = errors.New("peer stopped sending inside a frame")
	// ErrWriteStalled: WriteTimeout passed while the peer did not read.
	ErrWriteStalled = errors.New("peer stopped reading")
	// ErrHandlerPanic: Handler.Frame panicked.
	ErrHandlerPanic = errors.New("frame handler panicked")
	// ErrQueueFull: TrySend found no room, or MaxWaiting senders wait already.
	// The connection lives on.
	ErrQueueFull = errors.New("write queue full")
)

// FrameSizeError is a frame above MaxFrameBytes: one to send is refused, one
// announced by the peer ends the connection.
type FrameSizeError struct {
	Size     int64
	Max      int
	Received bool
}

func (e *FrameSizeError) Error() string {
	what := "frame to send"
	if e.Received {
		what = "frame announced by the peer"
	}
	return fmt.Sprintf("%s has %d bytes, more than MaxFrameBytes %d", what, e.Size, e.Max)
}

var errTruncated = fmt.Errorf("%w: %w", ErrPeerClosed, io.ErrUnexpectedEOF)
