package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// maxHeld bounds how many handlers may be held.
const maxHeld = 10_000

// handlerFunc answers later or inside.
type handlerFunc func(ctx context.Context, call *rpc.Call)

func (h handlerFunc) Handle(ctx context.Context, call *rpc.Call) { h(ctx, call) }

// answerLater is a call whose handler has not answered.
type answerLater struct {
	call *rpc.Call
	text string
}

// echo answers with the request.
func (a answerLater) echo() bool { return a.call.Finish(rpc.OK, echoOf(a.call)) }

// echoOf is the request as a response of its own.
func echoOf(call *rpc.Call) rpc.Payload {
	if message, types, ok := call.Request.Native(); ok {
		f := readFrame(message)
		return rpc.NativePayload(newFrame(f.text, f.body, f.number), types, nil)
	}
	body, _ := call.Request.Bytes("")
	return rpc.BytesPayload(call.Context.Serialization, append([]byte(nil), body...))
}

// textOf is the text of a request.
func textOf(call *rpc.Call) string {
	if message, _, ok := call.Request.Native(); ok {
		return readFrame(message).text
	}
	body, _ := call.Request.Bytes("")
	return string(body)
}

// answer makes a response of a text.
func answer(call *rpc.Call, text string) rpc.Payload {
	if _, types, ok := call.Request.Native(); ok {
		return rpc.NativePayload(newFrame(text, nil, fullNumber), types, nil)
	}
	return rpc.BytesPayload(call.Context.Serialization, []byte(text))
}

// handler of a method. A later one answers from another goroutine.
func (p *program) handler(r registration) (rpc.Handler, error) {
	var now handlerFunc
	switch r.Method {
	case "Echo", "PbOnly":
		now = func(_ context.Context, call *rpc.Call) { answerLater{call: call}.echo() }
	case "Status":
		now = serveStatus
	case "Fail":
		now = func(_ context.Context, call *rpc.Call) { panic(textOf(call)) }
		r.Later = false // a goroutine that panics is nobody's handler
	case "Context":
		now = serveContext
	case "Third":
		now = func(_ context.Context, call *rpc.Call) {
			from, _ := aimrt.MetadataOf(call, aimrt.KeyFromModule)
			call.Finish(rpc.OK, answer(call, "third got "+textOf(call)+" from "+from))
		}
	case "Nest":
		return p.nest(r.Later), nil
	case "Hold":
		return handlerFunc(func(_ context.Context, call *rpc.Call) { p.holds.add(answerLater{call, textOf(call)}) }), nil
	case "Gather":
		return handlerFunc(func(_ context.Context, call *rpc.Call) { p.gather.add(answerLater{call, textOf(call)}) }), nil
	default:
		return nil, fmt.Errorf("unknown method %q", r.Method)
	}
	if !r.Later {
		return now, nil
	}
	return handlerFunc(func(ctx context.Context, call *rpc.Call) {
		guard.Go("handler of "+r.Function, func() { now(ctx, call) })
	}), nil
}

func serveStatus(_ context.Context, call *rpc.Call) {
	number, text, _ := strings.Cut(textOf(call), " ")
	code, err := strconv.ParseUint(number, 10, 32)
	switch {
	case err != nil:
		call.Finish(rpc.NewStatus(rpc.CodeInvalidArgument, err.Error()), rpc.Payload{})
	case code == 0:
		answerLater{call: call}.echo()
	default:
		call.Finish(rpc.NewStatus(rpc.Code(code), text), rpc.Payload{})
	}
}

func serveContext(_ context.Context, call *rpc.Call) {
	text, err := json.Marshal(contextOf(call))
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrUnknown, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, answer(call, string(text)))
}

// nest calls the third module and answers with what that says.
func (p *program) nest(later bool) rpc.Handler {
	const third = "pb:/conformance.Third/Answer"
	if later {
		return handlerFunc(func(ctx context.Context, call *rpc.Call) {
			inner := p.clients[third].Start(context.Background(), nil, rpc.BytesPayload("pb", []byte(textOf(call))))
			inner.OnFinish(func(*rpc.Call) {
				body, _ := inner.Response().Bytes("")
				call.Finish(inner.Status(), answer(call, string(body)))
			})
		})
	}
	return handlerFunc(func(ctx context.Context, call *rpc.Call) {
		body, err := p.clients[third].Call(ctx, nil, []byte(textOf(call)))
		call.Finish(rpc.StatusOf(err), answer(call, string(body)))
	})
}

// hold is a call of method Hold.
type hold struct {
	arrived, unasked chan struct{}
	waiting          answerLater
}

// holds are the calls of method Hold by their key; who waits for one that has not come makes its place.
type holds struct {
	mu    sync.Mutex // guards what follows
	byKey map[string]*hold
}

func (h *holds) place(key string) *hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.byKey[key]
	if x == nil {
		x = &hold{arrived: make(chan struct{}), unasked: make(chan struct{})}
		h.byKey[key] = x
	}
	return x
}

func (h *holds) add(a answerLater) {
	x := h.place(a.text)
	x.waiting = a
	a.call.OnEnd(func(*rpc.Call) { close(x.unasked) })
	close(x.arrived)
}

func (h *holds) wait(key string, unasked bool) error {
	x := h.place(key)
	<-x.arrived
	if unasked {
		<-x.unasked
	}
	return nil
}

// release answers. Forced, it does nothing for a call that has not come.
func (h *holds) release(key string, force bool) (any, error) {
	x := h.place(key)
	if force {
		select {
		case <-x.arrived:
		default:
			return map[string]any{}, nil
		}
	}
	<-x.arrived
	told := "lost"
	if x.waiting.echo() {
		told = "ok"
	}
	return map[string]any{"finished": told}, nil
}

// gatherer answers calls when all of their group have arrived.
type gatherer struct {
	mu     sync.Mutex // guards what follows
	groups map[string][]answerLater
}

func (g *gatherer) add(a answerLater) {
	var group string
	var count, index int
	if _, err := fmt.Sscanf(a.text, "%s %d %d", &group, &count, &index); err != nil || count > maxHeld {
		a.call.Finish(rpc.Statusf(rpc.CodeInvalidArgument, "not <group> <count> <index>: %q", a.text), rpc.Payload{})
		return
	}
	g.mu.Lock()
	g.groups[group] = append(g.groups[group], a)
	var all []answerLater
	if len(g.groups[group]) == count {
		all = g.groups[group]
		delete(g.groups, group)
	}
	g.mu.Unlock()
	for _, one := range all {
		one.echo()
	}
}
