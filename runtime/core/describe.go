package core

import (
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

// methodEntry is one element of ListMethods.
type methodEntry struct {
	Name     string   `json:"name"`
	Side     string   `json:"side"` // "server" or "client"
	Module   string   `json:"module"`
	Package  string   `json:"package"`
	Backends []string `json:"backends"`
	Filters  []string `json:"filters"`
}

func newMethodEntry(m *rpc.Method, side string, route registry.Route) methodEntry {
	return methodEntry{Name: m.Name(), Side: side, Module: m.Owner().Module, Package: m.Owner().Package,
		Backends: notNil(route.Backends), Filters: notNil(route.Filters)}
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// ListMethods gives the methods served and called, as a JSON array.
func (r *Runtime) ListMethods() ([]byte, error) {
	if r.State() == PreInit {
		return nil, failf(InvalidState, "methods exist from Initialize on")
	}
	out := []methodEntry{}
	for _, s := range r.services.All() {
		out = append(out, newMethodEntry(s.method, "server", s.route.Load().Route))
	}
	for _, c := range r.clients.All() {
		out = append(out, newMethodEntry(c.method, "client", c.route.Load().Route))
	}
	return json.Marshal(out)
}

type sideEntry struct {
	Module         string    `json:"module"`
	Package        string    `json:"package"`
	RequestType    string    `json:"request_type"`
	ResponseType   string    `json:"response_type"`
	Serializations []string  `json:"serializations"`
	Rule           *string   `json:"rule"` // pattern of the rule that matched, null for none
	RuleLine       int       `json:"rule_line,omitempty"`
	Backends       []string  `json:"backends"`
	Filters        []string  `json:"filters"`
	HasDescriptor  bool      `json:"has_descriptor"`
	Plan           *planText `json:"plan,omitempty"`
}

type planText struct {
	Kind    string `json:"kind"`
	Code    uint32 `json:"code,omitempty"`
	Text    string `json:"text,omitempty"`
	Backend string `json:"backend,omitempty"`
	Module  string `json:"module,omitempty"` // who serves, of direct and local
}

func newSideEntry(m *rpc.Method, route registry.Route, rules []config.RPCRule) sideEntry {
	e := sideEntry{Module: m.Owner().Module, Package: m.Owner().Package, RequestType: m.RequestType().Name(),
		ResponseType: m.ResponseType().Name(), Serializations: notNil(m.RequestType().Serializations()),
		Backends: notNil(route.Backends), Filters: notNil(route.Filters), HasDescriptor: len(m.Descriptor()) > 0}
	if route.Rule >= 0 {
		e.Rule = &route.Pattern
		if route.Rule < len(rules) {
			e.RuleLine = rules[route.Rule].Self.Line()
		}
	}
	return e
}

// DescribeMethod gives everything known about one method name, as a JSON object.
func (r *Runtime) DescribeMethod(name string) ([]byte, error) {
	if r.State() == PreInit {
		return nil, failf(InvalidState, "methods exist from Initialize on")
	}
	rules := r.rules()
	out := struct {
		Name    string      `json:"name"`
		Shape   string      `json:"shape"`
		Servers []sideEntry `json:"servers"`
		Clients []sideEntry `json:"clients"`
	}{Name: name, Servers: []sideEntry{}, Clients: []sideEntry{}}
	for _, s := range r.services.Named(name) {
		out.Shape = s.method.Shape().String()
		out.Servers = append(out.Servers, newSideEntry(s.method, s.route.Load().Route, rules.ServerRules))
	}
	for _, c := range r.clients.Named(name) {
		out.Shape = c.method.Shape().String()
		e := newSideEntry(c.method, c.route.Load().Route, rules.ClientRules)
		p := c.Plan()
		e.Plan = &planText{Kind: p.Kind.String(), Code: uint32(p.Code), Text: p.Text, Backend: p.Backend}
		if p.Service != nil {
			e.Plan.Module = p.Service.method.Owner().Module
		}
		out.Clients = append(out.Clients, e)
	}
	if out.Shape == "" {
		return nil, unknown("method", name, r.methodNames())
	}
	return json.Marshal(out)
}

func (r *Runtime) methodNames() []string {
	names := r.services.Names()
	for _, n := range r.clients.Names() {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

type methodCounts struct {
	Name   string            `json:"name"`
	Side   string            `json:"side"`
	Module string            `json:"module"`
	Codes  map[string]uint64 `json:"codes"` // number as text: calls that ended so
}

func newMethodCounts(m *rpc.Method, side string, counts *codeCounts) methodCounts {
	e := methodCounts{Name: m.Name(), Side: side, Module: m.Owner().Module, Codes: map[string]uint64{}}
	for code, n := range counts.all() {
		e.Codes[strconv.FormatUint(uint64(code), 10)] = n
	}
	return e
}

type executorCounts struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Queued int    `json:"queued"`
}

// Statistics gives counters as a JSON object. Calls that the sink carries itself are not in it.
func (r *Runtime) Statistics() ([]byte, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	clients, served := r.calls.counts()
	out := struct {
		State      string                      `json:"state"`
		OpenCalls  int                         `json:"open_calls"`
		Served     int                         `json:"served_calls"`
		Methods    []methodCounts              `json:"methods"`
		Executors  []executorCounts            `json:"executors"`
		Backends   map[string]map[string]int64 `json:"backends"`
		Addresses  map[string]string           `json:"addresses"` // where backends listen
		Goroutines int                         `json:"goroutines"`
		Guarded    int64                       `json:"guarded_goroutines"`
		HeapBytes  uint64                      `json:"heap_bytes"`
		SystemByte uint64                      `json:"go_system_bytes"`
		Panics     map[string]uint64           `json:"panics"`
		Metrics    *filter.Snapshot            `json:"metrics,omitempty"` // of the filter otp_metrics
	}{State: r.State().String(), OpenCalls: clients, Served: served, Methods: []methodCounts{}, Executors: []executorCounts{},
		Backends: map[string]map[string]int64{}, Addresses: map[string]string{}, Goroutines: runtime.NumGoroutine(), Guarded: guard.Live(),
		HeapBytes: memory.HeapAlloc, SystemByte: memory.Sys, Panics: guard.Panics()}
	for _, s := range r.services.All() {
		out.Methods = append(out.Methods, newMethodCounts(s.method, "server", &s.counts))
	}
	for _, c := range r.clients.All() {
		out.Methods = append(out.Methods, newMethodCounts(c.method, "client", &c.counts))
	}
	if r.State() != PreInit {
		if r.metrics != nil {
			snapshot := r.metrics.Snapshot()
			out.Metrics = &snapshot
		}
		for _, e := range r.executors.All() {
			out.Executors = append(out.Executors, executorCounts{e.Name(), e.Type(), e.Queued()})
		}
		for _, b := range r.backends {
			if counted, ok := b.backend.(backend.Counted); ok {
				out.Backends[b.name] = maps.Clone(counted.Counts())
			}
			if address := r.Address(b.name); address != "" {
				out.Addresses[b.name] = address
			}
		}
	}
	return json.Marshal(out)
}
