package grpc

import (
	"net/netip"
	"slices"
	"strconv"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/transport/port"
)

// options are those of the backend, as AimRT has them, and ours.
type options struct {
	Clients     []aimrt.URLRule `cfg:"clients_options"`
	Servers     []aimrt.Rule    `cfg:"servers_options"`       // accepted, without effect, as in AimRT
	Compression string          `cfg:"compression,omitempty"` // of own requests: "none" or "gzip"
	TLS         *port.TLSFiles  `cfg:"tls,omitempty"`         // of own connections; grpc:// means TLS then
	Limits      *limits         `cfg:"limits,omitempty"`
}

// limits bound what peers and callers can make this backend hold.
type limits struct {
	MaxMessageBytes    uint32 `cfg:"max_message_bytes"`        // one request or response, inflated
	MaxHeaderBytes     uint32 `cfg:"max_header_bytes"`         // one header list with its metadata, as HTTP/2 counts it
	MaxMetadata        uint32 `cfg:"max_metadata"`             // metadata entries of one call
	MaxCalls           uint32 `cfg:"max_calls"`                // calls being served at one time
	MaxStreams         uint32 `cfg:"max_streams"`              // calls being served at one time on one connection
	MaxConnections     uint32 `cfg:"max_connections"`          // accepted connections
	MaxHostConnections uint32 `cfg:"max_connections_per_host"` // own connections to one address; another opens when all are full
	MaxPending         uint32 `cfg:"max_pending_calls"`        // own calls that wait for a connection to one address
	MaxPendingBytes    uint32 `cfg:"max_pending_bytes"`        // and their bytes
	ConnectTimeoutMS   uint32 `cfg:"connect_timeout_ms"`       // for opening a connection
	ClientIdleMS       uint32 `cfg:"client_idle_timeout_ms"`   // an own connection without a call is closed
	ServerIdleMS       uint32 `cfg:"server_idle_timeout_ms"`   // an accepted connection without a call is closed
}

// SetDefaults fills in what is not configured.
func (l *limits) SetDefaults() {
	*l = limits{
		MaxMessageBytes: 64 << 20, MaxHeaderBytes: 64 << 10, MaxMetadata: 128, MaxCalls: 10_000, MaxStreams: 1000, MaxConnections: 10_000,
		MaxHostConnections: 8, MaxPending: 65_536, MaxPendingBytes: 256 << 20,
		ConnectTimeoutMS: 10_000, ClientIdleMS: 60_000, ServerIdleMS: 120_000,
	}
}

// aimrt are the limits that all of AimRT's backends have.
func (l *limits) aimrt() aimrt.Limits {
	return aimrt.Limits{MaxMessageBytes: l.MaxMessageBytes, MaxMetadata: l.MaxMetadata}
}

// pluginOptions are those of grpc_plugin, and ours. Its threads do not exist here.
type pluginOptions struct {
	ThreadNum  uint32         `cfg:"thread_num"`
	IP         string         `cfg:"listen_ip"`
	Port       *uint16        `cfg:"listen_port,omitempty"`
	Unix       string         `cfg:"listen_unix,omitempty"` // path of a socket, instead of ip and port or beside them
	TLS        *port.TLSFiles `cfg:"tls,omitempty"`
	Reflection *bool          `cfg:"reflection,omitempty"` // nil: on when the address is of the loopback
	Health     *bool          `cfg:"health,omitempty"`     // the same
}

// readOptions decodes and checks the options of the backend and of the plugin.
func (b *Backend) readOptions() error {
	if err := b.config.Decode(&b.options); err != nil {
		return err
	}
	b.listen = pluginOptions{ThreadNum: 2, IP: "127.0.0.1"}
	if err := b.plugin.Decode(&b.listen); err != nil {
		return err
	}
	if b.listen.IP == "" { // AimRT's own default
		b.listen.IP = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(b.listen.IP); err != nil {
		return b.plugin.Errorf("listen_ip", "listen_ip %q is not an IP address such as 127.0.0.1 or 0.0.0.0", b.listen.IP)
	}
	if compressions := []string{"", "none", "gzip"}; !slices.Contains(compressions, b.options.Compression) {
		return b.config.Errorf("compression", "compression is %q, expected none or gzip", b.options.Compression)
	}
	if files := b.options.TLS; files != nil {
		cfg, err := files.Client()
		if err != nil {
			return b.config.Errorf("tls", "%w", err)
		}
		b.clientTLS = cfg
	}
	if files := b.listen.TLS; files != nil {
		read, err := files.Server()
		if err != nil {
			return b.plugin.Errorf("tls", "%w", err)
		}
		b.serverTLS = read
	}
	if b.limits.SetDefaults(); b.options.Limits != nil {
		b.limits = *b.options.Limits
	}
	return b.checkLimits()
}

// serves tells whether this process serves functions over grpc.
func (o *pluginOptions) serves() bool { return o.Port != nil || o.Unix != "" }

// local tells whether only this machine can connect.
func (o *pluginOptions) local() bool {
	ip, err := netip.ParseAddr(o.IP)
	return o.Port == nil || err == nil && ip.IsLoopback()
}

// wanted is a switch that is on by itself where only this machine can connect.
func (o *pluginOptions) wanted(option *bool) bool {
	if option != nil {
		return *option
	}
	return o.local()
}

// addresses lists where to listen, network and address each.
func (o *pluginOptions) addresses() (list [][2]string) {
	if o.Port != nil {
		list = append(list, [2]string{"tcp", netip.AddrPortFrom(netip.MustParseAddr(o.IP), *o.Port).String()})
	}
	if o.Unix != "" {
		list = append(list, [2]string{"unix", o.Unix})
	}
	return list
}

// mostBytes keeps sizes in an int32.
const mostBytes = 1<<31 - 1

func (b *Backend) checkLimits() error {
	l := &b.limits
	for _, c := range []struct {
		key        string
		value, max uint32
	}{
		{"max_message_bytes", l.MaxMessageBytes, mostBytes - framePrefix}, {"max_header_bytes", l.MaxHeaderBytes, 16 << 20},
		{"max_metadata", l.MaxMetadata, 100_000}, {"max_calls", l.MaxCalls, mostBytes}, {"max_streams", l.MaxStreams, 1_000_000},
		{"max_connections", l.MaxConnections, 1_000_000}, {"max_connections_per_host", l.MaxHostConnections, 65_535},
		{"max_pending_calls", l.MaxPending, mostBytes}, {"max_pending_bytes", l.MaxPendingBytes, mostBytes},
		{"connect_timeout_ms", l.ConnectTimeoutMS, mostBytes}, {"client_idle_timeout_ms", l.ClientIdleMS, mostBytes},
		{"server_idle_timeout_ms", l.ServerIdleMS, mostBytes},
	} {
		if c.value == 0 || c.value > c.max {
			return b.config.Errorf("limits."+c.key, "%s is %s, expected 1 to %s", c.key, text(c.value), text(c.max))
		}
	}
	return nil
}

func text(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

var _ backend.Constructor = New
