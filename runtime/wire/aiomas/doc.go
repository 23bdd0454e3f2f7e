// Package aiomas is the wire format of aiomas' RPC layer as bytes: frames of a
// four-byte big-endian length and a payload, payloads that are an array
// [type, id, content] in JSON or MsgPack, and requests whose content is
// [path, args, kwargs]. Args, kwargs and results stay the encoded bytes that
// came in; this package checks that they are one well-formed value within the
// limits and never looks at what they mean.
//
// It opens no socket and keeps no calls. Dialects, backends and the host-driven
// connection use it. The bytes are those of aiomas 2.0.1, kept in
// tests/vectors/aiomas.
package aiomas

// Codec is how a payload is encoded. Both ends agree on it out of band; the
// zero value is aiomas' default.
type Codec uint8

const (
	// JSON is UTF-8 JSON with the literals NaN, Infinity and -Infinity.
	JSON Codec = iota
	// MsgPack distinguishes text and bytes.
	MsgPack
)

// String is the codec's name as aiomas spells it.
func (c Codec) String() string {
	if c == MsgPack {
		return "MsgPack"
	}
	return "JSON"
}

// Kind is the first element of a message.
type Kind uint8

// The kinds of a message; the numbers are on the wire.
const (
	Request   Kind = 0
	Result    Kind = 1
	Exception Kind = 2
)

// String names the kind for logs.
func (k Kind) String() string {
	switch k {
	case Request:
		return "request"
	case Result:
		return "result"
	case Exception:
		return "exception"
	}
	return "unknown"
}

// Limits that hold when a Format names none.
const (
	// DefaultMaxFrameBytes bounds a payload, received or sent.
	DefaultMaxFrameBytes = 64 << 20
	// DefaultMaxDepth bounds how deep arrays and maps of one payload nest. The
	// message itself is level 1, a request's content level 2, its args level 3.
	DefaultMaxDepth = 128
	// DefaultMaxPathBytes bounds a request's path, in UTF-8.
	DefaultMaxPathBytes = 512
	// DefaultMaxIDBytes bounds an encoded message id, which a server repeats.
	DefaultMaxIDBytes = 256
)

// depthCeiling is what MaxDepth may be set to: nesting costs stack.
const depthCeiling = 10000

// Format is a codec with its limits; a limit of 0 means the default. A Format
// is a plain value without state and may be used from any goroutine.
type Format struct {
	Codec         Codec
	MaxFrameBytes int
	MaxDepth      int
	MaxPathBytes  int
	MaxIDBytes    int
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

func (f Format) maxFrame() int { return orDefault(f.MaxFrameBytes, DefaultMaxFrameBytes) }
func (f Format) maxDepth() int { return min(orDefault(f.MaxDepth, DefaultMaxDepth), depthCeiling) }
func (f Format) maxPath() int  { return orDefault(f.MaxPathBytes, DefaultMaxPathBytes) }
func (f Format) maxID() int    { return orDefault(f.MaxIDBytes, DefaultMaxIDBytes) }
