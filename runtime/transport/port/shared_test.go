package port

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

// saying answers with a word and what the peer sent, so that a test sees who served it and that no byte was lost.
func saying(word string) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 64)
		n, _ := io.ReadAtLeast(c, b, 4)
		_, _ = c.Write([]byte(word + " " + string(b[:n])))
	}
}

func share(t *testing.T, cfg SharedConfig) *Shared {
	t.Helper()
	s, err := Share(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func answerTo(t *testing.T, c net.Conn, parts ...string) string {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for _, part := range parts {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := io.ReadAll(c)
	return string(got)
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pair shares one address between both protocols.
func pair(t *testing.T, one, two SharedConfig) (a, b *Shared, address string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	one.Address, one.Protocol, one.Serve = address, HTTP1, saying("one")
	two.Address, two.Protocol, two.Serve = address, HTTP2, saying("two")
	return share(t, one), share(t, two), address
}

func TestShare_FirstBytesDecide(t *testing.T) {
	testx.NoLeaks(t)
	one, two, address := pair(t, SharedConfig{}, SharedConfig{})
	for sent, want := range map[string]string{"POST / ": "one POST / ", "PUT ": "one PUT ", "PRI * HTTP": "two PRI * HTTP", "PRIX": "one PRIX"} {
		if got := answerTo(t, connect(t, address), sent); got != want {
			t.Errorf("%q was answered with %q", sent, got)
		}
	}
	c := connect(t, address)
	if _, err := c.Write([]byte("P")); err != nil { // one byte decides nothing
		t.Fatal(err)
	}
	if got := answerTo(t, c, "RI *"); got != "two PRI *" && got != "two PRI * " {
		t.Errorf("a preface in pieces was answered with %q", got)
	}
	if one.Addr().String() != address || two.Addr().String() != address {
		t.Errorf("addresses %v and %v", one.Addr(), two.Addr())
	}
	one.Close()
	if got := answerTo(t, connect(t, address), "PRI * HTTP"); got != "two PRI * HTTP" {
		t.Errorf("the other protocol was answered with %q", got)
	}
	two.Close()
	if l, err := net.Listen("tcp", address); err != nil {
		t.Errorf("the address is not free: %v", err)
	} else {
		l.Close()
	}
}

func TestShare_SecondOfAProtocol_AddressInUse(t *testing.T) {
	testx.NoLeaks(t)
	_, _, address := pair(t, SharedConfig{}, SharedConfig{})
	_, err := Share(SharedConfig{Config: Config{Address: address, Serve: echo}, Protocol: HTTP2})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), address) {
		t.Fatalf("error %v", err)
	}
}

func TestShare_SilentConnection_IsCut(t *testing.T) {
	testx.NoLeaks(t)
	_, _, address := pair(t, SharedConfig{SniffTimeout: 20 * time.Millisecond}, SharedConfig{SniffTimeout: time.Millisecond})
	if got := answerTo(t, connect(t, address), "P"); got != "" {
		t.Errorf("answered with %q", got)
	}
}

func TestShare_MoreThanMaxConns_Refused(t *testing.T) {
	testx.NoLeaks(t)
	one, two, address := pair(t, SharedConfig{Config: Config{MaxConns: 1}}, SharedConfig{})
	c := connect(t, address)
	defer c.Close()
	if _, err := c.Write([]byte("GE")); err != nil { // decided, and the server waits for the rest
		t.Fatal(err)
	}
	testx.Eventually(t, "the first connection", func() bool { return one.Conns() == 1 })
	if got := answerTo(t, connect(t, address), "GET /"); got != "" || one.Refused() != 1 || two.Refused() != 0 {
		t.Errorf("answered with %q, refused %d and %d", got, one.Refused(), two.Refused())
	}
	if got := answerTo(t, connect(t, address), "PRI *"); got != "two PRI *" {
		t.Errorf("the other protocol was answered with %q", got)
	}
}

// filesOf names the files that an authority has written.
func filesOf(a *testx.Authority, name string, withCA bool) TLSFiles {
	f := TLSFiles{Cert: a.Path(name + ".pem"), Key: a.Path(name + ".key")}
	if withCA {
		f.CA = a.Path("ca.pem")
	}
	return f
}

func TestShare_TLS_ALPNDecides_NamesAreKnown(t *testing.T) {
	testx.NoLeaks(t)
	a := testx.NewAuthority(t)
	a.Sign(&x509.Certificate{DNSNames: []string{"server.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, "server")
	uri, _ := url.Parse("spiffe://test/robot")
	a.Sign(&x509.Certificate{URIs: []*url.URL{uri}, DNSNames: []string{"robot.test"}, Subject: pkix.Name{CommonName: "not shown"}}, "robot")
	a.Sign(&x509.Certificate{Subject: pkix.Name{CommonName: "plain"}}, "plain")
	files, err := filesOf(a, "server", true).Server()
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan []string, 1)
	_, two, address := pair(t, SharedConfig{TLS: files}, SharedConfig{TLS: files})
	two.cfg.Serve = func(c net.Conn) { names <- PeerNames(c); saying("two")(c) }
	dial := func(who, protocol string) (net.Conn, error) {
		cfg, err := filesOf(a, who, true).Client()
		if err != nil {
			t.Fatal(err)
		}
		cfg.NextProtos = []string{protocol}
		return tls.Dial("tcp", address, cfg)
	}
	c, err := dial("robot", "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	if got := answerTo(t, c, "GET /"); got != "one GET /" {
		t.Errorf("http/1.1 was answered with %q", got)
	}
	for who, want := range map[string][]string{"robot": {"spiffe://test/robot", "robot.test"}, "plain": {"plain"}} {
		if c, err = dial(who, "h2"); err != nil {
			t.Fatal(err)
		}
		if got := answerTo(t, c, "PRI *"); got != "two PRI *" {
			t.Errorf("h2 was answered with %q", got)
		}
		if got := <-names; !slices.Equal(got, want) {
			t.Errorf("%s is known as %q", who, got)
		}
	}
	if got := answerTo(t, connect(t, address), "PRI * HTTP"); got != "" {
		t.Errorf("a clear-text connection was answered with %q", got)
	}
	cfg, _ := TLSFiles{CA: a.Path("ca.pem")}.Client()
	cfg.NextProtos = []string{"h2"}
	if c, err := tls.Dial("tcp", address, cfg); err == nil {
		if got := answerTo(t, c, "PRI *"); got != "" { // TLS 1.3 tells of a missing certificate with the first read
			t.Errorf("a client without a certificate was answered with %q", got)
		}
	}
}

func TestShare_TLS_DifferentFiles_Refused(t *testing.T) {
	testx.NoLeaks(t)
	a := testx.NewAuthority(t)
	a.Sign(&x509.Certificate{}, "server")
	first, err := filesOf(a, "server", false).Server()
	if err != nil {
		t.Fatal(err)
	}
	second, err := filesOf(a, "server", true).Server()
	if err != nil {
		t.Fatal(err)
	}
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	share(t, SharedConfig{Config: Config{Address: address, Serve: echo}, Protocol: HTTP1, TLS: first})
	if _, err := Share(SharedConfig{Config: Config{Address: address, Serve: echo}, Protocol: HTTP2, TLS: second}); err == nil || !strings.Contains(err.Error(), "different TLS files") {
		t.Fatalf("error %v", err)
	}
}

func TestTLSFiles_Wrong_ErrorsNameThem(t *testing.T) {
	a := testx.NewAuthority(t)
	for want, f := range map[string]TLSFiles{
		"needs cert and key": {}, "come together": {Cert: "x"}, `certificate "x"`: {Cert: "x", Key: "y"}, "no such file": {CA: "nowhere"},
		"no PEM certificate": {CA: a.Path("ca.key")},
	} {
		if _, err := f.Server(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", f, err, want)
		}
	}
}
