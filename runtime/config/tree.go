package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of one configuration. Aliases count for what they expand to.
const (
	MaxFileBytes = 4 << 20 // file or text, before and after environment substitution
	MaxNodes     = 200_000 // scalars, maps and sequences
	MaxDepth     = 100     // nesting
)

type kind uint8

const (
	kindNull kind = iota
	kindScalar
	kindSequence
	kindMap
)

func (k kind) String() string {
	return [...]string{"null", "a scalar", "a sequence", "a map"}[k]
}

type position struct {
	file         string
	line, column int
}

// value is a node of the user's file with aliases and merge keys resolved.
type value struct {
	kind   kind
	text   string // scalar
	tag    string // explicit tag other than !!str, printed again
	quoted bool   // a string whatever it looks like
	keys   []string
	keyAt  []position
	vals   []*value // of a map, parallel to keys; or items of a sequence
	at     position
}

func (v *value) is(k kind) bool { return v != nil && v.kind == k }

// absent tells that no value was given: no node, or a null.
func (v *value) absent() bool { return v == nil || v.kind == kindNull }

func (v *value) get(key string) *value {
	if v.is(kindMap) {
		for i, k := range v.keys {
			if k == key {
				return v.vals[i]
			}
		}
	}
	return nil
}

func (v *value) set(key string, val *value) {
	for i, k := range v.keys {
		if k == key {
			v.vals[i], v.keyAt[i] = val, val.at
			return
		}
	}
	v.keys, v.keyAt, v.vals = append(v.keys, key), append(v.keyAt, val.at), append(v.vals, val)
}

// describe names a value in a message: its text, or what it is.
func (v *value) describe() string {
	if v.is(kindScalar) {
		return quote(v.text)
	}
	if v == nil {
		return "nothing"
	}
	return v.kind.String()
}

// quote prints user text in a message, cut to a readable length.
func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		return strconv.Quote(strings.ToValidUTF8(s[:longest], "")) + "..."
	}
	return strconv.Quote(s)
}

// builder turns yaml.v3's nodes into values.
type builder struct {
	src      *source
	nodes    int
	open     map[*yaml.Node]bool // anchors being built
	findings []Finding
	probs    problems
}

func (b *builder) place(n *yaml.Node) position {
	return b.src.at(n.Line, n.Column)
}

func (b *builder) fail(n *yaml.Node, path, format string, args ...any) {
	at := b.place(n)
	b.probs.add(&Error{File: at.file, Line: at.line, Column: at.column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) build(n *yaml.Node, path string, depth int) *value {
	b.nodes++
	if b.nodes > MaxNodes {
		if b.nodes == MaxNodes+1 {
			b.fail(n, path, "more than %d values (aliases count for what they expand to)", MaxNodes)
		}
		return &value{at: b.place(n)}
	}
	if depth > MaxDepth {
		b.fail(n, path, "nested deeper than %d levels", MaxDepth)
		return &value{at: b.place(n)}
	}
	if n.Anchor != "" {
		b.open[n] = true
		defer delete(b.open, n)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return b.scalar(n)
	case yaml.SequenceNode:
		v := &value{kind: kindSequence, at: b.place(n), tag: explicitTag(n)}
		for i, c := range n.Content {
			v.vals = append(v.vals, b.build(c, path+"["+strconv.Itoa(i)+"]", depth+1))
		}
		return v
	case yaml.MappingNode:
		return b.mapping(n, path, depth)
	case yaml.AliasNode:
		if b.open[n.Alias] {
			b.fail(n, path, "anchor %q contains itself", n.Value)
			return &value{at: b.place(n)}
		}
		return b.build(n.Alias, path, depth+1)
	}
	return &value{at: b.place(n)}
}

func explicitTag(n *yaml.Node) string {
	if n.Style&yaml.TaggedStyle == 0 {
		return ""
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!null", "!!map", "!!seq":
		return ""
	default:
		return tag
	}
}

func (b *builder) scalar(n *yaml.Node) *value {
	v := &value{kind: kindScalar, text: n.Value, at: b.place(n), tag: explicitTag(n)}
	switch {
	case n.ShortTag() == "!!null":
		v.kind, v.text = kindNull, ""
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		v.quoted = true
	case n.Style&yaml.TaggedStyle != 0 && n.ShortTag() == "!!str":
		v.quoted = true
	}
	return v
}

func (b *builder) mapping(n *yaml.Node, path string, depth int) *value {
	v := &value{kind: kindMap, at: b.place(n), tag: explicitTag(n)}
	seen := make(map[string]int, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			b.fail(key, path, "a key must be a scalar")
			continue
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, val)
			continue
		}
		childPath := join(path, key.Value)
		if first, dup := seen[key.Value]; dup {
			at := b.place(key)
			b.findings = append(b.findings, Finding{File: at.file, Line: at.line, Column: at.column, Path: childPath,
				Text: fmt.Sprintf("- Duplicate key: '%s'! Only the first one, line %d, is used.", childPath, v.keyAt[first].line)})
			continue
		}
		seen[key.Value] = len(v.keys)
		v.keys, v.keyAt = append(v.keys, key.Value), append(v.keyAt, b.place(key))
		v.vals = append(v.vals, b.build(val, childPath, depth+1))
	}
	for _, m := range merges {
		b.merge(v, m, path, depth)
	}
	return v
}

// merge adds the keys of a "<<" value that the map does not have itself.
func (b *builder) merge(v *value, n *yaml.Node, path string, depth int) {
	from := b.build(n, path, depth+1)
	list := []*value{from}
	if from.kind == kindSequence {
		list = from.vals
	}
	for _, one := range list {
		if one.kind != kindMap {
			b.fail(n, path, "merge key << needs a map or a sequence of maps, got %s", one.describe())
			return
		}
		for i, k := range one.keys {
			if v.get(k) == nil {
				v.keys, v.keyAt, v.vals = append(v.keys, k), append(v.keyAt, one.keyAt[i]), append(v.vals, one.vals[i])
			}
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
