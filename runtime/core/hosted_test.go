package core

import (
	"strings"
	"testing"
)

// hostedEvent is an event with a content of its own.
type hostedEvent struct {
	kind    HostedEventKind
	number  uint64
	content string
}

func newHosted(t *testing.T, cfg HostedConfig) *Hosted {
	t.Helper()
	h, err := NewHosted(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func feed(t *testing.T, h *Hosted, capacity int, data string) []hostedEvent {
	t.Helper()
	var out []hostedEvent
	err := h.Feed([]byte(data), capacity, func(e HostedEvent) {
		out = append(out, hostedEvent{e.Kind, e.Number, string(e.Content)})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustRequest(t *testing.T, h *Hosted, content string) (frame string, number uint64) {
	t.Helper()
	out, number, err := h.Request(nil, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), number
}

func TestHosted_RequestAndReply_MeetByNumber(t *testing.T) {
	t.Parallel()
	for codec, content := range map[HostedCodec]string{HostedJSON: `["add", [1, 2], {}]`, HostedMsgPack: "\x93\xa3add\x92\x01\x02\x80"} {
		client, server := newHosted(t, HostedConfig{Codec: codec}), newHosted(t, HostedConfig{Codec: codec})
		first, _ := mustRequest(t, client, content)
		second, number := mustRequest(t, client, content)
		var got []hostedEvent
		for _, piece := range []string{first[:3], first[3:] + second[:6], second[6:]} {
			got = append(got, feed(t, server, 8, piece)...)
		}
		if len(got) != 2 || got[1] != (hostedEvent{HostedRequest, 1, content}) || server.Open() != 2 || server.Buffered() != 0 {
			t.Fatalf("events %+v, %d open, %d buffered", got, server.Open(), server.Buffered())
		}
		reply, err := server.Reply(nil, got[1].number, HostedException, []byte("3")) // one value in both codecs
		if err != nil {
			t.Fatal(err)
		}
		got = feed(t, client, 8, string(reply))
		if len(got) != 1 || got[0] != (hostedEvent{HostedException, number, "3"}) || client.Pending() != 1 {
			t.Fatalf("events %+v, %d pending", got, client.Pending())
		}
	}
}

func TestHosted_MoreEventsThanRoom_WaitAndCopyTheInput(t *testing.T) {
	t.Parallel()
	h := newHosted(t, HostedConfig{Codec: HostedOpaque})
	input := []byte("\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00\x00\x00\x00\x00\x00\x09c")
	var got []string
	deliver := func(e HostedEvent) { got = append(got, string(e.Content)) }
	if err := h.Feed(input, 1, deliver); err != nil {
		t.Fatal(err)
	}
	clear(input) // it was lent for the call
	if err := h.Feed([]byte("x"), 1, deliver); KindOf(err) != InvalidState {
		t.Fatalf("bytes out of turn gave %v", err)
	}
	if _, err := h.EndOfInput(); KindOf(err) != InvalidState {
		t.Fatalf("the end before the events gave %v", err)
	}
	for range 3 {
		if err := h.Feed(nil, 1, deliver); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Join(got, ",") != "a,b," || h.Buffered() != 5 {
		t.Fatalf("payloads %q, %d buffered", got, h.Buffered())
	}
	if left, err := h.EndOfInput(); left != 5 || err != nil {
		t.Fatalf("%d bytes left, %v", left, err)
	}
}

func TestHosted_WhatThePeerMayNotSend_IsTheLastEvent(t *testing.T) {
	t.Parallel()
	good := "\x00\x00\x00\x09[0, 7, 1]"
	for name, c := range map[string]struct{ bytes, text string }{
		"frame too long":    {"\x00\x00\x01\x00", "a frame of the peer: 256 is more than MaxFrameBytes 100"},
		"no message":        {"\x00\x00\x00\x02{}", "a message of the peer: not a message"},
		"malformed":         {"\x00\x00\x00\x01x", "malformed JSON at byte 0"},
		"reply without end": {"\x00\x00\x00\x06[1, 0,", "malformed JSON at byte 6"},
	} {
		h := newHosted(t, HostedConfig{MaxFrameBytes: 100})
		got := feed(t, h, 8, good+c.bytes+good)
		if len(got) != 2 || got[0].kind != HostedRequest || got[1].kind != HostedFailed || !strings.Contains(got[1].content, c.text) {
			t.Fatalf("%s: events %+v", name, got)
		}
		if err := h.Feed([]byte(good), 8, func(HostedEvent) {}); KindOf(err) != InvalidState || !strings.Contains(err.Error(), c.text) {
			t.Fatalf("%s: a further feed gave %v", name, err)
		}
		if out, err := h.Reply([]byte("x"), got[0].number, HostedResult, []byte("1")); KindOf(err) != InvalidState || string(out) != "x" {
			t.Fatalf("%s: a reply gave %q, %v", name, out, err)
		}
	}
}

func TestHosted_RequestNotUnderstood_IsAnsweredByTheLibrary(t *testing.T) {
	t.Parallel()
	h := newHosted(t, HostedConfig{MaxOpen: 1})
	got := feed(t, h, 8, "\x00\x00\x00\x06[0, 4,\x00\x00\x00\x09[0, 5, 1]\x00\x00\x00\x09[0, 6, 1]")
	if len(got) != 1 || got[0] != (hostedEvent{HostedRequest, 0, "1"}) {
		t.Fatalf("events %+v", got)
	}
	var answers []string
	peer := newHosted(t, HostedConfig{Codec: HostedOpaque})
	for _, e := range feed(t, peer, 8, string(h.TakeOutput(nil))) {
		answers = append(answers, e.content)
	}
	if len(answers) != 2 || !strings.HasPrefix(answers[0], `[2, 4, "Traceback`) || !strings.Contains(answers[1], "MaxOpen") || h.Output() != 0 {
		t.Fatalf("answers %q, %d bytes wait", answers, h.Output())
	}
}

func TestHosted_AnswersNobodyTakes_EndTheConnection(t *testing.T) {
	t.Parallel()
	h := newHosted(t, HostedConfig{})
	bad := strings.Repeat("\x00\x00\x00\x06[0, 4,", 4096)
	for fed := 0; fed < hostedMaxOutput; fed += len(bad) {
		if got := feed(t, h, 8, bad); len(got) == 1 {
			if got[0].kind != HostedFailed || !strings.Contains(got[0].content, "wait to be taken, limit 4194304") {
				t.Fatalf("event %+v", got)
			}
			return
		}
	}
	t.Fatalf("%d bytes wait", h.Output())
}

func TestHosted_Refusals_SayWhat(t *testing.T) {
	t.Parallel()
	h := newHosted(t, HostedConfig{MaxPending: 1, MaxFrameBytes: 60})
	opaque := newHosted(t, HostedConfig{Codec: HostedOpaque, MaxFrameBytes: 4})
	mustRequest(t, h, "1")
	ended := newHosted(t, HostedConfig{})
	feed(t, ended, 8, "\x00\x00\x00\x09[0, 7, 1]")
	mustRequest(t, ended, "1")
	if left, err := ended.EndOfInput(); left != 0 || err != nil || ended.Pending() != 0 {
		t.Fatalf("%d bytes left, %v, %d pending", left, err, ended.Pending())
	}
	request := func(h *Hosted, content string) error { _, _, err := h.Request(nil, []byte(content)); return err }
	reply := func(h *Hosted, number uint64, kind HostedEventKind, content string) error {
		_, err := h.Reply(nil, number, kind, []byte(content))
		return err
	}
	frame := func(h *Hosted, payload string) error { _, err := h.Frame(nil, []byte(payload)); return err }
	_, badCodec := NewHosted(HostedConfig{Codec: 4})
	for name, c := range map[string]struct {
		err  error
		kind Kind
		text string
	}{
		"codec":              {badCodec, InvalidArgument, "codec is 4"},
		"pending":            {request(h, "1"), Limit, "MaxPending"},
		"no value":           {request(ended, ""), InvalidState, "ended"},
		"reply of no value":  {reply(ended, 0, HostedResult, ""), InvalidArgument, "malformed JSON"},
		"kind of reply":      {reply(ended, 0, HostedRequest, "1"), InvalidArgument, "kind of the reply is 1"},
		"no such request":    {reply(h, 3, HostedResult, "1"), NotFound, "3"},
		"frame of a message": {frame(h, "abc"), Unsupported, "opaque"},
		"opaque request":     {request(opaque, "1"), Unsupported, "opaque"},
		"opaque frame":       {frame(opaque, "abcde"), Limit, "MaxFrameBytes"},
		"end again":          {func() error { _, err := ended.EndOfInput(); return err }(), InvalidState, "ended"},
	} {
		if KindOf(c.err) != c.kind || c.err == nil || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("%s: %v of kind %v, expected %q of kind %v", name, c.err, KindOf(c.err), c.text, c.kind)
		}
	}
	if err := reply(ended, 0, HostedResult, "1"); err != nil {
		t.Errorf("a reply after the end of input and after refused ones gave %v", err)
	}
	if !h.Forget(0) || h.Forget(0) || h.Drop(0) || h.Pending() != 0 {
		t.Error("forget is true once, drop never without a request")
	}
}

func TestHosted_FrameAroundItsContent_IsTheWholeFrame(t *testing.T) {
	t.Parallel()
	for codec, content := range map[HostedCodec]string{HostedJSON: `["add", [1, 2], {}]`, HostedMsgPack: "\x93\xa3add\x92\x01\x02\x80"} {
		cfg := HostedConfig{Codec: codec, MaxFrameBytes: 40}
		whole, around := newHosted(t, cfg), newHosted(t, cfg)
		want, _ := mustRequest(t, whole, content)
		out, at, number, err := around.RequestAround(nil, []byte(content))
		if got := string(out[:at]) + content + string(out[at:]); err != nil || got != want || number != 0 || around.Pending() != 1 || !around.Around() {
			t.Fatalf("request %q, %v, number %d, %d pending, expected %q", got, err, number, around.Pending(), want)
		}
		for _, h := range []*Hosted{whole, around} {
			feed(t, h, 8, want)
		}
		reply, err := whole.Reply(nil, 0, HostedException, []byte("3"))
		if err != nil {
			t.Fatal(err)
		}
		long := "\"" + strings.Repeat("x", 40) + "\""
		if codec == HostedMsgPack {
			long = "\xd9\x28" + strings.Repeat("x", 40)
		}
		for _, refused := range []struct {
			kind    HostedEventKind
			content string
			result  Kind
		}{{HostedResult, long, Limit}, {HostedResult, "", InvalidArgument}, {HostedRequest, "3", InvalidArgument}} {
			if out, _, err := around.ReplyAround([]byte("x"), 0, refused.kind, []byte(refused.content)); KindOf(err) != refused.result || string(out) != "x" {
				t.Errorf("codec %d: a reply of %q gave %q, %v", codec, refused.content, out, err)
			}
		}
		out, at, err = around.ReplyAround(nil, 0, HostedException, []byte("3"))
		if got := string(out[:at]) + "3" + string(out[at:]); err != nil || got != string(reply) || around.Open() != 0 {
			t.Fatalf("reply %q, %v, expected %q", got, err, reply)
		}
		if _, _, err := around.ReplyAround(nil, 0, HostedResult, []byte("3")); KindOf(err) != NotFound {
			t.Errorf("a second reply gave %v", err)
		}
	}
	if newHosted(t, HostedConfig{Codec: HostedMsgPackBlosc}).Around() || newHosted(t, HostedConfig{Codec: HostedOpaque}).Around() {
		t.Error("frames of other codecs cannot be written around their content")
	}
}

// lentMemory gives memory that the Splitter does not own, and scrubs it when it has been given back and the next feed has begun.
type lentMemory struct{ live, given []byte }

func (m *lentMemory) Grow(held []byte, size int) []byte {
	m.live = append(make([]byte, 0, size), held...)[:size]
	return m.live
}

func (m *lentMemory) Give([]byte) { m.given, m.live = m.live, nil }

func TestHosted_FrameInPieces_IsInTheMemoryGiven(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, 5000} {
		for _, piece := range []int{1, 3, 700, 4096} {
			memory := &lentMemory{}
			h := newHosted(t, HostedConfig{Codec: HostedOpaque, Memory: memory})
			frame := func(c string) string {
				payload := strings.Repeat(c, size)
				return string([]byte{0, 0, byte(size >> 8), byte(size)}) + payload
			}
			input := frame("a") + frame("b") + frame("c")
			var got []string
			for len(input) > 0 {
				n := min(piece, len(input))
				err := h.Feed([]byte(input[:n]), 8, func(e HostedEvent) {
					got = append(got, string(e.Content))
					within := len(memory.live) >= 4 && &memory.live[4] == &e.Content[0]
					if e.Held != within {
						t.Fatalf("size %d in pieces of %d: held %v, in the memory %v", size, piece, e.Held, within)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				clear(memory.given)
				input = input[n:]
			}
			for i, c := range []string{"a", "b", "c"} {
				if len(got) != 3 || got[i] != strings.Repeat(c, size) {
					t.Fatalf("size %d in pieces of %d: %d payloads, not what was sent", size, piece, len(got))
				}
			}
		}
	}
	out := newHosted(t, HostedConfig{Codec: HostedOpaque, Memory: noMemory{}})
	if got := feed(t, out, 8, "\x00\x00"); len(got) != 1 || got[0].kind != HostedFailed || !strings.Contains(got[0].content, "no memory for") {
		t.Fatalf("without memory: %+v", got)
	}
}

type noMemory struct{}

func (noMemory) Grow([]byte, int) []byte { return nil }
func (noMemory) Give([]byte)             {}

func TestHosted_SmallCall_HasFewAllocations(t *testing.T) {
	client, server := newHosted(t, HostedConfig{}), newHosted(t, HostedConfig{})
	room, content := make([]byte, 0, 4096), []byte(`["path/to/method", [1, 2, "some text"], {}]`)
	var number uint64
	deliver := func(e HostedEvent) { number = e.Number }
	got := testing.AllocsPerRun(100, func() {
		frame, _, _ := client.Request(room, content)
		_ = server.Feed(frame, 8, deliver)
		frame, _ = server.Reply(room, number, HostedResult, []byte("3"))
		_ = client.Feed(frame, 8, deliver)
	})
	if got > 8 {
		t.Errorf("%v allocations for a call and its reply, at most 8 expected", got)
	}
}
