package aiomas

import (
	"errors"
	"strings"
	"testing"

	wire "aimrtrpc/runtime/wire/aiomas"
)

func newPair(cfg LinkConfig) (client, server *Link) { return NewLink(cfg), NewLink(cfg) }

func mustCall(t *testing.T, l *Link, path, args string) ([]byte, uint64) {
	t.Helper()
	out, id, err := l.AppendCall(nil, path, []byte(args), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out, id
}

func TestLink_CallAndReply_MatchByNumber(t *testing.T) {
	client, server := newPair(LinkConfig{})
	first, a := mustCall(t, client, "math/add", "[1, 2]")
	second, b := mustCall(t, client, "math/add", "[3, 4]")
	if a != 0 || b != 1 {
		t.Fatalf("ids are %d and %d, expected 0 and 1", a, b)
	}
	_, _, err := server.ReceiveCall(nil, first)
	if err != nil {
		t.Fatal(err)
	}
	e, out, err := server.ReceiveCall(nil, second)
	if err != nil || len(out) != 0 {
		t.Fatalf("reply %q, error %v", out, err)
	}
	if e.Kind != Requested || string(e.Call.Path) != "math/add" || string(e.Call.Args) != "[3, 4]" {
		t.Fatalf("event %+v", e)
	}
	reply, err := server.AppendResult(nil, e.Number, []byte("7"))
	if err != nil || string(reply) != "[1, 1, 7]" {
		t.Fatalf("reply %q, error %v", reply, err)
	}
	got, _, err := client.Receive(nil, reply)
	if err != nil || got.Kind != Replied || got.Number != b || string(got.Content) != "7" {
		t.Fatalf("event %+v, error %v", got, err)
	}
	if client.Pending() != 1 || server.Open() != 1 {
		t.Fatalf("pending %d, open %d", client.Pending(), server.Open())
	}
	if _, err := server.AppendResult(nil, e.Number, []byte("7")); !errors.Is(err, ErrNoSuchRequest) {
		t.Fatalf("a second reply gave %v", err)
	}
}

func TestLink_ReplyNobodyWaitsFor_IsIgnored(t *testing.T) {
	l := NewLink(LinkConfig{})
	_, id := mustCall(t, l, "slow", "[]")
	if !l.Forget(id) || l.Forget(id) {
		t.Fatal("forget is true exactly once")
	}
	for _, reply := range []string{`[1, 0, 1]`, `[1, 99, 1]`, `[2, "0", "x"]`, `[1, null, 1]`} {
		e, out, err := l.Receive(nil, []byte(reply))
		if err != nil || e.Kind != Nothing || len(out) != 0 {
			t.Fatalf("%s gave %+v, %q, %v", reply, e, out, err)
		}
	}
	if l.Ignored() != 4 {
		t.Fatalf("ignored %d", l.Ignored())
	}
}

func TestLink_RequestNotUnderstood_IsAnsweredWhenItHasAnID(t *testing.T) {
	for _, c := range []struct{ name, payload, class string }{
		{"content no triple", `[0, 5, 1]`, "TypeError: "},
		{"path no text", `[0, 5, [1, [], {}]]`, "TypeError: "},
		{"content malformed", `[0, 5, [`, "ValueError: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewLink(LinkConfig{})
			e, out, err := l.ReceiveCall(nil, []byte(c.payload))
			if err != nil || e.Kind != Nothing {
				t.Fatalf("event %+v, error %v", e, err)
			}
			if text := string(out); !strings.HasPrefix(text, `[2, 5, "Traceback (most recent call last):\n`) || !strings.Contains(text, c.class) {
				t.Fatalf("answer %s", text)
			}
			if l.Open() != 0 {
				t.Fatal("the request stayed open")
			}
		})
	}
	for _, payload := range []string{``, `{}`, `[7, 5, 1]`, `[0]`, `[1, 0`} {
		if _, _, err := NewLink(LinkConfig{}).ReceiveCall(nil, []byte(payload)); err == nil {
			t.Fatalf("%q was accepted", payload)
		}
	}
}

func TestLink_Limits_Refuse(t *testing.T) {
	l := NewLink(LinkConfig{MaxPending: 2, MaxPendingBytes: 90, MaxOpen: 1})
	mustCall(t, l, "a", `["0123456789012345678901234567890123456789"]`)
	if _, _, err := l.AppendCall(nil, "a", []byte(`["0123456789012345678901234567890123456789"]`), nil); !errors.Is(err, ErrPendingLimit) {
		t.Fatalf("bytes: %v", err)
	}
	mustCall(t, l, "b", "[]")
	if _, _, err := l.AppendCall(nil, "c", nil, nil); !errors.Is(err, ErrPendingLimit) {
		t.Fatalf("count: %v", err)
	}
	if _, _, err := l.Receive(nil, []byte(`[0, 1, 1]`)); err != nil {
		t.Fatal(err)
	}
	e, out, err := l.Receive(nil, []byte(`[0, 2, 1]`))
	if err != nil || e.Kind != Nothing || !strings.Contains(string(out), "MaxOpen") {
		t.Fatalf("event %+v, answer %s, error %v", e, out, err)
	}
}

func TestLink_ValueThatIsNone_IsNotSent(t *testing.T) {
	l := NewLink(LinkConfig{})
	if _, _, err := l.AppendRequest([]byte("x"), []byte("[1,")); !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("request: %v", err)
	}
	e, _, err := l.Receive(nil, []byte(`[0, "a", null]`))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := l.AppendResult([]byte("x"), e.Number, []byte("nul")); !errors.Is(err, wire.ErrMalformed) || string(out) != "x" {
		t.Fatalf("result: %q, %v", out, err)
	}
	out, err := l.AppendException(nil, e.Number, "spam\n")
	if err != nil || string(out) != `[2, "a", "spam\n"]` {
		t.Fatalf("%q, %v", out, err)
	}
}
