package aiomas

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	wire "aimrtrpc/runtime/wire/aiomas"
)

var (
	inJSON    = wire.Format{}
	inMsgPack = wire.Format{Codec: wire.MsgPack}
)

func texts(f wire.Format, raw []byte) []string {
	var out []string
	for part := range Elements(f, raw) {
		out = append(out, string(part))
	}
	return out
}

func TestElements_JSON(t *testing.T) {
	for raw, want := range map[string][]string{
		"[]": nil, " [ ] ": nil, "{}": nil, "5": nil, `"[1, 2]"`: nil, "": nil, "[1, 2]": {"1", "2"},
		` [ "a,]" , [1,[2]], {"k": [3, "}"]} ,null] `: {`"a,]"`, "[1,[2]]", `{"k": [3, "}"]}`, "null"},
		`{"a" : 1, "b\"}": {"c": []}}`:                {`"a"`, "1", `"b\"}"`, `{"c": []}`}, `["\\", 1]`: {`"\\"`, "1"},
	} {
		if got := texts(inJSON, []byte(raw)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", raw, got)
		}
	}
}

func TestElements_MsgPack_EveryHead(t *testing.T) {
	f := inMsgPack
	values := [][]byte{
		{0xc0}, {0xc2}, {0xc3}, {0xca, 0, 0, 0, 0}, f.AppendFloat(nil, 1.5), {0xd4, 1, 2}, {0xd5, 1, 2, 3}, {0xd6, 1, 2, 3, 4, 5},
		append([]byte{0xd7}, make([]byte, 9)...), append([]byte{0xd8}, make([]byte, 17)...), {0xc7, 2, 5, 1, 2}, {0xc8, 0, 1, 5, 1}, {0xc9, 0, 0, 0, 1, 5, 1},
	}
	for _, n := range []int64{0, 127, 128, 255, 256, 65535, 65536, 1 << 40, -1, -32, -33, -128, -129, -32769, -1 << 40} {
		values = append(values, f.AppendInt(nil, n))
	}
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		values = append(values, f.AppendString(nil, strings.Repeat("x", n)), wire.AppendMsgPackBytes(nil, make([]byte, n)))
	}
	for _, n := range []int{0, 1, 15, 16, 65535, 65536} {
		array, dict := wire.AppendMsgPackArray(nil, n), wire.AppendMsgPackMap(nil, n)
		for range n {
			array, dict = append(array, 0x91, 0xc0), append(dict, 0x01, 0x81, 0xa0, 0x90)
		}
		values = append(values, array, dict)
	}
	for _, v := range values {
		if _, err := f.Check(v); err != nil {
			t.Fatalf("% x: %v", v[:min(len(v), 8)], err)
		}
	}
	whole := AppendArray(nil, f, values...)
	i := 0
	for part := range Elements(f, whole) {
		if i < len(values) && !bytes.Equal(part, values[i]) {
			t.Errorf("element %d is % x, want % x", i, part[:min(len(part), 8)], values[i][:min(len(values[i]), 8)])
		}
		i++
	}
	if i != len(values) {
		t.Errorf("%d elements of %d", i, len(values))
	}
}

func TestReference_BothWays(t *testing.T) {
	for _, tc := range []struct {
		f     wire.Format
		id    uint64
		path  string
		value string
	}{
		{inJSON, 0, "", `{"__type__": [0, ""]}`}, {inJSON, 1, "sub", `{"__type__": [1, "sub"]}`},
		{inMsgPack, 0, "math", "\x81\xa8__type__\x92\x00\xa4math"}, {inMsgPack, 300, "", "\x81\xa8__type__\x92\xcd\x01\x2c\xa0"},
	} {
		if got := AppendReference(nil, tc.f, tc.id, tc.path); string(got) != tc.value {
			t.Errorf("%q", got)
		}
		if path, ok := ReadReference(tc.f, []byte(tc.value), tc.id); !ok || path != tc.path {
			t.Errorf("%q: %q, %v", tc.value, path, ok)
		}
		if _, ok := ReadReference(tc.f, []byte(tc.value), tc.id+1); ok {
			t.Errorf("%q is of another type", tc.value)
		}
	}
	if path, ok := ReadReference(inJSON, []byte(`{"a": 1, "__type__": [0, "x"]}`), 0); !ok || path != "x" {
		t.Error("other keys of a reference are not dropped")
	}
	for _, value := range []string{"", "5", "{}", `{"__type__": 5}`, `{"__type__": []}`, `{"__type__": [0]}`, `{"__type__": [0, 1]}`, `{"__type__": [0, "x", 1]}`, `{"__type__": ["0", "x"]}`, `{"__type__": [0, "x"]`, `["__type__", [0, "x"]]`} {
		if path, ok := ReadReference(inJSON, []byte(value), 0); ok {
			t.Errorf("%s is a reference to %q", value, path)
		}
	}
}

func TestMsgPackBinary(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 65536} {
		if got, ok := MsgPackBinary(wire.AppendMsgPackBytes(nil, make([]byte, n))); !ok || len(got) != n {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), ok)
		}
	}
	for _, raw := range []string{"", "\xa1x", "\xc4", "\xc4\x02x", "\xc4\x01xy", "\xc6\x00\x00"} {
		if _, ok := MsgPackBinary([]byte(raw)); ok {
			t.Errorf("%q is taken for bytes", raw)
		}
	}
}

// FuzzElements: the parts of a checked value are values, and putting them together gives the value.
func FuzzElements(f *testing.F) {
	for _, seed := range []string{`[1, {"a": ["b,", null]}]`, `{"__type__": [0, "x"]}`, "\x93\x01\x81\xa1a\x90\xc4\x02xy", "\x81\xa8__type__\x92\x00\xa0", `[[], {}]`, "\x92\x90\x80"} {
		f.Add(false, []byte(seed))
		f.Add(true, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, msgpack bool, raw []byte) {
		format := inJSON
		if msgpack {
			format = inMsgPack
		}
		shape, err := format.Check(raw)
		ReadReference(format, raw, 0)
		ReadFailure(format, raw).Status()
		args, kwargs, splitErr := SplitPair(format, raw)
		if err != nil {
			for range Elements(format, raw) { // must only end
			}
			return
		}
		var parts [][]byte
		for part := range Elements(format, raw) {
			if _, err := format.Check(part); err != nil {
				t.Fatalf("%q has the part %q: %v", raw, part, err)
			}
			parts = append(parts, part)
		}
		if shape != wire.Array && shape != wire.Map && len(parts) > 0 {
			t.Fatalf("a %v has parts", shape)
		}
		if shape == wire.Array {
			again := AppendArray(nil, format, parts...)
			if _, err := format.Check(again); err != nil {
				t.Fatalf("%q put together is %q: %v", raw, again, err)
			}
		}
		if splitErr == nil && args != nil {
			if a, k, err := SplitPair(format, AppendPair(nil, format, args, kwargs)); err != nil || !bytes.Equal(a, args) || !bytes.Equal(k, kwargs) {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}
