// Package mqttx keeps one MQTT 5 session with a broker: it connects, subscribes,
// publishes and receives at QoS 0 to 2, and comes back by itself after the
// connection was lost, with its subscriptions. While there is no connection a
// bounded number of messages waits; one that is withdrawn meanwhile is never
// sent. It also has a broker of its own for the case that nothing is installed.
// It knows topics and bytes, no calls. Backends import it.
//
// Rare packets are read and written by paho's packet code; its client is not
// used, because it starts goroutines that a malformed packet or a connection
// lost in the middle of QoS 2 may end with a panic nobody catches, and because
// it reads a packet in many small pieces. Messages and acknowledgements are
// read and written here.
//
// A session has one goroutine, which reads, and one for the keep-alive of a
// connection. Publish never waits for the broker: what the socket does not take
// is left to a writer goroutine. Every session starts clean, so nothing is
// repeated by the broker, and nothing is repeated here: a message whose
// acknowledgement was lost with the connection may have arrived or not.
package mqttx

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// Limits and times that hold when a Config names none.
const (
	// DefaultMaxPacketBytes bounds a packet, received or sent.
	DefaultMaxPacketBytes = 64 << 20
	// DefaultMaxQueued and DefaultMaxQueuedBytes bound the messages that wait
	// for the connection, or for acknowledgements of those before them.
	DefaultMaxQueued      = 65_536
	DefaultMaxQueuedBytes = 64 << 20
	// DefaultMaxInflight bounds the messages of QoS 1 and 2 that are on their
	// way in each direction. A broker may ask for less.
	DefaultMaxInflight    = 1024
	DefaultKeepAlive      = 20 * time.Second
	DefaultMinBackoff     = 100 * time.Millisecond
	DefaultMaxBackoff     = time.Second
	DefaultConnectTimeout = 10 * time.Second
	DefaultWriteTimeout   = 30 * time.Second
)

const (
	// maxBacklog is how many bytes wait for the socket before further messages
	// stay in the queue.
	maxBacklog = 1 << 20
	// keptBytes is the largest output buffer that is used again.
	keptBytes = 256 << 10
	// inlineWrites is how many buffers the goroutine that began to write takes
	// on for others before a writer goroutine takes over.
	inlineWrites = 4
	// writePiece is the most that goes to the socket at once in the writer
	// goroutine, so that a slow broker is told from a dead one.
	writePiece = 256 << 10
	readBuffer = 16 << 10
	// readStep is how much room a large packet gets at a time, so that a length
	// alone costs no memory.
	readStep = 1 << 20
	// filtersPerPacket is how many subscriptions one packet asks for.
	filtersPerPacket = 64
)

// Config describes a session; a zero field means its default.
type Config struct {
	// Dial opens the connection. Required; DialBroker makes one of an address.
	Dial func(ctx context.Context) (net.Conn, error)
	// Broker is the name of the other end in texts.
	Broker   string
	ClientID string
	Username string
	Password string

	MaxPacketBytes int
	MaxQueued      int
	MaxQueuedBytes int
	MaxInflight    int
	KeepAlive      time.Duration
	// MinBackoff and MaxBackoff are the first and the longest pause between two
	// attempts to connect; a pause is cut by up to a half at random.
	MinBackoff, MaxBackoff time.Duration
	ConnectTimeout         time.Duration
	WriteTimeout           time.Duration
	// Receive takes a message on the reading goroutine, before it is
	// acknowledged. It must not wait. Required.
	Receive func(m *Message)
	// Lost, when set, is told that a connection which had carried messages has
	// ended. It must not wait.
	Lost   func(reason error)
	Logger *slog.Logger
}

// Message is what arrived.
type Message struct {
	Topic   string
	Payload []byte // the receiver's
	User    []Property
	// Retained tells that the broker kept the message for new subscribers.
	Retained bool
}

// Property is one of MQTT 5's user properties: texts beside the payload, which
// get lost on the way through MQTT 3.
type Property struct{ Key, Value string }

// UserProperty is the first value of a key.
func (m *Message) UserProperty(key string) (string, bool) {
	for i := range m.User {
		if m.User[i].Key == key {
			return m.User[i].Value, true
		}
	}
	return "", false
}

func (c Config) withDefaults() Config {
	c.MaxPacketBytes = orDefault(c.MaxPacketBytes, DefaultMaxPacketBytes)
	c.MaxQueued = orDefault(c.MaxQueued, DefaultMaxQueued)
	c.MaxQueuedBytes = orDefault(c.MaxQueuedBytes, DefaultMaxQueuedBytes)
	c.MaxInflight = min(orDefault(c.MaxInflight, DefaultMaxInflight), 1<<16-1)
	c.KeepAlive = orDefault(c.KeepAlive, DefaultKeepAlive)
	c.MinBackoff = orDefault(c.MinBackoff, DefaultMinBackoff)
	c.MaxBackoff = max(orDefault(c.MaxBackoff, DefaultMaxBackoff), c.MinBackoff)
	c.ConnectTimeout = orDefault(c.ConnectTimeout, DefaultConnectTimeout)
	c.WriteTimeout = orDefault(c.WriteTimeout, DefaultWriteTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// DialBroker makes the Dial function for a TCP address; cfg nil means no TLS.
func DialBroker(address string, cfg *tls.Config) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", address) // with TCP_NODELAY, as always in Go
		if err != nil || cfg == nil {
			return nc, err
		}
		secure := tls.Client(nc, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, err
		}
		return secure, nil
	}
}
