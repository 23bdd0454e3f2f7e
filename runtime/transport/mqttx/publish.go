package mqttx

import (
	"fmt"
	"time"
)

// Publication is one message to send. It must not change after Publish.
type Publication struct {
	Topic   string
	Payload []byte
	QoS     byte
	// Expiry is how long the broker keeps the message for a slow subscriber; 0
	// means for ever.
	Expiry time.Duration
	User   []Property
	// NoWait refuses the message when there is no connection, or no room.
	NoWait bool
	// Failed, when set, is told at most once that the message will not reach
	// anybody, or may not have: ErrNoSubscribers, ErrLost, ErrClosed, *SizeError,
	// *ReasonError. It comes without locks, on any goroutine, and must not wait.
	// A message of QoS 0 that was written is never reported.
	Failed func(err error)

	// The session's, guarded by its lock.
	state publicationState
	id    uint16
	size  int
}

type publicationState uint8

const (
	fresh    publicationState = iota
	waiting                   // in the queue
	inflight                  // sent, not acknowledged
	over                      // sent, failed or withdrawn
)

// failure is a message with the news for it.
type failure struct {
	p   *Publication
	err error
}

func report(list []failure) {
	for _, f := range list {
		if f.p.Failed != nil {
			f.p.Failed(f.err)
		}
	}
}

// Publish sends a message, or lets it wait for the connection. It never waits
// itself. An error means that the message was not taken: ErrClosed, ErrDown,
// *LimitError, *SizeError.
func (s *Session) Publish(p *Publication) error {
	p.size = p.packetBytes()
	s.mu.Lock()
	if err := s.room(p); err != nil {
		s.mu.Unlock()
		return err
	}
	p.state = waiting
	s.pending = append(s.pending, p)
	s.queued++
	s.queuedBytes += p.size
	failed := s.pump()
	l := s.up
	s.mu.Unlock()
	if l != nil {
		l.flush()
	}
	report(failed)
	return nil
}

// Room tells whether Publish would take a message of a payload of that size.
func (s *Session) Room(payload int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(&Publication{size: payload})
}

// room needs mu.
func (s *Session) room(p *Publication) error {
	most, byBroker := s.cfg.MaxPacketBytes, false
	if m := s.limits.maxPacket; m > 0 && m < most {
		most, byBroker = m, true
	}
	switch {
	case s.closed:
		return ErrClosed
	case p.NoWait && s.up == nil:
		return ErrDown
	case p.size > most:
		return &SizeError{Size: p.size, Max: most, Broker: byBroker}
	case s.queued >= s.cfg.MaxQueued:
		return &LimitError{"MaxQueued", fmt.Sprintf("%d messages wait for %s", s.queued, s.cfg.Broker), s.cfg.MaxQueued}
	case s.queuedBytes+p.size > s.cfg.MaxQueuedBytes && s.queued > 0:
		return &LimitError{"MaxQueuedBytes", fmt.Sprintf("%d bytes wait for %s and %d more do not fit", s.queuedBytes, s.cfg.Broker, p.size), s.cfg.MaxQueuedBytes}
	}
	return nil
}

// Withdraw takes a message back that nobody needs any more; true when it was
// not sent. Failed does not come after it.
func (s *Session) Withdraw(p *Publication) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.state != waiting {
		return false
	}
	s.leaveQueue(p)
	p.state = over
	// Those withdrawn are stepped over when their turn comes; with no connection
	// that may be never.
	if len(s.pending) > 2*s.queued+64 {
		kept := s.pending[:0]
		for _, q := range s.pending {
			if q.state == waiting {
				kept = append(kept, q)
			}
		}
		clear(s.pending[len(kept):])
		s.pending = kept
	}
	return true
}

// Waiting tells whether a message is still in the queue.
func (s *Session) Waiting(p *Publication) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.state == waiting
}

// leaveQueue needs mu.
func (s *Session) leaveQueue(p *Publication) {
	s.queued--
	s.queuedBytes -= p.size
}

// pump moves messages from the queue to the output of the connection, as far as
// the broker takes them. mu is held; the caller flushes and reports without.
func (s *Session) pump() (failed []failure) {
	for s.up != nil && len(s.pending) > 0 {
		p := s.pending[0]
		if p.state == waiting {
			qos := min(p.QoS, s.limits.maxQoS)
			if s.up.full() || qos > 0 && len(s.inflight) >= s.limits.inflight {
				return failed
			}
			s.leaveQueue(p)
			if m := s.limits.maxPacket; m > 0 && p.size > m {
				p.state = over
				failed = append(failed, failure{p, &SizeError{Size: p.size, Max: m, Broker: true}})
			} else {
				p.QoS = qos
				s.send(p)
			}
		}
		s.pending[0] = nil
		if s.pending = s.pending[1:]; len(s.pending) == 0 {
			s.pending = s.pendingRoom[:0]
		}
	}
	return failed
}

// send needs mu and a connection.
func (s *Session) send(p *Publication) {
	if p.state = over; p.QoS > 0 {
		p.state = inflight
		p.id = s.newID()
		s.inflight[p.id] = p
	}
	s.up.queue(func(dst []byte) []byte { return appendPublish(dst, p) })
}

// newID finds an id that no message on its way has. There are always some: the
// messages on their way are fewer than the ids.
func (s *Session) newID() uint16 {
	for {
		s.lastID++
		if s.lastID == 0 {
			continue
		}
		if _, taken := s.inflight[s.lastID]; taken {
			continue
		}
		if _, taken := s.asked[s.lastID]; !taken {
			return s.lastID
		}
	}
}

// acknowledged ends a message's way. last is false for the first of two steps.
func (s *Session) acknowledged(id uint16, reason byte, last bool) {
	s.mu.Lock()
	p := s.inflight[id]
	if p == nil {
		s.mu.Unlock()
		return
	}
	var failed []failure
	switch {
	case p.state != inflight:
	case reason == reasonNoSubscribers:
		failed = append(failed, failure{p, ErrNoSubscribers})
	case reason >= reasonFailure: // below it all is well, whatever it says
		failed = append(failed, failure{p, &ReasonError{What: "message refused", Code: reason}})
	}
	p.state = over // the first of two steps gives the message to the broker already
	if last || reason >= reasonFailure {
		delete(s.inflight, id)
		failed = append(failed, s.pump()...)
	}
	s.mu.Unlock()
	report(failed)
}
