package aimrthttp

import (
	"fmt"
	"net"
	"strings"
)

// URL is an address in AimRT's grammar,
// [protocol://][host[:service]][path][?query][#fragment]; nothing in it is
// percent-decoded.
type URL struct {
	Protocol, Host, Service, Path, Query, Fragment string
}

// ParseURL splits s; every text has a meaning in this grammar. Beyond AimRT's
// rule, which splits at the first ":", a host in brackets may hold colons.
func ParseURL(s string) URL {
	var u URL
	if i := strings.Index(s, "://"); i > 0 && !strings.ContainsAny(s[:i], ":/?#") {
		u.Protocol, s = s[:i], s[i+3:]
	}
	s, u.Fragment, _ = strings.Cut(s, "#")
	s, u.Query, _ = strings.Cut(s, "?")
	if i := strings.IndexByte(s, '/'); i >= 0 {
		s, u.Path = s[:i], s[i:]
	}
	if end := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && end > 0 {
		u.Host, u.Service = s[1:end], strings.TrimPrefix(s[end+1:], ":")
		return u
	}
	u.Host, u.Service, _ = strings.Cut(s, ":")
	return u
}

// Endpoint is where a request goes.
type Endpoint struct {
	Address string // "host:port" to connect to
	Host    string // for the Host header: without the port
	Path    string
}

// Resolve finds the endpoint of a function at an address: to_addr or
// server_url. A path in the address replaces the function's own; the query is
// not sent. A missing port does not mean 80.
func Resolve(address, function string) (Endpoint, error) {
	u := ParseURL(address)
	if u.Protocol != "" && u.Protocol != "http" {
		return Endpoint{}, fmt.Errorf("address %q: protocol %q, expected http", address, u.Protocol)
	}
	if u.Host == "" || u.Service == "" {
		return Endpoint{}, fmt.Errorf("address %q: expected http://host:port, port 80 is not implied", address)
	}
	if i := illegal(u.Host + u.Service); i >= 0 {
		return Endpoint{}, fmt.Errorf("address %q: blank or control byte in the host", address)
	}
	e := Endpoint{Address: net.JoinHostPort(u.Host, u.Service), Host: u.Host, Path: u.Path}
	if strings.Contains(u.Host, ":") {
		e.Host = "[" + u.Host + "]"
	}
	if e.Path == "" {
		path, err := FuncPath(function)
		e.Path = path
		return e, err
	}
	if i := illegal(e.Path); i >= 0 {
		return Endpoint{}, fmt.Errorf("address %q: blank or control byte in the path", address)
	}
	return e, nil
}

// FuncPath is the default path of a function: "pb:/pkg.Service/Func" is served
// at "/rpc/pkg.Service/Func", unescaped.
func FuncPath(function string) (string, error) {
	_, name, found := strings.Cut(function, ":")
	if !found || !strings.HasPrefix(name, "/") || illegal(name) >= 0 {
		return "", fmt.Errorf("function name %q: expected a form like \"pb:/package.Service/Method\"", function)
	}
	return "/rpc" + name, nil
}

// illegal is the index of the first byte that would break a request line, or -1.
func illegal(s string) int {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
