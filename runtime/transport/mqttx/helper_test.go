package mqttx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

const patience = 20 * time.Second

// broker starts an embedded one that ends with the test.
func broker(t testing.TB, cfg BrokerConfig) *Broker {
	t.Helper()
	b, err := StartBroker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// client is a session with what it has received.
type client struct {
	*Session
	t    testing.TB
	log  testx.Log
	mu   sync.Mutex
	got  []*Message
	when func(*Message)
}

func connect(t testing.TB, cfg Config, filters ...*Subscription) *client {
	t.Helper()
	c := &client{t: t}
	cfg.Receive = func(m *Message) {
		c.mu.Lock()
		c.got = append(c.got, m)
		when := c.when
		c.mu.Unlock()
		if when != nil {
			when(m)
		}
	}
	if cfg.ClientID == "" {
		cfg.ClientID = t.Name()
	}
	if cfg.Broker == "" {
		cfg.Broker = "test broker"
	}
	cfg.Logger = c.log.Logger()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Session = s
	s.Subscribe(filters...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(c.Session) })
	return c
}

func closeNow(s *Session) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.Close(ctx)
}

func (c *client) messages() []*Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*Message(nil), c.got...)
}

// waitFor waits for n messages.
func (c *client) waitFor(n int) []*Message {
	c.t.Helper()
	testx.Eventually(c.t, "messages", func() bool { return len(c.messages()) >= n })
	return c.messages()
}

// failures collects what Failed says.
func failures() (chan error, func(error)) {
	ch := make(chan error, 1024)
	return ch, func(err error) { ch <- err }
}

func next(t testing.TB, ch chan error) error {
	t.Helper()
	select {
	case err := <-ch:
		return err
	case <-time.After(patience):
		t.Fatal("no failure was reported")
		return nil
	}
}

// fakeBroker hands every connection to a script, which has read CONNECT.
func fakeBroker(t testing.TB, script func(nc net.Conn)) func(context.Context) (net.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(patience))
				buf := make([]byte, 4096)
				if n, err := nc.Read(buf); err != nil || n < 10 || buf[0] != 0x10 {
					return
				}
				script(nc)
			})
		}
	})
	return DialBroker(l.Addr().String(), nil)
}

// connackPlain accepts a connection.
var connackPlain = []byte{0x20, 3, 0, 0, 0}

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
