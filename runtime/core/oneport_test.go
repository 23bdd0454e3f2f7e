package core_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

const onePortConfig = `
aimrt:
  plugin:
    plugins:
      - {name: net_plugin, options: {thread_num: 1, http_options: {listen_ip: 127.0.0.1, listen_port: %[1]d%[2]s}}}
      - {name: grpc_plugin, options: {listen_ip: 127.0.0.1, listen_port: %[1]d%[2]s}}
  rpc:
    backends: [{type: http}, {type: grpc}]
    servers_options: [{func_name: "(.*)", enable_backends: [http, grpc], enable_filters: [who]}]
`

const oneClientConfig = `
aimrt:
  rpc:
    backends:
      - {type: http, options: {clients_options: [{func_name: "(.*)", server_url: "http://127.0.0.1:%[1]d"}]}}
      - {type: grpc, options: {clients_options: [{func_name: "(.*)", server_url: "http%[2]s://127.0.0.1:%[1]d"}]%[3]s}}
    clients_options: [{func_name: "(.*)", enable_backends: [grpc, http]}]
`

const oneFunction = "pb:/test.Service/Do"

// startServer serves a function that answers with the names its filter and its handler know of the caller.
func startServer(t *testing.T, text string) {
	t.Helper()
	seen := func(_ context.Context, call *rpc.Call, next rpc.Next) {
		call.Context.Metadata.Set("seen", fmt.Sprint(call.Backend, " ", call.Peer.Identity, " ", call.Peer.Verified))
		next(context.Background(), call)
	}
	r := core.New(core.Options{ConfigText: text, Filters: []core.NamedFilter{{Side: filter.Server, Name: "who", Filter: seen}}})
	run(t, r, func(m *core.Module) error {
		_, err := m.RegisterService(core.ServiceOptions{Name: oneFunction, Handler: core.HandlerFunc(func(_ context.Context, call *rpc.Call, _ []byte) ([]byte, error) {
			return []byte(call.Context.Metadata.Get("seen") + " " + strings.Join(call.Context.Metadata.Values("Remote-Identity"), ",")), nil
		})})
		return err
	})
}

// startClient starts a runtime that calls the function.
func startClient(t *testing.T, text string) (client *core.Client) {
	t.Helper()
	run(t, core.New(core.Options{ConfigText: text}), func(m *core.Module) (err error) {
		client, err = m.RegisterClient(core.ClientOptions{Name: oneFunction})
		return err
	})
	return client
}

func run(t *testing.T, r *core.Runtime, register func(*core.Module) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := r.Initialize(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, err := r.NewModule(core.ModuleOptions{Name: "M", Package: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(register(m), r.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, client *core.Client, target string) (string, error) {
	t.Helper()
	settings := rpc.NewClientContext()
	settings.Target, settings.Timeout = target, 20*time.Second
	got, err := client.Call(t.Context(), settings, []byte("x"))
	return string(got), err
}

func TestOnePort_HTTPAndGRPC_InTheClear(t *testing.T) {
	testx.NoLeaks(t)
	number := freePort(t)
	startServer(t, fmt.Sprintf(onePortConfig, number, ""))
	client := startClient(t, fmt.Sprintf(oneClientConfig, number, "", ""))
	for scheme, want := range map[string]string{"http": "http  false ", "grpc": "grpc  false "} {
		if got, err := ask(t, client, fmt.Sprintf("%s://127.0.0.1:%d", scheme, number)); err != nil || got != want {
			t.Errorf("%s: %q, %v", scheme, got, err)
		}
	}
}

// TestOnePort_MutualTLS_CallerIsKnown: filter and handler see the names of the caller's certificate; nobody else gets in.
func TestOnePort_MutualTLS_CallerIsKnown(t *testing.T) {
	testx.NoLeaks(t)
	a := testx.NewAuthority(t)
	a.Sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, "server")
	robot, _ := url.Parse("spiffe://test/robot")
	a.Sign(&x509.Certificate{URIs: []*url.URL{robot}, DNSNames: []string{"robot.test"}}, "robot")
	tls := func(name string) string {
		return fmt.Sprintf(", tls: {cert: '%s', key: '%s', ca: '%s'}", a.Path(name+".pem"), a.Path(name+".key"), a.Path("ca.pem"))
	}
	number := freePort(t)
	startServer(t, fmt.Sprintf(onePortConfig, number, tls("server")))
	target := fmt.Sprintf("grpc://127.0.0.1:%d", number)
	const want = "grpc spiffe://test/robot true spiffe://test/robot,robot.test"
	known := startClient(t, fmt.Sprintf(oneClientConfig, number, "s", tls("robot")))
	for _, to := range []string{"", target} {
		if got, err := ask(t, known, to); err != nil || got != want {
			t.Errorf("to %q: %q, %v", to, got, err)
		}
	}
	stranger := startClient(t, fmt.Sprintf(oneClientConfig, number, "s", fmt.Sprintf(", tls: {ca: '%s'}", a.Path("ca.pem"))))
	plain := startClient(t, fmt.Sprintf(oneClientConfig, number, "", ""))
	for name, client := range map[string]*core.Client{"without a certificate": stranger, "in the clear": plain} {
		if got, err := ask(t, client, target); err == nil {
			t.Errorf("a caller %s gets %q", name, got)
		}
	}
	if got, err := ask(t, plain, fmt.Sprintf("http://127.0.0.1:%d", number)); err == nil {
		t.Errorf("http in the clear gets %q", got)
	}
}

// TestGRPC_MisspeltOptions_AreReported shows what a user learns about a key that nothing reads.
func TestGRPC_MisspeltOptions_AreReported(t *testing.T) {
	var log lines
	r := core.New(core.Options{Log: &log, ConfigText: `
aimrt:
  plugin: {plugins: [{name: grpc_plugin, options: {listen_prt: 1}}]}
  rpc: {backends: [{type: grpc, options: {client_options: []}}]}
`})
	log.flush = r.FlushLog
	run(t, r, func(*core.Module) error { return nil })
	for _, want := range []string{"options.listen_port'?", "options.clients_options'?"} {
		if log.containing(want) == 0 {
			t.Errorf("the log does not say %s:\n%s", want, strings.Join(log.all, "\n"))
		}
	}
}
