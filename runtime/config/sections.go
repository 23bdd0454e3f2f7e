package config

import "fmt"

// rootKey is the root key of everything but the modules' own sections.
const rootKey = "aimrt"

// Sections is what stands under the root key aimrt, with defaults.
type Sections struct {
	Configurator Configurator  `cfg:"configurator"`
	Plugin       PluginSection `cfg:"plugin"`
	MainThread   MainThread    `cfg:"main_thread"`
	GuardThread  GuardThread   `cfg:"guard_thread"`
	Executor     Executors     `cfg:"executor"`
	Log          Log           `cfg:"log"`
	Allocator    *struct{}     `cfg:"allocator"` // no options
	RPC          RPC           `cfg:"rpc"`
	Channel      Channel       `cfg:"channel"`
	Parameter    *struct{}     `cfg:"parameter"` // no options
	Module       Modules       `cfg:"module"`
}

// Configurator is aimrt.configurator.
type Configurator struct {
	TempPath string `cfg:"temp_cfg_path"` // directory of the files that ModuleFile writes
	Self     Node   `cfg:",self"`
}

// PluginSection is aimrt.plugin.
type PluginSection struct {
	Plugins []Plugin `cfg:"plugins"`
}

// Plugin is one entry of aimrt.plugin.plugins. All known plugins are built in:
// their options count, their path does not.
type Plugin struct {
	Name    string `cfg:"name,required"`
	Path    string `cfg:"path"`
	Options Node   `cfg:"options"`
	Self    Node   `cfg:",self"`
}

// Thread is the set of options of a thread.
type Thread struct {
	Name        string   `cfg:"name"`
	SchedPolicy string   `cfg:"thread_sched_policy"` // "", SCHED_OTHER, SCHED_FIFO:<prio> or SCHED_RR:<prio>
	BindCPU     []uint32 `cfg:"thread_bind_cpu"`
}

// MainThread is aimrt.main_thread: the thread that initializes the runtime.
type MainThread struct {
	Thread
	Self Node `cfg:",self"`
}

// GuardThread is aimrt.guard_thread: the thread of the log output.
type GuardThread struct {
	Thread
	QueueThreshold           uint32 `cfg:"queue_threshold"`
	ThresholdAlarmIntervalMS int32  `cfg:"threshold_alarm_interval_ms"`
	Self                     Node   `cfg:",self"`
}

// Executors is aimrt.executor.
type Executors struct {
	Executors []Executor `cfg:"executors"`
}

// Executor is one entry of aimrt.executor.executors.
type Executor struct {
	Name    string `cfg:"name,required"`
	Type    string `cfg:"type,required"`
	Options Node   `cfg:"options"`
	Self    Node   `cfg:",self"`
}

// Log is aimrt.log.
type Log struct {
	CoreLevel          LogLevel     `cfg:"core_lvl"`
	DefaultModuleLevel LogLevel     `cfg:"default_module_lvl"`
	EnableCrashLog     bool         `cfg:"enable_crash_log"`
	Backends           []LogBackend `cfg:"backends"`
	Self               Node         `cfg:",self"`
}

// LogBackend is one entry of aimrt.log.backends.
type LogBackend struct {
	Type    string `cfg:"type,required"`
	Options Node   `cfg:"options"`
	Self    Node   `cfg:",self"`
}

// RPC is aimrt.rpc.
type RPC struct {
	Backends    []RPCBackend `cfg:"backends"`
	ClientRules []RPCRule    `cfg:"clients_options"`
	ServerRules []RPCRule    `cfg:"servers_options"`
	Self        Node         `cfg:",self"`
}

// RPCBackend is one entry of aimrt.rpc.backends.
type RPCBackend struct {
	Type    string `cfg:"type,required"`
	Options Node   `cfg:"options"`
	Self    Node   `cfg:",self"`
}

// RPCRule is one entry of aimrt.rpc.clients_options or servers_options. The first
// rule whose FuncName matches the whole function name counts.
type RPCRule struct {
	FuncName       Pattern  `cfg:"func_name,required"`
	EnableBackends []string `cfg:"enable_backends,required"`
	EnableFilters  []string `cfg:"enable_filters"`
	Self           Node     `cfg:",self"`
}

// Channel is aimrt.channel: read, kept and ignored.
type Channel struct {
	Backends         Node `cfg:"backends"`
	PubTopicsOptions Node `cfg:"pub_topics_options"`
	SubTopicsOptions Node `cfg:"sub_topics_options"`
}

// Modules is aimrt.module.
type Modules struct {
	Packages []Package `cfg:"pkgs"`
	Modules  []Module  `cfg:"modules"`
}

// Package is one entry of aimrt.module.pkgs.
type Package struct {
	Path           string   `cfg:"path,required"`
	EnableModules  []string `cfg:"enable_modules"`            // when given, only these are created
	DisableModules []string `cfg:"disable_modules"`           // not created; ignored when EnableModules is given
	DeepBind       *bool    `cfg:"dlopen_deepbind,omitempty"` // ours: the file prefers its own symbols; nil = no
	Self           Node     `cfg:",self"`
}

// Module is one entry of aimrt.module.modules: settings of a module that something
// else loads.
type Module struct {
	Name       string    `cfg:"name,required"`
	Enable     bool      `cfg:"enable"`
	LogLevel   *LogLevel `cfg:"log_lvl,omitempty"` // nil = log.default_module_lvl
	ConfigPath string    `cfg:"cfg_file_path,omitempty"`
	Self       Node      `cfg:",self"`
}

// SetDefaults enables the module.
func (m *Module) SetDefaults() { m.Enable = true }

func defaultSections() Sections {
	return Sections{
		Configurator: Configurator{TempPath: "./cfg/tmp"},
		MainThread:   MainThread{Thread: Thread{Name: "aimrt_main"}},
		GuardThread:  GuardThread{Thread: Thread{Name: "aimrt_guard"}, QueueThreshold: 10000, ThresholdAlarmIntervalMS: 1000},
		Log:          Log{CoreLevel: LogInfo, DefaultModuleLevel: LogInfo},
	}
}

// officialPlugins are the plugins that AimRT ships.
var officialPlugins = []string{"net_plugin", "grpc_plugin", "mqtt_plugin", "zenoh_plugin", "ros2_plugin", "iceoryx_plugin",
	"opentelemetry_plugin", "echo_plugin", "time_manipulator_plugin", "parameter_plugin", "log_control_plugin",
	"topic_logger_plugin", "record_playback_plugin", "proxy_plugin", "service_introspection_plugin"}

// check finds what is wrong between the parts of the sections.
func (s *Sections) check(extraPlugins []string) error {
	var p problems
	known := append(append([]string(nil), officialPlugins...), extraPlugins...)
	seen := map[string]Node{}
	for _, pl := range s.Plugin.Plugins {
		name := pl.Self.Field("name")
		if !contains(known, pl.Name) {
			p.add(name.Unknown("plugin", pl.Name, known))
		}
		p.add(once(seen, "plugin", pl.Name, name))
	}
	seen = map[string]Node{
		s.MainThread.Name:  s.MainThread.Self.Field("name"),
		s.GuardThread.Name: s.GuardThread.Self.Field("name"),
	}
	for _, e := range s.Executor.Executors {
		p.add(once(seen, "executor", e.Name, e.Self.Field("name")))
	}
	seen = map[string]Node{}
	var backends []string
	for _, b := range s.RPC.Backends {
		p.add(once(seen, "rpc backend", b.Type, b.Self.Field("type")))
		backends = append(backends, b.Type)
	}
	for _, rules := range [][]RPCRule{s.RPC.ClientRules, s.RPC.ServerRules} {
		for _, r := range rules {
			p.add(r.checkBackends(backends))
		}
	}
	s.warnModules()
	return p.err()
}

func (r *RPCRule) checkBackends(backends []string) error {
	var p problems
	list := r.Self.Field("enable_backends")
	for i, name := range r.EnableBackends {
		if !contains(backends, name) {
			e := list.Item(i).Unknown("backend", name, backends)
			e.Message += " (aimrt.rpc.backends)"
			p.add(e)
		}
	}
	return p.err()
}

// warnModules reports settings of modules that have no effect.
func (s *Sections) warnModules() {
	for _, pkg := range s.Module.Packages {
		if len(pkg.EnableModules) > 0 && len(pkg.DisableModules) > 0 {
			n := pkg.Self.Field("disable_modules")
			n.Warn("Ignored: '%s', because enable_modules is given!", n.path)
		}
	}
	seen := map[string]Node{}
	for _, m := range s.Module.Modules {
		if first, dup := seen[m.Name]; dup {
			m.Self.Warn("Ignored: '%s', module %q is already configured in line %d!", m.Self.path, m.Name, first.Line())
			continue
		}
		seen[m.Name] = m.Self
	}
}

// once reports a name that is empty or has been seen before.
func once(seen map[string]Node, what, name string, n Node) error {
	if name == "" {
		return n.Errorf("%s needs a name or type, got an empty text", what)
	}
	first, dup := seen[name]
	if !dup {
		seen[name] = n
		return nil
	}
	where := first.path
	if first.Line() > 0 {
		where = fmt.Sprintf("%s, line %d", first.path, first.Line())
	}
	return n.Errorf("duplicate %s name %q, already used by %s", what, name, where)
}

func contains(list []string, word string) bool {
	for _, s := range list {
		if s == word {
			return true
		}
	}
	return false
}
