package h2

import (
	"sync"
	"sync/atomic"
	"time"
)

// state of a stream, RFC 9113, 5.1. Idle streams have no object.
type state uint8

const (
	stateOpen       state = iota
	stateHalfLocal        // we sent END_STREAM
	stateHalfRemote       // the peer sent END_STREAM
	stateClosed
)

// event moves a stream from one state to another.
type event uint8

const (
	evLocalEnd event = iota
	evRemoteEnd
	evReset
)

// moves is the table of legal moves; anything not in it leaves the state alone.
var moves = [...][3]state{
	stateOpen:       {stateHalfLocal, stateHalfRemote, stateClosed},
	stateHalfLocal:  {stateHalfLocal, stateClosed, stateClosed},
	stateHalfRemote: {stateClosed, stateHalfRemote, stateClosed},
	stateClosed:     {stateClosed, stateClosed, stateClosed},
}

// mode is what becomes of received data.
type mode uint8

const (
	modeDiscard mode = iota
	modeCollect      // into one body, handed over at its end
	modeReceive      // to a Receiver, as it comes
)

// Receiver takes what a stream receives. Its methods are called one at a time,
// usually on the goroutine that reads the connection, and must not block. Data
// is a view that is valid until the call returns; its bytes stay charged to the
// stream's window until Consumed gives them back, which is the back-pressure.
// End is called exactly once, last: err is nil when the peer ended the stream.
type Receiver interface {
	Data(p []byte)
	End(trailers []Field, err error)
}

// endpoint is the side of a stream that its user sees: an Exchange or a Pending.
type endpoint interface {
	// head is a response's.
	head(status int, fields []Field)
	// received: the receiving half is over, by END_STREAM (err nil) or not.
	received(err error)
	// killed: the stream ended before its time. It comes before received.
	killed(err error)
}

// Stream is one request and response on a connection. Its methods may be
// called from any goroutine.
type Stream struct {
	conn atomic.Pointer[conn]
	id   uint32
	user endpoint

	// early guards the sending fields while a started request has no connection
	// yet; afterwards conn.mu does. It is taken inside conn.mu.
	early      sync.Mutex
	sendLimit  int
	prefix     []byte // goes before buf
	buf        []byte // waits for the peer's window from off on
	off        int
	owned      bool   // buf is ours, not borrowed
	ending     bool   // END_STREAM after buf
	trailer    []byte // encoded; sent with END_STREAM
	onWritable func()
	release    func() // ends the loan of buf

	// Guarded by conn.mu.
	state      state
	mode       mode
	headSent   bool
	headGot    bool
	queued     bool    // in the connection's ready queue
	next       *Stream // there
	sendWindow int64
	recvWindow int64
	recvCredit int
	held       int   // bytes the Receiver got and has not consumed
	expect     int64 // bytes that content-length still announces, or one of the two below
	maxBody    int
	interim    int    // 1xx answers so far
	counted    bool   // among the connection's working exchanges
	body       []byte // being collected
	whole      []byte // collected; the user's until the exchange is over
	charged    int    // bytes of body that count against MaxBuffered
	moved      uint64
	markMoved  uint64
	markAt     time.Time
	deadline   time.Time

	busy      bool // the reading goroutine is inside one of the user's functions
	recvOver  bool // the outcome of the receiving half is decided
	delivered bool // and the user knows
	recvErr   error
	receiver  Receiver
	trailers  []Field
}

// move applies an event. conn.mu is held.
func (s *Stream) move(e event) { s.state = moves[s.state][e] }

func (s *Stream) sentEnd() bool { return s.state == stateHalfLocal || s.state == stateClosed }
func (s *Stream) gotEnd() bool  { return s.state == stateHalfRemote || s.state == stateClosed }

// waiting is the number of bytes that wait for the peer's window.
func (s *Stream) waiting() int { return len(s.prefix) + len(s.buf) - s.off }

// lock takes the mutex that guards the sending fields and tells whose it is:
// nil means early.
func (s *Stream) lock() *conn {
	if c := s.conn.Load(); c != nil {
		c.mu.Lock()
		return c
	}
	s.early.Lock()
	c := s.conn.Load()
	if c == nil {
		return nil
	}
	s.early.Unlock()
	c.mu.Lock()
	return c
}

func (s *Stream) unlock(c *conn) {
	if c == nil {
		s.early.Unlock()
		return
	}
	c.unlockFlush()
}

// Send sends prefix and data as one piece; both slices are free again when it
// returns. What the peer's windows do not admit waits in the stream's send
// buffer; ErrFull means that the buffer was full and nothing was taken. One
// piece may be larger than the buffer.
func (s *Stream) Send(prefix, data []byte) error { return s.send(prefix, data, false) }

// SendLast is Send and the end of our half without trailers.
func (s *Stream) SendLast(prefix, data []byte) error { return s.send(prefix, data, true) }

func (s *Stream) send(prefix, data []byte, last bool) error {
	c := s.lock()
	defer s.unlock(c)
	if last && c != nil {
		defer c.answered(s)
	}
	switch {
	case s.ending:
		return ErrAnswered
	case s.state == stateClosed:
		return ErrGone
	case !s.headSent:
		return ErrNoHeaders
	case s.waiting() >= s.sendLimit:
		return ErrFull
	}
	s.ending = last
	if c == nil {
		s.store(prefix, data)
		return nil
	}
	c.push(s, prefix, data)
	if s.waiting() > 0 {
		s.own()
	}
	return nil
}

// CloseSend ends our half, with trailers unless the block is nil.
func (s *Stream) CloseSend(trailer *Block) error {
	c := s.lock()
	defer s.unlock(c)
	if c != nil {
		defer c.answered(s)
	}
	switch {
	case s.ending:
		return ErrAnswered
	case s.state == stateClosed:
		return ErrGone
	case !s.headSent:
		return ErrNoHeaders
	}
	s.ending = true
	if trailer != nil {
		s.trailer = append([]byte(nil), trailer.buf...)
	}
	if c != nil {
		c.serve(s)
	}
	return nil
}

// store appends to the send buffer.
func (s *Stream) store(prefix, data []byte) {
	if s.off > 0 && s.off == len(s.buf) {
		s.buf, s.off = s.buf[:0], 0
	}
	s.own()
	s.buf = append(append(s.buf, prefix...), data...)
}

// own makes the waiting bytes our own.
func (s *Stream) own() {
	if s.owned && len(s.prefix) == 0 {
		if s.off > len(s.buf)/2 && s.off > keptBodyBytes {
			s.buf, s.off = s.buf[:copy(s.buf, s.buf[s.off:])], 0
		}
		return
	}
	buf := getBody(s.waiting())
	s.buf = append(append(buf, s.prefix...), s.buf[s.off:]...)
	s.prefix, s.off, s.owned = nil, 0, true
}

// dropSend forgets what waits to be sent and ends the loan of it; the function
// to call for that, outside the lock, is returned.
func (s *Stream) dropSend() (release func()) {
	if s.owned {
		putBody(s.buf)
	}
	s.prefix, s.buf, s.off, s.owned = nil, nil, 0, false
	release, s.release = s.release, nil
	return release
}

// OnWritable has f called once when the send buffer is less than half full: at
// once if it is now. f runs outside all locks and must not block.
func (s *Stream) OnWritable(f func()) {
	c := s.lock()
	ready := s.waiting() < s.sendLimit/2 || s.waiting() == 0
	if !ready {
		s.onWritable = f
	}
	s.unlock(c)
	if ready {
		f()
	}
}

// Consumed gives back n bytes that the Receiver got, so that the peer may send
// as many again. What is not consumed when the stream ends before its time is
// given back by itself; after a normal end, by Consumed, Reset or Cancel.
func (s *Stream) Consumed(n int) {
	c := s.conn.Load()
	if c == nil || n <= 0 {
		return
	}
	c.mu.Lock()
	n = min(n, s.held)
	s.held -= n
	c.credit(n)
	if !s.gotEnd() {
		c.creditStream(s, n)
	}
	c.unlockFlush()
}

// Reset ends the stream in both directions; one that is over needs no frame.
func (s *Stream) Reset(code ErrCode) {
	c := s.conn.Load()
	if c == nil {
		return
	}
	c.mu.Lock()
	c.reset(s, code, &ResetError{Code: code, What: "by its handler"})
	c.giveBackHeld(s)
	c.answered(s)
	c.unlockFlush()
}

// Peer is the peer's address as text.
func (s *Stream) Peer() string {
	if c := s.conn.Load(); c != nil {
		return c.peer
	}
	return ""
}

// finishReceiving decides the receiving half's outcome; true tells the caller
// to call deliver once conn.mu is free.
func (s *Stream) finishReceiving(err error) bool {
	if s.recvOver {
		return false
	}
	s.recvOver, s.recvErr = true, err
	if s.busy {
		return false // the reading goroutine delivers when it comes back
	}
	s.delivered = true
	return true
}

// enter and leave stand around user code on the reading goroutine. conn.mu is
// held. leave reports whether the end has to be delivered now.
func (s *Stream) enter() { s.busy = true }

func (s *Stream) leave() bool {
	s.busy = false
	if s.recvOver && !s.delivered {
		s.delivered = true
		return true
	}
	return false
}

// deliver tells the user the outcome of the receiving half.
func (s *Stream) deliver() { s.user.received(s.recvErr) }

// bodies keeps memory for bodies of a usual size.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// getBody is memory for at least n bytes.
func getBody(n int) []byte {
	if n > keptBodyBytes {
		return make([]byte, 0, n)
	}
	p := bodies.Get().(*[]byte)
	b := *p
	headers.Put(p)
	if cap(b) < n {
		b = make([]byte, 0, n)
	}
	return b[:0]
}

func putBody(b []byte) {
	if cap(b) == 0 || cap(b) > keptBodyBytes {
		return
	}
	p := headers.Get().(*[]byte)
	*p = b[:0]
	bodies.Put(p)
}

// headers keeps the slice headers of bodies, so that the pools do not allocate.
var headers = sync.Pool{New: func() any { return new([]byte) }}

// Values of expect that are no number of bytes.
const (
	anyLength int64 = -1
	noBody    int64 = -2 // content-length speaks of a body that is not sent: HEAD
)
