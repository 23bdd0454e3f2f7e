package rpc_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/rpc"
)

func newMethod(t testing.TB) *rpc.Method {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/test.Service/Do"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newCall(t testing.TB) *rpc.Call {
	return &rpc.Call{Method: newMethod(t), Context: rpc.NewClientContext()}
}

func TestFinish_ManyAtOnce_OneWinsAndLosersAreTold(t *testing.T) {
	call := newCall(t)
	var wins, released atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			p := rpc.OwnedBytesPayload("pb", []byte{byte(i)}, func() { released.Add(1) })
			if call.Finish(rpc.NewStatus(rpc.Code(4000+i), ""), p) {
				wins.Add(1)
			}
		}()
	}
	group.Wait()
	if wins.Load() != 1 || released.Load() != 15 {
		t.Fatalf("%d winners and %d released responses, want 1 and 15", wins.Load(), released.Load())
	}
	data, err := call.Response().Bytes("")
	if err != nil || rpc.Code(4000+int(data[0])) != call.Status().Code() {
		t.Fatalf("status %v and response %v are not of one winner (%v)", call.Status(), data, err)
	}
}

func TestOnFinish_Order_LastAddedFirst(t *testing.T) {
	call := newCall(t)
	var order []int
	for i := range 9 { // more than fit into the call
		call.OnFinish(func(c *rpc.Call) {
			if !c.Finished() {
				t.Error("hook runs on a call that is not finished")
			}
			order = append(order, i)
		})
	}
	call.Finish(rpc.OK, rpc.Payload{})
	for i, got := range order {
		if got != 8-i {
			t.Fatalf("order is %v", order)
		}
	}
	if len(order) != 9 {
		t.Fatalf("%d hooks ran, want 9", len(order))
	}
}

func TestOnFinish_AddedAfterFinish_RunsAtOnce(t *testing.T) {
	call := newCall(t)
	inside := false
	call.OnFinish(func(c *rpc.Call) { c.OnFinish(func(*rpc.Call) { inside = true }) })
	call.Finish(rpc.OK, rpc.Payload{})
	after := false
	call.OnFinish(func(*rpc.Call) { after = true })
	if !inside || !after {
		t.Fatalf("hook added inside a hook ran: %v, added after the end: %v", inside, after)
	}
}

func TestOnFinish_PanickingHook_OthersRunAndWaitersGo(t *testing.T) {
	before := guard.Panics()["rpc: work after a call"]
	call := newCall(t)
	ran := false
	call.OnFinish(func(*rpc.Call) { ran = true })
	call.OnFinish(func(*rpc.Call) { panic("hook") })
	call.Finish(rpc.OK, rpc.Payload{})
	<-call.Done()
	if !ran || guard.Panics()["rpc: work after a call"] != before+1 {
		t.Fatal("the panic was not contained and counted")
	}
}

func TestWait_ContextEnds_CallIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	call := newCall(t)
	if s := rpc.Wait(ctx, call); s.Code() != rpc.CodeTimeout {
		t.Fatalf("status is %v", s)
	}
	if call.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatal("the late finish was not told that it lost")
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if s := rpc.Wait(ctx, newCall(t)); s.Code() != rpc.CodeCancelled {
		t.Fatalf("status is %v", s)
	}
}

func TestWait_FinishOnAnotherGoroutine_Returns(t *testing.T) {
	call := newCall(t)
	go call.Finish(rpc.NewStatus(4242, "no"), rpc.Payload{})
	if s := rpc.Wait(context.Background(), call); s.Code() != 4242 || s.Message() != "no" {
		t.Fatalf("status is %v", s)
	}
	select {
	case <-call.Done():
	default:
		t.Fatal("Done of an ended call is open")
	}
}

func TestAttempt_OuterFinishes_OpenAttemptsAreCancelled(t *testing.T) {
	call := newCall(t)
	call.ID = 7
	call.Context.Metadata.Set("k", "v")
	done, open := call.Attempt(), call.Attempt()
	if done.ID != 7 || done.Context.Metadata.Get("k") != "v" || done.Method != call.Method {
		t.Fatal("the attempt is not a copy of the call")
	}
	done.Context.Metadata.Set("k", "other")
	if call.Context.Metadata.Get("k") != "v" {
		t.Fatal("the attempt shares metadata with the call")
	}
	done.Finish(rpc.NewStatus(rpc.CodeUnavailable, ""), rpc.Payload{})
	if call.Finished() {
		t.Fatal("an attempt finished the call")
	}
	call.Finish(rpc.OK, rpc.Payload{})
	if open.Status().Code() != rpc.CodeCancelled || done.Status().Code() != rpc.CodeUnavailable {
		t.Fatalf("attempts ended with %v and %v", open.Status(), done.Status())
	}
	if late := call.Attempt(); late.Status().Code() != rpc.CodeCancelled {
		t.Fatalf("an attempt of an ended call has status %v", late.Status())
	}
}

func TestEnd_BorrowedCall_OnlyTheHandlerEndsIt(t *testing.T) {
	call := newCall(t)
	if !call.Borrow() {
		t.Fatal("a running call could not be borrowed")
	}
	told := 0
	call.OnEnd(func(*rpc.Call) { told++ })
	first, again := call.Cancel(), call.Cancel()
	if first || again || call.Decided() || call.Finished() || !call.Unasked() || told != 1 {
		t.Fatalf("finished %v, unasked %v, told %d times", call.Finished(), call.Unasked(), told)
	}
	call.OnEnd(func(*rpc.Call) { told++ })
	if told != 2 {
		t.Fatal("OnEnd added after the end was asked for did not run at once")
	}
	if !call.Finish(rpc.OK, rpc.Payload{}) || !call.Status().OK() || !call.Decided() {
		t.Fatal("the handler could not finish the call")
	}
}

func TestFinish_AfterTheEndWasTold_IsLate(t *testing.T) {
	call := newCall(t)
	call.OnEnd(func(call *rpc.Call) {
		if !call.Unasked() || call.Finish(rpc.OK, rpc.Payload{}) {
			t.Error("a handler that was told that nobody waits could still answer")
		}
	})
	if !call.Cancel() || call.Status().Code() != rpc.CodeCancelled {
		t.Fatalf("the call ended with %v", call.Status())
	}
}

func TestBorrow_EndedCall_IsRefused(t *testing.T) {
	call := newCall(t)
	told := false
	call.OnEnd(func(*rpc.Call) { told = true })
	if !call.Cancel() || call.Borrow() || !told {
		t.Fatal("a cancelled call could be borrowed, or OnEnd did not run")
	}
	call = newCall(t)
	call.OnEnd(func(*rpc.Call) { t.Error("OnEnd of an ordinary finish ran") })
	call.Finish(rpc.OK, rpc.Payload{})
	if call.Cancel() || call.Borrow() {
		t.Fatal("a finished call was cancelled or borrowed")
	}
}

func TestBorrow_RacingCancel_ExactlyOneRule(t *testing.T) {
	for range 200 {
		call := newCall(t)
		borrowed := make(chan bool)
		go func() { borrowed <- call.Borrow() }()
		ended := call.Cancel()
		if b := <-borrowed; b == ended {
			t.Fatalf("borrowed %v and ended %v", b, ended)
		}
	}
}

func TestFilterChain_ThroughThree_AllocatesOnlyTheCall(t *testing.T) {
	after := func(*rpc.Call) {}
	filter := func(ctx context.Context, call *rpc.Call, next rpc.Next) { call.OnFinish(after); next(ctx, call) }
	chain := rpc.Next(func(_ context.Context, call *rpc.Call) { call.Finish(rpc.OK, call.Request) })
	for range 3 {
		inner := chain
		chain = func(ctx context.Context, call *rpc.Call) { filter(ctx, call, inner) }
	}
	method, callContext, ctx := newMethod(t), rpc.NewClientContext(), context.Background()
	request := rpc.BytesPayload("pb", []byte("x"))
	got := testing.AllocsPerRun(200, func() {
		chain(ctx, &rpc.Call{Method: method, Context: callContext, Request: request})
	})
	if got > 1 {
		t.Fatalf("%v allocations per call, want 1", got)
	}
}

func TestStatusOf_Errors_NeverOK(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want rpc.Code
	}{
		{"nil", nil, rpc.CodeOK},
		{"plain", errors.New("x"), rpc.CodeUnknown},
		{"status", rpc.NewStatus(4711, "m").Err(), 4711},
		{"wrapped", errors.Join(errors.New("x"), rpc.NewStatus(4711, "m").Err()), 4711},
		{"empty error", &rpc.Error{}, rpc.CodeUnknown},
		{"deadline", context.DeadlineExceeded, rpc.CodeTimeout},
		{"cancel", context.Canceled, rpc.CodeCancelled},
	}
	for _, tt := range tests {
		if got := rpc.StatusOf(tt.err); got.Code() != tt.want {
			t.Errorf("%s: code %d, want %d", tt.name, got.Code(), tt.want)
		}
	}
	if !errors.Is(rpc.StatusOfCode(rpc.CodeTimeout).Err(), context.DeadlineExceeded) || !errors.Is(rpc.StatusOfCode(rpc.CodeCancelled).Err(), context.Canceled) {
		t.Error("timeout and cancel are not the context errors")
	}
}
