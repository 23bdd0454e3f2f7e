package aiomas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func formatOf(t testing.TB, codec string) Format {
	t.Helper()
	for _, c := range codecs {
		if c.String() == codec {
			return Format{Codec: c}
		}
	}
	t.Fatalf("codec %q", codec)
	return Format{}
}

type recorded struct {
	Layer, Codec     string
	ExtraSerializers int `yaml:"extra_serializers"`
	Frames           [][2]string
}

// The files of recorded sessions, and how many each holds.
var recordings = map[string]int{"sessions.yaml": 6, "documented.yaml": 6, "mosaik.yaml": 1}

func sessionsIn(t testing.TB, file string) []recorded {
	var out []recorded
	testx.Vectors(t, "aiomas/"+file, &out)
	if len(out) != recordings[file] {
		t.Fatalf("%s: %d sessions, want %d", file, len(out), recordings[file])
	}
	return out
}

func sessions(t testing.TB) []recorded { return sessionsIn(t, "sessions.yaml") }

// again encodes what was decoded, by the function its kind is for.
func again(t *testing.T, f Format, rpc bool, m Message) []byte {
	t.Helper()
	frame, mark := BeginFrame(nil)
	var err error
	number, whole := m.ID.Number()
	text, isText := f.Text(m.Content)
	switch {
	case !whole:
		t.Fatalf("id %x is not a whole number", m.ID.Raw())
	case rpc && m.Kind == Request:
		call, callErr := f.DecodeCall(m)
		if callErr != nil {
			t.Fatal(callErr)
		}
		if f.ShapeOf(call.Args) != Array || f.ShapeOf(call.Kwargs) != Map {
			t.Errorf("args are %v, kwargs %v", f.ShapeOf(call.Args), f.ShapeOf(call.Kwargs))
		}
		frame, err = f.AppendCall(frame, number, string(call.Path), call.Args, call.Kwargs)
	case m.Kind == Exception && isText:
		frame, err = f.AppendException(frame, f.NumberID(number), text)
	default:
		frame, err = f.AppendMessage(frame, m.Kind, f.NumberID(number), m.Content)
	}
	if err == nil {
		frame, err = f.EndFrame(frame, mark)
	}
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// same compares a frame with the one of a real peer. A chunk may be compressed
// in another way; what is inside is the same, and a stored one could have been
// written by us byte for byte.
func same(t *testing.T, f Format, got, want []byte) bool {
	t.Helper()
	if f.Codec != MsgPackBlosc || bytes.Equal(got, want) {
		return bytes.Equal(got, want)
	}
	a, err := f.inflate(got[HeaderBytes:])
	b, err2 := f.inflate(want[HeaderBytes:])
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if want[HeaderBytes+2]&bloscStored != 0 {
		stored := append(make([]byte, bloscHeader), b...)
		newChunk(len(b)).store(stored)
		return bytes.Equal(a, b) && bytes.Equal(stored, want[HeaderBytes:]) && len(got) < len(want)
	}
	return bytes.Equal(a, b)
}

func TestVectors_Sessions_DecodeAndEncodeByteForByte(t *testing.T) {
	least := map[string]map[Kind]int{
		"sessions.yaml rpc": {Request: 11, Result: 11}, "sessions.yaml channel": {Request: 4, Result: 3, Exception: 1},
		"documented.yaml rpc": {Request: 16, Result: 15}, "mosaik.yaml rpc": {Request: 2, Result: 1, Exception: 1},
	}
	for file := range recordings {
		for _, s := range sessionsIn(t, file) {
			f := formatOf(t, s.Codec)
			kinds := map[Kind]int{}
			for i, line := range s.Frames {
				want := unhex(t, line[1])
				var sp Splitter
				count := 0
				err := sp.Feed(want, func(payload []byte) error {
					count++
					m, err := f.Decode(payload)
					if err != nil {
						return err
					}
					kinds[m.Kind]++
					if got := again(t, f, s.Layer == "rpc", m); !same(t, f, got, want) {
						t.Errorf("%s %s %s frame %d:\n got %q\nwant %q", file, s.Layer, s.Codec, i, got, want)
					}
					if _, err := f.Check(m.Content); err != nil {
						t.Errorf("%s %s %s frame %d: content: %v", file, s.Layer, s.Codec, i, err)
					}
					return nil
				})
				if err != nil || count != 1 || sp.Buffered() != 0 {
					t.Errorf("%s %s %s frame %d: %d payloads, %d bytes left, error %v", file, s.Layer, s.Codec, i, count, sp.Buffered(), err)
				}
			}
			for kind, n := range least[file+" "+s.Layer] {
				if kinds[kind] < n {
					t.Errorf("%s %s %s holds %v, want %d of %v", file, s.Layer, s.Codec, kinds, n, kind)
				}
			}
		}
	}
}

// The failure of the sibling protocol is an array; it passes through as any
// other value, and is written from its parts by AppendMessage.
func TestVectors_Mosaik_FailureIsAnArray(t *testing.T) {
	frames := sessionsIn(t, "mosaik.yaml")[0].Frames
	want := unhex(t, frames[len(frames)-1][1])[HeaderBytes:]
	for _, codec := range codecs {
		f := Format{Codec: codec}
		content := []byte(`["ValueError", "\"sp\u00e4m\" is no model", "NoneType: None\n"]`)
		if codec != JSON {
			content = AppendMsgPackArray(nil, 3)
			for _, text := range []string{"ValueError", "\"späm\" is no model", "NoneType: None\n"} {
				content = f.AppendString(content, text)
			}
		}
		got, err := f.AppendMessage(nil, Exception, f.NumberID(1), content)
		if err != nil || codec == JSON && !bytes.Equal(got, want) {
			t.Fatalf("%v: %q, error %v, want %q", codec, got, err, want)
		}
		m, err := f.Decode(got)
		if n, ok := m.ID.Number(); err != nil || m.Kind != Exception || !ok || n != 1 || f.ShapeOf(m.Content) != Array || !bytes.Equal(m.Content, content) {
			t.Errorf("%v: %v %d %q, error %v", codec, m.Kind, n, m.Content, err)
		}
	}
}

// The values that capture.py passes to echo, written by us, are the bytes that
// the original wrote.
func TestVectors_Scalars_AreWrittenAsTheOriginalDoes(t *testing.T) {
	for _, s := range sessions(t) {
		if s.Layer != "rpc" {
			continue
		}
		f := formatOf(t, s.Codec)
		ints := [][]byte{f.AppendBool(nil, true), f.AppendBool(nil, false), f.AppendNull(nil)}
		for _, v := range []int64{0, -1, 127, 128, -32, -33, 1 << 31, -1<<31 - 1, 1 << 40, math.MaxInt64, math.MinInt64} {
			ints = append(ints, f.AppendInt(nil, v))
		}
		ints = append(ints, f.AppendUint(nil, math.MaxUint64))
		var floats, texts [][]byte
		for _, v := range []float64{1, 0.1, 1e16, 1e-07, math.Copysign(0, -1), math.Inf(1), math.NaN()} {
			floats = append(floats, f.AppendFloat(nil, v))
		}
		for _, v := range []string{"", "\u00e9\u20ac\U0001f600", "\"\\/\b\f\n\r\t\x00\x7f", strings.Repeat("x", 40), strings.Repeat("y", 300)} {
			texts = append(texts, f.AppendString(nil, v))
		}
		for i, values := range map[int][][]byte{14: ints, 16: floats, 18: texts} {
			m, err := f.Decode(unhex(t, s.Frames[i][1])[HeaderBytes:])
			if err != nil {
				t.Fatal(err)
			}
			call, err := f.DecodeCall(m)
			if err != nil || string(call.Path) != "echo" {
				t.Fatalf("%s frame %d: %q, error %v", s.Codec, i, call.Path, err)
			}
			got := append([]byte{'['}, append(bytes.Join(values, []byte(", ")), ']')...)
			if f.Codec != JSON {
				got = append(AppendMsgPackArray(nil, len(values)), bytes.Join(values, nil)...)
			}
			if !bytes.Equal(got, call.Args) {
				t.Errorf("%s frame %d:\n got %q\nwant %q", s.Codec, i, got, call.Args)
			}
		}
	}
}

// Empty args and kwargs are what nil stands for.
func TestAppendCall_NilArgs_AreEmpty(t *testing.T) {
	for _, s := range sessions(t) {
		if s.Layer != "rpc" {
			continue
		}
		f := formatOf(t, s.Codec)
		frame, mark := BeginFrame(nil)
		frame, err := f.AppendCall(frame, 1, "none", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if frame, err = f.EndFrame(frame, mark); err != nil || hex.EncodeToString(frame) != s.Frames[2][1] {
			t.Errorf("%s: %x, error %v, want %s", s.Codec, frame, err, s.Frames[2][1])
		}
	}
}

// The reactions of the original tell which payloads are sound: what it closes
// the connection over must not decode, what it leaves without an answer must be
// answerable here, and its answers come out byte for byte.
func TestVectors_Provocations_AreJudgedAsTheOriginalDoes(t *testing.T) {
	var cases []struct{ Codec, Name, Payload, Effect string }
	testx.Vectors(t, "aiomas/provocations.yaml", &cases)
	if len(cases) < 90 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Codec+" "+c.Name, func(t *testing.T) {
			f := formatOf(t, c.Codec)
			m, err := f.Decode(unhex(t, c.Payload))
			if c.Effect == "closed" {
				if err == nil && m.Kind == Request {
					t.Fatalf("decoded as %v, the original closes the connection", m.Kind)
				}
				if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrNotMessage) && !errors.Is(err, ErrLimit) {
					t.Fatalf("error %v is of no known kind", err)
				}
				return
			}
			if err != nil || m.Kind != Request {
				t.Fatalf("%v, error %v; the original takes it", m.Kind, err)
			}
			call, err := f.DecodeCall(m)
			if c.Effect == "silent" {
				if !errors.Is(err, ErrNotCall) || !m.ID.Known() {
					t.Fatalf("error %v, id known %v; the original fails on the content", err, m.ID.Known())
				}
				return
			}
			if err != nil || string(call.Path) != "echo" {
				t.Fatalf("path %q, error %v", call.Path, err)
			}
			want := unhex(t, c.Effect)
			answer, err := f.Decode(want)
			if err != nil || answer.Kind != Result {
				t.Fatalf("the original's answer: %v, error %v", answer.Kind, err)
			}
			got, err := f.AppendMessage(nil, Result, m.ID, answer.Content)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("answer %q, error %v, want %q", got, err, want)
			}
		})
	}
}

func TestVectors_JSONText_IsWrittenAsPythonDoes(t *testing.T) {
	var cases []struct{ In, Out string }
	testx.Vectors(t, "aiomas/json_text.yaml", &cases)
	if len(cases) < 40 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		for _, in := range []string{c.In, c.Out} {
			got, err := Format{}.AppendNormalJSON([]byte("x"), []byte(in))
			if err != nil || string(got) != "x"+c.Out {
				t.Errorf("%s: %s, error %v, want %s", in, got, err, c.Out)
			}
		}
	}
}
