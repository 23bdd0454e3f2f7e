// Package aiomas is what aiomas' RPC layer means: who waits for which reply, what a path names, how a service inside a value is written, and
// how a failure is told. The bytes are those of package wire/aiomas; sockets, the host's or our own, are outside.
package aiomas
