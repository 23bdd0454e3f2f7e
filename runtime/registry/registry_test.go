package registry_test

import (
	"errors"
	"slices"
	"testing"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

type entry struct{ method *rpc.Method }

func (e *entry) Method() *rpc.Method { return e.method }

func newEntry(t *testing.T, name, module string) *entry {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Owner: rpc.Owner{Package: "core", Module: module}})
	if err != nil {
		t.Fatal(err)
	}
	return &entry{m}
}

func TestTable_OneNamePerModule(t *testing.T) {
	var table registry.Table[*entry]
	a, b, c := newEntry(t, "f", "A"), newEntry(t, "f", "B"), newEntry(t, "g", "A")
	for _, e := range []*entry{a, b, c} {
		if err := table.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Add(newEntry(t, "f", "A")); !errors.Is(err, registry.ErrDuplicate) {
		t.Fatalf("second registration gives %v", err)
	}
	if got := table.Named("f"); !slices.Equal(got, []*entry{a, b}) {
		t.Fatalf("f is %v", got)
	}
	if !slices.Equal(table.Names(), []string{"f", "g"}) || len(table.All()) != 3 {
		t.Fatalf("names %v", table.Names())
	}
	if e, ok := table.Find("f", rpc.Owner{Package: "core", Module: "B"}); !ok || e != b {
		t.Fatal("f of B is not found")
	}
	table.Remove(b)
	table.Remove(c)
	if _, ok := table.Find("f", b.method.Owner()); ok || !slices.Equal(table.Names(), []string{"f"}) || len(table.Named("g")) != 0 {
		t.Fatal("removed entries are still there")
	}
	if err := table.Add(b); err != nil {
		t.Fatalf("a removed entry cannot come back: %v", err)
	}
}

func TestMatch_FirstFullMatchWins(t *testing.T) {
	c, err := config.Load(config.Source{Text: `
aimrt:
  rpc:
    backends: [{type: a}, {type: b}]
    clients_options:
      - {func_name: "/aimrt.*", enable_backends: []}
      - {func_name: "pb:/aimrt.*GetFooD", enable_backends: []}
      - {func_name: ".*GetFoo.ata", enable_backends: [b, a, b], enable_filters: [x, y]}
      - {func_name: "(.*)", enable_backends: [a]}
`})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		rule     int
		backends []string
	}{
		{"pb:/aimrt.protocols.example.ExampleService/GetFooData", 2, []string{"b", "a"}},
		{"pb:/aimrt.protocols.example.ExampleService/GetBarData", 3, []string{"a"}},
	}
	for _, tt := range tests {
		got := registry.Match(c.RPC.ClientRules, tt.name)
		if got.Rule != tt.rule || !slices.Equal(got.Backends, tt.backends) {
			t.Errorf("%s gives %+v", tt.name, got)
		}
	}
	if got := registry.Match(c.RPC.ServerRules, "x"); got.Rule != -1 || len(got.Backends) != 0 {
		t.Errorf("no rules give %+v", got)
	}
}

func TestCounters_OnePerName(t *testing.T) {
	var c registry.Counters
	if c.Of("f").Add(1) != 1 || c.Of("f").Add(1) != 2 || c.Of("g").Add(1) != 1 {
		t.Fatal("counters are not per name")
	}
}
