package aiomas

import (
	"fmt"
	"strconv"
	"strings"

	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

const (
	// Dialect is the name of this dialect in a status' Native.
	Dialect = "aiomas"

	tracebackHead = "Traceback (most recent call last):\n"
	// statusMark begins the traceback line that carries our own code through an exception, so that nothing is lost between two ends of ours.
	statusMark = "  aimrt_rpc status "
	// MaxTraceBytes bounds the traceback text that is kept of a failure, from its end.
	MaxTraceBytes = 256 << 10
)

// ExceptionText is a failure in the form aiomas sends it, so that callers find the type and the message in the last line.
func ExceptionText(class, message string) string {
	return tracebackHead + "  ...\n" + class + ": " + message + "\n"
}

// Failure is an exception as it travels.
type Failure struct {
	Class, Message string
	// Trace is the whole text, its last line naming class and message.
	Trace string
}

// FailureOf turns the outcome of a call into an exception. One that came from an aiomas peer goes on as it came.
func FailureOf(s rpc.Status) Failure {
	class, message, native := "Exception", s.Message(), s.Native()
	if row, ok := s.Code().Row(); ok && row.Aiomas != "" {
		class = row.Aiomas
	}
	if native.Dialect == Dialect && native.Code != "" {
		class = native.Code
		message = strings.TrimPrefix(message, class+": ") // which Status has put there
		if s.Trace() != "" {
			return Failure{class, message, s.Trace()}
		}
	}
	var text strings.Builder
	text.WriteString(tracebackHead)
	text.WriteString(statusMark + strconv.FormatUint(uint64(s.Code()), 10) + "\n")
	for line := range strings.Lines(s.Trace()) {
		text.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	text.WriteString(class + ": " + message + "\n")
	return Failure{class, message, text.String()}
}

// AppendFailure writes the content of an exception: the text, or for mosaik the array [class, message, line, ...].
func AppendFailure(dst []byte, f wire.Format, failure Failure, asArray bool) []byte {
	if !asArray {
		return f.AppendString(dst, failure.Trace)
	}
	parts := []string{failure.Class, failure.Message}
	for line := range strings.Lines(failure.Trace) {
		parts = append(parts, line)
	}
	values := make([][]byte, len(parts))
	for i, part := range parts {
		values[i] = f.AppendString(nil, part)
	}
	return AppendArray(dst, f, values...)
}

// ReadFailure makes a failure out of the content of an exception: a text, mosaik's array, or any other value, which then is shown.
func ReadFailure(f wire.Format, content []byte) Failure {
	if text, ok := f.Text(content); ok {
		return failureOfText(text)
	}
	if f.ShapeOf(content) == wire.Array {
		var parts []string
		size := 0
		for part := range Elements(f, content) {
			text, ok := f.Text(part)
			if size += len(text); !ok || size > MaxTraceBytes {
				break
			}
			parts = append(parts, text)
		}
		if len(parts) >= 2 {
			return Failure{parts[0], parts[1], strings.Join(parts[2:], "")}
		}
	}
	return Failure{Message: fmt.Sprintf("the exception is %s, expected a text or [class, message, ...]", f.ShapeOf(content))}
}

func failureOfText(text string) Failure {
	if len(text) > MaxTraceBytes {
		text = strings.ToValidUTF8(text[len(text)-MaxTraceBytes:], "")
	}
	out := Failure{Trace: text}
	body := strings.TrimRight(text, "\n")
	// A message may have several lines: the one that names the class is the last that looks like it.
	for end := len(body); ; {
		begin := strings.LastIndexByte(body[:end], '\n') + 1
		if class, message, ok := classLine(body[begin:]); ok {
			out.Class, out.Message = class, message
			return out
		}
		if begin == 0 {
			break
		}
		end = begin - 1
	}
	out.Message = body[strings.LastIndexByte(body, '\n')+1:]
	return out
}

// classLine takes "module.Class: message" or "Class" apart; what follows further lines belongs to the message.
func classLine(text string) (class, message string, ok bool) {
	head, rest, more := strings.Cut(text, "\n")
	class, message, _ = strings.Cut(head, ": ")
	if !className(class) {
		return "", "", false
	}
	if more {
		message += "\n" + rest
	}
	return class, message, true
}

// className tells whether the text is a dotted Python name whose last part begins with a capital, as all exceptions do.
func className(text string) bool {
	start := true
	last := byte(0)
	for i := range len(text) {
		c := text[i]
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c >= 0x80
		switch {
		case c == '.':
			if start {
				return false
			}
			start = true
			continue
		case !letter && (start || c < '0' || c > '9'):
			return false
		case start:
			last, start = c, false
		}
	}
	return !start && (last >= 'A' && last <= 'Z' || last >= 0x80)
}

// codesOfClass are the codes of classes that mean one thing. What a program raises for reasons of its own (ValueError, RuntimeError) is a
// REMOTE_EXCEPTION; the class is in the status' Native.
var codesOfClass = map[string]rpc.Code{
	"TimeoutError": rpc.CodeTimeout, "asyncio.exceptions.TimeoutError": rpc.CodeTimeout, "asyncio.TimeoutError": rpc.CodeTimeout,
	"NotImplementedError": rpc.CodeSvrNotImplemented, "PermissionError": rpc.CodePermissionDenied, "FileExistsError": rpc.CodeAlreadyExists,
	"CancelledError": rpc.CodeCancelled, "asyncio.exceptions.CancelledError": rpc.CodeCancelled,
	"SerializationError": rpc.CodeSvrSerializationFailed, "aiomas.exceptions.SerializationError": rpc.CodeSvrSerializationFailed,
}

// Status is what the failure means here. The traceback is kept, and the class in the native code.
func (f Failure) Status() rpc.Status {
	code, known := codesOfClass[f.Class]
	if !known {
		code = rpc.CodeRemoteException
	}
	if f.Class == "LookupError" && lookupFailed(f.Message) {
		code = rpc.CodeSvrNotFound
	}
	message := f.Message
	if own, ok := ownCode(f.Trace); ok {
		code = own
	} else if code == rpc.CodeRemoteException && f.Class != "" {
		message = f.Class
		if f.Message != "" {
			message += ": " + f.Message
		}
	}
	s := rpc.NewStatus(code, message).WithTrace(f.Trace)
	if f.Class != "" {
		s = s.WithNative(rpc.Native{Dialect: Dialect, Code: f.Class})
	}
	return s
}

// ownCode finds the code that an end of ours put into the second line.
func ownCode(trace string) (rpc.Code, bool) {
	rest, ok := strings.CutPrefix(trace, tracebackHead+statusMark)
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseUint(digits, 10, 32)
	return rpc.Code(n), err == nil && n != 0
}

// lookupFailed tells the resolver's own texts from a LookupError that a service raised.
func lookupFailed(message string) bool {
	return strings.HasPrefix(message, `Name "`) && strings.Contains(message, `" not found in "`) || strings.HasSuffix(message, `" is not exposed`)
}
