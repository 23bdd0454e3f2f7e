package core

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend/aiomas"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/value"
)

// Limits of connections.
const (
	// MaxConnectionMethods bounds the methods of one connection.
	MaxConnectionMethods = 65536
	// MaxLinks bounds the connections that a runtime has dialled, and its listeners, together.
	MaxLinks = 10_000
)

// TLSFiles are the PEM files of one end of a connection.
type TLSFiles = aiomas.TLSFiles

// ConnectionOptions is what both ways to a connection have in common. Address is required. A limit of 0 means its default.
type ConnectionOptions struct {
	Address string // "tcp://host:port", "unix:///path", "local://name"
	Dialect string // "aiomas", also when empty
	Codec   string // "json", also when empty, "msgpack", "msgpack_blosc"
	// Router answers the peer's calls; nil finds no name.
	Router *Router
	TLS    *TLSFiles // nil: none
	// AllowedPeers are the names in certificates of peers that may connect; empty: every verified one.
	AllowedPeers []string
	// Token is demanded by a listening end as the first request and given by a dialling one; empty: none.
	Token string
	// ReferenceType is what both ends count references to services as.
	ReferenceType uint64
	// FailureArray tells failures as mosaik does.
	FailureArray bool

	MaxFrameBytes, MaxDepth, MaxPending, MaxPendingBytes, MaxOpen int
}

// DialOptions says where to connect to.
type DialOptions struct {
	ConnectionOptions
	// Timeout of connecting: 0 means one attempt, less means attempts for ever.
	Timeout time.Duration
	// Reconnect connects again when the peer has gone; OnClose then comes only after Close.
	Reconnect bool
}

// ListenOptions says where to listen.
type ListenOptions struct {
	ConnectionOptions
	// MaxConnections bounds the open connections; 0 means the default.
	MaxConnections int
	// Connected, when set, gets each connection before any of its calls is served. It must return soon.
	Connected func(*Connection)
}

// links are the routes to peers of one runtime.
type links struct {
	mu        sync.Mutex // guards what follows
	closed    bool
	conns     map[*aiomas.Conn]*Connection
	listeners map[*Listener]struct{}
}

// Router is what one end of a connection offers: services by path, "math/add". It may serve any number of connections and be changed
// meanwhile.
type Router struct {
	module *Module
	tree   *dialect.Tree
}

// NewRouter makes a router without services.
func (m *Module) NewRouter() *Router { return &Router{module: m, tree: dialect.NewTree()} }

// Add makes a service reachable; the name of the options is its path. Calls bring the array [args, kwargs] in "json" or "msgpack", that of the
// connection when the request type supports both, and the response is one value in either. The filters are those that the rules of services give the path at this moment.
func (r *Router) Add(o ServiceOptions) (*Service, error) {
	m := r.module
	if err := m.runtime.need("a router takes services", Init, Start); err != nil {
		return nil, err
	}
	if o.Handler == nil {
		return nil, failf(InvalidArgument, "service path %q needs a handler", o.Name)
	}
	method, err := m.newMethod(rpc.MethodOptions{Name: o.Name, Shape: o.Shape, Request: o.Request, Response: o.Response, Descriptor: o.Descriptor})
	if err != nil {
		return nil, err
	}
	match := registry.Match(m.runtime.rules().ServerRules, o.Name)
	filters, err := m.runtime.filtersOf(filter.Server, match.Filters)
	if err != nil {
		return nil, err
	}
	s := &Service{runtime: m.runtime, method: method, handler: o.Handler, foreign: o.Foreign, nonBlocking: o.NonBlocking}
	s.ended = s.end
	s.route.Store(&serviceRoute{Route: match, filters: filters, chain: filter.Chain(filters, o.Handler.Handle)})
	if err := r.tree.Add(o.Name, method, routed{s}); err != nil {
		return nil, treeError(err)
	}
	return s, nil
}

// routed is a service that gets its arguments in a serialization it supports.
type routed struct{ *Service }

// Handle serves one call.
func (s routed) Handle(ctx context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes("")
	have := call.Context.Serialization
	switch {
	case err != nil || s.method.Supports(have):
	case have == "json" && s.method.Supports("msgpack"):
		data, err = value.JSONToMsgPack(nil, data, value.Limits{})
		have = "msgpack"
	case have == "msgpack" && s.method.Supports("json"):
		data, err = value.MsgPackToJSON(nil, data, value.Limits{})
		have = "json"
	default:
		call.Finish(rpc.Statusf(rpc.CodeSvrInvalidSerializationType, "%q supports neither json nor msgpack", s.method.Name()), rpc.Payload{})
		return
	}
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	if have != call.Context.Serialization {
		call.Request, call.Context.Serialization = rpc.BytesPayload(have, data), have
	}
	s.Service.Handle(ctx, call)
}

// Remove takes out a service, or a router with all that is in it.
func (r *Router) Remove(path string) error {
	if r.tree.Remove(path) {
		return nil
	}
	return unknown("service path", path, r.tree.Paths())
}

// Attach puts a router under a path; it has one place only.
func (r *Router) Attach(path string, sub *Router) error {
	return treeError(r.tree.Attach(path, sub.tree))
}

// Paths lists the services, sorted.
func (r *Router) Paths() []string { return r.tree.Paths() }

func treeError(err error) error {
	switch {
	case errors.Is(err, dialect.ErrTaken):
		return fail(AlreadyExists, err)
	case errors.Is(err, dialect.ErrTreeLimit):
		return fail(Limit, err)
	}
	return fail(InvalidArgument, err)
}

// options turns the options into the connection's.
func (o *ConnectionOptions) options(log *slog.Logger) (aiomas.Options, error) {
	if o.Dialect != "" && o.Dialect != aiomas.Name {
		return aiomas.Options{}, unknown("connection dialect", o.Dialect, []string{aiomas.Name})
	}
	codec, ok := aiomas.CodecNamed(o.Codec)
	if !ok {
		return aiomas.Options{}, unknown("codec", o.Codec, aiomas.CodecNames)
	}
	out := aiomas.Options{
		Codec: codec, TLS: o.TLS, AllowedPeers: o.AllowedPeers, Token: o.Token, ReferenceType: o.ReferenceType, FailureArray: o.FailureArray,
		MaxFrameBytes: o.MaxFrameBytes, MaxDepth: o.MaxDepth, MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes, MaxOpen: o.MaxOpen,
		Logger: log,
	}
	if o.Router != nil {
		out.Handler = o.Router.tree
	}
	return out, nil
}

func linkError(err error) error {
	if errors.Is(err, aiomas.ErrOptions) {
		return fail(InvalidArgument, err)
	}
	return fail(IO, err)
}

// Connection is one link to a peer with calls in both directions. It may be used from any goroutine.
type Connection struct {
	runtime *Runtime
	module  *Module
	conn    *aiomas.Conn

	mu      sync.Mutex // guards what follows
	methods map[string]*Client
}

// Dial connects to a peer and waits until that is done, ctx ends, or the shutdown of the runtime is requested.
func (m *Module) Dial(ctx context.Context, o DialOptions) (*Connection, error) {
	if err := m.runtime.need("a module can connect", Init, Start); err != nil {
		return nil, err
	}
	options, err := o.options(m.runtime.log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	guard.Go("connect until shutdown", func() {
		select {
		case <-m.runtime.asked: // nobody waits for a peer that does not come
			cancel()
		case <-ctx.Done():
		}
	})
	conn, err := aiomas.Dial(ctx, aiomas.DialConfig{Options: options, Address: o.Address, RetryFor: o.Timeout, Reconnect: o.Reconnect})
	if err != nil {
		return nil, linkError(err)
	}
	c, err := m.adopt(conn, MaxLinks)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// adopt makes the connection known to the runtime until it has ended.
func (m *Module) adopt(conn *aiomas.Conn, most int) (*Connection, error) {
	r := m.runtime
	c := &Connection{runtime: r, module: m, conn: conn, methods: map[string]*Client{}}
	r.links.mu.Lock()
	switch {
	case r.links.closed:
		r.links.mu.Unlock()
		return nil, failf(InvalidState, "the runtime is shutting down")
	case len(r.links.conns)+len(r.links.listeners) >= most:
		r.links.mu.Unlock()
		return nil, failf(Limit, "%d connections and listeners are open, the limit MaxLinks", most)
	}
	if r.links.conns == nil {
		r.links.conns = map[*aiomas.Conn]*Connection{}
	}
	r.links.conns[conn] = c
	r.links.mu.Unlock()
	conn.OnClose(func(error) {
		r.links.mu.Lock()
		defer r.links.mu.Unlock()
		delete(r.links.conns, conn)
	})
	return c, nil
}

// Method gives the method at a path of the peer, the name of the options; the same one for the same path. Its calls take [args, kwargs] and give a
// value, both in the serialization of the call, "json" or "msgpack"; they have no timeout unless one is set, and end with CONNECTION_LOST when the link goes.
func (c *Connection) Method(o ClientOptions) (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.methods[o.Name]; ok {
		return known, nil
	}
	if len(c.methods) >= MaxConnectionMethods {
		return nil, failf(Limit, "%d methods of this connection are in use, the limit MaxConnectionMethods", len(c.methods))
	}
	r := c.runtime
	if o.Request == nil {
		o.Request = rpc.Raw{c.Serialization()}
	}
	if o.Response == nil {
		o.Response = rpc.Raw{c.Serialization()}
	}
	method, err := c.module.newMethod(rpc.MethodOptions{Name: o.Name, Shape: o.Shape, Request: o.Request, Response: o.Response, Descriptor: o.Descriptor})
	if err != nil {
		return nil, err
	}
	match := registry.Match(r.rules().ClientRules, o.Name)
	filters, err := r.filtersOf(filter.Client, match.Filters)
	if err != nil {
		return nil, err
	}
	m := &Client{runtime: r, method: method, tag: o.Tag, counter: r.counters.Of(o.Name), connection: c}
	m.ended = m.end
	m.route.Store(&clientRoute{Route: match, filters: filters, chain: filter.Chain(filters, m.dispatchLink)})
	c.methods[o.Name] = m
	r.publishOne(m)
	return m, nil
}

// dispatchLink is the innermost part of the chain of a connection's method.
func (c *Client) dispatchLink(ctx context.Context, call *rpc.Call) {
	call.Backend = aiomas.Name
	if call.Context.Target != "" {
		call.Finish(rpc.Statusf(rpc.CodeCliInvalidAddr, "address %q: a method of a connection is called over that connection only",
			call.Context.Target), rpc.Payload{})
		return
	}
	if call.Context.Timeout > 0 {
		c.armTimer(call, nil)
	}
	c.connection.conn.Invoke(ctx, call)
}

// Serialization of payloads that need no conversion: "json" or "msgpack".
func (c *Connection) Serialization() string { return c.conn.Serialization() }

// Peer is who is at the other end.
func (c *Connection) Peer() rpc.Peer { return c.conn.Peer() }

// OnClose adds what runs once when the connection has ended for good, with the reason; at once when it has ended already.
func (c *Connection) OnClose(f func(reason error)) { c.conn.OnClose(f) }

// Done is closed when the connection has ended for good.
func (c *Connection) Done() <-chan struct{} { return c.conn.Done() }

// Close ends the connection and its open calls. Not in OnClose work.
func (c *Connection) Close() error { return c.conn.Close() }

// Reference writes a value that refers to the own service at a path, "" for all that is served, in the serialization of the connection.
func (c *Connection) Reference(path string) ([]byte, error) {
	value, err := c.conn.Reference(path)
	return value, fail(NotFound, err)
}

// ReferencePath is the path of the peer's service that an encoded value refers to; false when it refers to none.
func (c *Connection) ReferencePath(value []byte) (string, bool) { return c.conn.ReferencePath(value) }

// ConnectionOf is the connection an incoming call came over; false when its backend has none, and when the connection is gone.
func (r *Runtime) ConnectionOf(call *rpc.Call) (*Connection, bool) {
	conn, ok := call.Conn.(*aiomas.Conn)
	if !ok {
		return nil, false
	}
	r.links.mu.Lock()
	defer r.links.mu.Unlock()
	c, ok := r.links.conns[conn]
	return c, ok
}

// Listener accepts connections of peers.
type Listener struct {
	module   *Module
	listener *aiomas.Listener
}

// Listen opens an address.
func (m *Module) Listen(o ListenOptions) (*Listener, error) {
	r := m.runtime
	if err := r.need("a module can listen", Init, Start); err != nil {
		return nil, err
	}
	options, err := o.options(r.log)
	if err != nil {
		return nil, err
	}
	l := &Listener{module: m}
	accept := func(conn *aiomas.Conn) {
		c, err := m.adopt(conn, 1<<30) // the listener has its own limit
		if err != nil {
			r.log.Warn("a connection comes too late", "peer", conn.Peer().String(), "reason", err.Error())
			guard.Go("close late connection", func() { conn.Close() })
			return
		}
		if o.Connected != nil {
			o.Connected(c)
		}
	}
	r.links.mu.Lock()
	defer r.links.mu.Unlock()
	switch {
	case r.links.closed:
		return nil, failf(InvalidState, "the runtime is shutting down")
	case len(r.links.conns)+len(r.links.listeners) >= MaxLinks:
		return nil, failf(Limit, "%d connections and listeners are open, the limit MaxLinks", MaxLinks)
	}
	l.listener, err = aiomas.Listen(aiomas.ListenConfig{Options: options, Address: o.Address, MaxConns: o.MaxConnections, Connected: accept})
	if err != nil {
		return nil, linkError(err)
	}
	if r.links.listeners == nil {
		r.links.listeners = map[*Listener]struct{}{}
	}
	r.links.listeners[l] = struct{}{}
	return l, nil
}

// Address is where the listener is, in the form that Dial takes.
func (l *Listener) Address() string { return l.listener.Address() }

// Connections lists those whose peers may call.
func (l *Listener) Connections() []*Connection {
	links := &l.module.runtime.links
	var out []*Connection
	for _, conn := range l.listener.Conns() {
		links.mu.Lock()
		if c, ok := links.conns[conn]; ok {
			out = append(out, c)
		}
		links.mu.Unlock()
	}
	return out
}

// StopAccepting lets nobody in any more; open connections go on.
func (l *Listener) StopAccepting() { l.listener.StopAccepting() }

// Close stops accepting, closes the connections that were accepted, and returns when their sockets are closed. Not in OnClose work.
func (l *Listener) Close() {
	l.listener.Close()
	links := &l.module.runtime.links
	links.mu.Lock()
	defer links.mu.Unlock()
	delete(links.listeners, l)
}

// linkClients lists the methods of open connections.
func (r *Runtime) linkClients() []*Client {
	r.links.mu.Lock()
	conns := slices.Collect(maps.Values(r.links.conns))
	r.links.mu.Unlock()
	var out []*Client
	for _, c := range conns {
		c.mu.Lock()
		out = slices.AppendSeq(out, maps.Values(c.methods))
		c.mu.Unlock()
	}
	return out
}

// stopLinks lets no further peer in.
func (r *Runtime) stopLinks() {
	r.links.mu.Lock()
	listeners := slices.Collect(maps.Keys(r.links.listeners))
	r.links.mu.Unlock()
	for _, l := range listeners {
		l.StopAccepting()
	}
}

// closeLinks ends connections and listeners, all at the same time, and refuses new ones.
func (r *Runtime) closeLinks() {
	r.links.mu.Lock()
	r.links.closed = true
	listeners := slices.Collect(maps.Keys(r.links.listeners))
	conns := slices.Collect(maps.Values(r.links.conns))
	r.links.mu.Unlock()
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Add(1)
		guard.Go("close listener", func() { defer all.Done(); l.Close() })
	}
	for _, c := range conns {
		all.Add(1)
		guard.Go("close connection", func() { defer all.Done(); c.Close() })
	}
	all.Wait()
}
