package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/echo"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

func TestCall_BeforeStart_IsNotReady(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	c := f.client(f.module("Client", ""), do)
	_, err := c.Call(context.Background(), nil, nil)
	if code(err) != rpc.CodeCliNotReady || !strings.Contains(err.Error(), "has not been started") {
		t.Fatalf("call before start gives %v", err)
	}
	if p := c.Plan(); p.Kind != core.Refuse || p.Code != rpc.CodeCliNotReady {
		t.Fatalf("plan is %+v", p)
	}
}

func TestRegister_Duplicates_OnePerModule(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	a, b := f.module("A", ""), f.module("B", "")
	f.serve(a, do, upper)
	f.serve(b, do, upper)
	f.client(a, do)
	f.client(b, do)
	if _, err := a.RegisterService(core.ServiceOptions{Name: do, Handler: upper}); core.KindOf(err) != core.AlreadyExists || !strings.Contains(err.Error(), "module \"A\"") {
		t.Errorf("second service gives %v", err)
	}
	if _, err := a.RegisterClient(core.ClientOptions{Name: do}); core.KindOf(err) != core.AlreadyExists {
		t.Errorf("second client gives %v", err)
	}
	if _, err := a.RegisterService(core.ServiceOptions{Name: "x"}); core.KindOf(err) != core.InvalidArgument {
		t.Errorf("service without handler gives %v", err)
	}
	if _, err := a.RegisterClient(core.ClientOptions{Name: "s", Shape: rpc.BidiStream}); core.KindOf(err) != core.Unsupported {
		t.Errorf("a stream gives %v", err)
	}
	if _, err := a.RegisterClient(core.ClientOptions{}); core.KindOf(err) != core.InvalidArgument {
		t.Errorf("client without name gives %v", err)
	}
}

func TestClient_UnregisteredFunction_NamesTheNearest(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	a, b := f.module("A", ""), f.module("B", "")
	f.client(a, do)
	if _, err := b.Client(do); core.KindOf(err) != core.NotFound {
		t.Errorf("another module's registration is found: %v", err)
	}
	_, err := a.Client("pb:/test.Service/Od")
	if core.KindOf(err) != core.NotFound || detail(err, "nearest") != do {
		t.Errorf("error is %v with %v", err, core.Details(err))
	}
	if c, err := a.Client(do); err != nil || c.Method().Name() != do {
		t.Errorf("%v", err)
	}
}

func TestCall_AcrossPackages_ServerSeesTheCall(t *testing.T) {
	var seen []string
	f, c := pair(t, localConfig, handlerFunc(func(_ context.Context, call *rpc.Call) {
		aimrt.RangeMetadata(call, func(k, v string) bool { seen = append(seen, k+"="+v); return true })
		seen = append(seen, call.Context.Timeout.String(), call.Context.Kind.String())
		call.Context.Metadata.Set("written", "by the server")
		call.Finish(rpc.NewStatus(4242, "own"), rpc.BytesPayload("pb", []byte("filled")))
	}))
	settings := rpc.NewClientContext()
	settings.Metadata.Set("k", "v")
	settings.Metadata.Set(aimrt.KeyFromPackage, "forged")
	call := c.Start(context.Background(), settings, rpc.BytesPayload("pb", []byte("x")))
	want := []string{"aimrt-function_name=" + do, "aimrt-backend=local", "aimrt-request_id=1", "aimrt-response_id=1",
		"aimrt-serialization_type=pb", "aimrt-from_pkg=client_pkg", "aimrt-from_module=Client", "k=v", "5s", "Server"}
	if !slices.Equal(seen, want) {
		t.Errorf("the server saw %v", seen)
	}
	data, err := call.Response().Bytes("pb")
	if call.Status().Code() != 4242 || err != nil || string(data) != "filled" {
		t.Errorf("ended with %v and %q", call.Status(), data)
	}
	if settings.Timeout != aimrt.DefaultTimeout || settings.Metadata.Len() != 2 || settings.Serialization != "pb" {
		t.Errorf("client context is %+v", settings)
	}
	if v, _ := aimrt.MetadataOf(call, aimrt.KeyBackend); v != "local" {
		t.Errorf("client sees backend %q", v)
	}
	again := c.Start(context.Background(), settings, rpc.Payload{})
	if again.Status().Code() != rpc.CodeCliInvalidContext {
		t.Errorf("a used context gives %v", again.Status())
	}
	settings.Reset()
	if next := c.Start(context.Background(), settings, rpc.Payload{}); next.ID != 2 {
		t.Errorf("second request id is %d", next.ID)
	}
	server := &rpc.CallContext{Kind: rpc.ServerContext}
	if s := c.Start(context.Background(), server, rpc.Payload{}).Status(); s.Code() != rpc.CodeCliInvalidContext {
		t.Errorf("a server context gives %v", s)
	}
	_ = f
}

func TestCall_Timeout_EndsAtOnceAndTheHandlerLoses(t *testing.T) {
	for _, where := range []string{"", "{timeout_executor: wheel}"} {
		text := strings.Replace(localConfig, "[{type: local}]", "[{type: local, options: "+where+"}]", 1) +
			"  executor: {executors: [{name: wheel, type: time_wheel, options: {dt_us: 1000}}]}\n"
		arrived := make(chan *rpc.Call, 1)
		_, c := pair(t, text, handlerFunc(func(_ context.Context, call *rpc.Call) { arrived <- call }))
		settings := rpc.NewClientContext()
		settings.Timeout = time.Millisecond
		call := c.Start(context.Background(), settings, rpc.BytesPayload("pb", []byte("x")))
		<-call.Done()
		server := <-arrived
		<-server.Done()
		if call.Status().Code() != rpc.CodeTimeout || !server.Unasked() || server.Finish(rpc.OK, rpc.Payload{}) {
			t.Fatalf("options %q: ended with %v", where, call.Status())
		}
	}
}

func TestCall_SamePackage_TimeoutDoesNotApplyAndCancelOnlyTells(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	arrived := make(chan *rpc.Call, 1)
	f.serve(f.module("Server", "p"), do, handlerFunc(func(_ context.Context, call *rpc.Call) { arrived <- call }))
	c := f.client(f.module("Client", "p"), do)
	f.start()
	settings := rpc.NewClientContext()
	settings.Timeout = time.Nanosecond
	ctx, cancel := context.WithCancel(context.Background())
	call := c.Start(ctx, settings, rpc.BytesPayload("pb", []byte("x")))
	server := <-arrived
	told := make(chan struct{})
	server.OnEnd(func(*rpc.Call) { close(told) })
	cancel()
	<-told
	if call.Finished() {
		t.Fatalf("a direct call ended before its handler: %v", call.Status())
	}
	server.Finish(rpc.OK, server.Request)
	if s := rpc.Wait(context.Background(), call); !s.OK() {
		t.Fatalf("ended with %v", s)
	}
}

func TestCall_ContextEnds_EndsTheCall(t *testing.T) {
	_, c := pair(t, localConfig, handlerFunc(func(context.Context, *rpc.Call) {}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := c.Call(ctx, nil, []byte("x")); !errors.Is(err, context.DeadlineExceeded) || code(err) != rpc.CodeTimeout {
		t.Fatalf("ended with %v", err)
	}
}

func TestCall_HandlerPanicsOrFails(t *testing.T) {
	tests := []struct {
		name    string
		handler rpc.Handler
		want    rpc.Code
		message string
	}{
		{"panic", core.HandlerFunc(func(context.Context, *rpc.Call, []byte) ([]byte, error) { panic("boom") }), rpc.CodeSvrHandleFailed, "handler panicked: boom"},
		{"status", core.HandlerFunc(func(context.Context, *rpc.Call, []byte) ([]byte, error) { return nil, rpc.NewStatus(4711, "no").Err() }), 4711, "no"},
		{"error", core.HandlerFunc(func(context.Context, *rpc.Call, []byte) ([]byte, error) { return nil, errors.New("plain") }), rpc.CodeUnknown, "plain"},
	}
	for _, tt := range tests {
		f, c := pair(t, localConfig, tt.handler)
		_, err := c.Call(context.Background(), nil, []byte("x"))
		if s := rpc.StatusOf(err); s.Code() != tt.want || s.Message() != tt.message || s.Trace() != "" {
			t.Errorf("%s: ended with %v", tt.name, s)
		}
		if tt.name == "panic" && f.log.containing("rpc handler panicked") != 1 {
			t.Error("the panic was not logged")
		}
	}
	f := newFixture(t, localConfig, func(o *core.Options) { o.RemoteTraces = true })
	f.initialize()
	f.serve(f.module("Server", "a"), do, tests[0].handler)
	c := f.client(f.module("Client", "b"), do)
	f.start()
	_, err := c.Call(context.Background(), nil, nil)
	if trace := rpc.StatusOf(err).Trace(); !strings.Contains(trace, "call_test.go") {
		t.Errorf("trace is %q", trace)
	}
}

func TestCall_Addresses(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	for _, name := range []string{"A", "B"} {
		f.serve(f.module(name, "pkg"+name), do, core.HandlerFunc(func(context.Context, *rpc.Call, []byte) ([]byte, error) { return []byte(name), nil }))
	}
	c := f.client(f.module("Client", "p"), do)
	f.start()
	tests := []struct {
		target, want string
		code         rpc.Code
	}{
		{"", "A", 0},
		{"local://rpc?pkg_path=pkgB&module_name=B", "B", 0},
		{"local://rpc?module_name=Z", "", rpc.CodeCliInvalidAddr},
		{"http://127.0.0.1:1", "", rpc.CodeCliInvalidAddr},
		{"nonsense", "", rpc.CodeCliInvalidAddr},
		{"LOCAL://x", "", rpc.CodeCliInvalidAddr},
	}
	for _, tt := range tests {
		settings := rpc.NewClientContext()
		settings.Target = tt.target
		got, err := c.Call(context.Background(), settings, nil)
		if code(err) != tt.code || string(got) != tt.want {
			t.Errorf("%q gives %q, %v", tt.target, got, err)
		}
	}
	if f.log.containing("Error core: Rpc call address 'nonsense' is invalid, func name '"+do+"'.") != 1 {
		t.Errorf("log is %v", f.log.all)
	}
}

func TestCall_NoRule_Is2009AndWarnsAtRegistration(t *testing.T) {
	text := `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options:
      - {func_name: "nothing", enable_backends: []}
      - {func_name: "/test.*", enable_backends: [local]}
`
	f := newFixture(t, text, nil)
	f.initialize()
	m := f.module("Client", "")
	c, d := f.client(m, do), f.client(m, "nothing")
	if f.log.containing("2009") != 2 || f.log.containing("/test.*") < 1 || f.log.containing(do) < 1 {
		t.Errorf("log is %v", f.log.all)
	}
	f.start()
	for _, client := range []*core.Client{c, d} {
		if _, err := client.Call(context.Background(), nil, nil); code(err) != rpc.CodeCliNoBackendToHandle {
			t.Errorf("ended with %v", err)
		}
	}
	if p := c.Plan(); p.Kind != core.Refuse || p.Code != rpc.CodeCliNoBackendToHandle || !strings.Contains(p.Text, do) {
		t.Errorf("plan is %+v", p)
	}
}

func TestCall_SeveralBackends_FallThrough(t *testing.T) {
	text := `
aimrt:
  rpc:
    backends: [{type: local}, {type: echo}]
    clients_options:
      - {func_name: "both", enable_backends: [local, echo]}
      - {func_name: "(.*)", enable_backends: [local, local]}
    servers_options: []
`
	f := newFixture(t, text, nil)
	f.initialize()
	m := f.module("Client", "")
	both, one := f.client(m, "both"), f.client(m, "one")
	f.start()
	call := both.Start(context.Background(), nil, rpc.BytesPayload("pb", []byte("x")))
	if !call.Status().OK() || call.Backend != "echo" {
		t.Errorf("ended with %v over %q", call.Status(), call.Backend)
	}
	if p := both.Plan(); p.Kind != core.Engine || p.Backend != "local" {
		t.Errorf("plan is %+v", p)
	}
	if _, err := one.Call(context.Background(), nil, nil); code(err) != rpc.CodeSvrNotFound || one.Plan().Code != rpc.CodeSvrNotFound {
		t.Errorf("ended with %v, plan %+v", err, one.Plan())
	}
	settings := rpc.NewClientContext()
	settings.Target = "local://rpc"
	if s := both.Start(context.Background(), settings, rpc.Payload{}).Status(); s.Code() != rpc.CodeSvrNotFound {
		t.Errorf("with an address it ended with %v", s)
	}
}

// picky is a backend that takes no call.
type picky struct{ backend.Backend }

func (picky) Accept(*rpc.Call) rpc.Status { return rpc.NewStatus(rpc.CodeCliInvalidAddr, "no address") }

func TestCall_AllBackendsRefuse_ReasonsAreKept(t *testing.T) {
	f := newFixture(t, "aimrt: {rpc: {backends: [{type: local}, {type: picky}], clients_options: [{func_name: '(.*)', enable_backends: [local, picky]}]}}", func(o *core.Options) {
		o.Backends = map[string]backend.Constructor{"picky": func(env backend.Environment) (backend.Backend, error) {
			b, err := echo.New(env)
			return picky{b}, err
		}}
	})
	f.initialize()
	c := f.client(f.module("Client", ""), do)
	f.start()
	_, err := c.Call(context.Background(), nil, nil)
	if code(err) != rpc.CodeCliNoBackendToHandle || !strings.Contains(err.Error(), "local: no module") || !strings.Contains(err.Error(), "picky: no address") {
		t.Errorf("ended with %v", err)
	}
}

func TestCall_Filters_OrderAndDebugLog(t *testing.T) {
	var mu sync.Mutex
	var order []string
	note := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
	mark := func(side filter.Side, name string) core.NamedFilter {
		return core.NamedFilter{Side: side, Name: name, Filter: func(ctx context.Context, call *rpc.Call, next rpc.Next) {
			note(side.String() + " " + name + fmt.Sprint(" ", call.Context.Timeout))
			call.OnFinish(func(*rpc.Call) { note(side.String() + " " + name + " out") })
			next(ctx, call)
		}}
	}
	text := `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [debug_log, a, b]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [a]}]
`
	f := newFixture(t, text, func(o *core.Options) {
		o.Filters = []core.NamedFilter{mark(filter.Client, "a"), mark(filter.Client, "b"), mark(filter.Server, "a")}
	})
	f.initialize()
	f.serve(f.module("Server", "s"), do, upper)
	c := f.client(f.module("Client", "c"), do)
	f.start()
	if _, err := c.Call(context.Background(), nil, []byte("x")); err != nil {
		t.Fatal(err)
	}
	want := []string{"client b 0s", "client a 0s", "server a 5s", "server a out", "client a out", "client b out"}
	if !slices.Equal(order, want) {
		t.Errorf("order is %v", order)
	}
	if f.log.containing("RPC client start new rpc call. func name: "+do+", context: Client context, timeout: 0ms, meta: {") != 1 ||
		f.log.containing("RPC client get rpc ret. func name: "+do+", status: suc, code 0, msg: OK") != 1 {
		t.Errorf("log is %v", f.log.all)
	}
	if c.Plan().Kind != core.Engine {
		t.Errorf("plan is %+v", c.Plan())
	}
}

func TestCall_FilterPanics_CallEnds(t *testing.T) {
	f := newFixture(t, strings.Replace(localConfig, "enable_backends: [local]}]\n    servers", "enable_backends: [local], enable_filters: [bad]}]\n    servers", 1), func(o *core.Options) {
		o.Filters = []core.NamedFilter{{Side: filter.Client, Name: "bad", Filter: func(context.Context, *rpc.Call, rpc.Next) { panic("filter") }}}
	})
	f.initialize()
	c := f.client(f.module("Client", ""), do)
	f.start()
	if _, err := c.Call(context.Background(), nil, nil); code(err) != rpc.CodeCliUnknown || !strings.Contains(err.Error(), "panic: filter") {
		t.Fatalf("ended with %v", err)
	}
}

func TestCall_ManyAtOnce_AllEndAndAreCounted(t *testing.T) {
	f, c := pair(t, localConfig, handlerFunc(func(ctx context.Context, call *rpc.Call) {
		guard.Go("test handler", func() { upper.Handle(ctx, call) })
	}))
	var group sync.WaitGroup
	for i := range 200 {
		group.Add(1)
		guard.Go("test client", func() {
			defer group.Done()
			want := fmt.Sprintf("M%d", i)
			if got, err := c.Call(context.Background(), nil, []byte(strings.ToLower(want))); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", want, got, err)
			}
		})
	}
	group.Wait()
	text, err := f.Statistics()
	if err != nil || !strings.Contains(string(text), `"side":"client","module":"Client","codes":{"0":200}`) {
		t.Fatalf("statistics %s, %v", text, err)
	}
	if c.Counter().Load() != 200 {
		t.Fatalf("the counter stands at %d", c.Counter().Load())
	}
}

func TestMergeContext_CopiesPassedKeys(t *testing.T) {
	f := newFixture(t, localConfig, func(o *core.Options) { o.PassedKeys = []string{"trace"} })
	f.initialize()
	m := f.module("M", "")
	server, client := &rpc.CallContext{Kind: rpc.ServerContext}, rpc.NewClientContext()
	server.Metadata.Set("trace", "1")
	server.Metadata.Set("other", "2")
	check(t, m.MergeContext(server, client))
	if client.Metadata.Get("trace") != "1" || client.Metadata.Len() != 1 {
		t.Fatalf("client has %+v", client.Metadata)
	}
	if err := m.MergeContext(client, server); core.KindOf(err) != core.InvalidArgument {
		t.Fatalf("swapped contexts give %v", err)
	}
}

// maxCallAllocations is the call, the server's call, the link between them and the hand-over of the answer.
const maxCallAllocations = 4

func TestCall_SamePackage_Allocations(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	f.serve(f.module("Server", "p"), do, handlerFunc(func(_ context.Context, call *rpc.Call) { call.Finish(rpc.OK, call.Request) }))
	c := f.client(f.module("Client", "p"), do)
	f.start()
	settings, request, ctx := rpc.NewClientContext(), rpc.BytesPayload("pb", []byte("x")), context.Background()
	got := testing.AllocsPerRun(500, func() {
		settings.Reset()
		if !c.Start(ctx, settings, request).Status().OK() {
			t.Fatal("the call failed")
		}
	})
	if got > maxCallAllocations {
		t.Fatalf("%v allocations per call, at most %d", got, maxCallAllocations)
	}
	t.Logf("%v allocations per call", got)
}
