package framed

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
)

// inbox keeps what a connection receives.
type inbox struct {
	frames chan []byte
	closed chan error
	// gate, when set, holds Frame back until it is closed.
	gate    chan struct{}
	entered chan struct{}
}

func newInbox() *inbox {
	return &inbox{frames: make(chan []byte, 1024), closed: make(chan error, 2), entered: make(chan struct{}, 1)}
}

func (in *inbox) Frame(_ *Conn, payload []byte) {
	if in.gate != nil {
		select {
		case in.entered <- struct{}{}:
		default:
		}
		<-in.gate
	}
	in.frames <- payload
}

func (in *inbox) Closed(_ *Conn, reason error) { in.closed <- reason }

// mirror sends every frame back.
type mirror struct{ *inbox }

func (m mirror) Frame(c *Conn, payload []byte) { c.Send(context.Background(), payload) }

const patience = 10 * time.Second

func next[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
	}
	panic("unreachable")
}

// background is a context that ends before the test's own time does.
func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, cfg ListenConfig) *Listener {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	if cfg.Accept == nil {
		cfg.Accept = func(*Conn) Handler { return mirror{newInbox()} }
	}
	l, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func dial(t *testing.T, l *Listener, cfg DialConfig) (*Conn, *inbox) {
	t.Helper()
	cfg.Network, cfg.Address = l.Addr().Network(), l.Addr().String()
	c, err := Dial(background(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	in := newInbox()
	c.Start(in)
	t.Cleanup(c.Close)
	return c, in
}

// raw is a socket whose other end is a Conn.
func raw(t *testing.T, cfg Config, h Handler) (net.Conn, *Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc, cfg)
	c.Start(h)
	t.Cleanup(func() { peer.Close(); c.Close() })
	return peer, c
}

func frame(payload string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func TestConn_TCPAndUnix_FramesOfAllSizesComeBackInOrder(t *testing.T) {
	testx.NoLeaks(t)
	for _, cfg := range []ListenConfig{{}, {Network: "unix", Address: filepath.Join(t.TempDir(), "s")}} {
		c, in := dial(t, listen(t, cfg), DialConfig{})
		sizes := []int{0, 1, 3, 4, 5, readBuffer - 4, readBuffer - 3, readBuffer, firstPiece, firstPiece + 1, 1 << 20, 5, 0}
		for i, n := range sizes {
			if err := c.Send(background(t), bytes.Repeat([]byte{byte(i)}, n)); err != nil {
				t.Fatal(err)
			}
		}
		for i, n := range sizes {
			if got := next(t, in.frames, "a frame"); !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, n)) {
				t.Fatalf("frame %d has %d bytes, want %d", i, len(got), n)
			}
		}
	}
}

func TestConn_ByteByByte_IsUnderstood(t *testing.T) {
	testx.NoLeaks(t)
	in := newInbox()
	peer, _ := raw(t, Config{}, in)
	for _, b := range append(frame("ab"), frame("")...) {
		if _, err := peer.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := next(t, in.frames, "a frame"), next(t, in.frames, "a frame"); string(a) != "ab" || len(b) != 0 {
		t.Fatalf("%q %q", a, b)
	}
}

// A payload belongs to the handler: later frames do not change it.
func TestConn_Payload_IsTheHandlersOwn(t *testing.T) {
	testx.NoLeaks(t)
	in := newInbox()
	peer, _ := raw(t, Config{}, in)
	peer.Write(append(frame("first"), frame("other")...))
	a := next(t, in.frames, "a frame")
	next(t, in.frames, "a frame")
	peer.Write(frame("third"))
	next(t, in.frames, "a frame")
	if string(a) != "first" || cap(a) != len(a) {
		t.Fatalf("%q with capacity %d", a, cap(a))
	}
}

func TestConn_Endings_GiveTheirReason(t *testing.T) {
	testx.NoLeaks(t)
	own := errors.New("own reason")
	for _, tc := range []struct {
		name string
		cfg  Config
		act  func(net.Conn, *Conn)
		want []error
	}{
		{"peer closes", Config{}, func(p net.Conn, _ *Conn) { p.Close() }, []error{ErrPeerClosed}},
		{"peer closes inside a header", Config{}, func(p net.Conn, _ *Conn) { p.Write([]byte{0}); p.Close() }, []error{ErrPeerClosed, io.ErrUnexpectedEOF}},
		{"peer closes inside a frame", Config{}, func(p net.Conn, _ *Conn) { p.Write(frame("abc")[:5]); p.Close() }, []error{ErrPeerClosed, io.ErrUnexpectedEOF}},
		{"peer resets", Config{}, func(p net.Conn, _ *Conn) { p.(*net.TCPConn).SetLinger(0); p.Close() }, []error{syscall.ECONNRESET}},
		{"own close", Config{}, func(_ net.Conn, c *Conn) { c.Close() }, []error{ErrClosed}},
		{"fail", Config{}, func(_ net.Conn, c *Conn) { c.Fail(own) }, []error{own}},
		{"fail without reason", Config{}, func(_ net.Conn, c *Conn) { c.Fail(nil) }, []error{ErrClosed}},
		{"idle", Config{IdleTimeout: 20 * time.Millisecond}, func(net.Conn, *Conn) {}, []error{ErrIdle}},
		{"stalled header", Config{ReadTimeout: 20 * time.Millisecond}, func(p net.Conn, _ *Conn) { p.Write([]byte{0, 0}) }, []error{ErrReadStalled}},
		{"stalled frame", Config{ReadTimeout: 20 * time.Millisecond}, func(p net.Conn, _ *Conn) { p.Write(frame("abc")[:6]) }, []error{ErrReadStalled}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := newInbox()
			peer, c := raw(t, tc.cfg, in)
			tc.act(peer, c)
			reason := next(t, in.closed, "the end")
			for _, want := range tc.want {
				if !errors.Is(reason, want) {
					t.Errorf("reason %v, want %v", reason, want)
				}
			}
			if len(tc.want) == 1 && errors.Is(reason, io.ErrUnexpectedEOF) {
				t.Errorf("reason %v for an end between frames", reason)
			}
			next(t, c.Done(), "the goroutines")
			if err := c.Send(background(t), nil); !errors.Is(err, tc.want[0]) {
				t.Errorf("Send after the end: %v", err)
			}
			if err := c.TrySend(nil); !errors.Is(err, tc.want[0]) {
				t.Errorf("TrySend after the end: %v", err)
			}
			next(t, c.Writable(), "Writable after the end")
			c.Close()
			if c.Reason() != reason || len(in.closed) != 0 {
				t.Errorf("reason is now %v, Closed ran %d more times", c.Reason(), len(in.closed))
			}
		})
	}
}

func TestConn_Idle_KeptBySendingAndByBusy(t *testing.T) {
	testx.NoLeaks(t)
	var asked atomic.Int32
	in := newInbox()
	_, c := raw(t, Config{IdleTimeout: 10 * time.Millisecond, Busy: func() bool { return asked.Add(1) < 4 }}, in)
	reason := next(t, in.closed, "the end")
	if !errors.Is(reason, ErrIdle) || asked.Load() != 4 {
		t.Fatalf("asked %d times, reason %v", asked.Load(), reason)
	}
	_ = c
}

func TestConn_FrameTooLarge_RefusedHereEndsThere(t *testing.T) {
	testx.NoLeaks(t)
	in := newInbox()
	peer, c := raw(t, Config{MaxFrameBytes: 10}, in)
	var size *FrameSizeError
	if err := c.Send(background(t), make([]byte, 11)); !errors.As(err, &size) || size.Received || size.Size != 11 || size.Max != 10 {
		t.Fatalf("Send: %v", err)
	}
	if err := c.Send(background(t), make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	peer.Write([]byte{0xff, 0xff, 0xff, 0xff})
	if reason := next(t, in.closed, "the end"); !errors.As(reason, &size) || !size.Received || size.Size != 1<<32-1 {
		t.Fatalf("reason %v", reason)
	}
}

// piped is a started connection whose peer is an unbuffered pipe: nothing is
// written but what the peer reads.
func piped(t *testing.T, cfg Config, h Handler) (net.Conn, *Conn) {
	a, b := net.Pipe()
	c := New(a, cfg)
	c.Start(h)
	t.Cleanup(func() { b.Close(); c.Close() })
	return b, c
}

// fill queues the payload until there is no room, and tells how many times.
func fill(t *testing.T, c *Conn, payload []byte) int {
	t.Helper()
	for n := 0; ; n++ {
		if err := c.TrySend(payload); errors.Is(err, ErrQueueFull) {
			return n
		} else if err != nil {
			t.Fatal(err)
		} else if c.Queued() > 16<<20 {
			t.Fatalf("%d bytes queued and no end", c.Queued())
		}
	}
}

func waiting(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

func TestSend_PeerDoesNotRead_WaitsWithoutGrowing(t *testing.T) {
	testx.NoLeaks(t)
	const limit = 64 << 10
	peer, c := piped(t, Config{MaxQueueBytes: limit}, newInbox())
	payload := make([]byte, 1000)
	if n := fill(t, c, payload); n != limit/1004 {
		t.Fatalf("%d frames of 1004 bytes fit into %d", n, limit)
	}
	if n := c.Queued(); n > limit {
		t.Fatalf("%d bytes queued, limit %d", n, limit)
	}
	const senders = 20
	results := make(chan error, senders)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range senders {
		use := ctx
		if i%2 == 0 {
			use = background(t)
		}
		guard.Go("test sender", func() { results <- c.Send(use, payload) })
	}
	testx.Eventually(t, "the senders to wait", func() bool { return waiting(c) == senders })
	if n := c.Queued(); n > limit {
		t.Fatalf("%d bytes queued, limit %d", n, limit)
	}
	cancel()
	for range senders / 2 {
		if err := next(t, results, "a cancelled sender"); !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled sender: %v", err)
		}
	}
	writable := c.Writable()
	select {
	case <-writable:
		t.Fatal("writable while senders wait")
	default:
	}
	guard.Go("test drain", func() { io.Copy(io.Discard, peer) })
	for range senders / 2 {
		if err := next(t, results, "a sender"); err != nil {
			t.Fatal(err)
		}
	}
	next(t, writable, "room in the queue")
	testx.Eventually(t, "an empty queue", func() bool { return c.Queued() == 0 })
}

func TestSend_Waiting_OrderOfArrivalAndLargeFramesToo(t *testing.T) {
	testx.NoLeaks(t)
	peer, c := piped(t, Config{MaxQueueBytes: 16 << 10}, newInbox())
	filler := make([]byte, 1000)
	fill(t, c, filler)
	fill(t, c, nil)
	// The third one is larger than the queue: it must not be overtaken for ever.
	sizes := []int{10, 20, 40 << 10, 30, 40}
	results := make(chan error, len(sizes))
	for i, n := range sizes {
		guard.Go("test sender", func() { results <- c.Send(background(t), make([]byte, n)) })
		testx.Eventually(t, "the sender to wait", func() bool { return waiting(c) == i+1 })
	}
	var got []int
	for len(got) < len(sizes) {
		var header [4]byte
		if _, err := io.ReadFull(peer, header[:]); err != nil {
			t.Fatal(err)
		}
		n := int(binary.BigEndian.Uint32(header[:]))
		if _, err := io.CopyN(io.Discard, peer, int64(n)); err != nil {
			t.Fatal(err)
		}
		if n != len(filler) && n != 0 {
			got = append(got, n)
		}
	}
	for i := range sizes {
		if err := next(t, results, "a sender"); err != nil || got[i] != sizes[i] {
			t.Fatalf("order %v, want %v, error %v", got, sizes, err)
		}
	}
}

func TestSend_MaxWaiting_FailsAtOnce(t *testing.T) {
	testx.NoLeaks(t)
	_, c := piped(t, Config{MaxQueueBytes: 4 << 10, MaxWaiting: 1}, newInbox())
	payload := make([]byte, 1000)
	fill(t, c, payload)
	first := make(chan error, 1)
	guard.Go("test sender", func() { first <- c.Send(background(t), payload) })
	testx.Eventually(t, "the sender to wait", func() bool { return waiting(c) == 1 })
	if err := c.Send(background(t), payload); !errors.Is(err, ErrQueueFull) {
		t.Fatalf("one too many: %v", err)
	}
	own := errors.New("over")
	c.Fail(own)
	if err := next(t, first, "the waiting sender"); !errors.Is(err, own) {
		t.Fatalf("waiting sender: %v", err)
	}
}

func TestConn_PeerNeverReads_WriteStalls(t *testing.T) {
	testx.NoLeaks(t)
	in := newInbox()
	_, c := raw(t, Config{WriteTimeout: 50 * time.Millisecond, MaxQueueBytes: 16 << 20}, in)
	if err := c.Send(background(t), make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	if reason := next(t, in.closed, "the end"); !errors.Is(reason, ErrWriteStalled) {
		t.Fatalf("reason %v", reason)
	}
}

// A handler that is not done holds back the peer: what the peer can push is
// bounded, whatever it tries.
func TestConn_SlowHandler_PeerFeelsIt(t *testing.T) {
	testx.NoLeaks(t)
	const queue, size = 64 << 10, 1000
	slow := newInbox()
	slow.gate = make(chan struct{})
	release := sync.OnceFunc(func() { close(slow.gate) })
	a, b := net.Pipe()
	server, c := New(a, Config{}), New(b, Config{MaxQueueBytes: queue})
	server.Start(slow)
	c.Start(newInbox())
	t.Cleanup(func() { release(); c.Close(); server.Close() })
	taken := fill(t, c, make([]byte, size))
	next(t, slow.entered, "the receiver to be busy")
	taken += fill(t, c, make([]byte, size))
	// One read is what the receiver has taken before it got busy.
	if got := taken * (size + headerBytes); got > queue+readBuffer+size || len(slow.frames) != 0 {
		t.Fatalf("%d bytes taken, %d frames passed a closed gate", got, len(slow.frames))
	}
	release()
	for range taken {
		next(t, slow.frames, "a frame")
	}
	next(t, c.Writable(), "room in the queue")
}

func TestClose_WritesWhatIsQueued(t *testing.T) {
	testx.NoLeaks(t)
	peer, c := raw(t, Config{CloseTimeout: patience}, newInbox())
	const count = 3000
	payload := make([]byte, 300)
	for range count {
		if err := c.Send(background(t), payload); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan int64, 1)
	guard.Go("test drain", func() { n, _ := io.Copy(io.Discard, peer); got <- n })
	c.Close()
	if n := next(t, got, "the end of the stream"); n != count*(headerBytes+300) {
		t.Fatalf("%d bytes arrived, want %d", n, count*(headerBytes+300))
	}
}

func TestClose_PeerDoesNotRead_EndsAfterCloseTimeout(t *testing.T) {
	testx.NoLeaks(t)
	in := newInbox()
	_, c := piped(t, Config{CloseTimeout: 30 * time.Millisecond, MaxQueueBytes: 64 << 10}, in)
	payload := make([]byte, 1000)
	fill(t, c, payload)
	result := make(chan error, 1)
	guard.Go("test sender", func() { result <- c.Send(background(t), payload) })
	testx.Eventually(t, "the sender to wait", func() bool { return waiting(c) == 1 })
	c.Close()
	if err := next(t, result, "the waiting sender"); !errors.Is(err, ErrClosed) {
		t.Fatalf("waiting sender: %v", err)
	}
	if reason := next(t, in.closed, "Closed"); !errors.Is(reason, ErrClosed) {
		t.Fatalf("reason %v", reason)
	}
}

func TestClose_NeverStarted_FreesTheSocket(t *testing.T) {
	testx.NoLeaks(t)
	a, b := net.Pipe()
	c := New(a, Config{})
	if err := c.TrySend([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Fatal("the socket is open")
	}
}

// panicky panics on its first frame.
type panicky struct{ *inbox }

func (panicky) Frame(*Conn, []byte) { panic("boom") }

func TestConn_HandlerPanics_ConnectionEndsProcessLives(t *testing.T) {
	testx.NoLeaks(t)
	before := guard.Panics()["framed handler"]
	in := newInbox()
	peer, _ := raw(t, Config{}, panicky{in})
	peer.Write(frame("x"))
	if reason := next(t, in.closed, "the end"); !errors.Is(reason, ErrHandlerPanic) {
		t.Fatalf("reason %v", reason)
	}
	if n := guard.Panics()["framed handler"]; n != before+1 {
		t.Fatalf("%d panics counted", n-before)
	}
}

// counting counts the writes of a socket.
type counting struct {
	net.Conn
	writes atomic.Int32
	gate   chan struct{} // holds the first write
}

func (c *counting) Write(p []byte) (int, error) {
	if c.writes.Add(1) == 1 {
		<-c.gate
	}
	return c.Conn.Write(p)
}

func TestSend_WhileAWriteIsUnderWay_GoesOutTogether(t *testing.T) {
	testx.NoLeaks(t)
	a, b := net.Pipe()
	nc := &counting{Conn: a, gate: make(chan struct{})}
	c := New(nc, Config{})
	c.Start(newInbox())
	t.Cleanup(func() { b.Close(); c.Close() })
	c.TrySend([]byte("first"))
	testx.Eventually(t, "the first write", func() bool { return nc.writes.Load() == 1 })
	for range 500 {
		if err := c.TrySend([]byte("more")); err != nil {
			t.Fatal(err)
		}
	}
	close(nc.gate)
	if _, err := io.ReadFull(b, make([]byte, 9+500*8)); err != nil {
		t.Fatal(err)
	}
	if n := nc.writes.Load(); n != 2 {
		t.Fatalf("%d writes for 501 frames", n)
	}
}

func TestListener_Close_EndsAllConnectionsAndTellsBothSides(t *testing.T) {
	testx.NoLeaks(t)
	server := make(chan *inbox, 3)
	l := listen(t, ListenConfig{Accept: func(c *Conn) Handler {
		in := newInbox()
		server <- in
		c.TrySend([]byte("hello"))
		return in
	}})
	var ends []*inbox
	for range 3 {
		_, in := dial(t, l, DialConfig{})
		if got := next(t, in.frames, "the greeting"); string(got) != "hello" {
			t.Fatalf("%q", got)
		}
		ends = append(ends, in)
	}
	l.Close()
	for _, in := range ends {
		if reason := next(t, in.closed, "the client's end"); !errors.Is(reason, ErrPeerClosed) {
			t.Errorf("client: %v", reason)
		}
		if reason := next(t, next(t, server, "a server side").closed, "the server's end"); !errors.Is(reason, ErrClosed) {
			t.Errorf("server: %v", reason)
		}
	}
	if l.Conns() != 0 {
		t.Errorf("%d connections left", l.Conns())
	}
}

func TestListener_AcceptRefusesOrPanics_ConnectionIsClosed(t *testing.T) {
	testx.NoLeaks(t)
	for _, accept := range []func(*Conn) Handler{func(*Conn) Handler { return nil }, func(*Conn) Handler { panic("boom") }} {
		l := listen(t, ListenConfig{Accept: accept})
		_, in := dial(t, l, DialConfig{})
		if reason := next(t, in.closed, "the end"); !errors.Is(reason, ErrPeerClosed) {
			t.Errorf("reason %v", reason)
		}
		testx.Eventually(t, "the place to be free", func() bool { return l.Conns() == 0 })
	}
}

func TestListen_NoAccept_IsRefused(t *testing.T) {
	if _, err := Listen(ListenConfig{Address: "127.0.0.1:0"}); err == nil {
		t.Fatal("listening without Accept")
	}
}

func TestDial_NobodyThere_ErrorNamesTheAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	_, err := Dial(background(t), DialConfig{Network: "unix", Address: path})
	if !errors.Is(err, syscall.ENOENT) || !bytes.Contains([]byte(err.Error()), []byte(path)) {
		t.Fatalf("error %v", err)
	}
}

// soonMirror sends every frame back together with those that came with it.
type soonMirror struct{ *inbox }

func (m soonMirror) Frame(c *Conn, payload []byte) {
	if err := c.TrySendSoon(payload); err != nil {
		c.Fail(err)
	}
}

func TestTrySendSoon_AlongWithOtherSenders_KeepsFramesWholeAndInOrder(t *testing.T) {
	const frames = 2000
	peer, c := raw(t, Config{MaxQueueBytes: 64 << 20}, soonMirror{newInbox()})
	size := func(i int) int { return 5 + i*i%3000 + i%200/199*(2<<20) } // some are more than Flush writes
	guard.Go("test peer", func() {
		for i := range frames {
			payload := bytes.Repeat([]byte{byte(i)}, size(i))
			binary.BigEndian.PutUint32(payload, uint32(i))
			_, _ = peer.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...))
		}
	})
	guard.Go("test sender", func() {
		for range frames {
			_ = c.Send(context.Background(), []byte("hi"))
		}
	})
	// The peer reads late, so that the socket is full in the middle of a frame.
	testx.Eventually(t, "a full queue", func() bool { return c.Queued() > 1<<20 })
	if err := peer.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for echoed, others := 0, 0; echoed < frames || others < frames; {
		var header [headerBytes]byte
		if _, err := io.ReadFull(peer, header[:]); err != nil {
			t.Fatalf("after %d and %d frames: %v", echoed, others, err)
		}
		payload := make([]byte, binary.BigEndian.Uint32(header[:]))
		if _, err := io.ReadFull(peer, payload); err != nil {
			t.Fatal(err)
		}
		if string(payload) == "hi" {
			others++
			continue
		}
		tail := payload[min(4, len(payload)):]
		if len(payload) != size(echoed) || binary.BigEndian.Uint32(payload) != uint32(echoed) || !bytes.Equal(tail, bytes.Repeat([]byte{byte(echoed)}, len(tail))) {
			t.Fatalf("frame %d is %d bytes that begin with %x, expected %d", echoed, len(payload), payload[:4], size(echoed))
		}
		echoed++
	}
	testx.Eventually(t, "an empty queue", func() bool { return c.Queued() == 0 })
}
