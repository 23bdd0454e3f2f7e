package http

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
)

// refusedAddress is one that nobody listens on.
func refusedAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestInvoke_CannotBeSent_SaysWhy(t *testing.T) {
	testx.NoLeaks(t)
	down := refusedAddress(t)
	_, up := serveAt(t, "", newMethod(t, function, nil, nil), echo)
	m := newMethod(t, function, rpc.Raw{"pb", "json", "zzz"}, nil)
	tests := []struct {
		name, url string
		change    func(*rpc.Call)
		code      rpc.Code
		texts     []string
	}{
		{"peer down", "http://" + down, nil, 2000, []string{down, "connection refused"}},
		{"no such host", "http://host.invalid:1", nil, 2000, []string{"host.invalid:1"}},
		{"no port", "http://127.0.0.1", nil, 2000, []string{"http://127.0.0.1", "host:port"}},
		{"https", "https://127.0.0.1:1", nil, 2004, []string{"https is not supported"}},
		{"no url", "", nil, 2004, []string{"Server url is not set for func: " + function}},
		{"empty host", "http://:1", nil, 2004, []string{"http://:1"}},
		{"other protocol of a server_url is not looked at", "tcp://" + up, nil, 0, nil},
		{"no protocol", up, nil, 0, nil},
		{"path replaces", "http://" + up + "/", nil, 1003, []string{"The resource '/' was not found."}},
		{"address, no port", "", func(c *rpc.Call) { c.Context.Target = "http://127.0.0.1" }, 2000, []string{"host:port"}},
		{"address", "", func(c *rpc.Call) { c.Context.Target = "http://" + up }, 0, nil},
		{"address with path", "", func(c *rpc.Call) { c.Context.Target = "http://" + up + path }, 0, nil},
		{"address, other protocol", "", func(c *rpc.Call) { c.Context.Target = "grpc://" + up }, 2004, []string{"grpc"}},
		{"serialization the wire does not have", up, func(c *rpc.Call) { c.Context.Serialization = "zzz" }, 2005, []string{"zzz", "pb, json, ros2"}},
		{"serialization the type does not have", up, func(c *rpc.Call) { c.Context.Serialization = "ros2" }, 2005, []string{"ros2"}},
		{"message cannot be encoded", up, func(c *rpc.Call) { c.Request = rpc.NativePayload(1, refusing{}, nil) }, 2006, []string{"not a message"}},
		{"reserved key", up, func(c *rpc.Call) { c.Context.Metadata.Set("Content-type", "x") }, 2003, []string{"Content-type"}},
		{"framing key", up, func(c *rpc.Call) { c.Context.Metadata.Set("transfer-encoding", "chunked") }, 2003, []string{"transfer-encoding"}},
		{"empty key", up, func(c *rpc.Call) { c.Context.Metadata.Set("", "x") }, 2003, []string{"empty"}},
		{"most entries", up, func(c *rpc.Call) { fill(c, 128, "v") }, 0, nil},
		{"too many entries", up, func(c *rpc.Call) { fill(c, 129, "v") }, 2003, []string{"129", "max_metadata is 128"}},
		{"too much metadata", up, func(c *rpc.Call) { fill(c, 65, strings.Repeat("v", 1024)) }, 2003, []string{"65536"}},
		{"too long", up, func(c *rpc.Call) { c.Request = rpc.BytesPayload("pb", make([]byte, 64<<20+1)) }, 2010, []string{"max_message_bytes"}},
	}
	for _, tt := range tests {
		b := clientOf(t, m, tt.url, "")
		call := newCall(m, "hi")
		if tt.change != nil {
			tt.change(call)
		}
		status := invoke(t, b, call)
		if status.Code() != tt.code {
			t.Errorf("%s: ended with %v, want %d", tt.name, status, tt.code)
		}
		for _, text := range tt.texts {
			if !strings.Contains(status.Message(), text) {
				t.Errorf("%s: message %q does not contain %q", tt.name, status.Message(), text)
			}
		}
		if status.OK() != (response(t, call) == "echo hi") {
			t.Errorf("%s: response %q", tt.name, response(t, call))
		}
		closeBackend(t, b)
	}
}

func fill(c *rpc.Call, entries int, value string) {
	for i := range entries {
		c.Context.Metadata.Add(fmt.Sprint("key-", i), value)
	}
}

func TestRegisterClient_WithoutURL_Warns(t *testing.T) {
	b, log := newBackend(t, "{clients_options: [{func_name: '/aimrt.*Bar.*', server_url: 'http://h:1'}, {func_name: '/aimrt.*', server_url: 'http://h'}]}", "")
	for _, name := range []string{"pb:/aimrt.S/GetBar", "pb:/aimrt.S/GetFoo", "pb:/other.S/M"} {
		if err := b.RegisterClient(newMethod(t, name, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "aimrt.S/GetFoo") ||
		!strings.Contains(lines[1], "Server url is not set for func: pb:/other.S/M") {
		t.Errorf("log %q", lines)
	}
}

func TestAccept_SaysWhetherTheCallCanGo(t *testing.T) {
	m, other := newMethod(t, function, nil, nil), newMethod(t, "pb:/a.B/C", nil, nil)
	b, _ := newBackend(t, "{clients_options: [{func_name: '.*GetFooData', server_url: 'http://h:1'}]}", "")
	for _, method := range []*rpc.Method{m, other} {
		if err := b.RegisterClient(method); err != nil {
			t.Fatal(err)
		}
	}
	if status := b.Accept(newCall(m, "")); status.Code() != rpc.CodeCliBackendInternalError {
		t.Errorf("before start: %v", status)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	zzz, addressed := newCall(m, ""), newCall(other, "")
	zzz.Context.Serialization, addressed.Context.Target = "zzz", "http://h:2"
	unknown := newCall(newMethod(t, function, nil, nil), "")
	for i, tt := range []struct {
		call *rpc.Call
		code rpc.Code
	}{{newCall(m, ""), 0}, {newCall(other, ""), 2004}, {addressed, 0}, {zzz, 2005}, {unknown, 2001}} {
		if status := b.Accept(tt.call); status.Code() != tt.code {
			t.Errorf("call %d: %v, want %d", i, status, tt.code)
		}
	}
}

func TestInvoke_GarbageAnswers_SayWhatIsWrong(t *testing.T) {
	testx.NoLeaks(t)
	answer := make(chan string, 1)
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err == nil {
			_, _ = io.WriteString(c, <-answer)
		}
	})
	m := newMethod(t, function, nil, refusing{})
	tests := []struct {
		name, answer string
		code         rpc.Code
		texts        []string
	}{
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 2000, []string{address, "status line", "SSH-2.0"}},
		{"nothing", "", 2000, []string{address, "before the response"}},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Le", 2000, []string{address, "inside the response"}},
		{"short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 2000, []string{address, "inside the response"}},
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 2000, []string{address, "many"}},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 2000, []string{"second Content-Length"}},
		{"chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 2000, []string{"zz"}},
		{"too large", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", 2000, []string{"too large", "5000"}},
		{"not our message", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 2008, []string{"truncated field 1"}},
		{"a code that is none", "HTTP/1.1 500 X\r\naimrt-status-code: 0\r\nContent-Length: 4\r\n\r\noops", 1003, []string{"oops"}},
		{"a proxy", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad", 1003, []string{"bad"}},
	}
	for _, tt := range tests {
		b := clientOf(t, m, "http://"+address, ", limits: {max_message_bytes: 5000}")
		answer <- tt.answer
		status := invoke(t, b, newCall(m, "x"))
		if status.Code() != tt.code {
			t.Errorf("%s: ended with %v, want %d", tt.name, status, tt.code)
		}
		for _, text := range tt.texts {
			if !strings.Contains(status.Message(), text) {
				t.Errorf("%s: message %q does not contain %q", tt.name, status.Message(), text)
			}
		}
		closeBackend(t, b)
	}
}

func TestInvoke_NetHTTPServer(t *testing.T) {
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Key") == "fail" {
			nethttp.Error(w, "An error occurred: 'Handle rpc failed, code: 77.'", 500)
			return
		}
		fmt.Fprintf(w, "%s %s %s", r.URL.Path, r.Header.Get("Content-Type"), body)
	}))
	defer server.Close()
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, server.URL, "")
	call := newCall(m, "hi")
	if status := invoke(t, b, call); !status.OK() || response(t, call) != path+" application/protobuf hi" {
		t.Errorf("%v, %q", status, response(t, call))
	}
	if want := (rpc.Peer{Scheme: "http", Address: server.Listener.Addr().String()}); call.Peer != want {
		t.Errorf("peer %v", call.Peer)
	}
	call = newCall(m, "hi")
	call.Context.Metadata.Set("Key", "fail")
	if status := invoke(t, b, call); status.Code() != 77 {
		t.Errorf("%v", status)
	}
}

// silent accepts requests and never answers; gone counts the connections that ended.
func silent(t *testing.T, arrived chan<- struct{}) (address string, gone *atomic.Int32) {
	gone = &atomic.Int32{}
	return fakeServer(t, func(_ net.Conn, r *bufio.Reader) {
		if _, _, err := readRequest(r); err == nil {
			arrived <- struct{}{}
			_, _ = r.ReadByte()
		}
		gone.Add(1)
	}), gone
}

func TestInvoke_NoAnswer_EndsWithTheTimeoutStatus(t *testing.T) {
	testx.NoLeaks(t)
	arrived := make(chan struct{}, 1)
	address, gone := silent(t, arrived)
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, address, "")
	call := newCall(m, "x")
	status, timed := b.TimeoutStatus(call)
	if !timed || status.Code() != rpc.CodeCliUnknown || !strings.Contains(status.Message(), address) || !strings.Contains(status.Message(), "3s") || b.TimeoutExecutor() != nil {
		t.Fatalf("timeout status %v, timed %t", status, timed)
	}
	b.Invoke(t.Context(), call)
	<-arrived
	if !call.End(status) || ended(t, call).Code() != rpc.CodeCliUnknown {
		t.Fatalf("ended with %v", call.Status())
	}
	eventually(t, "the connection of the call to be dropped", func() bool { return gone.Load() == 1 && b.Counts()["client_calls"] == 0 })

	// Without core's timer the transport gives up by itself, later.
	call = newCall(m, "x")
	call.Context.Timeout = time.Millisecond
	if status := invoke(t, b, call); status.Code() != rpc.CodeCliUnknown || !strings.Contains(status.Message(), "1ms") {
		t.Fatalf("ended with %v", status)
	}
	<-arrived
}

// A peer that does not read must block neither the caller nor the end of the call nor Close.
func TestInvoke_PeerDoesNotRead_NobodyWaits(t *testing.T) {
	testx.NoLeaks(t)
	release := make(chan struct{})
	var conns atomic.Int32
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		if _, _, err := readRequest(r); err == nil { // the first request is small and answered, so that the second finds an idle connection
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		<-release
	})
	defer close(release)
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, address, "")
	if status := invoke(t, b, newCall(m, "x")); !status.OK() {
		t.Fatal(status)
	}
	call := newCall(m, strings.Repeat("x", 32<<20))
	call.Context.Timeout = -1
	b.Invoke(t.Context(), call)
	if !call.Cancel() || ended(t, call).Code() != rpc.CodeCancelled {
		t.Fatalf("ended with %v", call.Status())
	}
	eventually(t, "the write to be given up", func() bool { return b.Counts()["client_calls"] == 0 })
}

// The caller may overwrite its message as soon as the call has ended.
func TestInvoke_LargeMessageReusedAfterTheEnd_IsNotShared(t *testing.T) {
	testx.NoLeaks(t)
	m := newMethod(t, function, nil, nil)
	_, address := serveAt(t, "", m, echo)
	b := clientOf(t, m, address, "")
	for i := range 20 {
		data := bytes.Repeat([]byte{byte(i)}, 200_000)
		call := newCall(m, "")
		call.Request = rpc.BytesPayload("pb", data)
		b.Invoke(t.Context(), call)
		call.Cancel()
		clear(data)
	}
}

func TestInvoke_TenThousandInFlight_AreBounded(t *testing.T) {
	testx.NoLeaks(t)
	const calls, connections = 10_000, 50
	var open, most atomic.Int64
	gate := make(chan struct{})
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		n := open.Add(1)
		defer open.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		for {
			_, body, err := readRequest(r)
			if err != nil {
				return
			}
			<-gate
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, address, fmt.Sprintf(", limits: {max_connections_per_host: %d, max_pending_calls: %d}", connections, calls-connections))
	list := make([]*rpc.Call, calls)
	for i := range list {
		list[i] = newCall(m, fmt.Sprint("message ", i))
		list[i].Context.Timeout = time.Minute
	}
	for _, call := range list[:connections] {
		b.Invoke(t.Context(), call)
	}
	eventually(t, "all connections", func() bool { return open.Load() == connections })
	for _, call := range list[connections:] {
		b.Invoke(t.Context(), call)
	}
	if n := b.Counts()["client_calls"]; n != calls {
		t.Errorf("%d calls are in flight", n)
	}
	if status := invoke(t, b, newCall(m, "one more")); status.Code() != rpc.CodeResourceExhausted || !strings.Contains(status.Message(), "max_pending_calls") {
		t.Errorf("one more ended with %v", status)
	}
	close(gate)
	for i, call := range list {
		if status := ended(t, call); !status.OK() || response(t, call) != fmt.Sprint("message ", i) {
			t.Fatalf("call %d ended with %v and %q", i, status, response(t, call))
		}
	}
	// One that the client has given up counts until the server has noticed.
	if most.Load() > connections+connections/10 {
		t.Errorf("%d connections, the limit is %d", most.Load(), connections)
	}
}

// Callers go on as soon as a server is back: the connections of the one before are in the pool still, and no call may suffer from that.
func TestInvoke_ServerRestarts_NextCallsSucceed(t *testing.T) {
	testx.NoLeaks(t)
	const callers = 8
	held := make(chan *rpc.Call, callers)
	hold := func(_ context.Context, call *rpc.Call) {
		if data, _ := call.Request.Bytes("pb"); string(data) == "hold" {
			held <- call
			return
		}
		echo(context.Background(), call)
	}
	m := newMethod(t, function, nil, nil)
	server, address := serveAt(t, "", m, hold)
	client := clientOf(t, m, address, "")
	_, port, _ := net.SplitHostPort(address)
	for round := range 20 {
		var calls, served []*rpc.Call
		for range callers { // all in flight together: as many connections
			calls = append(calls, newCall(m, "hold"))
			client.Invoke(t.Context(), calls[len(calls)-1])
			served = append(served, arrival(t, held, calls[len(calls)-1]))
		}
		for i, call := range calls {
			served[i].Finish(rpc.OK, rpc.Payload{})
			if status := ended(t, call); !status.OK() {
				t.Fatalf("round %d: %v", round, status)
			}
		}
		closeBackend(t, server)
		if round%2 == 0 { // else the next calls are the first to meet the dead connections
			if status := invoke(t, client, newCall(m, "down")); status.Code() != rpc.CodeCliUnknown || !strings.Contains(status.Message(), address) {
				t.Errorf("server down: %v", status)
			}
		}
		server, _ = newBackend(t, "", strings.Replace(loopback, "listen_port: 0", "listen_port: "+port, 1))
		if err := errors.Join(server.RegisterService(m, handlerFunc(hold)), server.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range callers {
			all.Add(1)
			go func() {
				defer all.Done()
				for range 5 {
					if call := newCall(m, "x"); !invoke(t, client, call).OK() {
						t.Errorf("round %d, after the restart: %v", round, call.Status())
					}
				}
			}()
		}
		all.Wait()
	}
}

// A request that a server has read may have been executed; the call is not made again.
func TestInvoke_ServerClosesInsteadOfAnswering_IsNotRepeated(t *testing.T) {
	testx.NoLeaks(t)
	var requests atomic.Int32
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		for n := 0; ; n++ {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			if requests.Add(1); n == 1 {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, address, ", limits: {max_connections_per_host: 1}")
	for i := range 6 {
		status := invoke(t, b, newCall(m, "x"))
		if lost := i%2 == 1; lost == status.OK() || lost && !strings.Contains(status.Message(), "may have been executed") {
			t.Errorf("call %d: %v", i, status)
		}
	}
	if n := requests.Load(); n != 6 {
		t.Errorf("%d requests for 6 calls", n)
	}
}

// arrival waits until a call has reached its handler; it fails when the call ends before that.
func arrival(t *testing.T, held <-chan *rpc.Call, call *rpc.Call) *rpc.Call {
	t.Helper()
	select {
	case served := <-held:
		return served
	case <-call.Done():
		t.Fatalf("the call ended before it arrived: %v", call.Status())
		return nil
	}
}

type handlerFunc func(ctx context.Context, call *rpc.Call)

func (f handlerFunc) Handle(ctx context.Context, call *rpc.Call) { f(ctx, call) }

func TestInvoke_Close_EndsWhatIsOpen(t *testing.T) {
	testx.NoLeaks(t)
	arrived := make(chan struct{}, 1)
	address, _ := silent(t, arrived)
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, address, "")
	call := newCall(m, "x")
	b.Invoke(t.Context(), call)
	<-arrived
	closeBackend(t, b)
	if status := ended(t, call); status.Code() != rpc.CodeCliBackendInternalError || !strings.Contains(status.Message(), "closed") {
		t.Errorf("ended with %v", status)
	}
	for _, size := range []int{1, 100_000} {
		if status := invoke(t, b, newCall(m, strings.Repeat("x", size))); status.Code() != rpc.CodeCliBackendInternalError {
			t.Errorf("%d bytes after Close: %v", size, status)
		}
	}
}
