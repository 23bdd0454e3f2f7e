package httpx

import (
	"io"
	"strings"
	"testing"
)

// repeating delivers the same request again and again.
type repeating struct {
	scripted
	request []byte
	left    int
}

func (c *repeating) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.request), nil
}

func (c *repeating) Write(p []byte) (int, error) { return len(p), nil }

func TestServer_ParseAndAnswer_Allocations(t *testing.T) {
	request := []byte("POST /rpc/aimrt.protocols.example.ExampleService/GetFooData HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
		"User-Agent: aimrt\r\nTimeout: 3\r\nContent-Type: application/protobuf\r\naimrt-backend: http\r\n" +
		"aimrt-request%5Fid: 1\r\naimrt-serialization%5Ftype: pb\r\nContent-Length: 4\r\n\r\n\x0a\x02hi")
	head := []byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
	whole := append(append([]byte(nil), head...), "\x0a\x02hi"...)
	for _, tc := range []struct {
		name    string
		handler func(*Exchange)
		limit   float64 // the Exchange, and what a connection costs shared by its requests
	}{
		{"answer in one piece", func(x *Exchange) { x.Respond(whole, nil) }, 1.1},
		{"head and body", func(x *Exchange) { x.Respond(head, x.Body()) }, 1.1 + pooledSlack},
	} {
		srv, err := NewServer(ServerConfig{Handler: tc.handler})
		if err != nil {
			t.Fatal(err)
		}
		const requests = 1000
		perRun := testing.AllocsPerRun(10, func() {
			srv.ServeConn(&repeating{request: request, left: requests})
		})
		if each := perRun / requests; each > tc.limit {
			t.Errorf("%s: %.2f allocations per request, limit %.2f", tc.name, each, tc.limit)
		}
	}
}

// counting counts system calls that a real connection would make.
type counting struct {
	scripted
	writes int
}

func (c *counting) Write(p []byte) (int, error) {
	c.writes++
	return len(p), nil
}

func TestServer_SmallAnswer_IsOneWrite(t *testing.T) {
	srv, err := NewServer(ServerConfig{Handler: echo})
	if err != nil {
		t.Fatal(err)
	}
	c := &counting{scripted: scripted{data: []byte("POST / HTTP/1.1\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024)), piece: 1 << 16}}
	srv.ServeConn(c)
	if c.writes != 1 {
		t.Fatalf("%d writes, want 1", c.writes)
	}
}
