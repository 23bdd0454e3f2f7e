package h2

import (
	"context"
	"errors"
	"net"
	"sync"

	"aimrtrpc/internal/guard"
)

// ServerConfig is a server's handler and limits.
type ServerConfig struct {
	// Handler is called on the goroutine that read the request's head. It must
	// not block. Before it returns it says what becomes of the body, with Collect
	// or Receive; without either the body is thrown away. Every exchange must be
	// ended once, by Respond, SendLast, CloseSend or Reset, also when its peer is
	// gone: until then it counts against MaxStreams. Required.
	Handler func(*Exchange)

	Limits
	MaxConns int // one more is closed
}

// Server serves connections that somebody else accepts.
type Server struct {
	cfg     ServerConfig
	serving sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	conns    map[*conn]struct{}
	draining bool
	emptied  chan struct{} // closed when the last connection ends while draining
}

// NewServer checks the configuration and fills in defaults.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Handler == nil {
		return nil, errors.New("h2: server config has no Handler")
	}
	cfg.fill()
	orDefault(&cfg.IdleTimeout, DefaultServerIdleTimeout)
	orDefault(&cfg.MaxConns, DefaultMaxServerConns)
	return &Server{cfg: cfg, conns: map[*conn]struct{}{}}, nil
}

// ServeConn serves requests on conn until it ends, and closes it. The caller's
// goroutine does the work. The connection begins with the HTTP/2 preface.
func (s *Server) ServeConn(nc net.Conn) {
	s.mu.Lock()
	if s.draining || len(s.conns) >= s.cfg.MaxConns {
		s.mu.Unlock()
		nc.Close()
		return
	}
	c := newConn(nc, s, true, &s.cfg.Limits)
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.leave(c)
	c.run()
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.checkEmpty()
	s.mu.Unlock()
	s.serving.Done()
}

// checkEmpty tells Drain that nothing is left; mu is held.
func (s *Server) checkEmpty() {
	if len(s.conns) == 0 && s.emptied != nil {
		close(s.emptied)
		s.emptied = nil
	}
}

// Conns is the number of connections being served.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Drain announces the end on every connection, lets open exchanges finish, and
// returns when no connection is left or ctx ends. New connections are closed.
// Close must still be called.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	if s.emptied == nil {
		s.emptied = make(chan struct{})
	}
	emptied := s.emptied
	open := s.list()
	s.checkEmpty()
	s.mu.Unlock()
	for _, c := range open {
		c.drain()
	}
	select {
	case <-emptied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// list is the open connections; mu is held.
func (s *Server) list() []*conn {
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	return open
}

// Close closes every connection, tells open exchanges that their peer is gone,
// and returns when no goroutine serves any more. It must not be called from a
// handler. Calling it again is a no-op.
func (s *Server) Close() {
	s.mu.Lock()
	s.draining = true
	open := s.list()
	s.mu.Unlock()
	for _, c := range open {
		c.abort(net.ErrClosed)
	}
	s.serving.Wait()
}

func (s *Server) freed(*conn)   {}
func (s *Server) retired(*conn) {}

// opened takes on a new request, or says what is wrong with it.
func (s *Server) opened(c *conn, id uint32, end bool) error {
	c.mu.Lock()
	take, err := c.admit(id, end)
	if !take {
		c.unlock()
		return err
	}
	x := newExchange(c, id, end)
	st := &x.Stream
	c.streams[id] = st
	c.working++
	c.armAlive()
	st.counted = true
	st.enter()
	c.mu.Unlock()
	s.handle(x)
	c.mu.Lock()
	switch {
	case st.leave():
		c.unlock()
		st.deliver()
	case end:
		c.remoteEnd(st)
	default:
		c.unlock()
	}
	return nil
}

// handle calls the handler; a panic resets the stream.
func (s *Server) handle(x *Exchange) {
	defer func() {
		if v := recover(); v != nil {
			guard.Caught("h2 handler", v)
			x.Reset(CodeInternal)
		}
	}()
	s.cfg.Handler(x)
}

// admit decides about a header block that opens a stream. mu is held.
func (c *conn) admit(id uint32, end bool) (take bool, err error) {
	if id%2 == 0 {
		return false, broken(CodeProtocol, "client opened stream %d, an even number", id)
	}
	if id <= c.seenPeer {
		known, ours := c.whyClosed(id)
		switch {
		case ours:
			return false, nil // it did not know yet that we reset it
		case known:
			return false, broken(codeClosed, "HEADERS on closed stream %d", id)
		}
		return false, broken(CodeProtocol, "stream %d opened after stream %d", id, c.seenPeer)
	}
	c.seenPeer = id
	if c.final || c.done {
		return false, nil
	}
	c.lastPeer = id
	bad := c.fields.request()
	switch {
	case c.headSelf:
		bad = "stream depends on itself"
	case c.fields.over:
		c.out = appendHeaders(c.out, id, tooLarge.buf, true, false, c.peerFrame)
		if !end {
			c.out = appendRST(c.out, id, CodeNone)
		}
		c.noteClosed(id, true)
		return false, c.faultCounted()
	case bad == "" && end && c.fields.length > 0:
		bad = "DATA and content-length differ"
	case bad == "" && (len(c.streams) >= c.lim.MaxStreams || c.working >= c.lim.MaxStreams):
		c.out = appendRST(c.out, id, CodeRefused)
		c.noteClosed(id, true)
		if !c.resets.take(c.now) {
			return false, broken(CodeCalmDown, "more than MaxStreams (%d) again and again", c.lim.MaxStreams)
		}
		return false, nil
	}
	if bad != "" {
		c.out = appendRST(c.out, id, CodeProtocol)
		c.noteClosed(id, true)
		return false, c.faultCounted()
	}
	return true, nil
}

// tooLarge answers a request whose headers exceed the limits.
var tooLarge = NewBlock(Field{":status", "431"})
