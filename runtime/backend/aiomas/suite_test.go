package aiomas

import (
	"log/slog"
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

// newBackend makes a backend out of options in one line of YAML.
func newBackend(t *testing.T, options string) *Backend {
	t.Helper()
	b, err := makeBackend(t, options)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func makeBackend(t *testing.T, options string) (*Backend, error) {
	t.Helper()
	b, err := New(backend.Environment{Name: Name, Logger: slog.New(slog.DiscardHandler), Options: backendtest.Section(t, options)})
	if err != nil {
		return nil, err
	}
	return b.(*Backend), nil
}

func TestSuite(t *testing.T) {
	testx.NoLeaks(t)
	for _, codec := range []string{"msgpack", "msgpack_blosc"} {
		t.Run(codec, func(t *testing.T) {
			backendtest.Run(t, backendtest.Subject{
				Name: Name, Serves: true, AnyCode: true, NoCancel: true, UnknownCode: rpc.CodeSvrNotFound, MaxRequestBytes: 4 << 20,
				New: func(t *testing.T) backendtest.Pair {
					server := newBackend(t, "{listen: 'tcp://127.0.0.1:0', codec: "+codec+"}")
					return backendtest.Pair{Client: newBackend(t, "{codec: "+codec+"}"), Server: server,
						Target: func() string { return Name + "://" + server.Address() }}
				},
			})
		})
	}
}
