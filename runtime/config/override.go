package config

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxOverrides is the number of overrides that one Load accepts.
const MaxOverrides = 1000

// step is one part of an override's path: a key, or an index.
type step struct {
	key   string
	index int // -1 = a key
}

// override sets one value of the user's tree: "aimrt.rpc.backends[0].type=local".
// Missing maps are made, an index one past the end appends, null is replaced.
func (b *builder) override(root *value, text, name string) (*value, error) {
	path, word, ok := strings.Cut(text, "=")
	fail := func(column int, format string, args ...any) (*value, error) {
		return root, &Error{File: name, Line: 1, Column: column, Message: fmt.Sprintf(format, args...)}
	}
	if !ok {
		return fail(1, "%s has no \"=\", expected path=value such as aimrt.log.core_lvl=Warn", quote(text))
	}
	path = strings.TrimSpace(path)
	steps, err := parseSteps(path)
	if err != nil {
		return fail(1, "path %s: %v", quote(path), err)
	}
	src, _ := newSource(name, word, func(string) (string, bool) { return "", false })
	src.text, src.parts = word, nil // an override is taken as it stands
	doc, parseErr := parseYAML(word)
	if parseErr != nil {
		return root, syntaxError(src, parseErr)
	}
	val := &value{at: position{name, 1, len(path) + 2}}
	if doc != nil {
		before := b.src
		b.src = src
		val = b.build(doc, path, 0)
		b.src = before
		shift(val, len(path)+1)
	}
	root, err = apply(root, steps, val, position{name, 1, 1}, "")
	if err != nil {
		return fail(1, "path %s: %v", quote(path), err)
	}
	return root, nil
}

// shift moves the columns of an override's value behind its path.
func shift(v *value, by int) {
	if v.at.line == 1 {
		v.at.column += by
	}
	for i := range v.keyAt {
		if v.keyAt[i].line == 1 {
			v.keyAt[i].column += by
		}
	}
	for _, c := range v.vals {
		shift(c, by)
	}
}

func parseSteps(path string) ([]step, error) {
	var steps []step
	for _, word := range strings.Split(path, ".") {
		key, rest, _ := strings.Cut(word, "[")
		if key == "" {
			return nil, fmt.Errorf("a key is empty")
		}
		steps = append(steps, step{key: key, index: -1})
		for rest != "" {
			number, after, closed := strings.Cut(rest, "]")
			i, err := strconv.Atoi(number)
			if !closed || err != nil || i < 0 || after != "" && after[0] != '[' {
				return nil, fmt.Errorf("expected an index such as [0] in %q", word)
			}
			steps = append(steps, step{index: i})
			rest = strings.TrimPrefix(after, "[")
			if after == "[" {
				return nil, fmt.Errorf("expected an index such as [0] in %q", word)
			}
		}
		if strings.HasSuffix(word, "[") {
			return nil, fmt.Errorf("expected an index such as [0] in %q", word)
		}
	}
	if len(steps) > MaxDepth {
		return nil, fmt.Errorf("deeper than %d levels", MaxDepth)
	}
	return steps, nil
}

// apply sets val at steps below v and gives the new v.
func apply(v *value, steps []step, val *value, at position, path string) (*value, error) {
	if len(steps) == 0 {
		return val, nil
	}
	s := steps[0]
	want := kindMap
	if s.index >= 0 {
		want = kindSequence
	}
	if v.absent() {
		v = &value{kind: want, at: at}
	}
	if v.kind != want {
		return nil, fmt.Errorf("%s is %s in the configuration, not %s", quote(path), v.describe(), want)
	}
	if s.index < 0 {
		path = join(path, s.key)
		child, err := apply(v.get(s.key), steps[1:], val, at, path)
		if err != nil {
			return nil, err
		}
		v.set(s.key, child)
		return v, nil
	}
	if s.index > len(v.vals) {
		return nil, fmt.Errorf("%s has %d items, index %d is out of range", quote(path), len(v.vals), s.index)
	}
	if s.index == len(v.vals) {
		v.vals = append(v.vals, nil)
	}
	child, err := apply(v.vals[s.index], steps[1:], val, at, path+"["+strconv.Itoa(s.index)+"]")
	if err != nil {
		return nil, err
	}
	v.vals[s.index] = child
	return v, nil
}
