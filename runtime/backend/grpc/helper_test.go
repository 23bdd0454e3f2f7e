package grpc

import (
	"context"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
)

const (
	loopback = "{thread_num: 2, listen_ip: 127.0.0.1, listen_port: 0}"
	function = "pb:/aimrt.protocols.example.ExampleService/GetFooData"
	path     = "/aimrt.protocols.example.ExampleService/GetFooData"
	patience = 20 * time.Second
)

// newBackend makes a backend that is closed with the test.
func newBackend(t *testing.T, options, plugin string) (*Backend, *testx.Log) {
	t.Helper()
	log := &testx.Log{}
	env := backendtest.Environment(t, Name, options, plugin)
	env.Logger = log.Logger()
	made, err := New(env)
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*Backend)
	t.Cleanup(func() { closeBackend(t, b) })
	return b, log
}

func closeBackend(t *testing.T, b *Backend) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b.Stop()
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func newMethod(t *testing.T, o rpc.MethodOptions) *rpc.Method {
	t.Helper()
	o.Owner = rpc.Owner{Package: "p", Module: "M"}
	m, err := rpc.NewMethod(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serveWith starts a server of one function and gives its backend and address.
func serveWith(t *testing.T, options, plugin string, handler backendtest.HandlerFunc) (*Backend, string) {
	t.Helper()
	b, _ := newBackend(t, options, plugin)
	if err := b.RegisterService(newMethod(t, rpc.MethodOptions{Name: function}), handler); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, b.Address()
}

func serve(t *testing.T, handler backendtest.HandlerFunc) (*Backend, string) {
	return serveWith(t, "", loopback, handler)
}

// clientOf starts a client that calls the function at an address.
func clientOf(t *testing.T, url, more string) (*Backend, *rpc.Method) {
	t.Helper()
	b, _ := newBackend(t, "{clients_options: [{func_name: '(.*)', server_url: '"+url+"'}]"+more+"}", "")
	m := newMethod(t, rpc.MethodOptions{Name: function})
	if err := b.RegisterClient(m); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, m
}

func newCall(m *rpc.Method, data string) *rpc.Call {
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("pb", []byte(data)), Backend: Name, Started: time.Now()}
	call.Context.Serialization, call.Context.Timeout = "pb", 3*time.Second
	return call
}

// invoke makes a call and waits for its end.
func invoke(t *testing.T, b *Backend, call *rpc.Call) rpc.Status {
	t.Helper()
	b.Invoke(context.Background(), call)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-call.Done():
		return call.Status()
	case <-late.C:
		t.Fatal("the call did not end")
		return rpc.OK
	}
}

func response(t *testing.T, call *rpc.Call) string {
	t.Helper()
	data, err := call.Response().Bytes("")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// echo answers with the request.
func echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes(call.Context.Serialization)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrInvalidSerializationType, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, append([]byte("echo "), data...)))
}

// plain is a client of the bare engine, for requests that ours does not send.
func plain(t *testing.T) *h2.Client {
	t.Helper()
	c := h2.NewClient(h2.ClientConfig{})
	t.Cleanup(c.Close)
	return c
}

// post sends a request and gives the answer.
func post(t *testing.T, address, path, body string, fields ...h2.Field) *h2.Response {
	t.Helper()
	head := h2.NewBlock(append([]h2.Field{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}}, fields...)...)
	type outcome struct {
		r   *h2.Response
		err error
	}
	got := make(chan outcome, 1)
	plain(t).Start(h2.Request{Address: address, Head: head, Body: []byte(body), Deadline: time.Now().Add(patience)}, func(r *h2.Response, err error) {
		if r != nil {
			copied := *r
			copied.Body = append([]byte(nil), r.Body...)
			r = &copied
		}
		got <- outcome{r, err}
	})
	o := <-got
	if o.err != nil {
		t.Fatalf("%s: %v", path, o.err)
	}
	return o.r
}

// framed is a message with gRPC's prefix.
func framed(message string) string {
	prefix, data := frame([]byte(message))
	return string(prefix) + string(data)
}

var protoType = h2.Field{Name: "content-type", Value: "application/grpc+proto"}
