package core_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

const httpServerConfig = `
aimrt:
  plugin:
    plugins:
      - name: net_plugin
        path: ./libaimrt_net_plugin.so
        options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: 0}}
  rpc:
    backends: [{type: http}]
    servers_options: [{func_name: "(.*)", enable_backends: [http]}]
`

// overHTTP is a client in one runtime and a server in another.
func overHTTP(t *testing.T, handler rpc.Handler) (server *fixture, c *core.Client) {
	t.Helper()
	server = newFixture(t, httpServerConfig, nil)
	server.initialize()
	server.serve(server.module("Server", ""), do, handler)
	server.start()
	client := newFixture(t, `
aimrt:
  rpc:
    backends: [{type: local}, {type: http, options: {clients_options: [{func_name: "(.*)", server_url: "http://`+server.Address("http")+`"}]}}]
    clients_options: [{func_name: "(.*)", enable_backends: [local, http]}]
`, nil)
	client.initialize()
	c = client.client(client.module("Client", ""), do)
	client.start()
	return server, c
}

func TestHTTP_TwoRuntimes_CallGoesThrough(t *testing.T) {
	seen := make(chan string, 1)
	server, c := overHTTP(t, core.HandlerFunc(func(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
		id, _ := aimrt.MetadataOf(call, aimrt.KeyResponseID)
		seen <- call.Backend + " " + id + " " + call.Context.Metadata.Get("key 1") + " " + string(request)
		return []byte("answer"), nil
	}))
	settings := rpc.NewClientContext()
	settings.Metadata.Set("key 1", "väl")
	call := c.Start(context.Background(), settings, rpc.BytesPayload("pb", []byte("hi")))
	if s := rpc.Wait(context.Background(), call); !s.OK() || call.Backend != "http" {
		t.Fatalf("ended with %v over %q", s, call.Backend)
	}
	if data, err := call.Response().Bytes(""); err != nil || string(data) != "answer" {
		t.Fatalf("%q, %v", data, err)
	}
	if got := <-seen; got != "http 1 väl hi" {
		t.Fatalf("the server saw %q", got)
	}
	if text, err := server.Statistics(); err != nil || !strings.Contains(string(text), `"addresses":{"http":"127.0.0.1:`) {
		t.Fatalf("statistics %s, %v", text, err)
	}
	if server.log.containing("plugin=net_plugin") != 1 || server.log.containing("Unused options") != 0 {
		t.Errorf("log is %v", server.log.all)
	}
}

func TestHTTP_FailuresReachTheClient(t *testing.T) {
	arrived := make(chan *rpc.Call, 1)
	server, c := overHTTP(t, handlerFunc(func(_ context.Context, call *rpc.Call) {
		request, _ := call.Request.Bytes("pb")
		switch string(request) {
		case "panic":
			panic("boom")
		case "own":
			call.Finish(rpc.NewStatus(4711, "own words"), rpc.Payload{})
		default:
			arrived <- call // and never finish it
		}
	}))
	for request, want := range map[string]rpc.Code{"panic": rpc.CodeSvrHandleFailed, "own": 4711} {
		if _, err := c.Call(context.Background(), nil, []byte(request)); code(err) != want {
			t.Errorf("%s ended with %v", request, err)
		}
	}
	settings := rpc.NewClientContext()
	settings.Timeout = 20 * time.Millisecond
	if _, err := c.Call(context.Background(), settings, []byte("slow")); err == nil {
		t.Error("a call past its timeout succeeded")
	}
	late := <-arrived
	<-late.Done() // the lost connection ends it
	if !late.Unasked() {
		t.Error("the handler was not told that nobody waits")
	}
	call := c.Start(context.Background(), nil, rpc.BytesPayload("pb", []byte("open")))
	<-arrived
	server.stop()
	if s := rpc.Wait(context.Background(), call); s.OK() {
		t.Error("a call cut by the server's shutdown succeeded")
	}
}

func TestHTTP_PortTaken_IsIOAndShutsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	f := newFixture(t, strings.Replace(httpServerConfig, "listen_port: 0", "listen_port: "+port, 1), nil)
	f.initialize()
	err = f.Start(context.Background())
	if core.KindOf(err) != core.IO || !strings.Contains(err.Error(), "127.0.0.1:"+port+" is already in use") || f.State() != core.Shutdown {
		t.Fatalf("error %v (kind %v), state %v", err, core.KindOf(err), f.State())
	}
}
