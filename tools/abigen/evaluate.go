package main

import (
	"strconv"
	"strings"
)

// evaluate gives every macro its number or its initializer.
func (h *header) evaluate() error {
	for _, sec := range h.sections {
		for _, it := range sec.items {
			m, ok := it.(*macro)
			if !ok || m.name == apiMacro {
				continue
			}
			if err := h.evaluateMacro(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *header) evaluateMacro(m *macro) error {
	tokens, err := lex(m.value)
	if err != nil {
		return failf(m.line, "macro %s: %v", m.name, err)
	}
	e := &evaluator{h: h, m: m, tokens: tokens}
	if !strings.HasPrefix(m.value, "{") {
		if m.number, err = e.sum(); err != nil {
			return err
		}
		m.isNumber = true
		return e.done()
	}
	if m.init, err = e.initializer(); err != nil {
		return err
	}
	if err := e.done(); err != nil {
		return err
	}
	return h.bindInit(m)
}

// bindInit checks an initializer against the struct that its sizeof names.
func (h *header) bindInit(m *macro) error {
	if len(m.init.list) == 0 || m.init.list[0].sizeof == "" {
		return failf(m.line, "macro %s: an initializer begins with sizeof of its struct", m.name)
	}
	name := m.init.list[0].sizeof
	s := h.structs[name]
	if s == nil {
		return failf(m.line, "macro %s: struct %s is not declared%s", m.name, name, h.nearest(name))
	}
	if old := h.inits[name]; old != nil {
		return failf(m.line, "macro %s: struct %s has the initializer %s already", m.name, name, old.name)
	}
	h.inits[name] = m
	return h.checkInit(m, s, m.init)
}

func (h *header) checkInit(m *macro, s *structure, v *initValue) error {
	if len(v.list) != len(s.fields) {
		return failf(m.line, "macro %s: struct %s has %d fields, the initializer has %d", m.name, s.name, len(s.fields), len(v.list))
	}
	for i, f := range s.fields {
		part := v.list[i]
		nested := h.structs[f.typ.base]
		isStruct := nested != nil && len(f.typ.pointers) == 0
		isPointer := f.typ.fn != nil || len(f.typ.pointers) > 0 || h.callbacks[f.typ.base] != nil
		switch {
		case part.null != isPointer:
			return failf(m.line, "macro %s: field %s of %s and its value do not fit", m.name, f.name, s.name)
		case (part.list != nil) != (isStruct || f.typ.array > 0):
			return failf(m.line, "macro %s: field %s of %s and its value do not fit", m.name, f.name, s.name)
		case isStruct:
			if err := h.checkInit(m, nested, part); err != nil {
				return err
			}
		case f.typ.array > 0 && len(part.list) != f.typ.array:
			return failf(m.line, "macro %s: field %s has %d elements, the initializer has %d", m.name, f.name, f.typ.array, len(part.list))
		}
	}
	return nil
}

// evaluator reads the value of one macro.
type evaluator struct {
	h      *header
	m      *macro
	tokens []token
	pos    int
}

func (e *evaluator) peek() *token { return &e.tokens[e.pos] }

func (e *evaluator) take() *token {
	t := &e.tokens[e.pos]
	if t.kind != tokEOF {
		e.pos++
	}
	return t
}

func (e *evaluator) fail(t *token) error {
	return failf(e.m.line, "macro %s: cannot read %s in %q", e.m.name, t.describe(), e.m.value)
}

func (e *evaluator) done() error {
	if t := e.take(); t.kind != tokEOF {
		return e.fail(t)
	}
	return nil
}

func (e *evaluator) sum() (int64, error) {
	n, err := e.product()
	for err == nil && (e.peek().text == "+" || e.peek().text == "-") {
		op := e.take().text
		var m int64
		if m, err = e.product(); op == "+" {
			n += m
		} else {
			n -= m
		}
	}
	return n, err
}

func (e *evaluator) product() (int64, error) {
	n, err := e.unary()
	for err == nil && e.peek().text == "*" {
		e.take()
		var m int64
		m, err = e.unary()
		n *= m
	}
	return n, err
}

func (e *evaluator) unary() (int64, error) {
	t := e.take()
	switch {
	case t.kind == tokNumber:
		n, err := strconv.ParseInt(strings.TrimRight(t.text, "uU"), 0, 64)
		if err != nil {
			return 0, e.fail(t)
		}
		return n, nil
	case t.kind == tokPunct && t.text == "-":
		n, err := e.unary()
		return -n, err
	case t.kind == tokPunct && t.text == "(":
		n, err := e.sum()
		if err != nil {
			return 0, err
		}
		if end := e.take(); end.text != ")" {
			return 0, e.fail(end)
		}
		return n, nil
	case t.kind == tokIdent:
		if m := e.h.macros[t.text]; m != nil && m.isNumber {
			return m.number, nil
		}
	}
	return 0, e.fail(t)
}

// initializer reads "{(uint32_t)sizeof(T), 0u, {NULL, 0}, -1}".
func (e *evaluator) initializer() (*initValue, error) {
	if t := e.peek(); t.text == "{" {
		e.take()
		v := &initValue{list: []*initValue{}}
		for {
			part, err := e.initializer()
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, part)
			switch end := e.take(); end.text {
			case "}":
				return v, nil
			case ",":
			default:
				return nil, e.fail(end)
			}
		}
	}
	if e.peek().text == "NULL" {
		e.take()
		return &initValue{null: true}, nil
	}
	if name := e.sizeOf(); name != "" {
		return &initValue{sizeof: name}, nil
	}
	n, err := e.sum()
	return &initValue{number: n}, err
}

// sizeOf reads "(uint32_t)sizeof(T)" and gives T, or "" without moving.
func (e *evaluator) sizeOf() string {
	want := []string{"(", "uint32_t", ")", "sizeof", "(", "", ")"}
	if e.pos+len(want) > len(e.tokens) {
		return ""
	}
	for i, w := range want {
		if w != "" && e.tokens[e.pos+i].text != w {
			return ""
		}
	}
	e.pos += len(want)
	return e.tokens[e.pos-2].text
}
