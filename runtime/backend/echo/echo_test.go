package echo_test

import (
	"context"
	"testing"

	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/backend/echo"
	"aimrtrpc/runtime/rpc"
)

func TestSuite(t *testing.T) {
	for name, options := range map[string]string{"now": "", "later": "{delay_ms: 1}"} {
		t.Run(name, func(t *testing.T) {
			backendtest.Run(t, backendtest.Subject{
				Name: echo.Name, UnknownCode: rpc.CodeOK, MaxRequestBytes: 1 << 20,
				New: func(t *testing.T) backendtest.Pair {
					b, err := echo.New(backendtest.Environment(t, echo.Name, options, ""))
					if err != nil {
						t.Fatal(err)
					}
					return backendtest.Pair{Client: b, Server: b}
				},
			})
		})
	}
}

func TestOptions_CodeAndSilence(t *testing.T) {
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := echo.New(backendtest.Environment(t, echo.Name, "{code: 4711}", ""))
	if err != nil {
		t.Fatal(err)
	}
	call := &rpc.Call{Method: m, Context: rpc.NewClientContext()}
	_ = b.Start(t.Context())
	b.Invoke(context.Background(), call)
	if call.Status().Code() != 4711 {
		t.Fatalf("ended with %v", call.Status())
	}
	b, err = echo.New(backendtest.Environment(t, echo.Name, "{silent: true}", ""))
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Start(t.Context())
	call = &rpc.Call{Method: m, Context: rpc.NewClientContext()}
	b.Invoke(context.Background(), call)
	if call.Finished() {
		t.Fatal("a silent echo answered")
	}
	_ = b.Close(t.Context())
	if !call.Finished() || call.Status().OK() {
		t.Fatal("close left the call open")
	}
	if _, err := echo.New(backendtest.Environment(t, echo.Name, "{code: x}", "")); err == nil {
		t.Fatal("a wrong option type was accepted")
	}
}
