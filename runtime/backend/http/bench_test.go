package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"testing"

	"aimrtrpc/runtime/rpc"
)

// BenchmarkPingPong is one call in flight over loopback: our backend at both ends against net/http at both ends.
func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{64, 1024} {
		b.Run(fmt.Sprintf("backend/%d", size), func(b *testing.B) { benchBackend(b, size) })
		b.Run(fmt.Sprintf("nethttp/%d", size), func(b *testing.B) { benchNetHTTP(b, size) })
	}
}

func benchBackend(b *testing.B, size int) {
	m := newMethod(b, function, nil, nil)
	_, address := serveAt(b, "", m, func(_ context.Context, call *rpc.Call) {
		data, _ := call.Request.Bytes("")
		call.Finish(rpc.OK, rpc.BytesPayload("pb", data))
	})
	client := clientOf(b, m, "http://"+address, "")
	data := string(make([]byte, size))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		call := newCall(m, data)
		client.Invoke(context.Background(), call)
		<-call.Done()
		if got, _ := call.Response().Bytes(""); len(got) != size {
			b.Fatal(call.Status(), len(got))
		}
	}
}

func benchNetHTTP(b *testing.B, size int) {
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/protobuf")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	client := server.Client()
	data := make([]byte, size)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r, err := client.Post(server.URL+path, "application/protobuf", bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if r.Body.Close(); err != nil || len(body) != size {
			b.Fatal(err, len(body))
		}
	}
}
