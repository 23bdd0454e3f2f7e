package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
)

func TestServer_HeaderNamesAndOrder_ArriveVerbatim(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s\n", x.Method(), x.Target())
		for _, h := range x.Headers() {
			fmt.Fprintf(&b, "%s=%s\n", h.Name, h.Value)
		}
		x.Respond(answer(x, b.Bytes()))
	}})
	c := dialRaw(t, p)
	c.send("POST /A%2Fb?q HTTP/1.1\r\nkEy-2:  a b\t\r\nHost: h\r\naimrt-request%5Fid: 1\r\nKEY-2: \r\n\r\n")
	if _, got := c.response(); got != "POST /A%2Fb?q\nkEy-2=a b\nHost=h\naimrt-request%5Fid=1\nKEY-2=\n" {
		t.Fatalf("handler saw %q", got)
	}
}

func TestServer_NetHTTPClient_AllShapesOfRequest(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 20 * time.Second}}
	defer client.CloseIdleConnections()
	big := strings.Repeat("0123456789", 300_000)
	for _, tc := range []struct {
		name, method, body string
		chunked, expect    bool
	}{
		{name: "empty", method: "POST"},
		{name: "small", method: "POST", body: "hello"},
		{name: "large", method: "PUT", body: big},
		{name: "chunked", method: "POST", body: big, chunked: true},
		{name: "expect", method: "POST", body: big, expect: true},
		{name: "get with body", method: "GET", body: "x"},
		{name: "head", method: "HEAD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(tc.body)
			if tc.chunked {
				body = struct{ io.Reader }{body}
			}
			req, _ := http.NewRequest(tc.method, "http://"+p.Addr().String()+"/x", body)
			if tc.expect {
				req.Header.Set("Expect", "100-continue")
			}
			r, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || r.StatusCode != 200 || string(got) != tc.body {
				t.Fatalf("status %d, %d bytes, error %v; want 200 and %d bytes", r.StatusCode, len(got), err, len(tc.body))
			}
		})
	}
}

func TestServer_Curl_IsAnswered(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("this test needs the curl program: %v", err)
	}
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo})
	_, u := serveUnix(t, ServerConfig{Handler: echo})
	for _, args := range [][]string{
		{"http://" + p.Addr().String() + "/rpc/a.B/C"},
		{"--http1.0", "http://" + p.Addr().String() + "/"},
		{"-H", "Expect: 100-continue", "http://" + p.Addr().String() + "/"},
		{"-H", "Transfer-Encoding: chunked", "http://" + p.Addr().String() + "/"},
		{"--unix-socket", u.Addr().String(), "http://localhost/"},
	} {
		out, err := exec.Command(curl, append([]string{"-sS", "--max-time", "20", "-d", `{"msg": "test msg"}`}, args...)...).CombinedOutput()
		if err != nil || string(out) != `{"msg": "test msg"}` {
			t.Errorf("curl %v: %q, %v", args, out, err)
		}
	}
}

func TestServer_Pipelined_AnsweredInOrder(t *testing.T) {
	testx.NoLeaks(t)
	var wg sync.WaitGroup
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		if string(x.Target()) == "/later" {
			wg.Go(func() { echo(x) })
			return
		}
		echo(x)
	}})
	c := dialRaw(t, p)
	var all strings.Builder
	for i := range 40 {
		target := []string{"/now", "/later"}[i%2]
		fmt.Fprintf(&all, "POST %s HTTP/1.1\r\nContent-Length: 6\r\n\r\nbody%02d", target, i)
	}
	c.send(all.String())
	for i := range 40 {
		if status, got := c.response(); status != 200 || got != fmt.Sprintf("body%02d", i) {
			t.Fatalf("answer %d is %d %q", i, status, got)
		}
	}
	wg.Wait()
}

func TestServer_AnswerFromElsewhere_RequestStaysReadableUntilThen(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { go func() { held <- x }() }})
	c := dialRaw(t, p)
	for i := range 50 {
		body := strings.Repeat(string(rune('a'+i%26)), 10+i*400)
		c.send(fmt.Sprintf("POST / HTTP/1.1\r\nA: %d\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body))
		x := <-held
		if got := string(x.Headers()[0].Value); got != fmt.Sprint(i) {
			t.Fatalf("request %d shows header A %q", i, got)
		}
		echo(x)
		if _, got := c.response(); got != body {
			t.Fatalf("answer %d has %d bytes, want %d", i, len(got), len(body))
		}
		if err := x.Respond(nil, nil); !errors.Is(err, ErrAnswered) {
			t.Fatalf("second Respond: %v", err)
		}
	}
}

// brokenRequests are what a second parser might understand in another way, or
// what is too much.
var brokenRequests = map[string]struct {
	request string
	status  int
	says    string
}{
	"CL and TE":         {"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"},
	"TE and CL":         {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400, "both"},
	"two CL":            {"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, "header line 2: second Content-Length"},
	"two equal CL":      {"POST / HTTP/1.1\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nabcd", 400, "second Content-Length"},
	"CL list":           {"POST / HTTP/1.1\r\nContent-Length: 4, 4\r\n\r\nabcd", 400, "not a decimal"},
	"CL sign":           {"POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\nabcd", 400, "not a decimal"},
	"CL hex":            {"POST / HTTP/1.1\r\nContent-Length: 0x4\r\n\r\nabcd", 400, "not a decimal"},
	"CL empty":          {"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400, "not a decimal"},
	"CL overflow":       {"POST / HTTP/1.1\r\nContent-Length: 18446744073709551620\r\n\r\n", 400, "not a decimal"},
	"CL blank inside":   {"POST / HTTP/1.1\r\nContent-Length: 1 0\r\n\r\n0123456789", 400, "not a decimal"},
	"CL blank in name":  {"POST / HTTP/1.1\r\nContent-Length : 4\r\n\r\nabcd", 400, "does not start with"},
	"TE gzip":           {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "is not \"chunked\""},
	"TE two":            {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, "second Transfer-Encoding"},
	"TE vertical tab":   {"POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, "control byte"},
	"TE in 1.0":         {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "HTTP/1.0"},
	"obs-fold":          {"POST / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "obs-fold"},
	"fold first":        {"POST / HTTP/1.1\r\n A: b\r\n\r\n", 400, "obs-fold"},
	"bare LF":           {"POST / HTTP/1.1\nA: b\r\n\r\n", 400, "line 1 ends in a bare LF"},
	"bare LF header":    {"POST / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400, "line 2 ends in a bare LF"},
	"bare LF end":       {"POST / HTTP/1.1\r\nA: b\r\n\n", 400, "line 3 ends in a bare LF"},
	"bare CR":           {"POST / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400, "control byte"},
	"NUL in value":      {"POST / HTTP/1.1\r\nA: b\x00\r\n\r\n", 400, "control byte"},
	"no colon":          {"POST / HTTP/1.1\r\nAbc\r\n\r\n", 400, "header line 1"},
	"empty name":        {"POST / HTTP/1.1\r\n: b\r\n\r\n", 400, "header line 1"},
	"two hosts":         {"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "second Host"},
	"garbage":           {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "request line"},
	"one word":          {"GET\r\n\r\n", 400, "request line"},
	"HTTP/0.9":          {"GET /\r\n\r\n", 400, "request line"},
	"blank in target":   {"GET /a b HTTP/1.1\r\n\r\n", 400, "blank"},
	"method":            {"G@T / HTTP/1.1\r\n\r\n", 400, "method"},
	"HTTP/2 preface":    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2.0"},
	"lower-case":        {"GET / http/1.1\r\n\r\n", 400, "version"},
	"many headers":      {"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 21) + "\r\n", 431, "more than 20 header lines"},
	"long head":         {"GET / HTTP/1.1\r\nA: " + strings.Repeat("b", 9000) + "\r\n\r\n", 431, "longer than 8000 bytes"},
	"long line":         {"GET /" + strings.Repeat("b", 20000), 431, "longer than 8000 bytes"},
	"expect":            {"GET / HTTP/1.1\r\nExpect: magic\r\n\r\n", 417, "magic"},
	"large body":        {"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413, "MaxBodyBytes (1000)"},
	"large expected":    {"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413, "MaxBodyBytes (1000)"},
	"large and sent":    {"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 413, "MaxBodyBytes (1000)"},
	"large chunk":       {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413, "MaxBodyBytes (1000)"},
	"huge chunk":        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", 413, "MaxBodyBytes"},
	"overflowing chunk": {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000004\r\nabcd\r\n", 400, "chunk size"},
	"chunk size":        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "chunk size"},
	"chunk sign":        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "chunk size"},
	"chunk bare LF":     {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400, "bare LF"},
	"chunk extension":   {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 300) + "\r\n", 400, "longer than 256"},
	"chunk end":         {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", 400, "chunk"},
	"trailer":           {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad\r\n\r\n", 400, "trailer"},
	"long trailer":      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: bcdefgh\r\n", 2000) + "\r\n", 400, "trailer"},
}

func TestServer_BrokenRequests_AreRefusedAndTheConnectionEnds(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{MaxBodyBytes: 1000, MaxHeaders: 20, MaxHeadBytes: 8000, Handler: func(x *Exchange) {
		if string(x.Target()) != "/good" {
			t.Errorf("handler saw %s %s with %q", x.Method(), x.Target(), x.Body())
		}
		echo(x)
	}})
	for name, tc := range brokenRequests {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p)
			c.send("POST /good HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
			c.response()
			c.send(tc.request)
			status, body := c.response()
			if status != tc.status || !strings.Contains(body, tc.says) {
				t.Fatalf("answer %d %q, want %d saying %q", status, body, tc.status, tc.says)
			}
			c.ended()
		})
	}
}

func TestServer_Tolerated(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		x.Respond(answer(x, fmt.Appendf(nil, "%s|%s|%s", x.Method(), x.Target(), x.Body())))
	}})
	for name, tc := range map[string]struct{ request, want string }{
		"empty line before":      {"\r\nGET /x HTTP/1.1\r\n\r\n", "GET|/x|"},
		"empty target":           {"GET  HTTP/1.1\r\n\r\n", "GET||"},
		"target without slash":   {"GET x..y HTTP/1.1\r\n\r\n", "GET|x..y|"},
		"chunks with extensions": {"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n4;a=b\r\nWiki\r\n005 \r\npedia\r\n0\r\nT: v\r\n\r\n", "POST|/|Wikipedia"},
		"unknown method":         {"BREW / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "BREW|/|"},
		"bytes above 127":        {"GET /\xc3\xa9 HTTP/1.1\r\nA: \xc3\xa9\r\n\r\n", "GET|/\xc3\xa9|"},
		"expect without body":    {"GET / HTTP/1.1\r\nExpect: 100-Continue\r\n\r\n", "GET|/|"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p)
			c.send(tc.request)
			if status, got := c.response(); status != 200 || got != tc.want {
				t.Fatalf("answer %d %q, want %q", status, got, tc.want)
			}
			c.send("GET /again HTTP/1.1\r\n\r\n")
			if _, got := c.response(); got != "GET|/again|" {
				t.Fatalf("second answer %q", got)
			}
		})
	}
}

func TestServer_CloseAsked_AnswersThenCloses(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { go echo(x) }})
	for name, request := range map[string]string{
		"HTTP/1.1": "POST / HTTP/1.1\r\nConnection: foo, Close\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.0": "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok",
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p)
			c.send(request)
			if _, got := c.response(); got != "ok" {
				t.Fatalf("answer %q", got)
			}
			c.ended()
		})
	}
}

func TestServer_HEAD_BodyIsDropped(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { x.Respond(answer(x, []byte("secret"))) }})
	c := dialRaw(t, p)
	c.send("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c.r)
	if err != nil || string(all) != "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n" {
		t.Fatalf("answer %q, %v", all, err)
	}
}

func TestServer_Slowloris_IsTimedOut(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{
		Handler: func(x *Exchange) { t.Errorf("handler saw %q", x.Body()) }, ReadHeaderTimeout: 50 * time.Millisecond, MinBodyRate: 1 << 20,
	})
	for name, start := range map[string]string{
		"head": "POST / HTTP/1.1\r\nA: b\r\n",
		"body": "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, p)
			c.send(start)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			defer wg.Wait()
			defer close(stop)
			wg.Go(func() { // one byte at a time keeps it alive, but not long
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						if _, err := c.Write([]byte("x")); err != nil {
							return
						}
					}
				}
			})
			if status, _ := c.response(); status != 408 {
				t.Fatalf("status %d, want 408", status)
			}
		})
	}
}

func TestServer_IdleConnection_IsClosedSilently(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo, IdleTimeout: 50 * time.Millisecond})
	dialRaw(t, p).ended()
	c := dialRaw(t, p)
	c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	c.response()
	c.ended()
}

func TestServer_LongHandler_OutlivesTheIdleTimeout(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }, IdleTimeout: 20 * time.Millisecond})
	c := dialRaw(t, p)
	c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	x := <-held
	past := time.NewTimer(100 * time.Millisecond)
	<-past.C // five idle periods go by
	echo(x)
	if _, got := c.response(); got != "ok" {
		t.Fatalf("answer %q", got)
	}
}

func TestServer_PeerResets_OnGoneFiresOnceAndRespondSaysGone(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	c := dialRaw(t, p)
	c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	x := <-held
	gone := make(chan struct{}, 2)
	x.OnGone(func() { gone <- struct{}{} })
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
	<-gone
	testx.Eventually(t, "the exchange to be lost", func() bool { return x.state.Load()&exDone != 0 })
	if string(x.Body()) != "ok" {
		t.Fatalf("the body changed to %q before Respond", x.Body())
	}
	if err := x.Respond(answer(x, nil)); !errors.Is(err, ErrGone) {
		t.Fatalf("Respond: %v", err)
	}
	late := false
	x.OnGone(func() { late = true })
	if !late || len(gone) != 0 {
		t.Fatalf("late OnGone called: %t; further calls of the first: %d", late, len(gone))
	}
}

func TestServer_PeerHalfCloses_IsToldAndStillAnswered(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }})
	c := dialRaw(t, p)
	c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	x := <-held
	gone := make(chan struct{})
	x.OnGone(func() { close(gone) })
	c.Conn.(*net.TCPConn).CloseWrite()
	<-gone
	if err := x.Respond(answer(x, x.Body())); err != nil {
		t.Fatal(err)
	}
	if _, got := c.response(); got != "ok" {
		t.Fatalf("answer %q", got)
	}
	c.ended()
}

func TestServer_PeerHangsUpAndNobodyAnswers_ConnectionEndsAfterGrace(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	srv, p := serve(t, ServerConfig{Handler: func(x *Exchange) { held <- x }, GoneGrace: 20 * time.Millisecond})
	c := dialRaw(t, p)
	c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	x := <-held
	c.Close()
	testx.Eventually(t, "the connection to end", func() bool { return srv.Conns() == 0 })
	if err := x.Respond(answer(x, nil)); !errors.Is(err, ErrGone) {
		t.Fatalf("Respond: %v", err)
	}
}

func TestServer_HandlerPanics_Answers500AndServesOn(t *testing.T) {
	testx.NoLeaks(t)
	before := guard.Panics()["httpx handler"]
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		if string(x.Target()) == "/boom" {
			panic("boom")
		}
		echo(x)
	}})
	c := dialRaw(t, p)
	c.send("GET /boom HTTP/1.1\r\n\r\n")
	if status, _ := c.response(); status != 500 {
		t.Fatalf("status %d", status)
	}
	c.ended()
	c = dialRaw(t, p)
	c.send("GET / HTTP/1.1\r\n\r\n")
	if status, _ := c.response(); status != 200 {
		t.Fatalf("status %d", status)
	}
	if n := guard.Panics()["httpx handler"] - before; n != 1 {
		t.Fatalf("%d panics counted, want 1", n)
	}
}

func TestServer_Full_Answers503(t *testing.T) {
	testx.NoLeaks(t)
	_, p := serve(t, ServerConfig{Handler: echo, MaxConns: 1})
	first := dialRaw(t, p)
	first.send("GET / HTTP/1.1\r\n\r\n")
	first.response()
	second := dialRaw(t, p)
	if status, body := second.response(); status != 503 || !strings.Contains(body, "more than 1 connections") {
		t.Fatalf("answer %d %q", status, body)
	}
	second.ended()
}

func TestServer_PeerStopsReading_WriteEnds(t *testing.T) {
	testx.NoLeaks(t)
	result := make(chan error, 1)
	_, p := serve(t, ServerConfig{
		WriteTimeout: 50 * time.Millisecond, MinBodyRate: 1 << 30,
		Handler: func(x *Exchange) { result <- x.Respond(answer(x, make([]byte, 64<<20))) },
	})
	c := dialRaw(t, p)
	c.send("GET / HTTP/1.1\r\n\r\n")
	if err := <-result; !errors.Is(err, ErrGone) {
		t.Fatalf("Respond: %v", err)
	}
}

func TestDrain_IdleClosesAtOnce_BusyIsAnsweredFirst(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	srv, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		if string(x.Target()) == "/now" {
			echo(x)
			return
		}
		held <- x
	}})
	idle, busy := dialRaw(t, p), dialRaw(t, p)
	idle.send("GET /now HTTP/1.1\r\n\r\n")
	idle.response()
	busy.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok")
	x := <-held
	short, cancel := context.WithCancel(context.Background())
	cancel()
	if err := srv.Drain(short); !errors.Is(err, context.Canceled) {
		t.Fatalf("Drain with an ended context: %v", err)
	}
	idle.ended()
	drained := make(chan error, 1)
	go func() { drained <- srv.Drain(context.Background()) }()
	if !x.Closing() {
		t.Fatal("the exchange does not know that its connection will close")
	}
	echo(x)
	if _, got := busy.response(); got != "ok" {
		t.Fatalf("answer %q", got)
	}
	busy.ended()
	busy.Close()
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	dialRaw(t, p).ended()
}

func TestClose_OpenExchanges_AreToldAndNothingStays(t *testing.T) {
	testx.NoLeaks(t)
	held := make(chan *Exchange, 1)
	srv, err := NewServer(ServerConfig{Handler: func(x *Exchange) { held <- x }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	const n = 20
	gone := make(chan struct{}, 2*n)
	for i := range n {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { srv.ServeConn(server) })
		request := "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nok"
		if i%2 == 0 {
			request += "POST /next HTTP/1.1\r\n"
		}
		io.WriteString(c, request)
		x := <-held
		x.OnGone(func() { gone <- struct{}{} })
	}
	srv.Close()
	wg.Wait()
	if len(gone) != n {
		t.Fatalf("%d of %d exchanges were told", len(gone), n)
	}
	srv.Close()
}
