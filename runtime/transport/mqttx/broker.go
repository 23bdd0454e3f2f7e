package mqttx

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	mochipackets "github.com/mochi-mqtt/server/v2/packets"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/transport/port"
)

// Limits of the embedded broker that hold when a BrokerConfig names none.
const (
	DefaultMaxBrokerConns = 1000
	// maxBrokerWrites is how many messages wait for one slow client; further
	// ones of QoS 0 are dropped.
	maxBrokerWrites = 8192
	// connectLimit is how long a connection may take to say who it is.
	connectLimit = 10 * time.Second
	// maxBrokerBacklog is how much more than one packet waits for a client that
	// does not read, before its connection is closed.
	maxBrokerBacklog = 8 << 20
)

// Names of the ways into the broker.
const (
	ownListener = "own"
	netListener = "net"
)

// ErrNeedsCredentials: a broker that others can reach must ask who they are.
var ErrNeedsCredentials = errors.New("an embedded broker that does not listen on the loopback needs a user name and a password")

// BrokerConfig describes an embedded broker.
type BrokerConfig struct {
	// Address to listen on, "127.0.0.1:1883"; empty: only this process.
	Address string
	// Username and Password that clients must give. They may only be left out on
	// the loopback.
	Username, Password string
	TLS                *tls.Config // nil: none
	MaxConns           int
	MaxPacketBytes     int
	// Allow, when set, tells whether a client may write to a topic, or read from
	// one. Reading is asked twice: for the filter of a subscription, and for the
	// topic of every message.
	Allow  func(clientID, topic string, write bool) bool
	Logger *slog.Logger
}

// Broker is an MQTT broker inside this process, for MQTT 3.1.1 and 5. It keeps
// nothing on disk and no messages for later.
type Broker struct {
	cfg    BrokerConfig
	server *mochi.Server
	port   *port.Port // nil: only this process

	// turn is held by the one client whose packets are being worked on. mochi
	// takes a lock for reading twice, which never ends when somebody wants it
	// for writing in between; with one at a time nobody does. Nothing waits for
	// a peer while it is held: writes do not, and reads give it back meanwhile.
	turn sync.Mutex

	mu     sync.Mutex // guards what follows
	own    map[net.Conn]struct{}
	closed bool
	served sync.WaitGroup
}

// StartBroker opens the port and lets clients in.
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.MaxConns, cfg.MaxPacketBytes = orDefault(cfg.MaxConns, DefaultMaxBrokerConns), orDefault(cfg.MaxPacketBytes, DefaultMaxPacketBytes)
	if cfg.Address != "" && !Loopback(cfg.Address) && (cfg.Username == "" || cfg.Password == "") {
		return nil, fmt.Errorf("%w: %s", ErrNeedsCredentials, cfg.Address)
	}
	b := &Broker{cfg: cfg, own: map[net.Conn]struct{}{}}
	capabilities := mochi.NewDefaultServerCapabilities()
	capabilities.MaximumClients = int64(cfg.MaxConns) + 1 // and this process
	capabilities.MaximumPacketSize = uint32(min(cfg.MaxPacketBytes, math.MaxUint32>>4))
	capabilities.MaximumClientWritesPending = maxBrokerWrites
	capabilities.ReceiveMaximum = DefaultMaxInflight
	capabilities.TopicAliasMaximum = 0
	capabilities.RetainAvailable = 0
	// mochi's own log shows packets with what is in them.
	b.server = mochi.New(&mochi.Options{
		Capabilities: capabilities, Logger: slog.New(slog.DiscardHandler),
		ClientNetReadBufferSize: readBuffer, ClientNetWriteBufferSize: readBuffer,
	})
	if err := b.server.AddHook(&brokerHook{broker: b}, nil); err != nil {
		return nil, err
	}
	if cfg.Address != "" {
		pc := port.Config{Network: "tcp", Address: cfg.Address, MaxConns: cfg.MaxConns, Logger: cfg.Logger, Serve: func(nc net.Conn) { b.serve(netListener, nc) }}
		if cfg.TLS != nil {
			pc.Wrap = b.wrap
		}
		p, err := port.Listen(pc)
		if err != nil {
			return nil, err
		}
		b.port = p
	}
	// mochi's own loop is not started: it would look after sessions, wills and
	// messages that are kept for later, of which there are none here.
	return b, nil
}

// Loopback tells whether only this machine can reach an address, "host:port".
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (b *Broker) wrap(nc net.Conn) (net.Conn, error) {
	secure := tls.Server(nc, b.cfg.TLS)
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// brokerConn is a connection as mochi sees it.
type brokerConn struct {
	net.Conn
	link *link
	turn *sync.Mutex
	most int
}

// Read gives others their turn while it waits.
func (c *brokerConn) Read(p []byte) (int, error) {
	c.turn.Unlock()
	defer c.turn.Lock()
	return c.Conn.Read(p)
}

// Write never waits for the client.
func (c *brokerConn) Write(p []byte) (int, error) {
	if n := c.link.queue(func(dst []byte) []byte { return append(dst, p...) }); n > c.most {
		c.link.fail(errStalled)
		return 0, errStalled
	}
	c.link.flush()
	return len(p), nil
}

// serve runs one client; a failure ends its connection only.
func (b *Broker) serve(listener string, nc net.Conn) {
	cfg := Config{MaxPacketBytes: b.cfg.MaxPacketBytes}.withDefaults()
	l := newLink(nc, &cfg, func() {})
	defer l.writers.Wait()
	defer nc.Close()
	defer guard.Recover("mqtt broker client")
	_ = nc.SetReadDeadline(time.Now().Add(connectLimit)) // the client's keep-alive takes over
	b.turn.Lock()
	defer b.turn.Unlock()
	if err := b.server.EstablishConnection(listener, &brokerConn{nc, l, &b.turn, b.cfg.MaxPacketBytes + maxBrokerBacklog}); err != nil {
		b.cfg.Logger.Debug("mqtt client gone", "listener", listener, "reason", err.Error())
	}
}

// Addr is where it listens; empty when it does not.
func (b *Broker) Addr() string {
	if b.port == nil {
		return ""
	}
	return b.port.Addr().String()
}

// Conns is the number of connections from outside.
func (b *Broker) Conns() int {
	if b.port == nil {
		return 0
	}
	return b.port.Conns()
}

// Dial connects this process, which needs no credentials.
func (b *Broker) Dial(context.Context) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		ours.Close()
		theirs.Close()
		return nil, ErrClosed
	}
	b.own[theirs] = struct{}{}
	b.served.Add(1)
	b.mu.Unlock()
	guard.Go("mqtt broker own client", func() {
		defer b.served.Done()
		b.serve(ownListener, theirs)
		theirs.Close()
		b.mu.Lock()
		delete(b.own, theirs)
		b.mu.Unlock()
	})
	return ours, nil
}

// socketPair is two connected sockets of this process. A pipe in memory would
// not do: both ends may be writing at the same time.
func socketPair() (a, b net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "mqtt broker")
		c, fileErr := net.FileConn(f) // a duplicate
		f.Close()
		conns[i], err = c, errors.Join(err, fileErr)
	}
	if err != nil {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
		return nil, nil, err
	}
	return conns[0], conns[1], nil
}

// Close ends all connections and returns when nobody is served any more.
func (b *Broker) Close() {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	for nc := range b.own {
		nc.Close()
	}
	b.mu.Unlock()
	if b.port != nil {
		b.port.Close()
	}
	b.served.Wait()
	if !again {
		_ = b.server.Close()
	}
}

// brokerHook is where mochi asks.
type brokerHook struct {
	mochi.HookBase
	broker *Broker
}

// ID names the hook.
func (*brokerHook) ID() string { return "aimrt_rpc" }

// Provides lists what is asked.
func (*brokerHook) Provides(what byte) bool {
	return what == mochi.OnConnect || what == mochi.OnConnectAuthenticate || what == mochi.OnACLCheck || what == mochi.OnPublish
}

// OnConnect makes every session end with its connection.
func (*brokerHook) OnConnect(client *mochi.Client, _ mochipackets.Packet) error {
	client.Properties.Clean = true
	client.Properties.Props.SessionExpiryInterval = 0
	client.Properties.Will.WillDelayInterval = 0
	return nil
}

// OnConnectAuthenticate compares credentials, without telling by the time it
// takes how much of them is right.
func (h *brokerHook) OnConnectAuthenticate(client *mochi.Client, p mochipackets.Packet) bool {
	cfg := &h.broker.cfg
	if client.Net.Listener == ownListener || cfg.Username == "" && cfg.Password == "" {
		return true
	}
	name := subtle.ConstantTimeCompare(p.Connect.Username, []byte(cfg.Username))
	password := subtle.ConstantTimeCompare(p.Connect.Password, []byte(cfg.Password))
	if name&password == 1 {
		return true
	}
	cfg.Logger.Warn("mqtt client refused, wrong user name or password", "peer", client.Net.Remote)
	return false
}

// OnACLCheck asks Allow.
func (h *brokerHook) OnACLCheck(client *mochi.Client, topic string, write bool) bool {
	return h.broker.cfg.Allow == nil || h.broker.cfg.Allow(client.ID, topic, write)
}

// OnPublish tells a publisher of QoS 1 or 2 that nobody gets its message, which
// mochi itself does not say.
func (h *brokerHook) OnPublish(client *mochi.Client, p mochipackets.Packet) (mochipackets.Packet, error) {
	if p.FixedHeader.Qos == 0 || client.Properties.ProtocolVersion < 5 || client.Net.Inline || h.broker.subscribed(p.TopicName) {
		return p, nil
	}
	ack := mochipackets.Packet{
		FixedHeader: mochipackets.FixedHeader{Type: mochipackets.Puback}, ProtocolVersion: client.Properties.ProtocolVersion,
		PacketID: p.PacketID, ReasonCode: mochipackets.CodeNoMatchingSubscribers.Code,
		// mochi leaves a reason below the failures out unless there is something behind it.
		Properties: mochipackets.Properties{ReasonString: mochipackets.CodeNoMatchingSubscribers.Reason},
	}
	if p.FixedHeader.Qos == 2 {
		ack.FixedHeader.Type = mochipackets.Pubrec
	}
	if err := client.WritePacket(ack); err != nil {
		client.Stop(err)
	}
	return p, mochipackets.ErrRejectPacket
}

func (b *Broker) subscribed(topic string) bool {
	s := b.server.Topics.Subscribers(topic)
	return len(s.Subscriptions)+len(s.Shared)+len(s.InlineSubscriptions) > 0
}

var _ mochi.Hook = (*brokerHook)(nil)
