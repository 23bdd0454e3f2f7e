package httpx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// scripted is a connection that delivers data in pieces of the given size and
// keeps what is written.
type scripted struct {
	data    []byte
	piece   int
	written bytes.Buffer
}

func (c *scripted) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.piece)], c.data)
	c.data = c.data[n:]
	return n, nil
}

func (c *scripted) Write(p []byte) (int, error)      { return c.written.Write(p) }
func (c *scripted) Close() error                     { return nil }
func (c *scripted) LocalAddr() net.Addr              { return nil }
func (c *scripted) RemoteAddr() net.Addr             { return nil }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// transcript is what a server saw in a byte stream and what it wrote.
func transcript(t *testing.T, data []byte, piece int) string {
	var seen strings.Builder
	srv, err := NewServer(ServerConfig{MaxBodyBytes: 1 << 16, MaxHeadBytes: 1 << 13, Handler: func(x *Exchange) {
		fmt.Fprintf(&seen, "%q %q %t %q\n", x.Method(), x.Target(), x.HTTP10(), x.Body())
		for _, h := range x.Headers() {
			fmt.Fprintf(&seen, "  %q: %q\n", h.Name, h.Value)
		}
		echo(x)
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &scripted{data: data, piece: piece}
	srv.ServeConn(c)
	// "100 Continue" is left out when the body is there already, and the text
	// of a refusal quotes as much of a line as has arrived.
	wrote := strings.ReplaceAll(c.written.String(), "HTTP/1.1 100 Continue\r\n\r\n", "")
	if i := strings.Index(wrote, "Content-Type: text/plain"); i >= 0 {
		wrote = wrote[:i]
	}
	return seen.String() + wrote
}

// However the network cuts a stream, a server must see the same requests in it.
func FuzzServer(f *testing.F) {
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.0\r\n\r\n"), 3)
	f.Add([]byte("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nHEAD / HTTP/1.1\r\n\r\n"), 1)
	f.Add([]byte("\r\nGET  HTTP/1.1\r\nConnection: close, x\r\n\r\n"), 2)
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), 7)
	f.Add(append([]byte("POST / HTTP/1.1\r\nContent-Length: 6000\r\n\r\n"), make([]byte, 6000)...), 1000)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		whole := transcript(t, data, 1<<20)
		if cut := transcript(t, data, 1+(piece&0xfff)); cut != whole {
			t.Fatalf("cut into %d: %q\nwhole: %q", 1+(piece&0xfff), cut, whole)
		}
	})
}

// reading is what a client makes of a byte stream.
func reading(data []byte, piece int, noBody bool) string {
	h := &host{client: NewClient(ClientConfig{MaxBodyBytes: 1 << 16, MaxHeadBytes: 1 << 13}), key: hostKey{"tcp", "h:1"}, conns: map[*clientConn]struct{}{}}
	c := newClientConn(h, &scripted{data: data, piece: piece}, 0)
	if err := c.fill(); err != nil {
		return err.Error()
	}
	keep, err := c.readResponse(&Pending{request: Request{NoBody: noBody}})
	var bad *ProtocolError
	if errors.As(err, &bad) {
		return "error in " + bad.Where
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%t %+v", keep, copyResult(c.response, nil))
}

func FuzzClient(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 3, false)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 1, false)
	f.Add([]byte("HTTP/1.0 500 x\r\n\r\nup to the end"), 5, false)
	f.Add([]byte("HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n"), 2, true)
	f.Add(append([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n"), make([]byte, 6000)...), 999, false)
	f.Fuzz(func(t *testing.T, data []byte, piece int, noBody bool) {
		whole := reading(data, 1<<20, noBody)
		if cut := reading(data, 1+(piece&0xfff), noBody); cut != whole {
			t.Fatalf("cut into %d: %q\nwhole: %q", 1+(piece&0xfff), cut, whole)
		}
	})
}
