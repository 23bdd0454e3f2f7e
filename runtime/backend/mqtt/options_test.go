package mqtt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNew_WrongOptions_NameTheRightOnes(t *testing.T) {
	good := "{broker_addr: 'tcp://127.0.0.1:1883', client_id: a}"
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ options, plugin, want string }{
		"no plugin":        {"", "", "broker_addr: tcp://127.0.0.1:1883"},
		"no client id":     {"", "{broker_addr: 'tcp://h:1'}", "client_id"},
		"blank client id":  {"", "{broker_addr: 'tcp://h:1', client_id: 'a b'}", "wildcard"},
		"protocol":         {"", "{broker_addr: 'http://h:1', client_id: a}", "expected tcp, mqtt, ssl or mqtts"},
		"address":          {"", "{broker_addr: 'tcp://', client_id: a}", "expected a form like tcp://127.0.0.1:1883"},
		"truststore":       {"", "{broker_addr: 'ssl://h:1', client_id: a}", "Use ssl/mqtts must set truststore"},
		"bad truststore":   {"", "{broker_addr: 'mqtts://h', client_id: a, truststore: '" + ca + "'}", "no PEM certificate"},
		"encrypted key":    {"", "{broker_addr: 'mqtts://h', client_id: a, truststore: x, client_key_password: p}", "openssl pkey"},
		"client qos":       {"{clients_options: [{func_name: '.*', qos: 3}]}", good, "Invalid Mqtt qos: 3"},
		"server qos":       {"{servers_options: [{func_name: '.*', qos: 9}]}", good, "Invalid Mqtt qos: 9"},
		"server id":        {"{clients_options: [{func_name: '.*', server_mqtt_id: 'a b'}]}", good, "wildcard"},
		"reply topics":     {"{reply_topics: secret}", good, "expected unguessable or plain"},
		"executor":         {"{timeout_executor: nobody}", good, "no executor nobody"},
		"limit":            {"{limits: {max_calls: 0}}", good, "max_calls is 0, expected 1 to"},
		"size":             {"", "{broker_addr: h, client_id: a, max_pkg_size_k: 0}", "max_pkg_size_k is 0"},
		"interval":         {"", "{broker_addr: h, client_id: a, reconnect_interval_ms: 0}", "reconnect_interval_ms is 0"},
		"embedded aside":   {"", "{broker_addr: h, client_id: a, embedded: {listen: '127.0.0.1:1'}}", "only for broker_addr: embedded"},
		"open to all":      {"", "{broker_addr: embedded, client_id: a, embedded: {listen: '0.0.0.0:1883'}}", "set username and password"},
		"embedded address": {"", "{broker_addr: embedded, client_id: a, embedded: {listen: '1883'}}", "expected a form like 127.0.0.1:1883"},
		"half of TLS":      {"", "{broker_addr: embedded, client_id: a, embedded: {cert: x}}", "needs cert and key"},
		"no connections":   {"", "{broker_addr: embedded, client_id: a, embedded: {max_connections: 0}}", "max_connections is 0"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _, err := tryBackend(t, c.options, c.plugin)
			if err == nil {
				closeBackend(t, b)
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
		})
	}
}

func TestNew_AddressForms(t *testing.T) {
	for address, want := range map[string]string{
		"tcp://127.0.0.1:1234": "127.0.0.1:1234", "mqtt://broker": "broker:1883", "127.0.0.1": "127.0.0.1:1883", "tcp://[::1]:9": "[::1]:9", "embedded": "",
	} {
		b, _ := newBackend(t, "", "{broker_addr: '"+address+"', client_id: a}")
		if b.address != want {
			t.Errorf("%q leads to %q, want %q", address, b.address, want)
		}
	}
}

func TestEmbedded_PortTaken_IsAnErrorOfStart(t *testing.T) {
	taken := broker(t, "127.0.0.1:0").Addr()
	b, _ := newBackend(t, "", "{broker_addr: embedded, client_id: a, embedded: {listen: '"+taken+"'}}")
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), taken+" is already in use") {
		t.Errorf("%v", err)
	}
}

func TestReport_ShowsBrokerAndTopics(t *testing.T) {
	address := broker(t, "127.0.0.1:0").Addr()
	client, server, _ := pair(t, address, "{clients_options: [{func_name: '.*', server_mqtt_id: server}]}", "", echo)
	secret := client.secret
	for b, want := range map[*Backend]string{
		client: "calls " + function + " at aimrt_rpc_req/server/%2Faimrt", server: "and, shared, at aimrt_rpc_req/%2Faimrt",
	} {
		if text := b.Report()[0].Text; !strings.Contains(text, want) || !strings.Contains(text, address) || strings.Contains(text, secret) {
			t.Errorf("report %s", text)
		}
	}
}
