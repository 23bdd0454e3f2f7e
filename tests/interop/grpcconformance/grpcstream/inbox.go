package grpcstream

import (
	"bytes"
	"context"
	"io"
	"sync"

	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

const gzipEncoding = "gzip"

// inbox turns what the engine delivers into blocking reads of one reader. The stream's window limits what waits in it: bytes are given back
// only when all messages that they completed have been read.
type inbox struct {
	limit int
	wake  chan struct{} // capacity 1

	mu       sync.Mutex // guards the fields below
	split    grpcframe.Splitter
	encoding string // grpc-encoding of the sender
	status   int    // of an answer's head; 0: none came
	head     []h2.Field
	messages [][]byte
	owed     int  // bytes to give back
	began    bool // at least one byte came
	over     bool
	trailers []h2.Field
	err      error
}

func newInbox(limit int) *inbox {
	b := &inbox{limit: limit, wake: make(chan struct{}, 1)}
	b.split.MaxMessage = limit
	return b
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Head takes the head of an answer.
func (b *inbox) Head(status int, fields []h2.Field) {
	b.mu.Lock()
	b.status, b.head, b.encoding = status, fields, value(fields, aimrtgrpc.HeaderEncoding)
	b.mu.Unlock()
	b.signal()
}

// Data takes bytes as they come.
func (b *inbox) Data(p []byte) {
	b.mu.Lock()
	b.owed += len(p)
	b.began = b.began || len(p) > 0
	if b.err == nil && (b.status == 0 || b.status == 200) {
		b.err = b.split.Push(p, func(m grpcframe.Message) error {
			data, err := unpack(m, b.encoding, b.limit)
			b.messages = append(b.messages, data)
			return err
		})
	}
	b.mu.Unlock()
	b.signal()
}

// unpack gives a message its own memory.
func unpack(m grpcframe.Message, encoding string, limit int) ([]byte, error) {
	switch {
	case !m.Compressed:
		return bytes.Clone(m.Data), nil
	case encoding == "" || encoding == "identity":
		return nil, Errorf(Internal, "a message is compressed, and grpc-encoding is %q", encoding)
	case encoding != gzipEncoding:
		return nil, Errorf(Internal, "grpc-encoding %q is not known, only gzip", encoding)
	}
	return grpcframe.Gunzip(m.Data, limit)
}

// End takes the outcome of the receiving half.
func (b *inbox) End(trailers []h2.Field, err error) {
	b.mu.Lock()
	b.over, b.trailers = true, trailers
	if b.err == nil {
		b.err = err
	}
	if b.err == nil {
		b.err = b.split.Close()
	}
	b.mu.Unlock()
	b.signal()
}

// last is the header list that ends the answer. mu is held. A status in the head counts only when no message follows.
func (b *inbox) last() []h2.Field {
	if b.over && b.trailers == nil && !b.began {
		return b.head
	}
	return b.trailers
}

// wait blocks until ready, called with mu held, says so; giveBack returns bytes to the stream meanwhile.
func (b *inbox) wait(ctx context.Context, giveBack func(int), ready func() bool) error {
	for {
		b.mu.Lock()
		done := ready()
		owed := 0
		if len(b.messages) == 0 {
			owed, b.owed = b.owed, 0
		}
		b.mu.Unlock()
		if owed > 0 {
			giveBack(owed)
		}
		if done {
			return nil
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next is the next message; io.EOF behind the last one.
func (b *inbox) next(ctx context.Context, giveBack func(int)) (message []byte, err error) {
	waited := b.wait(ctx, giveBack, func() bool {
		switch {
		case b.err != nil && len(b.messages) > 0 && b.over: // what came before the failure
			fallthrough
		case b.err == nil && len(b.messages) > 0:
			message, b.messages = b.messages[0], b.messages[1:]
		case b.err != nil:
			err = b.err
		case b.over:
			err = io.EOF
		default:
			return false
		}
		return true
	})
	if waited != nil {
		return nil, waited
	}
	return message, err
}
