package http

import (
	"regexp"

	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrthttp"
)

// maxPatternPath is the longest path that is compared with registered paths as patterns. It is far above what a method's name allows.
const maxPatternPath = 4 << 10

// service is one registered function with its path.
type service struct {
	order   int // of registration
	path    string
	method  *rpc.Method
	serve   rpc.Handler
	pattern *regexp.Regexp // only when the path has pattern characters beyond "."
}

// dispatcher finds the function of a path. AimRT takes every registered path as a regular expression without regard to case, and the first
// registered one that matches; so does this, after a look at paths that are equal to the letter. It is immutable.
type dispatcher struct {
	exact    map[string]*service
	byLength map[int][]*service // paths in which only "." is special
	patterns []*service
}

func newDispatcher(services []*service) *dispatcher {
	d := &dispatcher{exact: map[string]*service{}, byLength: map[int][]*service{}}
	for _, s := range services {
		if _, taken := d.exact[s.path]; taken {
			continue
		}
		d.exact[s.path] = s
		if s.pattern != nil {
			d.patterns = append(d.patterns, s)
		} else {
			d.byLength[len(s.path)] = append(d.byLength[len(s.path)], s)
		}
	}
	return d
}

// newService prepares the path of a method.
func newService(order int, m *rpc.Method, serve rpc.Handler) (*service, error) {
	path, err := aimrthttp.FuncPath(m.Name())
	if err != nil {
		return nil, err
	}
	s := &service{order: order, path: path, method: m, serve: serve}
	if !plainPath(path) {
		// What RE2 does not understand is served under the very path only.
		s.pattern, _ = regexp.Compile(`(?i)\A(?:` + path + `)\z`)
	}
	return s, nil
}

// plainPath tells whether "." is the only special character of a path.
func plainPath(path string) bool {
	for i := range len(path) {
		c := path[i]
		if c < '-' || c > 'z' || c > '9' && c < 'A' || c > 'Z' && c < 'a' && c != '_' {
			return false
		}
	}
	return true
}

// find gives the function of a path, nil when there is none.
func (d *dispatcher) find(path []byte) *service {
	if s := d.exact[string(path)]; s != nil || len(path) > maxPatternPath {
		return s
	}
	var found *service
	for _, s := range d.byLength[len(path)] {
		if dotMatch(s.path, path) {
			found = s
			break
		}
	}
	for _, s := range d.patterns {
		if found != nil && found.order < s.order {
			break
		}
		if s.pattern.Match(path) {
			return s
		}
	}
	return found
}

// dotMatch compares texts of equal length without regard to ASCII case; "." stands for any byte.
func dotMatch(pattern string, path []byte) bool {
	for i, c := range path {
		if p := pattern[i]; p != '.' && lower(p) != lower(c) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
