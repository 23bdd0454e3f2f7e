package grpc

import (
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

func TestSuite(t *testing.T) {
	for name, side := range map[string]struct{ options, plugin, scheme string }{
		"tcp":  {"", loopback, "grpc://"},
		"gzip": {"{compression: gzip}", loopback, "grpc://"},
	} {
		t.Run(name, func(t *testing.T) {
			testx.NoLeaks(t)
			backendtest.Run(t, backendtest.Subject{
				Name: Name, Serves: true, AnyCode: true, FailedResponse: false, Metadata: true, UnknownCode: rpc.CodeSvrNotFound, MaxRequestBytes: 4 << 20,
				New: func(t *testing.T) backendtest.Pair {
					client, _ := newBackend(t, side.options, "")
					server, _ := newBackend(t, side.options, side.plugin)
					return backendtest.Pair{Client: client, Server: server, Target: func() string { return side.scheme + server.Address() }}
				},
			})
		})
	}
}

// mostAllocs bounds what a whole call costs on both sides.
const mostAllocs = 40

func TestInvoke_Allocations(t *testing.T) {
	_, address := serve(t, echo)
	client, m := clientOf(t, "http://"+address, "")
	got := testing.AllocsPerRun(500, func() {
		call := newCall(m, "hi")
		client.Invoke(t.Context(), call)
		<-call.Done()
	})
	t.Logf("%v allocations per call", got)
	if got > mostAllocs {
		t.Errorf("a call allocates %v times, at most %d are expected", got, mostAllocs)
	}
}
