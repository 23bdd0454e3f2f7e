package mqtt

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/transport/mqttx"
	"aimrtrpc/runtime/transport/port"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

// embeddedBroker as broker_addr asks for a broker inside this process.
const embeddedBroker = "embedded"

// options are those of the backend, as AimRT has them, and ours.
type options struct {
	TimeoutExecutor string       `cfg:"timeout_executor"`
	Clients         []clientRule `cfg:"clients_options"`
	Servers         []serverRule `cfg:"servers_options"`
	ReplyTopics     string       `cfg:"reply_topics,omitempty"`   // "unguessable", the default, or "plain" as AimRT's
	CancelNotices   *bool        `cfg:"cancel_notices,omitempty"` // tell servers of ours that nobody waits; nil means yes
	Limits          *limits      `cfg:"limits,omitempty"`
}

// clientRule says how functions are called; the first rule that matches counts.
type clientRule struct {
	aimrt.Rule
	ServerID string `cfg:"server_mqtt_id"` // empty: any server
	QoS      uint32 `cfg:"qos"`
}

// SetDefaults gives AimRT's QoS.
func (r *clientRule) SetDefaults() { r.QoS = 2 }

// serverRule says how functions are served; the first rule that matches counts.
type serverRule struct {
	aimrt.Rule
	AllowShare bool   `cfg:"allow_share"` // take part in the requests that any server may take
	QoS        uint32 `cfg:"qos"`
}

// SetDefaults gives AimRT's.
func (r *serverRule) SetDefaults() { r.AllowShare, r.QoS = true, 2 }

// limits bound what peers and callers can make this backend hold.
type limits struct {
	MaxMetadata      uint32 `cfg:"max_metadata"`          // metadata entries of one call
	MaxCalls         uint32 `cfg:"max_calls"`             // calls being served at one time
	MaxPending       uint32 `cfg:"max_pending_calls"`     // own calls without an answer
	MaxQueued        uint32 `cfg:"max_queued_messages"`   // messages that wait for the broker
	MaxQueuedBytes   uint32 `cfg:"max_queued_bytes"`      // and their bytes
	MaxInflight      uint32 `cfg:"max_inflight_messages"` // messages of QoS 1 and 2 that the broker has yet to acknowledge
	ConnectTimeoutMS uint32 `cfg:"connect_timeout_ms"`    // for connecting and subscribing
	KeepAliveMS      uint32 `cfg:"keep_alive_ms"`
}

// SetDefaults fills in what is not configured.
func (l *limits) SetDefaults() {
	*l = limits{
		MaxMetadata: 128, MaxCalls: 10_000, MaxPending: 65_536, MaxQueued: 10_000, MaxQueuedBytes: 64 << 20, MaxInflight: 1024,
		ConnectTimeoutMS: 10_000, KeepAliveMS: 20_000,
	}
}

// pluginOptions are those of mqtt_plugin, and ours.
type pluginOptions struct {
	BrokerAddr          string `cfg:"broker_addr,required"`
	ClientID            string `cfg:"client_id,required"`
	MaxPkgSizeK         uint32 `cfg:"max_pkg_size_k"`
	ReconnectIntervalMS uint32 `cfg:"reconnect_interval_ms"` // the longest pause between two attempts
	Truststore          string `cfg:"truststore"`
	ClientCert          string `cfg:"client_cert"`
	ClientKey           string `cfg:"client_key"`
	ClientKeyPassword   string `cfg:"client_key_password"`
	// Ours. With an embedded broker the credentials are what its clients must give.
	Username string           `cfg:"username,omitempty"`
	Password string           `cfg:"password,omitempty"`
	Embedded *embeddedOptions `cfg:"embedded,omitempty"`
}

// embeddedOptions describe the broker inside this process.
type embeddedOptions struct {
	Listen         string `cfg:"listen"` // "ip:port"; empty: only this process
	MaxConnections uint32 `cfg:"max_connections"`
	Cert           string `cfg:"cert,omitempty"`
	Key            string `cfg:"key,omitempty"`
	CA             string `cfg:"ca,omitempty"` // clients need a certificate of these
}

// SetDefaults keeps the broker on the loopback, at MQTT's port.
func (o *embeddedOptions) SetDefaults() { o.Listen, o.MaxConnections = "127.0.0.1:1883", 1000 }

// readOptions decodes and checks the options of the backend and of the plugin.
func (b *Backend) readOptions() error {
	if err := b.config.Decode(&b.options); err != nil {
		return err
	}
	if !b.plugin.Present() {
		return b.config.Errorf("", "the mqtt backend needs the options broker_addr and client_id in aimrt.plugin.plugins, name: mqtt_plugin "+
			"(for example {broker_addr: tcp://127.0.0.1:1883, client_id: my_robot}, or broker_addr: %s)", embeddedBroker)
	}
	b.broker = pluginOptions{MaxPkgSizeK: 1024, ReconnectIntervalMS: 1000}
	if err := b.plugin.Decode(&b.broker); err != nil {
		return err
	}
	if err := aimrtmqtt.CheckID(b.broker.ClientID); err != nil {
		return b.plugin.Errorf("client_id", "%w", err)
	}
	if b.limits.SetDefaults(); b.options.Limits != nil {
		b.limits = *b.options.Limits
	}
	return errors.Join(b.checkRules(), b.checkLimits(), b.checkBroker())
}

func (b *Backend) checkRules() error {
	var errs []error
	for i, r := range b.options.Clients {
		if r.QoS > 2 {
			errs = append(errs, b.config.Errorf(place("clients_options", i)+".qos", "Invalid Mqtt qos: %d, expected 0, 1 or 2", r.QoS))
		}
		if r.ServerID != "" {
			if err := aimrtmqtt.CheckID(r.ServerID); err != nil {
				errs = append(errs, b.config.Errorf(place("clients_options", i)+".server_mqtt_id", "%w", err))
			}
		}
	}
	for i, r := range b.options.Servers {
		if r.QoS > 2 {
			errs = append(errs, b.config.Errorf(place("servers_options", i)+".qos", "Invalid Mqtt qos: %d, expected 0, 1 or 2", r.QoS))
		}
	}
	switch b.options.ReplyTopics {
	case "", "unguessable", "plain":
	default:
		errs = append(errs, b.config.Errorf("reply_topics", "reply_topics is %q, expected unguessable or plain", b.options.ReplyTopics))
	}
	if name := b.options.TimeoutExecutor; name != "" {
		e, err := b.executor(name)
		switch {
		case err != nil:
			errs = append(errs, b.config.Errorf("timeout_executor", "%w", err))
		case !e.HasTimers():
			errs = append(errs, b.config.Errorf("timeout_executor", "executor %q has no timers", e.Name()))
		default:
			b.timeout = e
		}
	}
	return errors.Join(errs...)
}

// mostBytes keeps sizes in an int32.
const mostBytes = 1<<31 - 1

// mostPkgSizeK is MQTT's own limit of a packet.
const mostPkgSizeK = 1 << 18

func (b *Backend) checkLimits() error {
	var errs []error
	l := &b.limits
	for _, c := range []struct {
		key        string
		value, max uint32
	}{
		{"max_metadata", l.MaxMetadata, aimrtmqtt.MaxPairs}, {"max_calls", l.MaxCalls, mostBytes}, {"max_pending_calls", l.MaxPending, mostBytes},
		{"max_queued_messages", l.MaxQueued, mostBytes}, {"max_queued_bytes", l.MaxQueuedBytes, mostBytes}, {"max_inflight_messages", l.MaxInflight, 65_535},
		{"connect_timeout_ms", l.ConnectTimeoutMS, mostBytes}, {"keep_alive_ms", l.KeepAliveMS, 65_535_000},
	} {
		if c.value == 0 || c.value > c.max {
			errs = append(errs, b.config.Errorf("limits."+c.key, "%s is %d, expected 1 to %d", c.key, c.value, c.max))
		}
	}
	if k := b.broker.MaxPkgSizeK; k == 0 || k > mostPkgSizeK {
		errs = append(errs, b.plugin.Errorf("max_pkg_size_k", "max_pkg_size_k is %d, expected 1 to %d", k, mostPkgSizeK))
	}
	if ms := b.broker.ReconnectIntervalMS; ms == 0 || ms > mostBytes {
		errs = append(errs, b.plugin.Errorf("reconnect_interval_ms", "reconnect_interval_ms is %d, expected 1 to %d", ms, mostBytes))
	}
	return errors.Join(errs...)
}

// checkBroker takes broker_addr apart and reads the TLS files.
func (b *Backend) checkBroker() error {
	o := &b.broker
	if o.BrokerAddr == embeddedBroker {
		return b.checkEmbedded()
	}
	if o.Embedded != nil {
		return b.plugin.Errorf("embedded", "embedded is only for broker_addr: %s, which is %q", embeddedBroker, o.BrokerAddr)
	}
	scheme, address, ok := strings.Cut(o.BrokerAddr, "://")
	if !ok {
		scheme, address = "tcp", o.BrokerAddr
	}
	port, secure := "1883", false
	switch scheme {
	case "tcp", "mqtt":
	case "ssl", "mqtts":
		port, secure = "8883", true
	default:
		return b.plugin.Errorf("broker_addr", "broker_addr %q: unknown protocol %q, expected tcp, mqtt, ssl or mqtts, or broker_addr: %s", o.BrokerAddr, scheme, embeddedBroker)
	}
	host, given, err := net.SplitHostPort(address)
	if err == nil {
		port = given
	} else if host = strings.Trim(address, "[]"); strings.ContainsAny(host, "/ ") {
		host = ""
	}
	if host == "" || port == "" {
		return b.plugin.Errorf("broker_addr", "broker_addr %q: expected a form like tcp://127.0.0.1:1883", o.BrokerAddr)
	}
	b.address = net.JoinHostPort(host, port)
	if !secure {
		if o.Truststore != "" || o.ClientCert != "" || o.ClientKey != "" {
			b.log.Warn("truststore, client_cert and client_key have no effect without ssl:// or mqtts://", "broker_addr", o.BrokerAddr)
		}
		return nil
	}
	return b.readTLS(host)
}

func (b *Backend) readTLS(host string) error {
	o := &b.broker
	switch {
	case o.Truststore == "":
		return b.plugin.Errorf("truststore", "Use ssl/mqtts must set truststore: a file with the certificates that vouch for the broker")
	case o.ClientKeyPassword != "":
		return b.plugin.Errorf("client_key_password", "encrypted keys are not supported; decrypt the key (openssl pkey -in client.key -out plain.key) and protect the file")
	}
	cfg, err := port.TLSFiles{Cert: o.ClientCert, Key: o.ClientKey, CA: o.Truststore}.Client()
	if err != nil {
		return b.plugin.Errorf("truststore", "%w", err)
	}
	cfg.ServerName = host
	b.tls = cfg
	return nil
}

func (b *Backend) checkEmbedded() error {
	o := &b.broker
	if o.Embedded == nil {
		o.Embedded = &embeddedOptions{}
		o.Embedded.SetDefaults()
	}
	e := o.Embedded
	if e.Listen != "" {
		if host, _, err := net.SplitHostPort(e.Listen); err != nil || host != "localhost" && net.ParseIP(host) == nil {
			return b.plugin.Errorf("embedded.listen", "listen is %q, expected a form like 127.0.0.1:1883", e.Listen)
		}
		if !mqttx.Loopback(e.Listen) && (o.Username == "" || o.Password == "") {
			return b.plugin.Errorf("embedded.listen", "the embedded broker listens on %s, where others can reach it: set username and password, or listen on 127.0.0.1", e.Listen)
		}
	}
	if e.MaxConnections == 0 || e.MaxConnections > 1_000_000 {
		return b.plugin.Errorf("embedded.max_connections", "max_connections is %d, expected 1 to 1000000", e.MaxConnections)
	}
	if e.Cert == "" && e.Key == "" && e.CA == "" {
		return nil
	}
	// The checks are those of a server; the configuration is that of a client turned round.
	if e.Cert == "" || e.Key == "" {
		return b.plugin.Errorf("embedded.cert", "TLS of the embedded broker needs cert and key")
	}
	cfg, err := port.TLSFiles{Cert: e.Cert, Key: e.Key, CA: e.CA}.Client()
	if err != nil {
		return b.plugin.Errorf("embedded.cert", "%w", err)
	}
	if cfg.RootCAs != nil {
		cfg.ClientCAs, cfg.RootCAs, cfg.ClientAuth = cfg.RootCAs, nil, tls.RequireAndVerifyClientCert
	}
	b.tls = cfg
	return nil
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
