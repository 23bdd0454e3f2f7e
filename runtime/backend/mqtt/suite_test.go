package mqtt

import (
	"fmt"
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

// TestSuite runs over the embedded broker: the server's process has it, the client connects to it. QoS 0 has no word for a function that
// nobody serves, so the suite takes the other two.
func TestSuite(t *testing.T) {
	for qos := 1; qos < 3; qos++ {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			testx.NoLeaks(t)
			backendtest.Run(t, backendtest.Subject{
				Name: Name, Serves: true, AnyCode: true, FailedResponse: false, Metadata: true, UnknownCode: rpc.CodeSvrNotFound, MaxRequestBytes: 900 << 10,
				New: func(t *testing.T) backendtest.Pair {
					address := freeAddress(t)
					server, _ := newBackend(t, fmt.Sprintf("{servers_options: [{func_name: '(.*)', qos: %d}]}", qos),
						"{broker_addr: embedded, client_id: server, embedded: {listen: '"+address+"'}}")
					client, _ := newBackend(t, fmt.Sprintf("{clients_options: [{func_name: '(.*)', qos: %d}]}", qos), plugin(address, "client"))
					return backendtest.Pair{Client: client, Server: server}
				},
			})
		})
	}
}
