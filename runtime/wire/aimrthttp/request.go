package aimrthttp

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// DefaultTimeout stands for a call's timeout that is not set.
const DefaultTimeout = 5 * time.Second

// RequestHead is what a client says before the message.
type RequestHead struct {
	Path          string // from Endpoint
	Host          string // from Endpoint
	Timeout       time.Duration
	Serialization string
	BodySize      int
}

// reserved are the names of the headers that a request has by itself or that
// change its framing, in lower case. As a metadata key such a name would
// replace the header.
var reserved = []string{
	"host", "user-agent", "timeout", "content-type", "content-length",
	"connection", "transfer-encoding", "expect", "upgrade",
}

// KeyError is a metadata key that cannot travel as a header.
type KeyError struct {
	Key    string
	Header string // the reserved name it equals; "" for an empty key
}

func (e *KeyError) Error() string {
	if e.Header == "" {
		return "metadata key is empty"
	}
	return fmt.Sprintf("metadata key %q is the name of the HTTP header %q", e.Key, e.Header)
}

// CheckKey reports whether a metadata key can travel as a header; the error is
// a *KeyError.
func CheckKey(key string) error {
	if key == "" {
		return &KeyError{}
	}
	for _, name := range reserved {
		if equalFold(key, name) {
			return &KeyError{Key: key, Header: name}
		}
	}
	return nil
}

// AppendRequest appends a request head as AimRT's client writes it: the fixed
// headers, the metadata in the given order, Content-Length, blank line. meta
// yields the metadata and may be nil.
func AppendRequest(dst []byte, h *RequestHead, meta func(yield func(key, value string) bool)) ([]byte, error) {
	contentType, err := ContentType(h.Serialization)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(append(append(dst, "POST "...), h.Path...), " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, h.Host...), "\r\nUser-Agent: aimrt\r\nTimeout: "...)
	timeout := h.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	dst = strconv.AppendInt(dst, int64(timeout/time.Second), 10)
	dst = append(append(append(dst, "\r\nContent-Type: "...), contentType...), "\r\n"...)
	if meta != nil {
		meta(func(key, value string) bool {
			if err = CheckKey(key); err != nil {
				return false
			}
			dst = append(AppendEscaped(dst, key), ": "...)
			dst = append(AppendEscaped(dst, value), "\r\n"...)
			return true
		})
	}
	if err != nil {
		return dst[:start], err
	}
	dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(h.BodySize), 10)
	dst = append(dst, "\r\n\r\n"...)
	if n := len(dst) - start; n > MaxHeadBytes {
		return dst[:start], fmt.Errorf("request head with metadata has %d bytes, limit MaxHeadBytes (%d)", n, MaxHeadBytes)
	}
	return dst, nil
}

// CheckLine applies the server's rules for method and target. path is the
// target without its query; preflight asks for AppendPreflight instead of a
// call, once the path is known to exist.
func CheckLine(method, target []byte) (path []byte, preflight bool, failure *Failure) {
	switch string(method) {
	case "GET", "HEAD", "POST":
	case "OPTIONS":
		preflight = true
	default:
		return nil, false, &Failure{Status: 400, Text: "UnSupport HTTP-method"}
	}
	if len(target) == 0 || target[0] != '/' || bytes.Contains(target, []byte("..")) {
		return nil, false, &Failure{Status: 400, Text: "Illegal request-target"}
	}
	path, _, _ = bytes.Cut(target, []byte("?"))
	return path, preflight, nil
}

// Call is what the headers of a request say about it.
type Call struct {
	Serialization string
	Timeout       time.Duration
	HasTimeout    bool // false: the header is missing or not a number of seconds
}

// ReadHeaders reads the headers that a server understands. The first of several
// of a name counts.
func ReadHeaders(headers []Header) (Call, *Failure) {
	var call Call
	var contentType []byte
	hasType, timeoutSeen := false, false
	for i := range headers {
		h := &headers[i]
		switch {
		case !hasType && equalFold(h.Name, "content-type"):
			contentType, hasType = h.Value, true
		case !timeoutSeen && equalFold(h.Name, "timeout"):
			timeoutSeen = true
			call.Timeout, call.HasTimeout = seconds(h.Value)
		}
	}
	if !hasType {
		return call, occurred("Http req has no content type.", codeSvrInvalidSerialization)
	}
	var ok bool
	if call.Serialization, ok = Serialization(contentType); !ok {
		return call, occurred("Http req has invalid content type "+string(contentType)+".", codeSvrInvalidSerialization)
	}
	return call, nil
}

func seconds(b []byte) (time.Duration, bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || n > math.MaxInt64/int64(time.Second) {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// AppendPairs appends every header, decoded and in order, the way a handler
// sees them as metadata; peer, if not empty, follows as RemoteEndpoint.
func AppendPairs(dst []Pair, headers []Header, peer string) []Pair {
	for i := range headers {
		dst = append(dst, Pair{Unescape(headers[i].Name), Unescape(headers[i].Value)})
	}
	if peer != "" {
		dst = append(dst, Pair{RemoteEndpoint, peer})
	}
	return dst
}
