package aiomas

import (
	"context"
	"fmt"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend/backendtest"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// patience bounds every wait; it is only reached when something is broken.
const patience = 20 * time.Second

// functions is a tree of handlers.
func functions(t testing.TB, handlers map[string]backendtest.HandlerFunc) *dialect.Tree {
	t.Helper()
	tree := dialect.NewTree()
	for path, h := range handlers {
		if err := tree.Add(path, nil, h); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// echo answers with the payload of the call.
func echo(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes(call.Context.Serialization)
	call.Finish(rpc.StatusOf(err), rpc.BytesPayload(call.Context.Serialization, data))
}

// listen opens a listener that is closed with the test.
func listen(t testing.TB, cfg ListenConfig) *Listener {
	t.Helper()
	l, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// dial connects to a listener until the end of the test.
func dial(t testing.TB, l *Listener, cfg DialConfig) *Conn {
	t.Helper()
	cfg.Address = l.Address()
	c, err := Dial(background(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// begin starts a call of a path.
func begin(t testing.TB, c rpc.Conn, serialization, path, payload string) *rpc.Call {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	call := &rpc.Call{Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload(serialization, []byte(payload)), Started: time.Now()}
	c.Invoke(context.Background(), call)
	return call
}

// outcome waits for the end of a call and shows it.
func outcome(t testing.TB, call *rpc.Call) string {
	t.Helper()
	status := rpc.Wait(background(t), call)
	if !status.OK() {
		return fmt.Sprintf("%v %s", status.Code(), status.Message())
	}
	data, err := call.Response().Bytes("")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// gives makes a call and compares what comes of it.
func gives(t testing.TB, c *Conn, path, payload, want string) {
	t.Helper()
	if got := outcome(t, begin(t, c, c.Serialization(), path, payload)); got != want {
		t.Errorf("%s(%q) gave %q\nwant %q", path, payload, got, want)
	}
}

// received waits for a value of a channel.
func received[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case v := <-from:
		return v
	case <-late.C:
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}

// side runs f beside the test and gives what it returns.
func side[T any](f func() T) <-chan T {
	out := make(chan T, 1)
	guard.Go("test", func() { out <- f() })
	return out
}

var codecs = []wire.Codec{wire.JSON, wire.MsgPack, wire.MsgPackBlosc}
