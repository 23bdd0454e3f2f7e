package h2

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// memConn is a connection whose peer has said everything in advance and reads
// nothing until the end. Its input comes in pieces of a given size.
type memConn struct {
	in    []byte
	piece int

	mu       sync.Mutex
	out      bytes.Buffer
	deadline time.Time
	closed   bool
}

func (m *memConn) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return 0, net.ErrClosed
	case !m.deadline.IsZero() && time.Now().After(m.deadline):
		return 0, os.ErrDeadlineExceeded
	case len(m.in) == 0:
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), m.piece)], m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memConn) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, net.ErrClosed
	}
	return m.out.Write(p)
}

func (m *memConn) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memConn) SetReadDeadline(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadline = t
	return nil
}
func (m *memConn) SetDeadline(t time.Time) error    { return m.SetReadDeadline(t) }
func (m *memConn) SetWriteDeadline(time.Time) error { return nil }
func (m *memConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (m *memConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }

// script makes the bytes of a peer.
func script(preface bool, f func(fr *http2.Framer, block func(pairs ...string) []byte)) []byte {
	var out, buf bytes.Buffer
	if preface {
		out.WriteString(http2.ClientPreface)
	}
	fr := http2.NewFramer(&out, nil)
	fr.AllowIllegalWrites = true
	fr.WriteSettings()
	enc := hpack.NewEncoder(&buf)
	f(fr, func(pairs ...string) []byte {
		buf.Reset()
		for i := 0; i < len(pairs); i += 2 {
			enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return bytes.Clone(buf.Bytes())
	})
	return out.Bytes()
}

func seeds(f *testing.F, server bool) {
	req := []string{":method", "POST", ":scheme", "http", ":path", "/"}
	if !server {
		req = []string{":status", "200"}
	}
	for _, s := range []func(fr *http2.Framer, block func(pairs ...string) []byte){
		func(fr *http2.Framer, block func(pairs ...string) []byte) {
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(req...), EndHeaders: true})
			fr.WriteDataPadded(1, false, []byte("hello"), []byte{0, 0})
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block("grpc-status", "0"), EndHeaders: true, EndStream: true})
		},
		func(fr *http2.Framer, block func(pairs ...string) []byte) {
			b := block(append(req, "a", "b")...)
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:3], EndStream: true})
			fr.WriteContinuation(1, false, b[3:4])
			fr.WriteContinuation(1, true, b[4:])
			fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 7}, http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
			fr.WriteWindowUpdate(1, 100)
			fr.WriteWindowUpdate(0, 100)
			fr.WritePing(false, [8]byte{1})
			fr.WriteRSTStream(1, http2.ErrCodeCancel)
			fr.WritePriority(3, http2.PriorityParam{StreamDep: 1})
			fr.WriteGoAway(1, http2.ErrCodeNo, nil)
		},
	} {
		f.Add(script(server, s), uint16(1<<15), uint8(0))
		f.Add(script(server, s), uint16(3), uint8(1))
	}
}

// FuzzServer: whatever a client sends, the server ends, every exchange is told
// its outcome once, no body is counted twice, and what was written is frames.
func FuzzServer(f *testing.F) {
	seeds(f, true)
	f.Fuzz(func(t *testing.T, in []byte, piece uint16, how uint8) {
		m := &memConn{in: in, piece: int(piece) + 1}
		exchanges, outcomes := 0, 0
		var mu sync.Mutex
		srv, err := NewServer(ServerConfig{
			Limits: Limits{MaxStreams: 8, MaxBodyBytes: 1 << 10, MaxBuffered: 4 << 10, StreamWindow: 2 << 10, SendBuffer: 512},
			Handler: func(x *Exchange) {
				exchanges++
				if how%2 == 0 {
					x.Collect(0, func(x *Exchange, body []byte, err error) {
						mu.Lock()
						outcomes++
						mu.Unlock()
						x.Respond(Answer{Head: okHead, Body: body, Trailer: okTrailer})
					})
					return
				}
				x.SendHeaders(okHead)
				x.Receive(&counted{mirror{x}, &mu, &outcomes})
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(m, srv, true, &srv.cfg.Limits)
		c.run()
		mu.Lock()
		defer mu.Unlock()
		if exchanges != outcomes {
			t.Fatalf("%d exchanges, %d outcomes", exchanges, outcomes)
		}
		if c.buffered != 0 || len(c.streams) != 0 || c.working != 0 {
			t.Fatalf("%d bytes buffered, %d streams, %d exchanges at work are left", c.buffered, len(c.streams), c.working)
		}
		checkFrames(t, m.out.Bytes())
	})
}

type counted struct {
	mirror
	mu *sync.Mutex
	n  *int
}

func (c *counted) End(trailers []Field, err error) {
	c.mu.Lock()
	*c.n++
	c.mu.Unlock()
	c.mirror.End(trailers, err)
}

// checkFrames reads what an endpoint wrote with a strict framer. A write that
// was cut off by the end of the connection is no fault.
func checkFrames(t *testing.T, out []byte) {
	out = bytes.TrimPrefix(out, []byte(http2.ClientPreface))
	fr := http2.NewFramer(nil, bytes.NewReader(out))
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		if _, err := fr.ReadFrame(); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("wrote something that is no frame: %v, %v", err, fr.ErrorDetail())
			}
			return
		}
	}
}

// FuzzClient: whatever a server sends, every request has one outcome.
func FuzzClient(f *testing.F) {
	seeds(f, false)
	f.Fuzz(func(t *testing.T, in []byte, piece uint16, how uint8) {
		m := &memConn{in: in, piece: int(piece) + 1}
		client := NewClient(ClientConfig{Limits: Limits{MaxBodyBytes: 1 << 10, StreamWindow: 2 << 10, SendBuffer: 512}})
		h := &host{client: client, key: hostKey{"tcp", "fuzz"}, all: map[*conn]struct{}{}, closed: true}
		c := newConn(m, h, false, &client.cfg.Limits)
		const requests = 4
		outcomes := make(chan error, 2*requests)
		for i := range requests {
			p := &Pending{host: h, request: Request{Head: postHead, Body: []byte("body"), MaxBody: 1 << 10}}
			if how%2 == 0 {
				p.done = func(_ *Response, err error) { outcomes <- err }
			} else {
				p.receiver = tally{p, outcomes}
			}
			p.user, p.sendLimit, p.headSent, p.ending = p, 512, true, p.unary()
			if v, err := c.begin(p); v != begun {
				t.Fatalf("request %d: %v, %v", i, v, err)
			}
		}
		c.run()
		if len(outcomes) != requests {
			t.Fatalf("%d outcomes of %d requests", len(outcomes), requests)
		}
		if c.buffered != 0 || len(c.streams) != 0 {
			t.Fatalf("%d bytes buffered, %d streams are left", c.buffered, len(c.streams))
		}
		checkFrames(t, m.out.Bytes())
		client.Close()
	})
}

type tally struct {
	p   *Pending
	end chan<- error
}

func (r tally) Head(int, []Field)        { r.p.Send(nil, []byte("more")) }
func (r tally) Data(p []byte)            { r.p.Consumed(len(p)) }
func (r tally) End(_ []Field, err error) { r.end <- err }

// FuzzBlock: what Block encodes, a decoder reads back.
func FuzzBlock(f *testing.F) {
	f.Add(":path", "/a", "x-y", "z", uint16(3))
	f.Add(":status", "200", "grpc-status", "0", uint16(70))
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string, most uint16) {
		if len(n1)+len(v1)+len(n2)+len(v2) > 1<<12 {
			return // the decoder copies what it has for every fragment
		}
		b := &Block{}
		var want []Field
		for _, f := range []Field{{n1, v1}, {n2, v2}} {
			if b.Add(f.Name, f.Value) == nil {
				want = append(want, f)
			}
		}
		frames := appendHeaders(nil, 1, b.buf, true, true, int(most)+10)
		fr := http2.NewFramer(nil, bytes.NewReader(frames))
		var got []Field
		dec := hpack.NewDecoder(4096, func(f hpack.HeaderField) { got = append(got, Field{f.Name, f.Value}) })
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				break
			}
			switch f := f.(type) {
			case *http2.HeadersFrame:
				dec.Write(f.HeaderBlockFragment())
			case *http2.ContinuationFrame:
				dec.Write(f.HeaderBlockFragment())
			}
		}
		if err := dec.Close(); err != nil || len(got) != len(want) {
			t.Fatalf("%v, want %v: %v", got, want, err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}
