package aiomas

import (
	"encoding/binary"
	"fmt"
)

// HeaderBytes is the size of the length in front of every payload.
const HeaderBytes = 4

// splitterKeep is the buffer a Splitter holds on to between frames.
const splitterKeep = 64 << 10

// Memory is where a Splitter keeps an incomplete frame when it is not to be
// Go's. Its two functions take turns: after Give, Grow begins with nothing.
type Memory interface {
	// Grow gives room for size bytes that begins with those of held, which was
	// got from it before and is used no more; nil when there is none.
	Grow(held []byte, size int) []byte
	// Give takes back memory whose payload has been given out. The payload has
	// to stay as it is until the next feed.
	Give(held []byte)
}

// BeginFrame leaves room for a header; the payload is appended next and
// EndFrame, given the same mark, fills the header in.
func BeginFrame(dst []byte) (frame []byte, mark int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

// EndFrame writes the length of what was appended since BeginFrame. A payload
// above MaxFrameBytes is cut off again, header included, and reported.
func (f Format) EndFrame(frame []byte, mark int) ([]byte, error) {
	return f.EndFrameAround(frame, mark, 0)
}

// EndFrameAround is EndFrame for a payload of which so many bytes are elsewhere.
func (f Format) EndFrameAround(frame []byte, mark, elsewhere int) ([]byte, error) {
	n := len(frame) - mark - HeaderBytes + elsewhere
	if n > f.maxFrame() || int64(n) > 1<<32-1 {
		return frame[:mark], &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(n)}
	}
	binary.BigEndian.PutUint32(frame[mark:], uint32(n))
	return frame, nil
}

// Splitter cuts received bytes into payloads, however they were segmented. It
// holds at most one incomplete frame, and never more memory than twice what has
// arrived of it: an announced length reserves nothing.
type Splitter struct {
	// MaxFrameBytes bounds a payload; 0 means DefaultMaxFrameBytes.
	MaxFrameBytes int
	// Memory for incomplete frames; nil: Go's.
	Memory Memory

	held  []byte // header and payload so far of the incomplete frame
	given bool   // held is the payload that the last Next gave
}

// Buffered is the number of bytes held of an incomplete frame.
func (s *Splitter) Buffered() int {
	if s.given {
		return 0
	}
	return len(s.held)
}

// Held tells whether the payload that the last Next gave is in Memory.
func (s *Splitter) Held() bool { return s.given && s.Memory != nil }

// Feed takes the next bytes and calls each for every payload they complete, in
// order. The payload is borrowed: it is valid until each returns. An error of
// each ends the feed and is returned; the rest of data is then lost, so the
// connection has to be closed. A frame above MaxFrameBytes is a LimitError as
// soon as its header is there.
func (s *Splitter) Feed(data []byte, each func(payload []byte) error) error {
	for {
		payload, rest, ok, err := s.Next(data)
		if err != nil || !ok {
			return err
		}
		if err := each(payload); err != nil {
			return err
		}
		data = rest
	}
}

// Next takes the next bytes and gives the first payload they complete, and the
// bytes after it, which go into the next Next. Without a complete payload, ok is
// false and all of data is held. The payload is borrowed: it is valid until the
// next Next or Feed. A frame above MaxFrameBytes is a LimitError as soon as its
// header is there.
func (s *Splitter) Next(data []byte) (payload, rest []byte, ok bool, err error) {
	s.forget()
	if len(s.held) > 0 {
		return s.resume(data)
	}
	size := HeaderBytes
	if len(data) >= HeaderBytes {
		n, err := s.length(data)
		if err != nil {
			return nil, nil, false, err
		}
		size += n
		if len(data) >= size {
			return data[HeaderBytes:size:size], data[size:], true, nil
		}
	}
	return nil, nil, false, s.hold(data, size)
}

// hold adds data to what is held of a frame of that size. Memory doubles as the
// frame arrives and ends at its size.
func (s *Splitter) hold(data []byte, size int) error {
	if need := len(s.held) + len(data); need > cap(s.held) {
		room := min(max(2*need, smallestHeld), max(size, need))
		switch {
		case s.Memory != nil:
			n := len(s.held)
			longer := s.Memory.Grow(s.held, room)
			if len(longer) < room {
				return fmt.Errorf("no memory for %d bytes of a frame", room)
			}
			s.held = longer[:n]
		case len(s.held) == 0:
			s.held = make([]byte, 0, room)
		default:
			s.held = append(make([]byte, 0, room), s.held...)
		}
	}
	s.held = append(s.held, data...)
	return nil
}

// smallestHeld is the first memory of an incomplete frame, if that is as long.
const smallestHeld = 512

// forget drops the held payload that was given out last.
func (s *Splitter) forget() {
	if !s.given {
		return
	}
	s.given = false
	if s.Memory != nil {
		s.Memory.Give(s.held)
		s.held = nil
		return
	}
	if s.held = s.held[:0]; cap(s.held) > splitterKeep {
		s.held = nil
	}
}

// resume completes the held frame as far as data goes.
func (s *Splitter) resume(data []byte) (payload, rest []byte, ok bool, err error) {
	if len(s.held) < HeaderBytes {
		k := min(HeaderBytes-len(s.held), len(data))
		if err := s.hold(data[:k], HeaderBytes); err != nil {
			return nil, nil, false, err
		}
		data = data[k:]
		if len(s.held) < HeaderBytes {
			return nil, nil, false, nil
		}
	}
	n, err := s.length(s.held)
	if err != nil {
		return nil, nil, false, err
	}
	k := min(HeaderBytes+n-len(s.held), len(data))
	if err := s.hold(data[:k], HeaderBytes+n); err != nil {
		return nil, nil, false, err
	}
	data = data[k:]
	if len(s.held) < HeaderBytes+n {
		return nil, nil, false, nil
	}
	s.given = true
	return s.held[HeaderBytes:], data, true, nil
}

func (s *Splitter) length(header []byte) (int, error) {
	n := binary.BigEndian.Uint32(header)
	if limit := orDefault(s.MaxFrameBytes, DefaultMaxFrameBytes); int64(n) > int64(limit) {
		return 0, &LimitError{Limit: "MaxFrameBytes", Max: limit, Got: int64(n)}
	}
	return int(n), nil
}
