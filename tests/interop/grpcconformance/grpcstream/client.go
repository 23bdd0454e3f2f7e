package grpcstream

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// Client makes calls to one server.
type Client struct {
	Address  string
	Gzip     bool // compress requests
	Limit    int  // bytes of a message; 0: grpcframe.DefaultMaxMessage
	Metadata []Field

	engine *h2.Client
}

// NewClient makes a client. Its fields may be changed before the first call.
func NewClient(address string) *Client {
	return &Client{Address: address, engine: h2.NewClient(h2.ClientConfig{})}
}

// Close ends all calls.
func (c *Client) Close() { c.engine.Close() }

func (c *Client) limit() int {
	if c.Limit == 0 {
		return grpcframe.DefaultMaxMessage
	}
	return c.Limit
}

// request makes the head of a call.
func (c *Client) request(ctx context.Context, path string) (h2.Request, error) {
	host, _, _ := strings.Cut(c.Address, ":")
	fields := []Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}, {Name: ":authority", Value: host},
		{Name: aimrtgrpc.HeaderContentType, Value: "application/grpc+proto"}, {Name: "te", Value: "trailers"},
		{Name: "user-agent", Value: aimrtgrpc.UserAgent}, {Name: aimrtgrpc.HeaderAccept, Value: gzipEncoding},
	}
	if c.Gzip {
		fields = append(fields, Field{Name: aimrtgrpc.HeaderEncoding, Value: gzipEncoding})
	}
	r := h2.Request{Address: c.Address}
	if deadline, ok := ctx.Deadline(); ok {
		r.Deadline = deadline
		timeout := aimrtgrpc.AppendTimeout(nil, time.Until(deadline))
		fields = append(fields, Field{Name: aimrtgrpc.HeaderTimeout, Value: string(timeout)})
	}
	var err error
	r.Head, err = block(fields, c.Metadata)
	return r, err
}

// Answer is what came of a unary call.
type Answer struct {
	Header, Trailer []Field
	Message         []byte
}

// Invoke makes a unary call the way the grpc backend does: the whole answer at once.
func (c *Client) Invoke(ctx context.Context, path string, message []byte) (Answer, error) {
	r, err := c.request(ctx, path)
	if err != nil {
		return Answer{}, err
	}
	if c.Gzip {
		message = grpcframe.Gzip(nil, message)
	}
	var prefix [grpcframe.PrefixBytes]byte
	grpcframe.PutPrefix(&prefix, len(message), c.Gzip)
	r.Prefix, r.Body, r.MaxBody = prefix[:], message, c.limit()+grpcframe.PrefixBytes
	type result struct {
		answer Answer
		err    error
	}
	results := make(chan result, 1)
	pending := c.engine.Start(r, func(r *h2.Response, err error) {
		if err != nil {
			results <- result{err: err}
			return
		}
		answer, err := c.unary(r)
		results <- result{answer, err}
	})
	defer context.AfterFunc(ctx, pending.Cancel)()
	got := <-results
	return got.answer, c.settle(ctx, got.err)
}

// unary reads a whole answer.
func (c *Client) unary(r *h2.Response) (Answer, error) {
	a := Answer{Header: decode(r.Headers), Trailer: decode(r.Trailers)}
	last := r.Trailers
	if last == nil && len(r.Body) == 0 { // the status alone; behind a message it does not count
		last, a.Trailer = r.Headers, a.Header
	}
	// What is wrong with the messages goes before the status only when the status says that all went well.
	if status := ending(r.Status, r.Headers, last); status != nil {
		return a, status
	}
	if encoding := value(r.Headers, aimrtgrpc.HeaderEncoding); len(r.Body) == 0 {
		return a, Errorf(Unimplemented, "the answer has no message")
	} else if m, rest, whole, err := grpcframe.Next(r.Body, c.limit()); err != nil {
		return a, err
	} else if !whole {
		return a, grpcframe.ErrTruncated
	} else if len(rest) > 0 {
		return a, Errorf(Unimplemented, "the answer has more than one message")
	} else if a.Message, err = unpack(m, encoding, c.limit()); err != nil {
		return a, err
	}
	return a, nil
}

// settle finds out why a call failed when several reasons fit: the server has a clock, too, and whose is faster must not matter.
func (c *Client) settle(ctx context.Context, err error) error {
	status := ErrorOf(err)
	if status == nil {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && status.GRPC == Canceled && !time.Now().Before(deadline) {
		status = Errorf(DeadlineExceeded, "%v", err)
	}
	return status
}

// ClientCall is a call at its client. One goroutine may send while another receives.
type ClientCall struct {
	client *Client
	ctx    context.Context
	p      *h2.Pending
	in     *inbox
	stop   func() bool
}

// Open begins a call of any kind. It must be read to its end, or its context cancelled.
func (c *Client) Open(ctx context.Context, path string) (*ClientCall, error) {
	r, err := c.request(ctx, path)
	if err != nil {
		return nil, err
	}
	call := &ClientCall{client: c, ctx: ctx, in: newInbox(c.limit())}
	call.p = c.engine.Open(r, call.in)
	call.stop = context.AfterFunc(ctx, call.p.Cancel)
	return call, nil
}

// Send sends a message. io.EOF says that the call is over; Recv tells why.
func (c *ClientCall) Send(message []byte) error {
	err := send(c.ctx, &c.p.Stream, message, c.client.Gzip)
	if errors.Is(err, h2.ErrGone) {
		return io.EOF
	}
	return err
}

// CloseSend says that no message follows.
func (c *ClientCall) CloseSend() { _ = c.p.CloseSend(nil) }

// Header waits for the head of the answer; there is none when the call ended without one.
func (c *ClientCall) Header() []Field {
	var head []h2.Field
	_ = c.in.wait(c.ctx, c.p.Consumed, func() bool {
		head = c.in.head
		return c.in.status != 0 || c.in.over
	})
	return decode(head)
}

// Recv is the next message; io.EOF when the call has succeeded, else the error is its status.
func (c *ClientCall) Recv() ([]byte, error) {
	message, err := c.in.next(c.ctx, c.p.Consumed)
	if err == nil {
		return message, nil
	}
	c.stop()
	if !errors.Is(err, io.EOF) {
		c.p.Cancel() // a message that cannot be read ends the call, too
		return nil, c.client.settle(c.ctx, err)
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if status := ending(c.in.status, c.in.head, c.in.last()); status != nil {
		return nil, status
	}
	return nil, io.EOF
}

// RecvOnly is the only message of the server.
func (c *ClientCall) RecvOnly() ([]byte, error) {
	message, err := c.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil, Errorf(Unimplemented, "the answer has no message")
	case err != nil:
		return nil, err
	}
	if _, err = c.Recv(); err == nil {
		c.p.Cancel()
		return nil, Errorf(Unimplemented, "the answer has more than one message")
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return message, nil
}

// Trailer is the metadata at the end of the call: after Recv gave an error.
func (c *ClientCall) Trailer() []Field {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return decode(c.in.last())
}
