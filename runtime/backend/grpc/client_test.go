package grpc

import (
	"context"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/port"
)

func environmentOf(t *testing.T, options, plugin string) backend.Environment {
	return backendtest.Environment(t, Name, options, plugin)
}

// fakeServer answers with the bare engine.
func fakeServer(t *testing.T, handler func(*h2.Exchange)) string {
	t.Helper()
	srv, err := h2.NewServer(h2.ServerConfig{Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: srv.ServeConn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close(); p.Close() })
	return p.Addr().String()
}

// TestClient_Statuses_ComeBackWhole: two of ours lose nothing of a status.
func TestClient_Statuses_ComeBackWhole(t *testing.T) {
	testx.NoLeaks(t)
	statuses := []rpc.Status{
		rpc.NewStatus(4242, "own words"), rpc.NewStatus(rpc.CodeSvrHandleFailed, "100 %\nÄrger").WithTrace("line 1\nline 2"),
		rpc.NewStatus(rpc.CodeRemoteException, "boom").WithDetails(rpc.Detail{Key: "k", Value: "v\x00é"}, rpc.Detail{Key: "k", Value: ""}).
			WithNative(rpc.Native{Dialect: "aiomas", Code: "KeyError"}),
		rpc.NewStatus(rpc.CodeInvalidArgument, "x").WithNative(rpc.Native{Dialect: "grpc", Code: "9"}).
			WithDetails(rpc.Detail{Key: "grpc-status-details-bin", Value: "\x08\x09"}),
	}
	for _, row := range rpc.Codes() {
		if row.Code != rpc.CodeOK {
			statuses = append(statuses, rpc.NewStatus(row.Code, "text of "+row.Name))
		}
	}
	var next rpc.Status
	_, address := serve(t, func(_ context.Context, call *rpc.Call) { call.Finish(next, rpc.Payload{}) })
	client, m := clientOf(t, "http://"+address, "")
	for _, want := range statuses {
		next = want
		got := invoke(t, client, newCall(m, "x"))
		native := want.Native()
		if native.Dialect == "" {
			native = rpc.Native{Dialect: "aimrt", Code: got.Native().Code}
		}
		if got.Code() != want.Code() || got.Message() != want.Message() || got.Trace() != want.Trace() || got.Native() != native || !reflect.DeepEqual(got.Details(), want.Details()) {
			t.Errorf("%v %+v came back as %v %+v", want, want.Native(), got, got.Native())
		}
	}
}

func TestClient_Answers_BecomeStatuses(t *testing.T) {
	testx.NoLeaks(t)
	type answer struct {
		head    []h2.Field
		body    string
		trailer []h2.Field
	}
	ok := []h2.Field{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	with := func(more ...h2.Field) []h2.Field { return append(append([]h2.Field{}, ok...), more...) }
	zero := []h2.Field{{Name: "grpc-status", Value: "0"}}
	tests := []struct {
		name   string
		answer answer
		code   rpc.Code
		text   string
	}{
		{"AimRT's answer", answer{ok, framed("hello"), zero}, rpc.CodeOK, ""},
		{"AimRT, unknown function", answer{[]h2.Field{{Name: ":status", Value: "404"}, ok[1]}, "Not Found", nil}, rpc.CodeSvrNotFound, "HTTP status 404"},
		{"a proxy without a server", answer{[]h2.Field{{Name: ":status", Value: "503"}}, "", nil}, rpc.CodeUnavailable, "HTTP status 503"},
		{"gRPC number", answer{with(h2.Field{Name: "grpc-status", Value: "5"}, h2.Field{Name: "grpc-message", Value: "no %41"}), "", nil}, rpc.CodeNotFound, "no A"},
		{"gRPC number behind a message", answer{ok, framed("x"), []h2.Field{{Name: "grpc-status", Value: "14"}}}, rpc.CodeUnavailable, ""},
		{"number that gRPC does not have", answer{with(h2.Field{Name: "grpc-status", Value: "77"}), "", nil}, rpc.CodeUnknown, ""},
		{"no status", answer{ok, framed("x"), []h2.Field{{Name: "x", Value: "y"}}}, rpc.CodeCliUnknown, "no grpc-status"},
		{"status before a message that nothing follows", answer{with(zero[0]), framed("x"), nil}, rpc.CodeCliUnknown, "no grpc-status"},
		{"no message", answer{ok, "", zero}, rpc.CodeCliBackendInternalError, "no gRPC message"},
		{"two messages", answer{ok, framed("x") + framed("y"), zero}, rpc.CodeCliBackendInternalError, "no gRPC message"},
		{"length of 2 GiB", answer{ok, "\x00\x80\x00\x00\x00", zero}, rpc.CodeResourceExhausted, "max_message_bytes is 1000"},
		{"too much data", answer{ok, framed(strings.Repeat("x", 2000)), zero}, rpc.CodeResourceExhausted, "max_message_bytes is 1005"},
	}
	var next answer
	address := fakeServer(t, func(x *h2.Exchange) {
		a := h2.Answer{Head: h2.NewBlock(next.head...), Body: []byte(next.body)}
		if next.trailer != nil {
			a.Trailer = h2.NewBlock(next.trailer...)
		}
		_ = x.Respond(a)
	})
	client, m := clientOf(t, "http://"+address, ", limits: {max_message_bytes: 1000}")
	for _, tt := range tests {
		next = tt.answer
		call := newCall(m, "x")
		if status := invoke(t, client, call); status.Code() != tt.code || !strings.Contains(status.Message(), tt.text) {
			t.Errorf("%s: %v, want code %d and %q", tt.name, status, tt.code, tt.text)
		}
		if tt.code == rpc.CodeOK && response(t, call) != "hello" {
			t.Errorf("%s: response %q", tt.name, response(t, call))
		}
	}
}

func TestClient_Failures(t *testing.T) {
	testx.NoLeaks(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	_, silent := serve(t, func(context.Context, *rpc.Call) {})
	resets := fakeServer(t, func(x *h2.Exchange) { x.Reset(h2.CodeInternal) })
	client, m := clientOf(t, "http://"+silent, ", limits: {max_message_bytes: 1000, max_metadata: 2}")
	tests := []struct {
		name   string
		change func(*rpc.Call)
		code   rpc.Code
		text   string
	}{
		{"refused", func(c *rpc.Call) { c.Context.Target = "grpc://" + nobody }, rpc.CodeCliBackendInternalError, nobody},
		{"reset", func(c *rpc.Call) { c.Context.Target = "grpc://" + resets }, rpc.CodeCliBackendInternalError, "INTERNAL_ERROR"},
		{"no port", func(c *rpc.Call) { c.Context.Target = "grpc://host" }, rpc.CodeCliInvalidAddr, "no port is implied"},
		{"request too large", func(c *rpc.Call) { c.Request = rpc.BytesPayload("pb", make([]byte, 1001)) }, rpc.CodeCliSendReqFailed, "max_message_bytes is 1000"},
		{"serialization", func(c *rpc.Call) { c.Context.Serialization = "zzz" }, rpc.CodeCliInvalidSerializationType, `"zzz"`},
		{"too many entries", func(c *rpc.Call) {
			c.Context.Metadata = rpc.MetadataOf(rpc.Pair{Key: "a"}, rpc.Pair{Key: "b"}, rpc.Pair{Key: "c"})
		}, rpc.CodeCliInvalidContext, "max_metadata is 2"},
		{"too long an entry", func(c *rpc.Call) { c.Context.Metadata.Set("k", strings.Repeat("x", 70_000)) }, rpc.CodeCliInvalidContext, "max_header_bytes"},
	}
	for _, tt := range tests {
		call := newCall(m, "x")
		tt.change(call)
		if status := invoke(t, client, call); status.Code() != tt.code || !strings.Contains(status.Message(), tt.text) {
			t.Errorf("%s: %v, want code %d and %q", tt.name, status, tt.code, tt.text)
		}
	}
	call := newCall(m, "x")
	call.Context.Timeout = 50 * time.Millisecond
	status, timed := client.TimeoutStatus(call)
	if !timed || status.Code() != rpc.CodeCliBackendInternalError || !strings.Contains(status.Message(), "50ms") {
		t.Errorf("timeout status %v", status)
	}
	other := newMethod(t, rpc.MethodOptions{Name: "pb:/a.B/C"})
	if status := client.Accept(newCall(other, "x")); status.Code() != rpc.CodeCliFuncNotRegistered {
		t.Errorf("a function that is not registered: %v", status)
	}
	without, log := newBackend(t, "", "")
	if err := without.RegisterClient(other); err != nil || !strings.Contains(log.String(), "Server url is not set for func: pb:/a.B/C") {
		t.Errorf("no url: %v, log %s", err, log)
	}
	if err := without.RegisterClient(newMethod(t, rpc.MethodOptions{Name: "nothing"})); err == nil {
		t.Error("a function name without a path is accepted")
	}
}

// TestClient_Calls_ShareOneConnection: many calls at a time need one connection, and the next calls use it again.
func TestClient_Calls_ShareOneConnection(t *testing.T) {
	testx.NoLeaks(t)
	server, address := serve(t, echo)
	client, m := clientOf(t, "http://"+address, "")
	for range 3 {
		var calls []*rpc.Call
		for range 50 {
			call := newCall(m, "x")
			client.Invoke(t.Context(), call)
			calls = append(calls, call)
		}
		for _, call := range calls {
			if <-call.Done(); !call.Status().OK() {
				t.Fatal(call.Status())
			}
		}
		if n := server.Counts()["server_connections"]; n != 1 {
			t.Fatalf("%d connections", n)
		}
	}
}

// TestClient_ServerRestartsUnderLoad: every call ends, and once the server is back all succeed again.
func TestClient_ServerRestartsUnderLoad(t *testing.T) {
	testx.NoLeaks(t)
	server, address := serve(t, echo)
	client, m := clientOf(t, "http://"+address, "")
	var group sync.WaitGroup
	var stop atomic.Bool
	var good, bad atomic.Int64
	for range 16 {
		group.Add(1)
		guard.Go("load", func() {
			defer group.Done()
			for !stop.Load() {
				call := newCall(m, "x")
				client.Invoke(context.Background(), call)
				select {
				case <-call.Done():
				case <-time.After(patience):
					t.Error("a call did not end")
					return
				}
				if call.Status().OK() {
					good.Add(1)
				} else {
					bad.Add(1)
				}
			}
		})
	}
	testx.Eventually(t, "calls to work", func() bool { return good.Load() > 100 })
	closeBackend(t, server)
	testx.Eventually(t, "calls to fail", func() bool { return bad.Load() > 16 })
	_, number, _ := strings.Cut(address, ":")
	serveWith(t, "", "{listen_port: "+number+"}", echo)
	before := good.Load()
	testx.Eventually(t, "calls to work again", func() bool { return good.Load() > before+100 })
	stop.Store(true)
	group.Wait()
	for range 100 {
		if status := invoke(t, client, newCall(m, "x")); !status.OK() {
			t.Fatalf("after the restart: %v", status)
		}
	}
}

func TestClient_RestartedServer_IsFoundAgain(t *testing.T) {
	testx.NoLeaks(t)
	server, address := serve(t, echo)
	client, m := clientOf(t, "http://"+address, "")
	if status := invoke(t, client, newCall(m, "x")); !status.OK() {
		t.Fatal(status)
	}
	closeBackend(t, server)
	_, number, _ := strings.Cut(address, ":")
	serveWith(t, "", "{listen_port: "+number+"}", echo)
	testx.Eventually(t, "calls to work again", func() bool { return invoke(t, client, newCall(m, "x")).OK() })
}
