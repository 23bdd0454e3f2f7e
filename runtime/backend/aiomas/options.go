package aiomas

import (
	"fmt"
	"slices"
	"strings"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
	"aimrtrpc/runtime/transport/port"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// options are those of the backend.
type options struct {
	Listen         string       `cfg:"listen"` // empty: peers cannot connect
	Codec          string       `cfg:"codec"`
	TLS            *tlsOptions  `cfg:"tls,omitempty"`
	AllowedPeers   []string     `cfg:"allowed_peers"`
	Token          string       `cfg:"auth_token"`
	ReferenceType  uint32       `cfg:"reference_type"`
	MosaikFailures bool         `cfg:"mosaik_failures"`
	Clients        []clientRule `cfg:"clients_options"`
	Servers        []serverRule `cfg:"servers_options"`
	Limits         *limits      `cfg:"limits,omitempty"`
}

// tlsOptions are the fields of TLSFiles.
type tlsOptions struct {
	CA          string `cfg:"ca_file"`
	Certificate string `cfg:"certificate_file"`
	Key         string `cfg:"key_file"`
	ServerName  string `cfg:"server_name"`
}

// clientRule says where functions are called; the first rule that matches counts.
type clientRule struct {
	aimrt.URLRule
	// Path of the function at the peer; empty means that of the address, and without one that of the function.
	Path string `cfg:"path"`
}

// serverRule gives functions another path; the first rule that matches counts.
type serverRule struct {
	aimrt.Rule
	Path string `cfg:"path"`
}

// limits bound what peers and callers can make this backend hold.
type limits struct {
	MaxMessageBytes  uint32 `cfg:"max_message_bytes"`  // one request or response
	MaxDepth         uint32 `cfg:"max_depth"`          // nesting of values
	MaxCalls         uint32 `cfg:"max_calls"`          // calls of one peer being served at one time
	MaxConnections   uint32 `cfg:"max_connections"`    // accepted connections
	MaxAddresses     uint32 `cfg:"max_addresses"`      // addresses that calls go to
	MaxPending       uint32 `cfg:"max_pending_calls"`  // own calls to one address without an answer
	MaxPendingBytes  uint32 `cfg:"max_pending_bytes"`  // and their bytes
	MaxReplyBytes    uint32 `cfg:"max_reply_bytes"`    // answers that wait for one peer to read
	ConnectTimeoutMS uint32 `cfg:"connect_timeout_ms"` // for opening a connection, with proof of who one is
}

// SetDefaults fills in what is not configured.
func (l *limits) SetDefaults() {
	*l = limits{
		MaxMessageBytes: framed.DefaultMaxFrameBytes, MaxDepth: wire.DefaultMaxDepth, MaxCalls: dialect.DefaultMaxOpen,
		MaxConnections: port.DefaultMaxConns, MaxAddresses: 1024, MaxPending: dialect.DefaultMaxPending,
		MaxPendingBytes: dialect.DefaultMaxPendingBytes, MaxReplyBytes: DefaultMaxReplyBytes, ConnectTimeoutMS: 10_000,
	}
}

// mostBytes keeps sizes in an int32.
const mostBytes = 1<<31 - 1

func (l *limits) check(config backend.Section) error {
	for _, c := range []struct {
		key        string
		value, max uint32
	}{
		{"max_message_bytes", l.MaxMessageBytes, mostBytes}, {"max_depth", l.MaxDepth, 10_000}, {"max_calls", l.MaxCalls, mostBytes},
		{"max_connections", l.MaxConnections, 1_000_000}, {"max_addresses", l.MaxAddresses, 65_535}, {"max_pending_calls", l.MaxPending, mostBytes},
		{"max_pending_bytes", l.MaxPendingBytes, mostBytes}, {"max_reply_bytes", l.MaxReplyBytes, mostBytes},
		{"connect_timeout_ms", l.ConnectTimeoutMS, mostBytes},
	} {
		if c.value == 0 || c.value > c.max {
			return config.Errorf("limits."+c.key, "%s is %d, expected 1 to %d", c.key, c.value, c.max)
		}
	}
	return nil
}

// CodecNames are the names of the codecs in configurations and options.
var CodecNames = []string{"json", "msgpack", "msgpack_blosc"}

// CodecNamed finds a codec; no name is aiomas' default.
func CodecNamed(name string) (wire.Codec, bool) {
	i := slices.Index(CodecNames, name)
	if name == "" {
		i = 0
	}
	return [...]wire.Codec{wire.JSON, wire.JSON, wire.MsgPack, wire.MsgPackBlosc}[i+1], i >= 0
}

// readOptions decodes and checks the options.
func (b *Backend) readOptions() error {
	o := &b.config
	if err := b.section.Decode(o); err != nil {
		return err
	}
	codec, known := CodecNamed(o.Codec)
	if !known {
		return b.section.Errorf("codec", "codec %q is not known, expected one of %s", o.Codec, strings.Join(CodecNames, ", "))
	}
	if b.limits.SetDefaults(); o.Limits != nil {
		b.limits = *o.Limits
	}
	if err := b.limits.check(b.section); err != nil {
		return err
	}
	if o.Listen != "" {
		if a, err := parseAddress(o.Listen); err != nil || a.path != "" {
			return b.section.Errorf("listen", "listen: %v", orPath(err, o.Listen))
		}
	}
	for i, rule := range o.Clients {
		if _, err := newRoute(rule.ServerURL, rule.Path, "/"); err != nil {
			return b.section.Errorf(fmt.Sprintf("clients_options[%d].server_url", i), "server_url: %v", err)
		}
	}
	b.options = Options{
		Codec: codec, Handler: b.tree, AllowedPeers: o.AllowedPeers, Token: o.Token, ReferenceType: uint64(o.ReferenceType), FailureArray: o.MosaikFailures,
		MaxFrameBytes: int(b.limits.MaxMessageBytes), MaxDepth: int(b.limits.MaxDepth), MaxPending: int(b.limits.MaxPending),
		MaxPendingBytes: int(b.limits.MaxPendingBytes), MaxOpen: int(b.limits.MaxCalls), MaxReplyBytes: int(b.limits.MaxReplyBytes),
		AuthTimeout: b.connectTimeout(), Logger: b.log,
	}
	if o.TLS != nil {
		b.options.TLS = &TLSFiles{CA: o.TLS.CA, Certificate: o.TLS.Certificate, Key: o.TLS.Key, ServerName: o.TLS.ServerName}
	}
	return nil
}

func orPath(err error, text string) error {
	if err == nil {
		return fmt.Errorf("address %q has a path, which only a client's has", text)
	}
	return err
}

// functionPath is where a function is served unless a rule says otherwise: its name without the type prefix, with dots and slashes between the
// names, so that a proxy of aiomas reaches pb:/pkg.Service/Move as remote.pkg.Service.Move.
func functionPath(name string) string {
	return strings.ReplaceAll(strings.Trim(aimrt.PathOf(name), "/"), ".", "/")
}

// servedAt is the path of a service.
func (b *Backend) servedAt(m *rpc.Method) string {
	for _, rule := range b.config.Servers {
		if rule.Function.MatchBackend(m.Name()) && rule.Path != "" {
			return strings.Trim(rule.Path, "/")
		}
	}
	return functionPath(m.Name())
}
