// Package mqtt carries calls as AimRT's mqtt_plugin does: requests and replies are messages at a broker, and every server of a function takes
// its share of the requests. It serves the functions of this process and calls those of others, AimRT's or ours; the broker may be one inside
// this process.
//
// The bytes are those of package wire/aimrtmqtt, the session that of transport/mqttx; this package is the glue between them and a call. What
// AimRT's payloads have no room for, the timeout and the text of a status, travels beside them in MQTT 5's user properties, which others do
// not see. core constructs it; nobody else imports it.
package mqtt

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/transport/mqttx"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

// Name of the backend, and scheme of its addresses.
const Name = "mqtt"

// keyFromClient is the metadata key under which a client gives its id.
const keyFromClient = "aimrt-from_mqtt_client"

// User properties of ours.
const (
	propertyTimeout = "aimrt-timeout"        // of a request, nanoseconds
	propertyCode    = "aimrt-status-code"    // of a reply, where AimRT's number is another one
	propertyMessage = "aimrt-status-message" // of a reply
)

const (
	// startWait is how long Start waits for the broker; after it the session goes on trying by itself.
	startWait = time.Second
	// closeGrace is how long Close waits for replies to leave.
	closeGrace = 100 * time.Millisecond
	// packetRoom is what a packet has beside a payload of max_pkg_size_k: topic, properties, lengths.
	packetRoom = 8 << 10
	// maxMessageText bounds the text of a status that travels.
	maxMessageText = 1 << 10
)

// Backend is the mqtt backend of one runtime.
type Backend struct {
	name     string
	log      *slog.Logger
	config   backend.Section
	plugin   backend.Section
	executor func(name string) (backend.Executor, error)
	options  options
	broker   pluginOptions
	limits   limits
	timeout  backend.Executor // nil: core's timer
	address  string           // of the broker; empty: embedded
	tls      *tls.Config      // nil: none
	secret   string           // in the topics of our replies

	session  *mqttx.Session
	methods  sync.Map // *rpc.Method -> *clientMethod
	routes   atomic.Pointer[map[string]route]
	running  atomic.Bool
	stopping atomic.Bool
	served   atomic.Int64 // calls of others that are being served
	dropped  atomic.Int64 // messages that could not be understood or belong to nobody

	pendingMu sync.Mutex // guards what follows
	pending   map[uint32]*outgoing
	lastID    uint32

	openMu sync.Mutex // guards what follows
	open   map[callKey]*serverCall

	mu       sync.Mutex // guards what follows
	services []*service
	clients  []*clientMethod
	embedded *mqttx.Broker
	started  bool
	closed   bool
	serving  sync.WaitGroup // goroutines of handlers; counted up under mu
}

// route is what a topic is for; one of the three is set.
type route struct {
	serve *service
	end   *service
	reply *clientMethod
}

// New makes the backend. It connects to nobody yet.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{
		name: env.Name, log: env.Logger, config: env.Options, plugin: env.Plugin, executor: env.Executor,
		pending: map[uint32]*outgoing{}, lastID: 1<<32 - 1, open: map[callKey]*serverCall{},
	}
	if err := b.readOptions(); err != nil {
		return nil, err
	}
	if b.options.ReplyTopics != "plain" {
		var random [16]byte
		if _, err := rand.Read(random[:]); err != nil {
			return nil, err
		}
		b.secret = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))
	}
	b.routes.Store(&map[string]route{})
	session, err := mqttx.New(mqttx.Config{
		Dial: b.dial, Broker: b.broker.BrokerAddr, ClientID: b.broker.ClientID,
		Username: b.broker.Username, Password: b.broker.Password, MaxPacketBytes: b.maxPayload() + packetRoom,
		MaxQueued: int(b.limits.MaxQueued), MaxQueuedBytes: int(b.limits.MaxQueuedBytes), MaxInflight: int(b.limits.MaxInflight),
		KeepAlive: millis(b.limits.KeepAliveMS), MaxBackoff: millis(b.broker.ReconnectIntervalMS),
		MinBackoff: min(mqttx.DefaultMinBackoff, millis(b.broker.ReconnectIntervalMS)), ConnectTimeout: millis(b.limits.ConnectTimeoutMS),
		Receive: b.receive, Lost: b.lost, Logger: env.Logger,
	})
	b.session = session
	return b, err
}

// dial connects to the configured broker.
func (b *Backend) dial(ctx context.Context) (net.Conn, error) {
	if b.address != "" {
		return mqttx.DialBroker(b.address, b.tls)(ctx)
	}
	b.mu.Lock()
	embedded := b.embedded
	b.mu.Unlock()
	return embedded.Dial(ctx)
}

func (b *Backend) maxPayload() int { return int(b.broker.MaxPkgSizeK) << 10 }

func place(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// addRoutes makes topics known before they are subscribed to.
func (b *Backend) addRoutes(more map[string]route) {
	b.mu.Lock()
	defer b.mu.Unlock()
	table := make(map[string]route, len(*b.routes.Load())+len(more))
	for topic, r := range *b.routes.Load() {
		table[topic] = r
	}
	for topic, r := range more {
		if _, taken := table[topic]; !taken {
			table[topic] = r
		}
	}
	b.routes.Store(&table)
}

// Start opens the embedded broker, if that is wanted, and connects. A broker that does not answer is no error: calls wait for it in a
// bounded queue.
func (b *Backend) Start(ctx context.Context) error {
	b.mu.Lock()
	if b.closed || b.started {
		b.mu.Unlock()
		return errors.New("the mqtt backend can be started only once")
	}
	b.started = true
	b.mu.Unlock()
	if b.address == "" {
		if err := b.startEmbedded(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := b.session.Start(ctx); err != nil {
		return err
	}
	b.running.Store(true)
	return nil
}

func (b *Backend) startEmbedded() error {
	e := b.broker.Embedded
	broker, err := mqttx.StartBroker(mqttx.BrokerConfig{
		Address: e.Listen, Username: b.broker.Username, Password: b.broker.Password, TLS: b.tls, MaxConns: int(e.MaxConnections),
		MaxPacketBytes: b.maxPayload() + packetRoom, Allow: allowed, Logger: b.log,
	})
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return b.plugin.Errorf("embedded.listen", "%s is already in use.", e.Listen)
	case err != nil:
		return b.plugin.Errorf("embedded.listen", "%w", err)
	}
	b.mu.Lock()
	b.embedded = broker
	b.mu.Unlock()
	return nil
}

// allowed is the embedded broker's rule: replies are read by the client they are for only.
func allowed(clientID, topic string, write bool) bool {
	owner, reply := aimrtmqtt.ReplyOwner(topic)
	return write || !reply || owner == aimrtmqtt.Level(clientID)
}

// Address is where the embedded broker listens; empty when there is none.
func (b *Backend) Address() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.embedded == nil {
		return ""
	}
	return b.embedded.Addr()
}

// Stop leaves further requests to other servers and refuses those that come nevertheless; calls that are being served go on.
func (b *Backend) Stop() {
	if b.stopping.Swap(true) {
		return
	}
	var requests []*mqttx.Subscription
	b.mu.Lock()
	for _, s := range b.services {
		requests = append(requests, s.requests...)
	}
	b.mu.Unlock()
	b.session.Unsubscribe(requests...)
}

// Close ends the session and waits for its goroutines, and for those of handlers that are still in their function.
func (b *Backend) Close(ctx context.Context) error {
	b.running.Store(false)
	b.stopping.Store(true)
	b.mu.Lock()
	b.closed = true
	embedded := b.embedded
	b.mu.Unlock()
	gone := make(chan struct{})
	guard.Go("mqtt backend close", func() {
		defer close(gone)
		soon, cancel := context.WithTimeout(ctx, closeGrace)
		b.session.Close(soon)
		cancel()
		if embedded != nil {
			embedded.Close()
		}
		b.endPending()
		b.serving.Wait()
	})
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop counts a message that is of no use, and says so now and then.
func (b *Backend) drop(topic string, why error) {
	if n := b.dropped.Add(1); bits.OnesCount64(uint64(n)) == 1 {
		b.log.Warn("mqtt message dropped", "topic", fmt.Sprintf("%.80q", topic), "reason", why, "dropped_so_far", n)
	}
}

// Counts are figures for the statistics.
func (b *Backend) Counts() map[string]int64 {
	state := b.session.State()
	b.pendingMu.Lock()
	pending := len(b.pending)
	b.pendingMu.Unlock()
	counts := map[string]int64{
		"connected": 0, "connects": int64(state.Connects), "queued_messages": int64(state.Queued), "inflight_messages": int64(state.Inflight),
		"server_calls": b.served.Load(), "client_calls": int64(pending), "dropped_messages": b.dropped.Load(),
	}
	if state.Up {
		counts["connected"] = 1
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.embedded != nil {
		counts["broker_connections"] = int64(b.embedded.Conns())
	}
	return counts
}

// Report shows the broker and the topics.
func (b *Backend) Report() []backend.ReportSection {
	var lines []string
	b.mu.Lock()
	for _, s := range b.services {
		line := "serves " + s.method.Name() + " at " + s.private
		if s.rule.AllowShare {
			line += " and, shared, at " + s.topic
		}
		lines = append(lines, line)
	}
	for _, c := range b.clients {
		lines = append(lines, "calls "+c.method.Name()+" at "+c.to.topic)
	}
	b.mu.Unlock()
	slices.Sort(lines)
	text := "broker: " + b.broker.BrokerAddr
	if e := b.broker.Embedded; e != nil && e.Listen != "" {
		text += " at " + e.Listen
	}
	text += ", client id: " + b.broker.ClientID + "\n" + strings.Join(slices.Compact(lines), "\n") + "\n"
	return []backend.ReportSection{{Title: "Mqtt Rpc Backend Info", Text: text}}
}

var (
	_ backend.Backend   = (*Backend)(nil)
	_ backend.Timed     = (*Backend)(nil)
	_ backend.Reporter  = (*Backend)(nil)
	_ backend.Counted   = (*Backend)(nil)
	_ backend.Listening = (*Backend)(nil)
)
