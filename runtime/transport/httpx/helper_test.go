package httpx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/transport/port"
)

// serve runs a server on a real socket until the test ends.
func serve(t testing.TB, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	return serveOn(t, "tcp", "127.0.0.1:0", cfg)
}

func serveUnix(t testing.TB, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	return serveOn(t, "unix", filepath.Join(t.TempDir(), "s"), cfg)
}

func serveOn(t testing.TB, network, address string, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	srv, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Listen(port.Config{Network: network, Address: address, Serve: srv.ServeConn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.StopAccepting()
		srv.Close()
		p.Close()
	})
	return srv, p
}

// answer is a 200 with this body that says when the connection closes.
func answer(x *Exchange, body []byte) ([]byte, []byte) {
	last := ""
	if x.Closing() {
		last = "Connection: close\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", last, len(body)), body
}

// echo answers with the request's body.
func echo(x *Exchange) { x.Respond(answer(x, x.Body())) }

// rawConn speaks to a server byte by byte.
type rawConn struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dialRaw(t testing.TB, p *port.Port) *rawConn {
	t.Helper()
	c, err := net.Dial(p.Addr().Network(), p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newRaw(t, c)
}

func newRaw(t testing.TB, c net.Conn) *rawConn {
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &rawConn{Conn: c, t: t, r: bufio.NewReader(c)}
}

func (c *rawConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// response reads one response with net/http as the judge.
func (c *rawConn) response() (int, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatalf("response body: %v", err)
	}
	return r.StatusCode, string(body)
}

// ended fails unless the peer closes without sending more.
func (c *rawConn) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("connection goes on with %q, error %v", rest, err)
	}
}

// fakeServer accepts connections and hands them to a script, one goroutine each.
func fakeServer(t testing.TB, script func(n int, c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	n := make(chan int, 1)
	n <- 0
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: func(c net.Conn) {
		i := <-n
		n <- i + 1
		script(i, c, bufio.NewReader(c))
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.Addr().String()
}

// takeRequest reads one request off a fake server's connection.
func takeRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

func newClient(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

// result is a response copied out of its connection.
type result struct {
	status  int
	headers string
	body    string
	err     error
}

func post(address, body string) Request {
	return Request{
		Address:  address,
		Head:     fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", len(body)),
		Body:     []byte(body),
		Deadline: time.Now().Add(20 * time.Second),
	}
}

func copyResult(r *Response, err error) result {
	if err != nil {
		return result{err: err}
	}
	var h bytes.Buffer
	for _, f := range r.Headers {
		fmt.Fprintf(&h, "%s: %s\n", f.Name, f.Value)
	}
	return result{status: r.Status, headers: h.String(), body: string(r.Body)}
}

// begin starts a request; its result comes through the channel, twice if the
// once-only promise is broken.
func begin(c *Client, r Request) (*Pending, chan result) {
	got := make(chan result, 2)
	return c.Start(r, func(r *Response, err error) { got <- copyResult(r, err) }), got
}

func do(c *Client, r Request) result {
	_, got := begin(c, r)
	return <-got
}

func mustContain(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Fatalf("error %v does not say %q", err, w)
		}
	}
}
