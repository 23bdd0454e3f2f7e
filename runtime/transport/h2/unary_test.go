package h2

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"aimrtrpc/internal/testx"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range min(n, 1021) {
		b[i] = byte(i * 7 >> 3)
	}
	for have := 1021; have < n; have *= 2 {
		copy(b[have:], b[:have])
	}
	return b
}

func TestUnary_EchoOfEverySize(t *testing.T) {
	testx.NoLeaks(t)
	for _, where := range []string{"tcp", "unix"} {
		t.Run(where, func(t *testing.T) {
			listen := serve
			if where == "unix" {
				listen = serveUnix
			}
			_, p := listen(t, ServerConfig{Handler: echo})
			c := newClient(t, ClientConfig{})
			for _, n := range []int{0, 1, 64, 16 << 10, 16<<10 + 1, 70000, 1 << 20, 9 << 20, 64 << 20} {
				body := pattern(n)
				got := do(t, c, post(p, body))
				if got.err != nil || got.status != 200 || !bytes.Equal(got.body, body) || field(got.trailers, "grpc-status") != "0" {
					t.Fatalf("%d bytes: status %d, %d bytes back, trailers %v, error %v", n, got.status, len(got.body), got.trailers, got.err)
				}
			}
		})
	}
}

func TestUnary_ManyAtOnceAndManyAfterOneAnother(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo, Limits: Limits{MaxStreams: 20}})
	c := newClient(t, ClientConfig{})
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 50 {
				body := fmt.Appendf(nil, "call %d of %d", j, i)
				if got := do(t, c, post(p, body)); got.err != nil || !bytes.Equal(got.body, body) {
					t.Errorf("%s: %q, %v", body, got.body, got.err)
					return
				}
			}
		})
	}
	all.Wait()
}
