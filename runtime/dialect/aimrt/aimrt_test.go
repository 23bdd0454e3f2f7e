package aimrt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

func newCall(t *testing.T, kind rpc.ContextKind) *rpc.Call {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C", Owner: rpc.Owner{Package: "core", Module: "Server"}})
	if err != nil {
		t.Fatal(err)
	}
	return &rpc.Call{Method: m, Context: &rpc.CallContext{Kind: kind}}
}

func text(call *rpc.Call) string {
	var b strings.Builder
	aimrt.RangeMetadata(call, func(k, v string) bool { fmt.Fprintf(&b, "%s=%s;", k, v); return true })
	return b.String()
}

func TestBackendOfTarget(t *testing.T) {
	tests := []struct {
		target, backend string
		code            rpc.Code
	}{
		{"http://127.0.0.1:1", "http", 0},
		{"local://rpc?x=a://b", "local", 0},
		{"HTTP://x", "", rpc.CodeCliInvalidAddr},
		{"grpc://x", "", rpc.CodeCliInvalidAddr},
		{"://x", "", rpc.CodeCliInvalidAddr},
		{"nonsense", "", rpc.CodeCliInvalidAddr},
	}
	for _, tt := range tests {
		got, status := aimrt.BackendOfTarget(tt.target, []string{"local", "http"})
		if got != tt.backend || status.Code() != tt.code {
			t.Errorf("%q gives %q, %v", tt.target, got, status)
		}
		if tt.code != 0 && !strings.Contains(status.Message(), tt.target) {
			t.Errorf("message %q does not name the address", status.Message())
		}
	}
}

func TestRangeMetadata_Client(t *testing.T) {
	call := newCall(t, rpc.ClientContext)
	call.ID, call.Backend = 3, "http"
	aimrt.Apply(call.Context, aimrt.KeySerialization, "pb")
	aimrt.Apply(call.Context, "k", "v")
	call.Context.Metadata.Add(aimrt.KeyRequestID, "forged")
	if got := text(call); got != "aimrt-backend=http;aimrt-request_id=3;aimrt-serialization_type=pb;k=v;" {
		t.Errorf("metadata is %s", got)
	}
	aimrt.Apply(call.Context, aimrt.KeyToAddr, "http://x")
	aimrt.Apply(call.Context, aimrt.KeyFunctionName, "pb:/a.B/C")
	if got := text(call); got != "aimrt-function_name=pb:/a.B/C;aimrt-request_id=3;aimrt-serialization_type=pb;aimrt-to_addr=http://x;k=v;" {
		t.Errorf("metadata with an address is %s", got)
	}
	if v, ok := aimrt.MetadataOf(call, aimrt.KeyBackend); ok {
		t.Errorf("backend is shown as %q although the address chose it", v)
	}
}

func TestRangeMetadata_Server(t *testing.T) {
	call := newCall(t, rpc.ServerContext)
	call.Backend, call.From = "local", rpc.Owner{Package: "p", Module: "m"}
	call.Context.Metadata.Set(aimrt.KeyFromPackage, "forged")
	aimrt.SetRequestID(call, "9")
	want := "aimrt-function_name=pb:/a.B/C;aimrt-backend=local;aimrt-request_id=9;aimrt-response_id=9;aimrt-from_pkg=p;aimrt-from_module=m;"
	if got := text(call); got != want {
		t.Errorf("metadata is %s\nwant %s", got, want)
	}
	for _, odd := range []string{"007", "x", "-1", "18446744073709551616"} {
		aimrt.SetRequestID(call, odd)
		if got, _ := aimrt.MetadataOf(call, aimrt.KeyResponseID); got != odd {
			t.Errorf("id %q came back as %q", odd, got)
		}
	}
}

func TestContextText(t *testing.T) {
	call := newCall(t, rpc.ClientContext)
	call.Context.Timeout = 5 * time.Second
	call.Context.Metadata.Set("k", "v")
	if got := aimrt.ContextText(call); got != `Client context, timeout: 5000ms, meta: {{"k":"v"}}` {
		t.Errorf("text is %s", got)
	}
}

func TestMerge_OnlyPassThroughKeysFromServerToClient(t *testing.T) {
	server := &rpc.CallContext{Kind: rpc.ServerContext}
	server.Metadata.Set("a", "1")
	server.Metadata.Set("b", "2")
	server.Metadata.Set("c", "")
	client := rpc.NewClientContext()
	aimrt.Merge(server, client, []string{"a", "c", "d"})
	if client.Metadata.Len() != 1 || client.Metadata.Get("a") != "1" {
		t.Errorf("client has %+v", client.Metadata)
	}
	other := rpc.NewClientContext()
	aimrt.Merge(client, other, []string{"a"})
	aimrt.Merge(nil, other, []string{"a"})
	if other.Metadata.Len() != 0 {
		t.Error("a client context was merged")
	}
}

func TestSection_Errorf_NamesLineOfThePath(t *testing.T) {
	c, err := config.Load(config.Source{Name: "x.yaml", Text: "aimrt:\n  rpc:\n    backends:\n      - type: local\n        options:\n          list:\n            - {url: bad}\n"})
	if err != nil {
		t.Fatal(err)
	}
	s := aimrt.Section{Node: c.RPC.Backends[0].Options}
	if got := s.Errorf("list[0].url", "is %s", "bad").Error(); !strings.HasPrefix(got, "x.yaml:7:") || !strings.Contains(got, "list[0].url: is bad") {
		t.Errorf("error is %s", got)
	}
	if !s.Present() || (aimrt.Section{}).Present() {
		t.Error("Present is wrong")
	}
	var e *config.Error
	if err := s.Errorf("list", "no: %w", suggestion("list2")); !errors.As(err, &e) || e.Nearest != "list2" {
		t.Errorf("error is %v with nearest %q", err, e.Nearest)
	}
	if got := s.Errorf("list[x].url", "e").Error(); !strings.Contains(got, "x.yaml:") {
		t.Errorf("error is %s", got)
	}
}

type suggestion string

func (s suggestion) Error() string      { return "unknown" }
func (s suggestion) Suggestion() string { return string(s) }

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"pb:/a.B/C": "/a.B/C", "plain": "plain", "http": "http"} {
		if got := aimrt.PathOf(in); got != want {
			t.Errorf("%q gives %q", in, got)
		}
	}
	if aimrt.PluginOfBackend("http") != "net_plugin" || aimrt.PluginOfBackend("mqtt") != "mqtt_plugin" || aimrt.PluginOfBackend("local") != "" {
		t.Error("plugins of backends are wrong")
	}
}
