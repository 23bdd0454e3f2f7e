package aimrtgrpc

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		address string
		secure  bool
		want    Endpoint
		fails   string
	}{
		{"grpc://h:1", false, Endpoint{Network: "tcp", Address: "h:1", Authority: "h", Path: "/a.B/C"}, ""},
		{"grpc://h:1", true, Endpoint{Network: "tcp", Address: "h:1", Authority: "h", Path: "/a.B/C", TLS: true}, ""},
		{"http://h:1", true, Endpoint{Network: "tcp", Address: "h:1", Authority: "h", Path: "/a.B/C"}, ""},
		{"https://[::1]:1/x", false, Endpoint{Network: "tcp", Address: "[::1]:1", Authority: "[::1]", Path: "/x", TLS: true}, ""},
		{"unix:///run/x.sock", false, Endpoint{Network: "unix", Address: "/run/x.sock", Authority: "localhost", Path: "/a.B/C"}, ""},
		{"127.0.0.1:1", false, Endpoint{Network: "tcp", Address: "127.0.0.1:1", Authority: "127.0.0.1", Path: "/a.B/C"}, ""},
		{"http://h", false, Endpoint{}, "no port is implied"},
		{"tcp://h:1", false, Endpoint{}, `protocol "tcp"`},
		{"unix://x", false, Endpoint{}, "unix:///path"},
		{"http://h :1", false, Endpoint{}, "blank"},
	}
	for _, tt := range tests {
		got, err := Resolve(tt.address, "pb:/a.B/C", tt.secure)
		if got != tt.want || (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%q: %+v, %v", tt.address, got, err)
		}
	}
	for _, function := range []string{"/a.B/C", "pb:a", "pb:/a b", ""} {
		if path, err := FuncPath(function); err == nil {
			t.Errorf("function %q has path %q", function, path)
		}
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][2]string{"/a.B/C": {"a.B", "C"}, "/a.B": {}, "a.B/C": {}, "/a/b/c": {}, "//c": {}, "/a/": {}, "": {}} {
		service, method, ok := SplitPath(path)
		if ok != (want[0] != "") || ok && (service != want[0] || method != want[1]) {
			t.Errorf("%q is %q, %q, %t", path, service, method, ok)
		}
	}
}

func TestSerialization_AcceptsWhatAimRTAccepts_AndParameters(t *testing.T) {
	for text, want := range map[string]string{
		"application/grpc": "pb", "application/grpc+proto": "pb", "application/grpc+json": "json", "application/grpc+json charset=utf-8": "json",
		"application/grpc+ros2": "ros2", "Application/GRPC+JSON; charset=utf-8": "json", "application/grpc+xml": "", "text/plain": "", "": "",
	} {
		if got, ok := Serialization(text); got != want || ok != (want != "") {
			t.Errorf("%q is %q, %t", text, got, ok)
		}
	}
}

func TestTimeout_LongFormsAreRead_LegalFormIsWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3000000000n": 3 * time.Second, "9223372036854775807n": math.MaxInt64, "99999999999999999999999S": math.MaxInt64,
		"2H": 2 * time.Hour, "3M": 3 * time.Minute, "4S": 4 * time.Second, "5m": 5 * time.Millisecond, "6u": 6 * time.Microsecond, "0n": 0,
	} {
		if got, ok := ParseTimeout(text); !ok || got != want {
			t.Errorf("%q is %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "n", "5", "5x", "-5n", "5 n", "5.0S", "+5n"} {
		if got, ok := ParseTimeout(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
	for timeout, want := range map[time.Duration]string{
		-1: "0n", 99_999_999: "99999999n", 100_000_000: "100000u", 100_000_001: "100001u", 3 * time.Hour: "10800000m", math.MaxInt64: "2562048H",
	} {
		if got := string(AppendTimeout(nil, timeout)); got != want {
			t.Errorf("%v is written as %q, want %q", timeout, got, want)
		}
	}
}

func pairsOf(f Field) (out []Pair) {
	DecodePairs(f, func(key, value string) { out = append(out, Pair{key, value}) })
	return out
}

func TestMetadata_AnyEntryComesBack(t *testing.T) {
	for _, p := range []Pair{
		{"key", "value"}, {"key", ""}, {"key", "é 漢"}, {"Key Two", "v 2/é"}, {"key-bin", "\x00\xff"}, {"Key-Bin", "\x00\xff"}, {"key", "a\nb"}, {"key", " a"},
		{"content-type", "x"}, {"grpc-timeout", "x"}, {":path", "x"}, {"é", "x"}, {"aimrt-meta-bin", "x"}, {"x", strings.Repeat("y", 9000)},
	} {
		f := EncodePair(p.Key, p.Value)
		if got := pairsOf(f); !reflect.DeepEqual(got, []Pair{p}) {
			t.Errorf("%q became %q and then %q", p, f, got)
		}
	}
}

func TestDecodePairs_ForeignForms(t *testing.T) {
	for _, tt := range []struct {
		field Field
		want  []Pair
	}{
		{Field{"a-bin", "AP8="}, []Pair{{"a-bin", "\x00\xff"}}},
		{Field{"a-bin", "AA,AQ"}, []Pair{{"a-bin", "\x00"}, {"a-bin", "\x01"}}},
		{Field{"a-bin", "not base64!"}, []Pair{{"a-bin", "not base64!"}}}, // AimRT does not encode
		{Field{"aimrt-meta-bin", "AA"}, nil},
		{Field{"aimrt-meta-bin", "!"}, nil},
		{Field{"aimrt-meta-bin", "//////////////8"}, nil},
	} {
		if got := pairsOf(tt.field); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q is %q, want %q", tt.field, got, tt.want)
		}
	}
}

func TestOutcome_TrailersStayWithinTheirLimit(t *testing.T) {
	long := strings.Repeat("é", 20_000)
	o := Outcome{GRPC: 2, Message: long, Trace: long, Rich: long}
	for range 2 * MaxDetails {
		o.Details = append(o.Details, Pair{"k", "v"})
	}
	size := 0
	for _, f := range o.Fields() {
		size += len(f.Name) + len(f.Value) + fieldOverhead
	}
	got, ok := ReadOutcome(o.Fields())
	if !ok || size > 8<<10 || len(got.Message) != MaxMessageBytes || !strings.HasPrefix(long, got.Trace) || got.Rich != "" || len(got.Details) != MaxDetails {
		t.Fatalf("%d bytes, message %d, trace %d, details %d", size, len(got.Message), len(got.Trace), len(got.Details))
	}
	o.Details = nil
	if got, _ = ReadOutcome(o.Fields()); got.Trace == "" || !strings.HasPrefix(long, got.Trace) {
		t.Fatalf("trace of %d bytes", len(got.Trace))
	}
	if _, ok := ReadOutcome([]Field{{"grpc-status", "x"}}); ok {
		t.Fatal("a status that is no number was read")
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add("key", "value", "a-bin", "AA,AQ")
	f.Add("Key", "é\n", "aimrt-meta-bin", "AWFi")
	f.Fuzz(func(t *testing.T, key, value, name, text string) {
		if got := pairsOf(EncodePair(key, value)); key != "" && !reflect.DeepEqual(got, []Pair{{key, value}}) {
			t.Fatalf("%q, %q became %q", key, value, got)
		}
		size := 0
		for _, p := range pairsOf(Field{name, text}) {
			size += len(p.Value)
		}
		if size > len(text) {
			t.Fatalf("%q grew to %d bytes", text, size)
		}
	})
}

func FuzzOutcome(f *testing.F) {
	f.Add("grpc-status", "5", "grpc-message", "%41%zz")
	f.Add("aimrt-status-detail-bin", "AWFi", "aimrt-status-trace-bin", "YQ")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		o, ok := ReadOutcome([]Field{{n1, v1}, {n2, v2}})
		if !ok || o.GRPC == 0 {
			return
		}
		again, ok := ReadOutcome(o.Fields())
		if len(v1)+len(v2) < 512 && (!ok || again.GRPC != o.GRPC || again.Message != o.Message || again.AimRT != o.AimRT || again.Trace != o.Trace) {
			t.Fatalf("%+v became %+v", o, again)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add("100 % é\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got := UnescapeMessage(EscapeMessage(text)); got != strings.ToValidUTF8(text, "\uFFFD") {
			t.Fatalf("%q became %q", text, got)
		}
		UnescapeMessage(text)
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("http://127.0.0.1:1/x?y#z", "pb:/a.B/C", "3000000000n", "application/grpc")
	f.Add("unix:///a", "ros2:/a/b", "1H", "application/grpc+json; x")
	f.Fuzz(func(t *testing.T, address, function, timeout, contentType string) {
		if at, err := Resolve(address, function, true); err == nil && (illegal(at.Path) || at.Path[0] != '/' || illegal(at.Authority)) {
			t.Fatalf("%q gives %+v", address, at)
		}
		if d, ok := ParseTimeout(timeout); ok {
			text := string(AppendTimeout(nil, d))
			if again, ok := ParseTimeout(text); !ok || again < d || len(text) > maxTimeoutDigits+1 {
				t.Fatalf("%q is %v, written %q, read %v", timeout, d, text, again)
			}
		}
		Serialization(contentType)
		SplitPath(address)
	})
}
