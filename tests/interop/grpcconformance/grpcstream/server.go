package grpcstream

import (
	"context"
	"errors"
	"io"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/transport/port"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// Method serves one function, on a goroutine of its own. The error is the call's status.
type Method func(c *ServerCall) error

// Server serves methods on a port.
type Server struct {
	methods map[string]Method
	limit   int
	engine  *h2.Server
	port    *port.Port
}

// Listen serves methods by path. A message may have limit bytes; 0 means grpcframe.DefaultMaxMessage.
func Listen(address string, limit int, methods map[string]Method) (*Server, error) {
	if limit == 0 {
		limit = grpcframe.DefaultMaxMessage
	}
	s := &Server{methods: methods, limit: limit}
	var err error
	if s.engine, err = h2.NewServer(h2.ServerConfig{Handler: s.handle}); err != nil {
		return nil, err
	}
	s.port, err = port.Listen(port.Config{Address: address, Serve: s.engine.ServeConn})
	return s, err
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.port.Addr().String() }

// Close ends all calls.
func (s *Server) Close() {
	s.port.StopAccepting()
	s.engine.Close()
	s.port.Close()
}

// handle begins a call.
func (s *Server) handle(x *h2.Exchange) {
	c := &ServerCall{x: x, limit: s.limit, in: newInbox(s.limit)}
	if x.Method() != "POST" {
		refuse(x, "405")
		return
	}
	if s, ok := aimrtgrpc.Serialization(value(x.Headers(), aimrtgrpc.HeaderContentType)); !ok || s != "pb" {
		refuse(x, "415")
		return
	}
	c.in.encoding = value(x.Headers(), aimrtgrpc.HeaderEncoding)
	c.Timeout, c.HasTimeout = aimrtgrpc.ParseTimeout(value(x.Headers(), aimrtgrpc.HeaderTimeout))
	ctx, cancel := context.WithCancel(context.Background())
	c.Context = ctx
	done := cancel
	if c.HasTimeout {
		c.Context, done = context.WithTimeout(ctx, c.Timeout)
	}
	x.OnGone(cancel)
	x.Receive(c.in)
	method := s.methods[x.Path()]
	guard.Go("reference server call", func() {
		defer cancel()
		defer done()
		c.finish(s.serve(c, method))
	})
}

// refuse answers what is no gRPC.
func refuse(x *h2.Exchange, httpStatus string) {
	_ = x.Respond(h2.Answer{Head: h2.NewBlock(h2.Field{Name: ":status", Value: httpStatus})})
}

func (s *Server) serve(c *ServerCall, method Method) error {
	switch e := c.in.encoding; {
	case method == nil:
		return Errorf(Unimplemented, "function %q is not served here", c.x.Path())
	case e != "" && e != "identity" && e != gzipEncoding:
		c.trailer = append(c.trailer, Field{Name: aimrtgrpc.HeaderAccept, Value: gzipEncoding})
		return Errorf(Unimplemented, "grpc-encoding %q is not known, only gzip", e)
	}
	return method(c)
}

// ServerCall is a call at its server. Its methods are for one goroutine.
type ServerCall struct {
	Context    context.Context // ends with the deadline, and when the client leaves
	Timeout    time.Duration
	HasTimeout bool

	x       *h2.Exchange
	limit   int
	in      *inbox
	head    []Field
	trailer []Field
	begun   bool // the head was sent
}

// Metadata is what the client sent besides messages.
func (c *ServerCall) Metadata() []Field { return decode(c.x.Headers()) }

// AddHeader and AddTrailer add metadata to the answer.
func (c *ServerCall) AddHeader(fields ...Field)  { c.head = append(c.head, fields...) }
func (c *ServerCall) AddTrailer(fields ...Field) { c.trailer = append(c.trailer, fields...) }

// Recv is the next message; io.EOF behind the last one.
func (c *ServerCall) Recv() ([]byte, error) { return c.in.next(c.Context, c.x.Consumed) }

// RecvOnly is the only message of the client.
func (c *ServerCall) RecvOnly() ([]byte, error) {
	message, err := c.Recv()
	if errors.Is(err, io.EOF) {
		return nil, Errorf(Unimplemented, "no message in a call that has one")
	}
	if err != nil {
		return nil, err
	}
	if _, err = c.Recv(); err == nil {
		return nil, Errorf(Unimplemented, "more than one message in a call that has one")
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return message, nil
}

// SendHeader sends the head of the answer, once.
func (c *ServerCall) SendHeader() error {
	if c.begun {
		return nil
	}
	c.begun = true
	fields := aimrtgrpc.OKHead()
	if c.packs() {
		fields = append(fields, Field{Name: aimrtgrpc.HeaderEncoding, Value: gzipEncoding})
	}
	head, err := block(fields, c.head)
	if err != nil {
		return err
	}
	return c.x.SendHeaders(head)
}

// packs tells whether the answer is compressed: as the request was.
func (c *ServerCall) packs() bool { return c.in.encoding == gzipEncoding }

// Send sends a message, and waits while the client does not take the ones before.
func (c *ServerCall) Send(message []byte) error {
	if err := c.SendHeader(); err != nil {
		return err
	}
	return send(c.Context, &c.x.Stream, message, c.packs())
}

// Sleep waits, unless the call ends before.
func (c *ServerCall) Sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.Context.Done():
		return c.Context.Err()
	}
}

// finish ends the call.
func (c *ServerCall) finish(err error) {
	var outcome aimrtgrpc.Outcome
	if status := ErrorOf(err); status != nil {
		outcome = status.Outcome
	}
	if err == nil || len(c.head) > 0 {
		err = c.SendHeader()
	}
	fields := outcome.Fields()
	if !c.begun { // the status alone
		fields = append(aimrtgrpc.OKHead(), fields...)
	}
	last, wrong := block(fields, c.trailer)
	switch {
	case wrong != nil:
		c.x.Reset(h2.CodeInternal)
	case c.begun:
		err = c.x.CloseSend(last)
	default:
		err = c.x.Respond(h2.Answer{Head: last})
	}
	if errors.Is(err, h2.ErrGone) || errors.Is(err, h2.ErrNoHeaders) {
		c.x.Reset(h2.CodeCancel) // also tells the engine that the exchange is over
	}
}

// send frames a message and waits for room.
func send(ctx context.Context, s *h2.Stream, message []byte, packs bool) error {
	if packs {
		message = grpcframe.Gzip(nil, message)
	}
	var prefix [grpcframe.PrefixBytes]byte
	grpcframe.PutPrefix(&prefix, len(message), packs)
	for {
		err := s.Send(prefix[:], message)
		if !errors.Is(err, h2.ErrFull) {
			return err
		}
		room := make(chan struct{})
		s.OnWritable(func() { close(room) })
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
