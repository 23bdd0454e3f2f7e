package faults

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2/grpcframe"
)

const (
	attackers = 20        // connections of one attack
	maxGrowth = 256 << 20 // of the heap; what the attackers announce is many times as much
	patience  = 30 * time.Second
	calls     = 10 // of each good caller during an attack
)

// victim serves all three backends, http and grpc on one port.
const victim = head + `plugin:
    plugins:
      - {name: net_plugin, options: {thread_num: 1, http_options: {listen_ip: 127.0.0.1, listen_port: %[1]d}}}
      - {name: grpc_plugin, options: {listen_ip: 127.0.0.1, listen_port: %[1]d}}
  rpc:
    backends: [{type: http}, {type: grpc}, {type: aiomas, options: {listen: "tcp://127.0.0.1:0", codec: msgpack}}]
    servers_options: [{func_name: "(.*)", enable_backends: [http, grpc, aiomas]}]
`

// attacker is one connection of an attack.
type attacker struct {
	net.Conn
	framer *http2.Framer // behind the preface
}

// attack is what attackers do, each on its own connection.
type attack struct {
	name   string
	aiomas bool // to the port of aiomas
	http2  bool
	act    func(a *attacker)
	// The connection ends, the answer says so, or, when both are empty, the attacker is merely there until the good calls are through.
	ends   bool
	answer string
}

var attacks = []attack{
	{name: "rapid reset", http2: true, ends: true, act: func(a *attacker) {
		head := block(nil)
		for i := range uint32(2500) {
			a.try(a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: head, EndHeaders: true}))
			a.try(a.framer.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
		}
	}},
	{name: "CONTINUATION flood", http2: true, ends: true, act: func(a *attacker) {
		a.try(a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(nil)}))
		more := block(nil)
		for range 2000 {
			a.try(a.framer.WriteContinuation(1, false, more))
		}
	}},
	{name: "SETTINGS flood", http2: true, ends: true, act: func(a *attacker) {
		for range 3000 {
			a.try(a.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}))
		}
	}},
	{name: "header bomb of HTTP/2", http2: true, answer: "431", act: func(a *attacker) {
		a.open(1, []string{"bomb", strings.Repeat("x", 15000), "bomb", strings.Repeat("x", 15000), "bomb", strings.Repeat("x", 15000),
			"bomb", strings.Repeat("x", 15000), "bomb", strings.Repeat("x", 15000)})
	}},
	{name: "header bomb of HTTP/1.1", ends: true, act: func(a *attacker) {
		a.write("POST / HTTP/1.1\r\nHost: a\r\n")
		for i := range 1000 {
			a.write(fmt.Sprintf("Bomb-%d: %s\r\n", i, strings.Repeat("x", 1000)))
		}
	}},
	{name: "gzip bomb", http2: true, answer: "grpc-status 8", act: func(a *attacker) {
		for i := range uint32(bombs) {
			a.open(2*i+1, []string{"grpc-encoding", "gzip"})
			a.message(2*i+1, 1, uint32(len(bomb())), bomb(), true)
		}
	}},
	{name: "prefix of 2 GiB over grpc", http2: true, answer: "grpc-status 8", act: func(a *attacker) {
		a.open(1, nil)
		a.message(1, 0, 1<<31, make([]byte, 1000), true)
	}},
	{name: "prefix of 2 GiB that stays open", http2: true, act: func(a *attacker) {
		a.open(1, nil)
		a.message(1, 0, 1<<31, make([]byte, 1000), false)
	}},
	{name: "content-length of 2 GiB", answer: "413", act: func(a *attacker) {
		a.write("POST /rpc/peer.Echo/Do HTTP/1.1\r\nHost: a\r\nContent-Type: application/protobuf\r\nContent-Length: 2147483648\r\n\r\n")
	}},
	{name: "frame of 4 GiB over aiomas", aiomas: true, ends: true, act: func(a *attacker) { a.write("\xff\xff\xff\xff") }},
	{name: "slow loris of HTTP/1.1", act: func(a *attacker) { a.write("POST /rpc/peer.Echo/Do HTTP/1.1\r\nHo") }},
	{name: "slow loris of HTTP/2", act: func(a *attacker) { a.write("PRI * HTTP/2.0\r\n") }},
	{name: "slow loris inside a header block", http2: true, act: func(a *attacker) {
		a.try(a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(nil)}))
	}},
	{name: "silence", act: func(*attacker) {}},
	{name: "silence over aiomas", aiomas: true, act: func(*attacker) {}},
}

// bombs of 8 KiB, which inflate to 8 MiB each, go over one connection.
const bombs = 50

var bomb = sync.OnceValue(func() []byte { return grpcframe.Gzip(nil, make([]byte, 8<<20)) })

// block is a header block of a call with more fields.
func block(more []string) []byte {
	var out bytes.Buffer
	enc := hpack.NewEncoder(&out)
	pairs := append([]string{":method", "POST", ":scheme", "http", ":path", "/peer.Echo/Do", ":authority", "a", "content-type", "application/grpc"}, more...)
	for i := 0; i < len(pairs); i += 2 {
		_ = enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1], Sensitive: true}) // a bytes.Buffer takes everything
	}
	return out.Bytes()
}

// try ignores what fails because the victim has closed the connection.
func (a *attacker) try(error) {}

func (a *attacker) write(text string) {
	_, err := io.WriteString(a.Conn, text)
	a.try(err)
}

// open begins a stream; a long block goes out in several frames.
func (a *attacker) open(stream uint32, more []string) {
	const piece = 16000
	whole := block(more)
	first := whole[:min(piece, len(whole))]
	a.try(a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndHeaders: len(first) == len(whole)}))
	for rest := whole[len(first):]; len(rest) > 0; {
		n := min(piece, len(rest))
		a.try(a.framer.WriteContinuation(stream, n == len(rest), rest[:n]))
		rest = rest[n:]
	}
}

// message sends a gRPC message of any announced length.
func (a *attacker) message(stream uint32, flag byte, announced uint32, data []byte, end bool) {
	const piece = 16000
	data = append([]byte{flag, byte(announced >> 24), byte(announced >> 16), byte(announced >> 8), byte(announced)}, data...)
	for len(data) > 0 {
		n := min(piece, len(data))
		a.try(a.framer.WriteData(stream, end && n == len(data), data[:n]))
		data = data[n:]
	}
}

// heard reads what the victim says: until the text comes, or, when it is empty, until the end.
func (a *attacker) heard(text string) error {
	if err := a.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var err error
	said := ""
	if a.framer != nil {
		said, err = a.frames(text)
	} else {
		var line string
		for in := bufio.NewReader(io.LimitReader(a.Conn, 64<<10)); err == nil && (text == "" || !strings.Contains(said, text)); said += line {
			line, err = in.ReadString('\n')
		}
	}
	switch {
	case text != "" && strings.Contains(said, text):
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("after %v neither the end nor %q was heard, but %.200q", patience, text, said)
	case text != "":
		return fmt.Errorf("heard %.200q and %v, expected %q", said, err, text)
	}
	return nil
}

// frames reads frames, and gives the status fields in them.
func (a *attacker) frames(text string) (said string, err error) {
	fields := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == ":status" || f.Name == "grpc-status" {
			said += f.Name + " " + f.Value + "\n"
		}
	})
	for text == "" || !strings.Contains(said, text) {
		f, err := a.framer.ReadFrame()
		if err != nil {
			return said, err
		}
		if h, ok := f.(*http2.HeadersFrame); ok {
			if _, err := fields.Write(h.HeaderBlockFragment()); err != nil {
				return said, err
			}
		}
	}
	return said, nil
}

func (a *attack) begin(address string) (*attacker, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	out := &attacker{Conn: c}
	if err = c.SetWriteDeadline(time.Now().Add(patience)); err == nil && a.http2 {
		out.framer = http2.NewFramer(c, c)
		if _, err = io.WriteString(c, http2.ClientPreface); err == nil {
			err = out.framer.WriteSettings()
		}
	}
	return out, err
}

// TestAttacks has 20 connections at a time attack a server of all backends while others call it: what they do is answered or their connection
// ends, every call of the others succeeds, and memory stays bounded.
func TestAttacks(t *testing.T) {
	testx.NoLeaks(t)
	s := &served{}
	server := run(t, fmt.Sprintf(victim, freePort(t)), func(m *core.Module) error {
		_, err := m.RegisterService(core.ServiceOptions{Name: function, Handler: rpc.Next(s.echo)})
		return err
	})
	var good []*rig
	for i, side := range sides {
		r := &rig{}
		r.number.Store(int64(i) << 32)
		run(t, head+fmt.Sprintf(side.client, server.Address(side.backend))+fmt.Sprintf(clientTail, side.backend), func(m *core.Module) (err error) {
			r.client, err = m.RegisterClient(core.ClientOptions{Name: function})
			return err
		})
		good = append(good, r)
	}
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			address := server.Address("http")
			if a.aiomas {
				address = server.Address("aiomas")
			}
			a.run(t, address, good)
		})
	}
	s.check(t)
}

func (a *attack) run(t *testing.T, address string, good []*rig) {
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	through := make(chan struct{})
	var attacking atomic.Int32
	ready := make(chan struct{}, attackers)
	for range attackers {
		all.Go(func() {
			c, err := a.begin(address)
			if err != nil {
				t.Error(err)
				ready <- struct{}{}
				return
			}
			defer c.Close()
			attacking.Add(1)
			ready <- struct{}{}
			a.act(c)
			if a.ends || a.answer != "" {
				if err := c.heard(a.answer); err != nil {
					t.Error(err)
				}
				return
			}
			<-through
		})
	}
	for range attackers {
		<-ready
	}
	var peak atomic.Uint64
	var calling sync.WaitGroup
	for _, r := range good {
		calling.Go(func() {
			for range calls {
				if status := r.call(t, 1000, long); !status.OK() {
					t.Errorf("a call of another client: %v", status)
				}
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				peak.Store(max(peak.Load(), now.HeapAlloc))
			}
		})
	}
	calling.Wait()
	close(through)
	all.Wait()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if highest := max(peak.Load(), after.HeapAlloc); highest > before.HeapAlloc+maxGrowth {
		t.Errorf("the heap grew from %d to %d bytes, expected at most %d more", before.HeapAlloc, highest, maxGrowth)
	}
	if n := attacking.Load(); n != attackers {
		t.Errorf("%d connections attacked, expected %d", n, attackers)
	}
}

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
