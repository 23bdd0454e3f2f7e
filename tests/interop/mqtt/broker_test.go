package mqtt

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	ours "aimrtrpc/runtime/backend/mqtt"
	"aimrtrpc/runtime/rpc"
)

const (
	function = "pb:/aimrt.protocols.example.ExampleService/GetFooData"
	level    = "%2Faimrt.protocols.example.ExampleService%2FGetFooData"
	patience = 20 * time.Second
)

// mosquitto is a running broker. Debian keeps it where only root looks.
type mosquitto struct {
	t       testing.TB
	address string
	port    string
	config  string
	process *exec.Cmd
	output  *output
}

// output collects what a process says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not installed; on Debian: apt-get install mosquitto mosquitto-clients (tools/bootstrap.sh does it)", name)
	}
	return path
}

// newMosquitto starts one with its defaults, which leave TCP_NODELAY off.
func newMosquitto(t testing.TB, extra string) *mosquitto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, address: l.Addr().String(), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	l.Close()
	_, m.port, _ = net.SplitHostPort(m.address)
	if extra == "" {
		extra = "allow_anonymous true\n"
	}
	text := fmt.Sprintf("listener %s 127.0.0.1\npersistence false\nmax_inflight_messages 100\n%s", m.port, extra)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("mosquitto said:\n%s", m.output.String())
		}
	})
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.output = &output{}
	m.process = exec.Command(program(m.t, "mosquitto"), "-c", m.config)
	m.process.Stdout, m.process.Stderr = m.output, m.output
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if nc, err := net.Dial("tcp", m.address); err == nil {
			nc.Close()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			m.t.Fatalf("mosquitto is not ready:\n%s", m.output.String())
		}
	}
}

// kill ends it as a crash would.
func (m *mosquitto) kill() {
	_ = m.process.Process.Kill()
	_ = m.process.Wait()
}

// newBackend is ours, connected.
func newBackend(t testing.TB, options, plugin string, prepare func(*ours.Backend) error) *ours.Backend {
	t.Helper()
	made, err := ours.New(backendtest.Environment(t.(*testing.T), ours.Name, options, plugin))
	if err != nil {
		t.Fatal(err)
	}
	b := made.(*ours.Backend)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		b.Stop()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := prepare(b); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *mosquitto) plugin(id string) string {
	return "{broker_addr: 'tcp://" + m.address + "', client_id: " + id + ", reconnect_interval_ms: 100}"
}

func newMethod(t testing.TB, name string) *rpc.Method {
	t.Helper()
	method, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Owner: rpc.Owner{Package: "p", Module: "M"}})
	if err != nil {
		t.Fatal(err)
	}
	return method
}

// server serves the example function.
func (m *mosquitto) server(t testing.TB, qos int, handler backendtest.HandlerFunc) *ours.Backend {
	t.Helper()
	return newBackend(t, fmt.Sprintf("{servers_options: [{func_name: '(.*)', qos: %d}]}", qos), m.plugin("server"), func(b *ours.Backend) error {
		return b.RegisterService(newMethod(t, function), handler)
	})
}

// client calls the example function.
func (m *mosquitto) client(t testing.TB, qos int) (*ours.Backend, *rpc.Method) {
	t.Helper()
	method := newMethod(t, function)
	return newBackend(t, fmt.Sprintf("{clients_options: [{func_name: '(.*)', qos: %d}]}", qos), m.plugin("client"), func(b *ours.Backend) error {
		return b.RegisterClient(method)
	}), method
}

func newCall(m *rpc.Method, data []byte) *rpc.Call {
	call := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("pb", data), Backend: ours.Name, Started: time.Now()}
	call.Context.Serialization, call.Context.Timeout = "pb", 5*time.Second
	return call
}

// invoke makes a call as core does, timer included, and waits for its end.
func invoke(t testing.TB, b backend.Backend, call *rpc.Call) rpc.Status {
	t.Helper()
	timer := time.AfterFunc(call.Context.Timeout, func() { call.End(rpc.StatusOfCode(rpc.CodeTimeout)) })
	defer timer.Stop()
	b.Invoke(context.Background(), call)
	select {
	case <-call.Done():
		return call.Status()
	case <-time.After(patience):
		t.Fatal("the call did not end")
		return rpc.OK
	}
}

func response(t testing.TB, call *rpc.Call) []byte {
	t.Helper()
	data, err := call.Response().Bytes("")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// echo answers with the request.
func echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes("")
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrUnknown, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, data))
}
