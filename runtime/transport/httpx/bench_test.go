package httpx

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// pingPong is one call after the other; it returns the time of one.
type pingPong func() time.Duration

func oursPingPong(b *testing.B, size int) pingPong {
	_, p := serve(b, ServerConfig{Handler: echo})
	c := newClient(b, ClientConfig{})
	r := post(p.Addr().String(), string(make([]byte, size)))
	done := make(chan error, 1)
	return func() time.Duration {
		start := time.Now()
		r.Deadline = start.Add(5 * time.Second)
		c.Start(r, func(_ *Response, err error) { done <- err })
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
}

func netHTTPPingPong(b *testing.B, size int) pingPong {
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	client := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(func() { client.CloseIdleConnections(); peer.Close() })
	body := make([]byte, size)
	return func() time.Duration {
		start := time.Now()
		r, err := client.Post(peer.URL, "application/protobuf", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		return time.Since(start)
	}
}

// BenchmarkPingPong alternates between this package and net/http in blocks, so
// that both see the same machine, and reports the medians and their ratio.
func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ours, theirs := oursPingPong(b, size), netHTTPPingPong(b, size)
			const block = 50
			var a, z []time.Duration
			for range block {
				ours()
				theirs()
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += block {
				for range block {
					a = append(a, ours())
				}
				for range block {
					z = append(z, theirs())
				}
			}
			slices.Sort(a)
			slices.Sort(z)
			at := func(d []time.Duration, q float64) float64 { return float64(d[int(q*float64(len(d)-1))]) / 1e3 }
			b.ReportMetric(at(a, 0.5), "p50-us")
			b.ReportMetric(at(z, 0.5), "nethttp-p50-us")
			b.ReportMetric(at(a, 0.99), "p99-us")
			b.ReportMetric(at(z, 0.99), "nethttp-p99-us")
			b.ReportMetric(at(z, 0.5)/at(a, 0.5), "ratio")
		})
	}
}

// BenchmarkInFlight keeps a number of calls in flight.
func BenchmarkInFlight(b *testing.B) {
	for _, n := range []int{16, 128} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, p := serve(b, ServerConfig{Handler: echo})
			c := newClient(b, ClientConfig{})
			r := post(p.Addr().String(), string(make([]byte, 1<<10)))
			r.Deadline = time.Time{}
			var wg sync.WaitGroup
			slots := make(chan struct{}, n)
			b.ReportAllocs()
			for range b.N {
				slots <- struct{}{}
				wg.Add(1)
				c.Start(r, func(_ *Response, err error) {
					if err != nil {
						b.Error(err)
					}
					<-slots
					wg.Done()
				})
			}
			wg.Wait()
		})
	}
}
