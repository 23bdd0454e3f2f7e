package core_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

func detail(err error, key string) string {
	for _, d := range core.Details(err) {
		if d.Key == key {
			return d.Value
		}
	}
	return ""
}

func TestInitialize_UnusableConfig_NamesPlaceAndNearest(t *testing.T) {
	tests := []struct{ name, text, line, nearest, want string }{
		{"syntax", "aimrt:\n  rpc:\n    backends: [\n", "3", "", "YAML syntax"},
		{"unknown backend", "aimrt:\n  rpc:\n    backends:\n      - type: lokal\n", "4", "local", `unknown rpc backend type "lokal", did you mean "local"?`},
		{"zenoh", "aimrt:\n  rpc:\n    backends:\n      - type: zenoh\n", "4", "", "Invalid rpc backend type 'zenoh'"},
		{"ros2", "aimrt:\n  rpc:\n    backends:\n      - type: ros2\n", "4", "", "echo, grpc, http, "},
		{"backend of a rule", "aimrt:\n  rpc:\n    backends: [{type: local}]\n    clients_options:\n      - {func_name: '(.*)', enable_backends: [locl]}\n", "5", "local", `"locl"`},
		{"unknown executor type", "aimrt:\n  executor:\n    executors:\n      - {name: a, type: asio_tread}\n", "4", "asio_thread", `"asio_tread"`},
		{"unknown executor", "aimrt:\n  executor:\n    executors: [{name: work, type: asio_thread}]\n  rpc:\n    backends:\n      - type: local\n        options:\n          timeout_executor: wrok\n", "8", "work", `unknown executor "wrok", did you mean "work"?`},
		{"wrong type", "aimrt:\n  executor:\n    executors:\n      - {name: a, type: tbb_thread, options: {thread_num: abc}}\n", "4", "", `got "abc"`},
		{"unknown filter", "aimrt:\n  rpc:\n    backends: [{type: local}]\n    clients_options:\n      - {func_name: '(.*)', enable_backends: [local], enable_filters: [debug_lgo]}\n", "5", "debug_log", "Can not find filter: debug_lgo"},
		{"unknown plugin", "aimrt:\n  plugin:\n    plugins:\n      - {name: net_plugn, path: ./x.so}\n", "4", "net_plugin", "grpc_plugin"},
		{"look-ahead", "aimrt:\n  rpc:\n    backends: [{type: local}]\n    clients_options:\n      - {func_name: '(?!a).*', enable_backends: [local]}\n", "5", "", "(?!a).*"},
		{"reserved name", "aimrt:\n  executor:\n    executors:\n      - {name: aimrt_main, type: simple_thread}\n", "4", "", "aimrt_main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, tt.text, nil)
			err := f.Initialize(context.Background())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v does not contain %q", err, tt.want)
			}
			if core.KindOf(err) != core.Config || detail(err, "line") != tt.line || detail(err, "nearest") != tt.nearest || detail(err, "file") == "" {
				t.Errorf("kind %v, details %v", core.KindOf(err), core.Details(err))
			}
			if f.State() != core.PreInit {
				t.Errorf("state is %v", f.State())
			}
		})
	}
}

func TestInitialize_SyntaxError_HasLineAndColumn(t *testing.T) {
	f := newFixture(t, "aimrt:\n  rpc: {a: b\n  c: d\n", nil)
	err := f.Initialize(context.Background())
	if err == nil || detail(err, "line") == "" || detail(err, "column") == "" {
		t.Fatalf("error %v has details %v", err, core.Details(err))
	}
}

func TestInitialize_MissingFile_NamesItAndCanBeTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.yaml")
	f := newFixture(t, "", func(o *core.Options) { o.ConfigPath = path })
	err := f.Initialize(context.Background())
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "no such file") || core.KindOf(err) != core.Config {
		t.Fatalf("error is %v", err)
	}
	check(t, os.WriteFile(path, []byte(localConfig), 0o600))
	f.initialize()
	if f.State() != core.Init {
		t.Fatalf("state is %v", f.State())
	}
}

func TestStart_UnknownKey_IsOneWarning(t *testing.T) {
	f := newFixture(t, "aimrt:\n  rpcc: {}\n  rpc:\n    backends:\n      - type: local\n        options: {timeout_handle_executor: x}\n", nil)
	f.initialize()
	f.start()
	if f.log.containing("Warn core: Configuration Name Warning in ") != 1 ||
		f.log.containing("- Unused options: 'aimrt.rpcc'! Did you mean: 'aimrt.rpc'?") == 0 ||
		f.log.containing("- Unused options: 'aimrt.rpc.backends[0].options.timeout_handle_executor'!") == 0 {
		t.Errorf("log is %v", f.log.all)
	}
}

func TestInitialize_Plugins_AreAcceptedWithOneLine(t *testing.T) {
	f := newFixture(t, localConfig+`
  plugin:
    plugins:
      - {name: log_control_plugin, path: ./liblog.so, options: {service_name: x}}
      - {name: opentelemetry_plugin, path: ./libotel.so, options: {node_name: x}}
`, nil)
	f.initialize()
	f.start()
	if f.log.containing("plugin=log_control_plugin") != 1 || f.log.containing("Unused options") != 0 {
		t.Errorf("log is %v", f.log.all)
	}
	m := f.PassedKeys()
	if len(m) != 3 || m[1] != "aimrt_otp-traceparent" {
		t.Errorf("pass-through keys are %v", m)
	}
}

func TestInitialize_NoConfig_ServesInsideTheProcess(t *testing.T) {
	f := newFixture(t, "", nil)
	f.initialize()
	f.serve(f.module("Server", "a"), do, upper)
	c := f.client(f.module("Client", "b"), do)
	f.start()
	got, err := c.Call(context.Background(), nil, []byte("hi"))
	if err != nil || string(got) != "HI" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestReload_RulesAndLevelsChange_RestNeedsAStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	write := func(text string) { check(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(localConfig)
	f := newFixture(t, "", func(o *core.Options) { o.ConfigPath = path })
	f.initialize()
	f.serve(f.module("Server", "a"), do, upper)
	client := f.module("Client", "b")
	c := f.client(client, do)
	f.start()
	call := func() rpc.Code {
		_, err := c.Call(context.Background(), nil, []byte("x"))
		return code(err)
	}
	if got := call(); got != rpc.CodeOK {
		t.Fatalf("first call ends with %v", got)
	}
	write(strings.Replace(localConfig, `clients_options: [{func_name: "(.*)"`, `clients_options: [{func_name: "other"`, 1) + "  log: {default_module_lvl: Error}\n")
	check(t, f.Reload())
	if got := call(); got != rpc.CodeCliNoBackendToHandle || client.LogLevel().String() != "Error" {
		t.Fatalf("call after reload ends with %v, level %v", got, client.LogLevel())
	}
	write("broken: [")
	if err := f.Reload(); core.KindOf(err) != core.Config {
		t.Fatalf("broken file gives %v", err)
	}
	write(localConfig + "  executor: {executors: [{name: a, type: simple_thread}]}\n")
	err := f.Reload()
	if core.KindOf(err) != core.Unsupported || !strings.Contains(err.Error(), "aimrt.executor") {
		t.Fatalf("new executor gives %v", err)
	}
	if got := call(); got != rpc.CodeOK {
		t.Fatalf("the rest was not applied: %v", got)
	}
}
