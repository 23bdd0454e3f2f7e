package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// post is a raw request with a body.
func post(method, target, headers, body string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", method, target, headers, len(body), body)
}

const (
	pbType   = "Content-Type: application/protobuf\r\n"
	jsonType = "Content-Type: application/json\r\n"
)

// TestServe_CapturedRequests_AreAnsweredAsCaptured goes through the requests that were made to AimRT's server.
func TestServe_CapturedRequests_AreAnsweredAsCaptured(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serveAt(t, "", newMethod(t, function, rpc.Raw{"pb", "json"}, nil), func(ctx context.Context, call *rpc.Call) {
		data, _ := call.Request.Bytes("")
		switch string(data) {
		case "1002":
			call.Finish(rpc.StatusOfCode(1002), rpc.Payload{})
		case "77":
			call.Finish(rpc.StatusOfCode(77), rpc.Payload{})
		case "malformed":
			call.Finish(rpc.StatusOfCode(1007), rpc.Payload{})
		case "raise":
			call.Finish(rpc.NewStatus(1008, "ValueError: no"), rpc.Payload{})
		case "timeout":
			call.Finish(rpc.OK, rpc.BytesPayload("", fmt.Append(nil, call.Context.Timeout)))
		default:
			echo(ctx, call)
		}
	})
	chunked := "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + pbType + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
	failed := func(text string) string { return "An error occurred: '" + text + "'" }
	tests := []struct{ name, request, status, body string }{
		{"pb", post("POST", path, pbType, "hi"), "200 OK", "echo hi"},
		{"json", post("POST", path, jsonType, "{}"), "200 OK", "echo {}"},
		{"json with charset, AimRT's form", post("POST", path, "Content-Type: application/json charset=utf-8\r\n", "{}"), "200 OK", "echo {}"},
		{"json with charset", post("POST", path, "Content-Type: application/json; charset=utf-8\r\n", "{}"), "200 OK", "echo {}"},
		{"text", post("POST", path, "Content-Type: text/plain\r\n", "hi"), "500 Internal Server Error", failed("Http req has invalid content type text/plain.")},
		{"no type", post("POST", path, "", "hi"), "500 Internal Server Error", failed("Http req has no content type.")},
		{"ros2 on pb", post("POST", path, "Content-Type: application/ros2\r\n", "hi"), "500 Internal Server Error", failed("Handle rpc failed, code: 1004.")},
		{"malformed", post("POST", path, pbType, "malformed"), "500 Internal Server Error", failed("Handle rpc failed, code: 1007.")},
		{"1002", post("POST", path, pbType, "1002"), "500 Internal Server Error", failed("Handle rpc failed, code: 1002.")},
		{"77", post("POST", path, pbType, "77"), "500 Internal Server Error", failed("Handle rpc failed, code: 77.")},
		{"raised", post("POST", path, pbType, "raise"), "500 Internal Server Error", failed("Handle rpc failed, code: 1008.")},
		{"unknown", post("POST", "/rpc/x.Y/Z", pbType, "hi"), "404 Not Found", "The resource '/rpc/x.Y/Z' was not found."},
		{"without /rpc", post("POST", path[4:], pbType, "hi"), "404 Not Found", "The resource '" + path[4:] + "' was not found."},
		{"escaped slash", post("POST", "/rpc%2Fa", pbType, "hi"), "404 Not Found", "The resource '/rpc%2Fa' was not found."},
		{"query", post("POST", path+"?a=b", pbType, "hi"), "200 OK", "echo hi"},
		{"other case", post("POST", strings.ToLower(path), pbType, "hi"), "200 OK", "echo hi"},
		{"GET with body", post("GET", path, pbType, "hi"), "200 OK", "echo hi"},
		{"HEAD", post("HEAD", path, pbType, ""), "200 OK", ""},
		{"PUT", post("PUT", path, pbType, "hi"), "400 Bad Request", "UnSupport HTTP-method"},
		{"DELETE", post("DELETE", path, pbType, ""), "400 Bad Request", "UnSupport HTTP-method"},
		{"OPTIONS", post("OPTIONS", path, "", ""), "200 OK", ""},
		{"OPTIONS unknown", post("OPTIONS", "/rpc/x.Y/Z", "", ""), "404 Not Found", "The resource '/rpc/x.Y/Z' was not found."},
		{"dots", post("POST", "/rpc/../x", pbType, ""), "400 Bad Request", "Illegal request-target"},
		{"chunked", chunked, "200 OK", "echo hi"},
		{"timeout 1", post("POST", path, pbType+"Timeout: 1\r\n", "timeout"), "200 OK", "1s"},
		{"timeout 0", post("POST", path, pbType+"Timeout: 0\r\n", "timeout"), "200 OK", "0s"},
		{"timeout abc", post("POST", path, pbType+"Timeout: abc\r\n", "timeout"), "200 OK", "-1ns"},
		{"no timeout", post("POST", path, pbType, "timeout"), "200 OK", "-1ns"},
	}
	for _, tt := range tests {
		head, body := rawAnswer(t, address, tt.request)
		if head[0] != "HTTP/1.1 "+tt.status || body != tt.body {
			t.Errorf("%s: %q with body %q, want %q with %q", tt.name, head[0], body, tt.status, tt.body)
		}
		html := slices.Contains(head, "Content-Type: text/html")
		cors := slices.Contains(head, "Access-Control-Allow-Origin: *")
		if ok := strings.HasPrefix(tt.status, "200"); ok == html || ok != cors {
			t.Errorf("%s: headers %q", tt.name, head)
		}
	}
}

func TestServe_FailedAnswers_KeepTheConnection(t *testing.T) {
	_, address := serveAt(t, "", newMethod(t, function, nil, nil), echo)
	c, r := dial(t, address)
	for _, request := range []string{post("PUT", path, "", ""), post("POST", "/x", pbType, ""), post("POST", path, "", "x"), post("POST", path, pbType, "hi")} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		parsed, err := nethttp.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(parsed.Body)
		if parsed.StatusCode == 200 != (string(body) == "echo hi") {
			t.Fatalf("%d with %q", parsed.StatusCode, body)
		}
	}
}

func TestServe_Metadata_IsEveryHeaderDecoded(t *testing.T) {
	seen := make(chan string, 1)
	_, address := serveAt(t, "", newMethod(t, function, nil, nil), func(ctx context.Context, call *rpc.Call) {
		var text []string
		aimrt.RangeMetadata(call, func(key, value string) bool {
			text = append(text, key+"="+value)
			return true
		})
		text = append(text, call.Peer.String(), call.Request.Serialization())
		seen <- strings.Join(text, "\n")
		echo(ctx, call)
	})
	c, _ := dial(t, address)
	endpoint := c.LocalAddr().String()
	headers := "user-AGENT: aimrt\r\nTimeout: 3\r\n" + pbType + "aimrt-backend: other\r\naimrt-request%5Fid: 7\r\naimrt-serialization%5Ftype: zzz\r\n" +
		"Key%20Two: v%202%2f%C3%A9\r\nplus: a+b\r\nRemote-Endpoint: 1.2.3.4:5\r\naimrt-from%5Fpkg: p\r\nplus: again\r\n"
	_, _ = io.WriteString(c, post("POST", path, headers, "hi"))
	want := strings.Join([]string{
		"aimrt-function_name=" + function, "aimrt-backend=http", "aimrt-request_id=7", "aimrt-response_id=7", "aimrt-serialization_type=zzz",
		"Host=h", "user-AGENT=aimrt", "Timeout=3", "Content-Type=application/protobuf", "Key Two=v 2/é", "plus=a+b", "aimrt-from_pkg=p", "plus=again",
		"Content-Length=2", "Remote-Endpoint=" + endpoint, "http://" + endpoint, "pb",
	}, "\n")
	if got := <-seen; got != want {
		t.Errorf("handler saw\n%s\nwant\n%s", got, want)
	}
}

// A header that names another serialization than the content type is what the handler sees, and its look at the message fails.
func TestServe_SerializationHeader_GoesToTheHandler(t *testing.T) {
	_, address := serveAt(t, "", newMethod(t, function, nil, nil), echo)
	_, body := rawAnswer(t, address, post("POST", path, pbType+"aimrt-serialization%5Ftype: zzz\r\n", "hi"))
	if body != "An error occurred: 'Handle rpc failed, code: 1004.'" {
		t.Fatalf("answer %q", body)
	}
}

func TestServe_Curl_JSON(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("this test needs curl: ", err)
	}
	_, address := serveAt(t, "", newMethod(t, function, rpc.Raw{"pb", "json"}, nil), echo)
	out, err := exec.CommandContext(t.Context(), curl, "-s", "-i", "-H", "content-type:application/json", "-X", "POST", "http://"+address+path, "-d", `{"msg": "test msg"}`).CombinedOutput()
	want := "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\necho {\"msg\": \"test msg\"}"
	if err != nil || string(out) != want {
		t.Fatalf("curl: %v, %q", err, out)
	}
}

func TestServe_NetHTTPClient(t *testing.T) {
	_, address := serveAt(t, "", newMethod(t, function, nil, nil), echo)
	client := &nethttp.Client{Transport: &nethttp.Transport{}}
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 64, 100_000} {
		answer, err := client.Post("http://"+address+path, "application/protobuf", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if answer.Body.Close(); err != nil || answer.StatusCode != 200 || len(body) != size+len("echo ") {
			t.Fatalf("%d bytes: %v, %v, %d bytes back", size, err, answer.Status, len(body))
		}
	}
}

func TestServe_TooMuch_IsRefused(t *testing.T) {
	limits := "{limits: {max_message_bytes: 1000, max_header_bytes: 4096, max_metadata: 4}}"
	_, address := serveAt(t, limits, newMethod(t, function, nil, nil), func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.OK, rpc.BytesPayload("pb", make([]byte, 1001)))
	})
	tests := []struct{ name, request, status, text string }{
		{"body", post("POST", path, pbType, strings.Repeat("x", 1001)), "HTTP/1.1 413 ", "1001"},
		{"header bytes", post("POST", path, pbType+"k: "+strings.Repeat("v", 5000)+"\r\n", ""), "HTTP/1.1 431 ", "4096"},
		{"headers", post("POST", path, pbType+strings.Repeat("k: v\r\n", 21), ""), "HTTP/1.1 431 ", "20"},
		{"response", post("POST", path, pbType, ""), "HTTP/1.1 500 ", "code: 1009."},
	}
	for _, tt := range tests {
		head, body := rawAnswer(t, address, tt.request)
		if !strings.HasPrefix(head[0], tt.status) || !strings.Contains(body, tt.text) {
			t.Errorf("%s: %q, %q", tt.name, head, body)
		}
		if tt.name == "response" && !slices.Contains(head, "aimrt-status-code: 3007") {
			t.Errorf("response: headers %q", head)
		}
	}
}

func TestServe_MaxCalls_OneMoreIsRefused(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *rpc.Call, 4)
	b, address := serveAt(t, "{limits: {max_calls: 2}}", newMethod(t, function, nil, nil), func(_ context.Context, call *rpc.Call) { held <- call })
	m := newMethod(t, function, nil, nil)
	client := clientOf(t, m, address, "")
	first, second, third := newCall(m, "1"), newCall(m, "2"), newCall(m, "3")
	client.Invoke(t.Context(), first)
	client.Invoke(t.Context(), second)
	calls := []*rpc.Call{<-held, <-held}
	if b.Counts()["server_calls"] != 2 || client.Counts()["client_calls"] != 2 || b.Counts()["server_connections"] != 2 {
		t.Errorf("counts %v and %v", b.Counts(), client.Counts())
	}
	if status := invoke(t, client, third); status.Code() != rpc.CodeResourceExhausted || !strings.Contains(status.Message(), "max_calls") {
		t.Errorf("third call: %v", status)
	}
	for _, call := range calls {
		call.Finish(rpc.OK, rpc.Payload{})
	}
	if !ended(t, first).OK() || !ended(t, second).OK() || b.Counts()["server_calls"] != 0 {
		t.Errorf("ended with %v and %v, counts %v", first.Status(), second.Status(), b.Counts())
	}
}

func TestServe_PeerLeaves_CallAndContextEnd(t *testing.T) {
	testx.NoLeaks(t)
	type arrival struct {
		ctx  context.Context
		call *rpc.Call
	}
	arrived := make(chan arrival, 1)
	_, address := serveAt(t, "", newMethod(t, function, nil, nil), func(ctx context.Context, call *rpc.Call) { arrived <- arrival{ctx, call} })
	c, _ := dial(t, address)
	_, _ = io.WriteString(c, post("POST", path, pbType, "hi"))
	a := <-arrived
	if a.ctx.Err() != nil {
		t.Fatal("the context ended early")
	}
	c.Close()
	<-a.ctx.Done()
	if a.ctx.Err() == nil || a.call.Status().Code() != rpc.CodeCancelled || a.call.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatalf("context %v, status %v", a.ctx.Err(), a.call.Status())
	}
}

func TestClose_OpenCalls_End(t *testing.T) {
	testx.NoLeaks(t)
	arrived := make(chan *rpc.Call, 1)
	m := newMethod(t, function, nil, nil)
	server, address := serveAt(t, "", m, func(_ context.Context, call *rpc.Call) { arrived <- call })
	client := clientOf(t, m, address, "")
	call := newCall(m, "x")
	client.Invoke(t.Context(), call)
	served := <-arrived
	closeBackend(t, server)
	if status := ended(t, served); status.Code() != rpc.CodeCancelled {
		t.Errorf("the handler's call ended with %v", status)
	}
	if status := ended(t, call); status.Code() != rpc.CodeCliUnknown || !strings.Contains(status.Message(), address) {
		t.Errorf("the caller got %v", status)
	}
}

func TestStop_OpenCallsGoOn_NewOnesAreRefused(t *testing.T) {
	testx.NoLeaks(t)
	arrived := make(chan *rpc.Call, 1)
	m := newMethod(t, function, nil, nil)
	server, address := serveAt(t, "", m, func(_ context.Context, call *rpc.Call) { arrived <- call })
	client := clientOf(t, m, address, "")
	call := newCall(m, "x")
	client.Invoke(t.Context(), call)
	served := <-arrived
	server.Stop()
	if status := invoke(t, client, newCall(m, "y")); status.Code() != rpc.CodeCliUnknown {
		t.Errorf("a call after Stop ended with %v", status)
	}
	served.Finish(rpc.OK, rpc.BytesPayload("pb", []byte("late")))
	if status := ended(t, call); !status.OK() || response(t, call) != "late" {
		t.Errorf("the open call ended with %v", status)
	}
}

func TestStart_Options(t *testing.T) {
	m := newMethod(t, function, nil, nil)
	for _, plugin := range []string{"", "{thread_num: 4}", "{thread_num: 4, tcp_options: {listen_ip: 127.0.0.1, listen_port: 1}}"} {
		b, _ := newBackend(t, "", plugin)
		err := b.RegisterService(m, backendtest.HandlerFunc(echo))
		if err == nil || !strings.Contains(err.Error(), "http_options") || !strings.Contains(err.Error(), "listen_port") || !strings.Contains(err.Error(), function) {
			t.Errorf("%q: registration gives %v", plugin, err)
		}
		if err := b.Start(t.Context()); err != nil || b.Address() != "" {
			t.Errorf("%q: start gives %v", plugin, err)
		}
	}
	bad := []struct{ options, plugin, want string }{
		{"", "{http_options: {listen_ip: 127.0.0.1}}", "listen_port"},
		{"", "{http_options: {listen_ip: robot, listen_port: 1}}", `"robot"`},
		{"", "{http_options: {listen_ip: 127.0.0.1, listen_port: 70000}}", "listen_port"},
		{"{clients_options: [{func_name: '(.*)'}]}", "", "server_url"},
		{"{clients_options: [{func_name: '(?=a)', server_url: x}]}", "", "look-ahead"},
		{"{limits: {max_calls: 0}}", "", "max_calls is 0"},
	}
	for _, tt := range bad {
		if _, err := New(environment(t, tt.options, tt.plugin, &testx.Log{})); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "options.yaml:1:") {
			t.Errorf("%s %s: error %v does not contain %q", tt.options, tt.plugin, err, tt.want)
		}
	}
	b, _ := newBackend(t, "", "{http_options: {listen_port: 0}}")
	if err := b.Start(t.Context()); err != nil || !strings.HasPrefix(b.Address(), "127.0.0.1:") {
		t.Errorf("a port without address: %v, %q", err, b.Address())
	}
	if err := b.RegisterService(newMethod(t, "noPrefix", nil, nil), backendtest.HandlerFunc(echo)); err == nil || !strings.Contains(err.Error(), `"noPrefix"`) {
		t.Errorf("a name without path: %v", err)
	}
}

func TestStart_PortInUse(t *testing.T) {
	first, _ := newBackend(t, "", loopback)
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, _ := newBackend(t, "", strings.Replace(loopback, "0}", first.Address()[len("127.0.0.1:"):]+"}", 1))
	if err := second.Start(t.Context()); err == nil || !strings.HasSuffix(err.Error(), first.Address()+" is already in use.") {
		t.Fatalf("start gives %v", err)
	}
}

func TestReport_ShowsPortFunctionsAndAddresses(t *testing.T) {
	b, _ := newBackend(t, "{clients_options: [{func_name: '.*/B', server_url: 'http://robot:1'}], servers_options: [{func_name: x}]}", loopback)
	for _, name := range []string{"pb:/a.S/A", "pb:/a.S/B"} {
		if err := b.RegisterClient(newMethod(t, name, nil, nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.RegisterService(newMethod(t, "pb:/a.S/C", nil, nil), backendtest.HandlerFunc(echo)); err != nil {
		t.Fatal(err)
	}
	want := "listen: 127.0.0.1:0\nserves /rpc/a.S/C\ncalls pb:/a.S/A at no server url\ncalls pb:/a.S/B at http://robot:1\n"
	if got := b.Report()[0].Text; got != want {
		t.Errorf("report\n%s\nwant\n%s", got, want)
	}
}

// A handler may still look at its call when somebody else has ended it; under the race detector this finds shared memory.
func TestServe_HandlerAfterTheEnd_SeesItsOwnMessage(t *testing.T) {
	testx.NoLeaks(t)
	var running sync.WaitGroup
	m := newMethod(t, function, nil, nil)
	_, address := serveAt(t, "", m, func(_ context.Context, call *rpc.Call) {
		running.Add(1)
		guard.Go("test handler", func() {
			defer running.Done()
			data, _ := call.Request.Bytes("")
			for range 100 {
				if len(bytes.Trim(data, string(data[:1]))) != 0 || call.Context.Metadata.Get("k") != string(data[:1]) {
					t.Error("the message of another call")
					return
				}
			}
		})
		call.Cancel()
	})
	client := clientOf(t, m, address, "")
	for i := range 200 {
		letter := string(rune('a' + i%26))
		call := newCall(m, strings.Repeat(letter, 500))
		call.Context.Metadata.Set("k", letter)
		if status := invoke(t, client, call); status.Code() != rpc.CodeCancelled {
			t.Fatalf("ended with %v", status)
		}
	}
	running.Wait()
}

func TestServe_StatusKeepsItsNativeCode(t *testing.T) {
	m := newMethod(t, function, nil, nil)
	_, address := serveAt(t, "", m, func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.NewStatus(rpc.CodeUnavailable, "try later").WithNative(rpc.Native{Dialect: "aimrt", Code: "4711"}), rpc.Payload{})
	})
	status := invoke(t, clientOf(t, m, address, ""), newCall(m, "x"))
	if status.Code() != 4711 || status.Message() != "try later" || status.Native() != (rpc.Native{Dialect: "aimrt", Code: "4711"}) {
		t.Fatalf("ended with %v, native %v", status, status.Native())
	}
}

func TestInvoke_Timeout_ReachesTheHandlerInSeconds(t *testing.T) {
	m := newMethod(t, function, nil, nil)
	_, address := serveAt(t, "", m, func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.OK, rpc.BytesPayload("pb", fmt.Append(nil, call.Context.Timeout >= 200*365*24*time.Hour, call.Context.Timeout)))
	})
	client := clientOf(t, m, address, "")
	for timeout, want := range map[time.Duration]string{2500 * time.Millisecond: "false 2s", 700 * time.Millisecond: "false 0s", 0: "false 5s", -1: "true 2562047h47m16s"} {
		call := newCall(m, "x")
		call.Context.Timeout = timeout
		if status := invoke(t, client, call); !status.OK() || response(t, call) != want {
			t.Errorf("%v: %v, %q", timeout, status, response(t, call))
		}
	}
}
