package aiomas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// service is what the real client calls.
type service struct {
	f       wire.Format
	links   chan *link
	waiting chan struct{} // one for each "wait" that is being served
	gate    chan struct{} // "wait" returns when it is closed
}

func (s *service) serve(l *link, call wire.Call) ([]byte, string) {
	switch string(call.Path) {
	case "echo", "sub/echo":
		// [a, b] and {k: v} become [a, b, {k: v}]; the parts stay encoded.
		return join(s.f, call.Args, call.Kwargs), ""
	case "boom":
		return nil, "Traceback (most recent call last):\n  served in another language\nValueError: \"späm\"\n"
	case "wait":
		s.waiting <- struct{}{}
		<-s.gate
		return call.Args, ""
	case "big":
		return str(s.f, strings.Repeat("é", 1<<19)), ""
	case "give":
		return proxy(s.f, "sub"), ""
	case "callback":
		if want := list(s.f, proxy(s.f, "")); !bytes.Equal(call.Args, want) {
			return nil, "ValueError: no proxy\n"
		}
		name, err := l.call(context.Background(), "name", list(s.f, str(s.f, "y")), nil)
		if err != nil {
			return nil, err.Error()
		}
		pong, err := l.call(context.Background(), "sub/ping", nil, nil)
		if err != nil {
			return nil, err.Error()
		}
		return list(s.f, name, pong), ""
	}
	return nil, "Traceback (most recent call last):\n  ...\nLookupError: Name \"" + string(call.Path) + "\" not found in \"\"\n"
}

// join appends a value to an encoded array.
func join(f wire.Format, array, last []byte) []byte {
	if f.Codec == wire.JSON {
		out := append([]byte(nil), array[:len(array)-1]...)
		if len(array) > 2 {
			out = append(out, ", "...)
		}
		return append(append(out, last...), ']')
	}
	if array[0] < 0x90 || array[0] > 0x9e {
		return nil
	}
	out := append([]byte{array[0] + 1}, array[1:]...)
	return append(out, last...)
}

// listening starts our server and a real client that is connected to it.
func listening(t *testing.T, w way) (*service, *link, *peer) {
	t.Helper()
	s := &service{f: w.format(), links: make(chan *link, 4), waiting: make(chan struct{}, 4), gate: make(chan struct{})}
	l, err := framed.Listen(framed.ListenConfig{Network: w.network, Address: w.free(t), Accept: func(c *framed.Conn) framed.Handler {
		ln := newLink(s.f, c, s.serve)
		s.links <- ln
		return ln
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	t.Cleanup(sync.OnceFunc(func() {
		select {
		case <-s.gate:
		default:
			close(s.gate)
		}
	}))
	p, _ := start(t, "client", w, l.Addr().String())
	return s, <-s.links, p
}

// gives checks the result of a command.
func gives(t *testing.T, p *peer, command map[string]any, result string) {
	t.Helper()
	a := p.do(command)
	var got, want any
	if a.Raised != "" {
		t.Errorf("%v raised %s: %s", command, a.Raised, a.Text)
		return
	}
	if err := errors.Join(json.Unmarshal(a.Result, &got), json.Unmarshal([]byte(result), &want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %.200s, error %v, want %.200s", command, a.Result, err, result)
	}
}

// TestRealClient serves the real aiomas.
func TestRealClient(t *testing.T) {
	testx.NoLeaks(t)
	eachWay(t, func(t *testing.T, w way) {
		s, l, p := listening(t, w)
		t.Run("calls", func(t *testing.T) { serveCalls(t, p) })
		t.Run("exceptions", func(t *testing.T) { serveExceptions(t, p) })
		t.Run("1 MiB", func(t *testing.T) { serveLarge(t, p) })
		t.Run("many in flight", func(t *testing.T) { gives(t, p, map[string]any{"op": "many", "count": 3000}, "3000") })
		t.Run("callback", func(t *testing.T) { gives(t, p, map[string]any{"op": "callback"}, `["Monty y", "pong"]`) })
		if w.codec != wire.JSON {
			t.Run("bytes", func(t *testing.T) {
				gives(t, p, map[string]any{"op": "bytes"}, `[{"bytes": "00ff"}, {"1": [2, null]}, {}]`)
			})
		}
		t.Run("cancelled", func(t *testing.T) { serveCancelled(t, s, l, p) })
	})
}

func serveCalls(t *testing.T, p *peer) {
	for _, path := range []string{"echo", "sub/echo"} {
		gives(t, p, map[string]any{"op": "call", "path": path}, `[{}]`)
		gives(t, p, map[string]any{
			"op": "call", "path": path, "args": []any{1, 1.5, nil, true, "é€😀\"\\\n", []any{map[string]any{"k": []any{}}}}, "kwargs": map[string]any{"näme": "wért"},
		}, `[1, 1.5, null, true, "é€😀\"\\\n", [{"k": []}], {"näme": "wért"}]`)
	}
}

func serveExceptions(t *testing.T, p *peer) {
	for path, last := range map[string]string{"boom": "ValueError: \"späm\"\n", "none/such": "LookupError: Name \"none/such\" not found in \"\"\n"} {
		a := p.do(map[string]any{"op": "call", "path": path})
		if a.Raised != "RemoteException" || !strings.HasPrefix(a.Remote, "Traceback (most recent call last):\n") || !strings.HasSuffix(a.Remote, last) {
			t.Errorf("%s: %+v", path, a)
		}
	}
	gives(t, p, map[string]any{"op": "call", "path": "echo"}, `[{}]`)
}

func serveLarge(t *testing.T, p *peer) {
	text, err := json.Marshal(strings.Repeat("é", 1<<19))
	if err != nil {
		t.Fatal(err)
	}
	gives(t, p, map[string]any{"op": "call", "path": "big"}, string(text))
	gives(t, p, map[string]any{"op": "call", "path": "echo", "args": []any{strings.Repeat("x", 1<<20)}}, `["`+strings.Repeat("x", 1<<20)+`", {}]`)
}

// A real client that has cancelled a call closes the connection over the late
// reply. That is its way; we see a peer that closed.
func serveCancelled(t *testing.T, s *service, l *link, p *peer) {
	gives(t, p, map[string]any{"op": "start", "path": "wait"}, `"started"`)
	<-s.waiting
	gives(t, p, map[string]any{"op": "cancel"}, "true")
	gives(t, p, map[string]any{"op": "call", "path": "echo"}, `[{}]`)
	close(s.gate)
	<-l.ended
	if !errors.Is(l.reason, framed.ErrPeerClosed) {
		t.Fatalf("reason %v", l.reason)
	}
}

func TestRealClient_Endings(t *testing.T) {
	testx.NoLeaks(t)
	eachWay(t, func(t *testing.T, w way) {
		t.Run("client closes", func(t *testing.T) {
			_, l, p := listening(t, w)
			gives(t, p, map[string]any{"op": "close"}, `"closed"`)
			<-l.ended
			if !errors.Is(l.reason, framed.ErrPeerClosed) {
				t.Fatalf("reason %v", l.reason)
			}
		})
		t.Run("client killed in a call", func(t *testing.T) {
			s, l, p := listening(t, w)
			gives(t, p, map[string]any{"op": "start", "path": "wait"}, `"started"`)
			<-s.waiting
			p.kill()
			<-l.ended
			if l.reason == nil || errors.Is(l.reason, framed.ErrClosed) {
				t.Fatalf("reason %v", l.reason)
			}
		})
		t.Run("we close in a call", func(t *testing.T) {
			s, l, p := listening(t, w)
			gives(t, p, map[string]any{"op": "start", "path": "wait"}, `"started"`)
			<-s.waiting
			l.conn.Close()
			if a := p.do(map[string]any{"op": "finish"}); a.Raised != "ConnectionResetError" {
				t.Fatalf("%+v", a)
			}
		})
	})
}
