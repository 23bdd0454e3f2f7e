package core_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

// filteredConfig calls one function through filters of both sides.
const filteredConfig = `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [near, debug_log, far]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [guard]}]
`

// steps notes what filters see, in order.
type steps struct {
	mu   sync.Mutex
	list []string
}

func (s *steps) add(step string) {
	s.mu.Lock()
	s.list = append(s.list, step)
	s.mu.Unlock()
}

func (s *steps) filter(name string) rpc.Filter {
	return func(ctx context.Context, call *rpc.Call, next rpc.Next) {
		s.add(name + " in " + call.Context.Metadata.Get("trail"))
		call.Context.Metadata.Set("trail", call.Context.Metadata.Get("trail")+name)
		call.OnFinish(func(call *rpc.Call) { s.add(name + " out " + call.Status().Code().String()) })
		next(ctx, call)
	}
}

// guardFilter refuses calls that say so.
func (s *steps) guardFilter(ctx context.Context, call *rpc.Call, next rpc.Next) {
	if call.Context.Metadata.Get("refuse") != "" {
		call.Finish(rpc.NewStatus(rpc.CodePermissionDenied, "guard says no"), rpc.Payload{})
		return
	}
	s.filter("guard")(ctx, call, next)
}

func named(side filter.Side, name string, f rpc.Filter) core.NamedFilter {
	return core.NamedFilter{Side: side, Name: name, Filter: f}
}

func TestRegisterFilter_NamedInRules_RunsInConfiguredOrder(t *testing.T) {
	f := newFixture(t, filteredConfig, nil)
	var s steps
	m := f.module("m", "")
	for _, one := range []core.NamedFilter{
		named(filter.Client, "near", s.filter("near")), named(filter.Client, "far", s.filter("far")), named(filter.Server, "guard", s.guardFilter),
	} {
		check(t, m.RegisterFilter(one))
	}
	f.initialize()
	_, err := m.RegisterService(core.ServiceOptions{Name: "pb:/a.B/C", Handler: core.HandlerFunc(
		func(_ context.Context, call *rpc.Call, _ []byte) ([]byte, error) {
			return []byte(call.Context.Metadata.Get("trail")), nil
		})})
	check(t, err)
	c := f.client(m, "pb:/a.B/C")
	f.start()
	answer, err := c.Call(context.Background(), nil, nil)
	check(t, err)
	if want := "farnearguard"; string(answer) != want {
		t.Errorf("the handler sees the trail %q, want %q", answer, want)
	}
	ok := rpc.CodeOK.String()
	want := []string{"far in ", "near in far", "guard in farnear", "guard out " + ok, "near out " + ok, "far out " + ok}
	if !slices.Equal(s.list, want) {
		t.Errorf("steps are %q, want %q", s.list, want)
	}
	if f.log.containing("RPC client start new rpc call") != 1 {
		t.Error("debug_log between the two has no line")
	}

	settings := rpc.NewClientContext()
	settings.Metadata.Set("refuse", "yes")
	_, err = c.Call(context.Background(), settings, nil)
	if status := rpc.StatusOf(err); status.Code() != rpc.CodePermissionDenied || status.Message() != "guard says no" {
		t.Errorf("a refused call ends with %v", status)
	}
	if got := s.list[len(s.list)-1]; got != "far out "+rpc.CodePermissionDenied.String() {
		t.Errorf("the outermost filter saw %q last", got)
	}
}

func TestRegisterFilter_Refused(t *testing.T) {
	pass := func(ctx context.Context, call *rpc.Call, next rpc.Next) { next(ctx, call) }
	tests := []struct {
		name   string
		filter core.NamedFilter
		kind   core.Kind
		want   string
	}{
		{"no name", named(filter.Client, "", pass), core.InvalidArgument, "1 to 512 bytes"},
		{"long name", named(filter.Client, strings.Repeat("x", 513), pass), core.InvalidArgument, "513"},
		{"no function", named(filter.Client, "a", nil), core.InvalidArgument, `"a"`},
		{"no such side", named(7, "a", pass), core.InvalidArgument, "side 7"},
		{"stock name", named(filter.Server, "debug_log", pass), core.AlreadyExists, `server filter "debug_log" is a stock one`},
		{"twice", named(filter.Client, "taken", pass), core.AlreadyExists, `client filter "taken" is registered already`},
	}
	f := newFixture(t, localConfig, nil)
	m := f.module("m", "")
	check(t, m.RegisterFilter(named(filter.Client, "taken", pass)))
	check(t, m.RegisterFilter(named(filter.Server, "taken", pass)))
	for _, state := range []string{"before initialize", "after initialize"} {
		for _, tt := range tests {
			t.Run(state+": "+tt.name, func(t *testing.T) {
				err := m.RegisterFilter(tt.filter)
				if err == nil || core.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error %v (%v) does not contain %q", err, core.KindOf(err), tt.want)
				}
			})
		}
		if state == "before initialize" {
			f.initialize()
		}
	}
	f.start()
	if err := m.RegisterFilter(named(filter.Client, "late", pass)); core.KindOf(err) != core.InvalidState {
		t.Fatalf("a filter of a running runtime gives %v", err)
	}
}

func TestRegisterFilter_InInitializeOfModule_ServesLaterRegistrations(t *testing.T) {
	f := newFixture(t, strings.ReplaceAll(filteredConfig, "debug_log, far", "debug_log"), nil)
	var s steps
	_, err := f.NewModule(core.ModuleOptions{Name: "m", Initialize: func(m *core.Module) error {
		if _, err := m.RegisterClient(core.ClientOptions{Name: "pb:/a.B/C"}); core.KindOf(err) != core.Config ||
			!strings.Contains(err.Error(), "Can not find filter: near") {
			t.Errorf("a function before its filter gives %v", err)
		}
		check(t, m.RegisterFilter(named(filter.Client, "near", s.filter("near"))))
		check(t, m.RegisterFilter(named(filter.Server, "guard", s.guardFilter)))
		_, err := m.RegisterClient(core.ClientOptions{Name: "pb:/a.B/C"})
		return err
	}})
	check(t, err)
	f.initialize()
}

func TestInitialize_FilterOfRuleNeverRegistered_IsRefused(t *testing.T) {
	f := newFixture(t, filteredConfig, nil)
	var s steps
	_, err := f.NewModule(core.ModuleOptions{Name: "m", Initialize: func(m *core.Module) error {
		check(t, m.RegisterFilter(named(filter.Server, "guard", s.guardFilter)))
		return m.RegisterFilter(named(filter.Client, "near", s.filter("near")))
	}})
	check(t, err)
	err = f.Initialize(context.Background())
	if core.KindOf(err) != core.Config || !strings.Contains(err.Error(), "Can not find filter: far") || detail(err, "line") != "5" {
		t.Fatalf("error is %v with details %v", err, core.Details(err))
	}
	if f.State() != core.Shutdown {
		t.Errorf("state is %v", f.State())
	}
}
