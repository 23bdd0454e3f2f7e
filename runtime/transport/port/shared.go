package port

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Protocol is what a connection speaks; the values are the names that TLS
// negotiates by ALPN.
type Protocol string

// Protocols that can share an address.
const (
	HTTP1 Protocol = "http/1.1"
	HTTP2 Protocol = "h2"
)

// DefaultSniffTimeout is how long a connection of a shared port may take to show
// its protocol, a TLS handshake included.
const DefaultSniffTimeout = 10 * time.Second

// SharedConfig is one server's part of an address.
type SharedConfig struct {
	Config
	// Protocol that Serve speaks. Two servers of one address need different ones.
	Protocol Protocol
	// TLS, when set, is what the server wants of connections: others are closed.
	// Servers of one address that want it must agree on its files.
	TLS *TLS
	// SniffTimeout replaces DefaultSniffTimeout.
	SniffTimeout time.Duration
}

// Shared is one server's share of a listening socket: the part that speaks its
// protocol. What its methods do concerns this part only; the socket closes with
// the last one that stops accepting.
type Shared struct {
	cfg     SharedConfig
	hub     *hub
	serving sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	conns   map[net.Conn]struct{}
	stopped bool
	closed  bool
	refused uint64
}

// hub is a listening socket with those who share it.
type hub struct {
	port *Port
	key  hubKey
	tls  *TLS // of the first who wants it

	mu      sync.Mutex // guards the fields below
	members map[Protocol]*Shared
	users   int // members that are not closed
}

type hubKey struct{ network, address string }

// hubs are the open sockets of this process that others may join: two backends
// know nothing of each other but the address in their configuration.
var (
	hubsMu sync.Mutex
	hubs   = map[hubKey]*hub{}
)

// Share serves one protocol at an address, on the socket that another Share of
// this process has opened there, or on a new one. Port 0 is always a new one.
func Share(cfg SharedConfig) (*Shared, error) {
	if cfg.Serve == nil || cfg.Wrap != nil {
		return nil, errors.New("port: a shared config needs a Serve function and has no Wrap")
	}
	if cfg.Protocol != HTTP1 && cfg.Protocol != HTTP2 {
		return nil, fmt.Errorf("port: protocol %q cannot be told from others", cfg.Protocol)
	}
	if cfg.Network == "" {
		cfg.Network = "tcp"
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.SniffTimeout <= 0 {
		cfg.SniffTimeout = DefaultSniffTimeout
	}
	s := &Shared{cfg: cfg, conns: map[net.Conn]struct{}{}}
	hubsMu.Lock()
	defer hubsMu.Unlock()
	key := hubKey{cfg.Network, cfg.Address}
	var err error
	if h := hubs[key]; h != nil {
		err = h.join(s)
	} else {
		err = s.open(key)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open makes the socket. hubsMu is held.
func (s *Shared) open(key hubKey) error {
	h := &hub{key: key, tls: s.cfg.TLS, members: map[Protocol]*Shared{s.cfg.Protocol: s}, users: 1}
	s.hub = h
	cfg := s.cfg.Config
	cfg.Serve = h.serve
	p, err := Listen(cfg)
	if err != nil {
		return err
	}
	h.mu.Lock() // connections may be there already
	h.port = p
	h.mu.Unlock()
	if _, port, err := net.SplitHostPort(key.address); err != nil || port != "0" {
		hubs[key] = h
	}
	return nil
}

// join adds a member. hubsMu is held.
func (h *hub) join(s *Shared) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.members[s.cfg.Protocol] != nil {
		return fmt.Errorf("listen on %s %q: another server of this process speaks %s there: %w", h.key.network, h.key.address, s.cfg.Protocol, syscall.EADDRINUSE)
	}
	if h.tls == nil {
		h.tls = s.cfg.TLS
	} else if s.cfg.TLS != nil && !s.cfg.TLS.same(h.tls) {
		return fmt.Errorf("listen on %s %q: two servers share the address with different TLS files: %s and %s", h.key.network, h.key.address, s.cfg.TLS, h.tls)
	}
	s.hub = h
	h.members[s.cfg.Protocol] = s
	h.users++
	h.port.allow(s.cfg.MaxConns)
	return nil
}

// serve finds the server of a connection.
func (h *hub) serve(nc net.Conn) {
	h.mu.Lock()
	alone, timeout := h.alone(), time.Duration(0)
	for _, m := range h.members {
		timeout = max(timeout, m.cfg.SniffTimeout)
	}
	files := h.tls
	h.mu.Unlock()
	if alone != nil && files == nil {
		alone.take(nc, nc)
		return
	}
	_ = nc.SetDeadline(time.Now().Add(max(timeout, time.Millisecond)))
	use, protocol, err := h.sniff(nc, files)
	if err != nil {
		return // it showed nothing that anybody here speaks; the port closes it
	}
	_ = nc.SetDeadline(time.Time{})
	h.mu.Lock()
	s := h.members[protocol]
	h.mu.Unlock()
	_, encrypted := use.(*tls.Conn)
	if s != nil && encrypted == (s.cfg.TLS != nil) {
		s.take(use, nc)
	}
}

// alone is the only member, nil when there are more. mu is held.
func (h *hub) alone() *Shared {
	if len(h.members) != 1 {
		return nil
	}
	for _, m := range h.members {
		return m
	}
	return nil
}

// sniff tells what a connection speaks by its first bytes, after the handshake
// when they are those of TLS. Nothing is taken from a bare connection.
func (h *hub) sniff(nc net.Conn, files *TLS) (net.Conn, Protocol, error) {
	first, err := peekFirst(nc)
	if err != nil {
		return nil, "", err
	}
	if first != firstTLS {
		return nc, first, nil
	}
	if files == nil {
		return nil, "", errors.New("TLS where none is configured")
	}
	cfg := files.server.Clone()
	cfg.NextProtos = h.offered()
	conn := tls.Server(nc, cfg)
	if err := conn.HandshakeContext(context.Background()); err != nil { // the deadline is the socket's
		return nil, "", err
	}
	protocol := Protocol(conn.ConnectionState().NegotiatedProtocol)
	if protocol == "" {
		protocol = HTTP1 // a peer without ALPN is an old one
	}
	return conn, protocol, nil
}

// offered are the protocols with TLS, HTTP/2 first.
func (h *hub) offered() (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range []Protocol{HTTP2, HTTP1} {
		if m := h.members[p]; m != nil && m.cfg.TLS != nil {
			list = append(list, string(p))
		}
	}
	return list
}

// firstTLS is what peekFirst finds where a TLS handshake begins.
const firstTLS Protocol = "tls"

const (
	recordHandshake = 22     // type of TLS' first record
	prefaceStart    = "PRI " // no method of HTTP/1.1 begins so
)

// peekFirst looks at the first bytes of a socket and leaves them there.
func peekFirst(nc net.Conn) (Protocol, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return "", fmt.Errorf("connection of type %T is no socket", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return "", err
	}
	var found Protocol
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		var b [len(prefaceStart)]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR || err == syscall.EAGAIN:
			return false
		case err != nil:
			failed = err
		case n == 0:
			failed = io.EOF
		case b[0] == recordHandshake:
			found = firstTLS
		case n == len(b) && string(b[:]) == prefaceStart:
			found = HTTP2
		case n < len(b) && string(b[:n]) == prefaceStart[:n]:
			return false // the next packet decides
		default:
			found = HTTP1
		}
		return true
	})
	return found, errors.Join(err, failed)
}

// take serves a connection, on the goroutine of its socket.
func (s *Shared) take(use, socket net.Conn) {
	s.mu.Lock()
	if s.stopped || len(s.conns) >= s.cfg.MaxConns {
		s.refused++
		s.mu.Unlock()
		return
	}
	s.conns[socket] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	defer func() {
		if use != socket {
			use.Close() // says so to the peer
		}
		socket.Close()
		s.mu.Lock()
		delete(s.conns, socket)
		s.mu.Unlock()
		s.serving.Done()
	}()
	s.cfg.Serve(use)
}

// Addr is the address the socket is bound to.
func (s *Shared) Addr() net.Addr { return s.hub.socket().Addr() }

func (h *hub) socket() *Port {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.port
}

// Conns is the number of open connections of this protocol.
func (s *Shared) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Refused is the number of connections closed because of MaxConns or after
// StopAccepting.
func (s *Shared) Refused() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// StopAccepting takes no further connection. The address is free for another
// server when it returns, or when the others that share it have stopped, too.
func (s *Shared) StopAccepting() {
	hubsMu.Lock()
	defer hubsMu.Unlock()
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.mu.Unlock()
	h := s.hub
	if !first {
		return
	}
	h.mu.Lock()
	delete(h.members, s.cfg.Protocol)
	last := len(h.members) == 0
	h.mu.Unlock()
	if last {
		if hubs[h.key] == h {
			delete(hubs, h.key)
		}
		h.socket().StopAccepting()
	}
}

// Close stops accepting, closes every connection of this protocol and returns
// when their goroutines have ended. It must not be called from Serve.
func (s *Shared) Close() {
	s.StopAccepting()
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	h := s.hub
	h.mu.Lock()
	if first {
		h.users--
	}
	last := h.users == 0
	h.mu.Unlock()
	if last {
		h.socket().Close()
	}
}
