package main

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	apiMacro   = "AIMRT_RPC_API"
	guardMacro = "AIMRT_RPC_H_"
)

var (
	banner = regexp.MustCompile(`^---- (.+?) -{4,}$`)
	define = regexp.MustCompile(`^#define ([A-Za-z_][A-Za-z0-9_]*)(\(?)(.*)$`)
)

func itoa(n int) string { return strconv.Itoa(n) }

// parser reads the subset of C that the header is written in. What it does not
// know is an error: a silent skip would be a hole in every generated file.
type parser struct {
	tokens []token
	pos    int
	h      *header
	sec    *section
	last   *token // the last comment that belongs to nothing yet
	open   []string
}

func parse(src string) (*header, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, sec: &section{title: "Preamble"}, h: &header{
		aliases: map[string]*alias{}, structs: map[string]*structure{}, callbacks: map[string]*callback{},
		macros: map[string]*macro{}, inits: map[string]*macro{},
	}}
	for p.peek().kind != tokEOF {
		if err := p.top(); err != nil {
			return nil, err
		}
	}
	if len(p.open) > 0 {
		return nil, failf(p.peek().line, "%s is not closed by #endif", p.open[len(p.open)-1])
	}
	p.flushNote()
	if err := p.h.evaluate(); err != nil {
		return nil, err
	}
	return p.h, p.h.layout()
}

func (p *parser) peek() *token { return &p.tokens[p.pos] }

func (p *parser) take() *token {
	t := &p.tokens[p.pos]
	if t.kind != tokEOF {
		p.pos++
	}
	return t
}

// skipComments passes comments inside a declaration and gives their text.
func (p *parser) skipComments() string {
	var parts []string
	for p.peek().kind == tokComment {
		parts = append(parts, p.take().text)
	}
	return strings.Join(parts, " ")
}

func (p *parser) expect(text string) (*token, error) {
	t := p.take()
	if t.kind == tokEOF || t.kind == tokComment || t.kind == tokDirective || t.text != text {
		return nil, failf(t.line, "expected %q, found %s", text, t.describe())
	}
	return t, nil
}

func (p *parser) ident() (*token, error) {
	t := p.take()
	if t.kind != tokIdent {
		return nil, failf(t.line, "expected a name, found %s", t.describe())
	}
	return t, nil
}

func (t *token) describe() string {
	switch t.kind {
	case tokEOF:
		return "the end of the file"
	case tokComment:
		return "a comment"
	case tokDirective:
		return "the directive " + strconv.Quote(t.text)
	}
	return strconv.Quote(t.text)
}

func (p *parser) add(i item) { p.sec.items = append(p.sec.items, i) }

// flushNote keeps a comment that no declaration took.
func (p *parser) flushNote() {
	if p.last == nil {
		return
	}
	if len(p.h.sections) == 0 && p.h.intro == "" {
		p.h.intro = p.last.text
	} else {
		p.add(&note{line: p.last.line, text: p.last.text})
	}
	p.last = nil
}

// docAbove takes the pending comment when it ends on the line above.
func (p *parser) docAbove(line int) string {
	if p.last != nil && p.last.end == line-1 {
		text := p.last.text
		p.last = nil
		return text
	}
	p.flushNote()
	return ""
}

// trailing takes a comment that begins on the given line.
func (p *parser) trailing(line int) string {
	if t := p.peek(); t.kind == tokComment && t.line == line && !t.first {
		p.pos++
		return t.text
	}
	return ""
}

func (p *parser) top() error {
	t := p.peek()
	switch t.kind {
	case tokComment:
		p.flushNote()
		p.pos++
		if m := banner.FindStringSubmatch(t.text); m != nil {
			p.sec = &section{title: m[1]}
			p.h.sections = append(p.h.sections, p.sec)
			return nil
		}
		p.last = t
		return nil
	case tokDirective:
		return p.directive()
	case tokIdent:
		switch t.text {
		case "typedef":
			return p.typedef()
		case apiMacro:
			return p.function()
		}
	}
	return failf(t.line, "a declaration begins with typedef or %s, found %s", apiMacro, t.describe())
}

func (p *parser) directive() error {
	t := p.take()
	switch {
	case strings.HasPrefix(t.text, "#include <"):
		switch t.text {
		case "#include <stddef.h>", "#include <stdint.h>", "#include <stdbool.h>":
			return nil
		}
		return failf(t.line, "%s: only freestanding headers may be included (stddef.h, stdint.h, stdbool.h)", t.text)
	case t.text == "#ifndef "+guardMacro:
		p.open = append(p.open, t.text)
		return nil
	case t.text == "#ifdef __cplusplus":
		return p.linkage(t.line)
	case t.text == "#if defined(__GNUC__)":
		return p.visibility(t.line)
	case t.text == "#endif":
		if len(p.open) == 0 {
			return failf(t.line, "#endif without an opening directive")
		}
		p.open = p.open[:len(p.open)-1]
		p.trailing(t.line)
		return nil
	case strings.HasPrefix(t.text, "#define "):
		return p.define(t)
	}
	return failf(t.line, "unknown directive %s", strconv.Quote(t.text))
}

// linkage passes the extern "C" lines, and nothing else.
func (p *parser) linkage(line int) error {
	var got []string
	for p.peek().kind != tokDirective && p.peek().kind != tokEOF {
		if t := p.take(); t.kind != tokComment {
			got = append(got, t.text)
		}
	}
	if text := strings.Join(got, " "); text != "extern C {" && text != "}" {
		return failf(line, "only extern \"C\" { and its } may stand under __cplusplus, found %q", text)
	}
	if t := p.take(); t.text != "#endif" {
		return failf(t.line, "expected #endif, found %s", t.describe())
	}
	return nil
}

// visibility passes the two definitions of the export macro.
func (p *parser) visibility(line int) error {
	for {
		t := p.take()
		if t.kind != tokDirective {
			return failf(t.line, "only the definition of %s may stand under __GNUC__, found %s", apiMacro, t.describe())
		}
		if t.text == "#endif" {
			return nil
		}
		if t.text != "#else" && !strings.HasPrefix(t.text, "#define "+apiMacro) {
			return failf(t.line, "only the definition of %s may stand under __GNUC__, found %s", apiMacro, t.text)
		}
	}
}

func (p *parser) define(t *token) error {
	m := define.FindStringSubmatch(t.text)
	if m == nil {
		return failf(t.line, "cannot read %q", t.text)
	}
	if m[2] != "" {
		return failf(t.line, "macro %s takes arguments: foreign languages cannot read it (H18)", m[1])
	}
	if m[1] == guardMacro {
		return nil
	}
	if m[3] = strings.TrimSpace(m[3]); m[3] == "" {
		return failf(t.line, "macro %s has no value", m[1])
	}
	if old := p.h.macros[m[1]]; old != nil {
		return failf(t.line, "macro %s is defined in line %d too", m[1], old.line)
	}
	mac := &macro{name: m[1], value: m[3], line: t.line, doc: p.docAbove(t.line)}
	mac.trailing = p.trailing(p.tokens[p.pos-1].end)
	p.h.macros[mac.name] = mac
	p.add(mac)
	return nil
}

func (p *parser) typedef() error {
	start := p.take()
	doc := p.docAbove(start.line)
	if p.peek().text == "struct" {
		return p.structure(start.line, doc)
	}
	typ, err := p.typeName()
	if err != nil {
		return err
	}
	if p.peek().text == "(" {
		return p.callback(start.line, doc, typ)
	}
	name, err := p.ident()
	if err != nil {
		return err
	}
	if _, err := p.expect(";"); err != nil {
		return err
	}
	if len(typ.pointers) > 0 || typ.constBase {
		return failf(name.line, "type %s: an alias names a fixed-width integer", name.text)
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	a := &alias{name: name.text, base: typ.base, line: start.line, doc: doc, trailing: p.trailing(name.line)}
	p.h.aliases[a.name] = a
	p.add(a)
	return nil
}

// fresh refuses a type name that is declared already.
func (p *parser) fresh(name *token) error {
	line := 0
	if a := p.h.aliases[name.text]; a != nil {
		line = a.line
	} else if s := p.h.structs[name.text]; s != nil {
		line = s.line
	} else if c := p.h.callbacks[name.text]; c != nil {
		line = c.line
	}
	if line > 0 {
		return failf(name.line, "type %s is declared in line %d too", name.text, line)
	}
	return nil
}

func (p *parser) structure(line int, doc string) error {
	p.take()
	tag, err := p.ident()
	if err != nil {
		return err
	}
	if err := p.fresh(tag); err != nil {
		return err
	}
	if p.peek().text != "{" {
		return p.opaque(tag, line, doc)
	}
	p.take()
	s := &structure{name: tag.text, line: line, doc: doc}
	p.skipComments()
	for p.peek().text != "}" {
		f, err := p.field(s)
		if err != nil {
			return err
		}
		s.fields = append(s.fields, f)
		p.skipComments()
	}
	p.take()
	name, err := p.ident()
	if err != nil {
		return err
	}
	if name.text != tag.text {
		return failf(name.line, "struct %s is given the other name %s", tag.text, name.text)
	}
	if _, err := p.expect(";"); err != nil {
		return err
	}
	if len(s.fields) == 0 {
		return failf(line, "struct %s has no fields", s.name)
	}
	p.h.structs[s.name] = s
	p.add(s)
	return nil
}

func (p *parser) opaque(tag *token, line int, doc string) error {
	name, err := p.ident()
	if err != nil {
		return err
	}
	if name.text != tag.text {
		return failf(name.line, "struct %s is given the other name %s", tag.text, name.text)
	}
	if _, err := p.expect(";"); err != nil {
		return err
	}
	a := &alias{name: name.text, opaque: true, line: line, doc: doc}
	p.h.aliases[a.name] = a
	p.add(a)
	return nil
}

func (p *parser) field(s *structure) (*field, error) {
	typ, err := p.typeName()
	if err != nil {
		return nil, err
	}
	f := &field{typ: typ}
	if p.peek().text == "(" {
		name, sig, err := p.pointerDeclarator(typ)
		if err != nil {
			return nil, err
		}
		f.name, f.line, f.typ = name.text, name.line, &ctype{fn: sig}
	} else {
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		f.name, f.line = name.text, name.line
		if p.peek().text == "[" {
			if err := p.array(f); err != nil {
				return nil, err
			}
		}
	}
	for _, other := range s.fields {
		if other.name == f.name {
			return nil, failf(f.line, "struct %s has the field %s twice", s.name, f.name)
		}
	}
	end, err := p.expect(";")
	if err != nil {
		return nil, err
	}
	f.trailing = p.trailing(end.line)
	return f, nil
}

func (p *parser) array(f *field) error {
	p.take()
	t := p.take()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil || n < 1 {
		return failf(t.line, "array %s needs a plain number of elements, found %s", f.name, t.describe())
	}
	f.typ.array = n
	_, err = p.expect("]")
	return err
}

func (p *parser) callback(line int, doc string, result *ctype) error {
	name, sig, err := p.pointerDeclarator(result)
	if err != nil {
		return err
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	if _, err := p.expect(";"); err != nil {
		return err
	}
	c := &callback{name: name.text, sig: sig, line: line, doc: doc}
	p.h.callbacks[c.name] = c
	p.add(c)
	return nil
}

// pointerDeclarator reads "(*name)(params)".
func (p *parser) pointerDeclarator(result *ctype) (*token, *signature, error) {
	if _, err := p.expect("("); err != nil {
		return nil, nil, err
	}
	if _, err := p.expect("*"); err != nil {
		return nil, nil, err
	}
	name, err := p.ident()
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.expect(")"); err != nil {
		return nil, nil, err
	}
	params, err := p.params()
	return name, &signature{result: result, params: params}, err
}

func (p *parser) function() error {
	start := p.take()
	doc := p.docAbove(start.line)
	result, err := p.typeName()
	if err != nil {
		return err
	}
	name, err := p.ident()
	if err != nil {
		return err
	}
	params, err := p.params()
	if err != nil {
		return err
	}
	if _, err := p.expect(";"); err != nil {
		return err
	}
	for _, f := range p.h.functions {
		if f.name == name.text {
			return failf(name.line, "function %s is declared in line %d too", name.text, f.line)
		}
	}
	f := &function{name: name.text, sig: &signature{result: result, params: params}, line: start.line}
	f.doc = readComment(doc)
	f.readParams()
	p.h.functions = append(p.h.functions, f)
	p.add(f)
	return nil
}

func (p *parser) params() ([]*param, error) {
	if _, err := p.expect("("); err != nil {
		return nil, err
	}
	if p.peek().text == "void" && p.tokens[p.pos+1].text == ")" {
		p.pos += 2
		return nil, nil
	}
	var out []*param
	for {
		typ, err := p.typeName()
		if err != nil {
			return nil, err
		}
		name, err := p.ident()
		if err != nil {
			return nil, err
		}
		out = append(out, &param{name: name.text, typ: typ, line: name.line})
		t := p.take()
		switch {
		case t.kind == tokPunct && t.text == ")":
			return out, nil
		case t.kind == tokPunct && t.text == ",":
		default:
			return nil, failf(t.line, "expected ',' or ')' after parameter %s, found %s", name.text, t.describe())
		}
	}
}

// typeName reads "[const] name {* [const]}".
func (p *parser) typeName() (*ctype, error) {
	t := &ctype{}
	if p.peek().text == "const" {
		p.take()
		t.constBase = true
	}
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	switch name.text {
	case "struct", "union", "enum", "volatile", "static", "extern", "inline", "register", "restrict":
		return nil, failf(name.line, "%q cannot stand here", name.text)
	}
	t.base = name.text
	for p.peek().text == "*" {
		p.take()
		isConst := p.peek().text == "const"
		if isConst {
			p.take()
		}
		t.pointers = append(t.pointers, isConst)
	}
	if !p.h.knows(t.base) {
		return nil, failf(name.line, "type %s is not declared before its use%s", t.base, p.h.nearest(t.base))
	}
	return t, nil
}
