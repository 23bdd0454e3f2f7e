package aimrt

import "regexp"

// maxPatternPath is the longest path that is compared with registered paths as patterns. It is far above what a method's name allows.
const maxPatternPath = 4 << 10

// Paths finds what is registered at a path. AimRT's servers take every registered path as a regular expression without regard to case, and
// the first registered one that matches; so does this, after a look at paths that are equal to the letter. Once made it is only read; the
// zero value is empty.
type Paths[T any] struct {
	exact    map[string]*pathEntry[T]
	byLength map[int][]*pathEntry[T] // paths in which only "." is special
	patterns []*pathEntry[T]
	count    int
}

type pathEntry[T any] struct {
	order   int // of registration
	path    string
	value   T
	pattern *regexp.Regexp // only when the path has pattern characters beyond "."
}

// Add registers a value behind those that are there. The first of a path stays.
func (p *Paths[T]) Add(path string, value T) {
	if p.exact == nil {
		p.exact, p.byLength = map[string]*pathEntry[T]{}, map[int][]*pathEntry[T]{}
	}
	p.count++
	if _, taken := p.exact[path]; taken {
		return
	}
	e := &pathEntry[T]{order: p.count, path: path, value: value}
	p.exact[path] = e
	if plainPath(path) {
		p.byLength[len(path)] = append(p.byLength[len(path)], e)
		return
	}
	// What RE2 does not understand is served under the very path only.
	if pattern, err := regexp.Compile(`(?i)\A(?:` + path + `)\z`); err == nil {
		e.pattern = pattern
		p.patterns = append(p.patterns, e)
	}
}

// Find gives the value at a path.
func (p *Paths[T]) Find(path string) (T, bool) {
	e := p.exact[path]
	if e == nil {
		e = p.match(path)
	}
	return e.found()
}

// FindBytes is Find for a path that is no string yet.
func (p *Paths[T]) FindBytes(path []byte) (T, bool) {
	e := p.exact[string(path)]
	if e == nil {
		e = p.match(string(path))
	}
	return e.found()
}

func (e *pathEntry[T]) found() (value T, ok bool) {
	if e == nil {
		return value, false
	}
	return e.value, true
}

// match finds the first registered path that matches as a pattern.
func (p *Paths[T]) match(path string) *pathEntry[T] {
	if len(path) > maxPatternPath {
		return nil
	}
	var found *pathEntry[T]
	for _, e := range p.byLength[len(path)] {
		if dotMatch(e.path, path) {
			found = e
			break
		}
	}
	for _, e := range p.patterns {
		if found != nil && found.order < e.order {
			break
		}
		if e.pattern.MatchString(path) {
			return e
		}
	}
	return found
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

// dotMatch compares texts of equal length without regard to ASCII case; "." stands for any byte.
func dotMatch(pattern, path string) bool {
	for i := range len(path) {
		if p := pattern[i]; p != '.' && lower(p) != lower(path[i]) {
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
