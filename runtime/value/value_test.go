package value

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

type vectors struct {
	ToMsgPack [][2]string `yaml:"to_msgpack"`
	ToJSON    [][2]string `yaml:"to_json"`
}

func load(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("../../tests/vectors/value/transcode.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# Obtained: ")) {
		t.Fatal("the file does not begin by saying how it was obtained")
	}
	var v vectors
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.ToMsgPack) < 70 || len(v.ToJSON) < 75 {
		t.Fatalf("%d and %d cases", len(v.ToMsgPack), len(v.ToJSON))
	}
	return v
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refusals are the words of the vectors for errors.
var refusals = map[string]error{"malformed": ErrMalformed, "no form": ErrNoForm}

type convert func(dst, src []byte, limits Limits) ([]byte, error)

func TestVectors_AreConvertedAsPythonDoes(t *testing.T) {
	v := load(t)
	check := func(name string, run convert, src []byte, want string, wantBytes []byte) {
		got, err := run([]byte("keep"), src, Limits{})
		if refusal := refusals[want]; refusal != nil {
			if !errors.Is(err, refusal) || string(got) != "keep" {
				t.Errorf("%s %q: %q, error %v, want %v", name, src, got, err, refusal)
			}
			return
		}
		if err != nil || !bytes.Equal(got, append([]byte("keep"), wantBytes...)) {
			t.Errorf("%s %q: %q, error %v, want %q", name, src, got, err, wantBytes)
		}
	}
	for _, c := range v.ToMsgPack {
		var want []byte
		if refusals[c[1]] == nil {
			want = unhex(t, c[1])
		}
		check("to MsgPack", JSONToMsgPack, []byte(c[0]), c[1], want)
	}
	for _, c := range v.ToJSON {
		check("to JSON", MsgPackToJSON, unhex(t, c[0]), c[1], []byte(c[1]))
	}
}

// Python's dict forgets the first of two equal keys; a converter that looks at
// no meaning must not.
func TestConvert_DuplicateKeys_AreKept(t *testing.T) {
	got, err := JSONToMsgPack(nil, []byte(`{"a": 1, "a": {"b": 2, "b": 3}}`), Limits{})
	if want := "\x82\xa1a\x01\xa1a\x82\xa1b\x02\xa1b\x03"; err != nil || string(got) != want {
		t.Errorf("%q, error %v, want %q", got, err, want)
	}
	got, err = MsgPackToJSON(nil, []byte("\x83\xa11\x01\x01\x02\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x03"), Limits{})
	if want := `{"1": 1, "1": 2, "1.0": 3}`; err != nil || string(got) != want {
		t.Errorf("%s, error %v, want %s", got, err, want)
	}
}

func TestFormError_SaysWhatWhereAndWhatIsWanted(t *testing.T) {
	for _, tc := range []struct {
		run       convert
		src, text string
	}{
		{JSONToMsgPack, `[1, 18446744073709551616]`, "int 18446744073709551616 at byte 4: no form in the other encoding, expected -9223372036854775808 to 18446744073709551615"},
		{JSONToMsgPack, strings.Repeat("7", 100), "int " + strings.Repeat("7", 40) + "... at byte 0: "},
		{JSONToMsgPack, `{"k": "\ud800"}`, "string with half of a surrogate pair at byte 6: "},
		{MsgPackToJSON, "\x92\x01\xc4\x01x", "bytes at byte 2: no form in the other encoding, expected a value that JSON has"},
		{MsgPackToJSON, "\x81\x90\x01", "array at byte 1: no form in the other encoding, expected a key that is a string, int, float, bool or null"},
		{MsgPackToJSON, "\xd4\x01\x02", "ext at byte 0: "},
	} {
		_, err := tc.run(nil, []byte(tc.src), Limits{})
		var form *FormError
		if !errors.As(err, &form) || !strings.HasPrefix(err.Error(), tc.text) {
			t.Errorf("%q: error %v, want %q", tc.src, err, tc.text)
		}
	}
}

func TestConvert_Limits_AreNamed(t *testing.T) {
	deepJSON := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	deepPacked := func(n int) string { return strings.Repeat("\x91", n-1) + "\x90" }
	for _, tc := range []struct {
		name   string
		run    convert
		src    string
		limits Limits
		limit  string
	}{
		{"JSON depth at limit", JSONToMsgPack, deepJSON(DefaultMaxDepth), Limits{}, ""},
		{"JSON depth", JSONToMsgPack, deepJSON(DefaultMaxDepth + 1), Limits{}, "MaxDepth"},
		{"JSON depth configured", JSONToMsgPack, deepJSON(4), Limits{MaxDepth: 3}, "MaxDepth"},
		{"MsgPack depth at limit", MsgPackToJSON, deepPacked(DefaultMaxDepth), Limits{}, ""},
		{"MsgPack depth", MsgPackToJSON, deepPacked(DefaultMaxDepth + 1), Limits{}, "MaxDepth"},
		{"MsgPack depth of maps", MsgPackToJSON, strings.Repeat("\x81\xa0", 200) + "\xc0", Limits{}, "MaxDepth"},
		{"JSON source at limit", JSONToMsgPack, "[1, 2]", Limits{MaxBytes: 6}, ""},
		{"JSON source", JSONToMsgPack, "[1, 2]", Limits{MaxBytes: 5}, "MaxBytes"},
		{"MsgPack source", MsgPackToJSON, "\xa2ab", Limits{MaxBytes: 2}, "MaxBytes"},
		{"MsgPack result", JSONToMsgPack, "[0e0,0e0]", Limits{MaxBytes: 9}, "MaxBytes"},
		{"JSON result", MsgPackToJSON, "\x93\xc2\xc2\xc2", Limits{MaxBytes: 10}, "MaxBytes"},
		{"JSON result of escapes", MsgPackToJSON, "\xa3\x00\x00\x00", Limits{MaxBytes: 19}, "MaxBytes"},
		{"JSON result at limit", MsgPackToJSON, "\xa3\x00\x00\x00", Limits{MaxBytes: 20}, ""},
	} {
		got, err := tc.run([]byte("keep"), []byte(tc.src), tc.limits)
		var limit *LimitError
		if tc.limit == "" && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.limit != "" && (!errors.As(err, &limit) || !errors.Is(err, ErrLimit) || limit.Limit != tc.limit || string(got) != "keep") {
			t.Errorf("%s: %q, error %v, want %s", tc.name, got, err, tc.limit)
		}
	}
}

// allocated is the number of bytes that run allocates.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// slack is what the test's own machinery may allocate.
const slack = 16 << 10

// What a hostile value costs is a small multiple of what was received or may be
// written, whatever it announces.
func TestConvert_Bombs_CostLittle(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name string
		run  convert
		src  string
		want error
		most uint64
	}{
		{"JSON depth", JSONToMsgPack, strings.Repeat("[", mib), ErrLimit, 1 << 10},
		{"JSON depth of maps", JSONToMsgPack, strings.Repeat(`{"":`, mib/4), ErrLimit, 1 << 10},
		{"MsgPack depth", MsgPackToJSON, strings.Repeat("\x91", mib), ErrLimit, 1 << 10},
		{"MsgPack count", MsgPackToJSON, "\xdd\xff\xff\xff\xff", ErrMalformed, 1 << 10},
		{"MsgPack counts inside each other", MsgPackToJSON, strings.Repeat("\xdd\x00\xff\xff\xff", mib/5), ErrMalformed, 1 << 10},
		{"MsgPack count of entries", MsgPackToJSON, "\xdf\xff\xff\xff\xff", ErrMalformed, 1 << 10},
		{"MsgPack size", MsgPackToJSON, "\xdb\xff\xff\xff\xff", ErrMalformed, 1 << 10},
		{"JSON result", MsgPackToJSON, "\xdb\x00\x0f\x00\x00" + strings.Repeat("\x00", 0xf0000), ErrLimit, 48 * mib},
		{"many empty arrays", JSONToMsgPack, "[" + strings.Repeat("[],", mib/3-1) + "[]]", nil, 6 * mib},
	} {
		var err error
		cost := allocated(func() { _, err = tc.run(nil, []byte(tc.src), Limits{MaxBytes: 2 * mib}) })
		if !errors.Is(err, tc.want) || cost > tc.most+uint64(len(tc.src))+slack {
			t.Errorf("%s: %d bytes allocated, error %v, want at most %d, %v", tc.name, cost, err, tc.most, tc.want)
		}
	}
}
