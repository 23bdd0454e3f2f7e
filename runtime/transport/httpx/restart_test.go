package httpx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/port"
)

// waiting is the server's side of a connection on which bytes have arrived
// that nobody has read, and the peer's side.
func waiting(t *testing.T, bytes string) (net.Conn, *rawConn) {
	t.Helper()
	l := listen(t)
	p, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	side, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { side.Close() })
	peer := newRaw(t, p)
	peer.send(bytes)
	waitReadable(side.(*net.TCPConn))
	return side, peer
}

const small = "POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"

func TestServer_RequestArrivedWhenTheIdleTimeEnds_IsAnswered(t *testing.T) {
	testx.NoLeaks(t)
	srv, err := NewServer(ServerConfig{Handler: echo, IdleTimeout: 1}) // over before the first read
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	side, peer := waiting(t, small)
	srv.ServeConn(side)
	if status, body := peer.response(); status != 200 || body != "hi" {
		t.Fatalf("%d %q", status, body)
	}
	peer.ended()
}

func TestDrain_RequestArrivedBeforeTheClose_IsAnswered(t *testing.T) {
	testx.NoLeaks(t)
	oneProcessor(t)
	t.Run("on an idle connection", func(t *testing.T) {
		for range 20 {
			srv, p := serve(t, ServerConfig{Handler: echo})
			peer := dialRaw(t, p)
			peer.send(small)
			peer.response()
			peer.send(small)
			now, cancel := context.WithCancel(context.Background())
			cancel()
			_ = srv.Drain(now)
			if status, body := peer.response(); status != 200 || body != "hi" {
				t.Fatalf("%d %q", status, body)
			}
			peer.ended()
		}
	})
	t.Run("on a new connection", func(t *testing.T) {
		srv, err := NewServer(ServerConfig{Handler: echo})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		if err := srv.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		side, peer := waiting(t, small)
		srv.ServeConn(side)
		if status, body := peer.response(); status != 200 || body != "hi" {
			t.Fatalf("%d %q", status, body)
		}
		peer.ended()
	})
}

func TestDrain_RequestHalfHere_IsReadToItsEnd(t *testing.T) {
	testx.NoLeaks(t)
	for cut := 1; cut < len(small); cut += 7 {
		srv, p := serve(t, ServerConfig{Handler: echo})
		peer := dialRaw(t, p)
		peer.send(small[:cut])
		testx.Eventually(t, "the server to be reading", func() bool { return srv.Conns() == 1 })
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = srv.Drain(now)
		_ = srv.Drain(now)
		peer.send(small[cut:])
		if status, body := peer.response(); status != 200 || body != "hi" {
			t.Fatalf("cut at %d: %d %q", cut, status, body)
		}
		peer.ended()
	}
}

// restarting is a server that is started and stopped again and again on one
// address, and counts how often each request is executed.
type restarting struct {
	address  string
	up       atomic.Int64 // even: a server is there and has been since this number
	mu       sync.Mutex   // guards executed
	executed map[string]int
	srv      *Server
	port     *port.Port
}

func (r *restarting) start(t *testing.T) {
	srv, err := NewServer(ServerConfig{Handler: func(x *Exchange) {
		r.mu.Lock()
		r.executed[string(x.Body())]++
		r.mu.Unlock()
		echo(x)
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Listen(port.Config{Address: r.address, Serve: srv.ServeConn})
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.srv, r.port = p.Addr().String(), srv, p
	r.up.Add(1)
}

func (r *restarting) stop() {
	r.up.Add(1)
	r.port.StopAccepting()
	r.srv.Close()
	r.port.Close()
}

// check compares the outcome of a request with what was executed.
func (r *restarting) check(t *testing.T, id string, up bool, got result) {
	r.mu.Lock()
	n := r.executed[id]
	r.mu.Unlock()
	var lost *LostError
	var dial *DialError
	switch {
	case got.err == nil && got.body == id && n == 1:
	case up:
		t.Errorf("%s: executed %d times while the server was up all the time: %+v", id, n, got)
	case errors.As(got.err, &dial) && n == 0:
	case errors.As(got.err, &lost) && (n == 0 || lost.Sent && n == 1):
	default:
		t.Errorf("%s: executed %d times: %+v", id, n, got)
	}
}

// Eight callers never stop while their server restarts. A request is executed
// at most once, and succeeds when the server was there the whole time, however
// many dead connections the pool had.
func TestRestart_EightCallers_AtMostOnceAndNoneLostOnceItIsBack(t *testing.T) {
	testx.NoLeaks(t)
	server := &restarting{address: "127.0.0.1:0", executed: map[string]int{}}
	server.up.Store(1)
	server.start(t)
	address := server.address
	c := newClient(t, ClientConfig{})
	var callers sync.WaitGroup
	var calls atomic.Int64
	stop := make(chan struct{})
	for caller := range 8 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprint(caller, " ", n, strings.Repeat(".", n%3*5000))
				before := server.up.Load()
				got := do(c, post(address, id))
				server.check(t, id, before%2 == 0 && before == server.up.Load(), got)
				calls.Add(1)
			}
		}()
	}
	more := func(n int64) {
		enough := calls.Load() + n
		testx.Eventually(t, "calls to be made", func() bool { return calls.Load() >= enough })
	}
	for range 10 {
		more(100)
		server.stop()
		more(20)
		server.start(t)
	}
	more(100)
	close(stop)
	callers.Wait()
	server.stop()
}
