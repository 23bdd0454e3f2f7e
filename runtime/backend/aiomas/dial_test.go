package aiomas

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]address{
		"127.0.0.1:5555": {"tcp", "127.0.0.1:5555", ""}, "tcp://[::1]:5555": {"tcp", "[::1]:5555", ""}, "tcp://:0": {"tcp", ":0", ""},
		"aiomas://h:1/a/b": {"tcp", "h:1", "a/b"}, "unix:///run/x.sock": {"unix", "/run/x.sock", ""}, "local://arm": {"local", "arm", ""},
	} {
		if got, err := parseAddress(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "no host and port", "host": "no host and port", "tcp://h:": "no host and port", "unix://x": "names no file", "unix:///": "names no file",
		"local://": "no name", "local://a/b": "no name", "local://" + strings.Repeat("x", 300): "no name", "http://a:1": `begins with "http"`,
		"tcp://h:1?x=1": "has a query", "tcp://h h:1": "white space",
	} {
		if got, err := parseAddress(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %s", text, got, err, want)
		}
	}
}

func TestDial_Retry_PausesGrowAsThoseOfAiomas(t *testing.T) {
	var pauses []time.Duration
	stop := errors.New("enough")
	cfg := DialConfig{Address: "local://nobody-yet", RetryFor: -1, pause: func(_ context.Context, d time.Duration) error {
		if pauses = append(pauses, d); len(pauses) == 13 {
			return stop
		}
		return nil
	}}
	if _, err := Dial(background(t), cfg); !errors.Is(err, stop) || !errors.Is(err, errNoListener) {
		t.Fatal(err)
	}
	want := []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, 1125 * time.Millisecond}
	for i, w := range want {
		if pauses[i] != w {
			t.Errorf("pause %d is %v, want %v", i, pauses[i], w)
		}
	}
	if last := pauses[len(pauses)-1]; last != longPause {
		t.Errorf("the longest pause is %v", last)
	}
}

func TestDial_Retry_EndsAfterItsTimeOrFindsTheListener(t *testing.T) {
	testx.NoLeaks(t)
	pauses := 0
	count := func(context.Context, time.Duration) error { pauses++; return nil }
	if _, err := Dial(background(t), DialConfig{Address: "local://late", pause: count}); !errors.Is(err, errNoListener) || pauses != 0 {
		t.Fatalf("%v after %d pauses", err, pauses)
	}
	if _, err := Dial(background(t), DialConfig{Address: "local://late", RetryFor: 2 * time.Millisecond, pause: count}); !errors.Is(err, errNoListener) || pauses == 0 {
		t.Fatalf("%v after %d pauses", err, pauses)
	}
	c, err := Dial(background(t), DialConfig{Address: "local://late", RetryFor: -1, pause: func(context.Context, time.Duration) error {
		listen(t, ListenConfig{Options: Options{Handler: functions(t, map[string]backendtest.HandlerFunc{"echo": echo})}, Address: "local://late"})
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	gives(t, c, "echo", "[[], {}]", "[[], {}]")
	c.Close()
}

func TestDial_Reconnect_GoesOnWithANewSocket(t *testing.T) {
	testx.NoLeaks(t)
	type change struct {
		connected bool
		reason    error
	}
	changes, closed := make(chan change, 4), make(chan error, 1)
	pausing, goOn := make(chan struct{}), make(chan struct{})
	tree := functions(t, map[string]backendtest.HandlerFunc{"echo": echo, "wait": func(context.Context, *rpc.Call) {}})
	serve := func() *Listener {
		return listen(t, ListenConfig{Options: Options{Handler: tree}, Address: "local://again"})
	}
	first := serve()
	c := dial(t, first, DialConfig{
		Reconnect: true, Changed: func(connected bool, reason error) { changes <- change{connected, reason} },
		pause: func(ctx context.Context, _ time.Duration) error {
			select {
			case pausing <- struct{}{}:
				<-goOn
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	})
	c.OnClose(func(reason error) { closed <- reason })
	open := begin(t, c, "json", "wait", "")
	first.Close()
	if got := outcome(t, open); !strings.HasPrefix(got, "CONNECTION_LOST") {
		t.Fatalf("the open call: %s", got)
	}
	if got := received(t, "the loss", changes); got.connected || got.reason == nil {
		t.Fatalf("%+v", got)
	}
	received(t, "an attempt", pausing)
	if got := outcome(t, begin(t, c, "json", "echo", "")); !strings.HasPrefix(got, "UNAVAILABLE") {
		t.Fatalf("a call meanwhile: %s", got)
	}
	second := serve()
	goOn <- struct{}{}
	if got := received(t, "the connection", changes); !got.connected {
		t.Fatalf("%+v", got)
	}
	gives(t, c, "echo", "[[2], {}]", "[[2], {}]")
	second.Close()
	received(t, "the second loss", changes)
	received(t, "an attempt", pausing)
	close(goOn)
	c.Close()
	if reason := received(t, "the end", closed); !errors.Is(reason, errClosed) {
		t.Fatal(reason)
	}
}
