package grpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"gopkg.in/yaml.v3"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

type requestVector struct {
	Name, Path, Authority string
	Meta                  [][2]string
	ContentType           string `yaml:"content_type"`
	GRPCTimeout           string `yaml:"grpc_timeout"`
	TimeoutMS             int    `yaml:"timeout_ms"`
	BodyHex               string `yaml:"body_hex"`
}

// TestServer_TakesWhatAimRTSends replays requests of AimRT's client, whose timeouts have more digits than gRPC allows.
func TestServer_TakesWhatAimRTSends(t *testing.T) {
	testx.NoLeaks(t)
	data, err := os.ReadFile("../../../tests/vectors/aimrtgrpc/requests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []requestVector
	if err := yaml.Unmarshal(data, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	_, address := serve(t, func(ctx context.Context, call *rpc.Call) {
		keys := ""
		aimrt.RangeMetadata(call, func(key, value string) bool { keys += key + "=" + value + "\n"; return true })
		seen <- fmt.Sprint(call.Context.Timeout.Milliseconds(), " ", call.Context.Serialization, "\n", keys)
		echo(ctx, call)
	})
	for _, v := range vectors {
		body, _ := hex.DecodeString(v.BodyHex)
		if v.Path != path {
			continue
		}
		fields := []h2.Field{{Name: "content-type", Value: v.ContentType}, {Name: "grpc-timeout", Value: v.GRPCTimeout}, {Name: "te", Value: "trailers"}}
		for _, m := range v.Meta {
			fields = append(fields, h2.Field{Name: m[0], Value: m[1]})
		}
		r := post(t, address, v.Path, string(body), fields...)
		if want := aimrtgrpc.OKHead()[1:]; r.Status != 200 || !slices.Equal(r.Headers, want) || !slices.Equal(r.Trailers, []h2.Field{{Name: "grpc-status", Value: "0"}}) {
			t.Errorf("%s: %d %v %v", v.Name, r.Status, r.Headers, r.Trailers)
		}
		if want := framed("echo " + string(body[5:])); string(r.Body) != want {
			t.Errorf("%s: body %q, want %q", v.Name, r.Body, want)
		}
		got := <-seen
		for _, want := range []string{
			fmt.Sprint(v.TimeoutMS, " pb\n"), "aimrt-backend=grpc\n", "aimrt-request_id=1\n", "aimrt-response_id=1\n", "aimrt-function_name=" + function + "\n",
			"te=trailers\n", "grpc-timeout=" + v.GRPCTimeout + "\n", "Remote-Endpoint=127.0.0.1:",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: the handler saw %q, %q is missing", v.Name, got, want)
			}
		}
	}
}

// TestServer_Failures_AreTrailersOnly shows what AimRT answers with silence.
func TestServer_Failures_AreTrailersOnly(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serveWith(t, "{limits: {max_message_bytes: 1000}}", loopback, func(ctx context.Context, call *rpc.Call) {
		data, _ := call.Request.Bytes("pb")
		switch string(data) {
		case "fail":
			call.Finish(rpc.NewStatus(1234, "Ärger"), rpc.Payload{})
		case "wait":
		case "huge":
			call.Finish(rpc.OK, rpc.BytesPayload("pb", make([]byte, 2000)))
		default:
			echo(ctx, call)
		}
	})
	zeros := string(grpcframe.Gzip(nil, make([]byte, 900)))
	bomb := string(grpcframe.Gzip(nil, make([]byte, 10_000)))
	gzip := h2.Field{Name: "grpc-encoding", Value: "gzip"}
	tests := []struct {
		name, path, body string
		fields           []h2.Field
		http             int
		grpc, aimrt      string
		text             string
	}{
		{"own code", path, framed("fail"), []h2.Field{protoType}, 200, "2", "1234", "%C3%84rger"},
		{"unknown function", "/a.B/C", framed("x"), []h2.Field{protoType}, 200, "12", "1003", "/a.B/C"},
		{"query in the path", path + "?x=1", framed("x"), []h2.Field{protoType}, 200, "12", "1003", "x=1"},
		{"double slash", "/" + path, framed("x"), []h2.Field{protoType}, 200, "12", "1003", ""},
		{"escaped slash", strings.Replace(path, "/Get", "%2FGet", 1), framed("x"), []h2.Field{protoType}, 200, "12", "1003", ""},
		{"no leading slash", path[1:], framed("x"), []h2.Field{protoType}, 200, "12", "1003", ""},
		{"path of the http backend", "/rpc" + path, framed("x"), []h2.Field{protoType}, 200, "12", "1003", ""},
		{"other case", strings.ToUpper(path), framed("x"), []h2.Field{protoType}, 200, "", "", ""}, // as AimRT: case does not matter
		{"no content type", path, framed("x"), nil, 415, "3", "1004", "content-type"},
		{"foreign content type", path, framed("x"), []h2.Field{{Name: "content-type", Value: "text/plain"}}, 415, "3", "1004", "text/plain"},
		{"no message", path, "", []h2.Field{protoType}, 200, "13", "3012", "ends inside"},
		{"short message", path, framed("xyz")[:6], []h2.Field{protoType}, 200, "13", "3012", "ends inside"},
		{"two messages", path, framed("x") + framed("y"), []h2.Field{protoType}, 200, "13", "3012", "behind the only"},
		{"flag", path, "\x02\x00\x00\x00\x00", []h2.Field{protoType}, 200, "13", "3012", "flag is 2"},
		{"compressed, not announced", path, "\x01" + framed("x")[1:], []h2.Field{protoType}, 200, "13", "3012", "grpc-encoding"},
		{"foreign compression", path, framed("x"), []h2.Field{protoType, {Name: "grpc-encoding", Value: "br"}}, 200, "12", "1002", "gzip"},
		{"2 GiB prefix", path, "\x00\x80\x00\x00\x00", []h2.Field{protoType}, 200, "8", "3007", "max_message_bytes"},
		{"too much data", path, framed(strings.Repeat("x", 2000)), []h2.Field{protoType}, 200, "8", "3007", "max_message_bytes"},
		{"gzip, too much inside", path, "\x01" + framed(bomb)[1:], []h2.Field{protoType, gzip}, 200, "8", "3007", "max_message_bytes"},
		{"gzip", path, "\x01" + framed(zeros)[1:], []h2.Field{protoType, gzip}, 200, "", "", ""},
		{"answer too large", path, framed("huge"), []h2.Field{protoType}, 200, "8", "3007", "max_message_bytes"},
		{"deadline", path, framed("wait"), []h2.Field{protoType, {Name: "grpc-timeout", Value: "20m"}}, 200, "4", "2", "20ms"},
		{"timeout of no form", path, framed("x"), []h2.Field{protoType, {Name: "grpc-timeout", Value: "5x"}}, 200, "", "", ""},
	}
	for _, tt := range tests {
		r := post(t, address, tt.path, tt.body, tt.fields...)
		if tt.grpc == "" {
			if header(r.Trailers, "grpc-status") != "0" {
				t.Errorf("%s: %v %v", tt.name, r.Headers, r.Trailers)
			}
			continue
		}
		if r.Status != tt.http || r.Trailers != nil || len(r.Body) > 0 || header(r.Headers, "grpc-status") != tt.grpc ||
			header(r.Headers, "aimrt-status-code") != tt.aimrt || !strings.Contains(header(r.Headers, "grpc-message"), tt.text) {
			t.Errorf("%s: %d %v, trailers %v, body %q", tt.name, r.Status, r.Headers, r.Trailers, r.Body)
		}
	}
}

// TestServer_HeaderBomb_OthersAreServed: a request with too many headers is refused, and the next is served.
func TestServer_HeaderBomb_OthersAreServed(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serve(t, echo)
	// Our own client would read the server's limit and refuse, so the frames are written by hand.
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	framer := sendHead(t, c, slices.Repeat([][2]string{{"bomb", strings.Repeat("x", 4000)}}, 20)...)
	for status := ""; status != "431"; {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if head, ok := f.(*http2.MetaHeadersFrame); ok {
			if status = head.PseudoValue("status"); status != "431" {
				t.Fatalf("status %s", status)
			}
		}
	}
	r := post(t, address, path, framed("x"), protoType)
	if header(r.Trailers, "grpc-status") != "0" {
		t.Errorf("the next call: %v", r.Headers)
	}
}

func TestServer_TooManyCalls_AreRefused(t *testing.T) {
	testx.NoLeaks(t)
	arrived := make(chan *rpc.Call, 1)
	_, address := serveWith(t, "{limits: {max_calls: 1}}", loopback, func(_ context.Context, call *rpc.Call) { arrived <- call })
	client, m := clientOf(t, "http://"+address, "")
	first := newCall(m, "x")
	client.Invoke(t.Context(), first)
	held := <-arrived
	if status := invoke(t, client, newCall(m, "y")); status.Code() != rpc.CodeResourceExhausted || !strings.Contains(status.Message(), "max_calls") {
		t.Errorf("the second call: %v", status)
	}
	held.Finish(rpc.OK, rpc.Payload{})
	if <-first.Done(); !first.Status().OK() {
		t.Errorf("the first call: %v", first.Status())
	}
}

func TestServer_CompressesWhenItsCallerDoes(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serve(t, echo)
	words := strings.Repeat("many words and then some more ", 30)
	r := post(t, address, path, "\x01"+framed(string(grpcframe.Gzip(nil, []byte(words))))[1:], protoType, h2.Field{Name: "grpc-encoding", Value: "gzip"})
	got, err := unframe(r.Body, header(r.Headers, "grpc-encoding"), 1<<20)
	if err != nil || string(got) != "echo "+words || r.Body[0] != 1 {
		t.Fatalf("%v: %q of %v", err, got, r.Headers)
	}
}

func TestServer_PeerLeaves_CallEnds(t *testing.T) {
	testx.NoLeaks(t)
	arrived, ended := make(chan struct{}), make(chan struct{})
	_, address := serve(t, func(_ context.Context, call *rpc.Call) {
		call.OnEnd(func(*rpc.Call) { close(ended) })
		close(arrived)
	})
	client, m := clientOf(t, "http://"+address, "")
	call := newCall(m, "x")
	client.Invoke(t.Context(), call)
	<-arrived
	closeBackend(t, client)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the handler did not learn that its caller has gone")
	}
	<-call.Done()
}

func TestOptions_Wrong_ErrorsNameThem(t *testing.T) {
	for _, tt := range []struct{ options, plugin, want string }{
		{"{compression: zip}", "", `compression is "zip", expected none or gzip`},
		{"{limits: {max_calls: 0}}", "", "max_calls is 0"},
		{"{tls: {ca: /nowhere}}", "", "no such file"},
		{"", "{listen_ip: localhost}", `listen_ip "localhost" is not an IP address`},
		{"", "{listen_port: 1, tls: {cert: x}}", "come together"},
		{"{clients_options: [{func_name: a}]}", "", "server_url"},
	} {
		env := environmentOf(t, tt.options, tt.plugin)
		if _, err := New(env); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "options.yaml:1:") {
			t.Errorf("%s %s: error %v, want %q with its place", tt.options, tt.plugin, err, tt.want)
		}
	}
	b, _ := newBackend(t, "", "{thread_num: 4}")
	err := b.RegisterService(newMethod(t, rpc.MethodOptions{Name: function}), nil)
	if err == nil || !strings.Contains(err.Error(), "listen_port: 50050") {
		t.Errorf("serving without a port: %v", err)
	}
	_, address := serve(t, echo)
	_, number, _ := strings.Cut(address, ":")
	again, _ := newBackend(t, "", "{listen_port: "+number+"}")
	if err := again.Start(t.Context()); err == nil || !strings.Contains(err.Error(), address+" is already in use.") {
		t.Errorf("port in use: %v", err)
	}
}

func TestUnixSocket_Serves(t *testing.T) {
	testx.NoLeaks(t)
	socket := filepath.Join(t.TempDir(), "s")
	peers := make(chan rpc.Peer, 1)
	_, _ = serveWith(t, "", "{listen_unix: "+socket+"}", func(ctx context.Context, call *rpc.Call) { peers <- call.Peer; echo(ctx, call) })
	client, m := clientOf(t, "unix://"+socket, "")
	call := newCall(m, "x")
	if status := invoke(t, client, call); !status.OK() || response(t, call) != "echo x" {
		t.Fatal(status)
	}
	if peer := <-peers; peer.Address != socket {
		t.Errorf("peer %+v", peer)
	}
}
