package httpx

import (
	"errors"
	"fmt"
	"strconv"
)

// Sentinels for outcomes a caller treats differently.
var (
	// ErrAnswered: Respond was called before on this exchange.
	ErrAnswered = errors.New("exchange is answered already")
	// ErrGone: the peer left, or the server closed, before the answer was written.
	ErrGone = errors.New("peer is gone")
	// ErrTimeout: the request's deadline passed; its connection is closed.
	ErrTimeout = errors.New("deadline passed before the response was complete")
	// ErrCanceled: the request was cancelled.
	ErrCanceled = errors.New("request cancelled")
	// ErrClosed: the client is closed.
	ErrClosed = errors.New("client is closed")
)

// ProtocolError says which part of a message breaks which rule of HTTP/1.1.
type ProtocolError struct {
	Where  string // "request line", "header line 3", "chunk size" ...
	What   string // what is wrong, with the offending text
	Status int    // what a server answers to a request like this
}

func (e *ProtocolError) Error() string { return e.Where + ": " + e.What }

func malformed(status int, where, format string, args ...any) *ProtocolError {
	return &ProtocolError{Where: where, What: fmt.Sprintf(format, args...), Status: status}
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

// LostError is a connection that ended before the response was complete.
type LostError struct {
	Address  string
	Sent     bool // whether any of the request was sent: the peer may have executed it
	Received bool // whether any byte of the response had arrived
	Err      error
}

func (e *LostError) Error() string {
	when, so := "before the response", ""
	if e.Received {
		when = "inside the response"
	}
	if e.Sent {
		so = "; the request may have been executed"
	}
	return fmt.Sprintf("connection to %q ended %s: %v%s", e.Address, when, e.Err, so)
}
func (e *LostError) Unwrap() error { return e.Err }

// sample is peer text made fit for an error message.
func sample(b []byte) string {
	const most = 48
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "..."
	}
	return strconv.QuoteToASCII(string(b))
}
