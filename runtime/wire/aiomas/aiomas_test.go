package aiomas

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

var codecs = []Codec{JSON, MsgPack, MsgPackBlosc}

// payloadOf is what the codec sends for a value's bytes.
func payloadOf(f Format, value []byte) []byte {
	if f.Codec != MsgPackBlosc {
		return value
	}
	return deflate(append(make([]byte, bloscHeader), value...), 0)
}

func nested(open, middle, closing string, levels int) []byte {
	return []byte(strings.Repeat(open, levels) + middle + strings.Repeat(closing, levels))
}

func TestDecode_Limits_NameFieldAndKeepTheID(t *testing.T) {
	deep := func(f Format, levels int) []byte {
		if f.Codec != JSON {
			return append([]byte{0x93, 0, 9}, nested("\x91", "\xc0", "", levels-1)...)
		}
		return append(append([]byte("[0, 9, "), nested("[", "", "]", levels-1)...), ']')
	}
	maps := func(f Format, levels int) []byte {
		if f.Codec != JSON {
			return append([]byte{0x93, 0, 9}, nested("\x81\xa0", "\xc0", "", levels-1)...)
		}
		return append(append([]byte("[0, 9, "), nested(`{"":`, "1", "}", levels-1)...), ']')
	}
	for _, codec := range codecs {
		for _, tc := range []struct {
			name    string
			f       Format
			payload []byte
			limit   string
			got     int64
		}{
			{"depth at limit", Format{}, deep(Format{Codec: codec}, DefaultMaxDepth), "", 0},
			{"depth", Format{}, deep(Format{Codec: codec}, DefaultMaxDepth+1), "MaxDepth", DefaultMaxDepth + 1},
			{"depth of maps at limit", Format{}, maps(Format{Codec: codec}, DefaultMaxDepth), "", 0},
			{"depth of maps", Format{}, maps(Format{Codec: codec}, DefaultMaxDepth+1), "MaxDepth", DefaultMaxDepth + 1},
			{"depth configured", Format{MaxDepth: 3}, deep(Format{Codec: codec}, 4), "MaxDepth", 4},
			{"depth bomb", Format{MaxDepth: 1 << 40}, deep(Format{Codec: codec}, 1<<20), "MaxDepth", depthCeiling + 1},
		} {
			tc.f.Codec = codec
			m, err := tc.f.Decode(payloadOf(tc.f, tc.payload))
			var limit *LimitError
			switch {
			case tc.limit == "" && err != nil:
				t.Errorf("%v %s: %v", codec, tc.name, err)
			case tc.limit != "" && (!errors.As(err, &limit) || !errors.Is(err, ErrLimit) || limit.Limit != tc.limit || limit.Got != tc.got):
				t.Errorf("%v %s: error %v, want %s with %d", codec, tc.name, err, tc.limit, tc.got)
			}
			if n, ok := m.ID.Number(); m.Kind != Request || !ok || n != 9 {
				t.Errorf("%v %s: kind %v id %d %t, want request 9", codec, tc.name, m.Kind, n, ok)
			}
		}
	}
}

func TestDecode_FrameAndIDLimits(t *testing.T) {
	for _, tc := range []struct {
		name    string
		f       Format
		payload string
		limit   string
	}{
		{"frame at limit", Format{MaxFrameBytes: 12}, "[0, 1, null]", ""},
		{"frame", Format{MaxFrameBytes: 11}, "[0, 1, null]", "MaxFrameBytes"},
		{"id at limit", Format{MaxIDBytes: 4}, `[0, "ab", null]`, ""},
		{"id", Format{MaxIDBytes: 3}, `[0, "ab", null]`, "MaxIDBytes"},
	} {
		m, err := tc.f.Decode([]byte(tc.payload))
		var limit *LimitError
		if tc.limit == "" && (err != nil || !m.ID.Known()) {
			t.Errorf("%s: error %v, id known %t", tc.name, err, m.ID.Known())
		}
		if tc.limit != "" && (!errors.As(err, &limit) || limit.Limit != tc.limit || m.ID.Known()) {
			t.Errorf("%s: error %v, id known %t, want %s", tc.name, err, m.ID.Known(), tc.limit)
		}
	}
}

// An announced count costs no memory and no time, and the id in front of it is
// still found.
func TestDecode_CountBombs_AreRefusedWithTheID(t *testing.T) {
	f := Format{Codec: MsgPack}
	for _, tail := range []string{"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff", "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff", "\xdc\xff\xff\xc0", "\x9f\xc0"} {
		payload := []byte("\x93\x00\x05" + tail)
		var m Message
		var err error
		if allocs := testing.AllocsPerRun(10, func() { m, err = f.Decode(payload) }); allocs > 2 {
			t.Errorf("%x: %v allocations", tail, allocs)
		}
		if n, _ := m.ID.Number(); !errors.Is(err, ErrMalformed) || n != 5 || m.Kind != Request {
			t.Errorf("%x: error %v, %v %d", tail, err, m.Kind, n)
		}
	}
}

func request(t *testing.T, f Format, content string) Message {
	t.Helper()
	m, err := f.Decode([]byte("[0, 0, " + content + "]"))
	if err != nil || m.Kind != Request {
		t.Fatalf("%s: %v, error %v", content, m.Kind, err)
	}
	return m
}

func TestDecodeCall_Refusals_SayWhatWasFound(t *testing.T) {
	for _, tc := range []struct{ content, text string }{
		{`null`, "content is null, expected [path, args, kwargs]"},
		{`{"path": 1}`, "content is a map, expected"},
		{`[]`, "content is an array of 0, expected"},
		{`["p", []]`, "content is an array of 2, expected"},
		{`["p", [], {}, 1]`, "content is an array of 4, expected"},
		{`[1.5, [], {}]`, "path is a float, expected a string"},
		{`[["p"], [], {}]`, "path is an array, expected a string"},
		{`["\ud800", [], {}]`, "half of a surrogate pair"},
	} {
		_, err := Format{}.DecodeCall(request(t, Format{}, tc.content))
		if !errors.Is(err, ErrNotCall) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: error %v, want %q", tc.content, err, tc.text)
		}
	}
	_, err := Format{MaxPathBytes: 3}.DecodeCall(request(t, Format{}, `["abcd", [], {}]`))
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != "MaxPathBytes" || limit.Got != 4 {
		t.Errorf("long path: error %v", err)
	}
}

// Args and kwargs are handed over whatever they are, byte for byte.
func TestDecodeCall_ArgsOfAnyShape_StayRaw(t *testing.T) {
	call, err := Format{}.DecodeCall(request(t, Format{}, ` [ "a\/b" , "ab" ,  {"x" :1.0} ] `))
	if err != nil || string(call.Path) != "a/b" || string(call.Args) != `"ab"` || string(call.Kwargs) != `{"x" :1.0}` {
		t.Fatalf("%q %q %q, error %v", call.Path, call.Args, call.Kwargs, err)
	}
}

func TestID_Number_ComparesAsPython(t *testing.T) {
	type want struct {
		n  uint64
		ok bool
	}
	for text, w := range map[string]want{
		"0": {0, true}, "-0": {0, true}, "0.0": {0, true}, "-0.0": {0, true}, "1.0": {1, true}, "true": {1, true}, "false": {0, true}, "1e2": {100, true},
		"18446744073709551615": {math.MaxUint64, true}, "18446744073709551616": {0, false}, "99999999999999999999": {0, false}, "1e400": {0, false},
		"1.5": {0, false}, "-1": {0, false}, `"0"`: {0, false}, "null": {0, false}, "NaN": {0, false}, "Infinity": {0, false}, "18446744073709551616.0": {0, false},
	} {
		m, err := Format{}.Decode([]byte("[1, " + text + ", null]"))
		if n, ok := m.ID.Number(); err != nil || ok != w.ok || ok && n != w.n {
			t.Errorf("JSON %s: %d %t, error %v, want %v", text, n, ok, err, w)
		}
	}
	for text, w := range map[string]want{
		"\x00": {0, true}, "\x7f": {127, true}, "\xff": {0, false}, "\xcc\xff": {255, true}, "\xcd\x01\x00": {256, true}, "\xd0\x05": {5, true}, "\xd0\x80": {0, false},
		"\xd1\x7f\xff": {32767, true}, "\xd2\xff\xff\xff\xff": {0, false}, "\xd3\x00\x00\x00\x00\x00\x00\x00\x07": {7, true}, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00": {0, false},
		"\xcf\xff\xff\xff\xff\xff\xff\xff\xff": {math.MaxUint64, true}, "\xca\x3f\x80\x00\x00": {1, true}, "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00": {1, true},
		"\xc3": {1, true}, "\xc2": {0, true}, "\xc0": {0, false}, "\xa10": {0, false}, "\xd4\x01\x00": {0, false},
	} {
		m, err := Format{Codec: MsgPack}.Decode([]byte("\x93\x01" + text + "\xc0"))
		if n, ok := m.ID.Number(); err != nil || ok != w.ok || ok && n != w.n {
			t.Errorf("MsgPack %x: %d %t, error %v, want %v", text, n, ok, err, w)
		}
	}
}

func TestAppend_TooLarge_LeavesDstAsItWas(t *testing.T) {
	for _, codec := range codecs {
		f := Format{Codec: codec, MaxFrameBytes: 40, MaxPathBytes: 10}
		big := f.AppendString(nil, strings.Repeat("x", 60))
		for name, write := range map[string]func([]byte) ([]byte, error){
			"call":      func(d []byte) ([]byte, error) { return f.AppendCall(d, 1, "p", big, nil) },
			"path":      func(d []byte) ([]byte, error) { return f.AppendCall(d, 1, "12345678901", nil, nil) },
			"message":   func(d []byte) ([]byte, error) { return f.AppendMessage(d, Result, f.NumberID(1), big) },
			"exception": func(d []byte) ([]byte, error) { return f.AppendException(d, f.NumberID(1), string(big)) },
			"frame": func(d []byte) ([]byte, error) {
				d, mark := BeginFrame(d)
				return f.EndFrame(append(d, big...), mark)
			},
		} {
			got, err := write([]byte("keep"))
			if !errors.Is(err, ErrLimit) || string(got) != "keep" {
				t.Errorf("%v %s: %q, error %v", codec, name, got, err)
			}
		}
	}
}

func TestAppendString_NotUTF8_GetsReplacement(t *testing.T) {
	for _, codec := range codecs {
		f := Format{Codec: codec}
		raw := f.AppendString(nil, "a\xffb\U0001f600")
		if shape, err := f.Check(raw); err != nil || shape != String {
			t.Fatalf("%v: shape %v, error %v", codec, shape, err)
		}
		if text, ok := f.Text(raw); !ok || text != "a\ufffdb\U0001f600" {
			t.Errorf("%v: %q", codec, text)
		}
	}
}

func TestScalars_CheckAndShape(t *testing.T) {
	for _, codec := range codecs {
		f := Format{Codec: codec}
		for shape, raw := range map[Shape][]byte{
			Null: f.AppendNull(nil), Bool: f.AppendBool(nil, true), Int: f.AppendInt(nil, -70000), Float: f.AppendFloat(nil, 2), String: f.AppendString(nil, "s"),
		} {
			got, err := f.Check(raw)
			if err != nil || got != shape || f.ShapeOf(raw) != shape {
				t.Errorf("%v %q: %v, error %v, want %v", codec, raw, got, err, shape)
			}
			if _, err := f.Check(append(raw, raw...)); !errors.Is(err, ErrMalformed) && !(codec == JSON && shape == Int) {
				t.Errorf("%v: two values %q pass", codec, append(raw, raw...))
			}
		}
	}
	f := Format{Codec: MsgPack}
	for shape, raw := range map[Shape][]byte{Bytes: AppendMsgPackBytes(nil, []byte{1}), Array: append(AppendMsgPackArray(nil, 1), 1), Map: append(AppendMsgPackMap(nil, 1), 1, 2), Ext: {0xd4, 1, 2}} {
		if got, err := f.Check(raw); err != nil || got != shape {
			t.Errorf("%x: %v, error %v, want %v", raw, got, err, shape)
		}
	}
}

// The widths of MsgPack change at these values; Python's msgpack reads the
// results in the interop tests.
func TestMsgPack_Widths_RoundTrip(t *testing.T) {
	f := Format{Codec: MsgPack}
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		text := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
		if got, ok := f.Text(f.AppendString(nil, text)); !ok || got != text {
			t.Errorf("string of %d bytes comes back with %d", n, len(got))
		}
		for shape, raw := range map[Shape][]byte{
			Bytes: AppendMsgPackBytes(nil, make([]byte, n)),
			Array: append(AppendMsgPackArray(nil, n), make([]byte, n)...),
			Map:   append(AppendMsgPackMap(nil, n), make([]byte, 2*n)...),
		} {
			if got, err := f.Check(raw); err != nil || got != shape {
				t.Errorf("%v of %d: %v, error %v", shape, n, got, err)
			}
			if _, err := f.Check(append(raw, 0)); err == nil {
				t.Errorf("%v of %d: a byte too many passes", shape, n)
			}
		}
	}
}

func TestSplitter_AnySegmentation_SamePayloads(t *testing.T) {
	var stream []byte
	want := []string{"a", "", strings.Repeat("b", 70000), "ccc", ""}
	for _, p := range want {
		frame, mark := BeginFrame(stream)
		stream, _ = Format{}.EndFrame(append(frame, p...), mark)
	}
	for _, piece := range []int{1, 2, 3, 4, 5, 7, 1000, 65536, len(stream)} {
		var s Splitter
		var got []string
		for rest := stream; len(rest) > 0; {
			n := min(piece, len(rest))
			if err := s.Feed(rest[:n], func(p []byte) error { got = append(got, string(p)); return nil }); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if len(got) != len(want) || s.Buffered() != 0 {
			t.Fatalf("pieces of %d: %d payloads, %d bytes held", piece, len(got), s.Buffered())
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("pieces of %d: payload %d has %d bytes, want %d", piece, i, len(got[i]), len(want[i]))
			}
		}
	}
}

func TestSplitter_LongFrame_IsRefusedByItsHeader(t *testing.T) {
	for _, piece := range []int{1, 4} {
		s := Splitter{MaxFrameBytes: 10}
		var err error
		for rest := []byte{0, 0, 0, 11}; len(rest) > 0 && err == nil; rest = rest[piece:] {
			err = s.Feed(rest[:piece], func([]byte) error { t.Error("a payload"); return nil })
		}
		if piece == 1 && err == nil {
			err = s.Feed([]byte{1}, func([]byte) error { t.Error("a payload"); return nil })
		}
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Got != 11 || limit.Max != 10 {
			t.Errorf("pieces of %d: error %v", piece, err)
		}
	}
}

func TestSplitter_AnnouncedLength_ReservesNothing(t *testing.T) {
	var s Splitter
	if err := s.Feed([]byte{3, 0xff, 0xff, 0xff, 'x'}, nil); err != nil {
		t.Fatal(err)
	}
	if s.Buffered() != 5 || cap(s.held) > 1024 {
		t.Fatalf("%d bytes held in %d", s.Buffered(), cap(s.held))
	}
}

func TestSplitter_CallbackError_EndsTheFeed(t *testing.T) {
	var s Splitter
	stop := errors.New("stop")
	calls := 0
	err := s.Feed([]byte{0, 0, 0, 0, 0, 0, 0, 0}, func([]byte) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Fatalf("%d calls, error %v", calls, err)
	}
}

func TestHotPath_Allocations(t *testing.T) {
	for _, codec := range codecs {
		f := Format{Codec: codec}
		args := f.AppendString(nil, "value")
		payload, err := f.AppendCall(nil, 70000, "sub/echo", args, nil)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 0, 256)
		id := f.NumberID(7)
		var s Splitter
		frame, mark := BeginFrame(nil)
		frame, _ = f.EndFrame(append(frame, payload...), mark)
		sink := func(p []byte) error { _, err := f.Decode(p); return err }
		for name, run := range map[string]func(){
			"decode":      func() { f.Decode(payload) },
			"decode call": func() { m, _ := f.Decode(payload); f.DecodeCall(m) },
			"call":        func() { f.AppendCall(dst, 70000, "sub/echo", args, nil) },
			"result":      func() { f.AppendMessage(dst, Result, id, args) },
			"split":       func() { s.Feed(frame, sink) },
		} {
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v %s: %v allocations", codec, name, n)
			}
		}
	}
}

func TestShow_LongValue_IsCut(t *testing.T) {
	_, err := Format{}.Decode([]byte(`["` + strings.Repeat("é", 100) + `", 0, 0]`))
	if !errors.Is(err, ErrNotMessage) || len(err.Error()) > 150 || !bytes.Contains([]byte(err.Error()), []byte("...")) {
		t.Fatalf("error %v", err)
	}
}

// Strings longer than longString are searched in another way; a byte that needs a look is found wherever it stands.
func TestCheck_LongStrings_EveryPlace(t *testing.T) {
	plain := bytes.Repeat([]byte("x"), 2*plainWindow)
	for at := 0; at < len(plain); at++ {
		if at > 3*longString && at < plainWindow-8 {
			continue
		}
		for _, c := range []struct {
			put string
			ok  bool
		}{{"\\n", true}, {"\n", false}, {"\\x", false}, {"\x1f", false}, {"\x7f", true}} {
			value := slices.Concat([]byte{'"'}, plain[:at], []byte(c.put), plain[at:], []byte{'"'})
			if _, err := (Format{}).Check(value); (err == nil) != c.ok {
				t.Fatalf("%q at %d gave %v", c.put, at, err)
			}
		}
		if _, err := (Format{}).Check(slices.Concat([]byte{'"'}, plain[:at], []byte{'"'})); err != nil {
			t.Fatalf("a string of %d bytes: %v", at, err)
		}
	}
}

func TestTakePair_IsArgsAndKwargs_WhateverStandsAround(t *testing.T) {
	for _, c := range []struct {
		codec         Codec
		payload, want string
	}{
		{JSON, `[0, 1, ["a/b", [1, "x"], {"k": 2}]]`, `[[1, "x"], {"k": 2}]`},
		{JSON, ` [0,1,["",[],{}]] `, `[[],{}]`},
		{JSON, "[0,1, [\"\\u0061\" ,\t[ ] , { } ] ]", `[[ ] , { } ]`},
		{MsgPack, "\x93\x00\x01\x93\xa0\x91\x05\x80", "\x92\x91\x05\x80"},
		{MsgPack, "\x93\x00\x01\x93\xa3a/b\x90\x81\xa1k\x02", "\x92\x90\x81\xa1k\x02"},
		{MsgPackBlosc, "\x93\x00\x01\x93\xa3a/b\x90\x80", "\x92\x90\x80"},
	} {
		f := Format{Codec: c.codec}
		m, err := f.Decode(payloadOf(f, []byte(c.payload)))
		if err != nil {
			t.Fatal(err)
		}
		call, err := f.DecodeCall(m)
		if err != nil {
			t.Fatal(err)
		}
		if pair := call.TakePair(f); string(pair) != c.want {
			t.Errorf("%v %q: %q, expected %q", c.codec, c.payload, pair, c.want)
		} else if _, err := f.Values().Check(pair); err != nil {
			t.Errorf("%v %q: %v", c.codec, pair, err)
		}
	}
}
