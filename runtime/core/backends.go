package core

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/aiomas"
	"aimrtrpc/runtime/backend/echo"
	"aimrtrpc/runtime/backend/grpc"
	"aimrtrpc/runtime/backend/http"
	"aimrtrpc/runtime/backend/local"
	"aimrtrpc/runtime/backend/mqtt"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
)

// builtinBackends are the backend types of the product, by the name the configuration uses.
var builtinBackends = map[string]backend.Constructor{
	local.Name:  local.New,
	echo.Name:   echo.New,
	http.Name:   http.New,
	grpc.Name:   grpc.New,
	aiomas.Name: aiomas.New,
	mqtt.Name:   mqtt.New,
}

// absentBackends are types of AimRT that are not here, with the reason.
var absentBackends = map[string]string{
	"zenoh": "needs the zenoh library, which has no Go implementation",
	"ros2":  "needs ROS 2",
}

// backendTypes lists what can be configured.
func (r *Runtime) backendTypes() []string {
	names := slices.Collect(maps.Keys(builtinBackends))
	for name := range r.options.Backends {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *Runtime) constructor(name string) (backend.Constructor, bool) {
	if c, ok := r.options.Backends[name]; ok {
		return c, true
	}
	c, ok := builtinBackends[name]
	return c, ok
}

// makeBackends constructs the configured backends; all unusable ones are reported together.
func (r *Runtime) makeBackends(c *config.Config) error {
	var errs []error
	usedPlugins := map[string]bool{}
	for _, entry := range c.RPC.Backends {
		make, ok := r.constructor(entry.Type)
		if !ok {
			errs = append(errs, r.unknownBackend(entry))
			continue
		}
		plugin, _ := c.PluginNamed(aimrt.PluginOfBackend(entry.Type))
		usedPlugins[plugin.Name] = true
		b, err := make(backend.Environment{
			Name: entry.Type, Logger: r.log.With("backend", entry.Type),
			Options: aimrt.Section{Node: entry.Options}, Plugin: aimrt.Section{Node: plugin.Options},
			Executor: r.backendExecutor,
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.backends = append(r.backends, runningBackend{entry.Type, b})
	}
	for _, p := range c.Plugin.Plugins {
		if !usedPlugins[p.Name] && !pluginServed(p.Name) {
			p.Options.Accept() // nobody here reads them, so they are not misspelt
		}
	}
	return fail(Config, errors.Join(errs...))
}

// unknownBackend is the error for a type that is not here.
func (r *Runtime) unknownBackend(entry config.RPCBackend) error {
	at := entry.Self.Field("type")
	if reason, ok := absentBackends[entry.Type]; ok {
		return at.Errorf("Invalid rpc backend type '%s': it %s; known: %s", entry.Type, reason, strings.Join(r.backendTypes(), ", "))
	}
	return at.Unknown("rpc backend type", entry.Type, r.backendTypes())
}

func (r *Runtime) backendExecutor(name string) (backend.Executor, error) {
	e, err := r.executors.Get(name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// notePlugins says what becomes of AimRT's plugins, one line each. Unknown names were refused with the configuration.
func (r *Runtime) notePlugins(c *config.Config) {
	for _, p := range c.Plugin.Plugins {
		if pluginServed(p.Name) {
			r.log.Info("plugin is built in, its path is not used", "plugin", p.Name, "path", p.Path)
		} else {
			r.log.Info("plugin is accepted, its functions are not part of this version", "plugin", p.Name, "path", p.Path)
		}
		if p.Name == "opentelemetry_plugin" {
			r.passed = append(r.passed, aimrt.KeyTraceStart, aimrt.KeyTraceParent, aimrt.KeyTraceState)
		}
	}
	r.passed = append(r.passed, r.options.PassedKeys...)
}

// pluginServed tells whether something here reads the plugin's options.
func pluginServed(plugin string) bool {
	_, control := controlPlugins[plugin]
	_, filters := filterPlugins[plugin]
	if control || filters {
		return true
	}
	for name := range builtinBackends {
		if aimrt.PluginOfBackend(name) == plugin {
			return true
		}
	}
	return false
}
