// Package aiomas is the wire format of aiomas' RPC layer as bytes: frames of a
// four-byte big-endian length and a payload, payloads that are an array
// [type, id, content] in JSON, MsgPack or MsgPack inside a Blosc chunk, and
// requests whose content is [path, args, kwargs]. Args, kwargs and results stay the encoded bytes that
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
	// MsgPackBlosc is MsgPack of which every payload is one Blosc chunk. Args,
	// kwargs, results and all other single values are those of MsgPack.
	MsgPackBlosc
)

// String is the codec's name as aiomas spells it.
func (c Codec) String() string {
	switch c {
	case MsgPack:
		return "MsgPack"
	case MsgPackBlosc:
		return "MsgPackBlosc"
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
	// DefaultMaxFrameBytes bounds a payload, received or sent, inflated or not.
	DefaultMaxFrameBytes = 64 << 20
	// DefaultMaxDepth bounds how deep arrays and maps of one payload nest. The
	// message itself is level 1, a request's content level 2, its args level 3.
	DefaultMaxDepth = 128
	// DefaultMaxPathBytes bounds a request's path, in UTF-8.
	DefaultMaxPathBytes = 512
	// DefaultMaxIDBytes bounds an encoded message id, which a server repeats.
	DefaultMaxIDBytes = 256
	// DefaultMaxRatio bounds how many bytes one received byte of MsgPackBlosc may
	// inflate to, above the 4 MiB that are always allowed. Bytes that are all
	// alike inflate to some 250 times their size.
	DefaultMaxRatio = 100
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
	MaxRatio      int
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

func (f Format) maxFrame() int {
	n := orDefault(f.MaxFrameBytes, DefaultMaxFrameBytes)
	if f.Codec == MsgPackBlosc {
		return min(n, bloscCeiling)
	}
	return n
}

func (f Format) maxDepth() int { return min(orDefault(f.MaxDepth, DefaultMaxDepth), depthCeiling) }
func (f Format) maxPath() int  { return orDefault(f.MaxPathBytes, DefaultMaxPathBytes) }
func (f Format) maxID() int    { return orDefault(f.MaxIDBytes, DefaultMaxIDBytes) }
func (f Format) maxRatio() int { return orDefault(f.MaxRatio, DefaultMaxRatio) }

// Values is the format of the single values inside a payload: the same, except
// that a chunk holds plain MsgPack.
func (f Format) Values() Format {
	if f.Codec == MsgPackBlosc {
		f.Codec = MsgPack
	}
	return f
}
