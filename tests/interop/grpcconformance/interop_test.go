package grpcconformance

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
	"aimrtrpc/tests/interop/grpcconformance/testservice"
)

const (
	patience  = 5 * time.Minute   // only a hang takes longer
	peersMake = "make grpc-peers" // how the peers get where peersAt says
)

// peersAt is where the programs of other projects are.
var peersAt = filepath.Join("..", "..", "..", "build", "tools", "grpcinterop")

// soak is how many large calls the soak cases make in all: GRPC_SOAK_CALLS, or few.
func soak(t *testing.T) (calls, workers int) {
	t.Helper()
	workers = 4
	text := os.Getenv("GRPC_SOAK_CALLS")
	if text == "" {
		return 40, workers
	}
	calls, err := strconv.Atoi(text)
	if err != nil || calls < workers {
		t.Fatalf("GRPC_SOAK_CALLS is %q, expected a number from %d on", text, workers)
	}
	return calls - calls%workers, workers
}

func peer(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(peersAt, name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("grpc-go's interoperability %s is not installed (%v); run: %s", name, err, peersMake)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, args...)
}

// goCases are what grpc-go's client offers without credentials and load balancing.
var goCases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
	"cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
	"unimplemented_method", "unimplemented_service", "rpc_soak", "channel_soak",
}

func TestGRPCGoClient_OurServer(t *testing.T) {
	server, err := grpcstream.Listen("127.0.0.1:0", 0, testservice.Methods())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	host, port, _ := net.SplitHostPort(server.Addr())
	calls, workers := soak(t)
	for _, name := range goCases {
		t.Run(name, func(t *testing.T) {
			out, err := peer(t, "client", "-server_host", host, "-server_port", port, "-test_case", name,
				"-soak_iterations", strconv.Itoa(calls), "-soak_num_threads", strconv.Itoa(workers),
				"-soak_overall_timeout_seconds", "240", "-soak_per_iteration_max_acceptable_latency_ms", "5000").CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out[max(0, len(out)-2000):])
			}
		})
	}
}

// goServer starts grpc-go's server and gives its address.
func goServer(t *testing.T) string {
	t.Helper()
	cmd := peer(t, "server", "-port", "0")
	cmd.Env = append(os.Environ(), "GRPC_GO_LOG_SEVERITY_LEVEL=info")
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	port := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(port)
		listening := regexp.MustCompile(`interop server listening on .*:(\d+)`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if found := listening.FindSubmatch(lines.Bytes()); found != nil {
				port <- string(bytes.Clone(found[1]))
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait()
	})
	number, ok := <-port
	if !ok {
		t.Fatal("grpc-go's server ended before it said where it listens")
	}
	return net.JoinHostPort("127.0.0.1", number)
}

func TestOurClient_GRPCGoServer(t *testing.T) {
	ourClient(t, goServer(t))
}

// TestOurClient_OurServer tells which side is wrong when one of the others fails.
func TestOurClient_OurServer(t *testing.T) {
	testx.NoLeaks(t)
	server, err := grpcstream.Listen("127.0.0.1:0", 0, testservice.Methods())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	ourClient(t, server.Addr())
}

func ourClient(t *testing.T, address string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := grpcstream.NewClient(address)
	defer c.Close()
	for _, one := range testservice.Cases() {
		t.Run(one.Name, func(t *testing.T) {
			if err := one.Run(ctx, c); err != nil {
				t.Error(err)
			}
		})
	}
	calls, workers := soak(t)
	for name, own := range map[string]bool{"rpc_soak": false, "channel_soak": true} {
		t.Run(name, func(t *testing.T) {
			if err := testservice.Soak(ctx, address, workers, calls/workers, own); err != nil {
				t.Error(err)
			}
		})
	}
}
