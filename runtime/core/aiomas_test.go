package core_test

import (
	"context"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// TestAiomas_TwoRuntimes_CallGoesThrough goes from one configuration to another, in both serializations, and over a connection of a program.
func TestAiomas_TwoRuntimes_CallGoesThrough(t *testing.T) {
	server := newFixture(t, `
aimrt:
  rpc:
    backends: [{type: aiomas, options: {listen: "tcp://127.0.0.1:0", codec: msgpack}}]
    servers_options: [{func_name: "(.*)", enable_backends: [aiomas]}]
`, nil)
	server.initialize()
	server.serve(server.module("Server", ""), "pb:/robot.Arm/Move", core.HandlerFunc(func(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
		switch {
		case string(request) == `{"far": true}`:
			return nil, rpc.NewStatus(rpc.CodeInvalidArgument, "too far").Err()
		case call.Context.Serialization == "json":
			return []byte(`{"moved": ` + string(request) + `}`), nil
		}
		return append([]byte(call.Context.Serialization+" "), request...), nil
	}))
	server.start()
	client := newFixture(t, `
aimrt:
  rpc:
    backends: [{type: aiomas, options: {codec: msgpack, clients_options: [{func_name: "(.*)", server_url: "aiomas://`+server.Address("aiomas")+`"}]}}]
    clients_options: [{func_name: "(.*)", enable_backends: [aiomas]}]
`, nil)
	client.initialize()
	m := client.module("Client", "")
	c := client.client(m, "pb:/robot.Arm/Move")
	client.start()
	for _, tc := range []struct{ serialization, target, request, want string }{
		{"pb", "", "\x00\xff", "pb \x00\xff"},
		{"json", "", `{"x": 1}`, `{"moved": {"x": 1}}`},
		{"json", "aiomas://" + server.Address("aiomas") + "/robot/Arm/Move", `{}`, `{"moved": {}}`},
		{"json", "", `{"far": true}`, "rpc code 3001 (INVALID_ARGUMENT): too far"},
		{"json", "aiomas://" + server.Address("aiomas") + "/robot/Leg", `{}`, `rpc code 1003 (SVR_NOT_FOUND): Name "Leg" not found in "robot"`},
	} {
		settings := rpc.NewClientContext()
		settings.Serialization, settings.Target = tc.serialization, tc.target
		got, err := c.Call(context.Background(), settings, []byte(tc.request))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != tc.want {
			t.Errorf("%s %s %s: %q, want %q", tc.serialization, tc.target, tc.request, got, tc.want)
		}
	}
	link, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: core.ConnectionOptions{Address: "tcp://" + server.Address("aiomas"), Codec: "msgpack"}})
	check(t, err)
	method, err := link.Method(core.ClientOptions{Name: "robot/Arm/Move", Request: rpc.Raw{"msgpack", "json"}})
	check(t, err)
	for serialization, texts := range map[string][2]string{
		"json": {`[[], {"x": 2}]`, `{"moved": {"x": 2}}`}, "msgpack": {"\x92\x90\x81\xa1x\x02", "\x81\xa5moved\x81\xa1x\x02"},
	} {
		settings := rpc.NewClientContext()
		settings.Serialization = serialization
		if got, err := method.Call(context.Background(), settings, []byte(texts[0])); err != nil || string(got) != texts[1] {
			t.Errorf("%s: %q, %v", serialization, got, err)
		}
	}
	if text, err := server.Statistics(); err != nil || !strings.Contains(string(text), `"aiomas":"127.0.0.1:`) {
		t.Errorf("statistics %s, %v", text, err)
	}
	if server.log.containing("Unused options") != 0 || client.log.containing("Unused options") != 0 {
		t.Errorf("logs %v %v", server.log.all, client.log.all)
	}
}
