package aimrtgrpc

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"aimrtrpc/runtime/wire/aimrthttp"
)

// ContentType is the content type of a request in a serialization type.
func ContentType(serialization string) (string, error) {
	for _, f := range families {
		if f.serialization == serialization {
			return f.contentType, nil
		}
	}
	return "", fmt.Errorf("serialization type %q has no gRPC content type; known: pb, json, ros2", serialization)
}

// Serialization is the serialization type of a content type. Bare
// application/grpc means protobuf. AimRT compares the whole text; parameters
// and upper-case letters are accepted here as well.
func Serialization(contentType string) (string, bool) {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimRight(media, " \t"))
	switch media {
	case contentTypeResponse:
		return "pb", true
	case "application/grpc+json charset=utf-8": // AimRT's form, without a semicolon
		return "json", true
	}
	for _, f := range families {
		if f.contentType == media {
			return f.serialization, true
		}
	}
	return "", false
}

// FuncPath is the path of a function: "pb:/pkg.Service/Func" is served at
// "/pkg.Service/Func", unescaped.
func FuncPath(function string) (string, error) {
	_, name, found := strings.Cut(function, ":")
	if !found || !strings.HasPrefix(name, "/") || illegal(name) {
		return "", fmt.Errorf("function name %q: expected a form like \"pb:/package.Service/Method\"", function)
	}
	return name, nil
}

// SplitPath takes "/pkg.Service/Method" apart; ok is false for another form.
func SplitPath(path string) (service, method string, ok bool) {
	service, method, ok = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return service, method, ok && service != "" && method != "" && path[0] == '/' && !strings.Contains(method, "/")
}

// illegal tells whether a text would break a path or an authority.
func illegal(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) >= 0
}

// Endpoint is where calls go.
type Endpoint struct {
	Network   string // "tcp" or "unix"
	Address   string // "host:port", or the path of a socket
	Authority string // of the request: without the port, as AimRT sends it
	Path      string // of the request
	TLS       bool
}

// Scheme of the request: AimRT's server takes "http" only, TLS needs "https".
func (e *Endpoint) Scheme() string {
	if e.TLS {
		return "https"
	}
	return "http"
}

// Resolve finds the endpoint of a function at an address, a to_addr or a
// server_url: http://host:port, https://host:port, grpc://host:port or
// unix:///path. grpc says nothing about encryption; secure tells whether it
// means TLS. A path in the address replaces the function's own, except behind
// unix://; the query is not sent.
func Resolve(address, function string, secure bool) (Endpoint, error) {
	path, err := FuncPath(function)
	if err != nil {
		return Endpoint{}, err
	}
	u := aimrthttp.ParseURL(address)
	e := Endpoint{Network: "tcp", Path: path}
	switch u.Protocol {
	case "", "grpc":
		e.TLS = secure
	case "http":
	case "https", "grpcs":
		e.TLS = true
	case "unix":
		if u.Host != "" || u.Path == "" || illegal(u.Path) {
			return Endpoint{}, fmt.Errorf("address %q: expected unix:///path/of/socket", address)
		}
		return Endpoint{Network: "unix", Address: u.Path, Authority: "localhost", Path: path}, nil
	default:
		return Endpoint{}, fmt.Errorf("address %q: protocol %q, expected http, https, grpc or unix", address, u.Protocol)
	}
	if u.Host == "" || u.Service == "" {
		return Endpoint{}, fmt.Errorf("address %q: expected http://host:port, no port is implied", address)
	}
	if illegal(u.Host + u.Service + u.Path) {
		return Endpoint{}, fmt.Errorf("address %q: blank or control byte in host or path", address)
	}
	e.Address, e.Authority = net.JoinHostPort(u.Host, u.Service), u.Host
	if strings.Contains(u.Host, ":") {
		e.Authority = "[" + u.Host + "]"
	}
	if u.Path != "" {
		e.Path = u.Path
	}
	return e, nil
}

// units of grpc-timeout, the finest first.
var units = []struct {
	letter byte
	length time.Duration
}{
	{'n', time.Nanosecond}, {'u', time.Microsecond}, {'m', time.Millisecond},
	{'S', time.Second}, {'M', time.Minute}, {'H', time.Hour},
}

// maxTimeoutDigits is what gRPC allows in a timeout.
const maxTimeoutDigits = 8

// AppendTimeout appends a timeout in gRPC's legal form: at most 8 digits and the
// finest unit that they reach, rounded up. A timeout below zero is one of zero.
func AppendTimeout(dst []byte, timeout time.Duration) []byte {
	timeout = max(timeout, 0)
	for _, u := range units {
		n := int64(timeout / u.length)
		if timeout%u.length != 0 {
			n++
		}
		if n < 1e8 {
			return append(strconv.AppendInt(dst, n, 10), u.letter)
		}
	}
	panic("aimrtgrpc: a duration of hours has more than 8 digits") // MaxInt64 is 2562048 hours
}

// ParseTimeout reads a timeout of any number of digits, as AimRT sends it; one
// beyond the range of time.Duration becomes the longest. ok is false for
// another form, which AimRT ignores.
func ParseTimeout(text string) (timeout time.Duration, ok bool) {
	if len(text) < 2 {
		return 0, false
	}
	digits, letter := text[:len(text)-1], text[len(text)-1]
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	for _, u := range units {
		if u.letter != letter {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/int64(u.length) { // only out of range is left
			return math.MaxInt64, true
		}
		return time.Duration(n) * u.length, true
	}
	return 0, false
}
