package local_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/backend/local"
	"aimrtrpc/runtime/rpc"
)

func newBackend(t *testing.T) backend.Backend {
	t.Helper()
	b, err := local.New(backendtest.Environment(t, local.Name, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSuite(t *testing.T) {
	backendtest.Run(t, backendtest.Subject{
		Name: local.Name, Serves: true, AnyCode: true, FailedResponse: true, Metadata: true, UnknownCode: rpc.CodeSvrNotFound, MaxRequestBytes: 4 << 20,
		New: func(t *testing.T) backendtest.Pair {
			b := newBackend(t)
			return backendtest.Pair{Client: b, Server: b}
		},
	})
}

// words is a type support whose native message is a *string; it fails where told.
type words struct {
	encodeError, decodeError error
	released                 *int
}

func (w words) Name() string             { return "pb:Words" }
func (w words) Serializations() []string { return []string{"pb", "json"} }
func (w words) Encode(s string, m any) ([]byte, error) {
	return []byte(s + ":" + *m.(*string)), w.encodeError
}
func (w words) Decode(s string, data []byte) (any, func(), error) {
	text := strings.TrimPrefix(string(data), s+":")
	return &text, func() { *w.released++ }, w.decodeError
}

func method(t *testing.T, pkg, module string, request, response rpc.TypeSupport) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C", Owner: rpc.Owner{Package: pkg, Module: module}, Request: request, Response: response})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func invoke(b backend.Backend, m *rpc.Method, change func(*rpc.Call)) *rpc.Call {
	text := "hi"
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.NativePayload(&text, m.RequestType(), nil), Backend: local.Name}
	call.Context.Serialization = "json"
	if change != nil {
		change(call)
	}
	b.Invoke(context.Background(), call)
	return call
}

func TestInvoke_AcrossPackages_EncodesBothWays(t *testing.T) {
	released := 0
	fail := errors.New("broken")
	good := words{released: &released}
	tests := []struct {
		name                                            string
		clientRequest, clientResponse, request, reponse rpc.TypeSupport
		serialization                                   string
		want                                            rpc.Code
	}{
		{"good", good, good, good, good, "json", 0},
		{"request cannot be encoded", words{encodeError: fail, released: &released}, good, good, good, "json", 2006},
		{"request cannot be decoded", good, good, words{decodeError: fail, released: &released}, good, "json", 2008},
		{"response cannot be encoded", good, good, good, words{encodeError: fail, released: &released}, "json", 1005},
		{"response cannot be decoded", good, words{decodeError: fail, released: &released}, good, good, "json", 1007},
		{"client does not support it", good, good, good, good, "yaml", 2005},
		{"service does not support it", good, good, rpc.Raw{"pb"}, rpc.Raw{"pb"}, "json", 2008},
	}
	for _, tt := range tests {
		b := newBackend(t)
		_ = b.Start(t.Context())
		served := method(t, "p2", "S", tt.request, tt.reponse)
		_ = b.RegisterService(served, backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
			m, _, native := call.Request.Native()
			if !native || *m.(*string) != "hi" {
				t.Errorf("%s: the handler got %v", tt.name, m)
			}
			answer := "answer"
			call.Finish(rpc.NewStatus(0, ""), rpc.NativePayload(&answer, served.ResponseType(), nil))
		}))
		client := method(t, "p1", "C", tt.clientRequest, tt.clientResponse)
		call := invoke(b, client, func(c *rpc.Call) { c.Context.Serialization = tt.serialization })
		if call.Status().Code() != tt.want {
			t.Errorf("%s: ended with %v, want %d", tt.name, call.Status(), tt.want)
		}
		if tt.want != 0 {
			continue
		}
		if m, _, ok := call.Response().Native(); !ok || *m.(*string) != "answer" || released != 1 {
			t.Errorf("%s: response %v, %d requests released", tt.name, m, released)
		}
	}
}

func TestInvoke_SamePackage_BytesOfAnotherSerialization_AreRefused(t *testing.T) {
	b := newBackend(t)
	_ = b.Start(t.Context())
	raw := rpc.Raw{"pb", "json", "text"}
	less := rpc.Raw{"pb", "json"}
	_ = b.RegisterService(method(t, "p", "S", less, less), backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.OK, rpc.Payload{})
	}))
	client := method(t, "p", "C", raw, raw)
	for name, want := range map[string]rpc.Code{"json": 0, "yaml": rpc.CodeCliInvalidSerializationType, "text": rpc.CodeCliDeserializationFailed} {
		call := invoke(b, client, func(c *rpc.Call) {
			c.Request, c.Context.Serialization = rpc.BytesPayload(name, []byte("hi")), name
		})
		if got := call.Status(); got.Code() != want || want != 0 && !strings.Contains(got.Message(), name) {
			t.Errorf("%s: ended with %v, want %d", name, got, want)
		}
	}
}

func TestInvoke_SamePackage_HandsOverTheMessage(t *testing.T) {
	released := 0
	types := words{encodeError: errors.New("must not be encoded"), released: &released}
	b := newBackend(t)
	_ = b.Start(t.Context())
	served := method(t, "p", "S", types, types)
	var got any
	var server *rpc.Call
	_ = b.RegisterService(served, backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
		got, _, _ = call.Request.Native()
		server = call
	}))
	client := method(t, "p", "C", types, types)
	var sent any
	call := invoke(b, client, func(c *rpc.Call) { sent, _, _ = c.Request.Native(); c.Context.Serialization = "unheard of" })
	if got != sent {
		t.Fatal("the handler got another message")
	}
	if _, timed := b.(backend.Timed).TimeoutStatus(call); timed {
		t.Fatal("a call inside one package has a timer")
	}
	if call.Cancel() || call.Finished() || !server.Unasked() || server.Finished() {
		t.Fatal("a cancel ended a call whose handler works on the caller's memory")
	}
	if !server.Finish(rpc.StatusOfCode(4242), server.Request) || call.Status().Code() != 4242 {
		t.Fatalf("ended with %v", call.Status())
	}
}

func TestInvoke_Address_PicksTheService(t *testing.T) {
	b := newBackend(t)
	_ = b.Start(t.Context())
	for _, o := range []rpc.Owner{{Package: "p1", Module: "A"}, {Package: "p2", Module: "B"}, {Package: "p2", Module: "A"}} {
		_ = b.RegisterService(method(t, o.Package, o.Module, nil, nil), backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
			call.Finish(rpc.OK, rpc.BytesPayload("pb", []byte(o.Package+"/"+o.Module+" from "+call.From.Module)))
		}))
	}
	client := method(t, "p0", "C", nil, nil)
	tests := []struct {
		target, want string
		code         rpc.Code
	}{
		{"", "p1/A from C", 0},
		{"local://rpc", "p1/A from C", 0},
		{"local://rpc?module_name=B", "p2/B from C", 0},
		{"local://x/y?pkg_path=p2&module_name=A", "p2/A from C", 0},
		{"local://?pkg_path=p2", "p2/B from C", 0},
		{"local://?pkg_path=p1&module_name=B", "", rpc.CodeCliInvalidAddr},
		{"local://?pkg_path=p9", "", rpc.CodeCliInvalidAddr},
		{"http://x", "", rpc.CodeCliBackendInternalError},
		{"local://a b", "", rpc.CodeCliInvalidAddr},
	}
	for _, tt := range tests {
		call := invoke(b, client, func(c *rpc.Call) {
			c.Context.Target, c.Context.Serialization, c.Request = tt.target, "pb", rpc.Payload{}
		})
		data, _ := call.Response().Bytes("")
		if call.Status().Code() != tt.code || string(data) != tt.want {
			t.Errorf("%q ended with %v and %q", tt.target, call.Status(), data)
		}
	}
}

// timers is a minimal executor.
type timers struct {
	name string
	has  bool
}

func (e timers) Name() string        { return e.name }
func (e timers) HasTimers() bool     { return e.has }
func (e timers) Post(f func()) error { f(); return nil }
func (e timers) PostAfter(time.Duration, func()) (func() bool, error) {
	return nil, errors.New("not needed")
}

func TestNew_TimeoutExecutor(t *testing.T) {
	tests := []struct{ option, want string }{
		{"{timeout_executor: wheel}", ""},
		{"{timeout_executor: simple}", `timeout_executor: executor "simple" has no timers`},
		{"{timeout_executor: nobody}", `timeout_executor: unknown executor "nobody"`},
		{"{timeout_executor: [1]}", "timeout_executor: expected a string"},
	}
	for _, tt := range tests {
		env := backendtest.Environment(t, local.Name, tt.option, "")
		unknown := env.Executor
		env.Executor = func(name string) (backend.Executor, error) {
			switch name {
			case "wheel":
				return timers{name, true}, nil
			case "simple":
				return timers{name, false}, nil
			}
			return unknown(name)
		}
		b, err := local.New(env)
		if tt.want == "" {
			if err != nil || b.(backend.Timed).TimeoutExecutor().Name() != "wheel" {
				t.Errorf("%s: %v", tt.option, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "options.yaml:1:") {
			t.Errorf("%s: error %v does not contain %q", tt.option, err, tt.want)
		}
	}
}
