// Package value turns one encoded value into another encoding: JSON, as Python
// writes and reads it, and MsgPack. The rules are docs/values.md; where a value
// has no form in the other encoding that is an error, never a guess.
//
// Functions are pure and safe for any goroutine. Dialects, backends and the C
// front use it where the two ends of a call speak different encodings; what a
// value means is not its business.
package value

import (
	"errors"
	"fmt"

	wire "aimrtrpc/runtime/wire/aiomas"
)

// Limits that hold when a Limits names none.
const (
	// DefaultMaxBytes bounds the value in both encodings.
	DefaultMaxBytes = wire.DefaultMaxFrameBytes
	// DefaultMaxDepth bounds how deep arrays and maps nest; the outermost is
	// level 1.
	DefaultMaxDepth = wire.DefaultMaxDepth
)

// bytesCeiling is what MaxBytes may be set to: MsgPack counts with 32 bits.
const bytesCeiling = 1<<32 - 1

// Limits bound a conversion; 0 means the default.
type Limits struct {
	MaxBytes int
	MaxDepth int
}

// What can be wrong. Every error of this package wraps one of these.
var (
	// ErrMalformed: the source is not one value of its encoding.
	ErrMalformed = wire.ErrMalformed
	// ErrLimit: a limit is exceeded; see LimitError.
	ErrLimit = wire.ErrLimit
	// ErrNoForm: a part of the value cannot be written in the other encoding;
	// see FormError.
	ErrNoForm = errors.New("no form in the other encoding")
)

// LimitError says which field of Limits was exceeded.
type LimitError = wire.LimitError

// FormError names a part of a value that the other encoding has no form for.
type FormError struct {
	Offset int // of that part in the source
	What   string
	Want   string
}

func (e *FormError) Error() string {
	return fmt.Sprintf("%s at byte %d: %s, expected %s", e.What, e.Offset, ErrNoForm, e.Want)
}

// Unwrap makes errors.Is(err, ErrNoForm) true.
func (e *FormError) Unwrap() error { return ErrNoForm }

func (l Limits) maxBytes() int {
	if l.MaxBytes <= 0 {
		return DefaultMaxBytes
	}
	return min(l.MaxBytes, bytesCeiling)
}

// check tells whether src is one value within the limits.
func (l Limits) check(codec wire.Codec, src []byte) error {
	if err := l.fits(len(src)); err != nil {
		return err
	}
	_, err := wire.Format{Codec: codec, MaxFrameBytes: l.maxBytes(), MaxDepth: l.MaxDepth}.Check(src)
	return err
}

func (l Limits) fits(n int) error {
	if n > l.maxBytes() {
		return &LimitError{Limit: "MaxBytes", Max: l.maxBytes(), Got: int64(n)}
	}
	return nil
}
