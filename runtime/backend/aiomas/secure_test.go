package aiomas

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

// authority makes certificates in files.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert = a.issue("ca", "", nil, nil)
	return a
}

// issue writes <file>.pem and <file>.key; without a parent the certificate is an authority's own.
func (a *authority) issue(file, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: parent == nil, BasicConstraintsValid: true,
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(file+".pem", "CERTIFICATE", der)
	a.write(file+".key", "PRIVATE KEY", raw)
	return key, cert
}

func (a *authority) write(file, kind string, data []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// files of a new certificate for a name.
func (a *authority) files(name string) *TLSFiles {
	a.issue(name, name, a.cert, a.key)
	at := func(file string) string { return filepath.Join(a.dir, file) }
	return &TLSFiles{CA: at("ca.pem"), Certificate: at(name + ".pem"), Key: at(name + ".key")}
}

func TestTLS_BothEndsProveWhoTheyAre(t *testing.T) {
	testx.NoLeaks(t)
	a := newAuthority(t)
	peers := make(chan rpc.Peer, 4)
	tree := functions(t, map[string]backendtest.HandlerFunc{"echo": echo})
	l := listen(t, ListenConfig{
		Options: Options{Handler: tree, TLS: a.files("server"), AllowedPeers: []string{"robot"}}, Address: "tcp://127.0.0.1:0",
		Connected: func(c *Conn) { peers <- c.Peer() },
	})
	c := dial(t, l, DialConfig{Options: Options{TLS: a.files("robot"), AllowedPeers: []string{"server"}}})
	gives(t, c, "echo", "[[1], {}]", "[[1], {}]")
	if p := received(t, "the peer", peers); p.Identity != "robot" || !p.Verified {
		t.Errorf("the client is %+v", p)
	}
	if p := c.Peer(); p.Identity != "server" || !p.Verified {
		t.Errorf("the server is %+v", p)
	}
	for name, o := range map[string]Options{
		"a name that is not allowed":     {TLS: a.files("stranger")},
		"no certificate":                 {TLS: &TLSFiles{CA: a.files("x").CA}},
		"a certificate of somebody else": {TLS: strange(t, a)},
		"no TLS":                         {},
	} {
		c, err := Dial(background(t), DialConfig{Options: o, Address: l.Address()})
		if err != nil {
			continue
		}
		// With TLS 1.3 the refusal comes behind the handshake.
		if got := outcome(t, begin(t, c, "json", "echo", "")); !strings.HasPrefix(got, "CONNECTION_LOST") {
			t.Errorf("%s: %s", name, got)
		}
		c.Close()
	}
	for name, o := range map[string]Options{
		"a server that is not allowed": {TLS: a.files("y"), AllowedPeers: []string{"robot"}},
		"a server of another name":     {TLS: named(a.files("robot"), "elsewhere.test")},
	} {
		if _, err := Dial(background(t), DialConfig{Options: o, Address: l.Address(), RetryFor: -1}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if len(peers) != 0 {
		t.Errorf("%v was let in", received(t, "the peer", peers))
	}
}

func named(f *TLSFiles, name string) *TLSFiles {
	f.ServerName = name
	return f
}

// strange is a certificate of another authority, for one who trusts the first.
func strange(t *testing.T, a *authority) *TLSFiles {
	f := newAuthority(t).files("robot")
	f.CA = filepath.Join(a.dir, "ca.pem")
	return f
}

func TestTLS_ListeningOptionsThatCannotBe_AreRefused(t *testing.T) {
	a := newAuthority(t)
	files := a.files("server")
	for want, o := range map[string]Options{
		"needs a certificate and its key": {TLS: &TLSFiles{CA: files.CA}},
		"needs the CA":                    {TLS: &TLSFiles{Certificate: files.Certificate, Key: files.Key}, AllowedPeers: []string{"x"}},
		"no PEM certificate":              {TLS: &TLSFiles{CA: files.Key}},
		"needs TLS":                       {AllowedPeers: []string{"x"}},
		"own TLS certificate":             {TLS: &TLSFiles{Certificate: files.Certificate, Key: files.CA}},
	} {
		if _, err := Listen(ListenConfig{Options: o, Address: "tcp://127.0.0.1:0"}); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Dial(background(t), DialConfig{Options: Options{TLS: files}, Address: "unix:///nowhere"}); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "set ServerName") {
		t.Errorf("TLS to a socket without a name: %v", err)
	}
	if _, err := Listen(ListenConfig{Options: Options{TLS: files}, Address: "local://tls"}); !errors.Is(err, ErrOptions) {
		t.Errorf("TLS inside the process: %v", err)
	}
}

func TestToken_IsTheFirstCallOrNothingIs(t *testing.T) {
	testx.NoLeaks(t)
	conns := make(chan *Conn, 4)
	o := Options{Handler: functions(t, map[string]backendtest.HandlerFunc{"echo": echo}), Token: "sesam", AuthTimeout: patience}
	l := listen(t, ListenConfig{Options: o, Address: "tcp://127.0.0.1:0", Connected: func(c *Conn) { conns <- c }})
	c := dial(t, l, DialConfig{Options: Options{Token: "sesam"}})
	gives(t, c, "echo", "[[1], {}]", "[[1], {}]")
	if p := received(t, "the connection", conns).Peer(); !p.Verified {
		t.Errorf("the peer is %+v", p)
	}
	if _, err := Dial(background(t), DialConfig{Options: Options{Token: "wrong"}, Address: l.Address(), RetryFor: -1}); !errors.Is(err, ErrRefused) {
		t.Errorf("a wrong token: %v", err)
	}
	for _, first := range []string{"echo", AuthPath} {
		plain := dial(t, l, DialConfig{})
		if got := outcome(t, begin(t, plain, "json", first, "")); !strings.HasPrefix(got, "CONNECTION_LOST") {
			t.Errorf("%s without a token: %s", first, got)
		}
	}
	if len(conns) != 0 || len(l.Conns()) != 1 {
		t.Errorf("%d connections, %d were told of", len(l.Conns()), len(conns))
	}
}

func TestToken_ThatDoesNotCome_EndsTheConnection(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Options: Options{Token: "sesam", AuthTimeout: time.Millisecond}, Address: "tcp://127.0.0.1:0"})
	nc := rawDial(t, l)
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := nc.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v", n, err)
	}
}
