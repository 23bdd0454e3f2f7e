package framed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// readBuffer is what one read takes at most of small frames.
	readBuffer = 16 << 10
	// firstPiece is allocated for a longer frame before its bytes are there;
	// from then on memory is at most readAhead times what has arrived.
	firstPiece = 64 << 10
	readAhead  = 8
)

// reader cuts frames out of the socket.
type reader struct {
	conn *Conn
	buf  []byte
	have []byte // unread part of buf

	armed bool // a deadline is set
}

// next is the next payload, in memory of its own.
func (r *reader) next() ([]byte, error) {
	if r.buf == nil {
		r.buf = make([]byte, readBuffer)
	}
	for len(r.have) < headerBytes {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	size := binary.BigEndian.Uint32(r.have)
	if limit := r.conn.cfg.MaxFrameBytes; int64(size) > int64(limit) {
		return nil, &FrameSizeError{Size: int64(size), Max: limit, Received: true}
	}
	r.have = r.have[headerBytes:]
	return r.body(int(size))
}

func (r *reader) body(size int) ([]byte, error) {
	payload := make([]byte, min(size, firstPiece))
	at := copy(payload, r.have)
	r.have = r.have[at:]
	for {
		for at < len(payload) {
			n, err := r.read(payload[at:], true)
			if at += n; err != nil {
				return nil, err
			}
		}
		if at == size {
			return payload, nil
		}
		longer := make([]byte, min(size, readAhead*len(payload)))
		copy(longer, payload)
		payload = longer
	}
}

// fill reads more behind an incomplete header.
func (r *reader) fill() error {
	r.have = r.buf[:copy(r.buf, r.have)]
	n, err := r.read(r.buf[len(r.have):], len(r.have) > 0)
	r.have = r.buf[:len(r.have)+n]
	return err
}

// read reads at least one byte, with the deadline for a pause inside a frame or
// between two.
func (r *reader) read(into []byte, inside bool) (int, error) {
	c := r.conn
	c.Flush()
	for {
		limit := c.cfg.IdleTimeout
		if inside {
			limit = c.cfg.ReadTimeout
		}
		if err := r.arm(limit); err != nil {
			return 0, err
		}
		n, err := c.nc.Read(into)
		switch {
		case n > 0:
			return n, nil // a lasting error comes again
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && inside:
			return 0, fmt.Errorf("%w for %v", ErrReadStalled, limit)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if c.awake() {
				continue
			}
			return 0, fmt.Errorf("%w for %v", ErrIdle, limit)
		case errors.Is(err, io.EOF) && inside:
			return 0, errTruncated
		case errors.Is(err, io.EOF):
			return 0, ErrPeerClosed
		}
		return 0, err
	}
}

// arm sets the deadline of the next read, none for 0.
func (r *reader) arm(limit time.Duration) error {
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	} else if !r.armed {
		return nil
	}
	r.armed = limit > 0
	return r.conn.nc.SetReadDeadline(deadline)
}

// awake tells whether a connection that receives nothing is in use.
func (c *Conn) awake() bool {
	if time.Since(time.Unix(0, c.lastSent.Load())) < c.cfg.IdleTimeout || c.Queued() > 0 {
		return true
	}
	return c.cfg.Busy != nil && c.cfg.Busy()
}
