package port

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
)

// echo copies until the peer closes.
func echo(c net.Conn) { io.Copy(c, c) }

func open(t *testing.T, cfg Config) *Port {
	t.Helper()
	p, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func pingPong(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Fatalf("answer %q, error %v", got, err)
	}
}

func dial(t *testing.T, p *Port) net.Conn {
	t.Helper()
	c, err := net.Dial(p.Addr().Network(), p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestListen_TCPAndUnix_HandConnectionsOn(t *testing.T) {
	testx.NoLeaks(t)
	for _, cfg := range []Config{
		{Address: "127.0.0.1:0", Serve: echo},
		{Network: "unix", Address: filepath.Join(t.TempDir(), "s"), Serve: echo},
	} {
		pingPong(t, dial(t, open(t, cfg)))
	}
}

func TestListen_StaleUnixSocket_IsReplaced_LiveOneIsNot(t *testing.T) {
	testx.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Config{Network: "unix", Address: path, Serve: echo}); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Fatalf("live socket: error %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	pingPong(t, dial(t, open(t, Config{Network: "unix", Address: path, Serve: echo})))
}

func TestListen_AddressInUse_ErrorNamesIt(t *testing.T) {
	testx.NoLeaks(t)
	p := open(t, Config{Address: "127.0.0.1:0", Serve: echo})
	_, err := Listen(Config{Address: p.Addr().String(), Serve: echo})
	if err == nil || !strings.Contains(err.Error(), p.Addr().String()) {
		t.Fatalf("error %v does not name %s", err, p.Addr())
	}
}

func TestAdmit_PortFull_ClosesTheNewcomerAndKeepsTheOld(t *testing.T) {
	testx.NoLeaks(t)
	p := open(t, Config{Address: "127.0.0.1:0", MaxConns: 1, Serve: echo})
	first := dial(t, p)
	pingPong(t, first)
	if _, err := dial(t, p).Read(make([]byte, 1)); err == nil {
		t.Fatal("the second connection was served beyond MaxConns")
	}
	pingPong(t, first)
	if p.Refused() != 1 {
		t.Fatalf("Refused is %d, want 1", p.Refused())
	}
	first.Close()
	testx.Eventually(t, "the place to be free again", func() bool { return p.Conns() == 0 })
	pingPong(t, dial(t, p))
}

func TestStopAccepting_OpenConnectionsLiveOn_CloseEndsThem(t *testing.T) {
	testx.NoLeaks(t)
	p := open(t, Config{Address: "127.0.0.1:0", Serve: echo})
	c := dial(t, p)
	pingPong(t, c)
	p.StopAccepting()
	if n, err := net.Dial("tcp", p.Addr().String()); err == nil {
		n.Close()
		t.Fatal("the socket still accepts")
	}
	pingPong(t, c)
	p.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection is still open after Close")
	}
}

func TestWrap_Error_ClosesTheConnectionUnserved(t *testing.T) {
	testx.NoLeaks(t)
	p := open(t, Config{
		Address: "127.0.0.1:0",
		Wrap:    func(net.Conn) (net.Conn, error) { return nil, errors.New("no handshake") },
		Serve:   func(net.Conn) { t.Error("served") },
	})
	if _, err := dial(t, p).Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection is open")
	}
}
