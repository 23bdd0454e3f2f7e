package http

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
)

type requestVector struct {
	Name, Obtained, Function, Address, Serialization string
	TimeoutMS                                        int `yaml:"timeout_ms"`
	Meta                                             [][2]string
	BodyHex                                          string `yaml:"body_hex"`
	Head                                             []string
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

// framework are the keys that every call carries; some vectors were put together without them.
var framework = []string{"aimrt-backend: ", "aimrt-request%5Fid: ", "aimrt-serialization%5Ftype: "}

func without(head []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(head), func(line string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
	})
}

func TestInvoke_GoldenRequests_AreSentByteForByte(t *testing.T) {
	testx.NoLeaks(t)
	var vectors []requestVector
	testx.Vectors(t, "aimrthttp/requests.yaml", &vectors)
	type request struct {
		head []string
		body []byte
	}
	got := make(chan request, 1)
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		head, body, err := readRequest(r)
		if err != nil {
			return
		}
		got <- request{head, body}
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	})
	_, port, _ := net.SplitHostPort(address)
	for _, v := range vectors {
		// The address of the vector with the port of this test; the Host header does not show the port.
		url := strings.Replace(v.Address, "robot", "localhost", 1)
		host, rest, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
		_, path, slash := strings.Cut(rest, "/")
		if url = "http://" + host + ":" + port; slash {
			url += "/" + path
		}
		m := newMethod(t, v.Function, nil, nil)
		b := clientOf(t, m, url, "")
		body, _ := hex.DecodeString(v.BodyHex)
		call := newCall(m, "")
		call.Request = rpc.BytesPayload(v.Serialization, body)
		call.Context.Serialization, call.Context.Timeout = v.Serialization, time.Duration(v.TimeoutMS)*time.Millisecond
		whole := false
		for _, pair := range v.Meta {
			if whole = whole || pair[0] == "aimrt-backend"; !strings.HasPrefix(pair[0], "aimrt-") {
				call.Context.Metadata.Add(pair[0], pair[1])
			}
		}
		if status := invoke(t, b, call); !status.OK() {
			t.Fatalf("%s: %v", v.Name, status)
		}
		sent, want := <-got, slices.Clone(v.Head)
		want[1] = strings.Replace(want[1], "robot", "localhost", 1)
		if !whole {
			sent.head = without(sent.head, framework...)
		}
		if !slices.Equal(sent.head, want) || !bytes.Equal(sent.body, body) {
			t.Errorf("%s:\nsent %q\nwant %q\nbody %x", v.Name, sent.head, want, sent.body)
		}
		closeBackend(t, b)
	}
}

// refusing is a type support that understands nothing.
type refusing struct{}

func (refusing) Name() string                       { return "pb:Refusing" }
func (refusing) Serializations() []string           { return []string{"pb", "json"} }
func (refusing) Encode(string, any) ([]byte, error) { return nil, errors.New("not a message") }
func (refusing) Decode(string, []byte) (any, func(), error) {
	return nil, nil, errors.New("truncated field 1")
}

// request is what makes a server give the answer of a vector.
func (v *answerVector) request() string {
	method, target := "POST", path
	contentType := map[string]string{"json": "application/json"}[v.Serialization]
	if contentType == "" {
		contentType = "application/protobuf"
	}
	headers := [][2]string{{"Content-Type", contentType}}
	if v.Preflight {
		method = "OPTIONS"
	}
	if r := v.Request; r != nil {
		if method = r.Method; r.Headers != nil {
			headers = r.Headers
		}
		if target = r.Target; target == "/rpc/p.S/M" {
			target = path
		}
	}
	version := " HTTP/1.1\r\nHost: x\r\n"
	if v.HTTP10 {
		version = " HTTP/1.0\r\nHost: x\r\n"
	} else if v.Close {
		version += "Connection: close\r\n"
	}
	text := method + " " + target + version
	for _, h := range headers {
		text += h[0] + ": " + h[1] + "\r\n"
	}
	return text + "Content-Length: 0\r\n\r\n"
}

func TestServe_GoldenAnswers_AreSentByteForByte(t *testing.T) {
	testx.NoLeaks(t)
	var vectors []answerVector
	testx.Vectors(t, "aimrthttp/answers.yaml", &vectors)
	var now answerVector
	handler := func(_ context.Context, call *rpc.Call) {
		if now.Code != 0 {
			call.Finish(rpc.NewStatus(rpc.Code(now.Code), now.Message), rpc.Payload{})
			return
		}
		call.Finish(rpc.OK, rpc.BytesPayload(now.Serialization, bytes.Repeat([]byte{'x'}, now.BodySize)))
	}
	_, good := serveAt(t, "", newMethod(t, function, nil, nil), handler)
	_, refuses := serveAt(t, "", newMethod(t, function, refusing{}, nil), handler)
	for _, v := range vectors {
		now = v
		address, body := good, v.Body
		if v.NotDeserialized {
			address = refuses
		}
		if v.BodySize > 0 {
			body = strings.Repeat("x", v.BodySize)
		}
		head, got := rawAnswer(t, address, v.request())
		if v.Obtained != "ours" { // AimRT's own answer has no status headers; it ignores ours
			head = without(head, "aimrt-status-")
		} else if !slices.ContainsFunc(v.Head, func(line string) bool { return strings.HasPrefix(line, "aimrt-status-message") }) {
			head = without(head, "aimrt-status-message")
		}
		if !slices.Equal(head, v.Head) || got != body {
			t.Errorf("%s:\ngot  %q\nwant %q\nbody %q, want %q", v.Name, head, v.Head, got, body)
		}
	}
}

func TestInvoke_GoldenAnswers_GiveTheirCode(t *testing.T) {
	testx.NoLeaks(t)
	var vectors []answerVector
	testx.Vectors(t, "aimrthttp/answers.yaml", &vectors)
	answers := make(chan string, 1)
	address := fakeServer(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			text := <-answers
			_, _ = c.Write([]byte(text))
			if strings.Contains(text, "Connection: close") || strings.HasPrefix(text, "HTTP/1.0") {
				return
			}
		}
	})
	m := newMethod(t, function, nil, nil)
	b := clientOf(t, m, "http://"+address, "")
	for _, v := range vectors {
		body := v.Body
		if v.BodySize > 0 {
			body = strings.Repeat("x", v.BodySize)
		}
		answers <- strings.Join(v.Head, "\r\n") + "\r\n\r\n" + body
		call := newCall(m, "")
		status := invoke(t, b, call)
		if uint32(status.Code()) != v.ClientCode {
			t.Errorf("%s: %v, want code %d", v.Name, status, v.ClientCode)
		}
		if status.OK() {
			if response(t, call) != body {
				t.Errorf("%s: response %q", v.Name, response(t, call))
			}
			continue
		}
		if want := (rpc.Native{Dialect: "aimrt", Code: status.Native().Code}); status.Native() != want || status.Message() == "" {
			t.Errorf("%s: native %v, message %q", v.Name, status.Native(), status.Message())
		}
		if v.Message != "" && status.Message() != v.Message {
			t.Errorf("%s: message %q, want %q", v.Name, status.Message(), v.Message)
		}
	}
}
