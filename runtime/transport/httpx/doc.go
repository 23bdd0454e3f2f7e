// Package httpx is a small HTTP/1.1 engine for both sides of a connection.
//
// It exists beside net/http for two reasons. AimRT carries call metadata in
// header fields whose names are case-sensitive and may not be reordered, and
// net/http canonicalises and sorts them; here a header is an ordered list of
// raw name/value bytes. And a call should cost no thread hop that the network
// does not force: the goroutine that reads a request calls the handler, the
// goroutine that starts a request writes it, one system call each.
//
// A request is made at most once: it may move to another connection only while
// no byte of it is out. The client looks at a connection before it writes there.
//
// The server parses strictly (what two parsers could understand differently is
// refused) and the client names what was wrong with an answer. Every size, count
// and wait has a limit that the configuration can change. The package knows no
// method, no status code of an RPC and no content type; backends import it.
package httpx

import "time"

// Default limits. A zero in a configuration means the value here.
const (
	DefaultMaxHeadBytes      = 64 << 10
	DefaultMaxHeaders        = 128
	DefaultMaxBodyBytes      = 64 << 20
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultServerIdleTimeout = 2 * time.Minute
	DefaultWriteTimeout      = 30 * time.Second
	DefaultGoneGrace         = 10 * time.Second
	DefaultMinBodyRate       = 1 << 10 // bytes per second
	DefaultMaxServerConns    = 10000

	DefaultClientIdleTimeout = 60 * time.Second
	DefaultDialTimeout       = 10 * time.Second
	DefaultMaxConnsPerHost   = 1000
	DefaultMaxHosts          = 1000
	DefaultMaxQueued         = 65536
	DefaultMaxQueuedBytes    = 256 << 20
)

// Fixed bounds of the engine.
const (
	initialBufferBytes  = 4 << 10   // per connection; a small call fits
	keptBodyBytes       = 256 << 10 // larger body buffers are not reused
	coalesceBytes       = 8 << 10   // head plus body up to this go out as one copied write
	maxChunkLineBytes   = 256       // size and extensions of one chunk
	maxTrailerBytes     = 8 << 10
	maxInterimResponses = 8 // 1xx answers before the final one
	lingerTime          = time.Second
	lingerBytes         = 256 << 10
)

// Header is one header field as it stood on the wire: the name's case, the
// order and the escaping are the peer's; the value has no outer blanks. It is
// an alias so that packages which may not import each other can share it.
type Header = struct{ Name, Value []byte }

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
