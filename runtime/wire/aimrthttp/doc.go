// Package aimrthttp is AimRT's RPC over HTTP as bytes: the request head with
// its percent-encoded metadata, content types, addresses, the answers of a
// server to calls good and bad, and what a client makes of an answer. It opens
// no socket and knows no call; backends use it together with an HTTP engine.
// The bytes are those of AimRT 1.7.0, kept in tests/vectors/aimrthttp.
package aimrthttp

// Header is one header field as on the wire. It is an alias so that an HTTP
// engine's headers can be passed without conversion.
type Header = struct{ Name, Value []byte }

// Pair is one entry of a call's metadata.
type Pair struct{ Key, Value string }

// MaxHeadBytes bounds a request head that AppendRequest makes.
const MaxHeadBytes = 64 << 10

// maxMessageBytes bounds the text kept of a failed answer.
const maxMessageBytes = 1 << 10

// Header names that are ours; AimRT ignores them.
const (
	headerStatusCode    = "aimrt-status-code"
	headerStatusMessage = "aimrt-status-message"
)

// RemoteEndpoint is the metadata key under which a server hands out its peer's
// address.
const RemoteEndpoint = "Remote-Endpoint"

// RemoteIdentity is the metadata key under which a server hands out the names
// that its peer proved to have, one entry each.
const RemoteIdentity = "Remote-Identity"

// equalFold compares a header name with a lower-case one.
func equalFold[T []byte | string](name T, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
