package aiomas

import (
	"errors"
	"fmt"

	wire "aimrtrpc/runtime/wire/aiomas"
)

// Limits that hold when a LinkConfig names none.
const (
	// DefaultMaxPending bounds the own requests of one link that wait for their reply.
	DefaultMaxPending = 65536
	// DefaultMaxPendingBytes bounds what those requests weigh together.
	DefaultMaxPendingBytes = 256 << 20
	// DefaultMaxOpen bounds the requests of the peer that wait for our reply.
	DefaultMaxOpen = 10000
)

// What a Link answers beside the errors of the wire package.
var (
	// ErrPendingLimit: too many own requests wait for their reply.
	ErrPendingLimit = errors.New("too many pending requests")
	// ErrNoSuchRequest: a reply to a request that was answered before, or that never came.
	ErrNoSuchRequest = errors.New("no such open request")
)

// LinkConfig is the codec of a link and its limits; a limit of 0 means the default.
type LinkConfig struct {
	Format          wire.Format
	MaxPending      int
	MaxPendingBytes int
	MaxOpen         int
}

// Link is one end of an aiomas connection without its socket: it numbers requests, matches replies, remembers what the peer waits for, and
// holds to the limits. Bytes come in through Receive and go out through the Append functions, payload by payload; whoever owns the socket
// adds the frames. A Link is not safe for concurrent use.
type Link struct {
	cfg LinkConfig

	next         uint64         // id of the next own request
	pending      map[uint64]int // own requests without a reply: their size in bytes
	pendingBytes int
	token        uint64             // of the next request of the peer
	open         map[uint64]wire.ID // requests of the peer without a reply, by token
	ignored      uint64             // replies that nobody waited for
}

// NewLink makes an end on which nothing has happened yet.
func NewLink(cfg LinkConfig) *Link {
	cfg.MaxPending = orDefault(cfg.MaxPending, DefaultMaxPending)
	cfg.MaxPendingBytes = orDefault(cfg.MaxPendingBytes, DefaultMaxPendingBytes)
	cfg.MaxOpen = orDefault(cfg.MaxOpen, DefaultMaxOpen)
	return &Link{cfg: cfg, pending: map[uint64]int{}, open: map[uint64]wire.ID{}}
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

// Format is the codec with its limits.
func (l *Link) Format() wire.Format { return l.cfg.Format }

// Pending is the number of own requests that wait for their reply, Open that of the peer's requests that wait for ours, Ignored that of
// replies that came when nobody waited for them.
func (l *Link) Pending() int    { return len(l.pending) }
func (l *Link) Open() int       { return len(l.open) }
func (l *Link) Ignored() uint64 { return l.ignored }

// EventKind is what a payload meant.
type EventKind uint8

// The kinds of events.
const (
	// Nothing: the payload is dealt with, there is nothing to deliver.
	Nothing EventKind = iota
	// Requested: the peer waits for a reply to Number.
	Requested
	// Replied: own request Number has its result, Failed: it has an exception.
	Replied
	Failed
)

// Event is what one payload meant to this end.
type Event struct {
	Kind EventKind
	// Number is the own request that was answered, or names the peer's request in the reply to it.
	Number uint64
	// Content is one encoded value; part of the payload.
	Content []byte
	// Call is the request taken apart; set by ReceiveCall only.
	Call wire.Call
}

// AppendRequest writes a request of any content, one encoded value, and gives the number its reply will carry. The number is used up also
// when the request cannot be sent. On an error dst comes back as it was.
func (l *Link) AppendRequest(dst, content []byte) ([]byte, uint64, error) {
	return l.appendOwn(dst, 0, func(dst []byte, id uint64) ([]byte, error) {
		if _, err := l.cfg.Format.Check(content); err != nil {
			return dst, err
		}
		return l.cfg.Format.AppendMessage(dst, wire.Request, l.cfg.Format.NumberID(id), content)
	})
}

// AppendRequestAround is AppendRequest without the content, which belongs in front of the byte at of what comes back.
func (l *Link) AppendRequestAround(dst, content []byte) (out []byte, at int, number uint64, err error) {
	out, number, err = l.appendOwn(dst, len(content), func(dst []byte, id uint64) ([]byte, error) {
		out, place, err := l.around(dst, wire.Request, l.cfg.Format.NumberID(id), content)
		at = place
		return out, err
	})
	return out, at, number, err
}

// around writes a message without its content.
func (l *Link) around(dst []byte, kind wire.Kind, id wire.ID, content []byte) (out []byte, at int, err error) {
	if _, err := l.cfg.Format.Check(content); err != nil {
		return dst, 0, err
	}
	return l.cfg.Format.AppendAround(dst, kind, id, len(content))
}

// AppendCall writes a request for a path with one encoded value each for args and kwargs; otherwise as AppendRequest.
func (l *Link) AppendCall(dst []byte, path string, args, kwargs []byte) ([]byte, uint64, error) {
	return l.appendOwn(dst, 0, func(dst []byte, id uint64) ([]byte, error) {
		return l.cfg.Format.AppendCall(dst, id, path, args, kwargs)
	})
}

// appendOwn counts a request of which so many bytes are elsewhere.
func (l *Link) appendOwn(dst []byte, elsewhere int, write func([]byte, uint64) ([]byte, error)) ([]byte, uint64, error) {
	id := l.next
	l.next++
	if len(l.pending) >= l.cfg.MaxPending {
		return dst, id, fmt.Errorf("%w: %d wait for their reply, limit MaxPending", ErrPendingLimit, len(l.pending))
	}
	out, err := write(dst, id)
	if err != nil {
		return dst, id, err
	}
	size := len(out) - len(dst) + elsewhere
	if len(l.pending) > 0 && l.pendingBytes+size > l.cfg.MaxPendingBytes {
		return dst, id, fmt.Errorf("%w: %d bytes wait for their reply, limit MaxPendingBytes %d", ErrPendingLimit, l.pendingBytes, l.cfg.MaxPendingBytes)
	}
	l.pending[id] = size
	l.pendingBytes += size
	return out, id, nil
}

// Forget gives an own request up: its reply will be ignored. It is false when the request was answered or given up before.
func (l *Link) Forget(number uint64) bool {
	size, ok := l.pending[number]
	if ok {
		delete(l.pending, number)
		l.pendingBytes -= size
	}
	return ok
}

// ForgetAll gives all own requests up: the peer sends nothing more.
func (l *Link) ForgetAll() {
	clear(l.pending)
	l.pendingBytes = 0
}

// AppendResult answers a request of the peer with one encoded value. On an error dst comes back as it was and the request stays open, so
// that it can be answered with an exception.
func (l *Link) AppendResult(dst []byte, number uint64, content []byte) ([]byte, error) {
	return l.appendReply(dst, wire.Result, number, content)
}

// AppendFailure answers a request of the peer with an exception whose content is one encoded value: a string for aiomas, an array for
// mosaik.
func (l *Link) AppendFailure(dst []byte, number uint64, content []byte) ([]byte, error) {
	return l.appendReply(dst, wire.Exception, number, content)
}

// AppendException answers a request of the peer with an exception of that text, normally a traceback.
func (l *Link) AppendException(dst []byte, number uint64, text string) ([]byte, error) {
	return l.appendReply(dst, wire.Exception, number, l.cfg.Format.AppendString(nil, text))
}

func (l *Link) appendReply(dst []byte, kind wire.Kind, number uint64, content []byte) ([]byte, error) {
	id, ok := l.open[number]
	if !ok {
		return dst, fmt.Errorf("%w: %d", ErrNoSuchRequest, number)
	}
	if _, err := l.cfg.Format.Check(content); err != nil {
		return dst, err
	}
	out, err := l.cfg.Format.AppendMessage(dst, kind, id, content)
	if err != nil {
		return dst, err
	}
	delete(l.open, number)
	return out, nil
}

// AppendReplyAround is AppendResult, or AppendFailure when it failed, without the content, which belongs in front of the byte at of what comes
// back. The request is closed.
func (l *Link) AppendReplyAround(dst []byte, number uint64, failed bool, content []byte) (out []byte, at int, err error) {
	id, ok := l.open[number]
	if !ok {
		return dst, 0, fmt.Errorf("%w: %d", ErrNoSuchRequest, number)
	}
	kind := wire.Result
	if failed {
		kind = wire.Exception
	}
	if out, at, err = l.around(dst, kind, id, content); err == nil {
		delete(l.open, number)
	}
	return out, at, err
}

// Drop closes a request of the peer without a reply. It is false when the request was answered or dropped before.
func (l *Link) Drop(number uint64) bool {
	_, ok := l.open[number]
	delete(l.open, number)
	return ok
}

// Receive takes the next payload. What has to be sent back at once (a request that cannot be understood has an exception for an answer) is
// appended to dst. After an error the connection has to be closed.
func (l *Link) Receive(dst, payload []byte) (Event, []byte, error) {
	e, _, dst, err := l.receive(dst, payload)
	return e, dst, err
}

// ReceiveCall is Receive for an end that serves paths: the event of a request has it taken apart, and a request whose content is no call
// is answered at once.
func (l *Link) ReceiveCall(dst, payload []byte) (Event, []byte, error) {
	e, m, dst, err := l.receive(dst, payload)
	if err != nil || e.Kind != Requested {
		return e, dst, err
	}
	call, err := l.cfg.Format.DecodeCall(m)
	if err != nil {
		dst, err = l.AppendException(dst, e.Number, ExceptionText("TypeError", err.Error()))
		return Event{}, dst, err
	}
	e.Call = call
	return e, dst, nil
}

func (l *Link) receive(dst, payload []byte) (Event, wire.Message, []byte, error) {
	m, err := l.cfg.Format.Decode(payload)
	switch {
	case err == nil:
	case m.ID.Known() && m.Kind == wire.Request:
		dst, err = l.cfg.Format.AppendException(dst, m.ID, ExceptionText("ValueError", err.Error()))
		return Event{}, m, dst, err
	default:
		return Event{}, m, dst, err
	}
	if m.Kind != wire.Request {
		return l.receiveReply(m), m, dst, nil
	}
	if len(l.open) >= l.cfg.MaxOpen {
		text := fmt.Sprintf("%d requests of this connection wait for their reply, limit MaxOpen", len(l.open))
		dst, err = l.cfg.Format.AppendException(dst, m.ID, ExceptionText("RuntimeError", text))
		return Event{}, m, dst, err
	}
	number := l.token
	l.token++
	l.open[number] = m.ID.Clone()
	return Event{Kind: Requested, Number: number, Content: m.Content}, m, dst, nil
}

func (l *Link) receiveReply(m wire.Message) Event {
	number, whole := m.ID.Number()
	if !whole || !l.Forget(number) {
		l.ignored++
		return Event{}
	}
	kind := Replied
	if m.Kind == wire.Exception {
		kind = Failed
	}
	return Event{Kind: kind, Number: number, Content: m.Content}
}
