package aiomas

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// session is the life of one socket: the calls that are under way on it in both directions.
type session struct {
	conn   *Conn
	fc     *framed.Conn
	peer   rpc.Peer
	format wire.Format // of values
	serial string

	mu      sync.Mutex // guards what follows
	link    *dialect.Link
	pending map[uint64]pending
	serving map[*serverCall]struct{}
	ended   error // not nil once the socket is gone

	scratch    []byte
	backlog    []outgoing // what the socket had no room for, in order
	replyBytes int        // of the answers in it
	inside     bool       // a handler runs on the goroutine that reads
	draining   bool
	room       sync.Cond // replyBytes has shrunk

	inbox   []*serverCall // requests for the workers, in the order of arrival
	idle    int           // workers that wait for one
	waking  int           // workers that were started for one and have not taken it
	arrived sync.Cond

	proving bool // the peer has to prove who it is
	limit   *time.Timer
}

// pending is an own call without its reply. The serialization its result is wanted in is noted: when the call has ended, its context may serve
// another.
type pending struct {
	call   *rpc.Call
	serial string
}

// outgoing is a payload that waits; call is nil for an answer.
type outgoing struct {
	payload []byte
	call    *rpc.Call
}

func newSession(c *Conn, fc *framed.Conn, peer rpc.Peer) *session {
	s := &session{
		conn: c, fc: fc, peer: peer, format: c.options.values(), serial: c.options.serialization(), link: c.options.link(),
		pending: map[uint64]pending{}, serving: map[*serverCall]struct{}{},
	}
	s.room.L, s.arrived.L = &s.mu, &s.mu
	return s
}

// invoke sends a request and never waits.
func (s *session) invoke(call *rpc.Call, path string, args, kwargs []byte) {
	call.SetPeer(s.peer)
	serial := s.serial
	if want := call.Context.Serialization; want == serialJSON || want == serialMsgPack {
		serial = want
	}
	s.mu.Lock()
	if s.ended != nil {
		s.mu.Unlock()
		call.Finish(lost(s.peer, s.ended), rpc.Payload{})
		return
	}
	out, id, err := s.link.AppendCall(s.scratch[:0], path, args, kwargs)
	if err != nil {
		s.mu.Unlock()
		call.Finish(refusedRequest(err), rpc.Payload{})
		return
	}
	s.pending[id] = pending{call, serial}
	s.post(out, call)
	s.mu.Unlock()
	call.OnFinish(func(*rpc.Call) { s.forget(id) }) // at once when it has ended
}

// refusedRequest is the status of a request that was not sent.
func refusedRequest(err error) rpc.Status {
	switch {
	case errors.Is(err, dialect.ErrPendingLimit), errors.Is(err, wire.ErrLimit):
		return rpc.NewStatus(rpc.CodeResourceExhausted, err.Error())
	}
	return rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error())
}

// lost is the status of calls whose socket went.
func lost(peer rpc.Peer, reason error) rpc.Status {
	return rpc.Statusf(rpc.CodeConnectionLost, "connection to %s lost: %v", peer, reason)
}

// forget drops a call that has ended; a late reply is ignored.
func (s *session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.pending[id]; waits {
		delete(s.pending, id)
		s.link.Forget(id)
	}
}

// keepScratch is the buffer a session holds on to.
const keepScratch = 64 << 10

// post sends a payload that was written into the scratch buffer, or keeps it until there is room; mu is held.
func (s *session) post(payload []byte, call *rpc.Call) {
	s.scratch = nil
	if !s.draining {
		send := s.fc.TrySend
		if s.inside {
			send = s.fc.TrySendSoon
		}
		err := send(payload)
		if err == nil && cap(payload) <= keepScratch {
			s.scratch = payload
		}
		if !errors.Is(err, framed.ErrQueueFull) {
			return // sent, or the connection is ending, of which everybody is told
		}
		s.draining = true
		guard.Go("aiomas send", s.drain)
	}
	s.backlog = append(s.backlog, outgoing{payload, call})
	if call == nil {
		s.replyBytes += len(payload)
	}
}

// drain sends what had to wait.
func (s *session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.backlog) > 0 {
		next := s.backlog[0]
		s.backlog[0] = outgoing{}
		s.backlog = s.backlog[1:]
		if next.call != nil && next.call.Decided() {
			continue
		}
		s.mu.Unlock()
		err := s.fc.Send(context.Background(), next.payload)
		s.mu.Lock()
		if next.call == nil {
			s.replyBytes -= len(next.payload)
		}
		if err != nil {
			s.backlog, s.replyBytes = nil, 0
		}
		s.room.Broadcast()
	}
	s.backlog, s.draining = nil, false
}

// Frame takes one payload of the peer, on the goroutine that reads.
func (s *session) Frame(fc *framed.Conn, payload []byte) {
	handler := s.conn.handler()
	s.mu.Lock()
	for s.replyBytes > s.conn.options.MaxReplyBytes {
		fc.Flush()
		s.room.Wait() // the peer does not read: it is not read from either
	}
	e, out, err := s.link.ReceiveCall(nil, payload)
	if err != nil {
		s.mu.Unlock()
		s.conn.options.Logger.Warn("connection closed: the peer sent what cannot be read", "peer", s.peer.String(), "reason", err.Error())
		fc.Fail(fmt.Errorf("%w: %w", ErrProtocol, err))
		return
	}
	if s.proving {
		s.prove(e) // unlocks
		return
	}
	if len(out) > 0 {
		s.post(out, nil)
	}
	switch e.Kind {
	case dialect.Requested:
		c := s.take(e, handler)
		s.inside = c != nil
		s.mu.Unlock()
		if c != nil {
			s.handle(c)
			s.mu.Lock()
			s.inside = false
			s.mu.Unlock()
		}
	case dialect.Replied, dialect.Failed:
		p := s.pending[e.Number]
		delete(s.pending, e.Number)
		s.mu.Unlock()
		if p.call != nil {
			s.finish(p, e)
		}
	default:
		s.mu.Unlock()
	}
}

// finish ends an own call with the peer's reply.
func (s *session) finish(p pending, e dialect.Event) {
	call := p.call
	if e.Kind == dialect.Failed {
		call.Finish(dialect.ReadFailure(s.format, e.Content).Status(), rpc.Payload{})
		return
	}
	content, err := s.conn.options.transcode(s.serial, p.serial, e.Content)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeCliDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, rpc.BytesPayload(p.serial, content))
}

// Closed comes when the socket is gone.
func (s *session) Closed(_ *framed.Conn, reason error) {
	s.mu.Lock()
	s.ended = reason
	open, serving := s.pending, s.serving
	s.pending, s.serving, s.inbox = nil, nil, nil
	s.link.ForgetAll()
	if s.limit != nil {
		s.limit.Stop()
	}
	s.arrived.Broadcast()
	s.mu.Unlock()
	status := lost(s.peer, reason)
	for _, p := range open {
		p.call.Finish(status, rpc.Payload{})
	}
	for c := range serving {
		c.End(status)
	}
	s.conn.lost(s, reason)
}
