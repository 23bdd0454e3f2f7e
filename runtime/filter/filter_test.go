package filter_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

func newCall(t *testing.T) *rpc.Call {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C"})
	if err != nil {
		t.Fatal(err)
	}
	return &rpc.Call{Method: m, Context: rpc.NewClientContext()}
}

func TestChain_LastListedIsOutermost(t *testing.T) {
	var order []string
	mark := func(name string) rpc.Filter {
		return func(ctx context.Context, call *rpc.Call, next rpc.Next) {
			order = append(order, name+" in")
			call.OnFinish(func(*rpc.Call) { order = append(order, name+" out") })
			next(ctx, call)
		}
	}
	last := func(_ context.Context, call *rpc.Call) {
		order = append(order, "backend")
		call.Finish(rpc.OK, rpc.Payload{})
	}
	filter.Chain([]rpc.Filter{mark("a"), mark("b")}, last)(context.Background(), newCall(t))
	if want := []string{"b in", "a in", "backend", "a out", "b out"}; !slices.Equal(order, want) {
		t.Fatalf("order is %v, want %v", order, want)
	}
}

func TestTable_SidesAreSeparate(t *testing.T) {
	var table filter.Table
	f := func(ctx context.Context, call *rpc.Call, next rpc.Next) { next(ctx, call) }
	if err := table.Add(filter.Client, "x", f); err != nil {
		t.Fatal(err)
	}
	if err := table.Add(filter.Client, "x", f); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Fatalf("second registration gives %v", err)
	}
	if err := table.Add(filter.Server, "", f); err == nil {
		t.Fatal("an empty name was accepted")
	}
	if _, ok := table.Find(filter.Server, "x"); ok || !slices.Equal(table.Names(filter.Client), []string{"x"}) {
		t.Fatal("the sides share filters")
	}
}

func TestDebugLog_Lines(t *testing.T) {
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	f := filter.DebugLog(filter.Client, logger, func(*rpc.Call) string { return "CTX" })
	tests := []struct {
		name     string
		request  rpc.Payload
		status   rpc.Status
		response rpc.Payload
		want     []string
	}{
		{"json", rpc.BytesPayload("json", []byte("{1}")), rpc.OK, rpc.BytesPayload("json", []byte("{2}")), []string{
			`level=INFO msg="RPC client start new rpc call. func name: pb:/a.B/C, context: CTX, req: {1}"`,
			`level=INFO msg="RPC client get rpc ret. func name: pb:/a.B/C, status: suc, code 0, msg: OK, rsp: {2}"`}},
		{"pb and failure", rpc.BytesPayload("pb", []byte("x")), rpc.StatusOfCode(2), rpc.Payload{}, []string{
			`level=INFO msg="RPC client start new rpc call. func name: pb:/a.B/C, context: CTX"`,
			`level=WARN msg="RPC client get rpc error ret. func name: pb:/a.B/C, status: fail, code 2, msg: Timeout"`}},
	}
	for _, tt := range tests {
		b.Reset()
		call := newCall(t)
		call.Request = tt.request
		f(context.Background(), call, func(_ context.Context, c *rpc.Call) { c.Finish(tt.status, tt.response) })
		if got := strings.Split(strings.TrimSpace(b.String()), "\n"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: lines are\n%s", tt.name, strings.Join(got, "\n"))
		}
	}
}
