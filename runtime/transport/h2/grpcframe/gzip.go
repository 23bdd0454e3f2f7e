package grpcframe

import (
	"bytes"
	"compress/gzip"
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

// Gunzip is the message inside data, at most limit bytes (0: DefaultMaxMessage)
// and MaxRatio times as many as data has, FreeBytes in any case.
func Gunzip(data []byte, limit int) ([]byte, error) {
	if limit == 0 {
		limit = DefaultMaxMessage
	}
	r, _ := readers.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	defer readers.Put(r)
	if err := r.Reset(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("compressed message: %w", unexpected(err))
	}
	most := min(limit, max(FreeBytes, MaxRatio*len(data)))
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(most)+1))
	switch {
	case n > int64(limit):
		return nil, &SizeError{Limit: limit, What: "inflated message"}
	case n > int64(most):
		return nil, &RatioError{Deflated: len(data)}
	case err != nil:
		return nil, fmt.Errorf("compressed message: %w", unexpected(err))
	}
	return out.Bytes(), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
