package mqtt

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/mqttx"
)

const (
	function = "pb:/aimrt.protocols.example.ExampleService/GetFooData"
	patience = 20 * time.Second
)

// newBackend makes a backend that is closed with the test.
func newBackend(t testing.TB, options, plugin string) (*Backend, *testx.Log) {
	t.Helper()
	b, log, err := tryBackend(t, options, plugin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBackend(t, b) })
	return b, log
}

func tryBackend(t testing.TB, options, plugin string) (*Backend, *testx.Log, error) {
	t.Helper()
	log := &testx.Log{}
	env := backendtest.Environment(t.(*testing.T), Name, options, plugin)
	env.Logger = log.Logger()
	env.Executor = func(name string) (backend.Executor, error) { return nil, errors.New("no executor " + name) }
	made, err := New(env)
	if err != nil {
		return nil, log, err
	}
	return made.(*Backend), log, nil
}

func closeBackend(t testing.TB, b *Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.Stop()
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// broker starts one that ends with the test.
func broker(t testing.TB, address string) *mqttx.Broker {
	t.Helper()
	b, err := mqttx.StartBroker(mqttx.BrokerConfig{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// plugin is the options of a client of a broker.
func plugin(address, id string) string {
	return "{broker_addr: 'tcp://" + address + "', client_id: " + id + ", reconnect_interval_ms: 50}"
}

func newMethod(t testing.TB, name string) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Owner: rpc.Owner{Package: "p", Module: "M"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func start(t testing.TB, b *Backend) *Backend {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func newCall(m *rpc.Method, data string) *rpc.Call {
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("pb", []byte(data)), Backend: Name, Started: time.Now()}
	call.Context.Serialization, call.Context.Timeout = "pb", 5*time.Second
	return call
}

// invoke makes a call as core does, timer included, and waits for its end.
func invoke(t testing.TB, b *Backend, call *rpc.Call) rpc.Status {
	t.Helper()
	begin(b, call)
	return ended(t, call)
}

func begin(b *Backend, call *rpc.Call) {
	if status, timed := b.TimeoutStatus(call); timed && call.Context.Timeout > 0 {
		timer := time.AfterFunc(call.Context.Timeout, func() { call.End(status) })
		call.OnFinish(func(*rpc.Call) { timer.Stop() })
	}
	b.Invoke(context.Background(), call)
}

func ended(t testing.TB, call *rpc.Call) rpc.Status {
	t.Helper()
	select {
	case <-call.Done():
		return call.Status()
	case <-time.After(patience):
		t.Fatal("the call did not end")
		return rpc.OK
	}
}

func response(t testing.TB, call *rpc.Call) string {
	t.Helper()
	data, err := call.Response().Bytes("")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// echo answers with the request.
func echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes("")
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrUnknown, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, append([]byte("echo "), data...)))
}

// pair is a client and a server of one function at a broker.
func pair(t testing.TB, address, clientOptions, serverOptions string, handler backendtest.HandlerFunc) (client, server *Backend, m *rpc.Method) {
	t.Helper()
	m = newMethod(t, function)
	server, _ = newBackend(t, serverOptions, plugin(address, "server"))
	if err := server.RegisterService(m, handler); err != nil {
		t.Fatal(err)
	}
	start(t, server)
	client, _ = newBackend(t, clientOptions, plugin(address, "client"))
	if err := client.RegisterClient(m); err != nil {
		t.Fatal(err)
	}
	return start(t, client), server, m
}

// freeAddress is one of the loopback that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
