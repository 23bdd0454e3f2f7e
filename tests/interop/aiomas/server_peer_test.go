package aiomas

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// want calls and compares the result byte for byte: the peer's encoder and ours
// must agree.
func want(t *testing.T, l *link, path string, args, kwargs, result []byte) {
	t.Helper()
	got, err := l.call(limited(t), path, args, kwargs)
	if err != nil || !bytes.Equal(got, result) {
		t.Errorf("%s: %d bytes %.200q, error %v\nwant %d bytes %.200q", path, len(got), got, err, len(result), result)
	}
}

// TestRealServer calls the real aiomas.
func TestRealServer(t *testing.T) {
	testx.NoLeaks(t)
	eachWay(t, func(t *testing.T, w way) {
		p, ready := start(t, "server", w, w.free(t))
		for _, tc := range []struct {
			name string
			run  func(*testing.T, way, answer)
		}{
			{"values", callValues}, {"nested path and returned service", callNested}, {"exceptions", callExceptions}, {"1 MiB", callLarge},
			{"many in flight", callMany}, {"cancelled", callCancelled}, {"callback", callBack},
		} {
			t.Run(tc.name, func(t *testing.T) { tc.run(t, w, ready) })
		}
		t.Run("killed", func(t *testing.T) { callKilled(t, w, ready, p) })
	})
}

func refuse(_ *link, call wire.Call) ([]byte, string) {
	return nil, "LookupError: " + string(call.Path) + "\n"
}

func callValues(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	var values [][]byte
	for _, v := range []int64{0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, -32768, -32769, 65535, 65536, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, math.MinInt64} {
		values = append(values, f.AppendInt(nil, v))
	}
	values = append(values, f.AppendUint(nil, math.MaxUint64), f.AppendNull(nil), f.AppendBool(nil, true), f.AppendBool(nil, false))
	for _, v := range []float64{0, 1, -1.5, 0.1, 1e15, 1e16, 123456789.125, 1e-4, 1e-5, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1)} {
		values = append(values, f.AppendFloat(nil, v))
	}
	for _, v := range []string{"", "plain", "é€\U0001f600", "\"\\/\b\f\n\r\t\x00\x1f\x7f\u2028", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("ü", 200), strings.Repeat("z", 70000)} {
		values = append(values, f.AppendString(nil, v))
	}
	values = append(values, list(f), dict(f), list(f, list(f, list(f))), dict(f, str(f, "k"), dict(f, str(f, ""), list(f, f.AppendInt(nil, 1)))))
	many := make([][]byte, 70000)
	for i := range many {
		many[i] = f.AppendInt(nil, int64(i%3))
	}
	values = append(values, list(f, many[:15]...), list(f, many[:16]...), list(f, many...))
	kwargs := dict(f, str(f, "näme"), str(f, "wért"))
	want(t, l, "echo", list(f, values...), kwargs, list(f, append(values, kwargs)...))
	want(t, l, "echo", nil, nil, list(f, dict(f)))
	if w.codec != wire.JSON {
		extra := [][]byte{wire.AppendMsgPackBytes(nil, nil), wire.AppendMsgPackBytes(nil, []byte{0, 255}), wire.AppendMsgPackBytes(nil, make([]byte, 70000)), dict(f, f.AppendInt(nil, 1), f.AppendNull(nil))}
		want(t, l, "echo", list(f, extra...), nil, list(f, append(extra, dict(f))...))
	}
}

func callNested(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	want(t, l, "sub/ping", nil, nil, str(f, "pong"))
	want(t, l, "give", nil, nil, proxy(f, "sub"))
}

func callExceptions(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	for _, tc := range []struct {
		path, first, last string
		args              []byte
	}{
		{"boom", "Traceback (most recent call last):\n", "ValueError: \"späm\" is no number\n", list(f, str(f, "\"späm\" is no number"))},
		{"none/such", "Traceback (most recent call last):\n", "LookupError: Name \"none\" not found in \"\"\n", nil},
		{"echo", "Traceback (most recent call last):\n", "\n", f.AppendNull(nil)},
	} {
		_, err := l.call(limited(t), tc.path, tc.args, nil)
		var remote *remoteError
		if !errors.As(err, &remote) || !strings.HasPrefix(remote.text, tc.first) || !strings.HasSuffix(remote.text, tc.last) {
			t.Errorf("%s: error %v, want %q ... %q", tc.path, err, tc.first, tc.last)
		}
	}
	want(t, l, "sub/ping", nil, nil, str(f, "pong"))
}

func callLarge(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	big := str(f, strings.Repeat("0123456789abcdef", 1<<16))
	want(t, l, "echo", list(f, big), nil, list(f, big, dict(f)))
}

func callMany(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	const count = 2000
	ctx := limited(t)
	var calls sync.WaitGroup
	// None of these is answered before all of them are under way.
	for i := range count {
		calls.Add(1)
		guard.Go("test caller", func() {
			defer calls.Done()
			if i == count-1 {
				return
			}
			if got, err := l.call(ctx, "wait", list(f, str(f, "gate")), nil); err != nil || !bytes.Equal(got, str(f, "gate")) {
				t.Errorf("call %d: %q, error %v", i, got, err)
			}
		})
	}
	testx.Eventually(t, "all calls to be under way", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.pending) == count-1
	})
	want(t, l, "release", list(f, str(f, "gate")), nil, f.AppendNull(nil))
	calls.Wait()
	for i := range count {
		calls.Add(1)
		guard.Go("test caller", func() {
			defer calls.Done()
			arg := f.AppendInt(nil, int64(i))
			if got, err := l.call(ctx, "echo", list(f, arg), nil); err != nil || !bytes.Equal(got, list(f, arg, dict(f))) {
				t.Errorf("call %d: %q, error %v", i, got, err)
			}
		})
	}
	calls.Wait()
}

func callCancelled(t *testing.T, w way, a answer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	name := str(f, "cancelled")
	ctx, cancel := context.WithCancel(limited(t))
	given := make(chan error, 1)
	guard.Go("test caller", func() {
		_, err := l.call(ctx, "wait", list(f, name), nil)
		given <- err
	})
	// Handlers start in the order of arrival: after this the call is being served.
	want(t, l, "sub/ping", nil, nil, str(f, "pong"))
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	want(t, l, "release", list(f, name), nil, f.AppendNull(nil))
	testx.Eventually(t, "the late reply", func() bool { return l.lateReplies() == 1 })
	want(t, l, "sub/ping", nil, nil, str(f, "pong"))
}

func callBack(t *testing.T, w way, a answer) {
	f := w.format()
	l := dialPeer(t, w, a, func(_ *link, call wire.Call) ([]byte, string) {
		switch string(call.Path) {
		case "name":
			return call.Args, ""
		case "sub/ping":
			return str(f, "ours"), ""
		}
		return nil, "LookupError: " + string(call.Path) + "\n"
	})
	want(t, l, "callback", list(f, proxy(f, "")), nil, list(f, list(f, str(f, "x")), str(f, "ours")))
}

func callKilled(t *testing.T, w way, a answer, p *peer) {
	l, f := dialPeer(t, w, a, refuse), w.format()
	given := make(chan error, 1)
	guard.Go("test caller", func() {
		_, err := l.call(limited(t), "wait", list(f, str(f, "for ever")), nil)
		given <- err
	})
	want(t, l, "sub/ping", nil, nil, str(f, "pong"))
	p.kill()
	if err := <-given; !errors.Is(err, errLost) {
		t.Fatalf("the call under way: %v", err)
	}
	<-l.conn.Done()
	if _, err := l.call(limited(t), "echo", nil, nil); err == nil || errors.Is(err, framed.ErrClosed) {
		t.Fatalf("a later call: %v", err)
	}
}
