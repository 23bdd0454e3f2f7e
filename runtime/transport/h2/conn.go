package h2

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http2"

	"aimrtrpc/internal/guard"
)

// side is what differs between the two ends of a connection.
type side interface {
	// opened handles a complete header block for a stream that is not there.
	opened(c *conn, id uint32, end bool) error
	// freed: a stream ended, so another may begin.
	freed(c *conn)
	// retired: the connection takes no more streams.
	retired(c *conn)
}

// conn is one connection, server or client. One goroutine reads it, in run;
// everybody writes to out under mu.
type conn struct {
	nc     net.Conn
	raw    syscall.RawConn // nil when writes cannot be tried without waiting
	side   side
	server bool
	lim    *Limits
	peer   string
	began  time.Time

	// Of the reading goroutine.
	in       []byte
	r, w     int
	framer   *http2.Framer
	fields   *fieldReader
	headID   uint32 // the block being read
	headEnd  bool
	headSelf bool // its priority names itself
	settled  bool // the peer's first SETTINGS came
	resets   meter
	errors   meter
	controls meter

	lastRead  atomic.Int64 // nanoseconds since began
	headSince atomic.Int64 // while a block is incomplete

	mu       sync.Mutex // guards all below and the fields of streams
	streams  map[uint32]*Stream
	lastPeer uint32 // highest stream of the peer that we took on
	seenPeer uint32 // highest stream the peer opened
	nextID   uint32 // our next stream
	closed   []uint32
	working  int // exchanges whose handler has not answered
	buffered int // bytes of collected bodies

	sendWindow  int64
	peerWindow  int64 // initial window of streams
	peerFrame   int
	peerStreams int
	peerHeaders int  // SETTINGS_MAX_HEADER_LIST_SIZE, 0: none
	shrink      bool // the next header block says "table size 0"
	recvWindow  int64
	recvCredit  int
	acked       bool // our SETTINGS

	sentFrames int // DATA frames since the control meter was last topped up
	out, spare []byte
	writing    bool // somebody is inside a write, or a writer goroutine exists
	corked     bool // the reader will flush when its input is used up
	rest       []byte
	idle       chan struct{} // closed when writing ends, if anybody waits
	tryBuf     []byte        // arguments and results of try, used by the writer
	tryN       int
	tryErr     error
	try        func(fd uintptr) bool

	readyFirst, readyLast *Stream
	notify                []func() // called by whoever unlocks
	freedOne              bool

	quitErr    error // why the connection ends
	done       bool  // no stream any more
	goneAway   bool  // the peer's GOAWAY came
	draining   bool
	final      bool // the last GOAWAY is out
	drainAt    time.Time
	idleSince  time.Time
	pingAt     time.Time // of the keepalive PING in flight
	aliveArmed bool      // the timer will look whether the peer is alive
	stallArmed bool      // the timer will look for stalled streams
	timer      *time.Timer
	timerAt    time.Time
	ticking    sync.Mutex // held while tick runs; taken before mu
}

func newConn(nc net.Conn, s side, server bool, lim *Limits) *conn {
	now := time.Now()
	c := &conn{
		nc: nc, side: s, server: server, lim: lim, began: now,
		in: make([]byte, readBufferBytes), fields: newFieldReader(lim),
		resets:   newMeter(lim.ResetBurst, resetsPerSecond, now),
		errors:   newMeter(lim.ErrorBurst, errorsPerSecond, now),
		controls: newMeter(lim.ControlBurst, controlsPerSecond, now),
		streams:  map[uint32]*Stream{}, nextID: 1, closed: make([]uint32, closedSlots),
		sendWindow: defaultWindow, peerWindow: defaultWindow, peerFrame: defaultFrameBytes, peerStreams: unknownStreams,
		recvWindow: int64(lim.ConnWindow), idleSince: now,
	}
	if a := nc.RemoteAddr(); a != nil {
		c.peer = a.String()
	}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	c.try = c.tryOnce
	c.framer = http2.NewFramer(io.Discard, (*input)(c))
	c.framer.SetReuseFrames()
	c.framer.SetMaxReadFrameSize(uint32(lim.MaxFrameBytes))
	c.greet()
	return c
}

// greet appends what each side says first.
func (c *conn) greet() {
	settings := []http2.Setting{
		{ID: http2.SettingInitialWindowSize, Val: uint32(c.lim.StreamWindow)},
		{ID: http2.SettingMaxFrameSize, Val: uint32(c.lim.MaxFrameBytes)},
		{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.lim.MaxHeaderBytes)},
	}
	if c.server {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.lim.MaxStreams)})
	} else {
		c.out = append(c.out, http2.ClientPreface...)
		settings = append(settings, http2.Setting{ID: http2.SettingEnablePush})
	}
	c.out = appendSettings(c.out, settings...)
	if more := c.lim.ConnWindow - defaultWindow; more > 0 {
		c.out = appendWindowUpdate(c.out, 0, more)
	}
}

// run reads until the connection ends; the caller's goroutine does the work.
func (c *conn) run() {
	c.mu.Lock()
	c.arm(c.began.Add(max(c.lim.ReadHeaderTimeout, time.Millisecond)))
	c.mu.Unlock()
	err := c.preface()
	for err == nil {
		err = c.readFrame()
	}
	c.tearDown(err)
}

func (c *conn) preface() error {
	if !c.server {
		return nil
	}
	got := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull((*input)(c), got); err != nil {
		return err
	}
	if string(got) != http2.ClientPreface {
		return errNoPreface
	}
	return nil
}

// input is the connection as the framer reads it. When the buffer is used up,
// what the handlers have answered meanwhile is written, then more is read.
type input conn

func (in *input) Read(p []byte) (int, error) {
	c := (*conn)(in)
	if c.r == c.w {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.in[c.r:c.w])
	c.r += n
	return n, nil
}

func (c *conn) fill() error {
	c.mu.Lock()
	c.corked = false
	c.unlockFlush()
	n, err := c.nc.Read(c.in)
	c.lastRead.Store(int64(time.Since(c.began)))
	c.mu.Lock()
	c.corked = n > 0
	quit := c.quitErr
	c.mu.Unlock()
	c.r, c.w = 0, n
	switch {
	case quit != nil:
		return quit
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// unlockFlush writes what is due, releases mu and runs the user's functions
// that became due.
func (c *conn) unlockFlush() {
	c.flush()
	c.unlock()
}

func (c *conn) unlock() {
	calls, freed := c.notify, c.freedOne
	c.notify, c.freedOne = nil, false
	c.mu.Unlock()
	for _, f := range calls {
		f()
	}
	if freed {
		c.side.freed(c)
	}
}

// later has f called when mu is free.
func (c *conn) later(f func()) {
	if f != nil {
		c.notify = append(c.notify, f)
	}
}

// quit ends the connection: the reader is woken and tears it down. mu is held.
func (c *conn) quit(err error) {
	if c.quitErr == nil {
		c.quitErr = err
		c.later(func() { c.nc.SetReadDeadline(time.Unix(1, 0)) })
	}
}

// abort ends the connection without a word.
func (c *conn) abort(err error) {
	c.mu.Lock()
	if c.quitErr == nil {
		c.quitErr = err
	}
	c.unlock()
	c.nc.Close()
}

// tearDown ends every stream, says why where the peer can still hear it, and
// closes the connection. It runs on the reading goroutine.
func (c *conn) tearDown(err error) {
	c.mu.Lock()
	if c.quitErr == nil {
		c.quitErr = err
	}
	err = c.quitErr
	c.done, c.corked = true, false
	code, polite := farewell(err)
	if polite {
		c.out = appendGoAway(c.out, c.lastPeer, code, err.Error())
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	for _, s := range c.streams {
		c.kill(s, c.lost(err, false))
	}
	c.unlock()
	c.side.retired(c)
	c.lim.Logger.Debug("HTTP/2 connection ended", "peer", c.peer, "server", c.server, "error", err)
	if polite {
		c.lastWords()
	}
	c.nc.Close()
	c.waitTick()
	c.waitWriter()
}

// waitTick returns when a tick that had begun is over.
func (c *conn) waitTick() {
	c.ticking.Lock()
	defer c.ticking.Unlock()
}

// farewell tells whether an end is announced, and how.
func farewell(err error) (ErrCode, bool) {
	var bad *ConnError
	switch {
	case errors.As(err, &bad):
		return bad.Code, true
	case err == errIdle, err == errDrained, err == ErrClosed, err == errKeepalive:
		return CodeNone, true
	case err == errNoPreface:
		return CodeProtocol, true
	}
	return 0, false
}

// lastWords writes what is left and lets the peer read it: closing a socket with
// unread input destroys output in flight.
func (c *conn) lastWords() {
	c.nc.SetDeadline(time.Now().Add(lingerTime))
	c.mu.Lock()
	c.flush()
	c.mu.Unlock()
	c.waitWriter()
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for left := lingerBytes; left > 0; {
		n, err := c.nc.Read(c.in)
		if err != nil {
			return
		}
		left -= n
	}
}

// waitWriter returns when nobody writes.
func (c *conn) waitWriter() {
	c.mu.Lock()
	if !c.writing {
		c.mu.Unlock()
		return
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	<-idle
}

// lost is the outcome of a stream whose connection ended.
func (c *conn) lost(err error, unprocessed bool) error {
	switch {
	case c.server:
		return ErrGone
	case err == ErrClosed:
		return err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return &LostError{Address: c.peer, Unprocessed: unprocessed, Err: err}
}

// protect calls foreign code; its panic is recorded and ends there.
func protect(place string, f func()) {
	defer guard.Recover(place)
	f()
}
