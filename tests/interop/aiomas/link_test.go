package aiomas

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// link is the least that makes calls both ways out of the two packages: ids,
// pending calls, and a function that serves.
type link struct {
	f     wire.Format
	conn  *framed.Conn
	serve func(l *link, call wire.Call) (result []byte, failure string)

	mu      sync.Mutex // guards the fields below
	nextID  uint64
	pending map[uint64]chan wire.Message
	late    int // replies nobody waits for
	ended   chan struct{}
	reason  error
}

func newLink(f wire.Format, conn *framed.Conn, serve func(*link, wire.Call) ([]byte, string)) *link {
	return &link{f: f, conn: conn, serve: serve, pending: map[uint64]chan wire.Message{}, ended: make(chan struct{})}
}

func (l *link) Frame(c *framed.Conn, payload []byte) {
	m, err := l.f.Decode(payload)
	switch {
	case err != nil && m.ID.Known() && m.Kind == wire.Request:
		l.fail(m.ID, err)
	case err != nil:
		c.Fail(err)
	case m.Kind != wire.Request:
		l.settle(m)
	default:
		guard.Go("test handler", func() { l.handle(m) })
	}
}

func (l *link) handle(m wire.Message) {
	call, err := l.f.DecodeCall(m)
	if err != nil {
		l.fail(m.ID, err)
		return
	}
	result, failure := l.serve(l, call)
	var out []byte
	if failure != "" {
		out, err = l.f.AppendException(nil, m.ID, failure)
	} else {
		out, err = l.f.AppendMessage(nil, wire.Result, m.ID, result)
	}
	if err != nil {
		l.fail(m.ID, err)
		return
	}
	l.conn.Send(context.Background(), out) // an error means there is nobody to tell
}

func (l *link) fail(id wire.ID, err error) {
	if out, err := l.f.AppendException(nil, id, fmt.Sprintf("ProtocolError: %v\n", err)); err == nil {
		l.conn.TrySend(out)
	}
}

func (l *link) settle(m wire.Message) {
	n, ok := m.ID.Number()
	l.mu.Lock()
	defer l.mu.Unlock()
	waiter := l.pending[n]
	if !ok || waiter == nil {
		l.late++
		return
	}
	delete(l.pending, n)
	waiter <- m
}

func (l *link) Closed(_ *framed.Conn, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reason = reason
	close(l.ended)
}

func (l *link) lateReplies() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.late
}

// remoteError is an EXCEPTION of the peer.
type remoteError struct{ text string }

func (e *remoteError) Error() string { return e.text }

var errLost = errors.New("connection lost")

// call sends a request and waits for its answer; a ctx that ends first leaves
// nothing behind.
func (l *link) call(ctx context.Context, path string, args, kwargs []byte) ([]byte, error) {
	waiter := make(chan wire.Message, 1)
	l.mu.Lock()
	id := l.nextID
	l.nextID++
	l.pending[id] = waiter
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.pending, id)
		l.mu.Unlock()
	}()
	payload, err := l.f.AppendCall(nil, id, path, args, kwargs)
	if err != nil {
		return nil, err
	}
	if err := l.conn.Send(ctx, payload); err != nil {
		return nil, err
	}
	select {
	case m := <-waiter:
		return outcome(l.f, m)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.ended:
		return nil, fmt.Errorf("%w: %w", errLost, l.reason)
	}
}

func outcome(f wire.Format, m wire.Message) ([]byte, error) {
	if m.Kind == wire.Result {
		return m.Content, nil
	}
	text, ok := f.Text(m.Content)
	if !ok {
		return nil, fmt.Errorf("exception content is %v", f.ShapeOf(m.Content))
	}
	return nil, &remoteError{text}
}

// list and dict build values of either codec.
func list(f wire.Format, items ...[]byte) []byte {
	if f.Codec != wire.JSON {
		out := wire.AppendMsgPackArray(nil, len(items))
		for _, item := range items {
			out = append(out, item...)
		}
		return out
	}
	out := []byte{'['}
	for i, item := range items {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, item...)
	}
	return append(out, ']')
}

func dict(f wire.Format, keysAndValues ...[]byte) []byte {
	if f.Codec != wire.JSON {
		out := wire.AppendMsgPackMap(nil, len(keysAndValues)/2)
		for _, item := range keysAndValues {
			out = append(out, item...)
		}
		return out
	}
	out := []byte{'{'}
	for i, item := range keysAndValues {
		switch {
		case i%2 == 1:
			out = append(out, ": "...)
		case i > 0:
			out = append(out, ", "...)
		}
		out = append(out, item...)
	}
	return append(out, '}')
}

func str(f wire.Format, s string) []byte { return f.AppendString(nil, s) }

// proxy is the value that stands for a service of the sender.
func proxy(f wire.Format, path string) []byte {
	return dict(f, str(f, "__type__"), list(f, f.AppendInt(nil, 0), str(f, path)))
}

// dialPeer connects to a server peer.
func dialPeer(t testing.TB, w way, a answer, serve func(*link, wire.Call) ([]byte, string)) *link {
	t.Helper()
	address := fmt.Sprint(a.Ready)
	if w.network == "tcp" {
		address = "127.0.0.1:" + address
	}
	conn, err := framed.Dial(limited(t), framed.DialConfig{Network: w.network, Address: address})
	if err != nil {
		t.Fatal(err)
	}
	l := newLink(w.format(), conn, serve)
	conn.Start(l)
	t.Cleanup(conn.Close)
	return l
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	t.Cleanup(cancel)
	return ctx
}
