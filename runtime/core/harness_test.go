package core_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// wait bounds every wait of these tests; it is only reached when something is broken.
const wait = 20 * time.Second

// lines collects log lines.
type lines struct {
	flush func(time.Duration) bool

	mu  sync.Mutex
	all []string
}

func (l *lines) Write(logger string, level config.LogLevel, _ time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, level.String()+" "+logger+": "+text)
}

func (l *lines) containing(part string) int {
	l.flush(wait)
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.all {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

const localConfig = `
aimrt:
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local]}]
`

// fixture is a runtime with its log.
type fixture struct {
	*core.Runtime
	t   *testing.T
	log *lines
}

func newFixture(t *testing.T, text string, change func(*core.Options)) *fixture {
	t.Helper()
	before := guard.Live()
	f := &fixture{t: t, log: &lines{}}
	o := core.Options{ConfigText: text, Log: f.log}
	if change != nil {
		change(&o)
	}
	f.Runtime = core.New(o)
	f.log.flush = f.FlushLog
	t.Cleanup(func() {
		f.stop()
		if f.State() != core.Shutdown {
			t.Errorf("state after shutdown is %v", f.State())
		}
		for end := time.Now().Add(wait); guard.Live() > before; runtime.Gosched() {
			if time.Now().After(end) {
				t.Errorf("%d goroutines are left", guard.Live()-before)
				return
			}
		}
	})
	return f
}

func (f *fixture) stop() {
	f.t.Helper()
	if err := f.Shutdown(context.Background()); err != nil {
		f.t.Error(err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) initialize() {
	f.t.Helper()
	check(f.t, f.Initialize(context.Background()))
}

func (f *fixture) start() {
	f.t.Helper()
	check(f.t, f.Start(context.Background()))
}

func (f *fixture) module(name, pkg string) *core.Module {
	f.t.Helper()
	m, err := f.NewModule(core.ModuleOptions{Name: name, Package: pkg})
	check(f.t, err)
	return m
}

func (f *fixture) client(m *core.Module, name string) *core.Client {
	f.t.Helper()
	c, err := m.RegisterClient(core.ClientOptions{Name: name})
	check(f.t, err)
	return c
}

func (f *fixture) serve(m *core.Module, name string, h rpc.Handler) *core.Service {
	f.t.Helper()
	s, err := m.RegisterService(core.ServiceOptions{Name: name, Handler: h})
	check(f.t, err)
	return s
}

type handlerFunc func(ctx context.Context, call *rpc.Call)

func (h handlerFunc) Handle(ctx context.Context, call *rpc.Call) { h(ctx, call) }

var upper = core.HandlerFunc(func(_ context.Context, _ *rpc.Call, request []byte) ([]byte, error) {
	return []byte(strings.ToUpper(string(request))), nil
})

const do = "pb:/test.Service/Do"

// pair is a started runtime with a client and a server in different packages.
func pair(t *testing.T, text string, handler rpc.Handler) (*fixture, *core.Client) {
	t.Helper()
	f := newFixture(t, text, nil)
	f.initialize()
	f.serve(f.module("Server", "server_pkg"), do, handler)
	c := f.client(f.module("Client", "client_pkg"), do)
	f.start()
	return f, c
}

func code(err error) rpc.Code { return rpc.StatusOf(err).Code() }

// quiet drops log lines.
type quiet struct{}

func (quiet) Write(string, config.LogLevel, time.Time, string) {}
