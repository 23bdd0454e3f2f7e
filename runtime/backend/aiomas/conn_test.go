package aiomas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend/backendtest"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

func TestConn_EveryCodecAndNetwork_CallsGoBothWays(t *testing.T) {
	testx.NoLeaks(t)
	for _, codec := range codecs {
		for _, address := range []string{"tcp://127.0.0.1:0", "unix://" + filepath.Join(t.TempDir(), "s"), "local://both-ways"} {
			t.Run(fmt.Sprint(codec, " ", address[:4]), func(t *testing.T) {
				o := Options{Codec: codec}
				pair := string(dialect.AppendPair(nil, o.values(), nil, nil))
				serving := o
				serving.Handler = functions(t, map[string]backendtest.HandlerFunc{
					"echo": echo,
					"sub/back": func(ctx context.Context, call *rpc.Call) { // a call back inside of a handler
						guardedBack(t, ctx, call, o.serialization(), pair)
					},
				})
				l := listen(t, ListenConfig{Options: serving, Address: address})
				o.Handler = functions(t, map[string]backendtest.HandlerFunc{"name": func(_ context.Context, call *rpc.Call) {
					call.Finish(rpc.OK, rpc.BytesPayload("", o.values().AppendString(nil, "Monty")))
				}})
				c := dial(t, l, DialConfig{Options: o})
				gives(t, c, "echo", pair, pair)
				gives(t, c, "echo", "", pair)
				gives(t, c, "sub/back", pair, string(o.values().AppendString(nil, "Monty")))
				gives(t, c, "sub", pair, "SVR_NOT_FOUND 'ServiceDict' object is not callable")
				gives(t, c, "sub/none", pair, `SVR_NOT_FOUND Name "none" not found in "sub"`)
				if p := c.Peer(); p.Scheme+"://"+p.Address != l.Address() {
					t.Errorf("the peer is %v, want %s", p, l.Address())
				}
			})
		}
	}
}

// guardedBack answers a call with what the caller's own function "name" gives.
func guardedBack(t *testing.T, ctx context.Context, call *rpc.Call, serialization, pair string) {
	back := begin(t, call.Conn, serialization, "name", pair)
	status := rpc.Wait(ctx, back)
	call.Finish(status, back.Response())
}

func TestConn_StatusOfTheHandler_ReachesTheCaller(t *testing.T) {
	testx.NoLeaks(t)
	statuses := map[string]rpc.Status{
		"own":    rpc.NewStatus(4242, "own words"),
		"known":  rpc.NewStatus(rpc.CodeInvalidArgument, "no number"),
		"traced": rpc.NewStatus(rpc.CodeSvrHandleFailed, "two\nlines").WithTrace("in a\nin b"),
		"theirs": dialect.ReadFailure(wire.Format{}, []byte(`"Traceback (most recent call last):\n  File\nValueError: 5\n"`)).Status(),
	}
	tree := dialect.NewTree()
	for path, status := range statuses {
		if err := tree.Add(path, nil, backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) { call.Finish(status, rpc.Payload{}) })); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Add("panics", nil, backendtest.HandlerFunc(func(context.Context, *rpc.Call) { panic("spam") })); err != nil {
		t.Fatal(err)
	}
	for _, array := range []bool{false, true} {
		l := listen(t, ListenConfig{Options: Options{Handler: tree, FailureArray: array}, Address: "local://statuses"})
		c := dial(t, l, DialConfig{})
		gives(t, c, "own", "", "code 4242 own words")
		gives(t, c, "known", "", "INVALID_ARGUMENT no number")
		gives(t, c, "traced", "", "SVR_HANDLE_FAILED two\nlines")
		gives(t, c, "theirs", "", "REMOTE_EXCEPTION ValueError: 5")
		gives(t, c, "panics", "", "SVR_HANDLE_FAILED handler panicked: spam")
		l.Close()
	}
}

func TestConn_BadArguments_AreRefused(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Options: Options{Handler: functions(t, map[string]backendtest.HandlerFunc{
		"echo": echo,
		"bad":  func(_ context.Context, call *rpc.Call) { call.Finish(rpc.OK, rpc.BytesPayload("", []byte("[1,"))) },
		"big": func(_ context.Context, call *rpc.Call) {
			call.Finish(rpc.OK, rpc.BytesPayload("", []byte(`"`+strings.Repeat("x", 5000)+`"`)))
		},
	}), MaxFrameBytes: 4096}, Address: "local://refuses"})
	c := dial(t, l, DialConfig{Options: Options{MaxFrameBytes: 4096}})
	for payload, want := range map[string]string{
		"[1":           "CLI_SERIALIZATION_FAILED ",
		"{}":           "CLI_SERIALIZATION_FAILED the payload of a call is map",
		"[[]]":         "CLI_SERIALIZATION_FAILED the payload of a call is an array of 1",
		"[{}, {}]":     "CLI_SERIALIZATION_FAILED the args of a call are map",
		"[[], [], []]": "CLI_SERIALIZATION_FAILED the payload of a call is an array of 3",
		"[[], null]":   "CLI_SERIALIZATION_FAILED the kwargs of a call are null",
		`[["` + strings.Repeat("x", 4096) + `"], {}]`: "RESOURCE_EXHAUSTED ",
	} {
		if got := outcome(t, begin(t, c, "json", "echo", payload)); !strings.HasPrefix(got, want) {
			t.Errorf("%.20s: %s, want %s", payload, got, want)
		}
	}
	for path, want := range map[string]string{"bad": "SVR_SERIALIZATION_FAILED ", "big": "SVR_SERIALIZATION_FAILED the result cannot be sent"} {
		if got := outcome(t, begin(t, c, "json", path, "")); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	gives(t, c, "echo", "[[1], {}]", "[[1], {}]")
}

// waiting serves a function that waits for the test.
type waiting struct {
	calls chan *rpc.Call
}

func (w waiting) Handle(_ context.Context, call *rpc.Call) { w.calls <- call }

func TestConn_Cancel_DropsTheCallAndTheConnectionLives(t *testing.T) {
	testx.NoLeaks(t)
	w := waiting{make(chan *rpc.Call, 1)}
	tree := functions(t, map[string]backendtest.HandlerFunc{"echo": echo})
	if err := tree.Add("wait", nil, w); err != nil {
		t.Fatal(err)
	}
	c := dial(t, listen(t, ListenConfig{Options: Options{Handler: tree}, Address: "tcp://127.0.0.1:0"}), DialConfig{})
	ctx, cancel := context.WithCancel(context.Background())
	call := begin(t, c, "json", "wait", "")
	ended := side(func() rpc.Status { return rpc.Wait(ctx, call) })
	served := received(t, "the request", w.calls)
	cancel()
	if s := received(t, "the end of the call", ended); s.Code() != rpc.CodeCancelled {
		t.Fatalf("ended with %v", s)
	}
	if !served.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatal("the handler's answer was not the first")
	}
	gives(t, c, "echo", "[[2], {}]", "[[2], {}]")
	s := c.current
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link.Pending() != 0 || len(s.pending) != 0 || s.link.Ignored() != 1 {
		t.Fatalf("pending %d and %d, ignored %d", s.link.Pending(), len(s.pending), s.link.Ignored())
	}
}

func TestConn_Lost_EndsCallsAndTellsOnce(t *testing.T) {
	testx.NoLeaks(t)
	w := waiting{make(chan *rpc.Call, 1)}
	conns := make(chan *Conn, 1)
	l := listen(t, ListenConfig{Options: Options{Handler: w}, Address: "tcp://127.0.0.1:0", Connected: func(c *Conn) { conns <- c }})
	c := dial(t, l, DialConfig{})
	told := make(chan error, 4)
	c.OnClose(func(reason error) { panic("the others are told all the same") })
	c.OnClose(func(reason error) { told <- reason })
	call := begin(t, c, "json", "anything", "")
	served := received(t, "the request", w.calls)
	theirs := received(t, "the connection", conns)
	if served.Conn != rpc.Conn(theirs) {
		t.Fatal("the call does not know its connection")
	}
	theirs.Close()
	if got := outcome(t, call); !strings.HasPrefix(got, "CONNECTION_LOST connection to tcp://127.0.0.1:") {
		t.Fatalf("open call: %s", got)
	}
	if reason := received(t, "the reason", told); reason == nil {
		t.Fatal("no reason")
	}
	<-served.Done()
	if served.Status().Code() != rpc.CodeConnectionLost || served.Finish(rpc.OK, rpc.Payload{}) {
		t.Fatalf("the served call ended with %v", served.Status())
	}
	if got := outcome(t, begin(t, c, "json", "anything", "")); !strings.HasPrefix(got, "CONNECTION_LOST ") {
		t.Fatalf("later call: %s", got)
	}
	c.OnClose(func(reason error) { told <- reason })
	received(t, "the reason, late", told)
	c.Close()
	<-c.Done()
	if len(told) != 0 {
		t.Fatal("told more than once")
	}
}

func TestConn_PeerThatSendsRubbish_IsCut(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Options: Options{Codec: wire.MsgPack}, Address: "tcp://127.0.0.1:0"})
	c := dial(t, l, DialConfig{}) // JSON
	if got := outcome(t, begin(t, c, "json", "echo", "")); !strings.HasPrefix(got, "CONNECTION_LOST ") {
		t.Fatal(got)
	}
	testx.Eventually(t, "the listener to forget it", func() bool { return len(l.Conns()) == 0 })
}

func TestConn_PeerThatDoesNotRead_IsNotReadFrom(t *testing.T) {
	testx.NoLeaks(t)
	const size, limit = 64 << 10, 256 << 10
	l := listen(t, ListenConfig{Options: Options{MaxReplyBytes: limit, Handler: backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
		call.Finish(rpc.OK, rpc.BytesPayload("", []byte(`"`+strings.Repeat("x", size)+`"`)))
	})}, Address: "tcp://127.0.0.1:0"})
	nc := rawDial(t, l)
	request := frame([]byte(`[0, 0, ["x", ["` + strings.Repeat("x", size) + `"], {}]]`))
	sent := side(func() error { // until the peer does not read any more
		for range 100_000 {
			if _, err := nc.Write(request); err != nil {
				return err
			}
		}
		return nil
	})
	testx.Eventually(t, "the connection", func() bool { return len(l.Conns()) == 1 })
	s := l.Conns()[0].current
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.replyBytes > limit
	}
	testx.Eventually(t, "the answers to wait", full)
	testx.Eventually(t, "the handlers to be idle", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.serving) == 0
	})
	s.mu.Lock()
	held := s.replyBytes
	s.mu.Unlock()
	// What was read before the limit was noticed may be answered beyond it: what a read takes at once, not what the peer can send.
	if most := limit + dialect.DefaultMaxOpen*size; held > most {
		t.Fatalf("%d bytes of answers are held, at most %d expected", held, most)
	}
	nc.Close()
	if err := received(t, "the sender", sent); err == nil {
		t.Fatal("everything was read from a peer that does not read")
	}
}

func TestConn_LimitsOfOpenCalls_RefuseByName(t *testing.T) {
	testx.NoLeaks(t)
	w := waiting{make(chan *rpc.Call, 2)}
	l := listen(t, ListenConfig{Options: Options{Handler: w, MaxOpen: 1}, Address: "tcp://127.0.0.1:0"})
	for _, tc := range []struct {
		options Options
		want    string
	}{{Options{}, "limit MaxOpen"}, {Options{MaxPending: 1}, "limit MaxPending"}, {Options{MaxPendingBytes: 30}, "limit MaxPendingBytes"}} {
		c := dial(t, l, DialConfig{Options: tc.options})
		first := begin(t, c, "json", "first", "")
		served := received(t, "the request", w.calls)
		if got := outcome(t, begin(t, c, "json", "second", "")); !strings.Contains(got, tc.want) {
			t.Errorf("%s, want %s", got, tc.want)
		}
		served.Finish(rpc.OK, rpc.Payload{})
		if got := outcome(t, first); got != "null" {
			t.Error(got)
		}
	}
}

func TestConn_ManyCallers_EachGetsItsOwn(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Options: Options{Handler: functions(t, map[string]backendtest.HandlerFunc{"echo": echo})}, Address: "tcp://127.0.0.1:0"})
	c := dial(t, l, DialConfig{})
	const callers, calls = 16, 500
	done := make(chan error, callers)
	for i := range callers {
		guard.Go("test caller", func() {
			var failed error
			for j := range calls {
				want := fmt.Sprintf("[[%d, %d], {}]", i, j)
				if got := outcome(t, begin(t, c, "json", "echo", want)); got != want {
					failed = errors.New(got)
				}
			}
			done <- failed
		})
	}
	for range callers {
		if err := received(t, "a caller", done); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConn_Reference_NamesWhatIsServed(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t, ListenConfig{Options: Options{Handler: functions(t, map[string]backendtest.HandlerFunc{"echo": echo}), ReferenceType: 1}, Address: "local://references"})
	tree := functions(t, map[string]backendtest.HandlerFunc{"sub/ping": echo})
	c := dial(t, l, DialConfig{Options: Options{Handler: tree, ReferenceType: 1}})
	value, err := c.Reference("sub")
	if err != nil || string(value) != `{"__type__": [1, "sub"]}` {
		t.Fatalf("%s, %v", value, err)
	}
	if _, err := c.Reference("sub/none"); err == nil {
		t.Fatal("a reference to nothing was made")
	}
	if path, ok := c.ReferencePath(value); !ok || path != "sub" {
		t.Fatalf("%q, %v", path, ok)
	}
	gives(t, c, "echo", `[[`+string(value)+`], {}]`, `[[`+string(value)+`], {}]`)
}

// quickHandler declares that it returns at once.
type quickHandler struct {
	backendtest.HandlerFunc
	quick bool
}

func (h quickHandler) NonBlocking() bool { return h.quick }

func TestConn_HandlerThatNeverBlocks_RunsOnTheGoroutineThatReads(t *testing.T) {
	for _, quick := range []bool{true, false} {
		reading := make(chan bool, 1)
		tree := dialect.NewTree()
		err := tree.Add("here", nil, quickHandler{func(ctx context.Context, call *rpc.Call) {
			reading <- bytes.Contains(debug.Stack(), []byte("framed.(*Conn).read"))
			echo(ctx, call)
		}, quick})
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, listen(t, ListenConfig{Address: "tcp://127.0.0.1:0", Options: Options{Handler: tree}}), DialConfig{})
		for range 3 {
			gives(t, c, "here", `[[1], {}]`, `[[1], {}]`)
			if got := <-reading; got != quick {
				t.Errorf("declared non-blocking %v, ran where it is read %v", quick, got)
			}
		}
	}
}
