// Package aiomas connects to peers that speak aiomas' RPC protocol, the original library among them: connections on which both ends serve and
// call, over TCP, Unix sockets, TLS, or inside the process. On top of them it is a backend, so that a service of AimRT is reachable at an
// aiomas path and can be called at one.
//
// The bytes are those of package wire/aiomas, the numbering of calls that of dialect/aiomas, the sockets those of transport/framed; this
// package is the glue between them and a call. core constructs it; nobody else imports it.
package aiomas

import (
	"errors"
	"log/slog"
	"time"

	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// Name of the backend, and scheme of its addresses.
const Name = "aiomas"

// The serializations of a call's payload [args, kwargs] and of results.
const (
	serialJSON    = "json"
	serialMsgPack = "msgpack"
)

// Limits and deadlines that hold when Options name none.
const (
	// DefaultMaxReplyBytes bounds the answers that wait because the peer does not read: beyond it nothing more is read from the peer.
	DefaultMaxReplyBytes = 4 << 20
	// DefaultAuthTimeout is how long a peer may take to prove who it is.
	DefaultAuthTimeout = 10 * time.Second
)

// What can go wrong with a connection besides the network.
var (
	// ErrProtocol: the peer sent what the protocol does not allow.
	ErrProtocol = errors.New("protocol error")
	// ErrOptions: an address, a file or another option cannot be used.
	ErrOptions = errors.New("connection options")
	// ErrRefused: the peer did not prove who it is, or is not allowed.
	ErrRefused = errors.New("peer refused")
)

// Options are what holds for both ends of a connection; the zero value is a connection without TLS, in JSON, that serves nothing.
type Options struct {
	Codec wire.Codec
	// Handler answers the peer's calls, normally a *dialect.Tree; nil finds no name.
	Handler rpc.Handler
	TLS     *TLSFiles
	// AllowedPeers are the names in certificates of peers that may connect; empty: every verified one.
	AllowedPeers []string
	// Token that a listening end demands and a dialling end gives, as the argument of a first call of AuthPath. This is our own addition.
	Token string
	// ReferenceType is what both ends count services in values as: 0, or the number of further serializers both have registered.
	ReferenceType uint64
	// FailureArray tells failures as mosaik does, [class, message, line, ...], instead of one text.
	FailureArray bool

	MaxFrameBytes   int // 0: framed.DefaultMaxFrameBytes
	MaxDepth        int // 0: wire.DefaultMaxDepth
	MaxPending      int // 0: dialect.DefaultMaxPending
	MaxPendingBytes int // 0: dialect.DefaultMaxPendingBytes
	MaxOpen         int // 0: dialect.DefaultMaxOpen
	MaxReplyBytes   int
	AuthTimeout     time.Duration
	Logger          *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Handler == nil {
		o.Handler = dialect.NewTree()
	}
	if o.MaxFrameBytes <= 0 {
		o.MaxFrameBytes = framed.DefaultMaxFrameBytes
	}
	if o.MaxReplyBytes <= 0 {
		o.MaxReplyBytes = DefaultMaxReplyBytes
	}
	if o.AuthTimeout <= 0 {
		o.AuthTimeout = DefaultAuthTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// format of whole payloads.
func (o *Options) format() wire.Format {
	return wire.Format{Codec: o.Codec, MaxFrameBytes: o.MaxFrameBytes, MaxDepth: o.MaxDepth}
}

// values is the format of args, kwargs and results, and serialization its name.
func (o *Options) values() wire.Format {
	f := o.format()
	if f.Codec == wire.MsgPackBlosc {
		f.Codec = wire.MsgPack
	}
	return f
}

func (o *Options) serialization() string {
	if o.Codec == wire.JSON {
		return serialJSON
	}
	return serialMsgPack
}

func (o *Options) link() *dialect.Link {
	return dialect.NewLink(dialect.LinkConfig{
		Format: o.format(), MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes, MaxOpen: o.MaxOpen,
	})
}

func (o *Options) framed() framed.Config {
	return framed.Config{MaxFrameBytes: o.MaxFrameBytes, Logger: o.Logger}
}
