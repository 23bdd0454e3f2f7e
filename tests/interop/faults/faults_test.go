package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

const (
	function = "pb:/peer.Echo/Do"
	workers  = 16
	lateness = 2 * time.Second // after its deadline a call may end; only a hang or a busy machine reaches it
	recovery = 5 * time.Second // until the first call succeeds after a fault
	short    = 300 * time.Millisecond
	long     = 20 * time.Second
)

// sides are the configurations of a backend; each client's has the proxy's address to fill in.
var sides = []struct{ backend, server, client string }{
	{
		"http",
		`plugin: {plugins: [{name: net_plugin, options: {thread_num: 1, http_options: {listen_ip: 127.0.0.1, listen_port: 0}}}]}
  rpc: {backends: [{type: http}], `,
		`rpc: {backends: [{type: http, options: {clients_options: [{func_name: "(.*)", server_url: "http://%s"}]}}], `,
	},
	{
		"grpc",
		`plugin: {plugins: [{name: grpc_plugin, options: {listen_ip: 127.0.0.1, listen_port: 0}}]}
  rpc: {backends: [{type: grpc}], `,
		`rpc: {backends: [{type: grpc, options: {clients_options: [{func_name: "(.*)", server_url: "http://%s"}]}}], `,
	},
	{
		"aiomas",
		`rpc: {backends: [{type: aiomas, options: {listen: "tcp://127.0.0.1:0", codec: msgpack}}], `,
		`rpc: {backends: [{type: aiomas, options: {codec: msgpack, clients_options: [{func_name: "(.*)", server_url: "aiomas://%s"}]}}], `,
	},
}

const (
	head       = "aimrt:\n  log: {backends: [{type: console}], core_lvl: Fatal}\n  "
	serverTail = `servers_options: [{func_name: "(.*)", enable_backends: [%s]}]}` + "\n"
	clientTail = `clients_options: [{func_name: "(.*)", enable_backends: [%s]}]}` + "\n"
)

// fates says what calls during a fault must come to.
type fate int

const (
	ends     fate = iota // with any status
	fails                // none may succeed
	succeeds             // all must
)

var faults = []struct {
	name    string
	fault   fault
	size    int // of a message
	timeout time.Duration
	fate    fate
}{
	{"cut", fault{closes: true}, 64, short, fails},
	{"reset", fault{closes: true, abrupt: true}, 64, short, fails},
	{"reset inside a message", fault{resetAfter: 150}, 4096, short, fails},
	{"swallow", fault{swallows: true}, 64, short, fails},
	{"delay", fault{delay: 20 * time.Millisecond}, 64, long, succeeds},
	{"throttle", fault{rate: 64 << 10}, 64, long, succeeds},
	{"throttle large messages", fault{rate: 64 << 10}, 256 << 10, short, fails},
	{"slice", fault{piece: 3}, 1000, long, succeeds},
}

// TestFaults spoils the way to a server while 16 callers use it. Whatever happens, every call ends with a status at its deadline, none is
// served twice, and once the way is whole again, every call succeeds.
func TestFaults(t *testing.T) {
	for _, side := range sides {
		t.Run(side.backend, func(t *testing.T) {
			testx.NoLeaks(t)
			s := &served{}
			server := run(t, head+side.server+fmt.Sprintf(serverTail, side.backend), func(m *core.Module) error {
				_, err := m.RegisterService(core.ServiceOptions{Name: function, Handler: rpc.Next(s.echo)})
				return err
			})
			p := newProxy(t, server.Address(side.backend))
			r := &rig{proxy: p}
			run(t, head+fmt.Sprintf(side.client, p.address())+fmt.Sprintf(clientTail, side.backend), func(m *core.Module) (err error) {
				r.client, err = m.RegisterClient(core.ClientOptions{Name: function})
				return err
			})
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					r.mustSucceed(t, "before the fault", 5)
					p.set(f.fault)
					if during := r.round(t, 3, f.size, f.timeout); f.fate == fails && during.good > 0 || f.fate == succeeds && during.bad > 0 {
						t.Errorf("during the fault %d calls succeeded, %d did not, the last with: %v", during.good, during.bad, during.last)
					}
					p.set(fault{})
					took := r.recover(t)
					r.mustSucceed(t, "after the fault", 20)
					t.Logf("first success %v after the fault", took.Round(time.Millisecond))
				})
			}
			s.check(t)
		})
	}
}

// run starts a runtime.
func run(t *testing.T, config string, register func(*core.Module) error) *core.Runtime {
	t.Helper()
	r := core.New(core.Options{ConfigText: config})
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
	return r
}

// served counts how often each call was served.
type served struct{ times sync.Map }

func (s *served) echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes("pb")
	number, _, _ := bytes.Cut(data, []byte(" "))
	counter, _ := s.times.LoadOrStore(string(number), new(atomic.Int32))
	counter.(*atomic.Int32).Add(1)
	call.Finish(rpc.StatusOf(err), rpc.BytesPayload("pb", bytes.Clone(data)))
}

func (s *served) check(t *testing.T) {
	t.Helper()
	s.times.Range(func(number, counter any) bool {
		if n := counter.(*atomic.Int32).Load(); n != 1 {
			t.Errorf("call %v was served %d times", number, n)
		}
		return true
	})
}

// rig calls through the proxy.
type rig struct {
	client *core.Client
	proxy  *proxy
	number atomic.Int64
}

// message is unlike all others.
func (r *rig) message(size int) []byte {
	m := strconv.AppendInt(nil, r.number.Add(1), 10)
	m = append(m, ' ')
	return append(m, bytes.Repeat([]byte("x"), max(0, size-len(m)))...)
}

// call makes a call and checks that it ends in time, with its own answer.
func (r *rig) call(t *testing.T, size int, timeout time.Duration) rpc.Status {
	settings := rpc.NewClientContext()
	settings.Timeout = timeout
	request := r.message(size)
	began := time.Now()
	response, err := r.client.Call(context.Background(), settings, request)
	if took := time.Since(began); took > timeout+lateness {
		t.Errorf("a call with a timeout of %v ended after %v: %v", timeout, took, err)
	}
	if err == nil && !bytes.Equal(response, request) {
		t.Errorf("the answer to %.20q is %.20q", request, response)
	}
	return rpc.StatusOf(err)
}

// tally is what came of many calls.
type tally struct {
	good, bad int
	last      rpc.Status // that was not OK
}

// round has every worker make some calls.
func (r *rig) round(t *testing.T, each, size int, timeout time.Duration) tally {
	var mu sync.Mutex
	var sum tally
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				status := r.call(t, size, timeout)
				mu.Lock()
				if status.OK() {
					sum.good++
				} else {
					sum.bad++
					sum.last = status
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return sum
}

func (r *rig) mustSucceed(t *testing.T, when string, each int) {
	t.Helper()
	if sum := r.round(t, each, 64, long); sum.bad > 0 {
		t.Fatalf("%s %d of %d calls did not succeed, the last with: %v", when, sum.bad, sum.good+sum.bad, sum.last)
	}
}

// recover calls until a call succeeds.
func (r *rig) recover(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		status := r.call(t, 64, short)
		took := time.Since(began)
		if status.OK() {
			return took
		}
		if took > recovery {
			t.Fatalf("%v after the fault calls do not succeed: %v", took, status)
		}
	}
}
