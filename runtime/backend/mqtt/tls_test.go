package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
)

// writeCertificate makes PEM files for 127.0.0.1.
func writeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS_EmbeddedBrokerWithCredentials_CarriesCalls(t *testing.T) {
	testx.NoLeaks(t)
	cert, key := writeCertificate(t)
	address := freeAddress(t)
	m := newMethod(t, function)
	server, _ := newBackend(t, "", "{broker_addr: embedded, client_id: server, username: robot, password: secret, embedded: {listen: '"+address+
		"', cert: '"+cert+"', key: '"+key+"'}}")
	if err := server.RegisterService(m, rpc.Next(echo)); err != nil {
		t.Fatal(err)
	}
	start(t, server)
	for password, connected := range map[string]bool{"secret": true, "wrong": false} {
		client, _ := newBackend(t, "", "{broker_addr: 'mqtts://"+address+"', client_id: client_"+password+", truststore: '"+cert+"', username: robot, password: "+password+"}")
		if err := client.RegisterClient(m); err != nil {
			t.Fatal(err)
		}
		start(t, client)
		if up := client.session.State().Up; up != connected {
			t.Errorf("password %q: connected %t", password, up)
		}
		if !connected {
			continue
		}
		call := newCall(m, "hi")
		if status := invoke(t, client, call); !status.OK() || response(t, call) != "echo hi" {
			t.Errorf("%v", status)
		}
	}
}
