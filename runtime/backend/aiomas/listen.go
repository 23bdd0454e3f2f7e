package aiomas

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
	"aimrtrpc/runtime/transport/port"
)

// ListenConfig says where to listen and what to do with connections.
type ListenConfig struct {
	Options
	// Address is as in DialConfig; port 0 lets the system choose one.
	Address string
	// MaxConns bounds the open connections; 0 means port.DefaultMaxConns. One more is closed at once.
	MaxConns int
	// Connected, when set, gets each connection once the peer has proved who it is, before any of its calls is served. It must return soon.
	Connected func(*Conn)
}

// Listener accepts connections.
type Listener struct {
	cfg    ListenConfig
	at     address
	framed *framed.Listener // nil for an address inside the process

	mu     sync.Mutex // guards what follows
	conns  map[*Conn]*session
	closed bool
}

// Listen opens the address and starts accepting.
func Listen(cfg ListenConfig) (*Listener, error) {
	cfg.Options = cfg.withDefaults()
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = port.DefaultMaxConns
	}
	at, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if at.path != "" {
		return nil, fmt.Errorf("%w: address %q to listen on has a path, which only a client's has", ErrOptions, cfg.Address)
	}
	wrap, err := cfg.wrapper(at, true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	l := &Listener{cfg: cfg, at: at, conns: map[*Conn]*session{}}
	if at.network == local {
		return l, listenLocal(l)
	}
	l.framed, err = framed.Listen(framed.ListenConfig{
		Network: at.network, Address: at.text, MaxConns: cfg.MaxConns, Wrap: wrap, WrapTimeout: cfg.AuthTimeout,
		Conn: cfg.framed(), Logger: cfg.Logger,
		Accept: func(fc *framed.Conn) framed.Handler {
			if s := l.accept(fc); s != nil {
				return s
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// accept makes the connection of an accepted socket, nil when it is refused.
func (l *Listener) accept(fc *framed.Conn) *session {
	peer := rpc.Peer{Scheme: l.at.network, Address: fc.RemoteAddr().String()}
	if l.at.network != tcp {
		peer.Address = l.at.text
	}
	peer, err := l.cfg.identify(fc.NetConn(), peer)
	if err != nil {
		l.cfg.Logger.Warn("connection refused", "reason", err.Error())
		return nil
	}
	c := newConn(l.cfg.Options)
	s := newSession(c, fc, peer)
	c.peer = peer
	c.ready = func(c *Conn) {
		defer guard.Recover("aiomas connected")
		if l.cfg.Connected != nil {
			l.cfg.Connected(c)
		}
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.conns[c] = s
	l.mu.Unlock()
	c.OnClose(func(error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	})
	if l.cfg.Token != "" {
		s.demand()
	} else {
		c.opened(s)
	}
	return s
}

// Address is where the listener is, in the form that Dial takes.
func (l *Listener) Address() string {
	if l.framed == nil || l.at.network == unix {
		return l.at.String()
	}
	return tcp + "://" + l.framed.Addr().String()
}

// Conns lists the connections whose peers may call.
func (l *Listener) Conns() []*Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(l.conns)), func(c *Conn) bool { return !c.Connected() })
}

// StopAccepting lets nobody in any more; open connections go on.
func (l *Listener) StopAccepting() {
	if l.framed == nil {
		leaveLocal(l)
		return
	}
	l.framed.StopAccepting()
}

// Close stops accepting, closes the connections, and returns when their sockets are closed. Not from a handler's OnClose work.
func (l *Listener) Close() {
	l.StopAccepting()
	l.mu.Lock()
	l.closed = true
	open := slices.Collect(maps.Values(l.conns))
	l.mu.Unlock()
	if l.framed != nil {
		l.framed.Close()
		return
	}
	for _, s := range open {
		s.fc.Close()
	}
}

// locals are the listeners inside the process, by name.
var locals = struct {
	mu     sync.Mutex // guards byName
	byName map[string]*Listener
}{byName: map[string]*Listener{}}

var errNoListener = errors.New("nobody listens")

func listenLocal(l *Listener) error {
	locals.mu.Lock()
	defer locals.mu.Unlock()
	if locals.byName[l.at.text] != nil {
		return fmt.Errorf("listen on %s: the address is in use", l.at)
	}
	locals.byName[l.at.text] = l
	return nil
}

func leaveLocal(l *Listener) {
	locals.mu.Lock()
	defer locals.mu.Unlock()
	if locals.byName[l.at.text] == l {
		delete(locals.byName, l.at.text)
	}
}

// dialLocal connects to a listener inside the process through a pipe: the same frames, limits and goroutines as with a socket.
func dialLocal(to address, cfg framed.Config) (*framed.Conn, error) {
	locals.mu.Lock()
	l := locals.byName[to.text]
	locals.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("connect to %s: %w", to, errNoListener)
	}
	l.mu.Lock()
	full := len(l.conns) >= l.cfg.MaxConns
	l.mu.Unlock()
	if full {
		return nil, fmt.Errorf("connect to %s: %d connections are open, the limit MaxConns", to, l.cfg.MaxConns)
	}
	near, far := net.Pipe()
	fc := framed.New(far, l.cfg.framed())
	s := l.accept(fc)
	if s == nil {
		near.Close()
		far.Close()
		return nil, fmt.Errorf("connect to %s: %w", to, errNoListener)
	}
	fc.Start(s)
	return framed.New(near, cfg), nil
}
