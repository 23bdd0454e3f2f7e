package h2

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// load makes n calls with k in flight and returns how long each took.
type load func(n, k int) []time.Duration

func oursLoad(b *testing.B, size int) load {
	_, p := serve(b, ServerConfig{Handler: echo})
	c := newClient(b, ClientConfig{})
	body := make([]byte, size)
	return func(n, k int) []time.Duration {
		return inFlight(n, k, func(done func(error)) {
			c.Start(post(p, body), func(_ *Response, err error) { done(err) })
		})
	}
}

// inFlight keeps k calls in flight until n are done; a call is started where
// the one before it ended.
func inFlight(n, k int, start func(done func(error))) []time.Duration {
	var mu sync.Mutex
	var left = n
	times := make([]time.Duration, 0, n)
	finished := make(chan error, 1)
	var one func()
	one = func() {
		began := time.Now()
		start(func(err error) {
			took := time.Since(began)
			mu.Lock()
			times = append(times, took)
			more := left > 0
			left--
			over := len(times) == n
			mu.Unlock()
			switch {
			case err != nil || over:
				select {
				case finished <- err:
				default:
				}
			case more:
				one()
			}
		})
	}
	left -= k
	for range k {
		one()
	}
	if err := <-finished; err != nil {
		panic(err)
	}
	return times
}

func h2cLoad(b *testing.B, size int) load {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})}
	running := make(chan struct{})
	start := func() { defer close(running); srv.Serve(l) }
	go start()
	transport := &http.Transport{Protocols: &protocols}
	b.Cleanup(func() { transport.CloseIdleConnections(); srv.Close(); <-running })
	client := &http.Client{Transport: transport}
	body := make([]byte, size)
	call := func() error {
		r, err := client.Post("http://"+l.Addr().String()+"/", "application/grpc", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.Copy(io.Discard, r.Body)
		return err
	}
	return func(n, k int) []time.Duration { return workers(n, k, call) }
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

func oursWorkers(b *testing.B, size int) load {
	_, p := serve(b, ServerConfig{Handler: echo})
	c := newClient(b, ClientConfig{})
	body := make([]byte, size)
	call := func() error {
		done := make(chan error, 1)
		c.Start(post(p, body), func(_ *Response, err error) { done <- err })
		return <-done
	}
	return func(n, k int) []time.Duration { return workers(n, k, call) }
}

// BenchmarkCalls alternates between the engine and net/http's h2c in blocks, so
// that both see the same machine, and reports calls per second and medians.
func BenchmarkCalls(b *testing.B) {
	for _, k := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("64B/%d", k), func(b *testing.B) {
			loads := []struct {
				name string
				run  load
			}{{"callback", oursLoad(b, 64)}, {"goroutines", oursWorkers(b, 64)}, {"h2c", h2cLoad(b, 64)}}
			rate, p50 := make([][]float64, len(loads)), make([][]float64, len(loads))
			n := 100 * k
			for _, l := range loads {
				l.run(n, k)
			}
			for b.Loop() {
				for i, l := range loads {
					began := time.Now()
					times := l.run(n, k)
					rate[i] = append(rate[i], float64(n)/time.Since(began).Seconds())
					slices.Sort(times)
					p50[i] = append(p50[i], float64(times[n/2])/1e3)
				}
			}
			for i, l := range loads {
				slices.Sort(rate[i])
				slices.Sort(p50[i])
				b.ReportMetric(rate[i][len(rate[i])/2], l.name+"-calls/s")
				b.ReportMetric(p50[i][len(p50[i])/2], l.name+"-p50us")
			}
		})
	}
}
