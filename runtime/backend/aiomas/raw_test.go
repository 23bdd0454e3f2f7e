package aiomas

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// rawDial connects to a listener without this package.
func rawDial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(l.Address(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// frame puts the length in front of a payload.
func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// TestConn_QueueFull_KeepsTheOrder calls a peer that reads only afterwards.
func TestConn_QueueFull_KeepsTheOrder(t *testing.T) {
	testx.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := side(func() net.Conn { nc, _ := l.Accept(); return nc })
	c, err := Dial(background(t), DialConfig{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nc := received(t, "the connection", accepted)
	defer nc.Close()
	const calls = 400 // 25 MiB: more than any socket takes
	open := make([]*rpc.Call, calls)
	for i := range open {
		open[i] = begin(t, c, "json", "x", fmt.Sprintf(`[["%s", %d], {}]`, strings.Repeat("x", 64<<10), i))
	}
	s := c.current
	s.mu.Lock()
	held := len(s.backlog)
	s.mu.Unlock()
	if held == 0 {
		t.Fatal("the socket took everything")
	}
	open[calls-1].Cancel()
	f := wire.Format{}
	for i := range calls - 1 {
		payload := readFrame(t, nc)
		m, err := f.Decode(payload)
		if id, _ := m.ID.Number(); err != nil || id != uint64(i) {
			t.Fatalf("request %d has id %d, %v", i, id, err)
		}
		reply, err := f.AppendMessage(nil, wire.Result, m.ID, f.AppendInt(nil, int64(i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(frame(reply)); err != nil {
			t.Fatal(err)
		}
		if got := outcome(t, open[i]); got != fmt.Sprint(i) {
			t.Fatalf("call %d: %s", i, got)
		}
	}
	testx.Eventually(t, "the queue to be empty", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.draining && s.backlog == nil
	})
}

// readFrame takes one payload off a socket.
func readFrame(t *testing.T, nc net.Conn) []byte {
	t.Helper()
	head := make([]byte, 4)
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, head); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(nc, payload); err != nil {
		t.Fatal(err)
	}
	return payload
}
