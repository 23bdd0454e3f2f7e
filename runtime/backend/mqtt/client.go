package mqtt

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/mqttx"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

const (
	// settleTime is how long after a connection servers may be missing at the broker because they are coming back themselves. A request that
	// found none is sent again then, which is safe: nobody has seen it.
	settleTime = 3 * time.Second
	// againPause is the pause before.
	againPause = 50 * time.Millisecond
)

// clientMethod is a function that a module calls.
type clientMethod struct {
	method   *rpc.Method
	rule     clientRule
	to       destination // of the rule
	reply    string
	end      string
	replySub *mqttx.Subscription
	last     atomic.Pointer[destination]
	late     backend.Late
}

// destination is where an address leads.
type destination struct {
	target  string
	topic   string
	refused rpc.Status // not OK: the address is of no use
}

// RegisterClient subscribes to the function's replies.
func (b *Backend) RegisterClient(m *rpc.Method) error {
	c := &clientMethod{method: m}
	c.rule.SetDefaults()
	if rule, ok := aimrt.RuleOf(b.options.Clients, m.Name()); ok {
		c.rule = rule
	}
	var err, endErr error
	if c.reply, err = aimrtmqtt.ReplyTopic(b.broker.ClientID, b.secret, m.Name()); err != nil {
		if b.secret != "" {
			if _, plain := aimrtmqtt.ReplyTopic(b.broker.ClientID, "", m.Name()); plain == nil {
				return b.config.Errorf("reply_topics", "%w; reply_topics: plain leaves more room", err)
			}
		}
		return err
	}
	c.end, endErr = aimrtmqtt.EndTopic(m.Name())
	c.to = newDestination("", c.rule.ServerID, m)
	if err := errors.Join(endErr, c.to.refused.Err()); err != nil {
		return err
	}
	c.replySub = &mqttx.Subscription{Filter: c.reply, QoS: byte(c.rule.QoS)}
	if known, loaded := (*b.routes.Load())[c.reply]; loaded {
		c.replySub = known.reply.replySub // another module calls the same function
	} else {
		b.addRoutes(map[string]route{c.reply: {reply: c}})
		b.session.Subscribe(c.replySub)
	}
	b.methods.Store(m, c)
	b.mu.Lock()
	b.clients = append(b.clients, c)
	b.mu.Unlock()
	return nil
}

// newDestination finds the topic of requests to one server, or to any.
func newDestination(target, server string, m *rpc.Method) destination {
	d := destination{target: target}
	var err error
	if server == "" {
		d.topic, err = aimrtmqtt.RequestTopic(m.Name())
	} else {
		d.topic, err = aimrtmqtt.PrivateTopic(server, m.Name())
	}
	if err != nil {
		d.refused = rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
	}
	return d
}

// destinationOf finds where a call goes: its own address, mqtt://<client id of the server>, else the rule's.
func (c *clientMethod) destinationOf(call *rpc.Call) *destination {
	target := call.Context.Target
	if target == "" {
		return &c.to
	}
	if d := c.last.Load(); d != nil && d.target == target {
		return d
	}
	d := destination{target: target}
	if t, err := rpc.ParseTarget(target); err != nil {
		d.refused = rpc.NewStatus(rpc.CodeCliInvalidAddr, err.Error())
	} else {
		d = newDestination(target, t.Address, c.method)
	}
	c.last.Store(&d)
	return &d
}

// find gives the method of a call, once calls can be made.
func (b *Backend) find(call *rpc.Call) (*clientMethod, rpc.Status) {
	if !b.running.Load() {
		return nil, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the mqtt backend does not run")
	}
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return nil, rpc.Statusf(rpc.CodeCliFuncNotRegistered, "function %q is not registered at the mqtt backend", call.Method.Name())
	}
	return value.(*clientMethod), rpc.OK
}

// Accept takes calls that have somewhere to go and find room.
func (b *Backend) Accept(call *rpc.Call) rpc.Status {
	c, status := b.find(call)
	if !status.OK() {
		return status
	}
	if _, status = aimrt.Serialization(call, nil); !status.OK() {
		return status
	}
	if err := c.replySub.Refused(); err != nil {
		return rpc.NewStatus(rpc.CodeUnavailable, "no reply could come back: "+err.Error())
	}
	if err := b.session.Room(0); err != nil {
		return b.notTaken(err)
	}
	return c.destinationOf(call).refused
}

// TimeoutStatus is TIMEOUT, with a text that says when the broker is missing.
func (b *Backend) TimeoutStatus(call *rpc.Call) (rpc.Status, bool) {
	timeout := call.Context.Timeout
	if state := b.session.State(); !state.Up {
		return rpc.Statusf(rpc.CodeTimeout, "no answer within the timeout of %v; when the call began, mqtt broker %s was not connected: %v",
			timeout, b.broker.BrokerAddr, state.Reason), true
	}
	value, ok := b.methods.Load(call.Method)
	if !ok {
		return rpc.StatusOfCode(rpc.CodeTimeout), true
	}
	return value.(*clientMethod).late.Status("", timeout, func() rpc.Status {
		return rpc.Statusf(rpc.CodeTimeout, "no answer within the timeout of %v over mqtt broker %s", timeout, b.broker.BrokerAddr)
	}), true
}

// TimeoutExecutor is the configured one, else core's timer.
func (b *Backend) TimeoutExecutor() backend.Executor { return b.timeout }

// outgoing is a call on its way.
type outgoing struct {
	backend  *Backend
	call     *rpc.Call
	method   *clientMethod
	to       *destination
	id       uint32
	request  atomic.Pointer[mqttx.Publication]
	answered atomic.Bool // a reply came, or none can
}

// Invoke sends the request.
func (b *Backend) Invoke(_ context.Context, call *rpc.Call) {
	o, serialization, body, status := b.prepare(call)
	if !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	if status := b.enter(o); !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	p, status := o.publication(serialization, body)
	if !status.OK() {
		o.finish(status, rpc.Payload{})
		b.leave(o)
		return
	}
	o.request.Store(p)
	call.OnFinish(o.ended) // at once when the call has been cancelled before
	o.send(p)
}

// prepare finds out whether and where the call can go.
func (b *Backend) prepare(call *rpc.Call) (o *outgoing, serialization string, body []byte, status rpc.Status) {
	c, status := b.find(call)
	if !status.OK() {
		return nil, "", nil, status
	}
	if serialization, status = aimrt.Serialization(call, nil); !status.OK() {
		return nil, "", nil, status
	}
	to := c.destinationOf(call)
	if !to.refused.OK() {
		return nil, "", nil, to.refused
	}
	if n := call.Context.Metadata.Len(); n > int(b.limits.MaxMetadata) {
		return nil, "", nil, rpc.Statusf(rpc.CodeCliBackendInternalError, "the context has %d metadata entries, the limit max_metadata is %d", n, b.limits.MaxMetadata)
	}
	body, err := call.Request.Bytes(serialization)
	if err != nil {
		return nil, "", nil, rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error())
	}
	return &outgoing{backend: b, call: call, method: c, to: to}, serialization, body, rpc.OK
}

// enter gives the call its id.
func (b *Backend) enter(o *outgoing) rpc.Status {
	b.pendingMu.Lock()
	defer b.pendingMu.Unlock()
	if len(b.pending) >= int(b.limits.MaxPending) {
		return rpc.Statusf(rpc.CodeResourceExhausted, "%d calls wait for an answer over mqtt, the limit max_pending_calls", len(b.pending))
	}
	for {
		b.lastID++ // the first is 0
		if _, taken := b.pending[b.lastID]; !taken {
			o.id = b.lastID
			b.pending[o.id] = o
			return rpc.OK
		}
	}
}

func (b *Backend) leave(o *outgoing) {
	b.pendingMu.Lock()
	if b.pending[o.id] == o {
		delete(b.pending, o.id)
	}
	b.pendingMu.Unlock()
}

// publication makes the message.
func (o *outgoing) publication(serialization string, body []byte) (*mqttx.Publication, rpc.Status) {
	b := o.backend
	head := aimrtmqtt.RequestHead{Serialization: serialization, ReplyTopic: o.method.reply, ID: o.id}
	payload, err := aimrtmqtt.AppendRequest(make([]byte, 0, 512+len(body)), &head, o.metadata)
	if err != nil {
		code := rpc.CodeCliBackendInternalError
		if limit := (*aimrtmqtt.LimitError)(nil); errors.As(err, &limit) && limit.What == "serialization" {
			code = rpc.CodeCliUnknown
		}
		return nil, rpc.NewStatus(code, err.Error())
	}
	payload = append(payload, body...)
	if len(payload) > b.maxPayload() {
		return nil, rpc.Statusf(rpc.CodeCliSendReqFailed, "the request has %d bytes with its metadata, the limit max_pkg_size_k is %d KiB", len(payload), b.broker.MaxPkgSizeK)
	}
	p := &mqttx.Publication{Topic: o.to.topic, Payload: payload, QoS: byte(o.method.rule.QoS), Failed: o.failed}
	if timeout := o.call.Context.Timeout; timeout > 0 {
		p.Expiry = timeout
		p.User = []mqttx.Property{{Key: propertyTimeout, Value: strconv.FormatInt(int64(timeout), 10)}}
	}
	return p, rpc.OK
}

// metadata is what AimRT's client sends: all of the context, and who it is.
func (o *outgoing) metadata(yield func(key, value string) bool) {
	if !yield(keyFromClient, o.backend.broker.ClientID) {
		return
	}
	aimrt.RangeMetadata(o.call, func(key, value string) bool { return key == keyFromClient || yield(key, value) })
}

func (o *outgoing) send(p *mqttx.Publication) {
	if err := o.backend.session.Publish(p); err != nil {
		o.finish(o.backend.notTaken(err), rpc.Payload{})
	}
}

// finish ends the call with what the peer or the broker said.
func (o *outgoing) finish(status rpc.Status, response rpc.Payload) {
	o.answered.Store(true)
	o.call.SetPeer(rpc.Peer{Scheme: Name, Address: o.backend.broker.BrokerAddr})
	o.call.Finish(status, response)
}

// notTaken is what a message ends with that the session refused.
func (b *Backend) notTaken(err error) rpc.Status {
	var limit *mqttx.LimitError
	switch {
	case errors.As(err, &limit):
		name := map[string]string{"MaxQueued": "max_queued_messages", "MaxQueuedBytes": "max_queued_bytes"}[limit.Name]
		text := limit.What + ", the limit " + name + " is " + strconv.Itoa(limit.Limit)
		if state := b.session.State(); !state.Up {
			text += "; it is not connected: " + state.Reason.Error()
		}
		return rpc.NewStatus(rpc.CodeResourceExhausted, text)
	case errors.Is(err, mqttx.ErrClosed):
		return rpc.NewStatus(rpc.CodeCliBackendInternalError, "the mqtt backend is closed")
	}
	return rpc.NewStatus(rpc.CodeCliSendReqFailed, err.Error())
}

// failed hears of a request that will not reach a server, or may not have.
func (o *outgoing) failed(err error) {
	b := o.backend
	switch {
	case errors.Is(err, mqttx.ErrLost): // the server may have it, and its reply find us again
	case !errors.Is(err, mqttx.ErrNoSubscribers):
		o.finish(b.notTaken(err), rpc.Payload{})
	case time.Since(b.session.State().Since) < settleTime && b.running.Load():
		time.AfterFunc(againPause, o.again)
	default:
		o.finish(rpc.Statusf(rpc.CodeSvrNotFound, "no server of %s is subscribed at mqtt broker %s", o.method.method.Name(), b.broker.BrokerAddr), rpc.Payload{})
	}
}

// again sends a request once more that nobody has seen.
func (o *outgoing) again() {
	defer guard.Recover("mqtt request")
	if o.call.Decided() {
		return
	}
	before := o.request.Load()
	p := &mqttx.Publication{Topic: before.Topic, Payload: before.Payload, QoS: before.QoS, Expiry: before.Expiry, User: before.User, Failed: o.failed}
	o.request.Store(p)
	o.send(p)
	if o.call.Decided() { // ended would have withdrawn the one before
		o.backend.session.Withdraw(p)
	}
}

// ended gives up a call that ended, and tells the server when it has the request and nobody waits.
func (o *outgoing) ended(*rpc.Call) {
	b := o.backend
	b.leave(o)
	if o.answered.Load() {
		return
	}
	unsent := b.session.Withdraw(o.request.Load())
	if notices := b.options.CancelNotices; unsent || notices != nil && !*notices {
		return
	}
	_ = b.session.Publish(&mqttx.Publication{Topic: o.method.end, Payload: aimrtmqtt.AppendEnd(nil, o.method.reply, o.id), NoWait: true})
}

// replied ends the call that a reply belongs to.
func (b *Backend) replied(c *clientMethod, m *mqttx.Message) {
	r, err := aimrtmqtt.ReadResponse(m.Payload)
	if err != nil {
		b.drop(m.Topic, err)
		return
	}
	b.pendingMu.Lock()
	o := b.pending[r.ID]
	if o != nil && o.method.reply == c.reply {
		delete(b.pending, r.ID)
	} else {
		o = nil
	}
	b.pendingMu.Unlock()
	if o == nil || o.call.Decided() {
		return // late, as in AimRT without a word
	}
	if r.Code != 0 {
		o.finish(failedStatus(m, r.Code), rpc.Payload{})
		return
	}
	response, err := rpc.DecodePayload(o.call.Method.ResponseType(), r.Serialization, r.Message)
	if err != nil {
		o.finish(rpc.NewStatus(rpc.CodeCliDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	o.finish(rpc.OK, response)
}

// failedStatus is the status in a reply. A server of ours gives its own number and words beside AimRT's.
func failedStatus(m *mqttx.Message, code uint32) rpc.Status {
	if text, ok := m.UserProperty(propertyCode); ok {
		if n, err := strconv.ParseUint(text, 10, 32); err == nil && n != 0 {
			code = uint32(n)
		}
	}
	message, _ := m.UserProperty(propertyMessage)
	return aimrt.StatusOf(code, message[:min(len(message), maxMessageText)])
}

// lost ends the calls that nobody else would end: they have no timeout, and their request or reply may be gone.
func (b *Backend) lost(reason error) {
	b.endEach(func(o *outgoing) bool {
		p := o.request.Load()
		return o.call.Context.Timeout < 0 && p != nil && !b.session.Waiting(p)
	}, rpc.NewStatus(rpc.CodeConnectionLost, "connection to mqtt broker "+b.broker.BrokerAddr+" lost: "+reason.Error()))
}

// endPending ends all calls when the backend closes.
func (b *Backend) endPending() {
	b.endEach(func(*outgoing) bool { return true }, rpc.NewStatus(rpc.CodeCliBackendInternalError, "the mqtt backend was closed before the answer came"))
}

func (b *Backend) endEach(which func(*outgoing) bool, status rpc.Status) {
	var list []*outgoing
	b.pendingMu.Lock()
	for _, o := range b.pending {
		list = append(list, o)
	}
	b.pendingMu.Unlock()
	for _, o := range list {
		if which(o) {
			o.finish(status, rpc.Payload{})
		}
	}
}
