package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Defaulter sets the defaults of a struct that stands in a sequence or behind a
// pointer, before it is decoded. The struct given to Decode is filled by its caller.
type Defaulter interface{ SetDefaults() }

// Validator checks a decoded struct; n is the place it was decoded from.
type Validator interface{ Validate(n Node) error }

// Decode reads the node into the struct that target points to, whose fields hold
// the defaults. Fields are found by their tag:
//
//	Timeout string `cfg:"timeout_executor"`
//	Type    string `cfg:"type,required"`    must be given
//	Level   *int   `cfg:"lvl,omitempty"`    not printed when nil or empty
//	Options Node   `cfg:"options"`          decoded later by somebody else
//	Self    Node   `cfg:",self"`            the place of the struct itself
//
// A field may be a string, bool, integer, float, [Pattern], encoding.TextUnmarshaler,
// Node, a struct, a pointer to one of these (nil = not given), a slice of these, or
// a map[string] of these; an embedded struct without a tag adds its fields. Fields
// without a tag are left alone.
//
// A null counts as not given. A sequence of maps that is given as something else is
// ignored with a finding, as in AimRT; every other wrong type is an error. All
// errors are reported together. Decoding a node twice, into different structs,
// makes the keys of both known. On an error the target is partly filled.
func (n Node) Decode(target any) error {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: Decode needs a pointer to a struct, got %T", target)
	}
	d := decoder{tree: n.tree}
	n.lock()
	std := d.structure(n, v.Elem())
	if known := n.std.current(); known != nil {
		known.merge(std)
	}
	n.unlock()
	for _, check := range d.checks {
		d.probs.add(check())
	}
	return d.probs.err()
}

type decoder struct {
	tree   *tree
	probs  problems
	checks []func() error // Validate calls, made without the lock
}

func (d *decoder) fail(n Node, format string, args ...any) *standard {
	d.probs.add(n.Errorf(format, args...))
	return &standard{}
}

var (
	nodeType    = reflect.TypeFor[Node]()
	patternType = reflect.TypeFor[Pattern]()
)

// structure decodes a map into a struct.
func (d *decoder) structure(n Node, v reflect.Value) *standard {
	if !n.user.absent() && n.user.kind != kindMap {
		return d.fail(n, "expected a map, got %s", n.user.describe())
	}
	if v.NumField() == 0 { // a part without options prints as ~
		return &standard{}
	}
	std := &standard{kind: kindMap}
	before := len(d.probs.list) + d.probs.more
	n.std = std
	d.fields(n, v, std)
	if val, ok := v.Addr().Interface().(Validator); ok && before == len(d.probs.list)+d.probs.more {
		d.checks = append(d.checks, func() error { return val.Validate(n) })
	}
	return std
}

func (d *decoder) fields(n Node, v reflect.Value, std *standard) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag, tagged := field.Tag.Lookup("cfg")
		if !tagged {
			if field.Anonymous && field.Type.Kind() == reflect.Struct {
				d.fields(n, v.Field(i), std)
			}
			continue
		}
		key, options, _ := strings.Cut(tag, ",")
		if key == "" && options == "self" && field.Type == nodeType {
			v.Field(i).Set(reflect.ValueOf(n))
			continue
		}
		child := Node{tree: n.tree, user: n.user.get(key), path: join(n.path, key), at: n.at}
		if child.user != nil {
			child.at = child.user.at
		}
		if child.user.absent() && options == "required" {
			std.put(key, &standard{})
			d.probs.add(n.Errorf("required option %q is missing", key))
			continue
		}
		s := d.value(child, v.Field(i))
		s.hidden = options == "omitempty" && (s.kind == kindNull || s.kind == kindScalar && s.text == "" || s.kind != kindScalar && len(s.vals) == 0)
		std.put(key, s)
	}
}

// value decodes anything into v and gives its standard node.
func (d *decoder) value(n Node, v reflect.Value) *standard {
	switch {
	case v.Type() == nodeType:
		s := &standard{open: true, user: n.user}
		n.std = s
		v.Set(reflect.ValueOf(n))
		return s
	case v.Kind() == reflect.Pointer:
		return d.pointer(n, v)
	case v.Type() == patternType:
		return d.pattern(n, v)
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return d.text(n, v, text)
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.structure(n, v)
	case reflect.Slice:
		return d.slice(n, v)
	case reflect.Map:
		return d.stringMap(n, v)
	}
	return d.scalar(n, v)
}

func (d *decoder) pointer(n Node, v reflect.Value) *standard {
	if n.user.absent() {
		if v.IsNil() {
			return &standard{}
		}
		return d.value(n, v.Elem())
	}
	if v.IsNil() {
		v.Set(newValue(v.Type().Elem()).Addr())
	}
	return d.value(n, v.Elem())
}

// newValue makes an addressable value with its defaults set.
func newValue(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if def, ok := p.Interface().(Defaulter); ok {
		def.SetDefaults()
	}
	return p.Elem()
}

func (d *decoder) pattern(n Node, v reflect.Value) *standard {
	p := v.Interface().(Pattern)
	if !n.user.absent() {
		compiled, err := CompileRule(n)
		if err != nil {
			d.probs.add(err)
			return &standard{}
		}
		p = compiled
	}
	v.Set(reflect.ValueOf(p))
	return &standard{kind: kindScalar, text: p.expr, style: styleString}
}

func (d *decoder) text(n Node, v reflect.Value, target encoding.TextUnmarshaler) *standard {
	if !n.user.absent() {
		if n.user.kind != kindScalar {
			return d.fail(n, "expected a scalar, got %s", n.user.describe())
		}
		if err := target.UnmarshalText([]byte(n.user.text)); err != nil {
			return d.fail(n, "%w", err)
		}
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return &standard{kind: kindScalar, text: string(text), style: styleString}
		}
	}
	return accepted(n.user)
}

// slice decodes a sequence.
func (d *decoder) slice(n Node, v reflect.Value) *standard {
	elem := v.Type().Elem()
	ofMaps := elem.Kind() == reflect.Struct && elem != nodeType && elem != patternType && !isText(elem)
	if n.user.absent() {
		n.user = nil
		return d.defaultSlice(n, v, ofMaps)
	}
	if n.user.kind != kindSequence {
		if !ofMaps {
			return d.fail(n, "expected a sequence, got %s", n.user.describe())
		}
		d.warn(n, "- Ignored: '%s' must be a sequence, not %s!", n.path, n.user.describe())
		return d.defaultSlice(n, v, ofMaps)
	}
	std := &standard{kind: kindSequence, emptyNull: ofMaps}
	out := reflect.MakeSlice(v.Type(), len(n.user.vals), len(n.user.vals))
	for i, item := range n.user.vals {
		child := Node{tree: n.tree, user: item, path: n.path + "[" + strconv.Itoa(i) + "]", at: item.at}
		if item.kind == kindNull && elem != nodeType {
			d.probs.add(child.Errorf("an item of the sequence is empty"))
			std.vals = append(std.vals, &standard{})
			continue
		}
		out.Index(i).Set(newValue(elem))
		std.vals = append(std.vals, d.value(child, out.Index(i)))
	}
	v.Set(out)
	return std
}

// defaultSlice prints the default items.
func (d *decoder) defaultSlice(n Node, v reflect.Value, ofMaps bool) *standard {
	std := &standard{kind: kindSequence, emptyNull: ofMaps}
	for i := range v.Len() {
		child := Node{tree: n.tree, path: n.path + "[" + strconv.Itoa(i) + "]", at: n.at}
		std.vals = append(std.vals, d.value(child, v.Index(i)))
	}
	return std
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (d *decoder) warn(n Node, format string, args ...any) {
	if d.tree != nil {
		d.tree.findings = append(d.tree.findings, Finding{File: n.at.file, Line: n.at.line, Column: n.at.column, Path: n.path,
			Text: fmt.Sprintf(format, args...)})
	}
}

// stringMap decodes a map with keys of the user's choice.
func (d *decoder) stringMap(n Node, v reflect.Value) *standard {
	std := &standard{kind: kindMap}
	if v.Type().Key().Kind() != reflect.String {
		return d.fail(n, "config: unsupported field type %s", v.Type())
	}
	if n.user.absent() {
		return std
	}
	if n.user.kind != kindMap {
		return d.fail(n, "expected a map, got %s", n.user.describe())
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.user.keys))
	for i, k := range n.user.keys {
		item := newValue(v.Type().Elem())
		std.put(k, d.value(Node{tree: n.tree, user: n.user.vals[i], path: join(n.path, k), at: n.user.vals[i].at}, item))
		out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), item)
	}
	v.Set(out)
	return std
}

// scalar decodes strings, bools and numbers with yaml-cpp's rules.
func (d *decoder) scalar(n Node, v reflect.Value) *standard {
	if !n.user.absent() {
		if n.user.kind != kindScalar {
			return d.fail(n, "expected %s, got %s", typeName(v), n.user.describe())
		}
		if err := setScalar(v, n.user.text); err != "" {
			return d.fail(n, "expected %s, got %s", err, n.user.describe())
		}
	}
	std := &standard{kind: kindScalar}
	switch {
	case v.Kind() == reflect.String:
		std.text, std.style = v.String(), styleString
	case v.Kind() == reflect.Bool:
		std.text = strconv.FormatBool(v.Bool())
	case v.CanInt():
		std.text = strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		std.text = strconv.FormatUint(v.Uint(), 10)
	case v.CanFloat():
		std.text = floatText(v.Float())
	default:
		return d.fail(n, "config: unsupported field type %s", v.Type())
	}
	return std
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// setScalar stores text in v, or says what it expected.
func setScalar(v reflect.Value, text string) (expected string) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
		return ""
	case v.Kind() == reflect.Bool:
		b, ok := parseBool(text)
		if !ok {
			return typeName(v)
		}
		v.SetBool(b)
	case v.CanInt():
		i, err := strconv.ParseInt(text, 0, v.Type().Bits())
		if err != nil {
			return typeName(v)
		}
		v.SetInt(i)
	case v.CanUint():
		u, err := strconv.ParseUint(text, 0, v.Type().Bits())
		if err != nil {
			return typeName(v)
		}
		v.SetUint(u)
	case v.CanFloat():
		f, err := parseFloat(text, v.Type().Bits())
		if err != nil {
			return typeName(v)
		}
		v.SetFloat(f)
	}
	return ""
}

func parseFloat(text string, bits int) (float64, error) {
	switch strings.ToLower(strings.TrimPrefix(text, "+")) {
	case ".inf":
		return math.Inf(1), nil
	case "-.inf":
		return math.Inf(-1), nil
	case ".nan":
		return math.NaN(), nil
	}
	return strconv.ParseFloat(text, bits)
}

// parseBool knows yaml-cpp's words: y yes true on, n no false off, in lower, UPPER
// or Capitalized form.
func parseBool(text string) (value, ok bool) {
	lower := strings.ToLower(text)
	if text == "" || text != lower && text != strings.ToUpper(text) && text != strings.ToUpper(lower[:1])+lower[1:] {
		return false, false
	}
	switch lower {
	case "y", "yes", "true", "on":
		return true, true
	case "n", "no", "false", "off":
		return false, true
	}
	return false, false
}

func typeName(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return "a string"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanUint():
		return "an integer from 0 to " + strconv.FormatUint(math.MaxUint64>>(64-v.Type().Bits()), 10)
	case v.CanInt():
		limit := uint64(1) << (v.Type().Bits() - 1)
		return "an integer from -" + strconv.FormatUint(limit, 10) + " to " + strconv.FormatUint(limit-1, 10)
	case v.CanFloat():
		return "a number"
	}
	return "a scalar"
}
