package http

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/port"
)

const (
	loopback = "{thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: 0}}"
	function = "pb:/aimrt.protocols.example.ExampleService/GetFooData"
	path     = "/rpc/aimrt.protocols.example.ExampleService/GetFooData"
	patience = 20 * time.Second
)

// newBackend makes a backend that is closed with the test.
func newBackend(t testing.TB, options, plugin string) (*Backend, *testx.Log) {
	t.Helper()
	log := &testx.Log{}
	made, err := New(environment(t, options, plugin, log))
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*Backend)
	t.Cleanup(func() { closeBackend(t, b) })
	return b, log
}

// section makes a section out of YAML in one line.
func section(t testing.TB, text string) backend.Section {
	t.Helper()
	if text == "" {
		return aimrt.Section{}
	}
	c, err := config.Load(config.Source{Name: "options.yaml", Text: "aimrt: {rpc: {backends: [{type: test, options: " + text + "}]}}"})
	if err != nil {
		t.Fatal(err)
	}
	return aimrt.Section{Node: c.RPC.Backends[0].Options}
}

func environment(t testing.TB, options, plugin string, log *testx.Log) backend.Environment {
	t.Helper()
	return backend.Environment{
		Name: Name, Logger: log.Logger(), Options: section(t, options), Plugin: section(t, plugin),
		Executor: func(name string) (backend.Executor, error) { return nil, errors.New("no executor " + name) },
	}
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

func newMethod(t testing.TB, name string, request, response rpc.TypeSupport) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Request: request, Response: response, Owner: rpc.Owner{Package: "p", Module: "M"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// serveAt starts a server of one function and gives its backend and address.
func serveAt(t testing.TB, options string, m *rpc.Method, handler backendtest.HandlerFunc) (*Backend, string) {
	t.Helper()
	b, _ := newBackend(t, options, loopback)
	if err := b.RegisterService(m, handler); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, b.Address()
}

// clientOf starts a client that calls the method at an address.
func clientOf(t testing.TB, m *rpc.Method, url, limits string) *Backend {
	t.Helper()
	options := "{clients_options: [{func_name: '(.*)', server_url: '" + url + "'}]" + limits + "}"
	b, _ := newBackend(t, options, "")
	if err := b.RegisterClient(m); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func newCall(m *rpc.Method, data string) *rpc.Call {
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("pb", []byte(data)), Backend: Name, Started: time.Now()}
	call.Context.Serialization, call.Context.Timeout = "pb", 3*time.Second
	return call
}

// invoke makes a call and waits for its end.
func invoke(t testing.TB, b *Backend, call *rpc.Call) rpc.Status {
	t.Helper()
	b.Invoke(context.Background(), call)
	return ended(t, call)
}

func ended(t testing.TB, call *rpc.Call) rpc.Status {
	t.Helper()
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
	data, err := call.Request.Bytes(call.Context.Serialization)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrInvalidSerializationType, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, append([]byte("echo "), data...)))
}

// fakeServer hands every connection to a script.
func fakeServer(t testing.TB, script func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: func(c net.Conn) { script(c, bufio.NewReader(c)) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.Addr().String()
}

// readRequest reads one request as it came.
func readRequest(r *bufio.Reader) (head []string, body []byte, err error) {
	size := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return head, nil, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if line == "" {
			break
		}
		head = append(head, line)
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			for _, c := range value {
				size = 10*size + int(c-'0')
			}
		}
	}
	body = make([]byte, size)
	_, err = io.ReadFull(r, body)
	return head, body, err
}

// rawAnswer sends bytes and reads one answer as it came.
func rawAnswer(t testing.TB, address, request string) (head []string, body string) {
	t.Helper()
	c, r := dial(t, address)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	return readAnswer(t, r, method)
}

func dial(t testing.TB, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c, bufio.NewReader(c)
}

// readAnswer gives the head's lines and the body, read by the rules of net/http.
func readAnswer(t testing.TB, r *bufio.Reader, method string) (head []string, body string) {
	t.Helper()
	var text bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", text.String(), err)
		}
		text.WriteString(line)
		if line == "\r\n" {
			break
		}
		head = append(head, strings.TrimSuffix(line, "\r\n"))
	}
	both := bufio.NewReader(io.MultiReader(&text, r))
	parsed, err := nethttp.ReadResponse(both, &nethttp.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(parsed.Body)
	if err != nil {
		t.Fatal(err)
	}
	return head, string(data)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	testx.Eventually(t, what, cond)
}
