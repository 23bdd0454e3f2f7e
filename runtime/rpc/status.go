package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Code says how a call ended. The canonical numbers are AimRT's (below 3000) and ours (from 3000); a service may answer any other number.
type Code uint32

// CodeRow is everything known about one canonical code, a row of status.yaml.
type CodeRow struct {
	Code       Code
	Name       string // SVR_NOT_FOUND
	Text       string // the standard text
	AimRT      uint32
	Aduib1Name string
	Aduib1Code int
	Aduib2Name string
	Aduib2Code int
	GRPCName   string
	GRPCCode   int
	HTTP       int
	JSONRPC    int
	Aiomas     string // Python exception class
}

// Codes lists the canonical codes in ascending order.
func Codes() []CodeRow { return slices.Clone(codeRows) }

// Row finds what is known about a code; false for a number of a service's own.
func (c Code) Row() (CodeRow, bool) {
	i, ok := slices.BinarySearchFunc(codeRows, c, func(r CodeRow, c Code) int { return int(int64(r.Code) - int64(c)) })
	if !ok {
		return CodeRow{}, false
	}
	return codeRows[i], true
}

// Text is the standard text of a code, "Unknown code" for a number of a service's own.
func (c Code) Text() string {
	if r, ok := c.Row(); ok {
		return r.Text
	}
	return "Unknown code"
}

// String is the name of a code, or its number.
func (c Code) String() string {
	if r, ok := c.Row(); ok {
		return r.Name
	}
	return fmt.Sprintf("code %d", uint32(c))
}

// CodeOfGRPC is what a gRPC status number means here; UNKNOWN for a number gRPC does not have.
func CodeOfGRPC(number int) Code { return lookup(codesOfGRPC, number, CodeUnknown) }

// CodeOfHTTP is what an HTTP status means here; SVR_UNKNOWN for one that is not listed.
func CodeOfHTTP(number int) Code { return lookup(codesOfHTTP, number, CodeSvrUnknown) }

// CodeOfJSONRPC is what a JSON-RPC error code means here; SVR_UNKNOWN for one that is not listed.
func CodeOfJSONRPC(number int) Code { return lookup(codesOfJSONRPC, number, CodeSvrUnknown) }

// CodeOfAduib2 is what an Aduib 2.x error code means here; SVR_UNKNOWN for one that is not listed.
func CodeOfAduib2(number int) Code { return lookup(codesOfAduib2, number, CodeSvrUnknown) }

func lookup(table map[int]Code, number int, missing Code) Code {
	if c, ok := table[number]; ok {
		return c
	}
	return missing
}

// Detail is one key and value that explains a status.
type Detail struct{ Key, Value string }

// Native is the code as another system said it. The way back to the same dialect is lossless.
type Native struct {
	Dialect string // "aimrt", "aduib", "aiomas", "grpc", "http"
	Code    string // its number or name
}

// Status is the outcome of a call. It is immutable: the With methods give changed copies. The zero value is OK.
type Status struct {
	code    Code
	message string
	more    *statusMore
}

// statusMore is what few statuses have, kept apart so that a Status is cheap to pass.
type statusMore struct {
	details []Detail
	native  Native
	trace   string
}

// OK is the status of a call that succeeded.
var OK = Status{}

// StatusOfCode is a code with its standard text.
func StatusOfCode(code Code) Status { return Status{code: code} }

// NewStatus is a code with a message; an empty message means the standard text.
func NewStatus(code Code, message string) Status { return Status{code: code, message: message} }

// Statusf is a code with a formatted message.
func Statusf(code Code, format string, arguments ...any) Status {
	return Status{code: code, message: fmt.Sprintf(format, arguments...)}
}

// Code of the outcome.
func (s Status) Code() Code { return s.code }

// OK tells whether the call succeeded.
func (s Status) OK() bool { return s.code == CodeOK }

// Message is what the failing side said, or the standard text of the code.
func (s Status) Message() string {
	if s.message == "" {
		return s.code.Text()
	}
	return s.message
}

// Trace is the remote stack text, empty when there is none.
func (s Status) Trace() string {
	if s.more == nil {
		return ""
	}
	return s.more.trace
}

// Native is where the code came from when another system said it.
func (s Status) Native() Native {
	if s.more == nil {
		return Native{}
	}
	return s.more.native
}

// Details are copies of the details.
func (s Status) Details() []Detail {
	if s.more == nil {
		return nil
	}
	return slices.Clone(s.more.details)
}

// WithTrace is the status with a remote stack text.
func (s Status) WithTrace(trace string) Status {
	m := s.copyMore()
	m.trace = trace
	s.more = m
	return s
}

// WithNative is the status with the code another system used.
func (s Status) WithNative(n Native) Status {
	m := s.copyMore()
	m.native = n
	s.more = m
	return s
}

// WithDetails is the status with further details.
func (s Status) WithDetails(details ...Detail) Status {
	m := s.copyMore()
	m.details = append(slices.Clip(m.details), details...)
	s.more = m
	return s
}

func (s Status) copyMore() *statusMore {
	if s.more == nil {
		return &statusMore{}
	}
	m := *s.more
	return &m
}

// String is AimRT's text form of a status.
func (s Status) String() string {
	word := "fail"
	if s.OK() {
		word = "suc"
	}
	return fmt.Sprintf("%s, code %d, msg: %s", word, uint32(s.code), s.Message())
}

// Err is nil for OK, else an *Error.
func (s Status) Err() error {
	if s.OK() {
		return nil
	}
	return &Error{status: s}
}

// Error is a failed call as a Go error; it never carries OK.
type Error struct{ status Status }

// Status that the error carries.
func (e *Error) Status() Status { return e.status }

// Error is code and message.
func (e *Error) Error() string {
	return fmt.Sprintf("rpc code %d (%s): %s", uint32(e.status.code), e.status.code, e.status.Message())
}

// Is makes errors.Is(err, context.DeadlineExceeded) and context.Canceled work for timed out and cancelled calls.
func (e *Error) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.status.code == CodeTimeout
	case context.Canceled:
		return e.status.code == CodeCancelled
	}
	return false
}

// StatusOf turns an error into a status. nil is OK; an error that is not a status becomes UNKNOWN with its text, a passed deadline
// TIMEOUT, a cancelled context CANCELLED. Together with the dialects it is the only place that does this.
func StatusOf(err error) Status {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		if e.status.OK() {
			return NewStatus(CodeUnknown, err.Error())
		}
		return e.status
	case errors.Is(err, context.DeadlineExceeded):
		return StatusOfCode(CodeTimeout)
	case errors.Is(err, context.Canceled):
		return StatusOfCode(CodeCancelled)
	}
	return NewStatus(CodeUnknown, err.Error())
}
