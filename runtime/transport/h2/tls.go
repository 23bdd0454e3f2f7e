package h2

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Protocol is the name of HTTP/2 in the ALPN extension of TLS.
const Protocol = "h2"

// WrapTLS makes a port's Wrap function that does the server's handshake. A peer
// that does not choose HTTP/2 is refused. mutual authentication and the minimum
// version are cfg's.
func WrapTLS(cfg *tls.Config, timeout time.Duration) func(net.Conn) (net.Conn, error) {
	cfg = offering(cfg)
	return func(nc net.Conn) (net.Conn, error) {
		return handshake(context.Background(), tls.Server(nc, cfg), timeout)
	}
}

// DialTLS makes a client's Dial function. Without a ServerName in cfg, the name
// is the address's host.
func DialTLS(cfg *tls.Config, timeout time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	cfg = offering(cfg)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		use := cfg
		if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				nc.Close()
				return nil, fmt.Errorf("TLS to %q: no ServerName given and none in the address: %w", address, err)
			}
			use = cfg.Clone()
			use.ServerName = host
		}
		return handshake(ctx, tls.Client(nc, use), timeout)
	}
}

func offering(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.NextProtos = []string{Protocol}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	return cfg
}

func handshake(ctx context.Context, conn *tls.Conn, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	if err == nil && conn.ConnectionState().NegotiatedProtocol != Protocol {
		err = fmt.Errorf("peer did not choose %q by ALPN", Protocol)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", conn.RemoteAddr(), err)
	}
	return conn, nil
}
