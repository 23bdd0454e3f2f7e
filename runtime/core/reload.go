package core

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/registry"
)

// Reload reads the configuration again and applies what can change while running: log levels, and the rules of aimrt.rpc. What needs a new
// start is left as it is and named in an error of kind Unsupported; an unusable configuration changes nothing.
func (r *Runtime) Reload() error {
	r.lifeMu.Lock()
	defer r.lifeMu.Unlock()
	if err := r.need("a configuration can only be reloaded", Init, Start); err != nil {
		return err
	}
	c, err := r.load()
	if err != nil {
		return fail(Config, err)
	}
	if err := r.checkFilters(&c.RPC); err != nil {
		return fail(Config, err)
	}
	old := r.Config()
	fixed := fixedChanges(old, c)
	r.logs.SetLevels(c)
	r.setRules(&c.RPC)
	var errs []error
	for _, client := range r.clients.All() {
		for _, name := range registry.Match(c.RPC.ClientRules, client.method.Name()).Backends {
			if _, ok := r.backend(name); !ok {
				fixed = append(fixed, fmt.Sprintf("backend %q for client function %s", name, client.method.Name()))
			}
		}
		errs = append(errs, r.routeClient(client))
	}
	for _, s := range r.services.All() {
		before := s.route.Load().Backends
		errs = append(errs, r.routeService(s))
		if after := s.route.Load(); !slices.Equal(before, after.Backends) {
			fixed = append(fixed, fmt.Sprintf("backends of service function %s", s.method.Name()))
			kept := *after
			kept.Backends = before
			s.route.Store(&kept)
		}
	}
	r.publish()
	if err := errors.Join(errs...); err != nil {
		return fail(Config, err)
	}
	r.log.Info("configuration reloaded")
	if len(fixed) > 0 {
		return failf(Unsupported, "these changes need a new start: %s", strings.Join(fixed, ", "))
	}
	return nil
}

// fixedChanges names the parts that differ and cannot change while running.
func fixedChanges(old, now *config.Config) []string {
	var out []string
	for _, part := range []string{"configurator", "plugin", "main_thread", "guard_thread", "executor", "module.pkgs", "rpc.backends", "log.backends"} {
		a, b := old.Root(), now.Root()
		for key := range strings.SplitSeq(part, ".") {
			a, b = a.Field(key), b.Field(key)
		}
		if a.YAML() != b.YAML() {
			out = append(out, "aimrt."+part)
		}
	}
	return out
}
