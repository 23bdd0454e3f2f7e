package aiomas

import (
	"errors"
	"fmt"
)

// What can be wrong with received bytes. Every error of this package wraps one
// of these; the texts around them name value, place and expectation.
var (
	// ErrMalformed: the payload is not one value of its codec.
	ErrMalformed = errors.New("malformed payload")
	// ErrNotMessage: the payload is no array [type, id, content], or its type
	// is not 0, 1 or 2.
	ErrNotMessage = errors.New("not a message")
	// ErrNotCall: a request's content is no array [path, args, kwargs] with a
	// text as path.
	ErrNotCall = errors.New("not a call")
	// ErrLimit: a limit of the Format is exceeded; see LimitError.
	ErrLimit = errors.New("limit exceeded")
	// ErrNotAround: a codec that has to see the content wrote a payload around it.
	ErrNotAround = errors.New("payloads of this codec cannot be written around their content")
	// ErrUnsupported: a Blosc chunk is compressed in a way that no aiomas uses
	// and that is not read here.
	ErrUnsupported = errors.New("unsupported compression")
)

// LimitError says which limit was exceeded.
type LimitError struct {
	Limit string // name of the Format field
	Max   int
	Got   int64 // the size found; for MaxDepth the first level refused
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%d is more than %s %d", e.Got, e.Limit, e.Max)
}

// Unwrap makes errors.Is(err, ErrLimit) true.
func (e *LimitError) Unwrap() error { return ErrLimit }

// SyntaxError says where a payload stops being well-formed.
type SyntaxError struct {
	Codec  Codec
	Offset int // in the bytes given to the function; of a Blosc chunk's MsgPack, in the inflated bytes
	Want   string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("malformed %s at byte %d: expected %s", e.Codec, e.Offset, e.Want)
}

// Unwrap makes errors.Is(err, ErrMalformed) true.
func (e *SyntaxError) Unwrap() error { return ErrMalformed }

func (f Format) syntax(offset int, want string) error {
	return &SyntaxError{Codec: f.Codec, Offset: offset, Want: want}
}
