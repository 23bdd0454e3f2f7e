package httpx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

func TestClient_NetHTTPServer_AllShapesOfResponse(t *testing.T) {
	testx.NoLeaks(t)
	big := strings.Repeat("0123456789", 200_000)
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", fmt.Sprint(len(body)))
		switch r.URL.Path {
		case "/chunked":
			io.WriteString(w, big[:100])
			w.(http.Flusher).Flush()
			io.WriteString(w, big[100:])
		case "/nocontent":
			w.WriteHeader(204)
		case "/interim":
			w.WriteHeader(103)
			io.WriteString(w, "final")
		case "/error":
			w.WriteHeader(500)
			io.WriteString(w, "An error occurred")
		case "/close":
			w.Header().Set("Connection", "close")
			io.WriteString(w, "bye")
		default:
			w.Write(body)
		}
	}))
	defer peer.Close()
	c := newClient(t, ClientConfig{})
	for _, tc := range []struct {
		line, sent string
		status     int
		want       string
		noBody     bool
	}{
		{line: "POST /echo HTTP/1.1", sent: "hello", status: 200, want: "hello"},
		{line: "POST /echo HTTP/1.1", sent: big, status: 200, want: big},
		{line: "POST /chunked HTTP/1.1", status: 200, want: big},
		{line: "GET /nocontent HTTP/1.1", status: 204},
		{line: "GET /interim HTTP/1.1", status: 200, want: "final"},
		{line: "HEAD /echo HTTP/1.1", status: 200, noBody: true},
		{line: "POST /error HTTP/1.1", sent: "x", status: 500, want: "An error occurred"},
		{line: "POST /close HTTP/1.1", sent: "x", status: 200, want: "bye"},
		{line: "POST /echo HTTP/1.0", sent: "old", status: 200, want: "old"},
	} {
		r := post(peer.Listener.Addr().String(), tc.sent)
		r.Head = fmt.Appendf(nil, "%s\r\nHost: h\r\nContent-Length: %d\r\n\r\n", tc.line, len(tc.sent))
		r.NoBody = tc.noBody
		got := do(c, r)
		if got.err != nil || got.status != tc.status || got.body != tc.want {
			t.Errorf("%s: status %d, %d bytes, error %v", tc.line, got.status, len(got.body), got.err)
		}
		if want := fmt.Sprintf("X-Got: %d\n", len(tc.sent)); !strings.Contains(got.headers, want) {
			t.Errorf("%s: headers %q lack %q", tc.line, got.headers, want)
		}
	}
}

func TestClient_OurServer_ManyAtOnceOverBothNetworks(t *testing.T) {
	testx.NoLeaks(t)
	_, tcp := serve(t, ServerConfig{Handler: func(x *Exchange) { go echo(x) }})
	_, unix := serveUnix(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 8})
	var wg sync.WaitGroup
	for i := range 400 {
		size := []int{0, 3, 1000, 5000, 20_000, 300_000}[i%6]
		body := strings.Repeat(string(rune('a'+i%26)), size)
		r := post(tcp.Addr().String(), body)
		if i%2 == 1 {
			r.Network, r.Address = "unix", unix.Addr().String()
		}
		wg.Add(1)
		c.Start(r, func(r *Response, err error) {
			defer wg.Done()
			if err != nil || string(r.Body) != body {
				t.Errorf("request %d of %d bytes: %v", i, size, err)
			}
		})
	}
	wg.Wait()
	for _, h := range c.hosts {
		if len(h.conns) > 8 {
			t.Errorf("%d connections to %v, limit 8", len(h.conns), h.key)
		}
	}
}

func TestClient_SequentialCalls_ReuseConnections(t *testing.T) {
	testx.NoLeaks(t)
	// Without a limit a caller that is quicker than the goroutine which puts the
	// connection back, or than the one which has just dialled, gets another one;
	// a few such extras then serve in turn, they do not grow with the calls.
	for limit, most := range map[int]int{1: 1, 0: 10} {
		_, p := serve(t, ServerConfig{Handler: echo})
		c := newClient(t, ClientConfig{MaxConnsPerHost: limit})
		for i := range 200 {
			if got := do(c, post(p.Addr().String(), fmt.Sprint(i))); got.body != fmt.Sprint(i) {
				t.Fatalf("call %d: %+v", i, got)
			}
		}
		if n := p.Conns(); n > most {
			t.Fatalf("limit %d: %d connections for one caller, expected at most %d", limit, n, most)
		}
	}
}

func TestClient_LyingPeers_ErrorNamesWhatIsWrong(t *testing.T) {
	testx.NoLeaks(t)
	for name, tc := range map[string]struct {
		answer string
		says   string
		is     any
	}{
		"garbage":        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "status line: \"SSH-2.0-OpenSSH_9.2\" is not", new(*ProtocolError)},
		"status letters": {"HTTP/1.1 2x0 OK\r\n\r\n", "not three digits", new(*ProtocolError)},
		"version":        {"HTTP/3.1 200 OK\r\n\r\n", "status line", new(*ProtocolError)},
		"bare LF":        {"HTTP/1.1 200 OK\nA: b\n\n", "bare LF", new(*ProtocolError)},
		"header":         {"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "header line 1: \"nonsense\"", new(*ProtocolError)},
		"CL and TE":      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "both Content-Length", new(*ProtocolError)},
		"CL":             {"HTTP/1.1 200 OK\r\nContent-Length: one\r\n\r\n", "Content-Length \"one\"", new(*ProtocolError)},
		"chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size: \"zz\"", new(*ProtocolError)},
		"switching":      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101", new(*ProtocolError)},
		"endless 1xx":    {strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "final response", new(*ProtocolError)},
		"long head":      {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 5000) + "\r\n\r\n", "longer than 4000", new(*ProtocolError)},
		"many headers":   {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 30) + "\r\n", "more than 20", new(*ProtocolError)},
		"large CL":       {"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n", "MaxBodyBytes (10000)", new(*LimitError)},
		"large chunked":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n", "MaxBodyBytes (10000)", new(*LimitError)},
		"large to end":   {"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 20000), "MaxBodyBytes (10000)", new(*LimitError)},
		"cut head":       {"HTTP/1.1 200 OK\r\nCont", "inside the response: unexpected EOF", new(*LostError)},
		"cut body":       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "inside the response", new(*LostError)},
		"cut chunk":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "inside the response", new(*LostError)},
		"nothing":        {"", "before the response: EOF", new(*LostError)},
	} {
		t.Run(name, func(t *testing.T) {
			addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
				if takeRequest(r) == nil {
					io.WriteString(c, tc.answer)
					c.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, r)
				}
			})
			c := newClient(t, ClientConfig{MaxBodyBytes: 10000, MaxHeadBytes: 4000, MaxHeaders: 20})
			got := do(c, post(addr, "x"))
			mustContain(t, got.err, tc.says)
			if !errors.As(got.err, tc.is) {
				t.Fatalf("error is a %T", got.err)
			}
		})
	}
}

func TestClient_BodyUpToEndOfConnection_IsComplete(t *testing.T) {
	testx.NoLeaks(t)
	body := strings.Repeat("old server ", 2000)
	addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		takeRequest(r)
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n"+body)
	})
	c := newClient(t, ClientConfig{})
	for range 3 {
		if got := do(c, post(addr, "x")); got.err != nil || got.body != body {
			t.Fatalf("%d bytes, error %v", len(got.body), got.err)
		}
	}
}

func TestClient_Timeout_ClosesTheConnectionAndTheNextCallWorks(t *testing.T) {
	testx.NoLeaks(t)
	closed := make(chan struct{})
	addr := fakeServer(t, func(n int, c net.Conn, r *bufio.Reader) {
		takeRequest(r)
		if n == 0 {
			io.Copy(io.Discard, r)
			close(closed)
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		io.Copy(io.Discard, r)
	})
	c := newClient(t, ClientConfig{})
	r := post(addr, "x")
	r.Deadline = time.Now().Add(30 * time.Millisecond)
	start := time.Now()
	if got := do(c, r); !errors.Is(got.err, ErrTimeout) {
		t.Fatalf("error %v", got.err)
	}
	if took := time.Since(start); took < 30*time.Millisecond || took > 10*time.Second {
		t.Fatalf("timed out after %v", took)
	}
	<-closed
	if got := do(c, post(addr, "x")); got.body != "ok" {
		t.Fatalf("second call: %+v", got)
	}
}

func TestClient_TimeoutInsideAResponse_IsATimeout(t *testing.T) {
	testx.NoLeaks(t)
	addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		takeRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
		io.Copy(io.Discard, r)
	})
	r := post(addr, "x")
	r.Deadline = time.Now().Add(30 * time.Millisecond)
	if got := do(newClient(t, ClientConfig{}), r); !errors.Is(got.err, ErrTimeout) {
		t.Fatalf("error %v", got.err)
	}
}

func TestClient_ShortDeadlineOfAnEarlierCall_DoesNotCutTheNext(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		if string(x.Body()) == "hold" {
			held <- x
			return
		}
		echo(x)
	}})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
	short := post(p.Addr().String(), "short")
	short.Deadline = time.Now().Add(300 * time.Millisecond)
	if got := do(c, short); got.body != "short" {
		t.Fatalf("%+v", got)
	}
	_, got := begin(c, post(p.Addr().String(), "hold"))
	x := <-held
	past := time.NewTimer(time.Until(short.Deadline) + 20*time.Millisecond)
	<-past.C
	echo(x)
	if r := <-got; r.body != "hold" {
		t.Fatalf("%+v", r)
	}
	if n := p.Conns(); n != 1 {
		t.Fatalf("%d connections, want 1", n)
	}
}

func TestCancel_InFlightAndQueued_EachDoneOnce(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 2)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
	first, got1 := begin(c, post(p.Addr().String(), "1"))
	x := <-held
	gone := make(chan struct{})
	x.OnGone(func() { close(gone) })
	second, got2 := begin(c, post(p.Addr().String(), "2"))
	third, got3 := begin(c, post(p.Addr().String(), "3"))
	second.Cancel()
	if r := <-got2; !errors.Is(r.err, ErrCanceled) {
		t.Fatalf("queued: %v", r.err)
	}
	first.Cancel()
	first.Cancel()
	if r := <-got1; !errors.Is(r.err, ErrCanceled) {
		t.Fatalf("in flight: %v", r.err)
	}
	<-gone
	echo(<-held)
	if r := <-got3; r.body != "3" {
		t.Fatalf("third: %+v", r)
	}
	third.Cancel()
	if len(got1)+len(got2)+len(got3) != 0 {
		t.Fatal("a done function ran twice")
	}
}

func TestQueue_Limits_FailAtOnceWithTheirNames(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 2)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	for _, tc := range []struct {
		cfg  ClientConfig
		says string
	}{
		{ClientConfig{MaxConnsPerHost: 1, MaxQueued: 1}, "MaxQueued (1)"},
		{ClientConfig{MaxConnsPerHost: 1, MaxQueuedBytes: 10}, "MaxQueuedBytes (10)"},
	} {
		c := newClient(t, tc.cfg)
		_, got1 := begin(c, post(p.Addr().String(), "1"))
		x := <-held
		_, got2 := begin(c, post(p.Addr().String(), "2"))
		mustContain(t, do(c, post(p.Addr().String(), "3")).err, tc.says, p.Addr().String())
		echo(x)
		<-got1
		echo(<-held)
		if r := <-got2; r.body != "2" {
			t.Fatalf("queued request: %+v", r)
		}
	}
}

func TestQueue_DeadlinePassesBeforeAConnectionIsThere_TimesOut(t *testing.T) {
	testx.NoLeaks(t)
	c := newClient(t, ClientConfig{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	r := post("nowhere:1", "x")
	r.Deadline = time.Now().Add(20 * time.Millisecond)
	if got := do(c, r); !errors.Is(got.err, ErrTimeout) {
		t.Fatalf("error %v", got.err)
	}
}

func TestDial_RefusedOrTooSlow_ErrorNamesTheAddress(t *testing.T) {
	testx.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	got := do(newClient(t, ClientConfig{}), post(addr, "x"))
	mustContain(t, got.err, addr, "refused")
	slow := newClient(t, ClientConfig{DialTimeout: 10 * time.Millisecond, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	var dial *DialError
	if got := do(slow, post("h:1", "x")); !errors.As(got.err, &dial) {
		t.Fatalf("error %v", got.err)
	}
	mustContain(t, dial, "h:1", "DialTimeout (10ms)")
}

func TestClient_ServerClosesIdleConnection_ItLeavesThePool(t *testing.T) {
	testx.NoLeaks(t)
	srv, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{})
	do(c, post(p.Addr().String(), "x"))
	if err := srv.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	testx.Eventually(t, "the pool to be empty", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, h := range c.hosts {
			if !h.unused() {
				return false
			}
		}
		return true
	})
}

func TestClient_IdleTimeout_ClosesTheConnection(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{IdleTimeout: 30 * time.Millisecond})
	for range 3 {
		if got := do(c, post(p.Addr().String(), "x")); got.body != "x" {
			t.Fatalf("%+v", got)
		}
		testx.Eventually(t, "the idle connection to close", func() bool { return p.Conns() == 0 })
	}
}

func TestClient_UnaskedResponse_DropsTheConnection(t *testing.T) {
	testx.NoLeaks(t)
	addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		takeRequest(r)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
		io.Copy(io.Discard, r)
	})
	c := newClient(t, ClientConfig{})
	for range 3 {
		if got := do(c, post(addr, "x")); got.body != "ok" {
			t.Fatalf("%+v", got)
		}
	}
}

func TestClient_PeerHangsUpOnEverybody_FailsSoon(t *testing.T) {
	testx.NoLeaks(t)
	addr := fakeServer(t, func(int, net.Conn, *bufio.Reader) {})
	var dials atomic.Int32
	c := newClient(t, ClientConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}})
	for i := range int32(50) {
		var lost *LostError
		if got := do(c, post(addr, "x")); !errors.As(got.err, &lost) {
			t.Fatalf("error %v", got.err)
		}
		if n := dials.Load(); n > (i+1)*maxHangUps {
			t.Fatalf("%d dials for %d requests", n, i+1)
		}
	}
}

func TestClient_EarlyAnswerToALargeBody_IsDelivered(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo, MaxBodyBytes: 1000})
	c := newClient(t, ClientConfig{})
	for range 5 {
		got := do(c, post(p.Addr().String(), strings.Repeat("x", 200_000)))
		if got.err != nil || got.status != 413 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestClient_CallInsideDone_CompletesEvenWhenDoneWaits(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{})
	outer := make(chan result, 1)
	c.Start(post(p.Addr().String(), "outer"), func(*Response, error) {
		outer <- do(c, post(p.Addr().String(), "inner"))
	})
	if got := <-outer; got.body != "inner" {
		t.Fatalf("%+v", got)
	}
}

func TestClient_DonePanics_OthersLiveOn(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
	c.Start(post(p.Addr().String(), "x"), func(*Response, error) { panic("user code") })
	if got := do(c, post(p.Addr().String(), "y")); got.body != "y" {
		t.Fatalf("%+v", got)
	}
}

func TestClient_TooManyHosts_UnusedOnesMakeRoom(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 2)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	_, q := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{MaxHosts: 1})
	pending, got := begin(c, post(p.Addr().String(), "x"))
	<-held
	mustContain(t, do(c, post(q.Addr().String(), "x")).err, "MaxHosts (1)")
	pending.Cancel()
	<-got
	testx.Eventually(t, "the first address to be unused", func() bool { return do(c, post(q.Addr().String(), "x")).body == "x" })
}

func TestClose_InFlightAndQueuedAndDialing_AllEnd(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	dialing := make(chan struct{})
	c := NewClient(ClientConfig{MaxConnsPerHost: 1, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "slow:1" {
			close(dialing)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}})
	_, flying := begin(c, post(p.Addr().String(), "1"))
	<-held
	_, queued := begin(c, post(p.Addr().String(), "2"))
	_, slow := begin(c, post("slow:1", "3"))
	<-dialing
	c.Close()
	for name, got := range map[string]chan result{"in flight": flying, "queued": queued, "dialing": slow} {
		if r := <-got; !errors.Is(r.err, ErrClosed) {
			t.Errorf("%s: %v", name, r.err)
		}
		if len(got) != 0 {
			t.Errorf("%s: done ran twice", name)
		}
	}
	if got := do(c, post(p.Addr().String(), "late")); !errors.Is(got.err, ErrClosed) {
		t.Errorf("after Close: %v", got.err)
	}
	c.Close()
}

func TestClient_CancelRacesWithResponse_DoneExactlyOnce(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 4})
	var wg sync.WaitGroup
	var calls atomic.Int32
	const n = 500
	wg.Add(n)
	for i := range n {
		pending := c.Start(post(p.Addr().String(), "x"), func(r *Response, err error) {
			calls.Add(1)
			if err != nil && !errors.Is(err, ErrCanceled) {
				t.Errorf("error %v", err)
			}
			wg.Done()
		})
		if i%2 == 0 {
			go pending.Cancel()
		}
	}
	wg.Wait()
	if calls.Load() != n {
		t.Fatalf("%d done calls, want %d", calls.Load(), n)
	}
}

func TestClose_QueueTimersFireMeanwhile_NoDoneAfterClose(t *testing.T) {
	testx.NoLeaks(t)
	for range 50 {
		c := NewClient(ClientConfig{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		var calls atomic.Int32
		r := post("h:1", "x")
		r.Deadline = time.Now().Add(200 * time.Microsecond)
		const n = 20
		for range n {
			c.Start(r, func(*Response, error) { calls.Add(1) })
		}
		c.Close()
		if got := calls.Load(); got != n {
			t.Fatalf("%d of %d requests were done when Close returned", got, n)
		}
	}
}
