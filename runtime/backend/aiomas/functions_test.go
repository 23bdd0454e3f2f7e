package aiomas

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/value"
	wire "aimrtrpc/runtime/wire/aiomas"
)

const (
	moveName = "pb:/robot.arm.Service/Move"
	movePath = "robot/arm/Service/Move"
)

func newMethod(t *testing.T, name string, types ...string) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Request: rpc.Raw(types), Response: rpc.Raw(types), Owner: rpc.Owner{Package: "p", Module: "M"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// started starts a backend that is closed with the test.
func started(t *testing.T, b *Backend) *Backend {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(background(t)); err != nil {
			t.Error(err)
		}
	})
	return b
}

// say answers with serialization and request as a JSON text, or in the serialization of the call.
var say = backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes(call.Context.Serialization)
	if err != nil {
		call.Finish(rpc.StatusOf(err), rpc.Payload{})
		return
	}
	if call.Context.Serialization == "json" {
		data = fmt.Appendf(nil, `{"got": %s, "name": %q}`, data, call.Context.FunctionName)
	} else {
		data = append([]byte(call.Context.Serialization+":"), data...)
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, data))
})

// TestService_ArgumentsOfAnAiomasCall_AreTheRequest calls functions as an aiomas peer does.
func TestService_ArgumentsOfAnAiomasCall_AreTheRequest(t *testing.T) {
	testx.NoLeaks(t)
	for _, codec := range []wire.Codec{wire.JSON, wire.MsgPack} {
		b := newBackend(t, "{listen: 'tcp://127.0.0.1:0', codec: "+strings.ToLower(codec.String())+", servers_options: [{func_name: '(.*)Stop', path: /halt}]}")
		for _, name := range []string{moveName, "pb:/robot.arm.Service/Stop"} {
			if err := b.RegisterService(newMethod(t, name, "pb", "json", "ros2"), say); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.RegisterService(newMethod(t, moveName), backendtest.HandlerFunc(nil)); err != nil {
			t.Fatalf("the function of a second module: %v", err)
		}
		if err := b.RegisterService(newMethod(t, "pb:/robot/arm"), say); err == nil || !strings.Contains(err.Error(), "taken") {
			t.Fatalf("a function where a service is: %v", err)
		}
		started(t, b)
		o := Options{Codec: codec}
		c, err := Dial(background(t), DialConfig{Options: o, Address: Name + "://" + b.Address()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		for _, tc := range []struct{ path, payload, want string }{
			{movePath, `[[], {"x": 1, "y": [2.5]}]`, `{"got": {"x": 1, "y": [2.5]}, "name": "` + moveName + `"}`},
			{movePath, `[[{"x": 1}], {}]`, `{"got": {"x": 1}, "name": "` + moveName + `"}`},
			{movePath, ``, `{"got": {}, "name": "` + moveName + `"}`},
			{"halt", ``, `{"got": {}, "name": "pb:/robot.arm.Service/Stop"}`},
			{movePath, `[[1], {}]`, "SVR_DESERIALIZATION_FAILED 1 positional and 0 keyword arguments were given, expected the fields of the request as keyword arguments or one map"},
			{movePath, `[[{}], {"x": 1}]`, "SVR_DESERIALIZATION_FAILED 1 positional and 1 keyword arguments were given, expected the fields of the request as keyword arguments or one map"},
			{"robot/arm", ``, "SVR_NOT_FOUND 'ServiceDict' object is not callable"},
		} {
			if got := outcome(t, begin(t, c, "json", tc.path, tc.payload)); asJSON(t, o, got) != tc.want {
				t.Errorf("%v %s(%s) gave %q, want %q", codec, tc.path, tc.payload, got, tc.want)
			}
		}
		if codec == wire.MsgPack {
			binaryCalls(t, c, o.values())
		}
	}
}

// asJSON shows a MsgPack result as JSON; what is none stays.
func asJSON(t *testing.T, o Options, got string) string {
	t.Helper()
	if o.Codec == wire.JSON {
		return got
	}
	if out, err := value.MsgPackToJSON(nil, []byte(got), value.Limits{}); err == nil {
		return string(out)
	}
	return got
}

func binaryCalls(t *testing.T, c *Conn, f wire.Format) {
	t.Helper()
	for want, args := range map[string][][]byte{
		"pb:\x00\xff":   {wire.AppendMsgPackBytes(nil, []byte{0, 255})},
		"ros2:\x00\xff": {wire.AppendMsgPackBytes(nil, []byte{0, 255}), f.AppendString(nil, "ros2")},
	} {
		payload := dialect.AppendPair(nil, f, dialect.AppendArray(nil, f, args...), nil)
		got, ok := dialect.MsgPackBinary([]byte(outcome(t, begin(t, c, "msgpack", movePath, string(payload)))))
		if !ok || string(got) != want {
			t.Errorf("bytes gave %q, want %q", got, want)
		}
	}
	for want, second := range map[string][]byte{
		"SVR_INVALID_SERIALIZATION_TYPE": f.AppendString(nil, "xml"), "SVR_DESERIALIZATION_FAILED the second argument is int": f.AppendInt(nil, 5),
	} {
		payload := dialect.AppendPair(nil, f, dialect.AppendArray(nil, f, wire.AppendMsgPackBytes(nil, nil), second), nil)
		if got := outcome(t, begin(t, c, "msgpack", movePath, string(payload))); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// clientCall is a call as core hands it to the backend.
func clientCall(m *rpc.Method, serialization, target, data string) *rpc.Call {
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload(serialization, []byte(data)), Backend: Name}
	call.Context.Serialization, call.Context.Target = serialization, target
	return call
}

func invoke(t *testing.T, b *Backend, call *rpc.Call) string {
	t.Helper()
	if status := b.Accept(call); !status.OK() {
		return fmt.Sprintf("not accepted: %v %s", status.Code(), status.Message())
	}
	b.Invoke(context.Background(), call)
	return outcome(t, call)
}

// TestClient_RuleAndAddress_SayWhereAndWhat calls an aiomas peer through the backend.
func TestClient_RuleAndAddress_SayWhereAndWhat(t *testing.T) {
	testx.NoLeaks(t)
	tree := dialect.NewTree()
	for _, path := range []string{movePath, "math/add"} {
		if err := tree.Add(path, nil, backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
			data, _ := call.Request.Bytes("json")
			call.Finish(rpc.OK, rpc.BytesPayload("json", fmt.Appendf(nil, `{"path": %q, "payload": %s}`, path, data)))
		})); err != nil {
			t.Fatal(err)
		}
	}
	l := listen(t, ListenConfig{Options: Options{Handler: tree}, Address: "tcp://127.0.0.1:0"})
	there := "aiomas://" + strings.TrimPrefix(l.Address(), "tcp://")
	b := started(t, newBackend(t, "{clients_options: [{func_name: '(.*)/Add', server_url: '"+there+"', path: math/add}, {func_name: '(.*)arm(.*)', server_url: '"+there+"'}]}"))
	methods := map[string]*rpc.Method{}
	for _, name := range []string{moveName, "pb:/robot.Calc/Add", "pb:/robot.Other/X"} {
		methods[name] = newMethod(t, name, "pb", "json")
		if err := b.RegisterClient(methods[name]); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ name, target, request, want string }{
		{moveName, "", `{"x": 1}`, `{"path": "robot/arm/Service/Move", "payload": [[], {"x": 1}]}`},
		{moveName, there + "/math/add", `{}`, `{"path": "math/add", "payload": [[], {}]}`},
		{"pb:/robot.Calc/Add", "", `{"a": 3}`, `{"path": "math/add", "payload": [[], {"a": 3}]}`},
		{"pb:/robot.Other/X", there, `{}`, `SVR_NOT_FOUND Name "Other" not found in "robot"`},
		{"pb:/robot.Other/X", "", `{}`, `not accepted: CLI_INVALID_ADDR no rule of clients_options has a server_url for function "pb:/robot.Other/X"`},
		{moveName, "aiomas://x", `{}`, `not accepted: CLI_INVALID_ADDR address "aiomas://x" has no host and port, expected for example tcp://127.0.0.1:5555`},
		{moveName, "", `[1]`, `CLI_SERIALIZATION_FAILED the request is array, expected a map of keyword arguments`},
	} {
		if got := invoke(t, b, clientCall(methods[tc.name], "json", tc.target, tc.request)); got != tc.want {
			t.Errorf("%s %s: %s\nwant %s", tc.name, tc.target, got, tc.want)
		}
	}
	if got := invoke(t, b, clientCall(methods[moveName], "pb", "", "x")); !strings.HasPrefix(got, "not accepted: CLI_INVALID_SERIALIZATION_TYPE") {
		t.Errorf("bytes over JSON: %s", got)
	}
	l.Close()
	testx.Eventually(t, "the lost connection to be noticed", func() bool { return b.Counts()["client_connections"] == 0 })
	if got := invoke(t, b, clientCall(methods[moveName], "json", "", "{}")); !strings.HasPrefix(got, "UNAVAILABLE connect to tcp") {
		t.Errorf("nobody listens: %s", got)
	}
}

// TestClient_PeerCallsBack_OverTheBackendsConnection is what a simulator does: it connects and serves.
func TestClient_PeerCallsBack_OverTheBackendsConnection(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Address: "tcp://127.0.0.1:0", Options: Options{Codec: wire.MsgPack, Handler: functions(t, map[string]backendtest.HandlerFunc{
		movePath: func(ctx context.Context, call *rpc.Call) {
			back := begin(t, call.Conn, "json", "robot/arm/Service/Stop", "")
			call.Finish(rpc.Wait(ctx, back), back.Response())
		},
	})}})
	b := newBackend(t, "{codec: msgpack, clients_options: [{func_name: '(.*)', server_url: '"+strings.Replace(l.Address(), "tcp", Name, 1)+"'}]}")
	m := newMethod(t, moveName, "json")
	if err := b.RegisterClient(m); err != nil {
		t.Fatal(err)
	}
	if err := b.RegisterService(newMethod(t, "pb:/robot.arm.Service/Stop"), say); err != nil {
		t.Fatal(err)
	}
	started(t, b)
	// The function's first serialization counts for a call that names none.
	if got := invoke(t, b, clientCall(m, "", "", "{}")); got != `{"got": {}, "name": "pb:/robot.arm.Service/Stop"}` {
		t.Error(got)
	}
}

func TestOptions_ThatCannotBe_AreRefusedWithTheirPlace(t *testing.T) {
	for options, want := range map[string]string{
		"{codec: xml}":                    `codec "xml" is not known, expected one of json, msgpack, msgpack_blosc`,
		"{listen: here}":                  `address "here" has no host and port`,
		"{listen: 'tcp://127.0.0.1:0/x'}": "has a path, which only a client's has",
		"{limits: {max_calls: 0}}":        "max_calls is 0, expected 1 to",
		"{clients_options: [{func_name: a, server_url: 'http://a:1'}]}": `begins with "http", expected tcp, unix, local or aiomas`,
		"{clients_options: [{func_name: a}]}":                           "server_url",
	} {
		if _, err := makeBackend(t, options); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "options.yaml:1") {
			t.Errorf("%s: %v, want %s", options, err, want)
		}
	}
}

func TestBackend_Report_ShowsPathsAndAddresses(t *testing.T) {
	testx.NoLeaks(t)
	b := newBackend(t, "{listen: 'local://report', clients_options: [{func_name: '(.*)', server_url: 'aiomas://10.0.0.1:5555'}]}")
	if err := b.RegisterService(newMethod(t, moveName), say); err != nil {
		t.Fatal(err)
	}
	if err := b.RegisterClient(newMethod(t, moveName)); err != nil {
		t.Fatal(err)
	}
	started(t, b)
	want := "listen: local://report, codec: JSON\nserves " + movePath + "\ncalls " + moveName + " at tcp://10.0.0.1:5555 as " + movePath + "\n"
	if got := b.Report()[0].Text; got != want {
		t.Errorf("report %q\nwant %q", got, want)
	}
	if b.Address() != "local://report" {
		t.Errorf("address %q", b.Address())
	}
}
