package mqttx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"aimrtrpc/internal/guard"
)

// Subscription is a filter whose messages are wanted for the whole session.
type Subscription struct {
	Filter string
	QoS    byte

	refused atomic.Pointer[ReasonError]
}

// Refused is why the broker does not serve the filter; nil when it does, or has
// not been asked yet.
func (s *Subscription) Refused() error {
	if r := s.refused.Load(); r != nil {
		return r
	}
	return nil
}

// Session is a lasting relation to a broker. It may be used from any goroutine.
type Session struct {
	cfg    Config
	cancel context.CancelFunc
	over   chan struct{} // closed when the session's goroutine has ended
	first  chan struct{} // closed after the first success or failure to connect
	tried  sync.Once

	mu            sync.Mutex // guards what follows; the lock of a link comes after it
	up            *link      // nil: no connection on which messages may be sent
	talking       *link      // accepted by the broker, perhaps without its subscriptions yet
	limits        accepted   // of the last connection
	since         time.Time  // of the last change of up
	reason        error      // why there is no connection
	connects      int
	started       bool
	closed        bool
	subscriptions []*Subscription
	asked         map[uint16][]*Subscription // SUBSCRIBE packets without an answer
	leaving       map[uint16][]*Subscription // what the UNSUBSCRIBE packets among them are about
	pending       []*Publication             // the queue; some may have been withdrawn
	pendingRoom   []*Publication             // memory of an empty queue
	queued        int
	queuedBytes   int
	inflight      map[uint16]*Publication
	lastID        uint16

	half map[uint16]struct{} // the reader's: messages of QoS 2 that were received and not released
}

// New makes a session. It does nothing before Start.
func New(cfg Config) (*Session, error) {
	if cfg.Dial == nil || cfg.Receive == nil {
		return nil, errors.New("mqttx: config needs Dial and Receive")
	}
	cfg = cfg.withDefaults()
	return &Session{
		cfg: cfg, over: make(chan struct{}), first: make(chan struct{}), reason: ErrDown, since: time.Now(),
		inflight: map[uint16]*Publication{}, pendingRoom: make([]*Publication, 0, 64),
	}, nil
}

// Start begins to connect and waits until the first attempt has succeeded or
// failed, or ctx is done. A broker that cannot be reached is no error: the
// session goes on trying.
func (s *Session) Start(ctx context.Context) error {
	s.mu.Lock()
	if s.started || s.closed {
		s.mu.Unlock()
		return errors.New("mqttx: a session can be started only once")
	}
	s.started = true
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.mu.Unlock()
	guard.Go("mqtt session", func() { s.run(run) })
	select {
	case <-s.first:
	case <-ctx.Done():
	}
	return nil
}

// Close ends the session and returns when its goroutines are gone. What was
// published before is given to the socket as long as ctx lasts; what still
// waits fails with ErrClosed.
func (s *Session) Close(ctx context.Context) {
	s.mu.Lock()
	first, started := !s.closed, s.started
	s.closed = true
	l := s.talking
	var failed []failure
	for _, p := range s.pending {
		if p != nil && p.state == waiting {
			p.state = over
			failed = append(failed, failure{p, ErrClosed})
		}
	}
	s.pending, s.queued, s.queuedBytes = nil, 0, 0
	s.mu.Unlock()
	report(failed)
	if !started {
		return
	}
	if l != nil && first {
		goodbye := bytesOf(packets.DISCONNECT, &packets.Disconnect{Properties: &packets.Properties{}})
		l.queue(func(dst []byte) []byte { return append(dst, goodbye...) })
		l.flush()
		l.settle(ctx)
	}
	s.cancel()
	<-s.over
}

// settle waits until the output is written or ctx is done.
func (l *link) settle(ctx context.Context) {
	written := make(chan struct{})
	guard.Go("mqtt last words", func() {
		l.writers.Wait()
		close(written)
	})
	select {
	case <-written:
	case <-ctx.Done():
	}
	l.fail(ErrClosed)
	<-written
}

// Subscribe adds filters; messages come from when the broker has agreed until
// the end of the session.
func (s *Session) Subscribe(list ...*Subscription) {
	s.mu.Lock()
	s.subscriptions = append(s.subscriptions, list...)
	l := s.talking
	if l != nil {
		s.ask(l, list)
	}
	s.mu.Unlock()
	if l != nil {
		l.flush()
	}
}

// Unsubscribe takes filters back; messages that are on their way still come.
func (s *Session) Unsubscribe(list ...*Subscription) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	s.subscriptions = slices.DeleteFunc(s.subscriptions, func(sub *Subscription) bool { return slices.Contains(list, sub) })
	l := s.talking
	if l != nil {
		s.leave(l, list)
	}
	s.mu.Unlock()
	if l != nil {
		l.flush()
	}
}

// leave needs mu.
func (s *Session) leave(l *link, list []*Subscription) {
	id := s.newID()
	s.asked[id], s.leaving[id] = nil, list
	packet := unsubscribePacket(id, list)
	l.queue(func(dst []byte) []byte { return append(dst, packet...) })
}

// ask needs mu.
func (s *Session) ask(l *link, list []*Subscription) {
	for len(list) > 0 {
		some := list[:min(len(list), filtersPerPacket)]
		list = list[len(some):]
		id := s.newID()
		s.asked[id] = some
		packet := subscribePacket(id, some)
		l.queue(func(dst []byte) []byte { return append(dst, packet...) })
	}
}

// State of a session.
type State struct {
	Up       bool
	Since    time.Time // of the last change
	Reason   error     // why it is not up
	Connects int       // successful ones
	Queued   int       // messages that wait
	Inflight int       // messages that are not acknowledged
}

// State tells how the session is.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{s.up != nil, s.since, s.reason, s.connects, s.queued, len(s.inflight)}
}

// run connects again and again.
func (s *Session) run(ctx context.Context) {
	defer close(s.over)
	pause, said := s.cfg.MinBackoff, ""
	for ctx.Err() == nil {
		began := time.Now()
		err := s.connect(ctx)
		s.tried.Do(func() { close(s.first) })
		if ctx.Err() != nil {
			return
		}
		var refused *ReasonError
		if errors.As(err, &refused) {
			pause = s.cfg.MaxBackoff // trying again at once would not help
		} else if time.Since(began) > s.cfg.MaxBackoff {
			pause = s.cfg.MinBackoff
		}
		if text := err.Error(); text != said || time.Since(began) > s.cfg.MaxBackoff { // the same every second is no news
			s.cfg.Logger.Warn("mqtt broker not connected, trying again", "broker", s.cfg.Broker, "reason", text, "longest_pause", s.cfg.MaxBackoff)
			said = text
		}
		timer := time.NewTimer(pause - rand.N(pause/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, s.cfg.MaxBackoff)
	}
}

// connect makes one connection and serves it to its end; the error says why it
// ended.
func (s *Session) connect(ctx context.Context) (err error) {
	defer func() {
		if value := recover(); value != nil {
			guard.Caught("mqtt session", value)
			err = guard.Error("mqtt session", value)
		}
		s.lost(err)
	}()
	soon, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	nc, err := s.cfg.Dial(soon)
	if err != nil {
		return err
	}
	l := newLink(nc, &s.cfg, s.drained)
	ended := make(chan struct{})
	var others sync.WaitGroup
	defer func() {
		close(ended)
		l.fail(ErrLost)
		others.Wait()
		l.writers.Wait()
	}()
	others.Add(1)
	guard.Go("mqtt connection end", func() {
		defer others.Done()
		select {
		case <-ctx.Done():
			l.fail(ErrClosed)
		case <-ended:
		}
	})
	// The whole of CONNECT, CONNACK and subscribing has ConnectTimeout.
	late := time.AfterFunc(s.cfg.ConnectTimeout, func() {
		if s.State().Up {
			return
		}
		l.fail(errSlow)
	})
	defer late.Stop()
	limits, err := s.greet(l)
	if err != nil {
		return l.why(err)
	}
	every := s.cfg.KeepAlive
	if limits.keepAlive > 0 {
		every = time.Duration(limits.keepAlive) * time.Second
	}
	others.Add(1)
	guard.Go("mqtt keep-alive", func() {
		defer others.Done()
		l.keepAlive(every, ended)
	})
	s.talk(l, limits)
	for {
		first, body, err := l.read()
		if err == nil {
			err = s.arrived(l, first, body)
		}
		if err != nil {
			err = l.why(err)
			s.lost(err) // now, not when the last goroutine has gone
			return err
		}
	}
}

// greet exchanges CONNECT and CONNACK.
func (s *Session) greet(l *link) (accepted, error) {
	packet := connectPacket(&s.cfg)
	l.queue(func(dst []byte) []byte { return append(dst, packet...) })
	l.flush()
	// What is no broker may announce a packet that never comes.
	if kind, err := l.reader.Peek(1); err == nil && kind[0]>>4 != packets.CONNACK {
		return accepted{}, malformed(fmt.Sprintf("packet of type %d instead of CONNACK", kind[0]>>4))
	}
	_, body, err := l.read()
	if err != nil {
		return accepted{}, err
	}
	limits, err := readConnack(body)
	limits.inflight = min(limits.inflight, s.cfg.MaxInflight)
	return limits, err
}

// talk begins the session's part of a connection: subscriptions first.
func (s *Session) talk(l *link, limits accepted) {
	s.half = map[uint16]struct{}{}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.fail(ErrClosed)
		return
	}
	s.talking, s.limits, s.asked, s.leaving = l, limits, map[uint16][]*Subscription{}, map[uint16][]*Subscription{}
	s.ask(l, s.subscriptions)
	failed, news := s.goUp()
	s.mu.Unlock()
	l.flush()
	news()
	report(failed)
}

// goUp lets messages out once the broker has answered all subscriptions. It
// needs mu; news is for after it.
func (s *Session) goUp() (failed []failure, news func()) {
	if s.up != nil || s.talking == nil || len(s.asked) > 0 || s.closed {
		return nil, func() {}
	}
	s.up, s.reason, s.since = s.talking, nil, time.Now()
	s.connects++
	filters, queued := len(s.subscriptions), s.queued
	return s.pump(), func() {
		s.cfg.Logger.Info("mqtt broker connected", "broker", s.cfg.Broker, "client_id", s.cfg.ClientID, "subscriptions", filters, "queued", queued)
		s.tried.Do(func() { close(s.first) })
	}
}

// lost ends the session's part of a connection.
func (s *Session) lost(reason error) {
	s.mu.Lock()
	wasUp := s.up != nil
	if wasUp {
		s.since = time.Now()
	}
	s.up, s.talking, s.reason, s.asked, s.leaving = nil, nil, reason, nil, nil
	var failed []failure
	for _, p := range s.inflight {
		if p.state == inflight {
			p.state = over
			failed = append(failed, failure{p, ErrLost})
		}
	}
	clear(s.inflight)
	s.mu.Unlock()
	report(failed)
	if wasUp && s.cfg.Lost != nil {
		s.cfg.Lost(reason)
	}
}

// drained is called when the socket has taken what waited for it.
func (s *Session) drained() {
	s.mu.Lock()
	failed := s.pump()
	s.mu.Unlock()
	report(failed)
}

// arrived handles one packet on the reading goroutine.
func (s *Session) arrived(l *link, first byte, body []byte) error {
	switch kind := first >> 4; kind {
	case packets.PUBLISH:
		return s.receive(l, first, body)
	case packets.PUBACK, packets.PUBREC, packets.PUBCOMP, packets.PUBREL:
		id, reason, err := readAck(body)
		if err != nil {
			return err
		}
		s.step(l, kind, id, reason)
	case packets.SUBACK:
		return s.answered(body)
	case packets.UNSUBACK:
		return s.unasked(body)
	case packets.DISCONNECT:
		return readDisconnect(body)
	case packets.PINGRESP:
	default:
		return malformed(fmt.Sprintf("unexpected packet of type %d", kind))
	}
	l.flush()
	return nil
}

// step goes on with a message of QoS 1 or 2.
func (s *Session) step(l *link, kind byte, id uint16, reason byte) {
	switch kind {
	case packets.PUBREC:
		s.acknowledged(id, reason, false)
		if reason < reasonFailure {
			l.queue(func(dst []byte) []byte { return appendAck(dst, packets.PUBREL, id) })
		}
	case packets.PUBREL:
		delete(s.half, id)
		l.queue(func(dst []byte) []byte { return appendAck(dst, packets.PUBCOMP, id) })
	case packets.PUBCOMP: // the message has arrived by then, whatever the reason
		s.acknowledged(id, 0, true)
	default:
		s.acknowledged(id, reason, true)
	}
}

// receive hands a message on, once, and acknowledges it.
func (s *Session) receive(l *link, first byte, body []byte) error {
	p, err := readPublish(first, body)
	if err != nil {
		return err
	}
	_, again := s.half[p.id]
	switch {
	case p.qos == 2 && again && p.dup: // received before
	case p.qos == 2 && len(s.half) >= s.cfg.MaxInflight && !again:
		return malformed("more messages of QoS 2 on their way than agreed on")
	default:
		s.deliver(&p.Message)
	}
	switch p.qos {
	case 1:
		l.queue(func(dst []byte) []byte { return appendAck(dst, packets.PUBACK, p.id) })
	case 2:
		s.half[p.id] = struct{}{}
		l.queue(func(dst []byte) []byte { return appendAck(dst, packets.PUBREC, p.id) })
	}
	l.flush()
	return nil
}

func (s *Session) deliver(m *Message) {
	defer guard.Recover("mqtt message")
	s.cfg.Receive(m)
}

// unasked forgets an UNSUBSCRIBE. A broker may say that its id is in use: mochi-mqtt counts the ids of its own messages with those of the
// client's. Then it is sent again, under the next id.
func (s *Session) unasked(body []byte) error {
	ack := packets.Unsuback{Properties: &packets.Properties{}}
	if err := ack.Unpack(bytes.NewBuffer(body)); err != nil {
		return malformed("UNSUBACK: " + err.Error())
	}
	s.mu.Lock()
	list := s.leaving[ack.PacketID]
	if list != nil {
		delete(s.asked, ack.PacketID)
		delete(s.leaving, ack.PacketID)
	}
	l := s.talking
	if list != nil && l != nil && slices.Contains(ack.Reasons, reasonIDInUse) {
		s.leave(l, list)
	}
	failed, news := s.goUp()
	s.mu.Unlock()
	if l != nil {
		l.flush()
	}
	news()
	report(failed)
	return nil
}

// answered notes what the broker made of subscriptions.
func (s *Session) answered(body []byte) error {
	id, reasons, err := readSuback(body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	list, known := s.asked[id]
	if !known || list == nil || len(reasons) != len(list) {
		s.mu.Unlock()
		return malformed("SUBACK that does not fit a SUBSCRIBE")
	}
	delete(s.asked, id)
	var refused error
	for i, sub := range list {
		if reasons[i] < reasonFailure {
			sub.refused.Store(nil)
			continue
		}
		r := &ReasonError{What: "subscription refused", Code: reasons[i]}
		sub.refused.Store(r)
		refused = r
	}
	failed, news := s.goUp()
	l := s.talking
	s.mu.Unlock()
	if refused != nil {
		s.cfg.Logger.Warn("mqtt subscription refused", "broker", s.cfg.Broker, "reason", refused)
	}
	if l != nil {
		l.flush()
	}
	news()
	report(failed)
	return nil
}
