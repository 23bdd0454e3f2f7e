// Package grpcframe reads and writes gRPC's message framing: a flag byte, four
// bytes of length, the message, and optionally gzip inside. It is pure: bytes in,
// bytes out. Backends import it.
package grpcframe

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// PrefixBytes is the length of the prefix of every message.
const PrefixBytes = 5

// DefaultMaxMessage is the largest message unless the caller says otherwise.
const DefaultMaxMessage = 64 << 20

// ErrTruncated is data that ends inside a message.
var ErrTruncated = errors.New("data ends inside a message")

// SizeError is a message longer than allowed.
type SizeError struct {
	Size  uint64
	Limit int
	What  string // "message", "inflated message"
}

func (e *SizeError) Error() string {
	if e.Size == 0 {
		return fmt.Sprintf("%s exceeds MaxMessage (%d)", e.What, e.Limit)
	}
	return fmt.Sprintf("%s of %d bytes exceeds MaxMessage (%d)", e.What, e.Size, e.Limit)
}

// FlagError is a first byte that is neither 0 nor 1.
type FlagError struct{ Flag byte }

func (e *FlagError) Error() string {
	return fmt.Sprintf("message flag is %d; only 0 (plain) and 1 (compressed) exist", e.Flag)
}

// PutPrefix writes the prefix of a message of n bytes. n must fit 32 bits.
func PutPrefix(dst *[PrefixBytes]byte, n int, compressed bool) {
	dst[0] = 0
	if compressed {
		dst[0] = 1
	}
	binary.BigEndian.PutUint32(dst[1:], uint32(n))
}

// Message is one message; Data is a view.
type Message struct {
	Data       []byte
	Compressed bool
}

// prefix checks the first five bytes of b.
func prefix(b []byte, limit int) (n int, compressed bool, err error) {
	if b[0] > 1 {
		return 0, false, &FlagError{Flag: b[0]}
	}
	size := binary.BigEndian.Uint32(b[1:])
	if uint64(size) > uint64(limit) {
		return 0, false, &SizeError{Size: uint64(size), Limit: limit, What: "message"}
	}
	return int(size), b[0] == 1, nil
}

// Next takes the first message off b; ok is false when it is not complete yet.
func Next(b []byte, limit int) (m Message, rest []byte, ok bool, err error) {
	if len(b) < PrefixBytes {
		return Message{}, b, false, nil
	}
	n, compressed, err := prefix(b, limit)
	if err != nil || len(b)-PrefixBytes < n {
		return Message{}, b, false, err
	}
	end := PrefixBytes + n
	return Message{Data: b[PrefixBytes:end:end], Compressed: compressed}, b[end:], true, nil
}

// Single is the one message of a unary call's body. None is allowed only where
// the caller says so by looking at the length of body first.
func Single(body []byte, limit int) (Message, error) {
	m, rest, ok, err := Next(body, limit)
	switch {
	case err != nil:
		return Message{}, err
	case !ok:
		return Message{}, ErrTruncated
	case len(rest) > 0:
		return Message{}, fmt.Errorf("%d bytes behind the only message of a unary call", len(rest))
	}
	return m, nil
}

// Splitter cuts a stream of bytes into messages.
type Splitter struct {
	// MaxMessage limits a message; 0 means DefaultMaxMessage.
	MaxMessage int
	head       [PrefixBytes]byte
	got        int // bytes of head
	need       int // bytes of the message in all
	compressed bool
	part       []byte
}

// Push takes the next bytes and calls each with every message that is complete
// now; its Data is valid until each returns. An error of each or of the framing
// ends the stream.
func (s *Splitter) Push(p []byte, each func(Message) error) error {
	limit := s.MaxMessage
	if limit == 0 {
		limit = DefaultMaxMessage
	}
	for len(p) > 0 {
		if s.got == 0 {
			m, rest, ok, err := Next(p, limit)
			if err != nil {
				return err
			}
			if ok {
				p = rest
				if err := each(m); err != nil {
					return err
				}
				continue
			}
		}
		var err error
		if p, err = s.gather(p, limit, each); err != nil {
			return err
		}
	}
	return nil
}

// gather collects a message that came in pieces. Memory follows what has
// arrived, not what the prefix announces.
func (s *Splitter) gather(p []byte, limit int, each func(Message) error) ([]byte, error) {
	if s.got < PrefixBytes {
		n := copy(s.head[s.got:], p)
		s.got += n
		p = p[n:]
		if s.got < PrefixBytes {
			return p, nil
		}
		var err error
		if s.need, s.compressed, err = prefix(s.head[:], limit); err != nil {
			return nil, err
		}
		s.part = make([]byte, 0, min(s.need, 64<<10))
	}
	n := min(len(p), s.need-len(s.part))
	if have := len(s.part) + n; have > cap(s.part) {
		bigger := make([]byte, len(s.part), min(s.need, max(have, 2*cap(s.part))))
		copy(bigger, s.part)
		s.part = bigger
	}
	s.part = append(s.part, p[:n]...)
	p = p[n:]
	if len(s.part) < s.need {
		return p, nil
	}
	m := Message{Data: s.part, Compressed: s.compressed}
	s.got, s.part = 0, nil
	return p, each(m)
}

// Close says whether the stream ended between two messages.
func (s *Splitter) Close() error {
	if s.got > 0 {
		return ErrTruncated
	}
	return nil
}
