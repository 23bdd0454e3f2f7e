package aiomas

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"aimrtrpc/runtime/rpc"
)

// TLSFiles are the PEM files of one end. aiomas' own helpers want all three on both ends and TLS 1.2, which suits.
type TLSFiles struct {
	// CA holds the certificates that the peer's must descend from. A listening end without it asks for no certificate; a dialling end without
	// it uses those of the system.
	CA string
	// Certificate and Key of this end; a listening end needs them.
	Certificate, Key string
	// ServerName that a dialling end expects in the certificate; empty means the host of the address.
	ServerName string
}

func (f *TLSFiles) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("certificates of the TLS peers: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificates of the TLS peers: %s holds no PEM certificate", f.CA)
		}
		c.ClientCAs = c.RootCAs
	}
	if f.Certificate == "" && f.Key == "" {
		return c, nil
	}
	own, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		return nil, fmt.Errorf("own TLS certificate: %w", err)
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}

// wrapper makes the hook that turns an accepted or connected socket into one with TLS.
func (o *Options) wrapper(a address, listening bool) (func(net.Conn) (net.Conn, error), error) {
	if o.TLS == nil {
		if len(o.AllowedPeers) > 0 {
			return nil, errors.New("a list of allowed peers needs TLS: without it nobody proves who he is")
		}
		return nil, nil
	}
	if a.network == local {
		return nil, fmt.Errorf("TLS is not for %s, which stays in the process", a)
	}
	c, err := o.TLS.config()
	if err != nil {
		return nil, err
	}
	if listening {
		if len(c.Certificates) == 0 {
			return nil, errors.New("a listening end with TLS needs a certificate and its key")
		}
		if c.ClientCAs != nil {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		} else if len(o.AllowedPeers) > 0 {
			return nil, errors.New("a list of allowed peers needs the CA that their certificates descend from")
		}
		return func(nc net.Conn) (net.Conn, error) { return shake(tls.Server(nc, c)) }, nil
	}
	if c.ServerName == "" && a.network == tcp {
		c.ServerName, _, _ = net.SplitHostPort(a.text)
	}
	if c.ServerName == "" {
		return nil, fmt.Errorf("TLS to %s needs the name in the server's certificate: set ServerName", a)
	}
	return func(nc net.Conn) (net.Conn, error) { return shake(tls.Client(nc, c)) }, nil
}

func shake(c *tls.Conn) (net.Conn, error) {
	if err := c.Handshake(); err != nil {
		return nil, &handshakeError{err}
	}
	return c, nil
}

// handshakeError is a failure that trying again does not mend.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// identify says who the peer of a connected socket is.
func (o *Options) identify(nc net.Conn, p rpc.Peer) (rpc.Peer, error) {
	c, ok := nc.(*tls.Conn)
	if !ok {
		return p, nil
	}
	chain := c.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return p, nil
	}
	names := chain[0].DNSNames
	if cn := chain[0].Subject.CommonName; cn != "" {
		names = append([]string{cn}, names...)
	}
	p.Verified = true
	if len(names) > 0 {
		p.Identity = names[0]
	}
	if len(o.AllowedPeers) == 0 {
		return p, nil
	}
	for _, name := range names {
		if slices.Contains(o.AllowedPeers, name) {
			p.Identity = name
			return p, nil
		}
	}
	return p, fmt.Errorf("%w: %s is known by %q, which is not among the allowed peers", ErrRefused, p, names)
}
