package h2_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"aimrtrpc/runtime/transport/h2"
)

// BenchmarkUnary makes unary gRPC calls of 64 bytes with every pair of our engine and grpc-go, in blocks that alternate, so that all see
// the same machine. "ratio" is against grpc-go to grpc-go: calls per second, and the median of one call.
func BenchmarkUnary(b *testing.B) {
	_, ours := serve(b, handler(b))
	theirs := goServer(b)
	message := make([]byte, 64)
	pairs := []struct {
		name string
		call func() error
	}{
		{"go-go", goCaller(b, theirs, message)},
		{"ours-ours", ourCaller(b, ours, message)},
		{"ours-go", ourCaller(b, theirs, message)},
		{"go-ours", goCaller(b, ours, message)},
	}
	for _, k := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("64B/%d", k), func(b *testing.B) {
			rate, p50 := make([][]float64, len(pairs)), make([][]float64, len(pairs))
			n := 100 * k
			for b.Loop() {
				for i, p := range pairs {
					began := time.Now()
					times := workers(n, k, p.call)
					rate[i] = append(rate[i], float64(n)/time.Since(began).Seconds())
					slices.Sort(times)
					p50[i] = append(p50[i], float64(times[n/2])/1e3)
				}
			}
			for i, p := range pairs {
				slices.Sort(rate[i])
				slices.Sort(p50[i])
				m := len(rate[i]) / 2
				b.ReportMetric(rate[i][m], p.name+"-calls/s")
				b.ReportMetric(p50[i][m], p.name+"-p50us")
				if i > 0 {
					b.ReportMetric(rate[i][m]/rate[0][m], p.name+"-rate-ratio")
					b.ReportMetric(p50[i][m]/p50[0][m], p.name+"-p50-ratio")
				}
			}
		})
	}
}

func ourCaller(b *testing.B, address string, message []byte) func() error {
	c := h2.NewClient(h2.ClientConfig{})
	b.Cleanup(c.Close)
	r := request(address, "Unary", message)
	return func() error {
		r := r
		r.Deadline = time.Now().Add(5 * time.Second)
		done := make(chan error, 1)
		c.Start(r, func(_ *h2.Response, err error) { done <- err })
		return <-done
	}
}

func goCaller(b *testing.B, address string, message []byte) func() error {
	conn := dialGRPC(b, address)
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		var out []byte
		return conn.Invoke(ctx, "/peer.Echo/Unary", &message, &out)
	}
}

// workers makes n calls in k goroutines.
func workers(n, k int, call func() error) []time.Duration {
	times := make([]time.Duration, n)
	var all sync.WaitGroup
	for w := range k {
		all.Go(func() {
			for i := w; i < n; i += k {
				began := time.Now()
				if err := call(); err != nil {
					panic(err)
				}
				times[i] = time.Since(began)
			}
		})
	}
	all.Wait()
	return times
}
