// Command grpcbench measures unary gRPC calls between two processes: whole runtimes of ours, or grpc-go.
//
// grpcbench ours|grpcgo serve prints its port and serves until its input ends.
// grpcbench ours|grpcgo call PORT COUNT calls with 64 B and 1 KiB and 1, 16 and 128 calls in flight, COUNT calls each. For every combination
// it prints two JSON lines, in microseconds: the median of a call, and the time per call that the rate comes to.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

const (
	function = "pb:/bench.Echo/Do"
	path     = "/bench.Echo/Do"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "grpcbench:", err)
		os.Exit(1)
	}
}

// caller makes one call after the other; it is used by many goroutines.
type caller func(message []byte) ([]byte, error)

func run(args []string) error {
	if len(args) == 2 && args[1] == "serve" {
		serve := map[string]func() error{"ours": serveOurs, "grpcgo": serveGo}[args[0]]
		if serve == nil {
			return fmt.Errorf("there is no server %q", args[0])
		}
		return serve()
	}
	if len(args) != 4 || args[1] != "call" {
		return errors.New("usage: grpcbench ours|grpcgo serve | grpcbench ours|grpcgo call PORT COUNT")
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	dial := map[string]func(string) (caller, error){"ours": dialOurs, "grpcgo": dialGo}[args[0]]
	if dial == nil {
		return fmt.Errorf("there is no client %q", args[0])
	}
	call, err := dial("127.0.0.1:" + args[2])
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for _, size := range []int{64, 1024} {
		for _, flight := range []int{1, 16, 128} {
			if _, _, err := measure(call, size, flight, count/10+flight); err != nil { // warms up
				return err
			}
			median, each, err := measure(call, size, flight, count)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("grpc.%s.%d.%d", args[0], size, flight)
			err = errors.Join(out.Encode(map[string]any{"name": name + ".p50", "unit": "us", "value": median}),
				out.Encode(map[string]any{"name": name + ".each", "unit": "us", "value": each}))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measure keeps a number of calls in flight.
func measure(call caller, size, flight, count int) (median, each float64, err error) {
	message := bytes.Repeat([]byte("x"), size)
	per := max(count/flight, 1)
	times := make([][]time.Duration, flight)
	failed := make([]error, flight)
	var group sync.WaitGroup
	began := time.Now()
	for i := range flight {
		group.Add(1)
		guard.Go("grpcbench", func() {
			defer group.Done()
			for range per {
				start := time.Now()
				got, err := call(message)
				if err != nil || len(got) != size {
					failed[i] = fmt.Errorf("%d bytes came back: %w", len(got), err)
					return
				}
				times[i] = append(times[i], time.Since(start))
			}
		})
	}
	group.Wait()
	total := time.Since(began)
	all := slices.Concat(times...)
	slices.Sort(all)
	if err := errors.Join(failed...); err != nil {
		return 0, 0, err
	}
	return float64(all[len(all)/2]) / 1e3, float64(total) / 1e3 / float64(len(all)), nil
}

func serveOurs() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	number := l.Addr().(*net.TCPAddr).Port
	l.Close()
	r, err := start(fmt.Sprintf("{plugin: {plugins: [{name: grpc_plugin, options: {listen_port: %d}}]}, rpc: {backends: [{type: grpc}], "+
		"servers_options: [{func_name: '.*', enable_backends: [grpc]}]}}", number), func(m *core.Module) error {
		_, err := m.RegisterService(core.ServiceOptions{Name: function, Handler: core.HandlerFunc(
			func(_ context.Context, _ *rpc.Call, request []byte) ([]byte, error) { return request, nil })})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println(number)
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, r.Shutdown(context.Background()))
}

func dialOurs(address string) (caller, error) {
	var client *core.Client
	_, err := start("{rpc: {backends: [{type: grpc, options: {clients_options: [{func_name: '.*', server_url: 'http://"+address+"'}]}}], "+
		"clients_options: [{func_name: '.*', enable_backends: [grpc]}]}}", func(m *core.Module) (err error) {
		client, err = m.RegisterClient(core.ClientOptions{Name: function})
		return err
	})
	return func(message []byte) ([]byte, error) { return client.Call(context.Background(), nil, message) }, err
}

func start(text string, register func(*core.Module) error) (*core.Runtime, error) {
	r := core.New(core.Options{ConfigText: "aimrt: " + text, Log: silent{}})
	if err := r.Initialize(context.Background()); err != nil {
		return nil, err
	}
	m, err := r.NewModule(core.ModuleOptions{Name: "bench", Package: "bench"})
	if err == nil {
		err = register(m)
	}
	if err == nil {
		err = r.Start(context.Background())
	}
	return r, err
}

// bytesCodec lets grpc-go carry bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (bytesCodec) Name() string { return "proto" }

func serveGo() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := grpc.NewServer(grpc.ForceServerCodec(bytesCodec{}))
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Echo", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Do",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var message []byte
			err := decode(&message)
			return &message, err
		}}}}, nil)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	guard.Go("grpcbench serve", func() { _ = srv.Serve(l) })
	_, err = io.Copy(io.Discard, os.Stdin)
	srv.Stop()
	return err
}

func dialGo(address string) (caller, error) {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	return func(message []byte) ([]byte, error) {
		var out []byte
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // as ours by default
		defer cancel()
		err := conn.Invoke(ctx, path, &message, &out)
		return out, err
	}, err
}

// silent drops a runtime's log.
type silent struct{}

func (silent) Write(string, config.LogLevel, time.Time, string) {}
