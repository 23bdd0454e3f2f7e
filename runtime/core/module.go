package core

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/logging"
	"aimrtrpc/runtime/parameter"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

// MaxModuleNameBytes limits the name of a module.
const MaxModuleNameBytes = 512

// MaxModules limits the modules of one runtime.
const MaxModules = 4096

// ModuleOptions describes a module. Name is required.
type ModuleOptions struct {
	Name string
	// Package decides with whom native messages are exchanged; empty means "core".
	Package                    string
	Major, Minor, Patch, Build uint32
	Author, Description        string
	Initialize                 func(*Module) error // each may be nil
	Start                      func(*Module) error
	Shutdown                   func(*Module)
	// Tag belongs to the caller.
	Tag any
}

// Module is one participant of a runtime: it has a name, a logger, parameters, and registers what it serves and calls.
type Module struct {
	runtime    *Runtime
	options    ModuleOptions
	enabled    bool
	configPath string
	log        atomic.Pointer[slog.Logger]
	lines      atomic.Pointer[logging.Logger]
	parameters *parameter.Store
}

// NewModule makes a module. Before Initialize its callbacks take part in the life cycle; between Initialize and Start it is a module without
// one, and callbacks are refused.
func (r *Runtime) NewModule(o ModuleOptions) (*Module, error) {
	state := r.State()
	if err := r.need("a module can only be created", PreInit, Init); err != nil {
		return nil, err
	}
	if o.Name == "" || len(o.Name) > MaxModuleNameBytes {
		return nil, failf(InvalidArgument, "a module name has 1 to %d bytes, not %d", MaxModuleNameBytes, len(o.Name))
	}
	if state == Init && (o.Initialize != nil || o.Start != nil || o.Shutdown != nil) {
		return nil, failf(InvalidArgument, "module %q is created after Initialize: it has no life cycle, so its callbacks must be empty", o.Name)
	}
	if o.Package == "" {
		o.Package = aimrt.CorePackage
	}
	m := &Module{runtime: r, options: o, enabled: true, parameters: r.parameters.Module(o.Name)}
	m.log.Store(slog.New(slog.DiscardHandler))
	r.modMu.Lock()
	if other, twice := r.byModule[o.Name]; twice {
		r.modMu.Unlock()
		return nil, failf(AlreadyExists, "Duplicate module '%s' in lib %s and %s.", o.Name, other.options.Package, o.Package)
	}
	if len(r.modules) >= MaxModules {
		r.modMu.Unlock()
		return nil, failf(Limit, "more than %d modules", MaxModules)
	}
	r.byModule[o.Name] = m
	r.modules = append(r.modules, m)
	r.modMu.Unlock()
	if state == Init {
		if err := m.configure(r.Config()); err != nil {
			r.dropModule(m)
			return nil, err
		}
	}
	return m, nil
}

func (r *Runtime) dropModule(m *Module) {
	r.modMu.Lock()
	defer r.modMu.Unlock()
	delete(r.byModule, m.options.Name)
	for i, other := range r.modules {
		if other == m {
			r.modules = append(r.modules[:i:i], r.modules[i+1:]...)
			return
		}
	}
}

// allModules lists the modules in the order of creation.
func (r *Runtime) allModules() []*Module {
	r.modMu.Lock()
	defer r.modMu.Unlock()
	return append([]*Module(nil), r.modules...)
}

// Module finds a module by name.
func (r *Runtime) Module(name string) (*Module, bool) {
	r.modMu.Lock()
	defer r.modMu.Unlock()
	m, ok := r.byModule[name]
	return m, ok
}

// configure gives the module its settings; the configuration is loaded.
func (m *Module) configure(c *config.Config) error {
	settings, _ := c.ModuleNamed(m.options.Name)
	m.enabled = settings.Enable
	m.lines.Store(m.runtime.logs.Module(m.options.Name))
	m.log.Store(m.runtime.logs.Slog(m.options.Name)) // of the same name, so of the same logger
	path, err := c.ModuleFile(m.options.Name)
	if err != nil {
		return fail(Config, err)
	}
	m.configPath = path
	return nil
}

// Name of the module.
func (m *Module) Name() string { return m.options.Name }

// Package of the module.
func (m *Module) Package() string { return m.options.Package }

// Owner is name and package.
func (m *Module) Owner() rpc.Owner {
	return rpc.Owner{Package: m.options.Package, Module: m.options.Name}
}

// Tag of the options.
func (m *Module) Tag() any { return m.options.Tag }

// Runtime of the module.
func (m *Module) Runtime() *Runtime { return m.runtime }

// ConfigPath is the path of the module's own configuration file, empty when there is none. Known from Initialize on.
func (m *Module) ConfigPath() string {
	if m.runtime.State() == PreInit {
		return ""
	}
	return m.configPath
}

// Executor finds an executor.
func (m *Module) Executor(name string) (executor.Executor, error) { return m.runtime.Executor(name) }

// Parameter reads a parameter, empty when it is not set.
func (m *Module) Parameter(key string) string { return m.parameters.Get(key) }

// SetParameter sets a parameter; an empty value erases it.
func (m *Module) SetParameter(key, value string) error {
	if key == "" {
		return failf(InvalidArgument, "a parameter needs a key")
	}
	return fail(Limit, m.parameters.Set(key, value))
}

// RegisterClient registers a method this module calls, in state Init.
func (m *Module) RegisterClient(o ClientOptions) (*Client, error) {
	r := m.runtime
	if r.State() != Init {
		r.log.Error("Client func can only be registered when state is 'Init'.", "function", o.Name, "module", m.options.Name)
		return nil, failf(InvalidState, "Client func can only be registered when state is 'Init', it is '%s'", r.State())
	}
	method, err := m.newMethod(rpc.MethodOptions{Name: o.Name, Shape: o.Shape, Request: o.Request, Response: o.Response,
		Descriptor: o.Descriptor})
	if err != nil {
		return nil, err
	}
	c := &Client{runtime: r, method: method, tag: o.Tag, counter: r.counters.Of(o.Name)}
	c.ended = c.end
	if err := addTo(&r.clients, c, "client", r.log); err != nil {
		return nil, err
	}
	if err := r.routeClient(c); err != nil {
		r.clients.Remove(c)
		return nil, err
	}
	r.warnUnrouted(c)
	r.publishOne(c)
	return c, nil
}

// newMethod makes a method of this module. Streams have a model, but no backend of this version carries them.
func (m *Module) newMethod(o rpc.MethodOptions) (*rpc.Method, error) {
	o.Owner = m.Owner()
	method, err := rpc.NewMethod(o)
	if err != nil {
		return nil, fail(InvalidArgument, err)
	}
	if o.Shape != rpc.Unary {
		return nil, failf(Unsupported, "function %q is a %s; this version carries unary functions only", o.Name, o.Shape)
	}
	return method, nil
}

// addTo puts a method into its table and logs what AimRT logs when that is refused.
func addTo[T registry.Registered](table *registry.Table[T], entry T, side string, log *slog.Logger) error {
	err := table.Add(entry)
	if err != nil {
		log.Error(fmt.Sprintf("%s func not registered: %v", side, err))
	}
	return err
}

// RegisterService registers a method this module serves, in state Init.
func (m *Module) RegisterService(o ServiceOptions) (*Service, error) {
	r := m.runtime
	if r.State() != Init {
		r.log.Error("Service func can only be registered when state is 'Init'.", "function", o.Name, "module", m.options.Name)
		return nil, failf(InvalidState, "Service func can only be registered when state is 'Init', it is '%s'", r.State())
	}
	if o.Handler == nil {
		return nil, failf(InvalidArgument, "service function %q needs a handler", o.Name)
	}
	method, err := m.newMethod(rpc.MethodOptions{Name: o.Name, Shape: o.Shape, Request: o.Request, Response: o.Response,
		Descriptor: o.Descriptor})
	if err != nil {
		return nil, err
	}
	s := &Service{runtime: r, method: method, handler: o.Handler, foreign: o.Foreign, nonBlocking: o.NonBlocking}
	s.ended = s.end
	if err := addTo(&r.services, s, "service", r.log); err != nil {
		return nil, err
	}
	if err := r.routeService(s); err != nil {
		r.services.Remove(s)
		return nil, err
	}
	return s, nil
}

// Client finds a method this module has registered to call.
func (m *Module) Client(name string) (*Client, error) {
	if c, ok := m.runtime.clients.Find(name, m.Owner()); ok {
		return c, nil
	}
	var known []string
	for _, c := range m.runtime.clients.All() {
		if c.method.Owner() == m.Owner() {
			known = append(known, c.method.Name())
		}
	}
	return nil, unknown("client function", name, known)
}

// MergeContext copies the pass-through keys of an incoming call's context to that of an outgoing one.
func (m *Module) MergeContext(server, client *rpc.CallContext) error {
	if server == nil || client == nil || server.Kind != rpc.ServerContext || client.Kind != rpc.ClientContext {
		return failf(InvalidArgument, "the contexts must be a server's and a client's")
	}
	aimrt.Merge(server, client, m.runtime.passed)
	return nil
}
