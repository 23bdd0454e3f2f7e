package http

import (
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

func TestSuite(t *testing.T) {
	testx.NoLeaks(t)
	backendtest.Run(t, backendtest.Subject{
		Name: Name, Serves: true, AnyCode: true, FailedResponse: false, Metadata: true, UnknownCode: rpc.CodeSvrNotFound, MaxRequestBytes: 4 << 20,
		New: func(t *testing.T) backendtest.Pair {
			client, _ := newBackend(t, "", "")
			server, _ := newBackend(t, "", loopback)
			return backendtest.Pair{Client: client, Server: server, Target: func() string { return "http://" + server.Address() }}
		},
	})
}

// mostAllocs bounds what a whole call costs on both sides; net/http at both ends needs 87.
const mostAllocs = 30

func TestInvoke_Allocations(t *testing.T) {
	m := newMethod(t, function, nil, nil)
	_, address := serveAt(t, "", m, echo)
	client := clientOf(t, m, address, "")
	got := testing.AllocsPerRun(500, func() {
		call := newCall(m, "hi")
		client.Invoke(t.Context(), call)
		<-call.Done()
	})
	if got > mostAllocs {
		t.Errorf("a call allocates %v times, at most %d are expected", got, mostAllocs)
	}
}
