// Package h2 is an HTTP/2 engine for both sides of a connection, made for calls:
// many short exchanges, few headers, no browser.
//
// It reads with the framer and the header decoder of golang.org/x/net and adds
// what a call needs to be cheap. The goroutine that reads a request calls the
// handler; whoever has an answer appends its frames to the connection's output
// and, when nobody is writing, writes there and then without ever waiting for
// the peer: what the socket does not take is left to a writer goroutine. While
// the reader has unread input, answers are collected and leave in one write.
// Headers are sent as literals without a dynamic table, so a caller can encode
// them once.
//
// Nothing blocks: requests are started with a done function, bodies arrive by
// callback, and a stream that the peer does not read refuses further data until
// it calls back. Every size, count and wait has a limit that the configuration
// can change, and a peer that floods a connection loses it.
//
// Locks, in the order in which they may be taken: conn.ticking, conn.mu,
// Stream.early. host.mu, Client.mu and Server.mu are never held together with
// another. None is held over a system call or a callback.
//
// The package knows no method and no status of a call; the message framing of
// gRPC is in the sub-package grpcframe. Backends import it.
package h2

import (
	"log/slog"
	"time"
)

// Default limits. A zero in a configuration means the value here.
const (
	DefaultMaxHeaderBytes = 64 << 10
	DefaultMaxHeaders     = 128
	DefaultMaxBodyBytes   = 64 << 20
	DefaultMaxBuffered    = 256 << 20
	DefaultMaxStreams     = 1000
	DefaultStreamWindow   = 4 << 20
	DefaultConnWindow     = 64 << 20
	DefaultMaxFrameBytes  = 64 << 10
	DefaultSendBuffer     = 256 << 10

	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultServerIdleTimeout = 2 * time.Minute
	DefaultClientIdleTimeout = time.Minute
	DefaultWriteTimeout      = 30 * time.Second
	DefaultStallTimeout      = 2 * time.Minute
	DefaultKeepaliveTime     = 5 * time.Minute
	DefaultKeepaliveTimeout  = 20 * time.Second

	DefaultResetBurst   = 1000
	DefaultErrorBurst   = 100
	DefaultControlBurst = 1000

	DefaultMaxServerConns  = 10000
	DefaultMaxConnsPerHost = 1
	DefaultMaxHosts        = 1000
	DefaultMaxQueued       = 65536
	DefaultMaxQueuedBytes  = 256 << 20
	DefaultDialTimeout     = 10 * time.Second
)

// Fixed bounds of the engine.
const (
	readBufferBytes   = 32 << 10
	maxContinuations  = 64        // frames of one header block
	maxInterim        = 8         // 1xx answers before the final one
	outLimitBytes     = 256 << 10 // data moves into the output up to this
	keptOutBytes      = 512 << 10 // a larger output buffer is not reused
	keptBodyBytes     = 64 << 10  // larger body buffers are not reused
	corkBytes         = 32 << 10  // more than this does not wait for the reader
	maxOutBytes       = 16 << 20  // control frames and headers for a peer that does not read
	creditBytes       = 1 << 20   // received bytes per window update, or half the window
	defaultWindow     = 65535     // RFC 9113, 6.9.2
	defaultFrameBytes = 16384     // RFC 9113, 4.2
	maxWindow         = 1<<31 - 1
	maxFrameBytes     = 1<<24 - 1
	unknownStreams    = 100 // opened before the peer's SETTINGS came
	closedSlots       = 256
	lingerTime        = time.Second
	lingerBytes       = 256 << 10
	drainPause        = time.Second // for the last requests before a final GOAWAY
	resetsPerSecond   = 33
	errorsPerSecond   = 10
	controlsPerSecond = 100
	maxAttempts       = 4 // of a request that no peer has begun to process
)

// Limits are the bounds of one connection, on either side. A zero means the
// default of the same name; a negative duration turns that timer off.
type Limits struct {
	MaxHeaderBytes int // of one header list: names, values and 32 per field
	MaxHeaders     int // fields of one list
	MaxBodyBytes   int // of one collected body
	MaxBuffered    int // bytes of all collected bodies of a connection
	MaxStreams     int // open at once
	StreamWindow   int // unconsumed bytes of one stream
	ConnWindow     int // and of all streams
	MaxFrameBytes  int // of a received frame
	SendBuffer     int // bytes of one stream that wait for the peer, beyond which Send refuses

	ReadHeaderTimeout time.Duration // of the preface, the first SETTINGS, and of each header block
	IdleTimeout       time.Duration // without a stream
	WriteTimeout      time.Duration // of one write that the peer does not take
	StallTimeout      time.Duration // without a byte of a collected body, or of a complete answer
	KeepaliveTime     time.Duration // silence with open streams before a PING
	KeepaliveTimeout  time.Duration // and for its answer

	// Bursts of what a peer may do before the connection is ended; each is
	// refilled slowly.
	ResetBurst   int // requests it starts and resets
	ErrorBurst   int // frames that make us reset a stream
	ControlBurst int // PING, SETTINGS, PRIORITY, empty DATA and the like without any work between them

	// Logger receives ended connections at Debug; nil discards them.
	Logger *slog.Logger
}

func (l *Limits) fill() {
	orDefault(&l.MaxHeaderBytes, DefaultMaxHeaderBytes)
	orDefault(&l.MaxHeaders, DefaultMaxHeaders)
	orDefault(&l.MaxBodyBytes, DefaultMaxBodyBytes)
	orDefault(&l.MaxBuffered, DefaultMaxBuffered)
	orDefault(&l.MaxStreams, DefaultMaxStreams)
	orDefault(&l.StreamWindow, DefaultStreamWindow)
	orDefault(&l.ConnWindow, DefaultConnWindow)
	orDefault(&l.MaxFrameBytes, DefaultMaxFrameBytes)
	orDefault(&l.SendBuffer, DefaultSendBuffer)
	orDefault(&l.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	orDefault(&l.WriteTimeout, DefaultWriteTimeout)
	orDefault(&l.StallTimeout, DefaultStallTimeout)
	orDefault(&l.KeepaliveTime, DefaultKeepaliveTime)
	orDefault(&l.KeepaliveTimeout, DefaultKeepaliveTimeout)
	orDefault(&l.ResetBurst, DefaultResetBurst)
	orDefault(&l.ErrorBurst, DefaultErrorBurst)
	orDefault(&l.ControlBurst, DefaultControlBurst)
	l.StreamWindow = min(l.StreamWindow, maxWindow)
	l.ConnWindow = min(max(l.ConnWindow, defaultWindow), maxWindow)
	l.MaxFrameBytes = min(max(l.MaxFrameBytes, defaultFrameBytes), maxFrameBytes)
	if l.Logger == nil {
		l.Logger = slog.New(slog.DiscardHandler)
	}
}

func orDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}
