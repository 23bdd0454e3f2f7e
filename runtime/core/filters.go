package core

import (
	"errors"
	"fmt"
	"slices"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

// Limits of filters.
const (
	MaxFilters         = 1024 // of one runtime, besides the stock ones
	MaxFilterNameBytes = 512
)

// Names of AimRT's filters.
const (
	filterDebugLog      = "debug_log" // always there
	filterTrace         = "otp_trace" // with opentelemetry_plugin and its trace_otlp_http_exporter_url
	filterSimpleTrace   = "otp_simple_trace"
	filterMetrics       = "otp_metrics"           // with its metrics_otlp_http_exporter_url
	filterIntrospection = "service_introspection" // with service_introspection_plugin
)

// stockFilters are names that modules cannot take, on both sides.
var stockFilters = []string{filterDebugLog, filterTrace, filterSimpleTrace, filterMetrics, filterIntrospection}

// FilterSide of a call.
type FilterSide = filter.Side

// NamedFilter is a filter that rules may name in enable_filters.
type NamedFilter struct {
	Side   FilterSide
	Name   string
	Filter rpc.Filter
}

// RegisterFilter adds a filter that rules may name. It must be there before a function is registered whose rule names it: before Initialize,
// or in the callback of a module that is initialized earlier. A rule that names a filter nobody has registered refuses Initialize.
func (m *Module) RegisterFilter(f NamedFilter) error { return m.runtime.addFilter(f) }

func (r *Runtime) addFilter(f NamedFilter) error {
	switch {
	case f.Name == "" || len(f.Name) > MaxFilterNameBytes:
		return failf(InvalidArgument, "a filter name has 1 to %d bytes, not %d", MaxFilterNameBytes, len(f.Name))
	case f.Filter == nil:
		return failf(InvalidArgument, "filter %q needs a function", f.Name)
	case f.Side > filter.Server:
		return failf(InvalidArgument, "filter %q: side %d does not exist, expected %d (client) or %d (server)", f.Name, f.Side,
			filter.Client, filter.Server)
	}
	if err := r.need("a filter can only be registered", PreInit, Init); err != nil {
		return err
	}
	if slices.Contains(stockFilters, f.Name) {
		return failf(AlreadyExists, "%s filter %q is a stock one", f.Side, f.Name)
	}
	r.modMu.Lock()
	defer r.modMu.Unlock()
	for _, other := range r.options.Filters {
		if other.Side == f.Side && other.Name == f.Name {
			return failf(AlreadyExists, "%s filter %q is registered already", f.Side, f.Name)
		}
	}
	if len(r.options.Filters) >= MaxFilters {
		return failf(Limit, "more than %d filters", MaxFilters)
	}
	if r.State() != PreInit {
		if err := r.filters.Add(f.Side, f.Name, f.Filter); err != nil {
			return fail(AlreadyExists, err)
		}
	}
	r.options.Filters = append(slices.Clip(r.options.Filters), f)
	return nil
}

// addFilters registers the stock filters of the configuration and those of the options.
func (r *Runtime) addFilters(c *config.Config) error {
	for _, side := range bothSides {
		if err := r.filters.Add(side, filterDebugLog, filter.DebugLog(side, r.log, aimrt.ContextText)); err != nil {
			return err
		}
	}
	for _, p := range c.Plugin.Plugins {
		if add, ok := filterPlugins[p.Name]; ok {
			if err := add(r, p.Options); err != nil {
				return err
			}
		}
	}
	r.modMu.Lock()
	defer r.modMu.Unlock()
	for _, f := range r.options.Filters {
		if err := r.filters.Add(f.Side, f.Name, f.Filter); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) resetFilters() {
	r.filters = &filter.Table{}
	r.passed, r.metrics = nil, nil
}

// mayAddFilters tells whether a module's initialization could still register filters. Modules of Pkg files are not loaded yet; their
// interface has no filters.
func (r *Runtime) mayAddFilters() bool {
	for _, m := range r.allModules() {
		if m.options.Initialize != nil {
			return true
		}
	}
	return false
}

// checkFilters finds names in the rules that no filter has.
func (r *Runtime) checkFilters(rules *config.RPC) error {
	var errs []error
	for _, list := range []struct {
		side  filter.Side
		rules []config.RPCRule
	}{{filter.Client, rules.ClientRules}, {filter.Server, rules.ServerRules}} {
		known := r.filters.Names(list.side)
		for _, rule := range list.rules {
			for i, name := range rule.EnableFilters {
				if slices.Contains(known, name) {
					continue
				}
				e := rule.Self.Field("enable_filters").Item(i).Unknown(list.side.String()+" filter", name, known)
				e.Message = fmt.Sprintf("Can not find filter: %s (%s)", name, e.Message)
				errs = append(errs, e)
			}
		}
	}
	return errors.Join(errs...)
}

// filtersOf finds filters by name.
func (r *Runtime) filtersOf(side filter.Side, names []string) ([]rpc.Filter, error) {
	var out []rpc.Filter
	for _, name := range names {
		f, ok := r.filters.Find(side, name)
		if !ok {
			why := unknown(side.String()+" filter", name, r.filters.Names(side))
			//lint:ignore ST1005 AimRT's text, which its users look for
			return nil, &Error{Kind: Config, Nearest: nearestOf(why), Err: fmt.Errorf("Can not find filter: %s (%w)", name, why)}
		}
		out = append(out, f)
	}
	return out, nil
}
