package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, got:\n%s\nwant:\n%s", name, got, want)
	}
}

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func load(t *testing.T, text string, overrides ...string) *Config {
	t.Helper()
	c, err := Load(Source{Text: text, Name: "t.yaml", Overrides: overrides, LookupEnv: env()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type localOptions struct {
	TimeoutExecutor string `cfg:"timeout_executor"`
}

type httpClientRule struct {
	FuncName  Pattern `cfg:"func_name,required"`
	ServerURL string  `cfg:"server_url,required"`
}

type httpOptions struct {
	Clients []httpClientRule `cfg:"clients_options"`
	Servers []struct {
		FuncName Pattern `cfg:"func_name,required"`
	} `cfg:"servers_options"`
}

type netListen struct {
	ListenIP   string `cfg:"listen_ip,required"`
	ListenPort uint16 `cfg:"listen_port,required"`
}

type netOptions struct {
	ThreadNum uint32     `cfg:"thread_num"`
	HTTP      *netListen `cfg:"http_options"`
}

type asioOptions struct {
	ThreadNum      uint32   `cfg:"thread_num"`
	SchedPolicy    string   `cfg:"thread_sched_policy"`
	BindCPU        []uint32 `cfg:"thread_bind_cpu"`
	UseSystemClock bool     `cfg:"use_system_clock"`
}

type wheelOptions struct {
	BindExecutor string   `cfg:"bind_executor"`
	DtUS         uint64   `cfg:"dt_us"`
	WheelSize    []uint32 `cfg:"wheel_size"`
}

type consoleOptions struct {
	Color        bool    `cfg:"color"`
	ModuleFilter Pattern `cfg:"module_filter"`
	Pattern      string  `cfg:"pattern"`
}

// decodeFull does what the rest of a runtime does with the options of full.yaml;
// the rotate_file options and the mqtt plugin's stay unclaimed.
func decodeFull(t *testing.T, c *Config) (http httpOptions, net netOptions) {
	t.Helper()
	net.ThreadNum = 2
	asio := asioOptions{ThreadNum: 1}
	for _, step := range []struct {
		n      Node
		target any
	}{
		{c.Plugin.Plugins[0].Options, &net},
		{c.Executor.Executors[0].Options, &asio},
		{c.Executor.Executors[1].Options, &wheelOptions{DtUS: 100000, WheelSize: []uint32{100, 360}}},
		{c.Log.Backends[0].Options, &consoleOptions{Color: true, ModuleFilter: AnyName}},
		{c.RPC.Backends[0].Options, &localOptions{}},
		{c.RPC.Backends[1].Options, &http},
	} {
		if err := step.n.Decode(step.target); err != nil {
			t.Fatal(err)
		}
	}
	return http, net
}

func TestLoad_EverySection_Golden(t *testing.T) {
	dir := t.TempDir()
	c, err := Load(Source{Path: "testdata/full.yaml", LookupEnv: env("GOLDEN_TMP", dir)})
	if err != nil {
		t.Fatal(err)
	}
	http, net := decodeFull(t, c)
	if net.HTTP == nil || net.HTTP.ListenPort != 50080 || net.ThreadNum != 4 {
		t.Errorf("net_plugin options %+v", net)
	}
	if len(http.Clients) != 1 || http.Clients[0].ServerURL != "http://127.0.0.1:50080" || !http.Clients[0].FuncName.Match("x") {
		t.Errorf("http options %+v", http)
	}
	if c.Log.CoreLevel != LogInfo || c.Log.DefaultModuleLevel != LogTrace {
		t.Errorf("levels %v %v", c.Log.CoreLevel, c.Log.DefaultModuleLevel)
	}
	if m, ok := c.ModuleNamed("ServerModule"); !ok || !m.Enable || *m.LogLevel != LogWarn {
		t.Errorf("ServerModule %+v %v", m, ok)
	}
	if m, ok := c.ModuleNamed("Nobody"); ok || !m.Enable || m.LogLevel != nil {
		t.Errorf("Nobody %+v %v", m, ok)
	}
	path, err := c.ModuleFile("ServerModule")
	if err != nil || path != dir+"/temp_cfg_file_for_ServerModule.yaml" {
		t.Fatalf("module file %q, %v", path, err)
	}
	section, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "full.module.golden", string(section))
	golden(t, "full.dump.golden", strings.ReplaceAll(c.Dump(), dir, "DIR"))
	var findings strings.Builder
	for _, f := range c.Findings() {
		findings.WriteString(f.String() + "\n")
	}
	golden(t, "full.findings.golden", findings.String())
	again, err := Load(Source{Text: c.Dump(), Overrides: []string{"aimrt.configurator.temp_cfg_path=DIR"}})
	if err != nil {
		t.Fatal(err)
	}
	decodeFull(t, again)
	if _, err := again.ModuleFile("ServerModule"); err == nil {
		defer os.RemoveAll("DIR")
	}
	golden(t, "full.dump.golden", again.Dump())
}

func TestLoad_Nothing_GivesDefaults(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "aimrt:\n", "aimrt: ~", "Module: {a: 1}", "---\n", "\ufeff"} {
		c := load(t, text)
		if c.MainThread.Name != "aimrt_main" || c.GuardThread.QueueThreshold != 10000 || c.GuardThread.Name != "aimrt_guard" ||
			c.Configurator.TempPath != "./cfg/tmp" || c.Log.CoreLevel != LogInfo || c.RPC.Backends != nil {
			t.Errorf("%q: %+v", text, c.Sections)
		}
		if f := c.Findings(); len(f) != 0 {
			t.Errorf("%q: findings %v", text, f)
		}
		golden(t, "empty.dump.golden", c.Dump())
	}
}

// The findings that a run of the reference gave for these keys.
func TestFindings_ReferenceRun_SameLines(t *testing.T) {
	c := load(t, `aimrt:
  rpcc: 1
  log:
    backends: [{type: console, options: {log_executor_name: x}}]
  rpc:
    backend: 1
    backends: [{type: local, options: {timeout_handle_executor: y}}]
`)
	_ = c.Log.Backends[0].Options.Decode(&consoleOptions{ModuleFilter: AnyName})
	_ = c.RPC.Backends[0].Options.Decode(&localOptions{})
	c.path = "/abs/t.yaml"
	want := `Configuration Name Warning in "/abs/t.yaml":
- Unused options: 'aimrt.rpcc'! Did you mean: 'aimrt.rpc'?
- Unused options: 'aimrt.log.backends[0].options.log_executor_name'!
- Unused options: 'aimrt.rpc.backend'! Did you mean: 'aimrt.rpc.backends'?
- Unused options: 'aimrt.rpc.backends[0].options.timeout_handle_executor'!`
	if got := c.Warning(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f := c.Findings()[1]; f.File != "t.yaml" || f.Line != 4 || f.Column != 42 {
		t.Errorf("place of %q: %s:%d:%d", f.Text, f.File, f.Line, f.Column)
	}
}

func TestFindings_Shapes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"aimrt: {rpc: {backends: local}}", "- Ignored: 'aimrt.rpc.backends' must be a sequence, not \"local\"!"},
		{"aimrt: {allocator: {a: 1}}", "ConfigurationName Warning: 'aimrt.allocator'"},
		{"aimrt: {main_thread: {name: [a]}}", "error"},
		{"aimrt: {log: {backends: [{type: x, options: [1]}]}}", "- Unused options: 'aimrt.log.backends[0].options'"},
		{"aimrt: {log: {backends: [{type: x, options: {k: 1}}]}}", "- Unused options: 'aimrt.log.backends[0].options.k'!"},
		{"aimrt: {log: {core_lvl: Info, core_lvl: Warn}}",
			"- Duplicate key: 'aimrt.log.core_lvl'! Only the first one, line 1, is used."},
		{"aimtr: {rpc: 1}", "- Unused root key: 'aimtr' is taken for the name of a module! Did you mean: 'aimrt'?"},
		{"aimrt: {main_thread: {name: '${NOPE}x'}}", "- Environment variable not set: 'NOPE'! Empty text is used."},
		{"aimrt: # ${NOPE}\n", ""},
		{"aimrt: {executor: {executors: []}}", ""},
	} {
		cfg, err := Load(Source{Text: c.text, LookupEnv: env()})
		got := ""
		if err != nil {
			got = "error"
		} else {
			for _, f := range cfg.Findings() {
				got += f.Text
			}
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestLoad_Errors_NamePlaceAndFix(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"aimrt: 3", `t.yaml:1:8: aimrt: expected a map, got "3"`},
		{"[a]", `t.yaml:1:1: expected a map with the key aimrt, got a sequence`},
		{"aimrt:\n  rpc: 3", `t.yaml:2:8: aimrt.rpc: expected a map, got "3"`},
		{"aimrt:\n  guard_thread:\n    queue_threshold: abc",
			`t.yaml:3:22: aimrt.guard_thread.queue_threshold: expected an integer from 0 to 4294967295, got "abc"`},
		{"aimrt:\n  guard_thread:\n    queue_threshold: -1",
			`t.yaml:3:22: aimrt.guard_thread.queue_threshold: expected an integer from 0 to 4294967295, got "-1"`},
		{"aimrt: {log: {enable_crash_log: maybe}}",
			`t.yaml:1:33: aimrt.log.enable_crash_log: expected true or false, got "maybe"`},
		{"aimrt: {log: {core_lvl: wran}}",
			`t.yaml:1:25: aimrt.log.core_lvl: unknown log level "wran", did you mean "Warn"? known: Trace, Debug, Info, Warn, Error, Fatal, Off`},
		{"aimrt:\n  rpc:\n    backends:\n      - type: http\n    clients_options:\n      - func_name: x\n",
			`t.yaml:6:9: aimrt.rpc.clients_options[0]: required option "enable_backends" is missing`},
		{"aimrt:\n  rpc:\n    backends:\n      - type: http\n    clients_options:\n      - func_name: x\n        enable_backends: [htpp]",
			`t.yaml:7:27: aimrt.rpc.clients_options[0].enable_backends[0]: unknown backend "htpp", did you mean "http"? known: http (aimrt.rpc.backends)`},
		{"aimrt: {rpc: {servers_options: [{func_name: x, enable_backends: local}]}}",
			`t.yaml:1:65: aimrt.rpc.servers_options[0].enable_backends: expected a sequence, got "local"`},
		{"aimrt: {rpc: {backends: [{type: http}, {type: http}]}}",
			`t.yaml:1:47: aimrt.rpc.backends[1].type: duplicate rpc backend name "http", already used by aimrt.rpc.backends[0].type, line 1`},
		{"aimrt: {executor: {executors: [{name: aimrt_main, type: x}]}}",
			`t.yaml:1:39: aimrt.executor.executors[0].name: duplicate executor name "aimrt_main", already used by aimrt.main_thread.name, line 1`},
		{"aimrt: {plugin: {plugins: [{name: ne_plugin}]}}", `t.yaml:1:35: aimrt.plugin.plugins[0].name: unknown plugin "ne_plugin", did you mean "net_plugin"? known: net_plugin, grpc_plugin,`},
		{"aimrt: {rpc: {clients_options: [{func_name: '(?!x).*', enable_backends: []}]}}",
			`t.yaml:1:45: aimrt.rpc.clients_options[0].func_name: regular expression "(?!x).*": look-ahead "(?!" is not supported, rules use RE2 syntax`},
		{"aimrt: &a\n  x: *a", `t.yaml:2:6: aimrt.x: anchor "a" contains itself`},
		{"aimrt:\n  ? [a]\n  : b", `t.yaml:2:5: aimrt: a key must be a scalar`},
	} {
		_, err := Load(Source{Text: c.text, Name: "t.yaml", LookupEnv: env()})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Line == 0 || e.File != "t.yaml" {
			t.Errorf("%s: %#v is no *Error with a place", c.text, err)
		}
	}
}

func TestLoad_SeveralErrors_AllReported(t *testing.T) {
	_, err := Load(Source{Text: "aimrt: {rpc: 1, log: 2, executor: 3, guard_thread: {queue_threshold: x}}"})
	if got := Errors(err); len(got) != 4 {
		t.Errorf("%d errors, want 4: %v", len(got), err)
	}
	many := "aimrt: {rpc: {backends: [" + strings.Repeat("{}, ", MaxErrors+5) + "]}}"
	if _, err = Load(Source{Text: many}); len(Errors(err)) != MaxErrors || !strings.Contains(err.Error(), "and 5 more errors") {
		t.Errorf("%d errors: %v", len(Errors(err)), err)
	}
}

func TestLoad_SyntaxError_HasLineAndColumn(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: b: c", "1:5: YAML syntax: mapping values are not allowed in this context"},
		{"aimrt:\n  rpc: {a: 1\n  log: {}\n", "2:12: YAML syntax: did not find expected ',' or '}'"},
		{"a:\n\tb: 1", "2:1: YAML syntax: found character that cannot start any token"},
		{"ok: 'x'\na: 'unfinished\nb: 2\n", "2:4: YAML syntax: found unexpected end of stream"},
		{"a: 'x", "1:4: YAML syntax: found unexpected end of stream"},
		{"a: \"\\q\"", "1:5: YAML syntax: found unknown escape character"},
		{"a: 1\nb: 2\nc: \x01", "3:4: YAML syntax: control characters are not allowed"},
		{"a: 1\nb: *nope\n", "2:4: YAML syntax: unknown anchor 'nope' referenced"},
		{"a:\n  - b\n c: d", "3:2: YAML syntax: did not find expected key"},
		{"- a\n- c\nb: 1\n", "3:1: YAML syntax: did not find expected '-' indicator"},
		{"x: ${LONG}\na: b: c", "2:5: YAML syntax: mapping values are not allowed in this context"},
	} {
		_, err := Load(Source{Text: c.text, Name: "f", LookupEnv: env("LONG", "[1,\n2,\n3]")})
		if err == nil || err.Error() != "f:"+c.want {
			t.Errorf("%q\n got %v\nwant f:%s", c.text, err, c.want)
		}
	}
}

func TestLoad_Environment(t *testing.T) {
	c, err := Load(Source{Text: "aimrt:\n  main_thread:\n    name: ${A}/${B}\n  guard_thread: {name: ${C}, queue_threshold: ${BAD}}\n  x${}y: 1 # ${}\n",
		LookupEnv: env("A", "left", "B", "${A}", "BAD", "7")})
	if err != nil {
		t.Fatal(err)
	}
	if c.MainThread.Name != "left/${A}" {
		t.Errorf("the replacement was read again: %q", c.MainThread.Name)
	}
	if c.GuardThread.Name != "aimrt_guard" || c.GuardThread.QueueThreshold != 7 {
		t.Errorf("an unset variable must leave the default: %+v", c.GuardThread)
	}
	_, err = Load(Source{Text: "${PRE}aimrt:\n  a: ${A}\n  guard_thread: {name: ${A}, queue_threshold: x}", Name: "f",
		LookupEnv: env("PRE", "one: 1\ntwo: 2\n", "A", "a long text")})
	if err == nil || !strings.HasPrefix(err.Error(), "f:3:47: ") {
		t.Errorf("place before substitution expected, got %v", err)
	}
}

func TestLoad_Overrides(t *testing.T) {
	c := load(t, "aimrt: {log: {core_lvl: Info}, rpc: {backends: [{type: http}]}}",
		"aimrt.log.core_lvl=Warn", "aimrt.rpc.backends[0].type=local", "aimrt.rpc.backends[1].type=grpc",
		"aimrt.rpc.clients_options[0]={func_name: a=b, enable_backends: [local, grpc]}", "Mod.deep.key=${HOME}", "aimrt.module=")
	if c.Log.CoreLevel != LogWarn || len(c.RPC.Backends) != 2 || c.RPC.Backends[0].Type != "local" || c.RPC.Backends[1].Type != "grpc" {
		t.Errorf("%+v", c.Sections)
	}
	if r := c.RPC.ClientRules; len(r) != 1 || !r[0].FuncName.Match("a=b") || len(r[0].EnableBackends) != 2 {
		t.Errorf("rules %+v", r)
	}
	if got := c.ModuleSection("Mod").YAML(); got != "deep:\n  key: ${HOME}\n" {
		t.Errorf("module section %q", got)
	}
	for _, bad := range []struct{ override, want string }{
		{"aimrt.log.core_lvl", `override[0]:1:1: "aimrt.log.core_lvl" has no "="`},
		{"aimrt.log.core_lvl=Wran", `override[0]:1:20: aimrt.log.core_lvl: unknown log level "Wran", did you mean "Warn"?`},
		{"aimrt.rpc.backends[5].type=x", `override[0]:1:1: path "aimrt.rpc.backends[5].type": "aimrt.rpc.backends" has 1 items, index 5 is out of range`},
		{"aimrt..x=1", `override[0]:1:1: path "aimrt..x": a key is empty`},
		{"aimrt.x[=1", `override[0]:1:1: path "aimrt.x[": expected an index`},
		{"aimrt.x[0]y=1", `override[0]:1:1: path "aimrt.x[0]y": expected an index`},
		{"aimrt.x[0][=1", `override[0]:1:1: path "aimrt.x[0][": expected an index`},
		{"aimrt.x[-1]=1", `override[0]:1:1: path "aimrt.x[-1]": expected an index`},
		{"aimrt.log.core_lvl.x=1", `override[0]:1:1: path "aimrt.log.core_lvl.x": "aimrt.log.core_lvl" is "Info" in the configuration, not a map`},
		{"aimrt.x=[1", `override[0]:1:`},
	} {
		_, err := Load(Source{Text: "aimrt: {log: {core_lvl: Info}, rpc: {backends: [{type: http}]}}", Overrides: []string{bad.override}})
		if err == nil || !strings.HasPrefix(err.Error(), bad.want) {
			t.Errorf("%s\n got %v\nwant %s", bad.override, err, bad.want)
		}
	}
}

func TestLoad_File_MissingAndPath(t *testing.T) {
	_, err := Load(Source{Path: "testdata/nope.yaml"})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "testdata/nope.yaml: no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err = Load(Source{Path: "testdata"}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: %v", err)
	}
	dir, _ := filepath.EvalSymlinks(t.TempDir())
	file, link := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	if err := errors.Join(os.WriteFile(file, []byte("aimrt:\n  log: 1"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(Source{Path: link}); err == nil || !strings.HasPrefix(err.Error(), link+":2:8: ") {
		t.Errorf("messages must use the user's name of the file: %v", err)
	}
	if err := os.WriteFile(file, []byte("aimrt: {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(Source{Path: link}); err != nil || c.Path() != file {
		t.Errorf("path %v, %v", c, err)
	}
}

func TestLoad_Limits(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 10) + "]\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"aliases": {bomb, "more than 200000 values"},
		"depth":   {"aimrt: " + strings.Repeat("[", MaxDepth+5) + strings.Repeat("]", MaxDepth+5), "nested deeper than 100"},
		"size":    {strings.Repeat(" ", MaxFileBytes+1), "larger than"},
		"env":     {"a: ${A}${A}", "larger than"},
		"pattern": {"aimrt: {rpc: {clients_options: [{func_name: " + strings.Repeat("a", MaxPatternBytes+1) + ", enable_backends: []}]}}", "at most 4096"},
	} {
		_, err := Load(Source{Text: c.text, LookupEnv: env("A", strings.Repeat("x", MaxFileBytes/2))})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func TestModuleFile_Resolution(t *testing.T) {
	dir := t.TempDir()
	c := load(t, "aimrt:\n  configurator: {temp_cfg_path: "+dir+"/sub/}\n  module: {modules: [{name: A, cfg_file_path: ./x.yaml}]}\nA: {a: 1}\nB: [1, 2]\nC: ~\n../D: 1\n")
	for _, m := range []struct{ name, want string }{
		{"A", "./x.yaml"}, {"B", dir + "/sub/temp_cfg_file_for_B.yaml"}, {"C", ""}, {"E", ""}, {"aimrt", ""},
	} {
		if got, err := c.ModuleFile(m.name); got != m.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", m.name, got, err, m.want)
		}
	}
	if text, _ := os.ReadFile(dir + "/sub/temp_cfg_file_for_B.yaml"); string(text) != "- 1\n- 2\n" {
		t.Errorf("file of B: %q", text)
	}
	if _, err := c.ModuleFile("../D"); err == nil {
		t.Error("a name with a slash must be refused")
	}
	if entries, _ := os.ReadDir(dir + "/sub"); len(entries) != 1 {
		t.Errorf("%d files left, want 1", len(entries))
	}
	blocked := load(t, "aimrt:\n  configurator: {temp_cfg_path: /dev/null/x}\nB: 1\n")
	if _, err := blocked.ModuleFile("B"); err == nil || !strings.HasPrefix(err.Error(), "t.yaml:2:17: aimrt.configurator.temp_cfg_path: ") {
		t.Errorf("unwritable directory: %v", err)
	}
}
