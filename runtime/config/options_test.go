package config

import (
	"fmt"
	"strings"
	"testing"
)

// Every option of the sections that this package owns: what is in force without it, and with it.
func TestLoad_EveryOption_DefaultAndValue(t *testing.T) {
	const backends = "rpc: {backends: [{type: http}], "
	module := func(c *Config) Module { return c.Module.Modules[0] }
	for _, tt := range []struct {
		without, with string
		get           func(c *Config) any
		unset, set    string
	}{
		{"", "configurator: {temp_cfg_path: ./x}", func(c *Config) any { return c.Configurator.TempPath }, "./cfg/tmp", "./x"},
		{"", "main_thread: {name: m}", func(c *Config) any { return c.MainThread.Name }, "aimrt_main", "m"},
		{"", "main_thread: {thread_sched_policy: SCHED_OTHER}", func(c *Config) any { return c.MainThread.SchedPolicy }, "", "SCHED_OTHER"},
		{"", "main_thread: {thread_bind_cpu: [0, 2]}", func(c *Config) any { return c.MainThread.BindCPU }, "[]", "[0 2]"},
		{"", "guard_thread: {name: g}", func(c *Config) any { return c.GuardThread.Name }, "aimrt_guard", "g"},
		{"", "guard_thread: {thread_sched_policy: 'SCHED_RR:1'}", func(c *Config) any { return c.GuardThread.SchedPolicy }, "", "SCHED_RR:1"},
		{"", "guard_thread: {thread_bind_cpu: [1]}", func(c *Config) any { return c.GuardThread.BindCPU }, "[]", "[1]"},
		{"", "guard_thread: {queue_threshold: 7}", func(c *Config) any { return c.GuardThread.QueueThreshold }, "10000", "7"},
		{"", "guard_thread: {threshold_alarm_interval_ms: -1}", func(c *Config) any { return c.GuardThread.ThresholdAlarmIntervalMS }, "1000", "-1"},
		{"", "log: {core_lvl: trace}", func(c *Config) any { return c.Log.CoreLevel }, "Info", "Trace"},
		{"", "log: {default_module_lvl: OFF}", func(c *Config) any { return c.Log.DefaultModuleLevel }, "Info", "Off"},
		{"", "log: {enable_crash_log: true}", func(c *Config) any { return c.Log.EnableCrashLog }, "false", "true"},
		{"", "log: {backends: [{type: a}, {type: b}]}", func(c *Config) any { return len(c.Log.Backends) }, "0", "2"},
		{"", "executor: {executors: [{name: a, type: b}]}", func(c *Config) any { return len(c.Executor.Executors) }, "0", "1"},
		{"", "plugin: {plugins: [{name: net_plugin}]}", func(c *Config) any { return len(c.Plugin.Plugins) }, "0", "1"},
		{"plugin: {plugins: [{name: net_plugin}]}", "plugin: {plugins: [{name: net_plugin, path: ./x.so}]}",
			func(c *Config) any { return c.Plugin.Plugins[0].Path }, "", "./x.so"},
		{"plugin: {plugins: [{name: net_plugin}]}", "plugin: {plugins: [{name: net_plugin, options: {a: 1}}]}",
			func(c *Config) any { return c.Plugin.Plugins[0].Options.Exists() }, "false", "true"},
		{"", "rpc: {backends: [{type: local}]}", func(c *Config) any { return len(c.RPC.Backends) }, "0", "1"},
		{backends + "clients_options: []}", backends + "clients_options: [{func_name: a, enable_backends: []}]}",
			func(c *Config) any { return len(c.RPC.ClientRules) }, "0", "1"},
		{backends + "clients_options: [{func_name: a, enable_backends: [http]}]}",
			backends + "clients_options: [{func_name: a, enable_backends: [http], enable_filters: [x, y]}]}",
			func(c *Config) any { return c.RPC.ClientRules[0].EnableFilters }, "[]", "[x y]"},
		{backends + "servers_options: [{func_name: a, enable_backends: []}]}",
			backends + "servers_options: [{func_name: a, enable_backends: [http]}]}",
			func(c *Config) any { return c.RPC.ServerRules[0].EnableBackends }, "[]", "[http]"},
		{"module: {pkgs: [{path: a}]}", "module: {pkgs: [{path: a, enable_modules: [M]}]}",
			func(c *Config) any { return c.Module.Packages[0].EnableModules }, "[]", "[M]"},
		{"module: {pkgs: [{path: a}]}", "module: {pkgs: [{path: a, disable_modules: [M]}]}",
			func(c *Config) any { return c.Module.Packages[0].DisableModules }, "[]", "[M]"},
		{"module: {pkgs: [{path: a}]}", "module: {pkgs: [{path: a, dlopen_deepbind: true}]}",
			func(c *Config) any { return c.Module.Packages[0].DeepBind != nil }, "false", "true"},
		{"module: {modules: [{name: a}]}", "module: {modules: [{name: a, enable: false}]}", func(c *Config) any { return module(c).Enable }, "true", "false"},
		{"module: {modules: [{name: a}]}", "module: {modules: [{name: a, log_lvl: Warn}]}", func(c *Config) any { return module(c).LogLevel != nil }, "false", "true"},
		{"module: {modules: [{name: a}]}", "module: {modules: [{name: a, cfg_file_path: ./a.yaml}]}",
			func(c *Config) any { return module(c).ConfigPath }, "", "./a.yaml"},
		{"module: {modules: [{name: a, log_lvl: Warn}]}", "module: {modules: [{name: a}, {name: a, enable: false}]}",
			func(c *Config) any { m, _ := c.ModuleNamed("a"); return fmt.Sprint(m.Enable, m.LogLevel != nil) }, "true true", "true false"},
	} {
		for text, want := range map[string]string{tt.without: tt.unset, tt.with: tt.set} {
			if got := fmt.Sprint(tt.get(load(t, "aimrt: {"+text+"}"))); got != want {
				t.Errorf("%s gives %q, want %q", text, got, want)
			}
		}
	}
}

// What each option refuses, with the whole path of the option.
func TestLoad_EveryOption_WrongValueIsNamed(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"configurator: 1", "aimrt.configurator: expected a map"},
		{"configurator: {temp_cfg_path: [a]}", "aimrt.configurator.temp_cfg_path: expected a string"},
		{"plugin: 1", "aimrt.plugin: expected a map"},
		{"plugin: {plugins: [{path: x}]}", `aimrt.plugin.plugins[0]: required option "name" is missing`},
		{"plugin: {plugins: [{name: net_plugin, path: [x]}]}", "aimrt.plugin.plugins[0].path: expected a string"},
		{"plugin: {plugins: [{name: net_plugin}, {name: net_plugin}]}", `duplicate plugin name "net_plugin"`},
		{"main_thread: 1", "aimrt.main_thread: expected a map"},
		{"main_thread: {name: {}}", "aimrt.main_thread.name: expected a string"},
		{"main_thread: {thread_sched_policy: []}", "aimrt.main_thread.thread_sched_policy: expected a string"},
		{"main_thread: {thread_bind_cpu: 0}", "aimrt.main_thread.thread_bind_cpu: expected a sequence"},
		{"main_thread: {thread_bind_cpu: [x]}", "aimrt.main_thread.thread_bind_cpu[0]: expected an integer"},
		{"guard_thread: 1", "aimrt.guard_thread: expected a map"},
		{"guard_thread: {thread_bind_cpu: 0}", "aimrt.guard_thread.thread_bind_cpu: expected a sequence"},
		{"guard_thread: {threshold_alarm_interval_ms: x}", "aimrt.guard_thread.threshold_alarm_interval_ms: expected an integer"},
		{"executor: 1", "aimrt.executor: expected a map"},
		{"log: 1", "aimrt.log: expected a map"},
		{"log: {default_module_lvl: loud}", `aimrt.log.default_module_lvl: unknown log level "loud"`},
		{"log: {backends: [{options: {}}]}", `aimrt.log.backends[0]: required option "type" is missing`},
		{"allocator: 1", "aimrt.allocator: expected a map"},
		{"parameter: 1", "aimrt.parameter: expected a map"},
		{"channel: 1", "aimrt.channel: expected a map"},
		{"module: 1", "aimrt.module: expected a map"},
		{"module: {pkgs: [{}]}", `aimrt.module.pkgs[0]: required option "path" is missing`},
		{"module: {pkgs: [{path: a, enable_modules: M}]}", "aimrt.module.pkgs[0].enable_modules: expected a sequence"},
		{"module: {pkgs: [{path: a, disable_modules: M}]}", "aimrt.module.pkgs[0].disable_modules: expected a sequence"},
		{"module: {pkgs: [{path: a, dlopen_deepbind: 3}]}", "aimrt.module.pkgs[0].dlopen_deepbind: expected true or false"},
		{"module: {modules: [{enable: true}]}", `aimrt.module.modules[0]: required option "name" is missing`},
		{"module: {modules: [{name: a, enable: 3}]}", "aimrt.module.modules[0].enable: expected true or false"},
		{"module: {modules: [{name: a, log_lvl: loud}]}", `aimrt.module.modules[0].log_lvl: unknown log level "loud"`},
		{"module: {modules: [{name: a, cfg_file_path: [b]}]}", "aimrt.module.modules[0].cfg_file_path: expected a string"},
		{"rpc: {backends: [{options: {}}]}", `aimrt.rpc.backends[0]: required option "type" is missing`},
		{"rpc: {clients_options: [{enable_backends: []}]}", `aimrt.rpc.clients_options[0]: required option "func_name" is missing`},
		{"rpc: {servers_options: [{func_name: a}]}", `aimrt.rpc.servers_options[0]: required option "enable_backends" is missing`},
		{"rpc: {servers_options: [{func_name: a, enable_backends: [x]}]}", `aimrt.rpc.servers_options[0].enable_backends[0]: unknown backend "x"`},
		{"rpc: {servers_options: [{func_name: a, enable_backends: [], enable_filters: f}]}", "aimrt.rpc.servers_options[0].enable_filters: expected a sequence"},
		{"rpc: {servers_options: [{func_name: '(((', enable_backends: []}]}", `aimrt.rpc.servers_options[0].func_name: regular expression "((("`},
	} {
		_, err := Load(Source{Text: "aimrt: {" + tt.text + "}", Name: "t.yaml", LookupEnv: env()})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "t.yaml:1:") {
			t.Errorf("%s\n got %v\nwant t.yaml:1: ... %s", tt.text, err, tt.want)
		}
	}
}

// A list of maps that is no list is left out with a finding; AimRT says nothing.
func TestLoad_ScalarInPlaceOfAList_IsLeftOut(t *testing.T) {
	for _, path := range []string{"plugin.plugins", "executor.executors", "log.backends", "rpc.backends", "rpc.clients_options",
		"rpc.servers_options", "module.pkgs", "module.modules"} {
		section, list, _ := strings.Cut(path, ".")
		c := load(t, "aimrt: {"+section+": {"+list+": local}}")
		if want := "- Ignored: 'aimrt." + path + "' must be a sequence, not \"local\"!"; !strings.Contains(c.Warning(), want) {
			t.Errorf("%s: %q, want %q", path, c.Warning(), want)
		}
	}
}

// Lists of modules that contradict themselves are findings; channels are read and left alone.
func TestLoad_OptionsWithoutEffect_AreFindings(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"module: {pkgs: [{path: a, enable_modules: [M], disable_modules: [N]}]}", "- Ignored: 'aimrt.module.pkgs[0].disable_modules', because enable_modules is given!"},
		{"module: {modules: [{name: a}, {name: a}]}", `- Ignored: 'aimrt.module.modules[1]', module "a" is already configured in line 1!`},
		{"channel: {backends: [{type: mqtt, options: {a: 1}}], pub_topics_options: [{topic_name: a, enable_backends: [x], enable_filters: [y]}], sub_topics_options: []}", ""},
	} {
		if got := load(t, "aimrt: {"+tt.text+"}").Warning(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}
