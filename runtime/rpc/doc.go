// Package rpc is the model that every layer and every dialect speaks: what can be called (Method), one invocation (Call), what a user
// sets beside the request (CallContext), messages (Payload), outcomes (Status), and who is at the other end (Peer, Target, Conn).
//
// It knows no wire, no configuration and no language, imports the standard library and the panic guard only, and may be imported by everything above it
// except wire and transport packages.
//
// The central idea is the continuation: a Call is passed down the layers and somebody, on any goroutine, ends it with Finish. The first
// Finish wins and every later one is told that it lost. Layers that have work to do after the call add it with OnFinish, which unwinds
// last in, first out. Wait gives the blocking view.
package rpc
