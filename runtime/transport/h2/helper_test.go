package h2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"aimrtrpc/runtime/transport/port"
)

const patience = 20 * time.Second

// serve runs a server on a real socket until the test ends.
func serve(t testing.TB, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	return serveOn(t, port.Config{Address: "127.0.0.1:0"}, cfg)
}

func serveUnix(t testing.TB, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	return serveOn(t, port.Config{Network: "unix", Address: filepath.Join(t.TempDir(), "s")}, cfg)
}

func serveOn(t testing.TB, pc port.Config, cfg ServerConfig) (*Server, *port.Port) {
	t.Helper()
	srv, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pc.Serve = srv.ServeConn
	p, err := port.Listen(pc)
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

func newClient(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

var (
	okHead    = NewBlock(Field{":status", "200"}, Field{"content-type", "application/grpc"})
	okTrailer = NewBlock(Field{"grpc-status", "0"})
	postHead  = NewBlock(Field{":method", "POST"}, Field{":scheme", "http"}, Field{":path", "/p.S/M"},
		Field{":authority", "localhost"}, Field{"content-type", "application/grpc"}, Field{"te", "trailers"})
)

// echo answers with the request's body, in the shape of a gRPC answer.
func echo(x *Exchange) {
	x.Collect(0, func(x *Exchange, body []byte, err error) {
		if err != nil {
			x.Reset(CodeCancel)
			return
		}
		x.Respond(Answer{Head: okHead, Body: body, Trailer: okTrailer})
	})
}

func post(p *port.Port, body []byte) Request {
	return Request{
		Network: p.Addr().Network(), Address: p.Addr().String(), Head: postHead, Body: body,
		Deadline: time.Now().Add(patience),
	}
}

// outcome is what a call's done function got, made to outlive it.
type outcome struct {
	status            int
	headers, trailers []Field
	body              []byte
	err               error
}

func kept(r *Response, err error) outcome {
	if err != nil {
		return outcome{err: err}
	}
	return outcome{status: r.Status, headers: r.Headers, trailers: r.Trailers, body: bytes.Clone(r.Body)}
}

// do starts a request and waits for its outcome.
func do(t testing.TB, c *Client, r Request) outcome {
	t.Helper()
	got := make(chan outcome, 2)
	c.Start(r, func(r *Response, err error) { got <- kept(r, err) })
	return wait(t, got)
}

func wait[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case v := <-from:
		return v
	case <-late.C:
		t.Fatalf("nothing within %v", patience)
		panic("unreachable")
	}
}

func field(fields []Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// raw speaks HTTP/2 frame by frame, legal or not.
type raw struct {
	net.Conn
	t   testing.TB
	fr  *http2.Framer
	enc *hpack.Encoder
	buf bytes.Buffer
	dec *hpack.Decoder

	quiet bool // settings are not acknowledged
}

func newRaw(t testing.TB, nc net.Conn) *raw {
	nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { nc.Close() })
	r := &raw{Conn: nc, t: t, fr: http2.NewFramer(nc, nc), dec: hpack.NewDecoder(4096, nil)}
	r.fr.AllowIllegalWrites, r.fr.AllowIllegalReads = true, true
	r.enc = hpack.NewEncoder(&r.buf)
	return r
}

// dialRaw connects as a client that has exchanged settings.
func dialRaw(t testing.TB, p *port.Port) *raw {
	t.Helper()
	r := dialBare(t, p)
	r.preface()
	r.settings()
	return r
}

func dialBare(t testing.TB, p *port.Port) *raw {
	t.Helper()
	nc, err := net.Dial(p.Addr().Network(), p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, nc)
}

func (r *raw) preface() {
	if _, err := io.WriteString(r.Conn, http2.ClientPreface); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) settings(s ...http2.Setting) {
	r.must(r.fr.WriteSettings(s...))
}

func (r *raw) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// block encodes name, value pairs.
func (r *raw) block(pairs ...string) []byte {
	r.buf.Reset()
	for i := 0; i < len(pairs); i += 2 {
		r.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return bytes.Clone(r.buf.Bytes())
}

func (r *raw) head() []byte {
	return r.block(":method", "POST", ":scheme", "http", ":path", "/p.S/M", ":authority", "x")
}

func (r *raw) open(id uint32, end bool) {
	r.t.Helper()
	r.must(r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head(), EndStream: end, EndHeaders: true}))
}

// frame is a received frame that outlives the next read.
type frame struct {
	http2.FrameHeader
	code    http2.ErrCode
	last    uint32
	data    []byte
	fields  []Field
	inc     uint32
	setting map[http2.SettingID]uint32
	ping    [8]byte
}

// next reads one frame; settings are acknowledged on the way.
func (r *raw) next() (frame, error) {
	f, err := r.fr.ReadFrame()
	if err != nil {
		return frame{}, err
	}
	out := frame{FrameHeader: f.Header()}
	switch f := f.(type) {
	case *http2.GoAwayFrame:
		out.code, out.last, out.data = f.ErrCode, f.LastStreamID, bytes.Clone(f.DebugData())
	case *http2.RSTStreamFrame:
		out.code = f.ErrCode
	case *http2.DataFrame:
		out.data = bytes.Clone(f.Data())
	case *http2.WindowUpdateFrame:
		out.inc = f.Increment
	case *http2.PingFrame:
		out.ping = f.Data
	case *http2.HeadersFrame:
		got, err := r.dec.DecodeFull(f.HeaderBlockFragment())
		if err != nil {
			return out, err
		}
		for _, h := range got {
			out.fields = append(out.fields, Field{h.Name, h.Value})
		}
	case *http2.SettingsFrame:
		out.setting = map[http2.SettingID]uint32{}
		f.ForeachSetting(func(s http2.Setting) error { out.setting[s.ID] = s.Val; return nil })
		if !f.IsAck() && !r.quiet {
			r.fr.WriteSettingsAck()
		}
	}
	return out, nil
}

// until reads frames up to the first of one type.
func (r *raw) until(kind http2.FrameType) frame {
	r.t.Helper()
	for {
		f, err := r.next()
		if err != nil {
			r.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if f.Type == kind {
			return f
		}
		if f.Type == http2.FrameGoAway {
			r.t.Fatalf("waiting for %s: GOAWAY %s %s", kind, f.code, f.data)
		}
	}
}

// ended reads to the connection's end and gives the GOAWAY's code.
func (r *raw) ended() (code http2.ErrCode, text string) {
	r.t.Helper()
	code = 0xffff
	for {
		f, err := r.next()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				r.t.Fatalf("connection stays open: %v", err)
			}
			return code, text
		}
		if f.Type == http2.FrameGoAway {
			code, text = f.code, string(f.data)
		}
	}
}

// fakeServer accepts connections and hands them to a script.
func fakeServer(t testing.TB, script func(n int, r *raw)) Request {
	t.Helper()
	var mu sync.Mutex
	n := 0
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: func(nc net.Conn) {
		mu.Lock()
		i := n
		n++
		mu.Unlock()
		r := newRaw(t, nc)
		io.ReadFull(nc, make([]byte, len(http2.ClientPreface)))
		script(i, r)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return post(p, []byte("ping"))
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
