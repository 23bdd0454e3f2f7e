package h2_test

//lint:file-ignore SA1019 x/net's own transport is a peer of this test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/port"
)

// plain answers any request with its body, without trailers.
func plain(x *h2.Exchange) {
	x.Collect(0, func(x *h2.Exchange, body []byte, err error) {
		if err != nil {
			x.Reset(h2.CodeCancel)
			return
		}
		x.Respond(h2.Answer{Head: h2.NewBlock(h2.Field{Name: ":status", Value: "200"}, h2.Field{Name: "content-type", Value: "text/x"}), Body: body})
	})
}

// roundTrips posts bodies of many sizes, several at once.
func roundTrips(t *testing.T, client *http.Client, url string) {
	t.Helper()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, n := range []int{0, 1, 20000, 3 << 20} {
				r, err := client.Post(url, "text/x", bytes.NewReader(pattern(n)))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 || r.ProtoMajor != 2 || !bytes.Equal(body, pattern(n)) {
					t.Errorf("%d bytes: status %d, %s, %d back, %v", n, r.StatusCode, r.Proto, len(body), err)
				}
			}
		})
	}
	all.Wait()
}

func TestNetHTTPClient_OurServer(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serve(t, plain)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	roundTrips(t, &http.Client{Transport: transport}, "http://"+address+"/any?x=1")
}

func TestXNetClient_OurServer(t *testing.T) {
	_, address := serve(t, plain)
	transport := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	roundTrips(t, &http.Client{Transport: transport}, "http://"+address+"/")
}

func TestNetHTTPClient_OurServerOverTLS(t *testing.T) {
	testx.NoLeaks(t)
	donor := httptest.NewUnstartedServer(nil) // for its certificate
	donor.StartTLS()
	defer donor.Close()
	srv, err := h2.NewServer(h2.ServerConfig{Handler: plain})
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Listen(port.Config{
		Address: "127.0.0.1:0", Serve: srv.ServeConn,
		Wrap: h2.WrapTLS(&tls.Config{Certificates: donor.TLS.Certificates}, patience),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.StopAccepting(); srv.Close(); p.Close() })
	transport := donor.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	t.Cleanup(transport.CloseIdleConnections)
	roundTrips(t, &http.Client{Transport: transport}, "https://"+p.Addr().String()+"/")

	old, err := tls.Dial("tcp", p.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err == nil { // Go's TLS lets it finish the handshake without a protocol
		defer old.Close()
		old.SetDeadline(time.Now().Add(patience))
		if n, err := old.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a peer that cannot do HTTP/2 was let in: %d, %v", n, err)
		}
	}
}

// echoHandler is net/http's side.
func echoHandler(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Trailer", "x-end")
	w.Write(body)
	w.Header().Set("x-end", r.Header.Get("x-begin"))
}

func ourRoundTrips(t *testing.T, c *h2.Client, address, scheme string) {
	t.Helper()
	for _, n := range []int{0, 1, 20000, 3 << 20} {
		head := h2.NewBlock(h2.Field{Name: ":method", Value: "PUT"}, h2.Field{Name: ":scheme", Value: scheme}, h2.Field{Name: ":path", Value: "/a"},
			h2.Field{Name: ":authority", Value: address}, h2.Field{Name: "x-begin", Value: "given"})
		type result struct {
			status  int
			body    []byte
			trailer string
			err     error
		}
		got := make(chan result, 1)
		c.Start(h2.Request{Address: address, Head: head, Body: pattern(n), Deadline: time.Now().Add(patience)}, func(r *h2.Response, err error) {
			if err != nil {
				got <- result{err: err}
				return
			}
			got <- result{r.Status, bytes.Clone(r.Body), value(r.Trailers, "x-end"), nil}
		})
		if r := <-got; r.err != nil || r.status != 200 || !bytes.Equal(r.body, pattern(n)) || r.trailer != "given" {
			t.Fatalf("%d bytes: status %d, %d back, trailer %q, %v", n, r.status, len(r.body), r.trailer, r.err)
		}
	}
}

func TestOurClient_NetHTTPServer(t *testing.T) {
	testx.NoLeaks(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(echoHandler))
	srv.Config.Protocols = &protocols
	srv.Start()
	t.Cleanup(srv.Close)
	c := h2.NewClient(h2.ClientConfig{})
	t.Cleanup(c.Close)
	ourRoundTrips(t, c, srv.Listener.Addr().String(), "http")
}

func TestOurClient_NetHTTPServerOverTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(echoHandler))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := h2.NewClient(h2.ClientConfig{Dial: h2.DialTLS(&tls.Config{RootCAs: pool}, patience)})
	t.Cleanup(c.Close)
	ourRoundTrips(t, c, srv.Listener.Addr().String(), "https")
}
