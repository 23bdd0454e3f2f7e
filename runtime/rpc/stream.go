package rpc

import "context"

// Stream carries the messages of one call beyond the first. Both directions are bounded: a full buffer makes Send wait. One goroutine may
// send while another receives.
type Stream interface {
	// Send takes the payload over, waits for room, and fails when the call ended.
	Send(ctx context.Context, message Payload) error
	// Recv gives the next message, which the receiver releases. io.EOF tells that the peer closed its side; the outcome is the call's status.
	Recv(ctx context.Context) (Payload, error)
	// CloseSend tells the peer that no message follows.
	CloseSend() error
	// Cancel ends the call on both sides.
	Cancel(reason Status)
}

// Conn is one link to a peer with calls in both directions. Backends without lasting links give none.
type Conn interface {
	Invoker // over this very link
	Peer() Peer
	// Serve sets what answers the peer's calls.
	Serve(handler Handler)
	// OnClose adds what runs once when the link is gone, with the reason; at once when it is gone already.
	OnClose(f func(reason error))
	Close() error
}
