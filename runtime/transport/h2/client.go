package h2

import (
	"context"
	"net"
	"sync"
	"time"
)

// ClientConfig holds a client's limits. MaxStreams and the windows are per
// connection.
type ClientConfig struct {
	Limits
	MaxConnsPerHost int // connections to one address; another is opened when all are full
	MaxHosts        int // addresses with connections at one time
	MaxQueued       int // requests per address that wait for a connection or a free stream
	MaxQueuedBytes  int // and their bytes

	DialTimeout time.Duration
	// Dial opens a connection; nil means TCP (no Nagle delay) or Unix sockets in
	// clear text. See DialTLS.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Request is one request to start. Head, Prefix and Body are borrowed until the
// request is done.
type Request struct {
	Network string // "" means "tcp"; or "unix"
	Address string // "host:port", or a path
	Head    *Block // :method, :scheme, :path, then the rest
	// Prefix and Body are the data, sent as one piece. Open does not use them.
	Prefix, Body []byte
	// MaxBody limits the response's body; 0 means MaxBodyBytes.
	MaxBody int
	// NoBody says that the response has no body whatever its head says: HEAD.
	NoBody bool
	// Deadline ends the request with ErrTimeout; zero: none.
	Deadline time.Time
}

// Response is an answer. Headers and Trailers may be kept, Body is valid until
// the done function returns. Trailers is nil when the response was a head alone
// or had none.
type Response struct {
	Status            int
	Headers, Trailers []Field
	Body              []byte

	taken bool
}

// TakeBody gives the body to the caller, who may keep it after the done
// function. It comes at most once and belongs inside done.
func (r *Response) TakeBody() []byte {
	if cap(r.Body) > 2*len(r.Body) && len(r.Body) <= keptBodyBytes { // a small message must not hold a large buffer
		return append(make([]byte, 0, len(r.Body)), r.Body...)
	}
	r.taken = true
	return r.Body
}

// ResponseReceiver takes the response of a stream. Head comes first, once,
// unless the stream ends without one.
type ResponseReceiver interface {
	Head(status int, headers []Field)
	Receiver
}

// Client keeps connections, a pool per address.
type Client struct {
	cfg     ClientConfig
	ctx     context.Context // ends dials at Close; the client is their owner
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	hosts   map[hostKey]*host
	closed  bool
	drained chan struct{} // closed when Drain has nothing left to wait for
}

type hostKey struct{ network, address string }

// NewClient fills in defaults. Close must be called.
func NewClient(cfg ClientConfig) *Client {
	cfg.fill()
	orDefault(&cfg.IdleTimeout, DefaultClientIdleTimeout)
	orDefault(&cfg.MaxConnsPerHost, DefaultMaxConnsPerHost)
	orDefault(&cfg.MaxHosts, DefaultMaxHosts)
	orDefault(&cfg.MaxQueued, DefaultMaxQueued)
	orDefault(&cfg.MaxQueuedBytes, DefaultMaxQueuedBytes)
	orDefault(&cfg.DialTimeout, DefaultDialTimeout)
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	c := &Client{cfg: cfg, hosts: map[hostKey]*host{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Start sends the request and returns; it never waits for the peer. done is
// called exactly once, possibly before Start returns, usually on the goroutine
// that reads the connection. It must not block; it may start further requests.
// A request that the peer declares not to have processed is sent again.
func (c *Client) Start(r Request, done func(*Response, error)) *Pending {
	p := &Pending{request: r, done: done}
	c.start(p)
	return p
}

// Open starts a request whose data is sent with the Pending's Send and whose
// response goes to r. The outcome is r.End's error.
func (c *Client) Open(r Request, receiver ResponseReceiver) *Pending {
	p := &Pending{request: r, receiver: receiver}
	c.start(p)
	return p
}

func (c *Client) start(p *Pending) {
	orDefault(&p.request.MaxBody, c.cfg.MaxBodyBytes)
	if p.request.Network == "" {
		p.request.Network = "tcp"
	}
	p.user, p.sendLimit, p.headSent, p.ending = p, c.cfg.SendBuffer, true, p.unary()
	h, err := c.enter(hostKey{p.request.Network, p.request.Address})
	if err != nil {
		p.fail(err)
		return
	}
	p.host = h
	h.start(p)
	h.users.Add(-1)
}

// enter finds or makes the pool of an address and counts the caller as a user.
func (c *Client) enter(k hostKey) (*host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	h := c.hosts[k]
	if h == nil {
		if len(c.hosts) >= c.cfg.MaxHosts && !c.evict() {
			return nil, &LimitError{Name: "MaxHosts", Limit: c.cfg.MaxHosts, What: "addresses with open connections"}
		}
		h = &host{client: c, key: k, all: map[*conn]struct{}{}}
		c.hosts[k] = h
	}
	h.users.Add(1)
	return h, nil
}

// evict forgets an address that nothing is open to. c.mu is held.
func (c *Client) evict() bool {
	for k, h := range c.hosts {
		if h.unused() {
			delete(c.hosts, k)
			return true
		}
	}
	return false
}

// Drain refuses new requests, lets open ones finish and closes their
// connections; it returns when none is left or ctx ends. Close must still be
// called.
func (c *Client) Drain(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	if c.drained == nil {
		c.drained = make(chan struct{}, 1)
	}
	c.mu.Unlock()
	for {
		left := false
		for _, h := range c.list() {
			left = h.drain() || left
		}
		if !left {
			return nil
		}
		select {
		case <-c.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) list() []*host {
	c.mu.Lock()
	defer c.mu.Unlock()
	hosts := make([]*host, 0, len(c.hosts))
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	return hosts
}

// changed wakes Drain, if it waits.
func (c *Client) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drained != nil {
		select {
		case c.drained <- struct{}{}:
		default:
		}
	}
}

// Close ends every request with ErrClosed, closes every connection and returns
// when no goroutine of the client is left. It must not be called from a done
// function. Calling it again is a no-op.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	for _, h := range c.list() {
		h.close()
	}
	c.running.Wait()
}

func (c *Client) dial(k hostKey) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.DialTimeout)
	defer cancel()
	conn, err := c.cfg.Dial(ctx, k.network, k.address)
	if err == nil {
		return conn, nil
	}
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	return nil, &DialError{Address: k.address, Err: err}
}
