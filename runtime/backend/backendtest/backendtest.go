// Package backendtest is the suite that every backend must pass. What a backend cannot do is stated as a capability and then checked to be
// refused in the agreed way; nothing is skipped.
//
// Only test files import it.
package backendtest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// wait bounds every wait of the suite; it is only reached by a broken backend.
const wait = 20 * time.Second

// Pair is a fresh client and server side, not started; one object when the backend stays in the process.
type Pair struct {
	Client, Server backend.Backend
	// Target is asked after the start for the to_addr of calls; nil means none.
	Target func() string
}

// Subject is the backend under test with what it can do.
type Subject struct {
	// Name under which core would list it.
	Name string
	// New makes a pair. Its resources belong to the test.
	New func(t *testing.T) Pair
	// Serves: calls reach the registered handler. Otherwise the backend answers with the request (echo).
	Serves bool
	// AnyCode: a service's own code reaches the client unchanged.
	AnyCode bool
	// FailedResponse: a response that comes with a code other than 0 reaches the client.
	FailedResponse bool
	// Metadata: the client's metadata reaches the handler.
	Metadata bool
	// NoCancel: the protocol cannot tell a handler that the caller has gone; the handler goes on and its late answer is dropped.
	NoCancel bool
	// UnknownCode is what a call of a method that nobody serves ends with.
	UnknownCode rpc.Code
	// MaxRequestBytes is the largest request to try.
	MaxRequestBytes int
}

// Environment makes what core would hand to a constructor, with options as YAML.
func Environment(t *testing.T, name, options, plugin string) backend.Environment {
	t.Helper()
	return backend.Environment{
		Name: name, Logger: slog.New(slog.DiscardHandler), Options: Section(t, options), Plugin: Section(t, plugin),
		Executor: func(name string) (backend.Executor, error) { return nil, fmt.Errorf("unknown executor %q", name) },
	}
}

// Section makes a section out of YAML; empty text gives an absent one.
func Section(t *testing.T, text string) backend.Section {
	t.Helper()
	if text == "" {
		return aimrt.Section{}
	}
	c, err := config.Load(config.Source{Name: "options.yaml", Text: "aimrt: {rpc: {backends: [{type: test, options: " + text + "}]}}"})
	if err != nil {
		t.Fatal(err)
	}
	return aimrt.Section{Node: c.RPC.Backends[0].Options}
}

// HandlerFunc is a handler made of a function.
type HandlerFunc func(ctx context.Context, call *rpc.Call)

// Handle serves a call.
func (f HandlerFunc) Handle(ctx context.Context, call *rpc.Call) { f(ctx, call) }

// fixture is a started pair with one method.
type fixture struct {
	Subject
	t      *testing.T
	pair   Pair
	method *rpc.Method
}

// Owner of the client methods; the services belong to another package, so that nothing is handed over natively.
var owner = rpc.Owner{Package: "client_pkg", Module: "Client"}

const methodName = "pb:/backendtest.Service/Do"

func newMethod(t *testing.T, name string, owner rpc.Owner) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: name, Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s Subject) start(t *testing.T, handler HandlerFunc) *fixture {
	t.Helper()
	before := guard.Live()
	f := &fixture{Subject: s, t: t, pair: s.New(t), method: newMethod(t, methodName, owner)}
	served := newMethod(t, methodName, rpc.Owner{Package: "server_pkg", Module: "Server"})
	check(t, f.pair.Server.RegisterService(served, handler))
	check(t, f.pair.Client.RegisterClient(f.method))
	check(t, f.pair.Server.Start(t.Context()))
	if f.pair.Client != f.pair.Server {
		check(t, f.pair.Client.Start(t.Context()))
	}
	t.Cleanup(func() {
		f.close()
		for end := time.Now().Add(wait); guard.Live() > before; runtime.Gosched() {
			if time.Now().After(end) {
				t.Errorf("%d goroutines are left after Close", guard.Live()-before)
				return
			}
		}
	})
	return f
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) close() {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	f.pair.Server.Stop()
	if f.pair.Client != f.pair.Server {
		if err := f.pair.Client.Close(ctx); err != nil {
			f.t.Errorf("close of the client: %v", err)
		}
	}
	if err := f.pair.Server.Close(ctx); err != nil {
		f.t.Errorf("close of the server: %v", err)
	}
}

// call makes a call as core would hand it over.
func (f *fixture) call(m *rpc.Method, data []byte) *rpc.Call {
	c := &rpc.Call{ID: 1, Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("pb", data), Backend: f.Name, Started: time.Now()}
	c.Context.Serialization, c.Context.Timeout = "pb", wait
	if f.pair.Target != nil {
		c.Context.Target = f.pair.Target()
	}
	return c
}

// run invokes a call and waits for its end.
func (f *fixture) run(call *rpc.Call) rpc.Status {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	f.pair.Client.Invoke(ctx, call)
	select {
	case <-call.Done():
		return call.Status()
	case <-ctx.Done():
		f.t.Fatalf("the call did not end within %v", wait)
		return rpc.OK
	}
}

func (f *fixture) bytes(call *rpc.Call) []byte {
	f.t.Helper()
	data, err := call.Response().Bytes("")
	check(f.t, err)
	return data
}

func echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes(call.Context.Serialization)
	if err != nil {
		call.Finish(rpc.StatusOf(err), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(call.Context.Serialization, data))
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("Unary_Bytes_ComeBack", s.testBytes)
	t.Run("Unary_ManyAtOnce_EachGetsItsOwn", s.testMany)
	t.Run("Handler_AnswersLaterElsewhere_CallEnds", s.testLater)
	t.Run("Handler_FinishesTwice_SecondIsLost", s.testTwice)
	t.Run("Status_OfTheService_ReachesTheClient", s.testStatus)
	t.Run("Metadata_OfTheClient_ReachesTheHandler", s.testMetadata)
	t.Run("UnknownMethod_EndsWithItsCode", s.testUnknown)
	t.Run("Cancel_EndsTheCallAtOnce", s.testCancel)
	t.Run("Close_OpenCallsEnd", s.testClose)
	t.Run("BeforeStart_AcceptRefuses", s.testBeforeStart)
}

func (s Subject) testBytes(t *testing.T) {
	f := s.start(t, echo)
	for _, size := range []int{0, 1, 300, s.MaxRequestBytes} {
		data := bytes.Repeat([]byte{0xa5, 0, 0xff, '\n'}, size/4+1)[:size]
		call := f.call(f.method, data)
		if status := f.pair.Client.Accept(call); !status.OK() {
			t.Fatalf("%d bytes are not accepted: %v", size, status)
		}
		if status := f.run(call); !status.OK() || !bytes.Equal(f.bytes(call), data) {
			t.Fatalf("%d bytes came back as %d with %v", size, len(f.bytes(call)), status)
		}
		if call.Peer.Scheme == "" {
			t.Error("the peer is not named")
		}
	}
}

func (s Subject) testMany(t *testing.T) {
	f := s.start(t, echo)
	var group sync.WaitGroup
	for i := range 64 {
		group.Add(1)
		guard.Go("backendtest", func() {
			defer group.Done()
			want := fmt.Sprintf("message %d", i)
			call := f.call(f.method, []byte(want))
			f.pair.Client.Invoke(context.Background(), call)
			<-call.Done()
			if data, err := call.Response().Bytes(""); err != nil || string(data) != want || !call.Status().OK() {
				t.Errorf("call %d ended with %v and %q", i, call.Status(), data)
			}
		})
	}
	group.Wait()
}

func (s Subject) testLater(t *testing.T) {
	f := s.start(t, func(ctx context.Context, call *rpc.Call) {
		guard.Go("backendtest", func() { echo(ctx, call) })
	})
	if call := f.call(f.method, []byte("later")); !f.run(call).OK() || string(f.bytes(call)) != "later" {
		t.Fatalf("ended with %v", call.Status())
	}
}

func (s Subject) testTwice(t *testing.T) {
	second := make(chan bool, 1)
	f := s.start(t, func(ctx context.Context, call *rpc.Call) {
		echo(ctx, call)
		second <- call.Finish(rpc.StatusOfCode(rpc.CodeUnknown), rpc.Payload{})
	})
	call := f.call(f.method, []byte("x"))
	if status := f.run(call); !status.OK() {
		t.Fatalf("ended with %v", status)
	}
	if s.Serves && <-second {
		t.Fatal("the second finish won")
	}
}

func (s Subject) testStatus(t *testing.T) {
	f := s.start(t, func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.NewStatus(4242, "own words"), rpc.BytesPayload("pb", []byte("with response")))
	})
	call := f.call(f.method, []byte("x"))
	status := f.run(call)
	switch {
	case !s.Serves:
		if !status.OK() {
			t.Fatalf("echo ended with %v", status)
		}
	case s.AnyCode && (status.Code() != 4242 || status.Message() != "own words"), status.OK():
		t.Fatalf("ended with %v", status)
	case s.FailedResponse != (string(f.bytes(call)) == "with response"):
		t.Fatalf("response of a failed call is %q", f.bytes(call))
	}
}

func (s Subject) testMetadata(t *testing.T) {
	seen := make(chan string, 1)
	f := s.start(t, func(ctx context.Context, call *rpc.Call) {
		name, _ := aimrt.MetadataOf(call, aimrt.KeyFunctionName)
		seen <- fmt.Sprint(call.Context.Kind, call.Context.Metadata.Get("Key Two"), call.Context.Metadata.Get("k"), aimrt.RequestID(call), name, call.Context.Timeout > 0)
		echo(ctx, call)
	})
	call := f.call(f.method, []byte("x"))
	call.Context.Metadata.Set("Key Two", "v 2/é")
	call.Context.Metadata.Set("k", "v")
	if status := f.run(call); !status.OK() {
		t.Fatalf("ended with %v", status)
	}
	if !s.Serves {
		return
	}
	got, want := <-seen, fmt.Sprint(rpc.ServerContext, "v 2/é", "v", "1", methodName, true)
	if s.Metadata != (got == want) {
		t.Fatalf("the handler saw %s, want %s", got, want)
	}
}

func (s Subject) testUnknown(t *testing.T) {
	f := s.start(t, echo)
	unknown := newMethod(t, "pb:/backendtest.Service/Nobody", owner)
	check(t, f.pair.Client.RegisterClient(unknown))
	call := f.call(unknown, []byte("x"))
	if status := f.run(call); status.Code() != s.UnknownCode {
		t.Fatalf("ended with %v, want code %d", status, s.UnknownCode)
	}
}

func (s Subject) testCancel(t *testing.T) {
	arrived, late := make(chan *rpc.Call, 1), make(chan bool, 1)
	f := s.start(t, func(_ context.Context, call *rpc.Call) { arrived <- call })
	call := f.call(f.method, []byte("x"))
	guard.Go("backendtest", func() { f.pair.Client.Invoke(context.Background(), call) })
	if !s.Serves {
		<-call.Done()
		return
	}
	server := <-arrived
	server.OnEnd(func(*rpc.Call) { late <- true })
	if !call.Cancel() || call.Status().Code() != rpc.CodeCancelled {
		t.Fatalf("cancel ended the call with %v", call.Status())
	}
	if s.NoCancel {
		if !server.Finish(rpc.OK, rpc.Payload{}) {
			t.Fatal("the handler could not answer late")
		}
		again := f.call(f.method, []byte("x"))
		guard.Go("backendtest", func() { echo(context.Background(), <-arrived) })
		if status := f.run(again); !status.OK() {
			t.Fatalf("a call after a late answer ended with %v", status)
		}
		return
	}
	select {
	case <-late:
	case <-time.After(wait):
		t.Fatal("the handler did not learn that nobody waits")
	}
	<-server.Done()
	if server.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatal("the late finish was not told that it lost")
	}
}

func (s Subject) testClose(t *testing.T) {
	arrived := make(chan *rpc.Call, 1)
	f := s.start(t, func(_ context.Context, call *rpc.Call) { arrived <- call })
	call := f.call(f.method, []byte("x"))
	guard.Go("backendtest", func() { f.pair.Client.Invoke(context.Background(), call) })
	if !s.Serves {
		<-call.Done()
		return
	}
	server := <-arrived
	f.pair.Server.Stop()
	call.Cancel() // core ends what is open before it closes a backend
	f.close()
	<-call.Done()
	server.Cancel()
	again := f.call(f.method, []byte("x"))
	if status := f.run(again); status.OK() {
		t.Fatal("a closed backend carried a call")
	}
}

func (s Subject) testBeforeStart(t *testing.T) {
	pair := s.New(t)
	m := newMethod(t, methodName, owner)
	check(t, pair.Client.RegisterClient(m))
	f := &fixture{Subject: s, t: t, pair: pair, method: m}
	defer f.close()
	call := &rpc.Call{Method: m, Context: rpc.NewClientContext(), Backend: s.Name}
	if status := pair.Client.Accept(call); status.OK() {
		t.Fatal("a backend that was not started accepts calls")
	}
}
