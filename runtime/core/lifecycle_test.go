package core_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/echo"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/rpc"
)

// journal notes what happens in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) module(f *fixture, name string, refuse string) {
	f.t.Helper()
	step := func(what string) func(*core.Module) error {
		return func(m *core.Module) error {
			j.add(what + " " + m.Name())
			switch refuse {
			case what:
				return errors.New("because of " + name)
			case what + " silently":
				return core.Refused()
			case what + " panic":
				panic("in " + what)
			}
			return nil
		}
	}
	_, err := f.NewModule(core.ModuleOptions{Name: name, Initialize: step("init"), Start: step("start"),
		Shutdown: func(m *core.Module) { _ = step("shutdown")(m) }})
	check(f.t, err)
}

func TestLifecycle_Order(t *testing.T) {
	f := newFixture(t, localConfig+"  module: {modules: [{name: Off, enable: false}]}\n", nil)
	var j journal
	for _, name := range []string{"A", "Off", "B"} {
		j.module(f, name, "")
	}
	f.initialize()
	f.start()
	f.stop()
	want := []string{"init A", "init B", "start A", "start B", "shutdown B", "shutdown A"}
	if !slices.Equal(j.lines, want) {
		t.Fatalf("order is %v", j.lines)
	}
	<-f.Done()
}

func TestLifecycle_ModuleRefuses(t *testing.T) {
	tests := []struct {
		refuse, wantErr string
		want            []string
	}{
		{"init", "Init module 'B' failed. because of B", []string{"init A", "init B"}},
		{"init silently", "Init module 'B' failed.", []string{"init A", "init B"}},
		{"init panic", "Init module 'B' failed. panic in module B initialize: in init", []string{"init A", "init B"}},
		{"start", "Start module 'B' failed. because of B", []string{"init A", "init B", "init C", "start A", "start B", "shutdown A"}},
		{"start panic", "Start module 'B' failed. panic in module B start: in start", []string{"init A", "init B", "init C", "start A", "start B", "shutdown A"}},
	}
	for _, tt := range tests {
		t.Run(tt.refuse, func(t *testing.T) {
			f := newFixture(t, localConfig, nil)
			var j journal
			j.module(f, "A", "")
			j.module(f, "B", tt.refuse)
			j.module(f, "C", "")
			err := f.Initialize(context.Background())
			if err == nil {
				err = f.Start(context.Background())
			}
			if err == nil || err.Error() != tt.wantErr || core.KindOf(err) != core.ModuleRefused {
				t.Fatalf("error is %v (kind %v)", err, core.KindOf(err))
			}
			if f.State() != core.Shutdown || !slices.Equal(j.lines, tt.want) {
				t.Fatalf("state %v, order %v", f.State(), j.lines)
			}
		})
	}
}

func TestLifecycle_WrongState_IsRefused(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	ctx := context.Background()
	invalid := func(what string, err error) {
		t.Helper()
		if core.KindOf(err) != core.InvalidState || !strings.Contains(err.Error(), f.State().String()) {
			t.Errorf("%s in state %v gives %v", what, f.State(), err)
		}
	}
	early := f.module("Early", "")
	_, err := early.RegisterClient(core.ClientOptions{Name: do})
	invalid("register client", err)
	invalid("start", f.Start(ctx))
	_, err = f.ListMethods()
	if core.KindOf(err) != core.InvalidState {
		t.Errorf("list methods gives %v", err)
	}
	_, err = f.Report()
	if core.KindOf(err) != core.InvalidState {
		t.Errorf("report gives %v", err)
	}
	f.initialize()
	invalid("initialize", f.Initialize(ctx))
	f.start()
	invalid("start", f.Start(ctx))
	_, err = early.RegisterService(core.ServiceOptions{Name: do, Handler: upper})
	invalid("register service", err)
	_, err = f.NewModule(core.ModuleOptions{Name: "Late"})
	invalid("create module", err)
	if f.log.containing("Service func can only be registered when state is 'Init'.") != 1 {
		t.Error("the refused registration was not logged")
	}
}

func TestNewModule_BadOptions(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.module("A", "p1")
	tests := []struct {
		options core.ModuleOptions
		kind    core.Kind
		want    string
	}{
		{core.ModuleOptions{}, core.InvalidArgument, "1 to 512 bytes"},
		{core.ModuleOptions{Name: strings.Repeat("x", 513)}, core.InvalidArgument, "not 513"},
		{core.ModuleOptions{Name: "A", Package: "p2"}, core.AlreadyExists, "Duplicate module 'A' in lib p1 and p2."},
	}
	for _, tt := range tests {
		if _, err := f.NewModule(tt.options); core.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20s: %v", tt.options.Name, err)
		}
	}
	f.initialize()
	if _, err := f.NewModule(core.ModuleOptions{Name: "B", Start: func(*core.Module) error { return nil }}); core.KindOf(err) != core.InvalidArgument {
		t.Errorf("callbacks after Initialize give %v", err)
	}
	if b := f.module("C", ""); b.Package() != "core" {
		t.Errorf("package is %q", b.Package())
	}
}

func TestRun_RequestShutdownBeforeStart_ReturnsAfterTheStartPhase(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	var j journal
	j.module(f, "A", "")
	f.initialize()
	f.RequestShutdown()
	f.RequestShutdown()
	check(t, f.Run(context.Background()))
	if !slices.Equal(j.lines, []string{"init A", "start A", "shutdown A"}) {
		t.Fatalf("order is %v", j.lines)
	}
}

func TestShutdown_WithoutInitialize_AndTwiceAtOnce(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		guard.Go("test", func() { defer group.Done(); f.stop() })
	}
	group.Wait()
	<-f.Done()
	if err := f.Initialize(context.Background()); core.KindOf(err) != core.InvalidState {
		t.Fatalf("initialize after shutdown gives %v", err)
	}
}

// refusing is a backend that cannot start.
type refusing struct {
	backend.Backend
	j *journal
}

func (r refusing) Start(context.Context) error { return errors.New("127.0.0.1:1 is already in use") }
func (r refusing) Close(ctx context.Context) error {
	r.j.add("close")
	return r.Backend.Close(ctx)
}

func TestStart_BackendCannotStart_IsIOAndShutsDown(t *testing.T) {
	var j journal
	f := newFixture(t, "aimrt: {rpc: {backends: [{type: local}, {type: bad}]}}", func(o *core.Options) {
		o.Backends = map[string]backend.Constructor{"bad": func(env backend.Environment) (backend.Backend, error) {
			b, err := echo.New(env)
			return refusing{b, &j}, err
		}}
	})
	f.initialize()
	err := f.Start(context.Background())
	if core.KindOf(err) != core.IO || !strings.Contains(err.Error(), "already in use") || f.State() != core.Shutdown || !slices.Equal(j.lines, []string{"close"}) {
		t.Fatalf("error %v, state %v, %v", err, f.State(), j.lines)
	}
}

func TestShutdown_OpenCalls_EndAfterTheGrace(t *testing.T) {
	arrived := make(chan *rpc.Call, 1)
	f, c := pair(t, localConfig, handlerFunc(func(_ context.Context, call *rpc.Call) { arrived <- call }))
	call := c.Start(context.Background(), nil, rpc.BytesPayload("pb", []byte("x")))
	server := <-arrived
	f.stop()
	if call.Status().Code() != rpc.CodeCancelled || !server.Unasked() {
		t.Fatalf("the open call ended with %v", call.Status())
	}
	if server.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatal("the late finish won")
	}
	if f.log.containing("calls are cancelled by the shutdown") != 1 {
		t.Error("the cancel was not logged")
	}
}

func TestShutdown_CallsInModuleShutdown_StillWork(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	var c *core.Client
	var got error
	_, err := f.NewModule(core.ModuleOptions{Name: "M", Package: "p",
		Initialize: func(m *core.Module) (err error) {
			c, err = m.RegisterClient(core.ClientOptions{Name: do})
			return err
		},
		Start: func(*core.Module) error {
			_, err := c.Call(context.Background(), nil, []byte("x"))
			return err
		},
		Shutdown: func(*core.Module) { _, got = c.Call(context.Background(), nil, []byte("x")) },
	})
	check(t, err)
	f.initialize()
	f.serve(f.module("Server", "q"), do, upper)
	f.start()
	f.stop()
	if got != nil {
		t.Fatalf("call inside shutdown gives %v", got)
	}
	if _, err := c.Call(context.Background(), nil, nil); code(err) != rpc.CodeCliNotReady || !strings.Contains(err.Error(), "has been shut down") {
		t.Fatalf("call after shutdown gives %v", err)
	}
}

func TestRuntimes_TwoInOneProcess_AreSeparate(t *testing.T) {
	_, a := pair(t, localConfig, upper)
	b := newFixture(t, localConfig, nil)
	b.initialize()
	c := b.client(b.module("Client", "p"), do)
	b.start()
	if _, err := a.Call(context.Background(), nil, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(context.Background(), nil, []byte("x")); code(err) != rpc.CodeSvrNotFound {
		t.Fatalf("the other runtime's service was found: %v", err)
	}
}

// loop is an executor of the host.
type loop struct {
	executor.Executor
	name   string
	closed bool
}

func (l *loop) Name() string     { return l.name }
func (l *loop) Type() string     { return "host" }
func (l *loop) ThreadSafe() bool { return true }
func (l *loop) HasTimers() bool  { return false }
func (l *loop) Queued() int      { return 0 }
func (l *loop) Close()           { l.closed = true }

func TestHostExecutor_SurvivesAFailedInitialize(t *testing.T) {
	l := &loop{name: "qt"}
	path := filepath.Join(t.TempDir(), "c.yaml")
	check(t, os.WriteFile(path, []byte("aimrt: {executor: {executors: [{name: qt, type: simple_thread}]}}"), 0o600))
	f := newFixture(t, "", func(o *core.Options) { o.ConfigPath = path })
	check(t, f.AddExecutor(l))
	if err := f.AddExecutor(&loop{name: "qt"}); core.KindOf(err) != core.AlreadyExists {
		t.Fatalf("second loop of that name gives %v", err)
	}
	if _, err := f.Executor("qt"); core.KindOf(err) != core.InvalidState {
		t.Fatalf("executor before Initialize gives %v", err)
	}
	if err := f.Initialize(context.Background()); core.KindOf(err) != core.Config || !strings.Contains(err.Error(), `"qt" is reserved`) {
		t.Fatalf("a configured executor of the same name gives %v", err)
	}
	for _, text := range []string{"aimrt: {rpc: {backends: [{type: nobody}]}}", localConfig} {
		check(t, os.WriteFile(path, []byte(text), 0o600))
		if err := f.Initialize(context.Background()); (err == nil) != (text == localConfig) || l.closed {
			t.Fatalf("error %v, closed %v", err, l.closed)
		}
	}
	if e, err := f.Executor("qt"); err != nil || e != executor.Executor(l) {
		t.Fatalf("%v, %v", e, err)
	}
	_, err := f.Executor("qtt")
	if core.KindOf(err) != core.NotFound || detail(err, "nearest") != "qt" {
		t.Fatalf("unknown executor gives %v with %v", err, core.Details(err))
	}
	f.stop()
	if !l.closed {
		t.Fatal("the shutdown did not close the loop")
	}
}

func TestModule_ParametersLogAndConfigFile(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, localConfig+"  configurator: {temp_cfg_path: "+dir+"}\n  log: {default_module_lvl: Error}\n  module: {modules: [{name: Quiet, log_lvl: Off}]}\nLoud: {key: value}\n", nil)
	loud, silent := f.module("Loud", ""), f.module("Quiet", "")
	if loud.ConfigPath() != "" || loud.LogLevel() != core.LogOff || loud.LogLevelWord() != nil {
		t.Error("a module has settings before Initialize")
	}
	loud.Log(core.LogRecord{Level: core.LogFatal, Text: "too early"})
	f.initialize()
	check(t, loud.SetParameter("k", "v"))
	if loud.Parameter("k") != "v" || silent.Parameter("k") != "" || core.KindOf(loud.SetParameter("", "x")) != core.InvalidArgument {
		t.Error("parameters are wrong")
	}
	if err := loud.SetParameter(strings.Repeat("k", 1<<20), "v"); core.KindOf(err) != core.Limit {
		t.Errorf("a huge key gives %v", err)
	}
	loud.Logger().Error("heard", "n", 1)
	loud.Logger().Warn("not heard")
	loud.Log(core.LogRecord{Level: core.LogError, Text: "foreign line", File: "x.cc", Line: 7})
	silent.Logger().Error("not heard")
	if f.log.containing("Error Loud: heard n=1") != 1 || f.log.containing("Error Loud: foreign line") != 1 || f.log.containing("not heard") != 0 || f.log.containing("too early") != 0 {
		t.Errorf("log is %v", f.log.all)
	}
	check(t, f.SetLogLevel("Loud", core.LogWarn))
	if f.LogLevels()["Loud"] != core.LogWarn || f.SetLogLevel("Lout", core.LogWarn) == nil {
		t.Error("the level was not set")
	}
	text, err := os.ReadFile(loud.ConfigPath())
	if err != nil || string(text) != "key: value\n" || silent.ConfigPath() != "" {
		t.Errorf("config file %q holds %q, %v", loud.ConfigPath(), text, err)
	}
}
