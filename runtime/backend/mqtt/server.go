package mqtt

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/mqttx"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

// service is one registered function with its topics.
type service struct {
	method              *rpc.Method
	serve               rpc.Handler
	rule                serverRule
	topic, private, end string
	requests            []*mqttx.Subscription // for requests
}

// RegisterService subscribes to the function's requests: those for any server, unless the rule says no, and those for this one.
func (b *Backend) RegisterService(m *rpc.Method, serve rpc.Handler) error {
	s := &service{method: m, serve: serve}
	s.rule.SetDefaults()
	if rule, ok := aimrt.RuleOf(b.options.Servers, m.Name()); ok {
		s.rule = rule
	}
	var err1, err2, err3 error
	s.topic, err1 = aimrtmqtt.RequestTopic(m.Name())
	s.private, err2 = aimrtmqtt.PrivateTopic(b.broker.ClientID, m.Name())
	s.end, err3 = aimrtmqtt.EndTopic(m.Name())
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if _, taken := (*b.routes.Load())[s.private]; taken {
		return nil // the first of a name serves
	}
	qos := byte(s.rule.QoS)
	routes := map[string]route{s.private: {serve: s}, s.end: {end: s}}
	s.requests = []*mqttx.Subscription{{Filter: s.private, QoS: qos}}
	if s.rule.AllowShare {
		routes[s.topic] = route{serve: s}
		s.requests = append(s.requests, &mqttx.Subscription{Filter: aimrtmqtt.SharedFilter(s.topic), QoS: qos})
	}
	b.addRoutes(routes)
	b.session.Subscribe(append([]*mqttx.Subscription{{Filter: s.end}}, s.requests...)...)
	b.mu.Lock()
	b.services = append(b.services, s)
	b.mu.Unlock()
	return nil
}

// callKey is what a client calls its request.
type callKey struct {
	reply string
	id    uint32
}

// serverCall is a call of a peer, made in one piece. It is also the context.Context of its handler, which ends with the call.
type serverCall struct {
	rpc.Call
	context       rpc.CallContext
	backend       *Backend
	service       *service
	key           callKey
	serialization string      // of the request, which the reply has, too
	forsaken      atomic.Bool // the client said that nobody waits
}

// Deadline of the context: a server does not enforce the caller's timeout.
func (*serverCall) Deadline() (time.Time, bool) { return time.Time{}, false }

// Err of the context.
func (c *serverCall) Err() error {
	if c.Finished() {
		return context.Canceled
	}
	return nil
}

// Value of the context: it carries none.
func (*serverCall) Value(any) any { return nil }

var _ context.Context = (*serverCall)(nil)

// receive sorts the messages, on the goroutine that reads them.
func (b *Backend) receive(m *mqttx.Message) {
	r, known := (*b.routes.Load())[m.Topic]
	switch {
	case !known || m.Retained:
		b.drop(m.Topic, errors.New("nobody here waits for it"))
	case r.reply != nil:
		b.replied(r.reply, m)
	case r.end != nil:
		b.endCall(m)
	default:
		b.arrived(r.serve, m)
	}
}

// arrived starts serving a request on a goroutine of its own, so that neither it nor the next one waits for the other.
func (b *Backend) arrived(s *service, m *mqttx.Message) {
	q, err := aimrtmqtt.ReadRequest(m.Payload)
	if err == nil {
		err = aimrtmqtt.CheckReplyTopic(q.ReplyTopic)
	}
	if err != nil {
		b.drop(m.Topic, err)
		return
	}
	c := b.newServerCall(s, &q, m)
	if status := b.admit(c, len(q.Metadata)); !status.OK() {
		if c.backend != nil {
			b.reply(c, status, nil)
		}
		return
	}
	message := q.Message
	guard.Go("mqtt call", func() {
		defer b.serving.Done()
		c.handle(message)
	})
}

var errTwice = errors.New("the same request is being served already")

// admit counts the call in. A request that came twice is not answered twice.
func (b *Backend) admit(c *serverCall, entries int) rpc.Status {
	if entries > int(b.limits.MaxMetadata)+frameworkEntries {
		return rpc.Statusf(rpc.CodeResourceExhausted, "the request has %d metadata entries, the limit max_metadata is %d", entries, b.limits.MaxMetadata)
	}
	b.mu.Lock()
	if b.closed || b.stopping.Load() {
		b.mu.Unlock()
		return rpc.NewStatus(rpc.CodeSvrNotReady, "the server is shutting down")
	}
	b.serving.Add(1)
	b.mu.Unlock()
	status := rpc.OK
	b.openMu.Lock()
	if _, twice := b.open[c.key]; twice {
		b.openMu.Unlock()
		b.serving.Done()
		b.drop(c.service.topic, errTwice)
		c.backend = nil
		return rpc.StatusOfCode(rpc.CodeSvrUnknown)
	}
	if n := len(b.open); n >= int(b.limits.MaxCalls) {
		status = rpc.Statusf(rpc.CodeResourceExhausted, "%d calls are being served, the limit max_calls", n)
	} else {
		b.open[c.key] = c
	}
	b.openMu.Unlock()
	if !status.OK() {
		b.serving.Done()
		return status
	}
	b.served.Add(1)
	return rpc.OK
}

// frameworkEntries are those that come with every call.
const frameworkEntries = 8

// newServerCall makes the call that the handler sees.
func (b *Backend) newServerCall(s *service, q *aimrtmqtt.Request, m *mqttx.Message) *serverCall {
	c := &serverCall{backend: b, service: s, key: callKey{q.ReplyTopic, q.ID}, serialization: q.Serialization}
	c.context = rpc.CallContext{Kind: rpc.ServerContext, FunctionName: s.method.Name(), Serialization: q.Serialization}
	if text, ok := m.UserProperty(propertyTimeout); ok {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			c.context.Timeout = time.Duration(n)
		}
	}
	c.Method, c.Context, c.Backend, c.Started, c.Tag = s.method, &c.context, b.name, time.Now(), c
	c.Peer = rpc.Peer{Scheme: Name}
	pairs := make([]rpc.Pair, 0, len(q.Metadata))
	for _, p := range q.Metadata {
		if aimrt.Receive(&c.Call, p.Key, p.Value) {
			continue
		}
		if p.Key == keyFromClient {
			c.Peer.Address = p.Value // what the peer says of itself
		}
		pairs = append(pairs, rpc.Pair{Key: p.Key, Value: p.Value})
	}
	c.context.Metadata = rpc.MetadataOf(pairs...)
	return c
}

// handle gives the call to its handler.
func (c *serverCall) handle(message []byte) {
	status := aimrt.DecodeRequest(&c.Call, c.serialization, message)
	c.OnFinish(answer) // which releases the request; endCall may have ended the call before
	if !status.OK() {
		c.Finish(status, rpc.Payload{})
		return
	}
	c.service.serve.Handle(c, &c.Call)
}

// endCall ends a call that nobody waits for any more.
func (b *Backend) endCall(m *mqttx.Message) {
	reply, id, err := aimrtmqtt.ReadEnd(m.Payload)
	if err != nil {
		b.drop(m.Topic, err)
		return
	}
	b.openMu.Lock()
	c := b.open[callKey{reply, id}]
	b.openMu.Unlock()
	if c != nil {
		c.forsaken.Store(true)
		c.Cancel()
	}
}

// answer sends the outcome of a call, unless nobody waits for it.
func answer(call *rpc.Call) {
	c := call.Tag.(*serverCall)
	b := c.backend
	b.served.Add(-1)
	b.openMu.Lock()
	delete(b.open, c.key)
	b.openMu.Unlock()
	c.Request.Release()
	defer c.Response().Release()
	if c.forsaken.Load() {
		return
	}
	body, status := aimrt.EncodeResponse(call, c.serialization, aimrt.Limits{}) // reply checks the size
	b.reply(c, status, body)
}

// reply publishes an outcome.
func (b *Backend) reply(c *serverCall, status rpc.Status, body []byte) {
	code, own := aimrt.Numbers(status)
	payload, err := aimrtmqtt.AppendResponse(make([]byte, 0, 16+len(c.serialization)+len(body)), c.serialization, c.key.id, code)
	if err != nil {
		b.drop(c.key.reply, err)
		return
	}
	payload = append(payload, body...)
	if len(payload) > b.maxPayload() {
		b.log.Warn("mqtt reply is too large", "function", c.Method.Name(), "bytes", len(payload), "max_pkg_size_k", b.broker.MaxPkgSizeK)
		status = rpc.Statusf(rpc.CodeSvrUnknown, "the response has %d bytes, the limit max_pkg_size_k is %d KiB", len(payload), b.broker.MaxPkgSizeK)
		b.reply(c, status, nil)
		return
	}
	p := &mqttx.Publication{Topic: c.key.reply, Payload: payload, QoS: byte(c.service.rule.QoS), Expiry: c.context.Timeout}
	if own != code {
		p.User = append(p.User, mqttx.Property{Key: propertyCode, Value: strconv.FormatUint(uint64(own), 10)})
	}
	if !status.OK() {
		p.User = append(p.User, mqttx.Property{Key: propertyMessage, Value: clip(status.Message())})
	}
	if err := b.session.Publish(p); err != nil {
		b.drop(c.key.reply, err)
	}
}

// clip cuts a text to what travels, at a character's end.
func clip(s string) string {
	if len(s) > maxMessageText {
		s = s[:maxMessageText]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
			s = s[:len(s)-1]
		}
	}
	return s
}
