package h2

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"aimrtrpc/internal/testx"
)

// keeper is a handler that answers when told.
type keeper struct {
	mu   sync.Mutex
	held []*Exchange
}

func (k *keeper) handle(x *Exchange) {
	x.Collect(0, func(x *Exchange, _ []byte, _ error) {
		k.mu.Lock()
		k.held = append(k.held, x)
		k.mu.Unlock()
	})
}

func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held)
}

func (k *keeper) answer(n int) {
	k.mu.Lock()
	now := k.held[:n]
	k.held = k.held[n:]
	k.mu.Unlock()
	for _, x := range now {
		x.Respond(Answer{Head: okHead, Body: []byte("kept"), Trailer: okTrailer})
	}
}

func TestServer_DrainLetsOpenExchangesFinish(t *testing.T) {
	testx.NoLeaks(t)
	k := &keeper{}
	srv, p := serve(t, ServerConfig{Handler: k.handle})
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 3)
	for range 3 {
		c.Start(post(p, []byte("x")), func(r *Response, err error) { got <- kept(r, err) })
	}
	testx.Eventually(t, "three exchanges", func() bool { return k.count() == 3 })
	drained := make(chan error, 1)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { drained <- srv.Drain(within(t)) })
	testx.Eventually(t, "the client to leave the connection", func() bool {
		for _, h := range c.list() {
			h.mu.Lock()
			n := len(h.open)
			h.mu.Unlock()
			if n > 0 {
				return false
			}
		}
		return true
	})
	select {
	case err := <-drained:
		t.Fatalf("drained with open exchanges: %v", err)
	default:
	}
	k.answer(3)
	for range 3 {
		if o := wait(t, got); o.err != nil || string(o.body) != "kept" {
			t.Errorf("%q, %v", o.body, o.err)
		}
	}
	if err := wait(t, drained); err != nil {
		t.Fatal(err)
	}
	if n := srv.Conns(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestServer_DrainGivesUpWithItsContext(t *testing.T) {
	k := &keeper{}
	srv, p := serve(t, ServerConfig{Handler: k.handle})
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 1)
	c.Start(post(p, nil), func(r *Response, err error) { got <- kept(r, err) })
	testx.Eventually(t, "the exchange", func() bool { return k.count() == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	srv.Close()
	var lost *LostError
	if o := wait(t, got); !errors.As(o.err, &lost) || lost.Unprocessed {
		t.Fatal(o.err)
	}
	k.answer(1)
}

func TestClient_DrainWaitsForOpenRequests(t *testing.T) {
	testx.NoLeaks(t)
	k := &keeper{}
	_, p := serve(t, ServerConfig{Handler: k.handle})
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 1)
	c.Start(post(p, nil), func(r *Response, err error) { got <- kept(r, err) })
	testx.Eventually(t, "the exchange", func() bool { return k.count() == 1 })
	drained := make(chan error, 1)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { drained <- c.Drain(within(t)) })
	testx.Eventually(t, "the client to close", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.closed
	})
	if o := do(t, c, post(p, nil)); !errors.Is(o.err, ErrClosed) {
		t.Error(o.err)
	}
	k.answer(1)
	if o := wait(t, got); o.err != nil {
		t.Error(o.err)
	}
	if err := wait(t, drained); err != nil {
		t.Fatal(err)
	}
}

func TestClient_CloseEndsEverything(t *testing.T) {
	testx.NoLeaks(t)
	k := &keeper{}
	_, p := serve(t, ServerConfig{Handler: k.handle, Limits: Limits{MaxStreams: 2}})
	c := NewClient(ClientConfig{})
	got := make(chan outcome, 5)
	for range 5 { // two on the wire, three queued
		c.Start(post(p, nil), func(r *Response, err error) { got <- kept(r, err) })
	}
	testx.Eventually(t, "the exchanges", func() bool { return k.count() >= 2 })
	c.Close()
	for range 5 {
		if o := wait(t, got); !errors.Is(o.err, ErrClosed) {
			t.Error(o.err)
		}
	}
	k.answer(k.count())
}

func TestClient_HonoursMaxConcurrentStreams(t *testing.T) {
	testx.NoLeaks(t)
	var mu sync.Mutex
	open, most := 0, 0
	k := &keeper{}
	_, p := serve(t, ServerConfig{Limits: Limits{MaxStreams: 3}, Handler: func(x *Exchange) {
		mu.Lock()
		open++
		most = max(most, open)
		mu.Unlock()
		k.handle(x)
	}})
	c := newClient(t, ClientConfig{MaxQueued: 20})
	do1 := make(chan outcome, 40)
	c.Start(post(p, nil), func(r *Response, err error) { do1 <- kept(r, err) })
	testx.Eventually(t, "the first", func() bool { return k.count() == 1 }) // SETTINGS are there now
	for range 30 {
		c.Start(post(p, nil), func(r *Response, err error) { do1 <- kept(r, err) })
	}
	testx.Eventually(t, "the limit to be reached", func() bool { return k.count() == 3 })
	var limit *LimitError
	for range 8 { // 2 more are open, 20 queued, 8 refused at once
		if o := wait(t, do1); !errors.As(o.err, &limit) || limit.Name != "MaxQueued" {
			t.Fatal(o.err)
		}
	}
	for done := 0; done < 23; {
		testx.Eventually(t, "another exchange", func() bool { return k.count() > 0 })
		n := k.count()
		mu.Lock()
		open -= n
		mu.Unlock()
		k.answer(n)
		for range n {
			if o := wait(t, do1); o.err != nil {
				t.Fatal(o.err)
			}
		}
		done += n
	}
	if most > 3 {
		t.Errorf("%d streams at once", most)
	}
}

func TestClient_QueuedRequestsObeyDeadlineAndCancel(t *testing.T) {
	testx.NoLeaks(t)
	k := &keeper{}
	_, p := serve(t, ServerConfig{Limits: Limits{MaxStreams: 1}, Handler: k.handle})
	c := newClient(t, ClientConfig{})
	first, second, third := make(chan outcome, 1), make(chan outcome, 1), make(chan outcome, 1)
	c.Start(post(p, nil), func(r *Response, err error) { first <- kept(r, err) })
	testx.Eventually(t, "the first", func() bool { return k.count() == 1 })
	r := post(p, nil)
	r.Deadline = time.Now().Add(20 * time.Millisecond)
	c.Start(r, func(r *Response, err error) { second <- kept(r, err) })
	pending := c.Start(post(p, nil), func(r *Response, err error) { third <- kept(r, err) })
	if o := wait(t, second); !errors.Is(o.err, ErrTimeout) {
		t.Error(o.err)
	}
	pending.Cancel()
	if o := wait(t, third); !errors.Is(o.err, ErrCanceled) {
		t.Error(o.err)
	}
	k.answer(1)
	if o := wait(t, first); o.err != nil {
		t.Error(o.err)
	}
}

func TestClient_MoreConnectionsWhenAllAreFull(t *testing.T) {
	k := &keeper{}
	srv, p := serve(t, ServerConfig{Limits: Limits{MaxStreams: 1}, Handler: k.handle})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 3})
	got := make(chan outcome, 3)
	for n := 1; n <= 3; n++ {
		c.Start(post(p, nil), func(r *Response, err error) { got <- kept(r, err) })
		testx.Eventually(t, "the exchange", func() bool { return k.count() == n && srv.Conns() == n })
	}
	k.answer(3)
	for range 3 {
		if o := wait(t, got); o.err != nil {
			t.Error(o.err)
		}
	}
}

func TestClient_DialFailureIsToldToAllWhoWait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 10)
	for range 10 {
		c.Start(Request{Address: address, Head: postHead}, func(r *Response, err error) { got <- kept(r, err) })
	}
	for range 10 {
		var dial *DialError
		if o := wait(t, got); !errors.As(o.err, &dial) || dial.Address != address {
			t.Error(o.err)
		}
	}
}

func TestClient_GoAway_UnprocessedRequestsMoveToANewConnection(t *testing.T) {
	testx.NoLeaks(t)
	r := fakeServer(t, func(n int, r *raw) {
		r.settings()
		f := r.until(http2.FrameHeaders)
		if n == 0 {
			r.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
			r.ended()
			return
		}
		r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: r.block(":status", "200"), EndHeaders: true, EndStream: true})
		r.ended()
	})
	c := newClient(t, ClientConfig{})
	if got := do(t, c, r); got.err != nil || got.status != 200 {
		t.Fatalf("%+v", got)
	}
	c.Close()
}

func TestClient_GoAway_EarlierStreamsFinish(t *testing.T) {
	proceed, left := make(chan struct{}), make(chan http2.ErrCode, 1)
	r := fakeServer(t, func(n int, r *raw) {
		r.settings()
		f := r.until(http2.FrameHeaders)
		r.fr.WriteGoAway(f.StreamID, http2.ErrCodeNo, nil)
		<-proceed
		r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: r.block(":status", "200"), EndHeaders: true, EndStream: true})
		code, _ := r.ended()
		left <- code
	})
	c := newClient(t, ClientConfig{})
	got := make(chan outcome, 1)
	c.Start(r, func(r *Response, err error) { got <- kept(r, err) })
	close(proceed)
	if o := wait(t, got); o.err != nil {
		t.Fatal(o.err)
	}
	if code := wait(t, left); code != http2.ErrCodeNo {
		t.Errorf("client left with %v", code)
	}
}

func TestClient_RefusedStreamIsTriedAgainAFewTimes(t *testing.T) {
	seen := make(chan uint32, 10)
	r := fakeServer(t, func(n int, r *raw) {
		r.settings()
		for {
			f, err := r.next()
			if err != nil {
				return
			}
			if f.Type == http2.FrameHeaders {
				seen <- f.StreamID
				r.fr.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream)
			}
		}
	})
	c := newClient(t, ClientConfig{})
	got := do(t, c, r)
	var lost *LostError
	if !errors.As(got.err, &lost) || !lost.Unprocessed {
		t.Fatal(got.err)
	}
	if len(seen) != maxAttempts {
		t.Errorf("%d attempts", len(seen))
	}
}

func TestClient_SettingsChangeWhileStreamsAreOpen(t *testing.T) {
	const size = 200 << 10
	r := fakeServer(t, func(n int, r *raw) {
		r.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		r.fr.WriteWindowUpdate(0, 1<<20)
		head := r.until(http2.FrameHeaders)
		got := []byte{}
		read := func(n int) {
			for len(got) < n {
				got = append(got, r.until(http2.FrameData).data...)
			}
			if len(got) != n {
				t.Errorf("%d bytes, the window admits %d", len(got), n)
			}
		}
		// The client may have begun before the first SETTINGS came: its window was
		// 65535 then and is negative now.
		f := r.until(http2.FrameData)
		got = append(got, f.data...)
		for len(got) > 1000 && len(got) < defaultWindow {
			got = append(got, r.until(http2.FrameData).data...)
		}
		r.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100 << 10}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 20000})
		read(100 << 10)
		r.fr.WriteWindowUpdate(head.StreamID, size)
		longest := 0
		for len(got) < size {
			f := r.until(http2.FrameData)
			longest = max(longest, len(f.data))
			got = append(got, f.data...)
		}
		if longest != 20000 || !bytes.Equal(got, pattern(size)) {
			t.Errorf("longest frame %d, %d bytes", longest, len(got))
		}
		r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: head.StreamID, BlockFragment: r.block(":status", "200"), EndHeaders: true, EndStream: true})
		r.ended()
	})
	c := newClient(t, ClientConfig{})
	r.Body = pattern(size)
	if got := do(t, c, r); got.err != nil {
		t.Fatal(got.err)
	}
	c.Close()
}

func TestKeepalive_ASilentPeerIsLeft(t *testing.T) {
	testx.NoLeaks(t)
	pinged := make(chan [8]byte, 1)
	r := fakeServer(t, func(n int, r *raw) {
		r.settings()
		pinged <- r.until(http2.FramePing).ping
		r.ended() // reads, says nothing
	})
	c := newClient(t, ClientConfig{Limits: Limits{KeepaliveTime: 10 * time.Millisecond, KeepaliveTimeout: 30 * time.Millisecond}})
	got := do(t, c, r)
	var lost *LostError
	if !errors.As(got.err, &lost) || !errors.Is(got.err, errKeepalive) {
		t.Fatal(got.err)
	}
	if wait(t, pinged) != keepalivePing {
		t.Error("another PING came")
	}
}

func TestKeepalive_APeerThatAnswersIsKept(t *testing.T) {
	k := &keeper{}
	_, p := serve(t, ServerConfig{Handler: k.handle, Limits: Limits{KeepaliveTime: time.Millisecond, KeepaliveTimeout: patience}})
	c := newClient(t, ClientConfig{Limits: Limits{KeepaliveTime: time.Millisecond, KeepaliveTimeout: patience}})
	got := make(chan outcome, 1)
	c.Start(post(p, nil), func(r *Response, err error) { got <- kept(r, err) })
	testx.Eventually(t, "the exchange", func() bool { return k.count() == 1 })
	conn := onlyConn(c)
	last := conn.lastRead.Load()
	for range 5 { // five pings or answers later it still lives
		testx.Eventually(t, "another PING", func() bool { now := conn.lastRead.Load(); moved := now > last; last = now; return moved })
	}
	k.answer(1)
	if o := wait(t, got); o.err != nil {
		t.Fatal(o.err)
	}
}

func onlyConn(c *Client) *conn {
	for _, h := range c.list() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for conn := range h.all {
			return conn
		}
	}
	return nil
}

func TestIdle_EitherSideEndsAnUnusedConnection(t *testing.T) {
	testx.NoLeaks(t)
	short := Limits{IdleTimeout: 20 * time.Millisecond}
	for name, l := range map[string][2]Limits{"server": {short, {}}, "client": {{}, short}} {
		t.Run(name, func(t *testing.T) {
			srv, p := serve(t, ServerConfig{Handler: echo, Limits: l[0]})
			c := newClient(t, ClientConfig{Limits: l[1]})
			for range 3 { // and the next request opens another
				if got := do(t, c, post(p, []byte("x"))); got.err != nil {
					t.Fatal(got.err)
				}
				testx.Eventually(t, "the connection to end", func() bool { return srv.Conns() == 0 && onlyConn(c) == nil })
			}
		})
	}
}

func TestServer_MoreConnectionsThanAllowedAreClosed(t *testing.T) {
	srv, p := serve(t, ServerConfig{Handler: echo, MaxConns: 1})
	first := dialRaw(t, p)
	first.until(http2.FrameSettings)
	dialBare(t, p).ended()
	if n := srv.Conns(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestClient_HostLimit(t *testing.T) {
	_, a := serve(t, ServerConfig{Handler: echo})
	_, b := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{MaxHosts: 1})
	if got := do(t, c, post(a, nil)); got.err != nil {
		t.Fatal(got.err)
	}
	var limit *LimitError
	if got := do(t, c, post(b, nil)); !errors.As(got.err, &limit) || limit.Name != "MaxHosts" {
		t.Fatal(got.err)
	}
}

func TestUnary_CallbacksMayStartMore(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{})
	finished := make(chan int, 1)
	n := 0
	var next func(*Response, error)
	next = func(r *Response, err error) {
		if n++; err != nil || n == 1000 {
			finished <- n
			return
		}
		c.Start(post(p, []byte("again")), next)
	}
	c.Start(post(p, nil), next)
	if got := wait(t, finished); got != 1000 {
		t.Fatalf("ended after %d", got)
	}
}
