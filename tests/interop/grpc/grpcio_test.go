package grpc

import (
	"bufio"
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
)

// interpreter is the Python that has grpcio: the tools' environment, which every make target prepares.
const interpreter = "../../../build/venv/bin/python"

// peerCases are how many cases peer.py runs as a caller: those of its table, and the cancel; aio has one more.
const peerCases = 13

func pythonPeer(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	python, err := filepath.Abs(interpreter)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // beyond the test's own: a server ends in a cleanup
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, python, append([]string{"peer.py"}, args...)...)
}

func TestGRPCIO_CallsOurs(t *testing.T) {
	for kind, want := range map[string]int{"sync": peerCases, "aio": peerCases + 1} {
		t.Run(kind, func(t *testing.T) {
			testx.NoLeaks(t)
			address, left := ourServer(t)
			out, err := pythonPeer(t, "call", kind, address).CombinedOutput()
			text := string(out)
			if n := strings.Count("\n"+text, "\nok "); err != nil || n != want || strings.Contains(text, "failed ") {
				t.Errorf("%d of %d cases are ok, %v:\n%s", n, want, err, text)
			}
			for range 2 { // the deadline, then the cancel
				left.wait(t, "here")
				left.wait(t, "gone")
			}
		})
	}
}

// startPeer runs grpcio's server; what it prints after its port arrives on the channel.
func startPeer(t *testing.T, kind string) (address string, left ends) {
	t.Helper()
	cmd := pythonPeer(t, "serve", kind)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errors bytes.Buffer
	cmd.Stderr = &errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	left = make(ends, 100)
	read := make(chan struct{})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("peer.py said nothing: %v\n%s", cmd.Wait(), errors.String())
	}
	address = "127.0.0.1:" + lines.Text()
	go func() {
		defer close(read)
		for lines.Scan() {
			left <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("peer.py ended with %v\n%s", err, errors.String())
		}
	})
	return address, left
}

func TestOurs_CallsGRPCIO(t *testing.T) {
	for _, kind := range []string{"sync", "aio"} {
		t.Run(kind, func(t *testing.T) {
			testx.NoLeaks(t)
			address, left := startPeer(t, kind)
			client := ourClient(t, address, "none")
			for _, serialization := range []string{"pb", "json"} {
				for _, size := range sizes {
					body := words(size)
					if got, st := call(t, client, serialization, patience, body); !st.OK() || !bytes.Equal(got, body) {
						t.Errorf("%s, %d bytes: %d came back, %v", serialization, size, len(got), st)
					}
				}
			}
			if got, st := call(t, ourClient(t, address, "gzip"), "pb", patience, words(5000)); !st.OK() || !bytes.Equal(got, words(5000)) {
				t.Errorf("gzip: %d bytes, %v", len(got), st)
			}
			got, st := call(t, client, "pb", patience, nil, "do", "meta", "key", "value", "key-bin", "\x00ä\xff", "more", "1", "more", "2")
			if want := "value|00c3a4ff|1,2|true"; !st.OK() || string(got) != want {
				t.Errorf("metadata: %q, %v, want %q", got, st, want)
			}
			if _, st = call(t, client, "pb", patience, nil, "do", "fail"); st.Code() != rpc.CodeInvalidArgument || st.Message() != "Ärger 100 %" || st.Native().Code != "9" {
				t.Errorf("failure: %v, %+v", st, st.Native())
			}
			if _, st = call(t, client, "pb", 100*time.Millisecond, nil, "do", "wait"); st.Code() != rpc.CodeCliBackendInternalError || !strings.Contains(st.Message(), "100ms") {
				t.Errorf("deadline: %v", st)
			}
			left.wait(t, "here")
			left.wait(t, "gone")
			settings := rpc.NewClientContext()
			settings.Metadata.Set("do", "wait")
			open := client.Start(t.Context(), settings, rpc.BytesPayload("pb", nil))
			left.wait(t, "here")
			open.Cancel()
			if st = rpc.Wait(t.Context(), open); st.Code() != rpc.CodeCancelled {
				t.Errorf("cancel: %v", st)
			}
			left.wait(t, "gone")
		})
	}
}
