package httpx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// serveOK answers every request of a connection with okAnswer.
func serveOK(c net.Conn, r *bufio.Reader) {
	for takeRequest(r) == nil {
		io.WriteString(c, okAnswer)
	}
}

// oneProcessor keeps the client's goroutines from noticing what the test does
// to their connections before the test's next call: as on an overloaded machine.
func oneProcessor(t *testing.T) {
	old := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// busyConn is the server's side of a connection that waits for its answer.
type busyConn struct {
	conn net.Conn
	got  chan result
}

func busy(t *testing.T, c *Client, l net.Listener) busyConn {
	t.Helper()
	_, got := begin(c, post(l.Addr().String(), "x"))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := takeRequest(bufio.NewReader(conn)); err != nil {
		t.Fatal(err)
	}
	return busyConn{conn, got}
}

// pooled makes n idle connections and gives the server's side of each.
func pooled(t *testing.T, c *Client, l net.Listener, n int) (sides []net.Conn) {
	t.Helper()
	var made []busyConn
	for range n {
		made = append(made, busy(t, c, l))
	}
	for _, b := range made {
		io.WriteString(b.conn, okAnswer)
		if r := <-b.got; r.body != "ok" {
			t.Fatalf("%+v", r)
		}
		sides = append(sides, b.conn)
	}
	testx.Eventually(t, "the connections to be idle", func() bool { return idle(c) == n })
	return sides
}

func idle(c *Client) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hosts {
		h.mu.Lock()
		n += len(h.idle)
		h.mu.Unlock()
	}
	return n
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Whatever a peer did to its idle connections, the next request is made on a
// fresh one; the dead ones are no attempts.
func TestPlace_IdleConnectionsAreDead_RequestGoesOutOnAFreshOne(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"closed":      func(c net.Conn) { c.Close() },
		"reset":       func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() },
		"half closed": func(c net.Conn) { c.(*net.TCPConn).CloseWrite() },
		"has spoken":  func(c net.Conn) { io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			testx.NoLeaks(t)
			oneProcessor(t)
			for range 10 {
				l := listen(t)
				c := newClient(t, ClientConfig{})
				for _, side := range pooled(t, c, l, 5) {
					end(side)
				}
				_, got := begin(c, post(l.Addr().String(), "x"))
				side, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				go serveOK(side, bufio.NewReader(side))
				if r := <-got; r.err != nil || r.body != "ok" {
					t.Fatalf("%+v", r)
				}
				c.Close()
			}
		})
	}
}

// Finding (a): while a dial was under way, a waiting request was handed idle
// connections that the peer had closed, and they counted as its attempts.
func TestPlace_DialUnderWayAndIdleConnectionsDead_WaitsForTheDial(t *testing.T) {
	testx.NoLeaks(t)
	oneProcessor(t)
	for round := range 20 {
		l := listen(t)
		var dials atomic.Int32
		dialing, gate := make(chan struct{}), make(chan struct{})
		c := newClient(t, ClientConfig{Dial: script(&dials, func(n int32, real func() (net.Conn, error)) (net.Conn, error) {
			if n == 2 {
				close(dialing)
				<-gate
			}
			return real()
		})})
		a, b := busy(t, c, l), busy(t, c, l)
		waiting, gone := begin(c, post(l.Addr().String(), "x"))
		<-dialing
		waiting.Cancel()
		<-gone
		for _, side := range []busyConn{a, b} {
			io.WriteString(side.conn, okAnswer)
			<-side.got
		}
		testx.Eventually(t, "the connections to be idle", func() bool { return idle(c) == 2 })
		if round%2 == 0 {
			a, b = b, a
		}
		a.conn.Close()
		b.conn.Close()
		_, got := begin(c, post(l.Addr().String(), "x"))
		testx.Eventually(t, "the dead connections to be gone", func() bool { return idle(c) == 0 })
		close(gate)
		side, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go serveOK(side, bufio.NewReader(side))
		if r := <-got; r.err != nil {
			t.Fatal(r.err)
		}
		c.Close()
		side.Close()
	}
}

// Finding (b): between the end of a dial and its request being taken, the end
// of another connection started a dial that nobody needed.
func TestDial_EndsTogetherWithAnotherConnection_NoSurplusDial(t *testing.T) {
	testx.NoLeaks(t)
	for range 300 {
		l := listen(t)
		var dials atomic.Int32
		gate := make(chan struct{})
		c := newClient(t, ClientConfig{MaxConnsPerHost: 2, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if dials.Add(1) == 2 {
				<-gate
			}
			return conn, err
		}})
		_, first := begin(c, post(l.Addr().String(), "1"))
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		takeRequest(bufio.NewReader(a))
		_, second := begin(c, post(l.Addr().String(), "2"))
		b, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() { defer b.Close(); serveOK(b, bufio.NewReader(b)) }()
		go a.Close()
		close(gate)
		<-first
		if r := <-second; r.err != nil {
			t.Fatal(r.err)
		}
		c.Close()
		if n := dials.Load(); n != 2 {
			t.Fatalf("%d dials, want 2", n)
		}
	}
}

// script is a Dial function whose n-th dial, from 0, is made by the test.
func script(dials *atomic.Int32, dial func(n int32, real func() (net.Conn, error)) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(dials.Add(1)-1, func() (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, network, address) })
	}
}

// deadConn is a connection that the peer has closed, and the socket knows it.
func deadConn() (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	side, err := l.Accept()
	if err != nil {
		return nil, err
	}
	side.Close()
	_, err = conn.Read(make([]byte, 1))
	if err != io.EOF {
		return nil, err
	}
	return conn, nil
}

// Findings (c) and (d): what a dial came to that began before the request was
// queued is not the request's outcome.
func TestDial_BeganBeforeTheRequest_ItsFailureIsNotTheRequests(t *testing.T) {
	for name, failing := range map[string]func() (net.Conn, error){
		"refused":              func() (net.Conn, error) { return nil, errors.New("connection refused") },
		"accepted, then ended": deadConn,
	} {
		t.Run(name, func(t *testing.T) {
			testx.NoLeaks(t)
			addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) { serveOK(c, r) })
			var dials atomic.Int32
			began, gate := make(chan struct{}), make(chan struct{})
			c := newClient(t, ClientConfig{Dial: script(&dials, func(n int32, real func() (net.Conn, error)) (net.Conn, error) {
				if n == 0 {
					close(began)
					<-gate
					return failing()
				}
				return real()
			})})
			earlier, gone := begin(c, post(addr, "x"))
			<-began
			earlier.Cancel()
			<-gone
			_, got := begin(c, post(addr, "x"))
			close(gate)
			if r := <-got; r.err != nil || r.body != "ok" {
				t.Fatalf("%+v", r)
			}
			if n := dials.Load(); n != 2 {
				t.Fatalf("%d dials, want 2", n)
			}
		})
	}
}

func TestDial_ConnectionsEndAtOnce_AFewAreForgiven(t *testing.T) {
	testx.NoLeaks(t)
	addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) { serveOK(c, r) })
	for dead := range int32(maxHangUps + 1) {
		var dials atomic.Int32
		c := newClient(t, ClientConfig{Dial: script(&dials, func(n int32, real func() (net.Conn, error)) (net.Conn, error) {
			if n < dead {
				return deadConn()
			}
			return real()
		})})
		r := do(c, post(addr, "x"))
		var lost *LostError
		switch {
		case dead < maxHangUps && r.err != nil:
			t.Errorf("%d dead connections: %v", dead, r.err)
		case dead == maxHangUps && (!errors.As(r.err, &lost) || lost.Sent || dials.Load() != maxHangUps):
			t.Errorf("%d dead connections, %d dials: %v", dead, dials.Load(), r.err)
		}
	}
}

// Finding (e): a Start that waits for the peer to read can be given up.
func TestCancel_WhileStartWrites_EndsBoth(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t)
	c := newClient(t, ClientConfig{})
	pooled(t, c, l, 1)
	r := post(l.Addr().String(), strings.Repeat("x", 32<<20))
	r.Deadline = time.Time{}
	got, started := make(chan result, 2), make(chan struct{})
	p := c.Prepare(r, func(r *Response, err error) { got <- copyResult(r, err) })
	go func() { defer close(started); p.Start() }()
	testx.Eventually(t, "the write to begin", p.writing)
	p.Cancel()
	if r := <-got; !errors.Is(r.err, ErrCanceled) {
		t.Fatalf("%+v", r)
	}
	<-started
}

func TestCancel_BeforeStart_NothingIsSent(t *testing.T) {
	testx.NoLeaks(t)
	var dials atomic.Int32
	c := newClient(t, ClientConfig{Dial: script(&dials, func(int32, func() (net.Conn, error)) (net.Conn, error) { return deadConn() })})
	got := make(chan result, 2)
	p := c.Prepare(post("h:1", "x"), func(r *Response, err error) { got <- copyResult(r, err) })
	p.Cancel()
	p.Start()
	if r := <-got; !errors.Is(r.err, ErrCanceled) || dials.Load() != 0 || len(got) != 0 {
		t.Fatalf("%+v, %d dials", r, dials.Load())
	}
}

// limping fails a write after some bytes of it.
type limping struct {
	net.Conn
	writes int // that work
	then   int // bytes of the one that does not
}

func (c *limping) Write(p []byte) (int, error) {
	if c.writes--; c.writes >= 0 {
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:min(c.then, len(p))])
	return n, errors.New("limping")
}

func TestWrite_Fails_TriedElsewhereOnlyWhileNothingIsOut(t *testing.T) {
	testx.NoLeaks(t)
	for _, tc := range []struct {
		name         string
		writes, then int
		dials        int32
		says         string
	}{
		{"first request, nothing out", 0, 0, 2, ""},
		{"second request, nothing out", 1, 0, 2, ""},
		{"first request, some out", 0, 5, 1, "limping; the request may have been executed"},
		{"second request, some out", 1, 5, 1, "limping; the request may have been executed"},
	} {
		addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) { serveOK(c, r) })
		var dials atomic.Int32
		c := newClient(t, ClientConfig{MaxConnsPerHost: 1, Dial: script(&dials, func(n int32, real func() (net.Conn, error)) (net.Conn, error) {
			conn, err := real()
			if n == 0 {
				conn = &limping{conn, tc.writes, tc.then}
			}
			return conn, err
		})})
		for range tc.writes {
			if r := do(c, post(addr, "x")); r.err != nil {
				t.Fatalf("%s: %v", tc.name, r.err)
			}
		}
		switch r := do(c, post(addr, "x")); {
		case tc.says == "" && r.body != "ok":
			t.Errorf("%s: %+v", tc.name, r)
		case tc.says != "":
			mustContain(t, r.err, addr, tc.says)
		}
		if n := dials.Load(); n != tc.dials {
			t.Errorf("%s: %d dials, want %d", tc.name, n, tc.dials)
		}
	}
}

// A server that reads a request and closes may have executed it.
func TestLost_AfterTheRequestWasSent_IsNotRepeated(t *testing.T) {
	testx.NoLeaks(t)
	for before := range 2 { // on a fresh connection, and on one that has served
		var requests atomic.Int32
		addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
			for n := 0; takeRequest(r) == nil; n++ {
				requests.Add(1)
				if n == before {
					return
				}
				io.WriteString(c, okAnswer)
			}
		})
		c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
		for range before {
			if r := do(c, post(addr, "x")); r.err != nil {
				t.Fatal(r.err)
			}
		}
		r := do(c, post(addr, "x"))
		var lost *LostError
		if !errors.As(r.err, &lost) || !lost.Sent || lost.Received {
			t.Fatalf("%+v", r)
		}
		mustContain(t, r.err, addr, "before the response", "may have been executed")
		if n := int(requests.Load()); n != before+1 {
			t.Fatalf("%d requests arrived, want %d", n, before+1)
		}
	}
}

func TestDial_PeerAnswersBeforeItIsAsked_TheAnswerArrives(t *testing.T) {
	testx.NoLeaks(t)
	addr := fakeServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfull")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, r)
	})
	c := newClient(t, ClientConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			waitReadable(conn.(*net.TCPConn))
		}
		return conn, err
	}})
	for range 20 {
		if r := do(c, post(addr, "x")); r.status != 503 || r.body != "full" {
			t.Fatalf("%+v", r)
		}
	}
}

func waitReadable(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err == nil {
		_ = raw.Read(func(fd uintptr) bool { return peek(fd) != nothing })
	}
}

// An answer may come before the body is out. The connection serves again when
// the peer takes the body, and is closed when it does not.
func TestResponse_BeforeTheBodyIsOut(t *testing.T) {
	testx.NoLeaks(t)
	for name, reads := range map[string]bool{"the peer reads on": true, "the peer stops reading": false} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
			side := pooled(t, c, l, 1)[0]
			r := post(l.Addr().String(), strings.Repeat("x", 32<<20))
			r.Deadline = time.Time{}
			got, started := make(chan result, 2), make(chan struct{})
			p := c.Prepare(r, func(r *Response, err error) { got <- copyResult(r, err) })
			go func() { defer close(started); p.Start() }()
			testx.Eventually(t, "the write to begin", p.writing)
			io.WriteString(side, okAnswer)
			testx.Eventually(t, "the answer to be read", p.over)
			if reads {
				go func() {
					in := bufio.NewReader(side)
					takeRequest(in)
					serveOK(side, in)
				}()
			} else {
				go func() {
					if next, err := l.Accept(); err == nil {
						defer next.Close()
						serveOK(next, bufio.NewReader(next))
					}
				}()
			}
			if r := <-got; r.body != "ok" {
				t.Fatalf("%+v", r)
			}
			<-started
			if r := do(c, post(l.Addr().String(), "next")); r.body != "ok" {
				t.Fatalf("next: %+v", r)
			}
		})
	}
}
