package core_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

const filterConfig = `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [seen]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [seen]}]
`

// links is a started runtime with a listener and a connection to it.
func newLinks(t *testing.T, text string, change func(*core.Options), o core.ConnectionOptions) (*fixture, *core.Module, *core.Router, *core.Listener, *core.Connection) {
	t.Helper()
	f := newFixture(t, text, change)
	m := f.module("M", "p")
	f.initialize()
	router := m.NewRouter()
	o.Address, o.Router = "tcp://127.0.0.1:0", router
	l, err := m.Listen(core.ListenOptions{ConnectionOptions: o})
	check(t, err)
	f.start()
	o.Address, o.Router = l.Address(), nil
	c, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: o})
	check(t, err)
	return f, m, router, l, c
}

func method(t *testing.T, c *core.Connection, path string) *core.Client {
	t.Helper()
	m, err := c.Method(core.ClientOptions{Name: path})
	check(t, err)
	return m
}

func sayArguments(_ context.Context, _ *rpc.Call, request []byte) ([]byte, error) {
	return request, nil
}

func TestConnection_MethodOfAPath_CallsTheRouterOfThePeer(t *testing.T) {
	_, m, router, l, c := newLinks(t, localConfig, nil, core.ConnectionOptions{})
	_, err := router.Add(core.ServiceOptions{Name: "math/add", Handler: core.HandlerFunc(sayArguments)})
	check(t, err)
	if _, err := router.Add(core.ServiceOptions{Name: "math/add", Handler: core.HandlerFunc(sayArguments)}); core.KindOf(err) != core.AlreadyExists {
		t.Fatalf("a second service at one path: %v", err)
	}
	sub := m.NewRouter()
	_, err = sub.Add(core.ServiceOptions{Name: "deep", Handler: core.HandlerFunc(sayArguments)})
	check(t, err)
	check(t, router.Attach("sub", sub))
	for _, path := range []string{"math/add", "sub/deep"} {
		got, err := method(t, c, path).Call(context.Background(), nil, []byte("[[1], {}]"))
		if err != nil || string(got) != "[[1], {}]" {
			t.Fatalf("%s: %s, %v", path, got, err)
		}
	}
	if first, second := method(t, c, "math/add"), method(t, c, "math/add"); first != second {
		t.Fatal("one path has two methods")
	}
	check(t, router.Remove("math"))
	if err := router.Remove("matth"); core.KindOf(err) != core.NotFound {
		t.Fatalf("removing nothing: %v", err)
	}
	_, err = method(t, c, "math/add").Call(context.Background(), nil, nil)
	if s := rpc.StatusOf(err); s.Code() != rpc.CodeSvrNotFound || s.Message() != `Name "math" not found in ""` {
		t.Fatalf("a removed service: %v", err)
	}
	if p := c.Peer(); p.String() != l.Address() {
		t.Fatalf("peer %v", p)
	}
}

func TestRouter_ServiceOfOneSerialization_GetsIt(t *testing.T) {
	for _, codec := range []string{"json", "msgpack", "msgpack_blosc"} {
		_, _, router, _, c := newLinks(t, localConfig, nil, core.ConnectionOptions{Codec: codec})
		for _, serialization := range []string{"json", "msgpack", "pb"} {
			_, err := router.Add(core.ServiceOptions{Name: serialization, Request: rpc.Raw{serialization}, Handler: core.HandlerFunc(
				func(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
					if call.Context.Serialization != serialization {
						t.Errorf("%s gets %s", serialization, call.Context.Serialization)
					}
					return request, nil
				})})
			check(t, err)
			m, err := c.Method(core.ClientOptions{Name: serialization, Request: rpc.Raw{"json"}})
			check(t, err)
			got, err := m.Call(context.Background(), nil, []byte(`[["x"], {}]`))
			if serialization == "pb" {
				if rpc.StatusOf(err).Code() != rpc.CodeSvrInvalidSerializationType {
					t.Errorf("%v", err)
				}
			} else if err != nil || string(got) != `[["x"], {}]` {
				t.Errorf("%s over %s: %q, %v", serialization, codec, got, err)
			}
		}
	}
}

func TestConnection_HandlerCallsBack_OverItsConnection(t *testing.T) {
	f, m, router, l, _ := newLinks(t, localConfig, nil, core.ConnectionOptions{})
	_, err := router.Add(core.ServiceOptions{Name: "ask", Handler: core.HandlerFunc(func(ctx context.Context, call *rpc.Call, _ []byte) ([]byte, error) {
		back, ok := f.ConnectionOf(call)
		if !ok {
			t.Error("the connection of the call is not known")
			return nil, nil
		}
		return method(t, back, "name").Call(ctx, nil, nil)
	})})
	check(t, err)
	own := m.NewRouter()
	_, err = own.Add(core.ServiceOptions{Name: "name", Handler: core.HandlerFunc(func(context.Context, *rpc.Call, []byte) ([]byte, error) { return []byte(`"Monty"`), nil })})
	check(t, err)
	c, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: core.ConnectionOptions{Address: l.Address(), Router: own}})
	check(t, err)
	if got, err := method(t, c, "ask").Call(context.Background(), nil, nil); err != nil || string(got) != `"Monty"` {
		t.Fatalf("%s, %v", got, err)
	}
	value, err := c.Reference("name")
	check(t, err)
	if path, ok := c.ReferencePath(value); !ok || path != "name" {
		t.Fatalf("%s is a reference to %q, %v", value, path, ok)
	}
	if _, err := c.Reference("nam"); core.KindOf(err) != core.NotFound {
		t.Fatalf("a reference to nothing: %v", err)
	}
}

func TestConnection_TimeoutAndFilters_AreThoseOfAnyCall(t *testing.T) {
	seen := make(chan string, 8)
	waiting := make(chan *rpc.Call, 1)
	_, _, router, _, c := newLinks(t, filterConfig, func(o *core.Options) { o.Filters = seenFilters(seen) }, core.ConnectionOptions{})
	_, err := router.Add(core.ServiceOptions{Name: "wait", Handler: rpc.Next(func(_ context.Context, call *rpc.Call) { waiting <- call })})
	check(t, err)
	settings := rpc.NewClientContext()
	settings.Timeout = 20 * time.Millisecond
	_, err = method(t, c, "wait").Call(context.Background(), settings, nil)
	if s := rpc.StatusOf(err); s.Code() != rpc.CodeTimeout {
		t.Fatalf("ended with %v", err)
	}
	(<-waiting).Finish(rpc.OK, rpc.Payload{})
	if got := <-seen + " " + <-seen; got != "Client wait Server wait" {
		t.Fatalf("filters saw %s", got)
	}
	settings = rpc.NewClientContext()
	settings.Target = "aiomas://elsewhere:1"
	_, err = method(t, c, "wait").Call(context.Background(), settings, nil)
	if s := rpc.StatusOf(err); s.Code() != rpc.CodeCliInvalidAddr {
		t.Fatalf("an address of its own: %v", err)
	}
}

// seenFilters tells which calls pass by.
func seenFilters(seen chan string) []core.NamedFilter {
	f := func(ctx context.Context, call *rpc.Call, next rpc.Next) {
		seen <- call.Context.Kind.String() + " " + call.Method.Name()
		next(ctx, call)
	}
	return []core.NamedFilter{{Side: filter.Client, Name: "seen", Filter: f}, {Side: filter.Server, Name: "seen", Filter: f}}
}

func TestConnection_Shutdown_EndsConnectionsAndListeners(t *testing.T) {
	f, m, router, l, c := newLinks(t, localConfig, func(o *core.Options) { o.Grace = time.Millisecond }, core.ConnectionOptions{Codec: "msgpack"})
	arrived := make(chan *rpc.Call, 1)
	_, err := router.Add(core.ServiceOptions{Name: "wait", Handler: rpc.Next(func(_ context.Context, call *rpc.Call) { arrived <- call })})
	check(t, err)
	closed := make(chan error, 1)
	c.OnClose(func(reason error) { closed <- reason })
	call := method(t, c, "wait").Start(context.Background(), nil, rpc.Payload{})
	<-arrived
	f.stop()
	<-call.Done()
	if call.Status().OK() {
		t.Fatal("the open call succeeded")
	}
	<-closed
	if len(l.Connections()) != 0 {
		t.Fatal("connections are left")
	}
	if _, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: core.ConnectionOptions{Address: l.Address()}}); core.KindOf(err) != core.InvalidState {
		t.Fatalf("dial after the shutdown: %v", err)
	}
}

func TestConnection_DialForEver_EndsWithTheRuntime(t *testing.T) {
	f, m, _, _, _ := newLinks(t, localConfig, nil, core.ConnectionOptions{})
	ended := make(chan error, 1)
	guard.Go("test dial", func() {
		_, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: core.ConnectionOptions{Address: "local://never"}, Timeout: -1})
		ended <- err
	})
	f.RequestShutdown()
	if err := <-ended; core.KindOf(err) != core.IO {
		t.Fatalf("ended with %v", err)
	}
}

func TestConnection_Options_AreChecked(t *testing.T) {
	_, m, _, l, _ := newLinks(t, localConfig, nil, core.ConnectionOptions{})
	for _, tc := range []struct {
		options core.ConnectionOptions
		kind    core.Kind
		text    string
	}{
		{core.ConnectionOptions{Address: "tcp://"}, core.InvalidArgument, "no host and port"},
		{core.ConnectionOptions{Address: "tpc://a:1"}, core.InvalidArgument, "expected tcp, unix, local"},
		{core.ConnectionOptions{Address: "local://nobody"}, core.IO, "nobody listens"},
		{core.ConnectionOptions{Address: l.Address(), Codec: "jsn"}, core.NotFound, "json"},
		{core.ConnectionOptions{Address: l.Address(), Dialect: "aioma"}, core.NotFound, "aiomas"},
		{core.ConnectionOptions{Address: l.Address(), AllowedPeers: []string{"x"}}, core.InvalidArgument, "needs TLS"},
		{core.ConnectionOptions{Address: l.Address(), TLS: &core.TLSFiles{CA: "none.pem"}}, core.InvalidArgument, "none.pem"},
	} {
		_, err := m.Dial(context.Background(), core.DialOptions{ConnectionOptions: tc.options})
		if core.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%+v: kind %d, %v", tc.options, core.KindOf(err), err)
		}
	}
	if _, err := m.Listen(core.ListenOptions{ConnectionOptions: core.ConnectionOptions{Address: l.Address()}}); core.KindOf(err) != core.IO {
		t.Errorf("listen at an address in use: %v", err)
	}
}
