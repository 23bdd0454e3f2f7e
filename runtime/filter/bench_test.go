package filter_test

import (
	"context"
	"testing"

	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

// ofFive is how many filters the chain of these tests has.
const ofFive = 5

func pass(ctx context.Context, call *rpc.Call, next rpc.Next) { next(ctx, call) }

func passWithHook(ctx context.Context, call *rpc.Call, next rpc.Next) {
	call.OnFinish(func(*rpc.Call) {})
	next(ctx, call)
}

func chainOf(n int, f rpc.Filter) rpc.Next {
	filters := make([]rpc.Filter, n)
	for i := range filters {
		filters[i] = f
	}
	return filter.Chain(filters, func(_ context.Context, call *rpc.Call) { call.Finish(rpc.OK, rpc.Payload{}) })
}

func TestChain_FiveFilters_AllocateNothingBesidesTheCall(t *testing.T) {
	method, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C"})
	if err != nil {
		t.Fatal(err)
	}
	settings := rpc.NewClientContext()
	for name, f := range map[string]rpc.Filter{"pass": pass, "hook": passWithHook} {
		chain := chainOf(ofFive, f)
		allocations := testing.AllocsPerRun(100, func() {
			chain(context.Background(), &rpc.Call{Method: method, Context: settings})
		})
		if allocations > 1 {
			t.Errorf("%s: %v allocations per call, want the call's own one", name, allocations)
		}
	}
}

// BenchmarkChain measures what filters add. Making and ending the call is measured apart, because it costs more than they do.
func BenchmarkChain(b *testing.B) {
	method, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C"})
	if err != nil {
		b.Fatal(err)
	}
	settings := rpc.NewClientContext()
	b.Run("five pass-through alone", func(b *testing.B) {
		passed := 0
		chain := filter.Chain([]rpc.Filter{pass, pass, pass, pass, pass}, func(context.Context, *rpc.Call) { passed++ })
		call := &rpc.Call{Method: method, Context: settings}
		b.ReportAllocs()
		for b.Loop() {
			chain(context.Background(), call)
		}
		if passed == 0 {
			b.Error("no call came through")
		}
	})
	for _, tt := range []struct {
		name string
		n    int
		f    rpc.Filter
	}{{"call without filters", 0, pass}, {"call with five pass-through", ofFive, pass}, {"call with five that use OnFinish", ofFive, passWithHook}} {
		b.Run(tt.name, func(b *testing.B) {
			chain := chainOf(tt.n, tt.f)
			b.ReportAllocs()
			for b.Loop() {
				chain(context.Background(), &rpc.Call{Method: method, Context: settings})
			}
		})
	}
}
