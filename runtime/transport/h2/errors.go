package h2

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/net/http2"
)

// ErrCode is the reason in a RST_STREAM or GOAWAY frame.
type ErrCode = http2.ErrCode

// The codes a caller has a use for.
const (
	CodeNone      = http2.ErrCodeNo
	CodeProtocol  = http2.ErrCodeProtocol
	CodeInternal  = http2.ErrCodeInternal
	CodeRefused   = http2.ErrCodeRefusedStream
	CodeCancel    = http2.ErrCodeCancel
	CodeCalmDown  = http2.ErrCodeEnhanceYourCalm
	codeFlow      = http2.ErrCodeFlowControl
	codeClosed    = http2.ErrCodeStreamClosed
	codeFrameSize = http2.ErrCodeFrameSize
	codeCompress  = http2.ErrCodeCompression
	codeSettings  = http2.ErrCodeSettingsTimeout
)

// Sentinels for outcomes a caller treats differently.
var (
	// ErrAnswered: the answer, or its end, was given before.
	ErrAnswered = errors.New("exchange is answered already")
	// ErrGone: the peer left, reset the stream, or the server closed.
	ErrGone = errors.New("peer is gone")
	// ErrTimeout: the stream's deadline passed.
	ErrTimeout = errors.New("deadline passed before the response was complete")
	// ErrCanceled: the request was cancelled.
	ErrCanceled = errors.New("request cancelled")
	// ErrClosed: the client or server is closed or draining.
	ErrClosed = errors.New("client is closed")
	// ErrFull: the stream's send buffer is full; OnWritable tells when it is not.
	ErrFull = errors.New("send buffer is full")
	// ErrNoHeaders: data or trailers were sent before headers.
	ErrNoHeaders = errors.New("no headers were sent on this stream")

	errIdle      = errors.New("connection was idle")
	errKeepalive = errors.New("peer did not answer a PING")
	errDrained   = errors.New("connection drained")
	errNoPreface = errors.New("connection does not begin with the HTTP/2 preface")
)

// ConnError is a rule of HTTP/2 that the peer broke, or a limit it ran into, in
// a way that ends the connection.
type ConnError struct {
	Code ErrCode
	What string
}

func (e *ConnError) Error() string { return "HTTP/2 " + e.Code.String() + ": " + e.What }

func broken(code ErrCode, format string, args ...any) *ConnError {
	return &ConnError{Code: code, What: fmt.Sprintf(format, args...)}
}

// ResetError is a stream that ended before its time.
type ResetError struct {
	Code ErrCode
	What string // why we reset it; empty when the peer did
}

func (e *ResetError) Error() string {
	if e.What == "" {
		return "peer reset the stream with " + e.Code.String()
	}
	return "stream reset with " + e.Code.String() + ": " + e.What
}

func malformed(code ErrCode, format string, args ...any) *ResetError {
	return &ResetError{Code: code, What: fmt.Sprintf(format, args...)}
}

// LimitError says which limit a message or a queue ran into.
type LimitError struct {
	Name  string // the configuration field
	Limit int
	What  string
}

func (e *LimitError) Error() string {
	return e.What + " exceeds " + e.Name + " (" + strconv.Itoa(e.Limit) + ")"
}

// DialError is a failed attempt to connect.
type DialError struct {
	Address string
	Err     error
}

func (e *DialError) Error() string { return fmt.Sprintf("connect to %q: %v", e.Address, e.Err) }
func (e *DialError) Unwrap() error { return e.Err }

// LostError is a stream whose connection ended, or whose server turned it away.
type LostError struct {
	Address string
	// Unprocessed says that the peer declared it has not begun to process the
	// request: it may be sent again whatever it does.
	Unprocessed bool
	Err         error
}

func (e *LostError) Error() string {
	if e.Unprocessed {
		return fmt.Sprintf("connection to %q did not take the request: %v", e.Address, e.Err)
	}
	return fmt.Sprintf("connection to %q ended before the response was complete: %v", e.Address, e.Err)
}
func (e *LostError) Unwrap() error { return e.Err }

// sample is peer text made fit for an error message.
func sample(s string) string {
	const most = 48
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
