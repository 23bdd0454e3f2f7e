// Package h2_test lets the engine of runtime/transport/h2 talk to other implementations of HTTP/2: net/http, golang.org/x/net/http2
// and grpc-go, each in both roles.
package h2_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the peer's compressor
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/transport/port"
)

const patience = 30 * time.Second

// bytesCodec lets grpc-go carry bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (bytesCodec) Name() string { return "bytes" }

func init() { encoding.RegisterCodec(bytesCodec{}) }

var (
	okHead    = h2.NewBlock(h2.Field{Name: ":status", Value: "200"}, h2.Field{Name: "content-type", Value: "application/grpc"})
	okTrailer = h2.NewBlock(h2.Field{Name: "grpc-status", Value: "0"})
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range min(n, 1021) {
		b[i] = byte(i * 7 >> 3)
	}
	for have := 1021; have < n; have *= 2 {
		copy(b[have:], b[:have])
	}
	return b
}

// words compresses like text; pattern would exceed the ratio the engine allows.
func words(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = append(strconv.AppendInt(b, int64(i*i), 10), " and then "...)
	}
	return b[:n]
}

func serve(t testing.TB, handler func(*h2.Exchange)) (*h2.Server, string) {
	t.Helper()
	srv, err := h2.NewServer(h2.ServerConfig{Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	p, err := port.Listen(port.Config{Address: "127.0.0.1:0", Serve: srv.ServeConn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.StopAccepting()
		srv.Close()
		p.Close()
	})
	return srv, p.Addr().String()
}

// handler is a small gRPC server: unary echo, echo of every message, a status, and one that waits for its peer to leave.
func handler(t testing.TB) func(*h2.Exchange) {
	return func(x *h2.Exchange) {
		switch x.Path() {
		case "/peer.Echo/Unary":
			x.Collect(0, unary)
		case "/peer.Echo/Each":
			x.SendHeaders(okHead)
			x.Receive(&each{x: x})
		case "/peer.Echo/Fail":
			x.Respond(h2.Answer{Head: h2.NewBlock(h2.Field{Name: ":status", Value: "200"}, h2.Field{Name: "content-type", Value: "application/grpc"},
				h2.Field{Name: "grpc-status", Value: "9"}, h2.Field{Name: "grpc-message", Value: "not now"})})
		case "/peer.Echo/Wait":
			x.OnGone(func() { x.Reset(h2.CodeCancel) })
		default:
			t.Errorf("path %q", x.Path())
			x.Reset(h2.CodeInternal)
		}
	}
}

func unary(x *h2.Exchange, body []byte, err error) {
	if err != nil {
		x.Reset(h2.CodeCancel)
		return
	}
	m, err := grpcframe.Single(body, grpcframe.DefaultMaxMessage)
	if err == nil && m.Compressed {
		m.Data, err = grpcframe.Gunzip(m.Data, 0)
	}
	if err != nil {
		x.Reset(h2.CodeInternal)
		return
	}
	trailer := &h2.Block{}
	trailer.Append(okTrailer)
	for _, f := range x.Headers() {
		if f.Name == "echo-this" {
			trailer.Add(f.Name, f.Value)
		}
	}
	var prefix [grpcframe.PrefixBytes]byte
	grpcframe.PutPrefix(&prefix, len(m.Data), false)
	x.Respond(h2.Answer{Head: okHead, Prefix: prefix[:], Body: m.Data, Trailer: trailer})
}

// each echoes messages one by one, with as much in flight as the buffers hold.
type each struct {
	x     *h2.Exchange
	split grpcframe.Splitter

	mu      sync.Mutex
	waiting [][]byte
	ended   bool
	asked   bool
}

func (e *each) Data(p []byte) {
	err := e.split.Push(p, func(m grpcframe.Message) error {
		e.mu.Lock()
		e.waiting = append(e.waiting, bytes.Clone(m.Data))
		e.mu.Unlock()
		return nil
	})
	if err != nil {
		e.x.Reset(h2.CodeInternal)
		return
	}
	e.pump()
	e.x.Consumed(len(p))
}

func (e *each) End(_ []h2.Field, err error) {
	if err != nil {
		e.x.Reset(h2.CodeCancel)
		return
	}
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	e.pump()
}

func (e *each) pump() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.waiting) > 0 && !e.asked {
		m := e.waiting[0]
		var prefix [grpcframe.PrefixBytes]byte
		grpcframe.PutPrefix(&prefix, len(m), false)
		err := e.x.Send(prefix[:], m)
		if errors.Is(err, h2.ErrFull) {
			e.asked = true
			e.x.OnWritable(func() {
				e.mu.Lock()
				e.asked = false
				e.mu.Unlock()
				e.pump()
			})
			return
		}
		e.waiting = e.waiting[1:]
	}
	if e.ended && len(e.waiting) == 0 {
		e.ended = false
		e.x.CloseSend(okTrailer)
	}
}

func dialGRPC(t testing.TB, address string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{}), grpc.MaxCallRecvMsgSize(65<<20), grpc.MaxCallSendMsgSize(65<<20)))
	conn, err := grpc.NewClient("passthrough:///"+address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

var sizes = []int{0, 1, 64, 16 << 10, 70000, 1 << 20, 20 << 20, 64<<20 - 100}

func TestGRPCGoClient_OurServer(t *testing.T) {
	testx.NoLeaks(t)
	srv, address := serve(t, handler(t))
	conn := dialGRPC(t, address)
	ctx := within(t)
	t.Run("unary", func(t *testing.T) {
		for _, n := range sizes {
			in, out := pattern(n), []byte(nil)
			if err := conn.Invoke(ctx, "/peer.Echo/Unary", &in, &out); err != nil || !bytes.Equal(in, out) {
				t.Fatalf("%d bytes: %d back, %v", n, len(out), err)
			}
		}
	})
	t.Run("gzip and metadata", func(t *testing.T) {
		in, out, trailer := words(300000), []byte(nil), metadata.MD{}
		ctx := metadata.AppendToOutgoingContext(ctx, "echo-this", "value with blanks, and more")
		err := conn.Invoke(ctx, "/peer.Echo/Unary", &in, &out, grpc.UseCompressor("gzip"), grpc.Trailer(&trailer))
		if err != nil || !bytes.Equal(in, out) || trailer.Get("echo-this")[0] != "value with blanks, and more" {
			t.Fatalf("%d back, trailers %v, %v", len(out), trailer, err)
		}
	})
	t.Run("trailers only", func(t *testing.T) {
		in, out := []byte{}, []byte(nil)
		err := conn.Invoke(ctx, "/peer.Echo/Fail", &in, &out)
		if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not now" {
			t.Fatal(err)
		}
	})
	t.Run("bidirectional", func(t *testing.T) { bidi(t, ctx, conn) })
	t.Run("deadline", func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		in, out := []byte{}, []byte(nil)
		if err := conn.Invoke(short, "/peer.Echo/Wait", &in, &out); status.Code(err) != codes.DeadlineExceeded {
			t.Fatal(err)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		for w := range 64 {
			all.Go(func() {
				for i := range 50 {
					in, out := []byte(strconv.Itoa(w*1000+i)), []byte(nil)
					if err := conn.Invoke(ctx, "/peer.Echo/Unary", &in, &out); err != nil || !bytes.Equal(in, out) {
						t.Errorf("%q, %v", out, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
	conn.Close()
	if err := srv.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func bidi(t *testing.T, ctx context.Context, conn *grpc.ClientConn) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/peer.Echo/Each")
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	var all sync.WaitGroup
	all.Go(func() {
		for i := range n {
			m := pattern(i * i)
			if err := stream.SendMsg(&m); err != nil {
				t.Error(err)
				return
			}
		}
		stream.CloseSend()
	})
	for i := range n {
		var got []byte
		if err := stream.RecvMsg(&got); err != nil || !bytes.Equal(got, pattern(i*i)) {
			t.Fatalf("message %d: %d bytes, %v", i, len(got), err)
		}
	}
	var got []byte
	if err := stream.RecvMsg(&got); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
	all.Wait()
}

func TestGRPCGoClient_SurvivesOurDrain(t *testing.T) {
	srv, address := serve(t, handler(t))
	conn := dialGRPC(t, address)
	ctx := within(t)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/peer.Echo/Each")
	if err != nil {
		t.Fatal(err)
	}
	m, got := []byte("before"), []byte(nil)
	if err := errors.Join(stream.SendMsg(&m), stream.RecvMsg(&got)); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { drained <- srv.Drain(ctx) })
	for range 20 { // the open stream goes on
		if err := errors.Join(stream.SendMsg(&m), stream.RecvMsg(&got)); err != nil || string(got) != "before" {
			t.Fatal(err)
		}
	}
	stream.CloseSend()
	if err := stream.RecvMsg(&got); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// goServer is grpc-go with the methods of handler.
func goServer(t testing.TB, opts ...grpc.ServerOption) string {
	t.Helper()
	opts = append(opts, grpc.ForceServerCodec(bytesCodec{}), grpc.MaxRecvMsgSize(65<<20), grpc.MaxSendMsgSize(65<<20),
		grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(s)
			switch method {
			case "/peer.Echo/Fail":
				return status.Error(codes.FailedPrecondition, "not now")
			case "/peer.Echo/Wait":
				<-s.Context().Done()
				return s.Context().Err()
			}
			for {
				var m []byte
				if err := s.RecvMsg(&m); err != nil {
					if errors.Is(err, io.EOF) {
						return nil
					}
					return err
				}
				if err := s.SendMsg(&m); err != nil {
					return err
				}
			}
		}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(opts...)
	var running sync.WaitGroup
	running.Go(func() { srv.Serve(l) })
	t.Cleanup(func() { srv.Stop(); running.Wait() })
	return l.Addr().String()
}

func request(address, method string, message []byte) h2.Request {
	head := h2.NewBlock(h2.Field{Name: ":method", Value: "POST"}, h2.Field{Name: ":scheme", Value: "http"},
		h2.Field{Name: ":path", Value: "/peer.Echo/" + method}, h2.Field{Name: ":authority", Value: address},
		h2.Field{Name: "content-type", Value: "application/grpc"}, h2.Field{Name: "te", Value: "trailers"})
	prefix := make([]byte, grpcframe.PrefixBytes)
	grpcframe.PutPrefix((*[grpcframe.PrefixBytes]byte)(prefix), len(message), false)
	return h2.Request{Address: address, Head: head, Prefix: prefix, Body: message, Deadline: time.Now().Add(patience), MaxBody: 65 << 20}
}

type outcome struct {
	headers, trailers []h2.Field
	message           []byte
	err               error
}

func invoke(c *h2.Client, r h2.Request) outcome {
	got := make(chan outcome, 1)
	c.Start(r, func(r *h2.Response, err error) {
		if err != nil {
			got <- outcome{err: err}
			return
		}
		o := outcome{headers: r.Headers, trailers: r.Trailers}
		if len(r.Body) > 0 {
			m, err := grpcframe.Single(r.Body, 65<<20)
			o.message, o.err = bytes.Clone(m.Data), err
		}
		got <- o
	})
	return <-got
}

func value(fields []h2.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestOurClient_GRPCGoServer(t *testing.T) {
	testx.NoLeaks(t)
	address := goServer(t, grpc.MaxConcurrentStreams(7))
	c := h2.NewClient(h2.ClientConfig{})
	t.Cleanup(c.Close)
	t.Run("unary", func(t *testing.T) {
		for _, n := range sizes {
			in := pattern(n)
			if o := invoke(c, request(address, "Unary", in)); o.err != nil || !bytes.Equal(o.message, in) || value(o.trailers, "grpc-status") != "0" {
				t.Fatalf("%d bytes: %d back, trailers %v, %v", n, len(o.message), o.trailers, o.err)
			}
		}
	})
	t.Run("trailers only", func(t *testing.T) {
		o := invoke(c, request(address, "Fail", nil))
		if o.err != nil || o.trailers != nil || value(o.headers, "grpc-status") != "9" || value(o.headers, "grpc-message") != "not now" {
			t.Fatalf("%+v", o)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		r := request(address, "Wait", nil)
		r.Deadline = time.Now().Add(50 * time.Millisecond)
		if o := invoke(c, r); !errors.Is(o.err, h2.ErrTimeout) {
			t.Fatal(o.err)
		}
	})
	t.Run("more at once than the server allows", func(t *testing.T) {
		var all sync.WaitGroup
		for w := range 64 {
			all.Go(func() {
				for i := range 50 {
					in := []byte(strconv.Itoa(w*1000 + i))
					if o := invoke(c, request(address, "Unary", in)); o.err != nil || !bytes.Equal(o.message, in) {
						t.Errorf("%q, %v", o.message, o.err)
						return
					}
				}
			})
		}
		all.Wait()
	})
	t.Run("bidirectional", func(t *testing.T) { ourBidi(t, c, address) })
}

// collector counts messages of a response stream.
type collector struct {
	ask   func(n int)
	split grpcframe.Splitter
	sizes chan int
	end   chan error
}

func (c *collector) Head(int, []h2.Field) {}
func (c *collector) Data(p []byte) {
	c.split.Push(p, func(m grpcframe.Message) error { c.sizes <- len(m.Data); return nil })
	c.ask(len(p))
}
func (c *collector) End(_ []h2.Field, err error) { c.end <- errors.Join(err, c.split.Close()) }

func ourBidi(t *testing.T, c *h2.Client, address string) {
	const n = 200
	in := &collector{sizes: make(chan int, n), end: make(chan error, 1)}
	ready := make(chan struct{})
	var s *h2.Pending
	in.ask = func(k int) { <-ready; s.Consumed(k) }
	s = c.Open(request(address, "Each", nil), in)
	close(ready)
	for i := range n {
		m := pattern(i * i)
		var prefix [grpcframe.PrefixBytes]byte
		grpcframe.PutPrefix(&prefix, len(m), false)
		for {
			err := s.Send(prefix[:], m)
			if err == nil {
				break
			}
			if !errors.Is(err, h2.ErrFull) {
				t.Fatal(err)
			}
			writable := make(chan struct{})
			s.OnWritable(func() { close(writable) })
			<-writable
		}
	}
	s.CloseSend(nil)
	if err := <-in.end; err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if got := <-in.sizes; got != i*i {
			t.Fatalf("message %d has %d bytes", i, got)
		}
	}
}
