// Package echo answers every call with its own request. It needs no network and no service, so that bindings and filters can be tested
// against it, and it can be slow, silent or failing on request.
package echo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/rpc"
)

// Name of the backend.
const Name = "echo"

type options struct {
	DelayMS uint32 `cfg:"delay_ms"` // answer so much later, on another thread
	Code    uint32 `cfg:"code"`     // answer with this code
	Silent  bool   `cfg:"silent"`   // never answer
}

// Backend is the echo backend of one runtime.
type Backend struct {
	options options
	running atomic.Bool

	mu      sync.Mutex // guards pending
	pending map[*rpc.Call]*time.Timer
}

// New makes the backend.
func New(env backend.Environment) (backend.Backend, error) {
	b := &Backend{pending: map[*rpc.Call]*time.Timer{}}
	return b, env.Options.Decode(&b.options)
}

// RegisterClient accepts everything.
func (b *Backend) RegisterClient(*rpc.Method) error { return nil }

// RegisterService accepts the service and never calls it.
func (b *Backend) RegisterService(*rpc.Method, rpc.Handler) error { return nil }

// Start lets calls in.
func (b *Backend) Start(context.Context) error {
	b.running.Store(true)
	return nil
}

// Stop does nothing.
func (b *Backend) Stop() {}

// Close ends the calls that wait.
func (b *Backend) Close(context.Context) error {
	b.running.Store(false)
	b.mu.Lock()
	pending := b.pending
	b.pending = map[*rpc.Call]*time.Timer{}
	b.mu.Unlock()
	for call, timer := range pending {
		if timer != nil {
			timer.Stop()
		}
		call.End(rpc.NewStatus(rpc.CodeCliBackendInternalError, "the echo backend was closed"))
	}
	return nil
}

// Accept takes every call while it runs.
func (b *Backend) Accept(*rpc.Call) rpc.Status {
	if !b.running.Load() {
		return rpc.NewStatus(rpc.CodeCliBackendInternalError, "the echo backend does not run")
	}
	return rpc.OK
}

// Invoke answers with the request, now or later.
func (b *Backend) Invoke(_ context.Context, call *rpc.Call) {
	if status := b.Accept(call); !status.OK() {
		call.Finish(status, rpc.Payload{})
		return
	}
	call.SetPeer(rpc.Peer{Scheme: Name})
	if !b.options.Silent && b.options.DelayMS == 0 {
		b.answer(call)
		return
	}
	b.mu.Lock()
	b.pending[call] = nil
	if !b.options.Silent {
		b.pending[call] = time.AfterFunc(time.Duration(b.options.DelayMS)*time.Millisecond, func() {
			defer guard.Recover("echo backend")
			b.answer(call)
		})
	}
	b.mu.Unlock()
	call.OnFinish(b.forget)
}

func (b *Backend) forget(call *rpc.Call) {
	b.mu.Lock()
	if timer := b.pending[call]; timer != nil {
		timer.Stop()
	}
	delete(b.pending, call)
	b.mu.Unlock()
}

func (b *Backend) answer(call *rpc.Call) {
	name := call.Context.Serialization
	if !call.Method.Supports(name) {
		call.Finish(rpc.Statusf(rpc.CodeCliInvalidSerializationType, "%q does not support serialization %q", call.Method.Name(), name), rpc.Payload{})
		return
	}
	data, err := call.Request.Bytes(name)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.StatusOfCode(rpc.Code(b.options.Code)), rpc.BytesPayload(name, data))
}
