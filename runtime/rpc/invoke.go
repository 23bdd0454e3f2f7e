package rpc

import "context"

// Invoker starts calls. It never waits for the answer; the call ends with Finish.
type Invoker interface {
	Invoke(ctx context.Context, call *Call)
}

// Handler serves calls. It may return before the call is finished.
type Handler interface {
	Handle(ctx context.Context, call *Call)
}

// Next is the rest of a chain: further filters, then the backend or the handler.
type Next func(ctx context.Context, call *Call)

// Invoke makes a Next an Invoker.
func (n Next) Invoke(ctx context.Context, call *Call) { n(ctx, call) }

// Handle makes a Next a Handler.
func (n Next) Handle(ctx context.Context, call *Call) { n(ctx, call) }

// Filter is advice around a call, on either side. It goes on with next, or finishes the call itself; work after the call goes into
// OnFinish. It must be safe for concurrent calls.
type Filter func(ctx context.Context, call *Call, next Next)

// Wait blocks until the call has ended and its OnFinish work is done, or ctx has. It must not be used inside OnFinish of the same call.
// When ctx ends first the call is ended with the status of ctx.Err, and the outcome is whatever won.
func Wait(ctx context.Context, call *Call) Status {
	select {
	case <-call.Done():
	case <-ctx.Done():
		call.End(StatusOf(ctx.Err()))
		<-call.Done()
	}
	return call.Status()
}
