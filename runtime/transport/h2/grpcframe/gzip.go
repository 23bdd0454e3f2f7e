package grpcframe

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxRatio is how many times larger than its compressed form a message may be.
const MaxRatio = 100

// FreeBytes may come out of however few bytes: messages of zeros compress a
// thousand times, and other implementations of gRPC send them. As many of these
// as a connection has streams (1000) stay below what it may buffer anyway.
const FreeBytes = 256 << 10

// RatioError is a message that inflates more than MaxRatio allows.
type RatioError struct{ Deflated int }

func (e *RatioError) Error() string {
	return fmt.Sprintf("%d compressed bytes inflate to more than %d times as many", e.Deflated, MaxRatio)
}

var (
	writers sync.Pool // *gzip.Writer
	readers sync.Pool // *gzip.Reader
)

// Gzip appends the compressed form of data to dst.
func Gzip(dst, data []byte) []byte {
	out := bytes.NewBuffer(dst)
	w, _ := writers.Get().(*gzip.Writer)
	if w == nil {
		w = gzip.NewWriter(out)
	} else {
		w.Reset(out)
	}
	defer writers.Put(w)
	// A bytes.Buffer takes everything, so neither call can fail.
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// gzipBytes are the header and the trailer of a gzip file.
const gzipBytes = 18

// Gunzip is the message inside data, at most limit bytes (0: DefaultMaxMessage)
// and MaxRatio times as many as data has, FreeBytes in any case. The file's last
// four bytes announce the size: one beyond the limits is refused unread, and
// what does not keep to its size is broken.
func Gunzip(data []byte, limit int) ([]byte, error) {
	if limit == 0 {
		limit = DefaultMaxMessage
	}
	if len(data) < gzipBytes {
		return nil, fmt.Errorf("compressed message: %w", io.ErrUnexpectedEOF)
	}
	r, _ := readers.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	defer readers.Put(r)
	in := bytes.NewReader(data)
	if err := r.Reset(in); err != nil {
		return nil, fmt.Errorf("compressed message: %w", unexpected(err))
	}
	r.Multistream(false)
	size := binary.LittleEndian.Uint32(data[len(data)-4:])
	switch most := min(limit, max(FreeBytes, MaxRatio*len(data))); {
	case uint64(size) > uint64(limit):
		return nil, &SizeError{Size: uint64(size), Limit: limit, What: "inflated message"}
	case uint64(size) > uint64(most):
		return nil, &RatioError{Deflated: len(data)}
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, fmt.Errorf("compressed message: %w", unexpected(err))
	}
	var more [1]byte // behind the last byte the checksum is compared
	switch n, err := r.Read(more[:]); {
	case n > 0:
		return nil, fmt.Errorf("compressed message: inflates to more than the %d bytes that it announces", size)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("compressed message: %w", err)
	case in.Len() > 0:
		return nil, fmt.Errorf("compressed message: %d bytes behind its end", in.Len())
	}
	return out, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
