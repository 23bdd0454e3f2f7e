package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
)

// ServerConfig is a server's handler and limits; a zero limit means the
// default of the same name.
type ServerConfig struct {
	// Handler is called on the goroutine that read the request, one call at a
	// time per connection. It must not block: work that takes time is passed
	// on, and whoever finishes it calls Exchange.Respond. Required.
	Handler func(*Exchange)

	MaxHeadBytes int // request line and headers
	MaxHeaders   int
	MaxBodyBytes int // more is answered with 413 and the connection closed
	MaxConns     int // one more is answered with 503

	ReadHeaderTimeout time.Duration // from the first byte to the end of the head; grace of a body
	IdleTimeout       time.Duration // between requests
	WriteTimeout      time.Duration // grace of a response
	GoneGrace         time.Duration // how long an answer may still come after the peer hung up
	MinBodyRate       int           // bytes per second a body must move, after its grace

	// Logger receives refused requests at Debug; nil discards them.
	Logger *slog.Logger
}

// Server serves connections that somebody else accepts.
type Server struct {
	cfg      ServerConfig
	log      *slog.Logger
	draining atomic.Bool
	closed   atomic.Bool
	serving  sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	conns   map[*serverConn]struct{}
	emptied chan struct{} // closed when the last connection ends while draining
}

// NewServer checks the configuration and fills in defaults.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Handler == nil {
		return nil, errors.New("httpx: server config has no Handler")
	}
	cfg.MaxHeadBytes = orDefault(cfg.MaxHeadBytes, DefaultMaxHeadBytes)
	cfg.MaxHeaders = orDefault(cfg.MaxHeaders, DefaultMaxHeaders)
	cfg.MaxBodyBytes = orDefault(cfg.MaxBodyBytes, DefaultMaxBodyBytes)
	cfg.MaxConns = orDefault(cfg.MaxConns, DefaultMaxServerConns)
	cfg.ReadHeaderTimeout = orDefault(cfg.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	cfg.IdleTimeout = orDefault(cfg.IdleTimeout, DefaultServerIdleTimeout)
	cfg.WriteTimeout = orDefault(cfg.WriteTimeout, DefaultWriteTimeout)
	cfg.GoneGrace = orDefault(cfg.GoneGrace, DefaultGoneGrace)
	cfg.MinBodyRate = orDefault(cfg.MinBodyRate, DefaultMinBodyRate)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, log: cfg.Logger, conns: map[*serverConn]struct{}{}}, nil
}

// ServeConn serves requests on conn until it ends, and closes it. The caller's
// goroutine does the work.
func (s *Server) ServeConn(conn net.Conn) {
	c := newServerConn(s, conn)
	defer conn.Close()
	s.mu.Lock()
	if s.closed.Load() {
		s.mu.Unlock()
		return
	}
	if len(s.conns) >= s.cfg.MaxConns {
		s.mu.Unlock()
		c.reject(malformed(503, "server", "more than %d connections", s.cfg.MaxConns))
		return
	}
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.leave(c)
	c.serve()
}

func (s *Server) leave(c *serverConn) {
	s.mu.Lock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.emptied != nil {
		close(s.emptied)
		s.emptied = nil
	}
	s.mu.Unlock()
	s.serving.Done()
}

// Conns is the number of connections being served.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Drain closes idle connections, lets open exchanges be answered and their
// connections close, and returns when none is left or ctx ends. A request that
// has arrived before its connection is closed is answered, also on a new
// connection. Close must still be called.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	if s.emptied == nil {
		s.emptied = make(chan struct{})
	}
	emptied := s.emptied
	for c := range s.conns {
		if !c.hungUp.Load() {
			c.nudge()
		}
	}
	if len(s.conns) == 0 {
		close(s.emptied)
		s.emptied = nil
	}
	s.mu.Unlock()
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes every connection, tells open exchanges that their peer is gone,
// and returns when no goroutine serves any more. It must not be called from a
// handler. Calling it again is a no-op.
func (s *Server) Close() {
	s.mu.Lock()
	s.draining.Store(true)
	s.closed.Store(true)
	open := make([]*serverConn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.abandon()
		if x := c.current.Load(); x != nil {
			x.lose()
		}
	}
	s.serving.Wait()
}

// protect calls foreign code; its panic is recorded and ends there.
func (s *Server) protect(place string, f func()) {
	defer guard.Recover(place)
	f()
}
