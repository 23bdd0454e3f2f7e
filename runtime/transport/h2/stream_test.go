package h2

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/port"
)

// gather is a Receiver that keeps everything; with hold set it gives nothing
// back to the peer's window.
type gather struct {
	hold bool
	give func(n int)

	mu       sync.Mutex
	status   int
	data     []byte
	trailers []Field
	err      error
	over     chan struct{}
}

func newGather() *gather { return &gather{over: make(chan struct{})} }

func (g *gather) Head(status int, _ []Field) {
	g.mu.Lock()
	g.status = status
	g.mu.Unlock()
}

func (g *gather) Data(p []byte) {
	g.mu.Lock()
	g.data = append(g.data, p...)
	give := g.give
	if g.hold {
		give = nil
	}
	g.mu.Unlock()
	if give != nil {
		give(len(p))
	}
}

func (g *gather) End(trailers []Field, err error) {
	g.mu.Lock()
	g.trailers, g.err = trailers, err
	g.mu.Unlock()
	close(g.over) // twice is a panic: the end comes once
}

func (g *gather) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.data)
}

// mirror sends every piece back as it comes and ends when the peer does.
type mirror struct{ x *Exchange }

func (m mirror) Data(p []byte) {
	m.x.Send(nil, p)
	m.x.Consumed(len(p))
}

func (m mirror) End(_ []Field, err error) {
	if err != nil {
		m.x.Reset(CodeCancel)
		return
	}
	m.x.CloseSend(okTrailer)
}

func mirrorHandler(x *Exchange) {
	x.SendHeaders(okHead)
	x.Receive(mirror{x})
}

func open(t testing.TB, c *Client, p *port.Port, g *gather) *Pending {
	t.Helper()
	s := c.Open(post(p, nil), g)
	return s
}

func TestStream_BothWaysInPieces(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: mirrorHandler})
	c := newClient(t, ClientConfig{})
	g := newGather()
	s := open(t, c, p, g) // what is sent before there is a connection waits
	var want []byte
	for i := range 100 {
		piece := pattern(i * 11)
		want = append(append(want, byte(i)), piece...)
		if err := s.Send([]byte{byte(i)}, piece); err != nil {
			t.Fatal(err)
		}
	}
	testx.Eventually(t, "everything to come back", func() bool { return g.size() == len(want) })
	if err := s.SendLast(nil, []byte("end")); err != nil {
		t.Fatal(err)
	}
	wait(t, g.over)
	if g.err != nil || g.status != 200 || !bytes.Equal(g.data, append(want, "end"...)) || field(g.trailers, "grpc-status") != "0" {
		t.Fatalf("status %d, %d bytes, trailers %v, error %v", g.status, len(g.data), g.trailers, g.err)
	}
	if err := s.Send(nil, nil); !errors.Is(err, ErrAnswered) {
		t.Errorf("Send after the end: %v", err)
	}
}

func TestStream_ASlowReceiverHoldsTheSenderBack(t *testing.T) {
	testx.NoLeaks(t)
	const window, buffer = 100 << 10, 32 << 10
	held := newGather()
	held.hold = true
	exchange := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{
		Limits: Limits{StreamWindow: window},
		Handler: func(x *Exchange) {
			x.Receive(held)
			exchange <- x
		},
	})
	c := newClient(t, ClientConfig{Limits: Limits{SendBuffer: buffer}})
	g := newGather()
	s := open(t, c, p, g)
	x := wait(t, exchange) // the server's settings have come: its SETTINGS precede any answer, not its handler
	sent := 0
	push := func() error {
		for {
			if err := s.Send(nil, pattern(8<<10)); err != nil {
				return err
			}
			sent += 8 << 10
		}
	}
	if err := push(); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	testx.Eventually(t, "the window to fill", func() bool { push(); return held.size() == window })
	if most := window + buffer + 8<<10; sent > most {
		t.Errorf("%d bytes were accepted, at most %d fit window and buffer", sent, most)
	}
	writable := make(chan struct{}, 1)
	s.OnWritable(func() { writable <- struct{}{} })
	select {
	case <-writable:
		t.Fatal("writable while the peer's window is shut")
	default:
	}
	x.Consumed(window)
	wait(t, writable)
	s.Cancel()
	wait(t, g.over)
	if !errors.Is(g.err, ErrCanceled) {
		t.Errorf("outcome %v", g.err)
	}
	wait(t, held.over)
	x.Reset(CodeCancel)
}

func TestStream_AStalledOneDoesNotStopOthers(t *testing.T) {
	held := newGather()
	held.hold = true
	var first atomic.Bool
	_, p := serve(t, ServerConfig{
		Limits: Limits{StreamWindow: 64 << 10, ConnWindow: 1 << 20},
		Handler: func(x *Exchange) {
			if first.CompareAndSwap(false, true) {
				x.Receive(held)
				x.OnGone(func() { x.Reset(CodeCancel) })
				return
			}
			echo(x)
		},
	})
	c := newClient(t, ClientConfig{})
	s := open(t, c, p, newGather())
	s.Send(nil, pattern(200<<10))
	testx.Eventually(t, "the stream to stall", func() bool { return held.size() == 64<<10 })
	body := pattern(3 << 20)
	if got := do(t, c, post(p, body)); got.err != nil || !bytes.Equal(got.body, body) {
		t.Fatalf("%d bytes, %v", len(got.body), got.err)
	}
	s.Cancel()
}

func TestStream_ServerSendsUntilTheClientIsFull(t *testing.T) {
	testx.NoLeaks(t)
	const total = 5 << 20
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.SendHeaders(okHead)
		sent := 0
		var more func()
		more = func() {
			for sent < total {
				if err := x.Send(nil, pattern(10<<10)); err == ErrFull {
					x.OnWritable(more)
					return
				} else if err != nil {
					x.Reset(CodeCancel)
					return
				}
				sent += 10 << 10
			}
			x.CloseSend(okTrailer)
		}
		more()
	}})
	c := newClient(t, ClientConfig{Limits: Limits{StreamWindow: 128 << 10}})
	g := newGather()
	g.hold = true
	s := c.Open(post(p, nil), g)
	s.CloseSend(nil)
	testx.Eventually(t, "the window to fill", func() bool { return g.size() == 128<<10 })
	g.mu.Lock()
	g.hold, g.give = false, s.Consumed
	g.mu.Unlock()
	s.Consumed(128 << 10)
	wait(t, g.over)
	if g.err != nil || g.size() != total {
		t.Fatalf("%d of %d bytes, %v", g.size(), total, g.err)
	}
}

func TestStream_CancelReachesTheHandler(t *testing.T) {
	testx.NoLeaks(t)
	gone := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.Collect(0, func(x *Exchange, body []byte, err error) {
			x.OnGone(func() { gone <- x })
		})
	}})
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 1)
	r := post(p, []byte("x"))
	pending := c.Start(r, func(r *Response, err error) { got <- kept(r, err) })
	testx.Eventually(t, "the request to be on the wire", func() bool { return pending.conn.Load() != nil })
	pending.Cancel()
	if o := wait(t, got); !errors.Is(o.err, ErrCanceled) {
		t.Fatal(o.err)
	}
	select {
	case x := <-gone:
		if !x.Gone() {
			t.Error("not gone")
		}
		if err := x.Respond(Answer{Head: okHead}); !errors.Is(err, ErrGone) {
			t.Errorf("late answer: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the handler was not told")
	}
}

func TestStream_ServerResetReachesTheClient(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { x.Reset(CodeInternal) }})
	c := newClient(t, ClientConfig{})
	got := do(t, c, post(p, []byte("x")))
	var reset *ResetError
	if !errors.As(got.err, &reset) || reset.Code != CodeInternal {
		t.Fatal(got.err)
	}
}

func TestStream_DeadlineEndsItOnBothSides(t *testing.T) {
	testx.NoLeaks(t)
	gone := make(chan struct{})
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.OnGone(func() { x.Reset(CodeCancel); close(gone) })
	}})
	c := newClient(t, ClientConfig{})
	r := post(p, nil)
	r.Deadline = time.Now().Add(30 * time.Millisecond)
	if got := do(t, c, r); !errors.Is(got.err, ErrTimeout) {
		t.Fatal(got.err)
	}
	if late := time.Since(r.Deadline); late < 0 || late > 5*time.Second {
		t.Errorf("timed out %v after the deadline", late)
	}
	wait(t, gone)
}

func TestStream_ServerDeadline(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.OnGone(func() { x.Reset(CodeCancel) })
		x.SetDeadline(time.Now().Add(20 * time.Millisecond))
	}})
	c := newClient(t, ClientConfig{})
	var reset *ResetError
	if got := do(t, c, post(p, nil)); !errors.As(got.err, &reset) || reset.Code != CodeCancel {
		t.Fatal(got.err)
	}
}

func TestExchange_AnswersOnce(t *testing.T) {
	second := make(chan error, 3)
	released := make(chan struct{}, 2)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.Respond(Answer{Head: okHead, Body: []byte("one"), Release: func() { released <- struct{}{} }})
		second <- x.Respond(Answer{Head: okHead, Release: func() { released <- struct{}{} }})
		second <- x.SendHeaders(okHead)
		second <- x.CloseSend(nil)
	}})
	c := newClient(t, ClientConfig{})
	if got := do(t, c, post(p, nil)); got.err != nil || string(got.body) != "one" {
		t.Fatalf("%q, %v", got.body, got.err)
	}
	for range 3 {
		if err := wait(t, second); !errors.Is(err, ErrAnswered) {
			t.Errorf("second answer: %v", err)
		}
	}
	wait(t, released)
	wait(t, released)
}

func TestExchange_EarlyAnswerStopsTheRequest(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { x.Respond(Answer{Head: okHead}) }})
	c := newClient(t, ClientConfig{})
	for range 20 { // the connection and its windows survive
		if got := do(t, c, post(p, pattern(10<<20))); got.err != nil || got.status != 200 || got.trailers != nil {
			t.Fatalf("%+v", got)
		}
	}
}

func TestExchange_APanickingHandlerCostsItsStreamOnly(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		if x.Path() == "/p.S/M" {
			panic("boom")
		}
		echo(x)
	}})
	c := newClient(t, ClientConfig{})
	var reset *ResetError
	if got := do(t, c, post(p, nil)); !errors.As(got.err, &reset) || reset.Code != CodeInternal {
		t.Fatal(got.err)
	}
	r := post(p, []byte("again"))
	r.Head = NewBlock(Field{":method", "POST"}, Field{":scheme", "http"}, Field{":path", "/other"})
	if got := do(t, c, r); got.err != nil || string(got.body) != "again" {
		t.Fatal(got.err)
	}
}

func TestExchange_BodyBeyondTheLimitIsTold(t *testing.T) {
	for _, announced := range []bool{false, true} {
		told := make(chan error, 1)
		_, p := serve(t, ServerConfig{Limits: Limits{MaxBodyBytes: 1000}, Handler: func(x *Exchange) {
			x.Collect(0, func(x *Exchange, body []byte, err error) {
				told <- err
				x.Respond(Answer{Head: NewBlock(Field{":status", "413"})})
			})
		}})
		c := newClient(t, ClientConfig{})
		r := post(p, pattern(1001))
		if announced {
			head := &Block{}
			head.Append(postHead)
			head.Add("content-length", "1001")
			r.Head = head
		}
		if got := do(t, c, r); got.err != nil || got.status != 413 {
			t.Fatalf("%+v", got)
		}
		var limit *LimitError
		if err := wait(t, told); !errors.As(err, &limit) || limit.Name != "MaxBodyBytes" {
			t.Errorf("announced %v: %v", announced, err)
		}
	}
}

func TestResponse_BodyBeyondTheLimit(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{})
	r := post(p, pattern(5000))
	r.MaxBody = 4999
	var limit *LimitError
	if got := do(t, c, r); !errors.As(got.err, &limit) || limit.Name != "MaxBodyBytes" {
		t.Fatal(got.err)
	}
	r.MaxBody = 5000
	if got := do(t, c, r); got.err != nil {
		t.Fatal(got.err)
	}
}

func TestStream_WhatWasNotConsumedComesBackWhenItEnds(t *testing.T) {
	testx.NoLeaks(t)
	const window = 100 << 10
	held := make(chan *gather, 1)
	_, p := serve(t, ServerConfig{
		Limits: Limits{StreamWindow: window, ConnWindow: window},
		Handler: func(x *Exchange) {
			g := newGather()
			g.hold = true
			x.Receive(g)
			x.OnGone(func() { x.Reset(CodeCancel) })
			held <- g
		},
	})
	c := newClient(t, ClientConfig{})
	for range 5 { // each fills the connection's window
		end := newGather()
		s := c.Open(post(p, nil), end)
		s.Send(nil, pattern(2*window))
		g := wait(t, held)
		testx.Eventually(t, "the window to fill", func() bool { return g.size() == window })
		s.Cancel()
		wait(t, end.over)
		wait(t, g.over)
	}
}

func TestServer_BodiesInTheHandlersHandsAreBounded(t *testing.T) {
	k := &keeper{}
	refused := make(chan error, maxAttempts)
	_, p := serve(t, ServerConfig{Limits: Limits{MaxBuffered: 10000}, Handler: func(x *Exchange) {
		x.Collect(0, func(x *Exchange, body []byte, err error) {
			if err != nil {
				refused <- err
				x.Reset(CodeRefused)
				return
			}
			k.mu.Lock()
			k.held = append(k.held, x)
			k.mu.Unlock()
		})
	}})
	c := newClient(t, ClientConfig{})
	first := make(chan outcome, 1)
	c.Start(post(p, pattern(9000)), func(r *Response, err error) { first <- kept(r, err) })
	testx.Eventually(t, "the first body", func() bool { return k.count() == 1 })
	if got := do(t, c, post(p, pattern(2000))); got.err == nil {
		t.Error("the second body was taken")
	}
	var limit *LimitError
	if err := wait(t, refused); !errors.As(err, &limit) || limit.Name != "MaxBuffered" {
		t.Error(err)
	}
	k.answer(1)
	wait(t, first)
}
