package config

import (
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// tree is what the Nodes of one configuration share.
type tree struct {
	mu       sync.Mutex // guards the standardized tree and findings
	findings []Finding
}

// style says how a scalar is printed.
type style uint8

const (
	styleAsIs   style = iota // number, bool, or text that the user left unquoted
	styleString              // a string: quoted when it would read as something else
	styleQuoted              // the user quoted it, whatever it looks like
)

// standard is a node of the standardized tree: what some Decode knows, with the
// value in force.
type standard struct {
	kind      kind
	text      string
	tag       string
	style     style
	hidden    bool // known, but not printed
	open      bool // a Node that nobody has decoded: printed as the user wrote it
	user      *value
	emptyNull bool // an empty sequence of maps prints as ~
	keys      []string
	vals      []*standard
	mergedIn  *standard // set when another node has taken this one over
}

// current follows a node to the one that counts now.
func (s *standard) current() *standard {
	for s != nil && s.mergedIn != nil {
		s = s.mergedIn
	}
	return s
}

func (s *standard) get(key string) *standard {
	for i, k := range s.keys {
		if k == key {
			return s.vals[i]
		}
	}
	return nil
}

// put sets a key, merging with what an earlier Decode knew.
func (s *standard) put(key string, child *standard) *standard {
	for i, k := range s.keys {
		if k == key {
			s.vals[i].merge(child)
			return s.vals[i]
		}
	}
	s.keys, s.vals = append(s.keys, key), append(s.vals, child)
	return child
}

// merge takes over what a later Decode of the same node knows. Nodes hold pointers
// to s and to o; both lead to s afterwards.
func (s *standard) merge(o *standard) {
	if s == o {
		return
	}
	defer func() { o.mergedIn = s }()
	if o.open && !s.open {
		return // already claimed
	}
	if s.kind == kindMap && o.kind == kindMap && !s.open {
		for i, k := range o.keys {
			s.put(k, o.vals[i])
		}
		return
	}
	if s.kind == kindSequence && o.kind == kindSequence && !s.open && len(s.vals) == len(o.vals) {
		for i := range s.vals {
			s.vals[i].merge(o.vals[i])
		}
		return
	}
	hidden := s.hidden && o.hidden
	*s = *o
	s.hidden = hidden
}

// accepted makes a standard node that knows everything in the user's value.
func accepted(v *value) *standard {
	if v.absent() {
		return &standard{}
	}
	s := &standard{kind: v.kind, text: v.text, tag: v.tag, keys: append([]string(nil), v.keys...)}
	if v.quoted {
		s.style = styleQuoted
	}
	for _, c := range v.vals {
		s.vals = append(s.vals, accepted(c))
	}
	return s
}

// print writes the tree in yaml-cpp's block style.
type printer struct{ b strings.Builder }

func (p *printer) indent(n int) {
	for ; n > 0; n-- {
		p.b.WriteString("  ")
	}
}

// node writes a value that follows "key:" or "-" at the given level.
func (p *printer) node(s *standard, level int, afterDash bool) {
	if s.open {
		s = accepted(s.user)
	}
	tag := ""
	if s.tag != "" {
		tag = " " + s.tag
	}
	switch {
	case s.kind == kindNull, s.kind == kindSequence && len(s.vals) == 0 && s.emptyNull:
		p.b.WriteString(" ~\n")
	case s.kind == kindScalar:
		p.b.WriteString(tag + " " + scalarText(s.text, s.style) + "\n")
	case len(s.vals) == 0:
		p.b.WriteString(tag + "\n")
		p.indent(level)
		p.b.WriteString(map[kind]string{kindSequence: "[]", kindMap: "{}"}[s.kind] + "\n")
	case s.kind == kindSequence:
		p.b.WriteString(tag + "\n")
		for _, item := range s.vals {
			p.indent(level)
			p.b.WriteByte('-')
			p.node(item, level+1, true)
		}
	default:
		p.fields(s, level, afterDash, tag)
	}
}

// fields writes the keys of a map; the first one of a sequence item follows its dash.
func (p *printer) fields(s *standard, level int, afterDash bool, tag string) {
	sameLine := afterDash && tag == ""
	if !sameLine {
		p.b.WriteString(tag + "\n")
	}
	for i, k := range s.keys {
		if s.vals[i].hidden {
			continue
		}
		if sameLine {
			p.b.WriteByte(' ')
			sameLine = false
		} else {
			p.indent(level)
		}
		p.b.WriteString(keyText(k) + ":")
		p.node(s.vals[i], level+1, false)
	}
	if sameLine { // every key is hidden
		p.b.WriteString(" {}\n")
	}
}

// top writes the keys of the outermost map without indentation.
func (p *printer) top(key string, s *standard) {
	p.b.WriteString(keyText(key) + ":")
	p.node(s, 1, false)
}

func keyText(k string) string {
	if plainSafe(k) && resolvedTag(k) != "!!null" && resolvedTag(k) != "!!merge" {
		return k
	}
	return doubleQuoted(k)
}

// scalarText prints a scalar so that reading it again gives the same text, and
// a string if it was one.
func scalarText(text string, how style) string {
	switch {
	case how == styleQuoted, !plainSafe(text):
		return doubleQuoted(text)
	case how == styleString && (resolvedTag(text) != "!!str" || isBoolWord(text)):
		return doubleQuoted(text)
	}
	return text
}

// isBoolWord knows the words that older YAML readers take for a bool.
func isBoolWord(text string) bool {
	_, ok := parseBool(text)
	return ok
}

// resolvedTag is the type that a YAML reader gives an unquoted scalar.
func resolvedTag(text string) string {
	if text == "<<" { // a merge only as a key, but better quoted everywhere
		return "!!merge"
	}
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return n.ShortTag()
}

// plainSafe tells whether a text can be printed without quotes in block style.
func plainSafe(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.HasSuffix(s, ":") ||
		strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") {
		return false
	}
	if strings.ContainsRune("?-:", rune(s[0])) {
		if len(s) == 1 || s[1] == ' ' || s[1] == '\t' {
			return false
		}
	} else if strings.ContainsRune(",[]{}#&*!|>'\"%@`", rune(s[0])) {
		return false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) { // also tabs, line breaks and broken UTF-8
			return false
		}
	}
	return !strings.ContainsRune(s, '\ufffd')
}

// doubleQuoted prints a YAML double-quoted scalar.
func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex(r rune, width int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", width-len(s)) + s
}
