// Package port owns a listening socket: it accepts, counts, limits and hands
// connections on. It knows no protocol; the server that is given a connection
// reads from it. Backends import it. A wrap hook turns a raw connection into
// another one (TLS) before it is handed on. Servers of different protocols may
// share one socket (Share): the first bytes of a connection tell whose it is.
package port

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
)

// DefaultMaxConns is the number of connections a port keeps open at once.
const DefaultMaxConns = 10000

// acceptBackoffMax bounds the pause after a failed accept (no descriptors left).
const acceptBackoffMax = time.Second

// Config says where to listen and what to do with a connection.
type Config struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix"; empty means "tcp".
	Network string
	// Address is "host:port", or a path for "unix". A stale socket file, one
	// that nobody listens on, is replaced.
	Address string
	// MaxConns limits open connections; one more is closed at once. 0 means
	// DefaultMaxConns.
	MaxConns int
	// Wrap, when set, turns an accepted connection into the one to serve. It
	// runs on the connection's own goroutine, so a handshake may wait there.
	Wrap func(net.Conn) (net.Conn, error)
	// Serve runs on the connection's own goroutine; the port closes the
	// connection when it returns. Required.
	Serve func(net.Conn)
	// Logger receives lifecycle changes; nil discards them.
	Logger *slog.Logger
}

// Port is a listening socket with its connections.
type Port struct {
	cfg      Config
	listener net.Listener
	log      *slog.Logger
	stop     chan struct{}
	accepts  chan struct{} // closed when the accept loop ended
	serving  sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	conns   map[net.Conn]struct{}
	stopped bool
	closed  bool
	refused uint64
}

// Listen opens the socket and starts accepting. The address may be in use: the
// error then names it.
func Listen(cfg Config) (*Port, error) {
	if cfg.Serve == nil {
		return nil, errors.New("port: config has no Serve function")
	}
	if cfg.Network == "" {
		cfg.Network = "tcp"
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Network == "unix" {
		if err := removeStale(cfg.Address); err != nil {
			return nil, err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), cfg.Network, cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s %q: %w", cfg.Network, cfg.Address, err)
	}
	p := &Port{
		cfg: cfg, listener: l, log: cfg.Logger,
		stop: make(chan struct{}), accepts: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	p.log.Info("port open", "network", cfg.Network, "address", l.Addr().String())
	guard.Go("port accept", p.accept)
	return p, nil
}

// removeStale deletes a socket file that refuses connections. Anything else at
// the path is left alone and reported by the listen call.
func removeStale(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return nil
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("listen on unix %q: another process answers there", path)
	}
	return os.Remove(path)
}

// Addr is the address the socket is bound to, with the port number chosen by
// the system when the configuration said 0.
func (p *Port) Addr() net.Addr { return p.listener.Addr() }

// Conns is the number of open connections.
func (p *Port) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Refused is the number of connections closed because of MaxConns.
func (p *Port) Refused() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// allow lets n more connections in.
func (p *Port) allow(n int) {
	p.mu.Lock()
	p.cfg.MaxConns += n
	p.mu.Unlock()
}

// StopAccepting closes the socket and leaves open connections alone. It
// returns when the accept loop has ended. Calling it again is a no-op.
func (p *Port) StopAccepting() {
	p.mu.Lock()
	first := !p.stopped
	p.stopped = true
	p.mu.Unlock()
	if first {
		close(p.stop)
		p.listener.Close()
	}
	<-p.accepts
}

// Close stops accepting, closes every connection and returns when all their
// goroutines have ended. It must not be called from Serve.
func (p *Port) Close() {
	p.StopAccepting()
	p.mu.Lock()
	p.closed = true
	open := make([]net.Conn, 0, len(p.conns))
	for c := range p.conns {
		open = append(open, c)
	}
	p.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	p.serving.Wait()
}

func (p *Port) accept() {
	defer close(p.accepts)
	pause := time.Duration(0)
	for {
		conn, err := p.listener.Accept()
		if err == nil {
			pause = 0
			p.admit(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		pause = min(max(2*pause, 5*time.Millisecond), acceptBackoffMax)
		p.log.Warn("accept refused by the system", "address", p.Addr().String(), "error", err, "pause", pause)
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-p.stop:
			wait.Stop()
			return
		}
	}
}

// admit counts the connection and starts serving it, or closes it when the
// port is full.
func (p *Port) admit(conn net.Conn) {
	p.mu.Lock()
	if p.closed || len(p.conns) >= p.cfg.MaxConns {
		p.refused++
		first, most := p.refused == 1, p.cfg.MaxConns
		p.mu.Unlock()
		conn.Close()
		if first {
			p.log.Warn("port full, connection closed", "address", p.Addr().String(), "MaxConns", most)
		}
		return
	}
	p.conns[conn] = struct{}{}
	p.serving.Add(1)
	p.mu.Unlock()
	guard.Go("port connection", func() { p.serve(conn) })
}

func (p *Port) serve(conn net.Conn) {
	defer p.serving.Done()
	defer func() {
		conn.Close()
		p.mu.Lock()
		delete(p.conns, conn)
		p.mu.Unlock()
	}()
	use := conn
	if p.cfg.Wrap != nil {
		wrapped, err := p.cfg.Wrap(conn)
		if err != nil {
			p.log.Debug("connection not wrapped", "peer", conn.RemoteAddr().String(), "error", err)
			return
		}
		use = wrapped
	}
	p.cfg.Serve(use)
}
