package main

import "strings"

// header is what abigen knows about the public header, in its order.
type header struct {
	intro     string
	sections  []*section
	aliases   map[string]*alias
	structs   map[string]*structure
	callbacks map[string]*callback
	macros    map[string]*macro
	functions []*function
	inits     map[string]*macro // struct name -> its _INIT macro
}

// section is the part of the header below one banner.
type section struct {
	title string
	items []item
}

// item is a macro, alias, structure, callback, function or note.
type item interface{ itemLine() int }

// note is a comment that stands for itself.
type note struct {
	line int
	text string
}

// macro is an object-like #define.
type macro struct {
	name     string
	value    string // as written
	line     int
	doc      string // the comment above, "" when it belongs to the group
	trailing string
	number   int64 // the value of a constant
	isNumber bool
	init     *initValue // of an _INIT macro
}

// initValue is one part of an initializer: a list, a number, NULL, or the size
// of a struct.
type initValue struct {
	list   []*initValue
	sizeof string
	null   bool
	number int64
}

// alias is typedef of an integer, or of an opaque struct.
type alias struct {
	name     string
	base     string
	opaque   bool
	line     int
	doc      string
	trailing string
}

// structure is a struct with a typedef of the same name.
type structure struct {
	name   string
	fields []*field
	line   int
	doc    string
	size   int
	align  int
}

type field struct {
	name     string
	typ      *ctype
	line     int
	trailing string
	offset   int
	size     int
}

// callback is a named function pointer type.
type callback struct {
	name string
	sig  *signature
	line int
	doc  string
}

// function is an exported function of the library.
type function struct {
	name string
	sig  *signature
	line int
	doc  comment
}

type signature struct {
	result *ctype
	params []*param
}

type param struct {
	name string
	typ  *ctype
	line int
	doc  paramDoc
}

// ctype is a base type with pointers: "const void *const *" has base void,
// constBase, and pointers [true, false].
type ctype struct {
	base      string
	constBase bool
	pointers  []bool // one per '*', true when const
	array     int    // elements, 0 = not an array
	fn        *signature
}

// comment is a function's comment in the parts that rule H15 asks for.
type comment struct {
	text     string // as written
	sentence string
	params   string
	returns  string
	thread   string
	blocks   string
	since    string
}

// paramDoc is what the Params part says about one parameter.
type paramDoc struct {
	out      bool
	owned    bool
	nullable bool
	text     string
}

func (n *note) itemLine() int      { return n.line }
func (m *macro) itemLine() int     { return m.line }
func (a *alias) itemLine() int     { return a.line }
func (s *structure) itemLine() int { return s.line }
func (c *callback) itemLine() int  { return c.line }
func (f *function) itemLine() int  { return f.line }

func (t *ctype) isVoid() bool { return t.base == "void" && len(t.pointers) == 0 && t.fn == nil }

// pointsTo tells whether t is a single pointer to the given base.
func (t *ctype) pointsTo(base string) bool {
	return t.fn == nil && t.base == base && len(t.pointers) == 1
}

// text writes t as C, around the given name.
func (t *ctype) text(name string) string {
	if t.fn != nil {
		var params []string
		for _, p := range t.fn.params {
			params = append(params, p.typ.text(p.name))
		}
		if len(params) == 0 {
			params = []string{"void"}
		}
		return t.fn.result.text("(*"+name+")") + "(" + strings.Join(params, ", ") + ")"
	}
	var b strings.Builder
	if t.constBase {
		b.WriteString("const ")
	}
	b.WriteString(t.base)
	if name != "" || len(t.pointers) > 0 {
		b.WriteByte(' ')
	}
	for i, c := range t.pointers {
		b.WriteByte('*')
		if c {
			b.WriteString("const")
			if i == len(t.pointers)-1 && name != "" {
				b.WriteByte(' ')
			}
			if i < len(t.pointers)-1 {
				b.WriteByte(' ')
			}
		}
	}
	b.WriteString(name)
	if t.array > 0 {
		b.WriteString("[" + itoa(t.array) + "]")
	}
	return strings.TrimRight(b.String(), " ")
}

func (s *structure) hasSize() bool { return len(s.fields) > 0 && s.fields[0].name == "struct_size" }
