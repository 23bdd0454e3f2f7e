package http_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// lines collects a runtime's log.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(_ string, level config.LogLevel, _ time.Time, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += level.String() + " " + text + "\n"
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// serverConfig is a file as AimRT's users write it.
const serverConfig = `
aimrt:
  plugin:
    plugins:
      - name: net_plugin
        path: ./libaimrt_net_plugin.so
        options:
          thread_num: 4
          http_options: {listen_ip: 127.0.0.1, listen_port: 0}
  rpc:
    backends:
      - type: http
        options: {servers_options: [{func_name: "(.*)"}]}
    servers_options: [{func_name: "(.*)", enable_backends: [http]}]
`

const clientConfig = `
aimrt:
  plugin:
    plugins: [{name: net_plugin, path: ./libaimrt_net_plugin.so, options: {thread_num: 4}}]
  rpc:
    backends:
      - type: http
        options: {clients_options: [{func_name: "(.*)", server_url: "ADDRESS"}], client_options: []}
    clients_options: [{func_name: "(.*)", enable_backends: [http]}]
`

const do = "pb:/test.Service/Do"

func newRuntime(t *testing.T, text string, register func(*core.Runtime) error) *lines {
	t.Helper()
	log := &lines{}
	r := core.New(core.Options{ConfigText: text, Log: log})
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := r.Initialize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(register(r), r.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	r.FlushLog(10 * time.Second)
	return log
}

// TestRuntimes_OverHTTP carries calls from one runtime to another the whole way.
func TestRuntimes_OverHTTP(t *testing.T) {
	testx.NoLeaks(t)
	served := newRuntime(t, serverConfig, func(r *core.Runtime) error {
		m, err := r.NewModule(core.ModuleOptions{Name: "Server", Package: "p"})
		if err != nil {
			return err
		}
		_, err = m.RegisterService(core.ServiceOptions{Name: do, Handler: rpc.Next(func(_ context.Context, call *rpc.Call) {
			data, _ := call.Request.Bytes("pb")
			switch string(data) {
			case "wait": // until the caller gives up
			case "fail":
				call.Finish(rpc.NewStatus(4242, "own words"), rpc.Payload{})
			default:
				call.Finish(rpc.OK, rpc.BytesPayload("pb", []byte("answer to "+string(data)+", key "+call.Context.Metadata.Get("key"))))
			}
		})})
		return err
	})
	address := regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*`).FindString(served.String())
	if address == "" || strings.Contains(served.String(), "Unused options") {
		t.Fatalf("log of the server:\n%s", served)
	}
	var client *core.Client
	log := newRuntime(t, strings.Replace(clientConfig, "ADDRESS", address, 1), func(r *core.Runtime) error {
		m, err := r.NewModule(core.ModuleOptions{Name: "Client", Package: "p"})
		if err != nil {
			return err
		}
		client, err = m.RegisterClient(core.ClientOptions{Name: do})
		return err
	})
	if text := log.String(); strings.Contains(text, "Unused options: 'aimrt.plugin") || !strings.Contains(text, "clients_options'?") {
		t.Errorf("log of the client:\n%s", text)
	}
	settings := rpc.NewClientContext()
	settings.Metadata.Set("key", "value")
	if got, err := client.Call(t.Context(), settings, []byte("hi")); err != nil || string(got) != "answer to hi, key value" {
		t.Errorf("call: %v, %q", err, got)
	}
	if _, err := client.Call(t.Context(), nil, []byte("fail")); rpc.StatusOf(err).Code() != 4242 || rpc.StatusOf(err).Message() != "own words" {
		t.Errorf("failing call: %v", err)
	}
	for target, want := range map[string]string{"": address, "http://localhost:" + address[len("127.0.0.1:"):]: "localhost:"} {
		settings = rpc.NewClientContext()
		settings.Timeout, settings.Target = 50*time.Millisecond, target
		started := time.Now()
		_, err := client.Call(t.Context(), settings, []byte("wait"))
		status := rpc.StatusOf(err)
		if status.Code() != rpc.CodeCliUnknown || !strings.Contains(status.Message(), want) || !strings.Contains(status.Message(), "50ms") || time.Since(started) < 50*time.Millisecond {
			t.Errorf("timeout at %q: %v after %v", target, err, time.Since(started))
		}
	}
}
