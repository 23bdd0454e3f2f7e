package aiomas

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	wire "aimrtrpc/runtime/wire/aiomas"
)

const (
	startTime  = time.Minute
	answerTime = 30 * time.Second
)

// peer is a running peer.py.
type peer struct {
	t      testing.TB
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan []byte
	stderr bytes.Buffer
	waited chan struct{}
}

// answer is a line that peer.py prints.
type answer struct {
	Ready  any             `json:"ready"`
	Result json.RawMessage `json:"result"`
	Raised string          `json:"raised"`
	Text   string          `json:"text"`
	Remote string          `json:"remote"`
}

// way is how the two sides are connected.
type way struct {
	codec   wire.Codec
	network string
}

func (w way) String() string { return fmt.Sprintf("%v over %s", w.codec, w.network) }

func (w way) format() wire.Format { return wire.Format{Codec: w.codec} }

// free is an address to listen on.
func (w way) free(t testing.TB) string {
	if w.network == "unix" {
		return filepath.Join(t.TempDir(), "s")
	}
	return "127.0.0.1:0"
}

func eachWay(t *testing.T, f func(*testing.T, way)) {
	for _, codec := range []wire.Codec{wire.JSON, wire.MsgPack, wire.MsgPackBlosc} {
		for _, network := range []string{"tcp", "unix"} {
			w := way{codec, network}
			t.Run(w.String(), func(t *testing.T) { f(t, w) })
		}
	}
}

// start runs peer.py and waits until it is ready.
func start(t testing.TB, mode string, w way, address string) (*peer, answer) {
	t.Helper()
	return startScript(t, "peer.py", mode, w.codec.String(), w.network, address)
}

// startScript runs a script of this folder and waits until it is ready.
func startScript(t testing.TB, script string, args ...string) (*peer, answer) {
	t.Helper()
	p := &peer{t: t, lines: make(chan []byte, 64), waited: make(chan struct{})}
	p.cmd = exec.Command(interpreter(t), append([]string{script}, args...)...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	guard.Go("test peer output", func() {
		scan := bufio.NewScanner(stdout)
		scan.Buffer(nil, 16<<20)
		for scan.Scan() {
			p.lines <- bytes.Clone(scan.Bytes())
		}
		close(p.lines)
		p.cmd.Wait()
		close(p.waited)
	})
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %v wrote:\n%s", script, args, p.stderr.String())
		}
	})
	a := p.next(startTime)
	if a.Ready == nil {
		t.Fatalf("%s %v is not ready: %+v", script, args, a)
	}
	return p, a
}

// kill ends the process as a crash would, and returns when it is gone.
func (p *peer) kill() {
	p.cmd.Process.Kill()
	for range p.lines {
	}
	<-p.waited
}

func (p *peer) next(limit time.Duration) answer {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		var a answer
		if !ok {
			<-p.waited
			p.t.Fatalf("the peer ended:\n%s", p.stderr.String())
		}
		if err := json.Unmarshal(line, &a); err != nil {
			p.t.Fatalf("the peer printed %q: %v", line, err)
		}
		return a
	case <-time.After(limit):
		p.t.Fatalf("no answer of the peer within %v", limit)
	}
	panic("unreachable")
}

// do gives the client peer a command and returns its answer.
func (p *peer) do(command map[string]any) answer {
	p.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		p.t.Fatal(err)
	}
	return p.next(answerTime)
}
