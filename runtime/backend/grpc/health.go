package grpc

import (
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// healthService is gRPC's standard service that tells whether a server works.
const healthService = "grpc.health.v1.Health"

// Limits of gRPC's own services, which come without a call and its limits.
const (
	maxHealthRequest = 4 << 10
	maxWatchers      = 1000 // clients that wait for a change
)

// States of a service, as the health service tells them.
const (
	serving        = 1
	notServing     = 2
	serviceUnknown = 3
)

// health knows which services run.
type health struct {
	mu       sync.Mutex // guards what follows; never held while a stream is used
	services map[string]bool
	running  bool
	stopped  bool
	watchers map[*h2.Exchange]bool
}

func newHealth() *health {
	return &health{services: map[string]bool{"": true, healthService: true}, watchers: map[*h2.Exchange]bool{}}
}

func (h *health) add(service string) {
	h.mu.Lock()
	h.services[service] = true
	h.mu.Unlock()
}

func (h *health) start() {
	h.mu.Lock()
	h.running = true
	h.mu.Unlock()
}

// stop tells all watchers that nothing is served any more, and ends their streams.
func (h *health) stop() {
	h.mu.Lock()
	h.running, h.stopped = false, true
	watchers := slices.Collect(maps.Keys(h.watchers))
	clear(h.watchers)
	h.mu.Unlock()
	for _, x := range watchers {
		_ = x.Send(frame(stateMessage(notServing)))
		_ = x.CloseSend(stopping)
	}
}

// stopping ends the streams of a server that stops.
var stopping = trailerOf(rpc.NewStatus(rpc.CodeUnavailable, "the server is stopping"))

// trailerOf is a status as trailers.
func trailerOf(status rpc.Status) *h2.Block {
	o := outcomeOf(status)
	return h2.NewBlock(o.Fields()...)
}

// paths are the functions of the service.
func (h *health) paths() map[string]func(*h2.Exchange) {
	return map[string]func(*h2.Exchange){
		"/" + healthService + "/Check": func(x *h2.Exchange) { x.Collect(maxHealthRequest, h.check) },
		"/" + healthService + "/Watch": func(x *h2.Exchange) { x.Collect(maxHealthRequest, h.watch) },
	}
}

// asked reads a request; false when there is none and the peer has been told.
func (h *health) asked(x *h2.Exchange, body []byte, err error) (state uint64, ok bool) {
	var service string
	if err == nil {
		body, err = unframe(body, header(x.Headers(), aimrtgrpc.HeaderEncoding), maxHealthRequest)
	}
	if err == nil {
		err = fieldsOf(body, func(number protowire.Number, value []byte, _ uint64) {
			if number == 1 {
				service = string(value)
			}
		})
	}
	if err != nil {
		refuse(x, statusOK, rpc.Statusf(rpc.CodeInvalidArgument, "health request: %v", err))
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.services[service]:
		return serviceUnknown, true
	case !h.running:
		return notServing, true
	}
	return serving, true
}

func (h *health) check(x *h2.Exchange, body []byte, err error) {
	state, ok := h.asked(x, body, err)
	switch {
	case !ok:
	case state == serviceUnknown:
		refuse(x, statusOK, rpc.NewStatus(rpc.CodeNotFound, "this server has no service of that name"))
	default:
		prefix, message := frame(stateMessage(state))
		_ = x.Respond(h2.Answer{Head: okHead, Prefix: prefix, Body: message, Trailer: okTrailer})
	}
}

func (h *health) watch(x *h2.Exchange, body []byte, err error) {
	state, ok := h.asked(x, body, err)
	if !ok {
		return
	}
	h.mu.Lock()
	full, stopped := len(h.watchers) >= maxWatchers, h.stopped
	h.mu.Unlock()
	switch {
	case full:
		refuse(x, statusOK, rpc.Statusf(rpc.CodeResourceExhausted, "%d clients watch the health already, the limit", maxWatchers))
		return
	case stopped:
		refuse(x, statusOK, rpc.NewStatus(rpc.CodeUnavailable, "the server is stopping"))
		return
	}
	_ = x.SendHeaders(okHead)
	_ = x.Send(frame(stateMessage(state)))
	h.mu.Lock()
	if stopped = h.stopped; !stopped {
		h.watchers[x] = true
	}
	h.mu.Unlock()
	if stopped {
		_ = x.CloseSend(stopping)
		return
	}
	x.OnGone(func() {
		h.mu.Lock()
		delete(h.watchers, x)
		h.mu.Unlock()
		x.Reset(h2.CodeCancel)
	})
}

// stateMessage is a HealthCheckResponse.
func stateMessage(state uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), state)
}

// frame gives a message with its prefix.
func frame(message []byte) (prefix, data []byte) {
	var p [framePrefix]byte
	grpcframe.PutPrefix(&p, len(message), false)
	return p[:], message
}

// fieldsOf calls f for the fields of a protobuf message: bytes or a number.
func fieldsOf(message []byte, f func(number protowire.Number, value []byte, varint uint64)) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var value []byte
		var varint uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		f(number, value, varint)
	}
	return nil
}
