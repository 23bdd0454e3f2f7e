package aiomas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	dialect "aimrtrpc/runtime/dialect/aiomas"
)

// Backend is the aiomas backend of one runtime: its services are one tree, served to whoever connects and to the peers it connects to itself.
type Backend struct {
	name    string
	log     *slog.Logger
	section backend.Section
	config  options
	limits  limits
	options Options // of every connection
	tree    *dialect.Tree

	methods sync.Map // *rpc.Method -> *clientMethod
	running atomic.Bool

	mu       sync.Mutex // guards what follows
	listener *Listener
	started  bool
	closed   bool
	links    map[address]*link
	work     sync.WaitGroup // goroutines of links; counted up under mu
}

// New makes the backend. It opens no socket yet.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{name: env.Name, log: env.Logger, section: env.Options, tree: dialect.NewTree(), links: map[address]*link{}}
	if err := b.readOptions(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Backend) connectTimeout() time.Duration {
	return time.Duration(b.limits.ConnectTimeoutMS) * time.Millisecond
}

// Start opens the address, if one is configured, and lets calls in.
func (b *Backend) Start(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.started {
		return errors.New("the aiomas backend can be started only once")
	}
	if b.config.Listen != "" {
		l, err := Listen(ListenConfig{Options: b.options, Address: b.config.Listen, MaxConns: int(b.limits.MaxConnections)})
		if err != nil {
			return b.section.Errorf("listen", "%w", err)
		}
		b.listener = l
	}
	b.started = true
	b.running.Store(true)
	return nil
}

// Address is where peers connect, "127.0.0.1:5555", or with its scheme when that is not tcp; empty when they cannot.
func (b *Backend) Address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listener == nil {
		return ""
	}
	return strings.TrimPrefix(b.listener.Address(), tcp+"://")
}

// Stop lets no further peer in; open connections go on.
func (b *Backend) Stop() {
	b.mu.Lock()
	l := b.listener
	b.mu.Unlock()
	if l != nil {
		l.StopAccepting()
	}
}

// Close ends all connections with their calls and waits for their goroutines.
func (b *Backend) Close(ctx context.Context) error {
	b.running.Store(false)
	b.mu.Lock()
	b.closed = true
	l := b.listener
	links := make([]*link, 0, len(b.links))
	for _, one := range b.links {
		links = append(links, one)
	}
	b.mu.Unlock()
	gone := make(chan struct{})
	guard.Go("aiomas backend close", func() {
		defer close(gone)
		var all sync.WaitGroup
		for _, one := range links {
			all.Add(1)
			guard.Go("aiomas link close", func() { defer all.Done(); one.close() })
		}
		if l != nil {
			l.Close()
		}
		all.Wait()
		b.work.Wait()
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
	b.mu.Lock()
	l := b.listener
	links := int64(0)
	for _, one := range b.links {
		if one.connected() {
			links++
		}
	}
	b.mu.Unlock()
	counts := map[string]int64{"client_connections": links, "server_connections": 0}
	if l != nil {
		counts["server_connections"] = int64(len(l.Conns()))
	}
	return counts
}

// Report shows where functions are served and where calls go.
func (b *Backend) Report() []backend.ReportSection {
	var text strings.Builder
	listen := b.config.Listen
	if listen == "" {
		listen = "nowhere"
	}
	fmt.Fprintf(&text, "listen: %s, codec: %s\n", listen, b.options.Codec)
	for _, path := range b.tree.Paths() {
		text.WriteString("serves " + path + "\n")
	}
	var calls []string
	b.methods.Range(func(_, value any) bool {
		m := value.(*clientMethod)
		where := "an address of the call only"
		if m.refused == nil {
			where = m.route.to.String() + " as " + m.route.path
		}
		calls = append(calls, "calls "+m.method.Name()+" at "+where)
		return true
	})
	slices.Sort(calls)
	for _, line := range calls {
		text.WriteString(line + "\n")
	}
	return []backend.ReportSection{{Title: "Aiomas Rpc Backend Info", Text: text.String()}}
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Reporter  = (*Backend)(nil)
	_ backend.Counted   = (*Backend)(nil)
	_ backend.Listening = (*Backend)(nil)
)
