package grpc

import (
	"bytes"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"aimrtrpc/internal/testx"
)

// TestServer_FramesOfAimRTsClient sends the frames of a captured call as AimRT's client does: huge windows, data without an end, then an
// empty frame that ends the stream.
func TestServer_FramesOfAimRTsClient(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serve(t, echo)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	framer := sendCall(t, c)
	var lists [][]hpack.HeaderField
	var data []byte
	for len(lists) < 2 {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			lists = append(lists, f.Fields)
			if f.StreamEnded() != (len(lists) == 2) {
				t.Error("the stream ends with another frame than the trailers")
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				t.Error("the stream ends with a DATA frame, AimRT's client waits for trailers")
			}
			data = append(data, f.Data()...)
		}
	}
	if string(data) != framed("echo \x0a\x02hi") {
		t.Errorf("data %q", data)
	}
	for i, want := range [][]hpack.HeaderField{{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}, {{Name: "grpc-status", Value: "0"}}} {
		got := lists[i]
		for j := range got {
			got[j].Sensitive = false
		}
		if len(got) != len(want) {
			t.Errorf("list %d: %v", i, got)
			continue
		}
		for j := range want {
			if got[j] != want[j] {
				t.Errorf("field %d of list %d: %v, want %v", j, i, got[j], want[j])
			}
		}
	}
}

// sendHead opens the connection and writes the head of AimRT's call with further fields.
func sendHead(t *testing.T, c net.Conn, more ...[2]string) *http2.Framer {
	t.Helper()
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, f := range append([][2]string{
		{":method", "POST"}, {":path", path}, {":scheme", "http"}, {":authority", "127.0.0.1"}, {"content-type", "application/grpc+proto"},
		{"aimrt-request_id", "1"}, {"aimrt-backend", "grpc"}, {"grpc-timeout", "3000000000n"}, {"user-agent", "grpc-c++-aimrt/1.7.0"},
		{"aimrt-serialization_type", "pb"}, {"te", "trailers"},
	}, more...) {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: len(f[1]) > 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	const most = 16384
	writes := []func() error{
		func() error {
			return framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 100}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
		},
		func() error { return framer.WriteWindowUpdate(0, 2147418112) },
		func() error {
			last := head.Len() <= most
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Next(most), EndHeaders: last})
		},
	}
	for _, write := range writes {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	for head.Len() > 0 {
		part := head.Next(most)
		if err := framer.WriteContinuation(1, head.Len() == 0, part); err != nil {
			t.Fatal(err)
		}
	}
	return framer
}

// sendCall writes the frames of a call.
func sendCall(t *testing.T, c net.Conn) *http2.Framer {
	t.Helper()
	framer := sendHead(t, c)
	for _, write := range []func() error{
		func() error { return framer.WriteData(1, false, []byte("\x00\x00\x00\x00\x04\x0a\x02hi")) },
		func() error { return framer.WriteData(1, true, nil) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	return framer
}
