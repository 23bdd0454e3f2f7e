package aimrthttp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestResolve_BadAddressOrFunction_ErrorNamesIt(t *testing.T) {
	for _, tc := range []struct{ address, function, says string }{
		{"http://h", "pb:/p.S/M", "port 80 is not implied"},
		{"http://h:", "pb:/p.S/M", "http://host:port"},
		{"http://:1", "pb:/p.S/M", "http://host:port"},
		{"", "pb:/p.S/M", "http://host:port"},
		{"https://h:1", "pb:/p.S/M", `protocol "https"`},
		{"http://h:1", "p.S/M", `"p.S/M"`},
		{"http://h:1", "pb:p.S/M", `"pb:p.S/M"`},
		{"http://h:1", "pb:/p.S/M HTTP/1.1\r\nEvil: 1", "function name"},
		{"http://h:1/a b", "pb:/p.S/M", "path"},
		{"http://h\r\nEvil: 1", "pb:/p.S/M", "host"},
	} {
		_, err := Resolve(tc.address, tc.function)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("Resolve(%q, %q): %v, want a text with %q", tc.address, tc.function, err, tc.says)
		}
	}
}

func TestResolve_IPv6_KeepsBracketsInTheHostHeader(t *testing.T) {
	got, err := Resolve("http://[::1]:80", "pb:/p.S/M")
	if want := (Endpoint{"[::1]:80", "[::1]", "/rpc/p.S/M"}); err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
}

func TestAppendRequest_ReservedOrEmptyKey_IsRefused(t *testing.T) {
	for key, header := range map[string]string{
		"content-type": "content-type", "Content-Type": "content-type", "HOST": "host", "Timeout": "timeout",
		"user-agent": "user-agent", "Content-Length": "content-length", "Transfer-Encoding": "transfer-encoding",
		"Connection": "connection", "expect": "expect", "Upgrade": "upgrade", "": "",
	} {
		before := []byte("kept")
		got, err := AppendRequest(before, &RequestHead{Path: "/p", Host: "h", Serialization: "pb"}, each([][2]string{{"ok", "1"}, {key, "v"}}))
		var bad *KeyError
		if !errors.As(err, &bad) || bad.Key != key || bad.Header != header || string(got) != "kept" {
			t.Errorf("key %q: error %v, result %q", key, err, got)
		}
	}
	for _, key := range []string{"content_type", "my-host", "timeouts", "te"} {
		if err := CheckKey(key); err != nil {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func TestAppendRequest_UnknownSerialization_ListsTheKnown(t *testing.T) {
	_, err := AppendRequest(nil, &RequestHead{Path: "/p", Host: "h", Serialization: "zzz"}, nil)
	if err == nil || !strings.Contains(err.Error(), `"zzz"`) || !strings.Contains(err.Error(), "pb, json, ros2") {
		t.Fatal(err)
	}
}

func TestAppendRequest_HeadTooLarge_IsRefused(t *testing.T) {
	_, err := AppendRequest(nil, &RequestHead{Path: "/p", Host: "h", Serialization: "pb"}, each([][2]string{{"k", strings.Repeat("_", 30_000)}}))
	if err == nil || !strings.Contains(err.Error(), "MaxHeadBytes (65536)") {
		t.Fatal(err)
	}
}

func TestCheckLine_MethodsAndTargets(t *testing.T) {
	for _, m := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
		path, preflight, f := CheckLine([]byte(m), []byte("/rpc/a.B/C?x=/y"))
		if f != nil || string(path) != "/rpc/a.B/C" || preflight != (m == "OPTIONS") {
			t.Errorf("%s: %q, %t, %v", m, path, preflight, f)
		}
	}
	for _, m := range []string{"PUT", "DELETE", "PATCH", "get", ""} {
		if _, _, f := CheckLine([]byte(m), []byte("/")); f == nil || f.Status != 400 {
			t.Errorf("%s: %+v", m, f)
		}
	}
}

func TestInterpret_LyingPeers_NeverGiveAnOKFailure(t *testing.T) {
	header := func(v string) []Header { return []Header{{[]byte("AimRT-Status-Code"), []byte(v)}} }
	for name, tc := range map[string]struct {
		status  int
		headers []Header
		body    string
		code    uint32
	}{
		"code 0":           {500, header("0"), "", 1003},
		"negative":         {500, header("-5"), "", 1003},
		"too large":        {500, header("4294967296"), "", 1003},
		"not a number":     {500, header("1e3"), "", 1003},
		"any case of name": {500, header("2009"), "", 2009},
		"header wins":      {500, header("2009"), "An error occurred: 'Handle rpc failed, code: 77.'", 2009},
		"text code 0":      {500, nil, "An error occurred: 'Handle rpc failed, code: 0.'", 1003},
		"text not closed":  {500, nil, "Handle rpc failed, code: 77", 1003},
		"text too large":   {500, nil, "Handle rpc failed, code: 99999999999.", 1003},
		"text on a 404":    {404, nil, "Handle rpc failed, code: 77.", 1003},
		"204":              {204, nil, "", 1003},
		"302":              {302, nil, "", 1003},
		"200 with header":  {200, header("77"), "", 0},
	} {
		if got := Interpret(tc.status, tc.headers, []byte(tc.body)); got.Code != tc.code {
			t.Errorf("%s: code %d, want %d", name, got.Code, tc.code)
		}
	}
	long := Interpret(500, nil, bytes.Repeat([]byte("é"), 5000))
	if len(long.Message) > maxMessageBytes || !utf8.ValidString(long.Message) {
		t.Errorf("message has %d bytes, valid %t", len(long.Message), utf8.ValidString(long.Message))
	}
}

func TestFailed_LongMessage_IsCutAtACharacter(t *testing.T) {
	head := AppendFailure(nil, Failed(1000, "x"+strings.Repeat("é", 2000)), Framing{})
	for _, line := range strings.Split(string(head), "\r\n") {
		if v, ok := strings.CutPrefix(line, "aimrt-status-message: "); ok {
			if m := Unescape([]byte(v)); len(m) > maxMessageBytes || !utf8.ValidString(m) {
				t.Fatalf("message has %d bytes, valid %t", len(m), utf8.ValidString(m))
			}
			return
		}
	}
	t.Fatalf("no message in %q", head)
}

func TestAppendRequest_Allocations(t *testing.T) {
	dst := make([]byte, 0, 1024)
	h := &RequestHead{Path: "/rpc/a.B/C", Host: "127.0.0.1", Serialization: "pb", BodySize: 4}
	meta := each([][2]string{{"aimrt-backend", "http"}, {"aimrt-request_id", "1"}})
	if n := testing.AllocsPerRun(100, func() { dst, _ = AppendRequest(dst[:0], h, meta) }); n > 3 {
		t.Fatalf("%.0f allocations per request head, limit 3", n)
	}
}

func ExampleAppendRequest() {
	at, _ := Resolve("http://127.0.0.1:50080", "pb:/pkg.Service/Func")
	head, _ := AppendRequest(nil, &RequestHead{Path: at.Path, Host: at.Host, Serialization: "pb", BodySize: 4},
		func(yield func(k, v string) bool) { yield("aimrt-request_id", "1") })
	fmt.Print(strings.ReplaceAll(string(head), "\r\n", "\n"))
	// Output:
	// POST /rpc/pkg.Service/Func HTTP/1.1
	// Host: 127.0.0.1
	// User-Agent: aimrt
	// Timeout: 5
	// Content-Type: application/protobuf
	// aimrt-request%5Fid: 1
	// Content-Length: 4
}

func FuzzEscape(f *testing.F) {
	f.Add("aimrt-request_id", []byte("%5F%zz"))
	f.Fuzz(func(t *testing.T, plain string, wire []byte) {
		escaped := AppendEscaped(nil, plain)
		if got := Unescape(escaped); got != plain {
			t.Fatalf("%q came back as %q", plain, got)
		}
		for _, c := range escaped {
			if c != '%' && !unreserved[c] {
				t.Fatalf("byte %q in %q", c, escaped)
			}
		}
		if got := Unescape(wire); len(got) > len(wire) {
			t.Fatalf("%q grew to %q", wire, got)
		}
	})
}

func FuzzResolve(f *testing.F) {
	f.Add("http://127.0.0.1:1/x?y#z", "pb:/a.B/C")
	f.Add("http://[::1]:1", "ros2:/a")
	f.Fuzz(func(t *testing.T, address, function string) {
		ParseURL(address)
		at, err := Resolve(address, function)
		if err != nil {
			return
		}
		head, err := AppendRequest(nil, &RequestHead{Path: at.Path, Host: at.Host, Serialization: "json"}, nil)
		if err != nil {
			return
		}
		if lines := bytes.Split(head, []byte("\r\n")); len(lines) != 8 || bytes.Count(lines[0], []byte(" ")) != 2 {
			t.Fatalf("address %q and function %q make the head %q", address, function, head)
		}
	})
}

func FuzzRequestHeaders(f *testing.F) {
	f.Add("POST", "/rpc/a.B/C?q", "Content-Type", "application/json; charset=utf-8", "Timeout", "3")
	f.Fuzz(func(t *testing.T, method, target, n1, v1, n2, v2 string) {
		path, _, failure := CheckLine([]byte(method), []byte(target))
		if failure == nil && !strings.HasPrefix(target, string(path)) {
			t.Fatalf("path %q of target %q", path, target)
		}
		headers := []Header{{[]byte(n1), []byte(v1)}, {[]byte(n2), []byte(v2)}}
		call, failure := ReadHeaders(headers)
		if (call.Serialization == "") != (failure != nil) || call.Timeout < 0 {
			t.Fatalf("call %+v, failure %v", call, failure)
		}
		if failure != nil {
			AppendFailure(nil, failure, Framing{})
		}
		if got := AppendPairs(nil, headers, "p"); len(got) != 3 {
			t.Fatalf("pairs %v", got)
		}
	})
}

func FuzzInterpret(f *testing.F) {
	f.Add(500, "aimrt-status-code", "7", []byte("An error occurred: 'Handle rpc failed, code: 77.'"))
	f.Fuzz(func(t *testing.T, status int, name, value string, body []byte) {
		got := Interpret(status, []Header{{[]byte(name), []byte(value)}}, body)
		if (got.Code == 0) != (status == 200) || len(got.Message) > maxMessageBytes {
			t.Fatalf("status %d became %+v", status, got)
		}
	})
}
