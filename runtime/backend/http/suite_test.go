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
