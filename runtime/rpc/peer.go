package rpc

import (
	"fmt"
	"strings"
)

// Peer is who is at the other end of a call or connection.
type Peer struct {
	Scheme  string // backend or transport: "local", "http"
	Address string // "127.0.0.1:50080"
	// Identity is who the peer proved to be, for example a certificate's subject; empty when it proved nothing.
	Identity string
	// Verified tells that credentials were checked.
	Verified bool
}

// String is "scheme://address", or the scheme alone.
func (p Peer) String() string {
	if p.Address == "" {
		return p.Scheme
	}
	return p.Scheme + "://" + p.Address
}

// Target is whom a caller wants, taken apart: scheme://address/path?query#fragment. Values are not percent-decoded.
type Target struct {
	Scheme   string
	Address  string // host, or host:port
	Path     string // with its leading "/", empty when absent
	Query    string // without "?"
	Fragment string // without "#"
}

// ParseTarget takes an address apart. The scheme may be missing; it ends at the first "://" that comes before any of "/?#".
func ParseTarget(text string) (Target, error) {
	t := Target{}
	rest := text
	if i := strings.Index(text, "://"); i >= 0 && !strings.ContainsAny(text[:i], ":/?#") {
		t.Scheme, rest = text[:i], text[i+3:]
	}
	rest, t.Fragment, _ = strings.Cut(rest, "#")
	rest, t.Query, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, t.Path = rest[:i], rest[i:]
	}
	t.Address = rest
	if strings.ContainsAny(text, " \t\r\n\x00") {
		return Target{}, fmt.Errorf("address %q contains white space", text)
	}
	return t, nil
}

// QueryValue is the first value of a query key and whether it is there.
func (t Target) QueryValue(key string) (string, bool) {
	for rest := t.Query; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "&")
		if k, v, _ := strings.Cut(part, "="); k == key {
			return v, true
		}
	}
	return "", false
}
