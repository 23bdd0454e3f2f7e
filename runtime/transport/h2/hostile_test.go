package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/port"
)

// write sends frames that a script makes until the peer hangs up.
func (r *raw) flood(n int, one func(i int) error) {
	w := bytes.Buffer{}
	fr := http2.NewFramer(&w, nil)
	fr.AllowIllegalWrites = true
	old := r.fr
	mine := http2.NewFramer(&w, r.Conn)
	mine.AllowIllegalWrites, mine.AllowIllegalReads = true, true
	r.fr = mine
	for i := range n {
		one(i)
		if w.Len() > 32<<10 || i == n-1 {
			if _, err := r.Conn.Write(w.Bytes()); err != nil {
				break
			}
			w.Reset()
		}
	}
	r.fr = old
}

func (r *raw) frame(kind http2.FrameType, flags http2.Flags, id uint32, payload []byte) {
	r.fr.WriteRawFrame(kind, flags, id, payload)
}

func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// hostile is what one peer does to the server, and the code it deserves.
type hostile struct {
	name string
	code http2.ErrCode
	do   func(r *raw)
}

const (
	flow, proto, size, comp, calm = http2.ErrCodeFlowControl, http2.ErrCodeProtocol, http2.ErrCodeFrameSize, http2.ErrCodeCompression, http2.ErrCodeEnhanceYourCalm
	anyCode                       = 0xffff + 1
)

// floods do something legal too often.
func floods() []hostile {
	return []hostile{
		{"rapid reset", calm, func(r *raw) {
			r.flood(400, func(i int) error {
				r.open(uint32(2*i+1), false)
				return r.fr.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
			})
		}},
		{"more streams than allowed, again and again", calm, func(r *raw) {
			r.flood(400, func(i int) error { r.open(uint32(2*i+1), false); return nil })
		}},
		{"made you reset by WINDOW_UPDATE 0", calm, func(r *raw) {
			r.flood(100, func(i int) error {
				r.open(uint32(2*i+1), false)
				r.frame(http2.FrameWindowUpdate, 0, uint32(2*i+1), u32(0))
				return nil
			})
		}},
		{"made you reset by DATA after the end", calm, func(r *raw) {
			r.flood(100, func(i int) error {
				r.open(uint32(2*i+1), true)
				return r.fr.WriteData(uint32(2*i+1), false, []byte("x"))
			})
		}},
		{"made you reset by bad heads", calm, func(r *raw) {
			block := r.block(":method", "POST")
			r.flood(100, func(i int) error {
				return r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block, EndHeaders: true})
			})
		}},
		{"CONTINUATION flood", calm, func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head()})
			block := r.block("a", "b")
			r.flood(10000, func(int) error { return r.fr.WriteContinuation(1, false, block) })
		}},
		{"empty CONTINUATION flood", calm, func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head()})
			r.flood(10000, func(int) error { return r.fr.WriteContinuation(1, false, nil) })
		}},
		{"header block of many bytes", calm, func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head()})
			r.flood(60, func(i int) error {
				return r.fr.WriteContinuation(1, false, r.block("a"+strings.Repeat("b", i), strings.Repeat("\x01\xff", 2000)))
			})
		}},
		{"SETTINGS flood", calm, func(r *raw) {
			r.flood(2000, func(int) error { return r.fr.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14}) })
		}},
		{"PING flood", calm, func(r *raw) { r.flood(2000, func(int) error { return r.fr.WritePing(false, [8]byte{}) }) }},
		{"PRIORITY flood", calm, func(r *raw) {
			r.flood(2000, func(i int) error { return r.fr.WritePriority(uint32(2*i+1), http2.PriorityParam{}) })
		}},
		{"empty DATA flood", calm, func(r *raw) {
			r.open(1, false)
			r.flood(2000, func(int) error { return r.fr.WriteData(1, false, nil) })
		}},
		{"padding-only DATA flood", calm, func(r *raw) {
			r.open(1, false)
			r.flood(2000, func(int) error {
				return r.fr.WriteRawFrame(http2.FrameData, http2.FlagDataPadded, 1, append([]byte{20}, make([]byte, 20)...))
			})
		}},
		{"WINDOW_UPDATE flood", calm, func(r *raw) { r.flood(2000, func(int) error { return r.fr.WriteWindowUpdate(0, 1) }) }},
		{"unknown frames flood", calm, func(r *raw) {
			r.flood(2000, func(int) error { return r.fr.WriteRawFrame(0xbb, 0, 0, nil) })
		}},
	}
}

// badSizes are windows, lengths and blocks that cannot be.
func badSizes() []hostile {
	return []hostile{
		{"connection window overflow", flow, func(r *raw) { r.fr.WriteWindowUpdate(0, maxWindow) }},
		{"window overflow by SETTINGS", flow, func(r *raw) {
			r.open(1, false)
			r.fr.WriteWindowUpdate(1, maxWindow-defaultWindow)
			r.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: defaultWindow + 1})
		}},
		{"initial window beyond 2^31-1", flow, func(r *raw) { r.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 31}) }},
		{"max frame size too small", proto, func(r *raw) { r.settings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 100}) }},
		{"push setting 2", proto, func(r *raw) { r.settings(http2.Setting{ID: http2.SettingEnablePush, Val: 2}) }},
		{"frame larger than allowed", size, func(r *raw) { r.frame(http2.FrameData, 0, 1, make([]byte, DefaultMaxFrameBytes+1)) }},
		{"16 MiB frame announced", size, func(r *raw) { r.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1}) }},
		{"SETTINGS of 5 bytes", size, func(r *raw) { r.frame(http2.FrameSettings, 0, 0, make([]byte, 5)) }},
		{"PING of 7 bytes", size, func(r *raw) { r.frame(http2.FramePing, 0, 0, make([]byte, 7)) }},
		{"RST_STREAM of 3 bytes", size, func(r *raw) { r.open(1, false); r.frame(http2.FrameRSTStream, 0, 1, make([]byte, 3)) }},
		{"padding longer than DATA", proto, func(r *raw) {
			r.open(1, false)
			r.frame(http2.FrameData, http2.FlagDataPadded, 1, []byte{9, 1})
		}},
		{"padding longer than HEADERS", proto, func(r *raw) {
			r.frame(http2.FrameHeaders, http2.FlagHeadersPadded|http2.FlagHeadersEndHeaders, 1, []byte{9, 1})
		}},
		{"broken header block", comp, func(r *raw) {
			r.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		}},
		{"header block cut in a string", comp, func(r *raw) {
			r.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, 1, []byte{0x00, 0x05, 'a'})
		}},
	}
}

// badStates are frames where they do not belong.
func badStates() []hostile {
	return []hostile{
		{"HEADERS on stream 0", proto, func(r *raw) { r.open(0, false) }},
		{"HEADERS on an even stream", proto, func(r *raw) { r.open(2, false) }},
		{"HEADERS on a lower stream", proto, func(r *raw) { r.open(5, false); r.open(3, false) }},
		{"HEADERS on a closed stream", http2.ErrCodeStreamClosed, func(r *raw) {
			r.open(1, true)
			r.until(http2.FrameHeaders) // head
			r.until(http2.FrameHeaders) // trailers
			r.open(1, true)
		}},
		{"DATA on an idle stream", proto, func(r *raw) { r.fr.WriteData(7, true, nil) }},
		{"DATA on stream 0", proto, func(r *raw) { r.frame(http2.FrameData, 0, 0, nil) }},
		{"RST_STREAM on an idle stream", proto, func(r *raw) { r.fr.WriteRSTStream(7, http2.ErrCodeCancel) }},
		{"WINDOW_UPDATE on an idle stream", proto, func(r *raw) { r.fr.WriteWindowUpdate(7, 1) }},
		{"CONTINUATION from nowhere", proto, func(r *raw) { r.fr.WriteContinuation(1, true, nil) }},
		{"something between HEADERS and CONTINUATION", proto, func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head()})
			r.fr.WritePing(false, [8]byte{})
		}},
		{"PUSH_PROMISE", proto, func(r *raw) {
			r.open(1, false)
			r.fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: r.head(), EndHeaders: true})
		}},
		{"GOAWAY and hanging up", anyCode, func(r *raw) { r.fr.WriteGoAway(0, http2.ErrCodeNo, nil); r.Close() }},
		{"half a frame and hanging up", anyCode, func(r *raw) { r.Write([]byte{0, 0, 9, 0}); r.Close() }},
	}
}

// TestServer_HostilePeers: each script ends its own connection with the code it
// deserves, and another connection is served all the while.
func TestServer_HostilePeers(t *testing.T) {
	testx.NoLeaks(t)
	limits := Limits{
		MaxStreams: 10, MaxHeaderBytes: 8 << 10, MaxHeaders: 20, StreamWindow: 64 << 10, ConnWindow: 128 << 10,
		ResetBurst: 50, ErrorBurst: 20, ControlBurst: 200, ReadHeaderTimeout: 5 * time.Second,
	}
	_, p := serve(t, ServerConfig{Handler: echo, Limits: limits})
	good := newClient(t, ClientConfig{})
	for _, c := range slices.Concat(floods(), badSizes(), badStates()) {
		t.Run(c.name, func(t *testing.T) {
			r := dialRaw(t, p)
			r.until(http2.FrameSettings)
			c.do(r)
			code, text := r.ended()
			// A peer that floods may lose the last words to the reset of its socket.
			if c.code != anyCode && code != c.code && !(code == 0xffff && c.code == calm) {
				t.Errorf("ended with %v (%s), want %v", code, text, c.code)
			}
			if got := do(t, good, post(p, []byte("still here"))); got.err != nil || string(got.body) != "still here" {
				t.Errorf("the other connection: %q, %v", got.body, got.err)
			}
		})
	}
}

// TestServer_StreamErrors: the stream is reset, the connection goes on.
func TestServer_StreamErrors(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo, Limits: Limits{StreamWindow: 1000}})
	with := func(pairs ...string) func(r *raw) {
		return func(r *raw) {
			block := r.block(append([]string{":method", "POST", ":scheme", "http", ":path", "/"}, pairs...)...)
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
		}
	}
	only := func(pairs ...string) func(r *raw) {
		return func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(pairs...), EndHeaders: true})
		}
	}
	const closed = http2.ErrCodeStreamClosed
	for _, c := range []struct {
		name string
		code http2.ErrCode
		do   func(r *raw)
	}{
		{"upper-case name", proto, with("Content-Type", "x")},
		{"name with a blank", proto, with("a b", "x")},
		{"value with a newline", proto, with("a", "b\r\nc: d")},
		{"connection header", proto, with("connection", "close")},
		{"te that is not trailers", proto, with("te", "gzip")},
		{"unknown pseudo header", proto, with(":version", "2")},
		{"pseudo header behind a regular one", proto, only(":method", "GET", "a", "b", ":scheme", "http", ":path", "/")},
		{":path twice", proto, with(":path", "/")},
		{":path empty", proto, only(":method", "GET", ":scheme", "http", ":path", "")},
		{":path missing", proto, only(":method", "GET", ":scheme", "http")},
		{":status in a request", proto, with(":status", "200")},
		{"content-length that is no number", proto, with("content-length", "+5")},
		{"content-lengths that differ", proto, with("content-length", "5", "content-length", "6")},
		{"less data than announced", proto, func(r *raw) { with("content-length", "5")(r); r.fr.WriteData(1, true, []byte("four")) }},
		{"more data than announced", proto, func(r *raw) { with("content-length", "5")(r); r.fr.WriteData(1, false, []byte("sixsix")) }},
		{"second head", proto, func(r *raw) { r.open(1, false); r.open(1, false) }},
		{"pseudo header in trailers", proto, func(r *raw) { r.open(1, false); r.open(1, true) }},
		{"data beyond the window", flow, func(r *raw) { r.open(1, false); r.fr.WriteData(1, false, make([]byte, 1001)) }},
		{"window overflow", flow, func(r *raw) { r.open(1, false); r.fr.WriteWindowUpdate(1, maxWindow) }},
		{"window update of 0", proto, func(r *raw) { r.open(1, false); r.frame(http2.FrameWindowUpdate, 0, 1, u32(0)) }},
		{"depends on itself", proto, func(r *raw) { r.open(1, false); r.fr.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }},
		{"HEADERS after the end", closed, func(r *raw) {
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: r.head(), EndHeaders: true})
			r.open(5, true)
			r.fr.WriteData(5, true, []byte("x"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dialRaw(t, p)
			r.until(http2.FrameSettings)
			c.do(r)
			if f := r.until(http2.FrameRSTStream); f.code != c.code {
				t.Errorf("reset with %v, want %v", f.code, c.code)
			}
			r.open(101, true)
			if f := r.until(http2.FrameHeaders); f.StreamID != 101 && f.StreamID != 5 || field(f.fields, ":status") != "200" {
				t.Errorf("next request: %+v", f)
			}
		})
	}
}

func TestServer_HeaderListBeyondTheLimitIs431(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo, Limits: Limits{MaxHeaderBytes: 4096, MaxHeaders: 10}})
	bomb := []string{":method", "POST", ":scheme", "http", ":path", "/"}
	for range 300 { // one entry of the dynamic table, named 300 times
		bomb = append(bomb, "x", strings.Repeat("b", 1000))
	}
	many := []string{":method", "POST", ":scheme", "http", ":path", "/"}
	for range 11 {
		many = append(many, "a", "b")
	}
	r := dialRaw(t, p)
	for i, pairs := range [][]string{bomb, many} {
		r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: r.block(pairs...), EndHeaders: true, EndStream: true})
		if f := r.until(http2.FrameHeaders); field(f.fields, ":status") != "431" {
			t.Errorf("%+v", f)
		}
	}
	r.open(101, true) // the decoder's table is still right
	if f := r.until(http2.FrameHeaders); field(f.fields, ":status") != "200" {
		t.Errorf("%+v", f)
	}
}

func TestServer_TimeLimits(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo, Limits: Limits{ReadHeaderTimeout: 50 * time.Millisecond, StallTimeout: 50 * time.Millisecond}})
	for name, c := range map[string]struct {
		do   func(r *raw)
		code http2.ErrCode
	}{
		"says nothing":       {func(r *raw) {}, http2.ErrCodeSettingsTimeout},
		"half a preface":     {func(r *raw) { r.Write([]byte(http2.ClientPreface[:10])) }, http2.ErrCodeSettingsTimeout},
		"no SETTINGS":        {func(r *raw) { r.quiet = true; r.preface() }, http2.ErrCodeSettingsTimeout},
		"no acknowledgement": {func(r *raw) { r.quiet = true; r.preface(); r.settings() }, http2.ErrCodeSettingsTimeout},
		"open header block": {func(r *raw) {
			r.preface()
			r.settings()
			r.until(http2.FrameSettings)
			r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head()})
		}, http2.ErrCodeEnhanceYourCalm},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialBare(t, p)
			c.do(r)
			if code, text := r.ended(); code != c.code {
				t.Errorf("%v %s", code, text)
			}
		})
	}
	t.Run("body that stalls", func(t *testing.T) {
		r := dialRaw(t, p)
		r.open(1, false)
		r.fr.WriteData(1, false, []byte("x"))
		if f := r.until(http2.FrameRSTStream); f.code != CodeCancel {
			t.Errorf("%+v", f)
		}
	})
	t.Run("answer that is not taken", func(t *testing.T) {
		r := dialBare(t, p)
		r.preface()
		r.settings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		r.open(1, false)
		r.fr.WriteData(1, true, []byte("x"))
		if f := r.until(http2.FrameRSTStream); f.code != CodeCancel {
			t.Errorf("%+v", f)
		}
	})
}

func TestServer_APeerThatReadsNothingCostsBoundedMemory(t *testing.T) {
	testx.NoLeaks(t)
	srv, p := serve(t, ServerConfig{Handler: echo, Limits: Limits{
		ControlBurst: 1 << 30, WriteTimeout: 100 * time.Millisecond, StallTimeout: -1,
	}})
	r := dialRaw(t, p)
	w := bytes.Buffer{}
	fr := http2.NewFramer(&w, nil)
	for range 2000 {
		fr.WritePing(false, [8]byte{})
	}
	for { // until the server has enough of it
		if _, err := r.Conn.Write(w.Bytes()); err != nil {
			break
		}
	}
	testx.Eventually(t, "the connection to end", func() bool { return srv.Conns() == 0 })
}

func TestServer_NotHTTP2(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo})
	r := dialBare(t, p)
	io.WriteString(r.Conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if code, _ := r.ended(); code != http2.ErrCodeProtocol {
		t.Error(code)
	}
}

// TestClient_HostileServers: the call ends with an error that says what was
// wrong, and the client goes on.
func TestClient_HostileServers(t *testing.T) {
	testx.NoLeaks(t)
	head := func(r *raw, id uint32, end bool, pairs ...string) {
		r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.block(pairs...), EndHeaders: true, EndStream: end})
	}
	for _, c := range []struct {
		name, want string
		do         func(r *raw, id uint32)
	}{
		{"data before the head", "DATA before HEADERS", func(r *raw, id uint32) { r.fr.WriteData(id, true, []byte("x")) }},
		{"no status", ":status", func(r *raw, id uint32) { head(r, id, true, "a", "b") }},
		{"status 2000", ":status", func(r *raw, id uint32) { head(r, id, true, ":status", "2000") }},
		{"status and method", ":status", func(r *raw, id uint32) { head(r, id, true, ":status", "200", ":method", "GET") }},
		{"interim without end", "interim", func(r *raw, id uint32) {
			for range maxInterim + 1 {
				head(r, id, false, ":status", "103")
			}
		}},
		{"switching protocols", "interim", func(r *raw, id uint32) { head(r, id, false, ":status", "101") }},
		{"less than announced", "content-length", func(r *raw, id uint32) {
			head(r, id, false, ":status", "200", "content-length", "9")
			r.fr.WriteData(id, true, []byte("x"))
		}},
		{"push promise", "PUSH_PROMISE", func(r *raw, id uint32) {
			r.fr.WritePushPromise(http2.PushPromiseParam{StreamID: id, PromiseID: 2, BlockFragment: r.head(), EndHeaders: true})
		}},
		{"head on a stream of its own", "idle stream", func(r *raw, id uint32) { head(r, 2, true, ":status", "200") }},
		{"reset", "INTERNAL_ERROR", func(r *raw, id uint32) { r.fr.WriteRSTStream(id, http2.ErrCodeInternal) }},
		{"hanging up", "ended before the response", func(r *raw, id uint32) { r.Close() }},
		{"hanging up inside a frame", "ended before the response", func(r *raw, id uint32) { r.Write([]byte{0, 1, 0, 0, 0, 0}); r.Close() }},
		{"header list without end", "MaxHeader", func(r *raw, id uint32) {
			pairs := []string{":status", "200"}
			for range 200 {
				pairs = append(pairs, "a", "b")
			}
			head(r, id, true, pairs...)
		}},
		{"PING flood", "ControlBurst", func(r *raw, id uint32) { r.flood(3000, func(int) error { return r.fr.WritePing(false, [8]byte{}) }) }},
		{"push enabled by a server", "ENABLE_PUSH", func(r *raw, id uint32) { r.settings(http2.Setting{ID: http2.SettingEnablePush, Val: 1}) }},
		{"GOAWAY with a reason", "too_many_pings", func(r *raw, id uint32) {
			r.fr.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := fakeServer(t, func(n int, r *raw) {
				r.settings()
				c.do(r, r.until(http2.FrameHeaders).StreamID)
				io.Copy(io.Discard, r.Conn)
			})
			client := newClient(t, ClientConfig{})
			got := do(t, client, r)
			if got.err == nil || !strings.Contains(got.err.Error(), c.want) {
				t.Errorf("outcome %v, want something with %q", got.err, c.want)
			}
			client.Close()
		})
	}
}

func TestClient_NotHTTP2(t *testing.T) {
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: func(nc net.Conn) {
		io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, nc)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c := newClient(t, ClientConfig{})
	got := do(t, c, post(p, nil))
	var lost *LostError
	if !errors.As(got.err, &lost) || !strings.Contains(got.err.Error(), "does not speak HTTP/2") {
		t.Error(got.err)
	}
	c.Close()
}
