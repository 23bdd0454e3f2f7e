package framed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"aimrtrpc/runtime/transport/port"
)

// DialConfig says where to connect to.
type DialConfig struct {
	// Network is "tcp", "tcp4", "tcp6" or "unix"; empty means "tcp".
	Network string
	// Address is "host:port", or a path for "unix".
	Address string
	// Timeout bounds connecting and wrapping together; 0 means
	// DefaultDialTimeout.
	Timeout time.Duration
	// Wrap, when set, turns the connected socket into the one to use (TLS).
	// The time left is set as deadline of the socket meanwhile.
	Wrap func(net.Conn) (net.Conn, error)
	Conn Config
}

// Dial connects. The caller starts the Conn with its handler.
func Dial(ctx context.Context, cfg DialConfig) (*Conn, error) {
	if cfg.Network == "" {
		cfg.Network = "tcp"
	}
	ctx, cancel := context.WithTimeout(ctx, orDefault(cfg.Timeout, DefaultDialTimeout))
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, cfg.Network, cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s %q: %w", cfg.Network, cfg.Address, err)
	}
	if cfg.Wrap != nil {
		if nc, err = wrapDialed(ctx, nc, cfg.Wrap); err != nil {
			return nil, fmt.Errorf("connect to %s %q: %w", cfg.Network, cfg.Address, err)
		}
	}
	return New(nc, cfg.Conn), nil
}

// wrapDialed runs the hook and lets a cancelled ctx interrupt it.
func wrapDialed(ctx context.Context, nc net.Conn, wrap func(net.Conn) (net.Conn, error)) (net.Conn, error) {
	interrupt := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	wrapped, err := wrap(nc)
	if !interrupt() && err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = nc.SetDeadline(time.Time{})
	}
	if err != nil {
		nc.Close()
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return nil, err
	}
	return wrapped, nil
}

// ListenConfig says where to listen and what to do with connections.
type ListenConfig struct {
	// Network and Address are as in port.Config.
	Network, Address string
	// MaxConns is as in port.Config.
	MaxConns int
	// Wrap, when set, turns an accepted socket into the one to serve (TLS). It
	// has WrapTimeout to do so; 0 means DefaultWrapTimeout.
	Wrap        func(net.Conn) (net.Conn, error)
	WrapTimeout time.Duration
	Conn        Config
	// Accept gives the handler of a new connection, before anything is read
	// from it. It may already send, though nothing leaves before it returns. nil
	// refuses the connection. Required.
	Accept func(*Conn) Handler
	Logger *slog.Logger
}

// Listener accepts framed connections.
type Listener struct {
	cfg  ListenConfig
	port *port.Port

	mu      sync.Mutex // guards the fields below
	conns   map[*Conn]struct{}
	closing bool
}

// Listen opens the socket and starts accepting.
func Listen(cfg ListenConfig) (*Listener, error) {
	if cfg.Accept == nil {
		return nil, errors.New("framed: listen config has no Accept function")
	}
	l := &Listener{cfg: cfg, conns: map[*Conn]struct{}{}}
	pc := port.Config{Network: cfg.Network, Address: cfg.Address, MaxConns: cfg.MaxConns, Serve: l.serve, Logger: cfg.Logger}
	if cfg.Wrap != nil {
		pc.Wrap = l.wrap
	}
	p, err := port.Listen(pc)
	if err != nil {
		return nil, err
	}
	l.port = p
	return l, nil
}

func (l *Listener) wrap(nc net.Conn) (net.Conn, error) {
	if err := nc.SetDeadline(time.Now().Add(orDefault(l.cfg.WrapTimeout, DefaultWrapTimeout))); err != nil {
		return nil, err
	}
	wrapped, err := l.cfg.Wrap(nc)
	if err != nil {
		return nil, err
	}
	return wrapped, nc.SetDeadline(time.Time{})
}

func (l *Listener) serve(nc net.Conn) {
	c := New(nc, l.cfg.Conn)
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return
	}
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	var h Handler
	defer func() {
		if h == nil { // refused, or Accept panicked
			c.abandon()
		}
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
	}()
	if h = l.cfg.Accept(c); h != nil {
		c.Serve(h)
	}
}

// Addr is the address the socket is bound to.
func (l *Listener) Addr() net.Addr { return l.port.Addr() }

// Conns is the number of open connections, those being wrapped included.
func (l *Listener) Conns() int { return l.port.Conns() }

// StopAccepting closes the socket and leaves open connections alone.
func (l *Listener) StopAccepting() { l.port.StopAccepting() }

// Close stops accepting, closes every connection as Conn.Close does, with one
// CloseTimeout for all of them, and returns when their goroutines have ended.
// Not from a Handler.
func (l *Listener) Close() {
	l.port.StopAccepting()
	l.mu.Lock()
	l.closing = true
	open := make([]*Conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.closeSoon()
	}
	limit := time.NewTimer(l.cfg.Conn.withDefaults().CloseTimeout)
	defer limit.Stop()
	for i, c := range open {
		select {
		case <-c.ended:
		case <-limit.C:
			for _, late := range open[i:] {
				late.settle(ErrClosed)
				late.closeSocket()
			}
			l.port.Close()
			return
		}
	}
	l.port.Close()
}
