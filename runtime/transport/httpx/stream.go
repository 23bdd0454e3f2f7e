package httpx

import (
	"bytes"
	"io"
	"net"
	"sync"
)

// buffer holds received bytes, b[r:w] being unread, and the scratch memory of
// one message. Views of a message point into it, so it moves to the message's
// owner (see stream.detach) when the message outlives the next read.
type buffer struct {
	b       []byte
	r, w    int
	headers []Header
	body    []byte
}

var buffers = sync.Pool{New: func() any {
	return &buffer{b: make([]byte, initialBufferBytes), headers: make([]Header, 0, 24)}
}}

// free gives the buffer back; nothing may point into it any more. Memory that
// an unusual message made large is dropped.
func (b *buffer) free() {
	if cap(b.b) > initialBufferBytes {
		b.b = make([]byte, initialBufferBytes)
	}
	if cap(b.body) > keptBodyBytes {
		b.body = nil
	}
	clear(b.headers[:cap(b.headers)])
	b.r, b.w, b.headers, b.body = 0, 0, b.headers[:0], b.body[:0]
	buffers.Put(b)
}

// grow makes room for at least one more byte, moving unread bytes to the front
// first. It must not be called while views into the buffer are alive.
func (b *buffer) grow() {
	if b.r > 0 {
		b.w = copy(b.b, b.b[b.r:b.w])
		b.r = 0
	}
	if b.w == len(b.b) {
		bigger := make([]byte, 2*len(b.b))
		copy(bigger, b.b[:b.w])
		b.b = bigger
	}
}

// takeBody gives a message's body away: own's memory, or a copy where the body
// lies behind the head (own is nil) or is a small part of that memory.
func takeBody(own *buffer, body []byte) []byte {
	if own == nil || cap(body) > 2*len(body) {
		return append(make([]byte, 0, len(body)), body...)
	}
	own.body = nil
	return body
}

// stream reads messages from one connection.
type stream struct {
	conn net.Conn
	in   *buffer
	// read is one read from the connection into p; the owner arms deadlines in it.
	read func(p []byte) (int, error)
}

// rewind starts an empty buffer over, a small one again after a large message.
// No views into it may be alive.
func (s *stream) rewind() {
	if len(s.in.b) > initialBufferBytes {
		s.in.free()
		s.in = buffers.Get().(*buffer)
	}
	s.in.r, s.in.w = 0, 0
}

// fill reads at least one byte into the space behind in.w; there must be some.
func (s *stream) fill() error {
	n, err := s.read(s.in.b[s.in.w:])
	s.in.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// detach leaves the current buffer, with the views into it, to the message and
// carries the unread bytes over to a new one.
func (s *stream) detach() *buffer {
	old := s.in
	in := buffers.Get().(*buffer)
	left := old.b[old.r:old.w]
	if len(left) > len(in.b) {
		in.b = make([]byte, len(left)+initialBufferBytes)
	}
	in.w = copy(in.b, left)
	s.in = in
	return old
}

// head waits for a complete message head and returns it as a view; the unread
// bytes begin behind it. No views may be alive when it is called.
func (s *stream) head(maxBytes int) ([]byte, error) {
	var scan headScan
	for {
		got := min(s.in.w-s.in.r, maxBytes)
		n, bad := scan.end(s.in.b[s.in.r : s.in.r+got])
		if bad != nil {
			return nil, bad
		}
		if n == 0 && got == maxBytes {
			return nil, malformed(431, "message head", "longer than %d bytes", maxBytes)
		}
		if n > 0 {
			head := s.in.b[s.in.r : s.in.r+n : s.in.r+n]
			s.in.r += n
			return head, nil
		}
		if s.in.w == len(s.in.b) {
			s.in.grow()
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// inPlace reports whether n more bytes fit behind the head in the same buffer.
func (s *stream) inPlace(n int64) bool { return n <= int64(len(s.in.b)-s.in.r) }

// bodyInPlace reads n bytes behind the head and returns them as a view.
func (s *stream) bodyInPlace(n int) ([]byte, error) {
	for s.in.w-s.in.r < n {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	body := s.in.b[s.in.r : s.in.r+n : s.in.r+n]
	s.in.r += n
	return body, nil
}

// bodyFixed reads n bytes into memory of its own. Memory follows what has
// arrived, not what the peer announced.
func (s *stream) bodyFixed(dst []byte, n int) ([]byte, error) {
	dst = ensure(dst[:0], min(n, 64<<10))
	got := copy(dst[:min(n, cap(dst))], s.in.b[s.in.r:s.in.w])
	s.in.r += got
	for got < n {
		if got == cap(dst) {
			more := n
			if got < 1<<20 {
				more = min(n, 1<<20)
			}
			dst = ensure(dst[:got], more)
		}
		m, err := s.read(dst[got:min(n, cap(dst))])
		got += m
		if m == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return nil, err
		}
	}
	return dst[:n], nil
}

// ensure keeps the bytes of b and gives it room for n in all.
func ensure(b []byte, n int) []byte {
	if cap(b) >= n {
		return b
	}
	bigger := make([]byte, len(b), n)
	copy(bigger, b)
	return bigger
}

// bodyChunked reads a chunked body and drops its trailer. limitName is the
// configuration field behind max.
func (s *stream) bodyChunked(dst []byte, max int) ([]byte, error) {
	dst = dst[:0]
	for {
		line, err := s.line(maxChunkLineBytes, "chunk size")
		if err != nil {
			return nil, err
		}
		digits, _, _ := bytes.Cut(line, []byte{';'})
		size, ok := hexSize(trimBlanks(digits))
		if !ok || !allOf(line, classValue) {
			return nil, malformed(400, "chunk size", "%s is not a hexadecimal number", sample(line))
		}
		if size == 0 {
			return dst, s.trailer()
		}
		if size > int64(max-len(dst)) {
			return nil, &LimitError{Name: "MaxBodyBytes", Limit: max, What: "chunked body"}
		}
		if dst, err = s.chunk(dst, int(size)); err != nil {
			return nil, err
		}
	}
}

// chunk appends n bytes and checks the CRLF behind them.
func (s *stream) chunk(dst []byte, n int) ([]byte, error) {
	for n > 0 {
		if s.in.r == s.in.w {
			s.in.r, s.in.w = 0, 0
			if err := s.fill(); err != nil {
				return nil, err
			}
		}
		part := s.in.b[s.in.r:s.in.w]
		part = part[:min(n, len(part))]
		dst = append(dst, part...)
		s.in.r += len(part)
		n -= len(part)
	}
	end, err := s.line(0, "chunk")
	if err == nil && len(end) != 0 {
		err = malformed(400, "chunk", "%s where its end should be", sample(end))
	}
	return dst, err
}

func (s *stream) trailer() error {
	for left := maxTrailerBytes; ; {
		line, err := s.line(left, "trailer")
		if err != nil || len(line) == 0 {
			return err
		}
		left -= len(line)
		var f fields
		if bad := f.add(line); bad != nil {
			bad.Where = "trailer"
			return bad
		}
	}
}

// line reads one line of at most max bytes and returns it without its CRLF.
// The view is valid until the next read.
func (s *stream) line(max int, where string) ([]byte, error) {
	for from := 0; ; {
		unread := s.in.b[s.in.r:s.in.w]
		if i := bytes.IndexByte(unread[from:], '\n'); i >= 0 {
			i += from
			if i == 0 || unread[i-1] != '\r' {
				return nil, malformed(400, where, "%s ends in a bare LF", sample(unread[:i]))
			}
			if i-1 > max {
				return nil, malformed(400, where, "%s... is longer than %d bytes", sample(unread[:i-1]), max)
			}
			s.in.r += i + 1
			return unread[:i-1], nil
		}
		if from = len(unread); from > max+1 {
			return nil, malformed(400, where, "%s is longer than %d bytes", sample(unread), max)
		}
		if s.in.w == len(s.in.b) {
			s.in.grow()
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
}

// bodyToEnd reads until the peer closes: the oldest way to end a response.
func (s *stream) bodyToEnd(dst []byte, max int) ([]byte, error) {
	dst = append(dst[:0], s.in.b[s.in.r:s.in.w]...)
	s.in.r, s.in.w = 0, 0
	for {
		if len(dst) > max {
			return nil, &LimitError{Name: "MaxBodyBytes", Limit: max, What: "body up to the end of the connection"}
		}
		err := s.fill()
		dst = append(dst, s.in.b[:s.in.w]...)
		s.in.w = 0
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
