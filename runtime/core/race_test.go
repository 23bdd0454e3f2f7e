package core_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

func TestShutdown_WhileCallsStart_EveryCallEnds(t *testing.T) {
	f, c := pair(t, localConfig, handlerFunc(func(ctx context.Context, call *rpc.Call) {
		guard.Go("test handler", func() { upper.Handle(ctx, call) })
	}))
	var group sync.WaitGroup
	var good atomic.Int64
	halfway := make(chan struct{})
	for range 8 {
		group.Add(1)
		guard.Go("test caller", func() {
			defer group.Done()
			for {
				_, err := c.Call(context.Background(), nil, []byte("x"))
				switch code(err) {
				case rpc.CodeOK:
					if good.Add(1) == 100 {
						close(halfway)
					}
				case rpc.CodeCliNotReady:
					return
				case rpc.CodeCancelled, rpc.CodeSvrNotReady:
				default:
					t.Errorf("a call ended with %v", err)
					return
				}
			}
		})
	}
	<-halfway
	f.stop()
	group.Wait()
}

// retry tries a call twice, with attempts, and hands over the outcome of the last.
func retry(ctx context.Context, call *rpc.Call, next rpc.Next) {
	var try func(left int)
	try = func(left int) {
		attempt := call.Attempt()
		attempt.OnFinish(func(a *rpc.Call) {
			if !a.Status().OK() && left > 0 {
				a.Response().Release()
				try(left - 1)
				return
			}
			call.Backend = a.Backend
			call.Finish(a.Status(), a.Response())
		})
		next(ctx, attempt)
	}
	try(1)
}

func TestFilter_Retry_InvokesAttempts(t *testing.T) {
	text := strings.Replace(localConfig, "enable_backends: [local]}]\n    servers", "enable_backends: [local], enable_filters: [retry]}]\n    servers", 1)
	f := newFixture(t, text, func(o *core.Options) {
		o.Filters = []core.NamedFilter{{Side: filter.Client, Name: "retry", Filter: retry}}
	})
	f.initialize()
	var tries atomic.Int64
	f.serve(f.module("Server", "a"), do, core.HandlerFunc(func(_ context.Context, call *rpc.Call, request []byte) ([]byte, error) {
		if tries.Add(1)%2 == 1 {
			return nil, rpc.NewStatus(4711, "try again").Err()
		}
		return request, nil
	}))
	c := f.client(f.module("Client", "b"), do)
	f.start()
	got, err := c.Call(context.Background(), nil, []byte("x"))
	if err != nil || string(got) != "x" || tries.Load() != 2 || c.Counter().Load() != 1 {
		t.Fatalf("%q, %v after %d tries, counter %d", got, err, tries.Load(), c.Counter().Load())
	}
}
