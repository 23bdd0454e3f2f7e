package http

import (
	"net/netip"
	"slices"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/transport/port"
)

// options are those of the backend, as AimRT has them, and our limits.
type options struct {
	Clients []aimrt.URLRule `cfg:"clients_options"`
	Servers []aimrt.Rule    `cfg:"servers_options"` // accepted, without effect, as in AimRT
	Limits  *limits         `cfg:"limits,omitempty"`
}

// limits bound what peers and callers can make this backend hold.
type limits struct {
	MaxMessageBytes    uint32 `cfg:"max_message_bytes"`        // one request or response
	MaxHeaderBytes     uint32 `cfg:"max_header_bytes"`         // one message head with its metadata
	MaxMetadata        uint32 `cfg:"max_metadata"`             // metadata entries of one call
	MaxCalls           uint32 `cfg:"max_calls"`                // calls being served at one time
	MaxConnections     uint32 `cfg:"max_connections"`          // accepted connections
	MaxHostConnections uint32 `cfg:"max_connections_per_host"` // own connections to one address
	MaxPending         uint32 `cfg:"max_pending_calls"`        // own calls that wait for a connection to one address
	MaxPendingBytes    uint32 `cfg:"max_pending_bytes"`        // and their bytes
	ConnectTimeoutMS   uint32 `cfg:"connect_timeout_ms"`       // for opening a connection
	ClientIdleMS       uint32 `cfg:"client_idle_timeout_ms"`   // an own connection without a call is closed
	ServerIdleMS       uint32 `cfg:"server_idle_timeout_ms"`   // an accepted connection without a call is closed
}

// SetDefaults fills in what is not configured.
func (l *limits) SetDefaults() {
	*l = limits{
		MaxMessageBytes: 64 << 20, MaxHeaderBytes: 64 << 10, MaxMetadata: 128, MaxCalls: 10_000, MaxConnections: 10_000,
		MaxHostConnections: 1000, MaxPending: 65_536, MaxPendingBytes: 256 << 20,
		ConnectTimeoutMS: 10_000, ClientIdleMS: 60_000, ServerIdleMS: 120_000,
	}
}

// aimrt are the limits that all of AimRT's backends have.
func (l *limits) aimrt() aimrt.Limits {
	return aimrt.Limits{MaxMessageBytes: l.MaxMessageBytes, MaxMetadata: l.MaxMetadata}
}

// pluginOptions are those of net_plugin. Its threads and its channel parts do not exist here.
type pluginOptions struct {
	ThreadNum uint32         `cfg:"thread_num"`
	HTTP      *httpOptions   `cfg:"http_options,omitempty"`
	TCP       *listenOptions `cfg:"tcp_options,omitempty"`
	UDP       *udpOptions    `cfg:"udp_options,omitempty"`
}

type listenOptions struct {
	IP   string `cfg:"listen_ip"`
	Port uint16 `cfg:"listen_port,required"`
}

// SetDefaults keeps a port without an address on the loopback.
func (o *listenOptions) SetDefaults() { o.IP = "127.0.0.1" }

// httpOptions are where to serve. With TLS, connections in clear text are refused.
type httpOptions struct {
	listenOptions
	TLS *port.TLSFiles `cfg:"tls,omitempty"`
}

type udpOptions struct {
	IP      string `cfg:"listen_ip"`
	Port    uint16 `cfg:"listen_port,required"`
	MaxSize uint32 `cfg:"max_pkg_size"`
}

// SetDefaults gives AimRT's defaults.
func (o *udpOptions) SetDefaults() { o.IP, o.MaxSize = "127.0.0.1", 1024 }

// readOptions decodes and checks the options of the backend and of the plugin.
func (b *Backend) readOptions() error {
	if err := b.config.Decode(&b.options); err != nil {
		return err
	}
	plugin := pluginOptions{ThreadNum: 2}
	if err := b.plugin.Decode(&plugin); err != nil {
		return err
	}
	if b.listen = plugin.HTTP; b.listen != nil {
		if _, err := netip.ParseAddr(b.listen.IP); err != nil {
			return b.plugin.Errorf("http_options.listen_ip", "listen_ip %q is not an IP address such as 127.0.0.1 or 0.0.0.0", b.listen.IP)
		}
		if files := b.listen.TLS; files != nil {
			read, err := files.Server()
			if err != nil {
				return b.plugin.Errorf("http_options.tls", "%w", err)
			}
			b.tls = read
		}
	}
	if b.limits.SetDefaults(); b.options.Limits != nil {
		b.limits = *b.options.Limits
	}
	return b.checkLimits()
}

// mostBytes keeps sizes in an int32.
const mostBytes = 1<<31 - 1

func (b *Backend) checkLimits() error {
	l := &b.limits
	for _, c := range []struct {
		key        string
		value, max uint32
	}{
		{"max_message_bytes", l.MaxMessageBytes, mostBytes}, {"max_header_bytes", l.MaxHeaderBytes, 16 << 20}, {"max_metadata", l.MaxMetadata, 100_000},
		{"max_calls", l.MaxCalls, mostBytes}, {"max_connections", l.MaxConnections, 1_000_000}, {"max_connections_per_host", l.MaxHostConnections, 65_535},
		{"max_pending_calls", l.MaxPending, mostBytes}, {"max_pending_bytes", l.MaxPendingBytes, mostBytes},
		{"connect_timeout_ms", l.ConnectTimeoutMS, mostBytes}, {"client_idle_timeout_ms", l.ClientIdleMS, mostBytes}, {"server_idle_timeout_ms", l.ServerIdleMS, mostBytes},
	} {
		if c.value == 0 || c.value > c.max {
			return b.config.Errorf("limits."+c.key, "%s is %d, expected 1 to %d", c.key, c.value, c.max)
		}
	}
	return nil
}

// sortedSet sorts and removes what is there twice.
func sortedSet(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
