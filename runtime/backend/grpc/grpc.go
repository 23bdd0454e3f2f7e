// Package grpc carries calls as AimRT's grpc_plugin does: unary gRPC over HTTP/2, metadata in header fields. It serves the functions of this
// process on one port and calls those of other processes: AimRT's, ours, and any gRPC server and client. The port may be that of the http
// backend. Beside the functions it serves gRPC's health and reflection services.
//
// The texts are those of package wire/aimrtgrpc, the sockets those of transport/h2; this package is the glue between them and a call. core
// constructs it; nobody else imports it.
package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/transport/port"
)

// Name of the backend, and scheme of its addresses.
const Name = "grpc"

const framePrefix = grpcframe.PrefixBytes

// refusedRoom is how many connections beyond the limit are kept for the moment that it takes to tell them so.
const refusedRoom = 64

// Backend is the grpc backend of one runtime.
type Backend struct {
	name      string
	log       *slog.Logger
	config    backend.Section
	plugin    backend.Section
	options   options
	listen    pluginOptions
	limits    limits
	clientTLS *tls.Config // nil: grpc:// is clear text
	serverTLS *port.TLS   // nil: clear text

	client  *h2.Client
	secure  *h2.Client // over TLS
	server  *h2.Server
	methods sync.Map // *rpc.Method -> *clientMethod
	table   atomic.Pointer[aimrt.Paths[*service]]
	running atomic.Bool
	sent    atomic.Int64 // calls of ours that wait for an answer
	served  atomic.Int64 // calls of others that are being served
	health  *health
	reflect *reflection

	mu       sync.Mutex // guards what follows
	services []*service
	ports    []*port.Shared
	started  bool
	closed   bool
}

// New makes the backend. It opens no socket yet.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{name: env.Name, log: env.Logger, config: env.Options, plugin: env.Plugin}
	if err := b.readOptions(); err != nil {
		return nil, err
	}
	b.health, b.reflect = newHealth(), newReflection(int(b.limits.MaxMessageBytes))
	cfg := h2.ClientConfig{
		Limits: b.engineLimits(b.limits.ClientIdleMS), MaxConnsPerHost: int(b.limits.MaxHostConnections), MaxQueued: int(b.limits.MaxPending),
		MaxQueuedBytes: int(b.limits.MaxPendingBytes), DialTimeout: millis(b.limits.ConnectTimeoutMS),
	}
	b.client = h2.NewClient(cfg)
	clientTLS := b.clientTLS
	if clientTLS == nil {
		clientTLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.Dial = h2.DialTLS(clientTLS, cfg.DialTimeout)
	b.secure = h2.NewClient(cfg)
	server, err := h2.NewServer(h2.ServerConfig{Handler: b.arrive, Limits: b.engineLimits(b.limits.ServerIdleMS), MaxConns: int(b.limits.MaxConnections)})
	if err != nil {
		return nil, err
	}
	b.server = server
	b.table.Store(&aimrt.Paths[*service]{})
	return b, nil
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// ownHeaders is the room for fields that are not metadata: content-type and the like, and what a proxy adds.
const ownHeaders = 16

func (b *Backend) engineLimits(idleMS uint32) h2.Limits {
	return h2.Limits{
		MaxHeaderBytes: int(b.limits.MaxHeaderBytes), MaxHeaders: int(b.limits.MaxMetadata) + ownHeaders, MaxStreams: int(b.limits.MaxStreams),
		MaxBodyBytes: int(b.limits.MaxMessageBytes) + framePrefix, MaxBuffered: max(h2.DefaultMaxBuffered, 2*int(b.limits.MaxMessageBytes)),
		IdleTimeout: millis(idleMS), Logger: b.log,
	}
}

// Start opens the port, if one is configured, and lets calls in.
func (b *Backend) Start(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.started {
		return errors.New("the grpc backend can be started only once")
	}
	b.table.Store(b.newTable())
	for _, at := range b.listen.addresses() {
		p, err := port.Share(port.SharedConfig{Protocol: port.HTTP2, TLS: b.serverTLS, Config: port.Config{
			Network: at[0], Address: at[1], MaxConns: int(b.limits.MaxConnections) + refusedRoom, Serve: b.server.ServeConn, Logger: b.log,
		}})
		if err != nil {
			for _, open := range b.ports {
				open.Close()
			}
			b.ports = nil
			if errors.Is(err, syscall.EADDRINUSE) {
				return b.plugin.Errorf("listen_port", "%s is already in use.", at[1])
			}
			return b.plugin.Errorf("listen_port", "%w", err)
		}
		b.ports = append(b.ports, p)
	}
	b.started = true
	b.running.Store(true)
	b.health.start()
	return nil
}

// newTable is what finds the services by their paths: those of this process, then gRPC's own. mu is held.
func (b *Backend) newTable() *aimrt.Paths[*service] {
	table := &aimrt.Paths[*service]{}
	for _, s := range b.services {
		table.Add(s.path, s)
	}
	if b.listen.wanted(b.listen.Health) {
		for path, serve := range b.health.paths() {
			table.Add(path, &service{path: path, stream: serve})
		}
		b.reflect.addService(healthService)
	}
	if b.listen.wanted(b.listen.Reflection) {
		for path, serve := range b.reflect.paths() {
			table.Add(path, &service{path: path, stream: serve})
		}
	}
	return table
}

// Address is where the server listens, "ip:port" or the path of a socket; empty when it does not.
func (b *Backend) Address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ports) == 0 {
		return ""
	}
	return b.ports[0].Addr().String()
}

// Stop closes the port and the connections that are idle; calls that are being served go on.
func (b *Backend) Stop() {
	for _, p := range b.open() {
		p.StopAccepting()
	}
	b.health.stop()
	b.reflect.stop()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.server.Drain(now) // begins to drain and does not wait
}

func (b *Backend) open() []*port.Shared {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ports)
}

// closeGrace is how long Close waits for answers that are on their way and for requests that have arrived to be answered.
const closeGrace = 100 * time.Millisecond

// Close ends all calls and connections and waits for their goroutines. Further calls of Close wait, too.
func (b *Backend) Close(ctx context.Context) error {
	b.running.Store(false)
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	gone := make(chan struct{})
	guard.Go("grpc backend close", func() {
		defer close(gone)
		b.Stop()
		soon, cancel := context.WithTimeout(ctx, closeGrace)
		_ = b.server.Drain(soon)
		cancel()
		b.server.Close()
		for _, p := range b.open() {
			p.Close()
		}
		b.client.Close()
		b.secure.Close()
	})
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Counts are figures for the statistics.
func (b *Backend) Counts() map[string]int64 {
	counts := map[string]int64{
		"server_connections": int64(b.server.Conns()), "server_calls": b.served.Load(), "client_calls": b.sent.Load(),
		"server_connections_refused": 0,
	}
	for _, p := range b.open() {
		counts["server_connections_refused"] += int64(p.Refused())
	}
	return counts
}

// Report shows where functions are served and where calls go.
func (b *Backend) Report() []backend.ReportSection {
	var text strings.Builder
	text.WriteString("listen: ")
	if !b.listen.serves() {
		text.WriteString("nowhere, grpc_plugin has no listen_port\n")
	}
	for i, at := range b.listen.addresses() {
		text.WriteString(strings.Repeat(", ", min(i, 1)) + at[1])
	}
	if b.listen.serves() {
		text.WriteString("\n")
	}
	b.mu.Lock()
	for _, s := range b.services {
		text.WriteString("serves " + s.path + "\n")
	}
	b.mu.Unlock()
	var calls []string
	b.methods.Range(func(_, value any) bool {
		m := value.(*clientMethod)
		url := m.url
		if url == "" {
			url = "no server url"
		}
		calls = append(calls, "calls "+m.method.Name()+" at "+url)
		return true
	})
	slices.Sort(calls)
	for _, line := range slices.Compact(calls) {
		text.WriteString(line + "\n")
	}
	return []backend.ReportSection{{Title: "Grpc Rpc Backend Info", Text: text.String()}}
}

// peerAddress is a peer's address; a peer on a Unix socket has none but the socket's.
func peerAddress(nc net.Conn, text string) string {
	if _, unix := nc.LocalAddr().(*net.UnixAddr); unix {
		return nc.LocalAddr().String()
	}
	return text
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Timed     = (*Backend)(nil)
	_ backend.Reporter  = (*Backend)(nil)
	_ backend.Counted   = (*Backend)(nil)
	_ backend.Listening = (*Backend)(nil)
)
