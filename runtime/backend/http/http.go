// Package http carries calls as AimRT's net_plugin does: one HTTP/1.1 POST per call, metadata in percent-encoded headers, the message as
// body. It serves the functions of this process on one port and calls those of other processes, AimRT's own or ours; curl works too.
//
// The bytes are those of package wire/aimrthttp, the sockets those of transport/httpx; this package is the glue between them and a call.
// core constructs it; nobody else imports it.
package http

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/transport/httpx"
	"aimrtrpc/runtime/transport/port"
)

// Name of the backend, and scheme of its addresses.
const Name = "http"

// inlineBytes is the largest message that goes into one buffer with its head. A larger one is given to the socket from where it lies.
const inlineBytes = 8 << 10

// refusedRoom is how many connections beyond the limit are kept for the moment that it takes to tell them so.
const refusedRoom = 64

// Backend is the http backend of one runtime.
type Backend struct {
	name    string
	log     *slog.Logger
	config  backend.Section
	plugin  backend.Section
	options options
	listen  *httpOptions // nil: this process serves nothing over http
	tls     *port.TLS    // nil: clear text
	limits  limits

	client  *httpx.Client
	server  *httpx.Server
	methods sync.Map // *rpc.Method -> *clientMethod
	table   atomic.Pointer[aimrt.Paths[*service]]
	running atomic.Bool
	sent    atomic.Int64 // calls of ours that wait for an answer
	served  atomic.Int64 // calls of others that are being served

	mu       sync.Mutex // guards what follows
	services []*service
	port     *port.Shared
	started  bool
	closed   bool
	writing  sync.WaitGroup // goroutines of writeElsewhere; counted up under mu
}

// New makes the backend. It opens no socket yet.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{name: env.Name, log: env.Logger, config: env.Options, plugin: env.Plugin}
	if err := b.readOptions(); err != nil {
		return nil, err
	}
	b.client = httpx.NewClient(httpx.ClientConfig{
		MaxConnsPerHost: int(b.limits.MaxHostConnections), MaxQueued: int(b.limits.MaxPending), MaxQueuedBytes: int(b.limits.MaxPendingBytes),
		MaxHeadBytes: int(b.limits.MaxHeaderBytes), MaxHeaders: b.maxHeaders(), MaxBodyBytes: int(b.limits.MaxMessageBytes),
		IdleTimeout: millis(b.limits.ClientIdleMS), DialTimeout: millis(b.limits.ConnectTimeoutMS), Logger: env.Logger,
	})
	server, err := httpx.NewServer(httpx.ServerConfig{
		Handler: b.serve, MaxHeadBytes: int(b.limits.MaxHeaderBytes), MaxHeaders: b.maxHeaders(), MaxBodyBytes: int(b.limits.MaxMessageBytes),
		MaxConns: int(b.limits.MaxConnections), IdleTimeout: millis(b.limits.ServerIdleMS), Logger: env.Logger,
	})
	if err != nil {
		return nil, err
	}
	b.server = server
	b.table.Store(tableOf(nil))
	return b, nil
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// ownHeaders is the room for headers that are not metadata: Host, Content-Type and the like, and what a proxy adds.
const ownHeaders = 16

func (b *Backend) maxHeaders() int { return int(b.limits.MaxMetadata) + ownHeaders }

// Start opens the port, if one is configured, and lets calls in.
func (b *Backend) Start(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.started {
		return errors.New("the http backend can be started only once")
	}
	b.table.Store(tableOf(b.services))
	if b.listen != nil {
		address := net.JoinHostPort(b.listen.IP, strconv.Itoa(int(b.listen.Port)))
		p, err := port.Share(port.SharedConfig{Protocol: port.HTTP1, TLS: b.tls, Config: port.Config{
			Network: "tcp", Address: address, MaxConns: int(b.limits.MaxConnections) + refusedRoom, Serve: b.server.ServeConn, Logger: b.log,
		}})
		if errors.Is(err, syscall.EADDRINUSE) {
			return b.plugin.Errorf("http_options.listen_port", "%s is already in use.", address)
		}
		if err != nil {
			return b.plugin.Errorf("http_options", "%w", err)
		}
		b.port = p
	}
	b.started = true
	b.running.Store(true)
	return nil
}

// Address is where the server listens, "ip:port"; empty when it does not.
func (b *Backend) Address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.port == nil {
		return ""
	}
	return b.port.Addr().String()
}

// Stop closes the port and the connections that are idle; calls that are being served go on.
func (b *Backend) Stop() {
	b.mu.Lock()
	p := b.port
	b.mu.Unlock()
	if p != nil {
		p.StopAccepting()
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.server.Drain(now) // begins to drain and does not wait
}

// closeGrace is how long Close waits for answers that are on their way and for requests that have arrived to be answered.
const closeGrace = 100 * time.Millisecond

// Close ends all calls and connections and waits for their goroutines. Further calls of Close wait, too.
func (b *Backend) Close(ctx context.Context) error {
	b.running.Store(false)
	b.mu.Lock()
	b.closed = true
	p := b.port
	b.mu.Unlock()
	gone := make(chan struct{})
	guard.Go("http backend close", func() {
		defer close(gone)
		if p != nil {
			p.StopAccepting()
		}
		soon, cancel := context.WithTimeout(ctx, closeGrace)
		_ = b.server.Drain(soon)
		cancel()
		b.server.Close()
		if p != nil {
			p.Close()
		}
		b.client.Close()
		b.writing.Wait()
	})
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeElsewhere runs the rest of a write that has to wait for the peer; false when the backend is closed.
func (b *Backend) writeElsewhere(write func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.writing.Add(1)
	guard.Go("http large message", func() {
		defer b.writing.Done()
		write()
	})
	return true
}

// heads are buffers for message heads, and for small messages behind them.
var heads = sync.Pool{New: func() any {
	buffer := make([]byte, 0, 1<<10)
	return &buffer
}}

// keepHead gives a buffer back unless a large message made it large.
func keepHead(buffer *[]byte) {
	if cap(*buffer) <= 4*inlineBytes {
		heads.Put(buffer)
	}
}

// Counts are figures for the statistics.
func (b *Backend) Counts() map[string]int64 {
	counts := map[string]int64{
		"server_connections": int64(b.server.Conns()), "server_calls": b.served.Load(), "client_calls": b.sent.Load(),
		"server_connections_refused": 0,
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.port != nil {
		counts["server_connections_refused"] = int64(b.port.Refused())
	}
	return counts
}

// Report shows where functions are served and where calls go.
func (b *Backend) Report() []backend.ReportSection {
	var text strings.Builder
	text.WriteString("listen: ")
	if b.listen == nil {
		text.WriteString("nowhere, net_plugin has no http_options\n")
	} else {
		text.WriteString(net.JoinHostPort(b.listen.IP, strconv.Itoa(int(b.listen.Port))) + "\n")
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
	for _, line := range sortedSet(calls) {
		text.WriteString(line + "\n")
	}
	return []backend.ReportSection{{Title: "Http Rpc Backend Info", Text: text.String()}}
}

var (
	_ backend.Backend  = (*Backend)(nil)
	_ backend.Timed    = (*Backend)(nil)
	_ backend.Reporter = (*Backend)(nil)
	_ backend.Counted  = (*Backend)(nil)
	_ context.Context  = (*serverCall)(nil)
)
