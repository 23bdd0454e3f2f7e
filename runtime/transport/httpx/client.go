package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ClientConfig holds a client's limits; a zero means the default of the same
// name.
type ClientConfig struct {
	MaxConnsPerHost int // connections to one address, each with one request in flight
	MaxHosts        int // addresses with connections at one time
	MaxQueued       int // requests per address that wait for a connection
	MaxQueuedBytes  int // and their bytes
	MaxHeadBytes    int // status line and headers of a response
	MaxHeaders      int
	MaxBodyBytes    int

	IdleTimeout time.Duration // an unused connection is closed after it
	DialTimeout time.Duration

	// Dial opens a connection; nil means TCP (no Nagle delay) or Unix sockets.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives dropped connections at Debug; nil discards them.
	Logger *slog.Logger
}

// Request is one request to start. Head and Body are borrowed until the
// request is done.
type Request struct {
	Network string // "" means "tcp"; or "unix"
	Address string // "host:port", or a path
	Head    []byte // request line, headers and blank line
	Body    []byte
	// BodyUntilStart says that Body is borrowed only until Start returns: what
	// is not out by then is copied.
	BodyUntilStart bool
	// NoBody says that the response has no body whatever its head says: HEAD.
	NoBody bool
	// Deadline ends the request, and its connection, with ErrTimeout; zero: none.
	Deadline time.Time
}

// Response is an answer. It is valid until the done function returns.
type Response struct {
	Status  int
	Reason  []byte
	Headers []Header
	Body    []byte

	own *buffer // holds a body that has memory of its own
}

// TakeBody gives the body to the caller for good: without a copy when it has
// memory of its own. Body is empty afterwards.
func (r *Response) TakeBody() []byte {
	body := r.Body
	r.Body = nil
	return takeBody(r.own, body)
}

// Client keeps pools of connections, one per address.
type Client struct {
	cfg     ClientConfig
	log     *slog.Logger
	ctx     context.Context // ends dials at Close; the client is their owner
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	hosts  map[hostKey]*host
	closed bool
}

type hostKey struct{ network, address string }

// NewClient fills in defaults. Close must be called.
func NewClient(cfg ClientConfig) *Client {
	cfg.MaxConnsPerHost = orDefault(cfg.MaxConnsPerHost, DefaultMaxConnsPerHost)
	cfg.MaxHosts = orDefault(cfg.MaxHosts, DefaultMaxHosts)
	cfg.MaxQueued = orDefault(cfg.MaxQueued, DefaultMaxQueued)
	cfg.MaxQueuedBytes = orDefault(cfg.MaxQueuedBytes, DefaultMaxQueuedBytes)
	cfg.MaxHeadBytes = orDefault(cfg.MaxHeadBytes, DefaultMaxHeadBytes)
	cfg.MaxHeaders = orDefault(cfg.MaxHeaders, DefaultMaxHeaders)
	cfg.MaxBodyBytes = orDefault(cfg.MaxBodyBytes, DefaultMaxBodyBytes)
	cfg.IdleTimeout = orDefault(cfg.IdleTimeout, DefaultClientIdleTimeout)
	cfg.DialTimeout = orDefault(cfg.DialTimeout, DefaultDialTimeout)
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, log: cfg.Logger, hosts: map[hostKey]*host{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Prepare makes a request for Pending.Start to send. It can be cancelled from
// now on. done is called exactly once, possibly before Start returns, usually on
// the goroutine that reads the connection. It must not block; it may start
// further requests.
//
// A request reaches the peer at most once. It moves to another connection only
// while no byte of it was sent; when a connection ends later and without a
// response, the outcome is a *LostError.
func (c *Client) Prepare(r Request, done func(*Response, error)) *Pending {
	if r.Network == "" {
		r.Network = "tcp"
	}
	return &Pending{client: c, request: r, done: done}
}

// Start is Prepare and Pending.Start.
func (c *Client) Start(r Request, done func(*Response, error)) *Pending {
	p := c.Prepare(r, done)
	p.Start()
	return p
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
		h = &host{client: c, key: k, conns: map[*clientConn]struct{}{}}
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

// Close ends every request with ErrClosed, closes every connection and returns
// when no goroutine of the client is left. It must not be called from a done
// function. Calling it again is a no-op.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	hosts := make([]*host, 0, len(c.hosts))
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	c.mu.Unlock()
	c.cancel()
	for _, h := range hosts {
		h.close()
	}
	c.running.Wait()
}

// dial opens a connection within the configured time.
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
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.Join(errors.New("no connection within DialTimeout ("+c.cfg.DialTimeout.String()+")"), err)
	}
	return nil, &DialError{Address: k.address, Err: err}
}
