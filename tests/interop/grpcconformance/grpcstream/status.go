// Package grpcstream gives both sides of gRPC calls a blocking form over the engine of runtime/transport/h2: messages are read and written
// one by one, for all kinds of calls. The reference programs that other implementations test are written on it. It decides what gRPC asks
// for and neither the engine nor runtime/wire/aimrtgrpc knows: which number a failure has, and that a unary call has one message.
package grpcstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// Field is a header field with its decoded value.
type Field = aimrtgrpc.Field

// Numbers of gRPC's statuses.
const (
	OK                = 0
	Canceled          = 1
	Unknown           = 2
	InvalidArgument   = 3
	DeadlineExceeded  = 4
	PermissionDenied  = 7
	ResourceExhausted = 8
	Unimplemented     = 12
	Internal          = 13
	Unavailable       = 14
	Unauthenticated   = 16
)

// Error is how a call ended that did not succeed.
type Error struct{ aimrtgrpc.Outcome }

func (e *Error) Error() string { return fmt.Sprintf("gRPC status %d: %s", e.GRPC, e.Message) }

// Errorf makes an Error.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{aimrtgrpc.Outcome{GRPC: code, Message: fmt.Sprintf(format, args...)}}
}

// ErrorOf finds the status of any error.
func ErrorOf(err error) *Error {
	var status *Error
	var reset *h2.ResetError
	var limit *h2.LimitError
	var size *grpcframe.SizeError
	var ratio *grpcframe.RatioError
	var dial *h2.DialError
	var lost *h2.LostError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		return status
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, h2.ErrTimeout):
		return Errorf(DeadlineExceeded, "%v", err)
	case errors.Is(err, context.Canceled), errors.Is(err, h2.ErrCanceled), errors.Is(err, h2.ErrGone):
		return Errorf(Canceled, "%v", err)
	case errors.As(err, &limit), errors.As(err, &size), errors.As(err, &ratio):
		return Errorf(ResourceExhausted, "%v", err)
	case errors.As(err, &reset):
		return Errorf(codeOfReset(reset.Code), "%v", err)
	case errors.As(err, &dial), errors.As(err, &lost):
		return Errorf(Unavailable, "%v", err)
	}
	return Errorf(Internal, "%v", err)
}

func codeOfReset(code h2.ErrCode) int {
	switch code {
	case h2.CodeRefused:
		return Unavailable
	case h2.CodeCancel:
		return Canceled
	case h2.CodeCalmDown:
		return ResourceExhausted
	}
	return Internal
}

// codesOfHTTP are the numbers of answers that no gRPC server gave; all others are Unknown.
var codesOfHTTP = map[int]int{
	400: Internal, 401: Unauthenticated, 403: PermissionDenied, 404: Unimplemented,
	429: Unavailable, 502: Unavailable, 503: Unavailable, 504: Unavailable,
}

// ending is how a call ended by its last header list.
func ending(httpStatus int, head, last []h2.Field) *Error {
	contentType := value(head, aimrtgrpc.HeaderContentType)
	outcome, ok := aimrtgrpc.ReadOutcome(last)
	switch {
	case ok && outcome.GRPC == OK && httpStatus == 200:
		return nil
	case ok && outcome.GRPC != OK:
		return &Error{outcome}
	case httpStatus != 200:
		code, known := codesOfHTTP[httpStatus]
		if !known {
			code = Unknown
		}
		return Errorf(code, "the server answered with HTTP status %d and no grpc-status", httpStatus)
	case value(last, aimrtgrpc.HeaderStatus) != "":
		return Errorf(Unknown, "grpc-status is %q, expected a number", value(last, aimrtgrpc.HeaderStatus))
	case !isGRPC(contentType):
		return Errorf(Unknown, "content-type is %q, expected application/grpc", contentType)
	}
	return Errorf(Internal, "the answer has no grpc-status")
}

func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// value is the first field of a name.
func value(fields []h2.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// decode is the fields as metadata.
func decode(fields []h2.Field) []Field {
	out := make([]Field, 0, len(fields))
	for _, f := range fields {
		aimrtgrpc.DecodePairs(f, func(name, value string) { out = append(out, Field{Name: name, Value: value}) })
	}
	return out
}

// block encodes fields, then metadata.
func block(fields, metadata []Field) (*h2.Block, error) {
	b := &h2.Block{}
	for _, f := range fields {
		if err := b.Add(f.Name, f.Value); err != nil {
			return nil, err
		}
	}
	for _, f := range metadata {
		f = aimrtgrpc.EncodePair(strings.ToLower(f.Name), f.Value)
		if err := b.Add(f.Name, f.Value); err != nil {
			return nil, err
		}
	}
	return b, nil
}
