package httpx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

// takeBodyOf reads one request off a connection and gives its body.
func takeBodyOf(r *bufio.Reader) ([]byte, error) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(req.Body)
}

// A body lent until Start may change after it, whether it was written, was
// written in part because the peer does not read yet, or waits in the queue.
func TestStart_BodyUntilStart_ChangesAfterwards(t *testing.T) {
	testx.NoLeaks(t)
	for name, size := range map[string]int{"small": 100, "medium": 60_000, "large": 32 << 20} {
		for _, idle := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", idle connection: ", idle), func(t *testing.T) {
				l := listen(t)
				c := newClient(t, ClientConfig{})
				var side net.Conn
				if idle {
					side = pooled(t, c, l, 1)[0]
				}
				want := bytes.Repeat([]byte("x"), size)
				r := post(l.Addr().String(), string(want))
				r.Deadline, r.BodyUntilStart = time.Time{}, true
				_, got := begin(c, r) // returns although nobody reads
				clear(r.Body)
				if !idle {
					var err error
					if side, err = l.Accept(); err != nil {
						t.Fatal(err)
					}
					defer side.Close()
				}
				arrived, err := takeBodyOf(bufio.NewReader(side))
				if err != nil || !bytes.Equal(arrived, want) {
					t.Fatalf("%d bytes of %d, %v, first %q", len(arrived), size, err, arrived[:min(3, len(arrived))])
				}
				io.WriteString(side, okAnswer)
				if r := <-got; r.body != "ok" {
					t.Fatalf("%+v", r)
				}
			})
		}
	}
}

func TestStart_ClientClosesInsideALargeWrite_Ends(t *testing.T) {
	testx.NoLeaks(t)
	l := listen(t)
	c := newClient(t, ClientConfig{})
	pooled(t, c, l, 1)
	r := post(l.Addr().String(), strings.Repeat("x", 32<<20))
	r.Deadline = time.Time{}
	_, got := begin(c, r)
	c.Close()
	if r := <-got; r.err == nil {
		t.Fatalf("%+v", r)
	}
}

func TestRespondNow_PeerReadsLate_TheRestFollows(t *testing.T) {
	testx.NoLeaks(t)
	large := bytes.Repeat([]byte("0123456789"), 3<<20)
	rests := make(chan func() error, 1)
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		body := large
		if string(x.Body()) == "hi" {
			body = large[:10]
		}
		rest, err := x.RespondNow(answer(x, body))
		if err != nil {
			t.Error(err)
		}
		if _, err := x.RespondNow(nil, nil); err != ErrAnswered {
			t.Errorf("second answer: %v", err)
		}
		rests <- rest
	}})
	peer := dialRaw(t, p)
	for range 2 {
		peer.send(small)
		if rest := <-rests; rest != nil {
			t.Fatal("a small answer was not written at once")
		}
		if _, body := peer.response(); body != "0123456789" {
			t.Fatalf("%q", body)
		}
		peer.send("POST /x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
		rest := <-rests
		if rest == nil {
			t.Fatal("nobody read, yet 30 MB were written")
		}
		ended := make(chan error, 1)
		go func() { ended <- rest() }()
		if _, body := peer.response(); body != string(large) {
			t.Fatalf("%d bytes of %d", len(body), len(large))
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// A body taken stays what it was when the connection serves further messages.
func TestTakeBody_OutlivesItsMessage(t *testing.T) {
	testx.NoLeaks(t)
	var mu sync.Mutex
	var taken [][]byte // by the server; guarded by mu
	_, p := serve(t, ServerConfig{Handler: func(x *Exchange) {
		body := x.TakeBody()
		if x.Body() != nil {
			t.Error("the body is still there")
		}
		mu.Lock()
		taken = append(taken, body)
		mu.Unlock()
		x.Respond(answer(x, body))
	}})
	c := newClient(t, ClientConfig{MaxConnsPerHost: 1})
	var sent []string
	var got [][]byte
	for i := range 60 {
		sent = append(sent, strings.Repeat(string(rune('a'+i%26)), []int{0, 10, 3000, 9000, 65536, 300_000}[i%6]))
		done := make(chan error, 1)
		c.Start(post(p.Addr().String(), sent[i]), func(r *Response, err error) {
			if err == nil {
				got = append(got, r.TakeBody())
			}
			done <- err
		})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for i, want := range sent {
		if string(got[i]) != want || string(taken[i]) != want {
			t.Errorf("message %d of %d bytes changed", i, len(want))
		}
	}
}
