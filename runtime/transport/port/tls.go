package port

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// TLSFiles name PEM files; the tags are their keys in a configuration.
type TLSFiles struct {
	// Cert and Key are the own certificate with its chain, and its key.
	Cert string `cfg:"cert"`
	Key  string `cfg:"key"`
	// CA has the certificates that vouch for the peer. A server that has it
	// accepts no client without a certificate of these; a client without it
	// trusts what the system trusts.
	CA string `cfg:"ca"`
}

// TLS is what was read from files.
type TLS struct {
	files  TLSFiles
	server *tls.Config
}

func (t *TLS) same(o *TLS) bool { return t.files == o.files }

// String names the files.
func (t *TLS) String() string {
	return fmt.Sprintf("{cert: %q, key: %q, ca: %q}", t.files.Cert, t.files.Key, t.files.CA)
}

// Server reads the files of a server, which needs a certificate.
func (f TLSFiles) Server() (*TLS, error) {
	cfg, err := f.read()
	if err != nil {
		return nil, err
	}
	if len(cfg.Certificates) == 0 {
		return nil, errors.New("a TLS server needs cert and key")
	}
	if cfg.RootCAs != nil {
		cfg.ClientCAs, cfg.RootCAs, cfg.ClientAuth = cfg.RootCAs, nil, tls.RequireAndVerifyClientCert
	}
	return &TLS{files: f, server: cfg}, nil
}

// Client reads the files of a client.
func (f TLSFiles) Client() (*tls.Config, error) { return f.read() }

func (f TLSFiles) read() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if (f.Cert == "") != (f.Key == "") {
		return nil, fmt.Errorf("cert %q and key %q come together", f.Cert, f.Key)
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %q with key %q: %w", f.Cert, f.Key, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca %q has no PEM certificate", f.CA)
		}
	}
	return cfg, nil
}

// PeerNames are the names that the peer of a connection has proved to have by
// its certificate: URIs, DNS names and mail addresses, else the subject's common
// name; nil without TLS or without a verified certificate.
func PeerNames(nc net.Conn) []string {
	conn, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return nil
	}
	var names []string
	leaf := state.VerifiedChains[0][0]
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	names = append(append(names, leaf.DNSNames...), leaf.EmailAddresses...)
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = []string{leaf.Subject.CommonName}
	}
	return names
}
