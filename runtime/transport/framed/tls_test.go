package framed

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

// pair makes TLS hooks for both sides with a certificate of this test.
func pair(t *testing.T) (server, client func(net.Conn) (net.Conn, error)) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"peer.test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	own := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	shake := func(c *tls.Conn) (net.Conn, error) { return c, c.Handshake() }
	server = func(nc net.Conn) (net.Conn, error) {
		return shake(tls.Server(nc, &tls.Config{Certificates: own, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}))
	}
	client = func(nc net.Conn) (net.Conn, error) {
		return shake(tls.Client(nc, &tls.Config{Certificates: own, RootCAs: roots, ServerName: "peer.test"}))
	}
	return server, client
}

func TestWrap_TLSBothSides_CarriesFramesAndIdentity(t *testing.T) {
	testx.NoLeaks(t)
	server, client := pair(t)
	names := make(chan string, 1)
	l := listen(t, ListenConfig{Wrap: server, Accept: func(c *Conn) Handler {
		names <- c.NetConn().(*tls.Conn).ConnectionState().PeerCertificates[0].DNSNames[0]
		return soonMirror{newInbox()}
	}})
	c, in := dial(t, l, DialConfig{Wrap: client})
	for _, count := range []int{10, 100_000} {
		payload := bytes.Repeat([]byte("secret"), count)
		if err := c.Send(background(t), payload); err != nil {
			t.Fatal(err)
		}
		if got := next(t, in.frames, "the echo"); !bytes.Equal(got, payload) {
			t.Fatalf("%d bytes came back, want %d", len(got), len(payload))
		}
	}
	if name := next(t, names, "the client's name"); name != "peer.test" {
		t.Fatalf("client is %q", name)
	}
	c.Close()
	if reason := next(t, in.closed, "the end"); !errors.Is(reason, ErrClosed) {
		t.Fatalf("reason %v", reason)
	}
	testx.Eventually(t, "the server's side to end", func() bool { return l.Conns() == 0 })
}

func TestWrap_ClientWithoutTLS_IsCutAfterWrapTimeout(t *testing.T) {
	testx.NoLeaks(t)
	server, _ := pair(t)
	l := listen(t, ListenConfig{Wrap: server, WrapTimeout: 30 * time.Millisecond, Accept: func(*Conn) Handler {
		t.Error("accepted")
		return nil
	}})
	_, in := dial(t, l, DialConfig{})
	if reason := next(t, in.closed, "the end"); !errors.Is(reason, ErrPeerClosed) {
		t.Fatalf("reason %v", reason)
	}
}

func TestDial_WrapHangs_ContextInterruptsIt(t *testing.T) {
	testx.NoLeaks(t)
	_, client := pair(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, cfg := range map[string]DialConfig{
		"context": {},
		"timeout": {Timeout: 30 * time.Millisecond},
	} {
		ctx, cancel := context.WithCancel(background(t))
		cfg.Address = silent.Addr().String()
		cfg.Wrap = func(nc net.Conn) (net.Conn, error) {
			if name == "context" {
				cancel()
			}
			return client(nc)
		}
		if _, err := Dial(ctx, cfg); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error %v", name, err)
		}
		cancel()
	}
}
