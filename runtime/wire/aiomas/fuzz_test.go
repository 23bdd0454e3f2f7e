package aiomas

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"testing"

	"aimrtrpc/internal/testx"
)

func seed(f *testing.F, codec string) {
	for file := range recordings {
		for _, s := range sessionsIn(f, file) {
			if s.Codec == codec {
				for _, line := range s.Frames {
					f.Add(unhex(f, line[1])[HeaderBytes:])
				}
			}
		}
	}
	var cases []struct{ Codec, Name, Payload, Effect string }
	testx.Vectors(f, "aiomas/provocations.yaml", &cases)
	for _, c := range cases {
		if c.Codec == codec {
			f.Add(unhex(f, c.Payload))
		}
	}
}

// decodeAndBack decodes arbitrary bytes and checks that whatever was understood
// means the same after it was written and read again.
func decodeAndBack(t *testing.T, f Format, data []byte) {
	m, err := f.Decode(data)
	if err != nil {
		if m.Content != nil {
			t.Fatal("content together with an error")
		}
		f.DecodeCall(m)
		return
	}
	if _, err := f.Check(m.Content); err != nil {
		t.Fatalf("content of a decoded message: %v", err)
	}
	back, err := f.AppendMessage(nil, m.Kind, m.ID, m.Content)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := f.Decode(back)
	if err != nil || m2.Kind != m.Kind || !bytes.Equal(m2.Content, m.Content) || m2.ID.value != m.ID.value || m2.ID.whole != m.ID.whole {
		t.Fatalf("%q\ncame back as %q, error %v", data, back, err)
	}
	call, err := f.DecodeCall(m)
	if err != nil {
		return
	}
	for _, raw := range [][]byte{call.Args, call.Kwargs} {
		if _, err := f.Check(raw); err != nil {
			t.Fatalf("part of a call: %v", err)
		}
	}
	if back, err = f.AppendCall(nil, 1, string(call.Path), call.Args, call.Kwargs); err != nil {
		t.Fatal(err)
	}
	if m2, err = f.Decode(back); err != nil {
		t.Fatalf("%q: %v", back, err)
	}
	call2, err := f.DecodeCall(m2)
	if err != nil || !bytes.Equal(call2.Path, call.Path) || !bytes.Equal(call2.Args, call.Args) || !bytes.Equal(call2.Kwargs, call.Kwargs) {
		t.Fatalf("%q, error %v", back, err)
	}
}

func fuzzFormat(codec Codec) Format {
	return Format{Codec: codec, MaxFrameBytes: 1 << 20, MaxDepth: 20, MaxPathBytes: 64, MaxIDBytes: 64}
}

func FuzzDecodeJSON(f *testing.F) {
	seed(f, "JSON")
	f.Fuzz(func(t *testing.T, data []byte) { decodeAndBack(t, fuzzFormat(JSON), data) })
}

func FuzzDecodeMsgPack(f *testing.F) {
	seed(f, "MsgPack")
	f.Fuzz(func(t *testing.T, data []byte) { decodeAndBack(t, fuzzFormat(MsgPack), data) })
}

func FuzzDecodeMsgPackBlosc(f *testing.F) {
	seed(f, "MsgPackBlosc")
	f.Fuzz(func(t *testing.T, data []byte) { decodeAndBack(t, fuzzFormat(MsgPackBlosc), data) })
}

// FuzzInflate takes chunks of any data: what inflates has the announced size
// within the limits, and is the same after our own compressor. The bytes
// themselves as data come back too.
func FuzzInflate(f *testing.F) {
	for _, c := range chunkCases(f) {
		f.Add(c.chunk)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		format := fuzzFormat(MsgPackBlosc)
		out, err := format.inflate(data)
		if err == nil && (len(out) != int(binary.LittleEndian.Uint32(data[4:])) || len(out) > max(inflateFree, DefaultMaxRatio*len(data))) {
			t.Fatalf("%d bytes inflate to %d", len(data), len(out))
		}
		for _, plain := range [][]byte{out, data} {
			chunk := deflate(append(make([]byte, bloscHeader), plain...), 0)
			back, err := Format{Codec: MsgPackBlosc}.inflate(chunk)
			if err != nil || !bytes.Equal(back, plain) || len(chunk) > len(plain)+bloscHeader {
				t.Fatalf("%q becomes %q, error %v", plain, back, err)
			}
		}
	})
}

// FuzzNormalJSON compares with the standard library's decoder and checks that
// normal text is normal.
func FuzzNormalJSON(f *testing.F) {
	var cases []struct{ In, Out string }
	testx.Vectors(f, "aiomas/json_text.yaml", &cases)
	for _, c := range cases {
		f.Add([]byte(c.In))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		format := Format{MaxDepth: 1000}
		out, err := format.AppendNormalJSON(nil, data)
		python := bytes.Contains(data, []byte("NaN")) || bytes.Contains(data, []byte("Infinity"))
		if err != nil {
			if len(out) != 0 {
				t.Fatal("bytes together with an error")
			}
			if json.Valid(data) && bytes.Equal(data, bytes.ToValidUTF8(data, nil)) && bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) < 1000 {
				t.Fatalf("%q is valid, error %v", data, err)
			}
			return
		}
		if !python && !json.Valid(data) {
			t.Fatalf("%q is not valid", data)
		}
		for _, c := range out {
			if c < ' ' || c > '~' {
				t.Fatalf("%q has a byte that is not printable ASCII", out)
			}
		}
		again, err := format.AppendNormalJSON(nil, out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q becomes %q, error %v", out, again, err)
		}
		if bytes.Contains(out, []byte("NaN")) || bytes.Contains(out, []byte("Infinity")) {
			return
		}
		var a, b any
		if json.Unmarshal(data, &a) != nil || json.Unmarshal(out, &b) != nil {
			return // a number beyond float64
		}
		x, _ := json.Marshal(plusZero(a))
		if y, _ := json.Marshal(plusZero(b)); !bytes.Equal(x, y) {
			t.Fatalf("%q and %q differ", data, out)
		}
	})
}

// plusZero removes the sign of zeros: Python's int has none, Go reads "-0" as a
// float.
func plusZero(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0
	case []any:
		for i := range v {
			v[i] = plusZero(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plusZero(v[k])
		}
	}
	return v
}

// FuzzSplitter feeds a stream whole and in pieces; both must give the same.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 2, 'b'}, uint16(3))
	f.Add([]byte{0, 1, 0, 0}, uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		run := func(step int) (payloads []string, left int, err error) {
			s := Splitter{MaxFrameBytes: 1000}
			for rest := stream; len(rest) > 0 && err == nil; {
				n := min(step, len(rest))
				err = s.Feed(rest[:n], func(p []byte) error { payloads = append(payloads, string(p)); return nil })
				rest = rest[n:]
				if s.Buffered() > 1000+HeaderBytes {
					t.Fatalf("%d bytes held", s.Buffered())
				}
			}
			return payloads, s.Buffered(), err
		}
		whole, left, err := run(len(stream))
		parts, left2, err2 := run(int(piece) + 1)
		if len(whole) != len(parts) || err == nil && err2 == nil && left != left2 {
			t.Fatalf("%d payloads and %d bytes, in pieces %d and %d", len(whole), left, len(parts), left2)
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("payload %d: %q, in pieces %q", i, whole[i], parts[i])
			}
		}
	})
}
