package core_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

const mqttConfig = `
aimrt:
  plugin:
    plugins: [{name: mqtt_plugin, path: ./libaimrt_mqtt_plugin.so, options: PLUGIN}]
  rpc:
    backends: [{type: mqtt, options: {clients_options: [{func_name: "(.*)", qos: 1}], servers_options: [{func_name: "(.*)", qos: 1}]}}]
    clients_options: [{func_name: "(.*)", enable_backends: [mqtt]}]
    servers_options: [{func_name: "(.*)", enable_backends: [mqtt]}]
`

func mqttFixture(t *testing.T, plugin string) *fixture {
	t.Helper()
	return newFixture(t, strings.Replace(mqttConfig, "PLUGIN", plugin, 1), nil)
}

func TestMQTT_TwoRuntimes_EmbeddedBroker_CallsAndFailuresGoThrough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := l.Addr().String()
	check(t, l.Close())
	server := mqttFixture(t, "{broker_addr: embedded, client_id: srv, embedded: {listen: '"+address+"'}}")
	server.initialize()
	seen := make(chan string, 4)
	server.serve(server.module("Server", ""), do, core.HandlerFunc(func(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
		seen <- call.Backend + " " + call.Context.Metadata.Get("key 1") + " " + call.Peer.Address + " " + call.Context.Timeout.String()
		if string(request) == "own" {
			return nil, rpc.NewStatus(4711, "own words").Err()
		}
		return append([]byte("answer to "), request...), nil
	}))
	server.start()
	client := mqttFixture(t, "{broker_addr: 'tcp://"+address+"', client_id: cli}")
	client.initialize()
	c := client.client(client.module("Client", ""), do)
	client.start()
	settings := rpc.NewClientContext()
	settings.Metadata.Set("key 1", "väl")
	settings.Timeout = 7 * time.Second
	if data, err := c.Call(context.Background(), settings, []byte("hi")); err != nil || string(data) != "answer to hi" {
		t.Fatalf("%q, %v", data, err)
	}
	if got := <-seen; got != "mqtt väl cli 7s" {
		t.Errorf("the server saw %q", got)
	}
	if _, err := c.Call(context.Background(), nil, []byte("own")); code(err) != 4711 || !strings.Contains(err.Error(), "own words") {
		t.Errorf("own code ended with %v", err)
	}
	if text, err := server.Statistics(); err != nil || !strings.Contains(string(text), `"addresses":{"mqtt":"127.0.0.1:`) {
		t.Errorf("statistics %s, %v", text, err)
	}
	if server.log.containing("Unused options") != 0 || client.log.containing("Unused options") != 0 {
		t.Errorf("log is %v", server.log.all)
	}
}

func TestMQTT_MisspeltOption_IsNamedWithItsNeighbour(t *testing.T) {
	f := mqttFixture(t, "{broker_addr: 'tcp://127.0.0.1:1', client_id: c, max_pkg_size: 3}")
	f.initialize()
	f.start()
	if f.log.containing("max_pkg_size_k") == 0 {
		t.Errorf("log is %v", f.log.all)
	}
}
