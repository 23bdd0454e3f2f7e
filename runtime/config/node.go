package config

import (
	"fmt"
	"strconv"
)

// Node is a part of a configuration that is decoded by whoever understands it:
// the options of a backend, an executor, a plugin, or the section of a module.
// The zero Node is an absent part; Decode then leaves the defaults as they are.
// A Node may be used from any thread.
type Node struct {
	tree *tree
	user *value
	std  *standard
	path string
	at   position // of the value, or of the nearest parent that exists
}

// Exists tells whether the user gave a value other than null.
func (n Node) Exists() bool { return !n.user.absent() }

// IsMap tells whether the value is a map.
func (n Node) IsMap() bool { return n.user.is(kindMap) }

// IsSequence tells whether the value is a sequence.
func (n Node) IsSequence() bool { return n.user.is(kindSequence) }

// Path gives the key path, for example aimrt.rpc.backends[0].options.
func (n Node) Path() string { return n.path }

// File gives the file as the user named it.
func (n Node) File() string { return n.at.file }

// Line gives the line from 1, of the parent when the node is absent, 0 = not known.
func (n Node) Line() int { return n.at.line }

// Column gives the column from 1 in characters, 0 = not known.
func (n Node) Column() int { return n.at.column }

// Text gives the text of a scalar and "" for anything else.
func (n Node) Text() string {
	if n.user.is(kindScalar) {
		return n.user.text
	}
	return ""
}

// Keys gives the keys of a map in the order of the file.
func (n Node) Keys() []string {
	if !n.user.is(kindMap) {
		return nil
	}
	return append([]string(nil), n.user.keys...)
}

// Len gives the number of items of a sequence or keys of a map.
func (n Node) Len() int {
	if n.user == nil {
		return 0
	}
	return len(n.user.vals)
}

// Field gives the value of a key. An absent one still knows its path and the
// line of its parent, so that errors about it can be placed.
func (n Node) Field(key string) Node {
	child := Node{tree: n.tree, user: n.user.get(key), path: join(n.path, key), at: n.at}
	if child.user != nil {
		child.at = child.user.at
	}
	n.lock()
	if known := n.std.current(); known != nil {
		child.std = known.get(key)
	}
	n.unlock()
	return child
}

// Item gives the i-th item of a sequence, an absent Node outside of it.
func (n Node) Item(i int) Node {
	child := Node{tree: n.tree, path: n.path + "[" + strconv.Itoa(i) + "]", at: n.at}
	if n.user.is(kindSequence) && i >= 0 && i < len(n.user.vals) {
		child.user = n.user.vals[i]
		child.at = child.user.at
	}
	n.lock()
	if known := n.std.current(); known != nil && i >= 0 && i < len(known.vals) {
		child.std = known.vals[i]
	}
	n.unlock()
	return child
}

// Accept marks the whole part as known: nothing in it is reported, and it is
// printed as the user wrote it. It is for parts that are tolerated and ignored.
func (n Node) Accept() {
	n.lock()
	defer n.unlock()
	if known := n.std.current(); known != nil {
		known.merge(accepted(n.user))
	}
}

// YAML prints the part as a document of its own, in block style.
func (n Node) YAML() string {
	var p printer
	if n.user.absent() {
		return "~\n"
	}
	if s := accepted(n.user); s.kind == kindMap && s.tag == "" && len(s.vals) > 0 {
		p.fields(s, 0, false, "")
	} else {
		p.node(s, 0, false)
	}
	text := p.b.String()
	for len(text) > 0 && (text[0] == '\n' || text[0] == ' ') {
		text = text[1:]
	}
	return text
}

// Errorf makes an error at the place of the node.
func (n Node) Errorf(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{File: n.at.file, Line: n.at.line, Column: n.at.column, Path: n.path, Message: err.Error(),
		Err: unwrapped(err)}
}

func unwrapped(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

// Unknown makes the error for a word of the user's that is not one of known,
// with the nearest known word: unknown backend "htpp", did you mean "http"?
// known: local, http.
func (n Node) Unknown(what, word string, known []string) *Error {
	message, nearest := unknownWord(what, word, known)
	return &Error{File: n.at.file, Line: n.at.line, Column: n.at.column, Path: n.path, Message: message, Nearest: nearest}
}

// Warn adds a finding at the place of the node.
func (n Node) Warn(format string, args ...any) {
	if n.tree == nil {
		return
	}
	n.lock()
	defer n.unlock()
	n.tree.findings = append(n.tree.findings, Finding{File: n.at.file, Line: n.at.line, Column: n.at.column, Path: n.path,
		Text: "- " + fmt.Sprintf(format, args...)})
}

func (n Node) lock() {
	if n.tree != nil {
		n.tree.mu.Lock()
	}
}

func (n Node) unlock() {
	if n.tree != nil {
		n.tree.mu.Unlock()
	}
}
