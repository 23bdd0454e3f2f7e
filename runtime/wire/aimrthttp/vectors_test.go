package aimrthttp

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

func checkObtained(t *testing.T, name, got string, known ...string) {
	t.Helper()
	if !slices.Contains(known, got) {
		t.Errorf("%s: obtained %q, expected one of %q", name, got, known)
	}
}

func joinHead(lines []string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// splitHead is the opposite direction: header lines of a golden head.
func splitHead(lines []string) []Header {
	var out []Header
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		out = append(out, Header{[]byte(name), []byte(value)})
	}
	return out
}

type requestVector struct {
	Name, Obtained, Function, Address, Serialization string
	TimeoutMS                                        int `yaml:"timeout_ms"`
	Meta                                             [][2]string
	BodyHex                                          string `yaml:"body_hex"`
	Head                                             []string
}

func requestVectors(t testing.TB) (v []requestVector) {
	testx.Vectors(t, "aimrthttp/requests.yaml", &v)
	if len(v) == 0 {
		t.Fatal("no request vectors")
	}
	return v
}

func each(meta [][2]string) func(func(k, v string) bool) {
	return func(yield func(k, v string) bool) {
		for _, p := range meta {
			if !yield(p[0], p[1]) {
				return
			}
		}
	}
}

func encodeVector(t testing.TB, v requestVector) []byte {
	t.Helper()
	at, err := Resolve(v.Address, v.Function)
	if err != nil {
		t.Fatal(err)
	}
	body, err := hex.DecodeString(v.BodyHex)
	if err != nil {
		t.Fatal(err)
	}
	head, err := AppendRequest(nil, &RequestHead{
		Path: at.Path, Host: at.Host, Serialization: v.Serialization, BodySize: len(body),
		Timeout: time.Duration(v.TimeoutMS) * time.Millisecond,
	}, each(v.Meta))
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func TestRequests_EncodeEqualsGolden(t *testing.T) {
	for _, v := range requestVectors(t) {
		checkObtained(t, v.Name, v.Obtained, "capture", "composed")
		if got := string(encodeVector(t, v)); got != joinHead(v.Head) {
			t.Errorf("%s:\ngot  %q\nwant %q", v.Name, got, joinHead(v.Head))
		}
	}
}

func TestRequests_GoldenDecodes(t *testing.T) {
	for _, v := range requestVectors(t) {
		words := strings.Fields(v.Head[0])
		path, preflight, f := CheckLine([]byte(words[0]), []byte(words[1]))
		if f != nil || preflight || string(path) != words[1] {
			t.Errorf("%s: path %q, preflight %t, failure %v", v.Name, path, preflight, f)
		}
		headers := splitHead(v.Head)
		call, f := ReadHeaders(headers)
		seconds := time.Duration(v.TimeoutMS/1000) * time.Second
		if v.TimeoutMS == 0 {
			seconds = DefaultTimeout
		}
		if f != nil || call.Serialization != v.Serialization || !call.HasTimeout || call.Timeout != seconds {
			t.Errorf("%s: call %+v, failure %v", v.Name, call, f)
		}
		pairs := AppendPairs(nil, headers, "127.0.0.1:9")
		if last := pairs[len(pairs)-1]; last != (Pair{"Remote-Endpoint", "127.0.0.1:9"}) || len(pairs) != len(headers)+1 {
			t.Errorf("%s: %d pairs, last %v", v.Name, len(pairs), last)
		}
		for i, m := range v.Meta {
			if got := pairs[4+i]; got != (Pair{m[0], m[1]}) {
				t.Errorf("%s: pair %d is %v, want %v", v.Name, i, got, m)
			}
		}
		if pairs[0].Key != "Host" || pairs[3].Key != "Content-Type" {
			t.Errorf("%s: fixed headers are %v", v.Name, pairs[:4])
		}
	}
}

type answerVector struct {
	Name, Obtained, Serialization, Body, Message string
	BodySize                                     int    `yaml:"body_size"`
	ClientCode                                   uint32 `yaml:"client_code"`
	Code                                         uint32
	Close, HTTP10, Preflight                     bool
	NotDeserialized                              bool `yaml:"not_deserialized"`
	Request                                      *struct {
		Method, Target string
		Unknown        bool
		Headers        [][2]string
	}
	Head []string
}

func answerVectors(t testing.TB) (v []answerVector) {
	testx.Vectors(t, "aimrthttp/answers.yaml", &v)
	if len(v) == 0 {
		t.Fatal("no answer vectors")
	}
	return v
}

// failureOf makes the failure the way a server gets to it.
func failureOf(t *testing.T, v answerVector) *Failure {
	t.Helper()
	switch {
	case v.NotDeserialized:
		return NotDeserialized()
	case v.Code != 0:
		return Failed(v.Code, v.Message)
	case v.Request == nil:
		t.Fatalf("%s: no way to make this failure", v.Name)
	}
	path, _, f := CheckLine([]byte(v.Request.Method), []byte(v.Request.Target))
	if f != nil {
		return f
	}
	if v.Request.Unknown {
		return NotFound(path)
	}
	var headers []Header
	for _, h := range v.Request.Headers {
		headers = append(headers, Header{[]byte(h[0]), []byte(h[1])})
	}
	_, f = ReadHeaders(headers)
	if f == nil {
		t.Fatalf("%s: the request is fine", v.Name)
	}
	return f
}

func TestAnswers_EncodeEqualsGolden(t *testing.T) {
	for _, v := range answerVectors(t) {
		checkObtained(t, v.Name, v.Obtained, "capture", "composed", "ours")
		framing := Framing{HTTP10: v.HTTP10, Close: v.Close}
		var got []byte
		switch {
		case v.Preflight:
			got = AppendPreflight(nil, framing)
		case v.Serialization != "":
			contentType, err := ContentType(v.Serialization)
			if err != nil {
				t.Fatal(err)
			}
			got = AppendOK(nil, contentType, v.BodySize, framing)
		default:
			f := failureOf(t, v)
			if f.Text != v.Body {
				t.Errorf("%s: body %q, want %q", v.Name, f.Text, v.Body)
			}
			if v.Obtained != "ours" { // AimRT's own bytes are ours without our headers
				f.Code = 0
			}
			got = AppendFailure(nil, f, framing)
		}
		if string(got) != joinHead(v.Head) {
			t.Errorf("%s:\ngot  %q\nwant %q", v.Name, got, joinHead(v.Head))
		}
	}
}

func TestAnswers_GoldenInterpreted(t *testing.T) {
	for _, v := range answerVectors(t) {
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(joinHead(v.Head)+v.Body+strings.Repeat("x", v.BodySize))), nil)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got := Interpret(r.StatusCode, splitHead(v.Head), body)
		if got.Code != v.ClientCode {
			t.Errorf("%s: code %d, want %d", v.Name, got.Code, v.ClientCode)
		}
		want := v.Body
		if v.Message != "" {
			want = v.Message
		}
		if got.Message != want {
			t.Errorf("%s: message %q, want %q", v.Name, got.Message, want)
		}
	}
}

type textVectors struct {
	Escapes      []struct{ Plain, Escaped, Obtained string }
	Unescapes    []struct{ Plain, Escaped string }
	ContentTypes []struct{ Text, Serialization string } `yaml:"content_types"`
	Timeouts     []struct {
		Text    string
		Seconds int64
	}
	URLs []struct{ Text, Protocol, Host, Service, Path, Query, Fragment string }
}

func TestText_Vectors(t *testing.T) {
	var v textVectors
	testx.Vectors(t, "aimrthttp/text.yaml", &v)
	for _, e := range v.Escapes {
		if got := string(AppendEscaped(nil, e.Plain)); got != e.Escaped {
			t.Errorf("escape %q: %q, want %q", e.Plain, got, e.Escaped)
		}
		if got := Unescape([]byte(e.Escaped)); got != e.Plain {
			t.Errorf("unescape %q: %q, want %q", e.Escaped, got, e.Plain)
		}
	}
	for _, e := range v.Unescapes {
		if got := Unescape([]byte(e.Escaped)); got != e.Plain {
			t.Errorf("unescape %q: %q, want %q", e.Escaped, got, e.Plain)
		}
	}
	for _, c := range v.ContentTypes {
		got, ok := Serialization([]byte(c.Text))
		if got != c.Serialization || ok != (c.Serialization != "") {
			t.Errorf("content type %q: %q, %t", c.Text, got, ok)
		}
	}
	for _, c := range v.Timeouts {
		call, _ := ReadHeaders([]Header{{[]byte("tIMEOUT"), []byte(c.Text)}})
		if call.HasTimeout != (c.Seconds >= 0) || call.HasTimeout && call.Timeout != time.Duration(c.Seconds)*time.Second {
			t.Errorf("timeout %q: %v, %t", c.Text, call.Timeout, call.HasTimeout)
		}
	}
	for _, u := range v.URLs {
		want := URL{u.Protocol, u.Host, u.Service, u.Path, u.Query, u.Fragment}
		if got := ParseURL(u.Text); got != want {
			t.Errorf("url %q:\ngot  %+v\nwant %+v", u.Text, got, want)
		}
	}
	if len(v.Escapes)*len(v.Unescapes)*len(v.ContentTypes)*len(v.Timeouts)*len(v.URLs) == 0 {
		t.Error("a list of vectors is empty")
	}
}
