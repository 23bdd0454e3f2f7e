package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxErrors is the number of problems that one Decode or Load reports.
const MaxErrors = 20

// Error is one problem of a configuration, with its place.
type Error struct {
	File    string // as the user named it; "override[i]" for an override
	Line    int    // from 1; 0 = not known
	Column  int    // from 1, in characters; 0 = not known
	Path    string // for example aimrt.rpc.backends[0].type
	Message string
	Nearest string // the known word closest to an unknown one, "" = none
	Err     error  // cause, may be nil
}

// Error gives file:line:column: path: message, leaving out what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(e.Line))
		if e.Column > 0 {
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(e.Column))
		}
	}
	for _, part := range []string{e.Path, e.Message} {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors gives every *Error inside err, in order of appearance.
func Errors(err error) []*Error {
	switch e := err.(type) {
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var out []*Error
		for _, one := range e.Unwrap() {
			out = append(out, Errors(one)...)
		}
		return out
	}
	return Errors(errors.Unwrap(err))
}

// problems collects errors up to MaxErrors.
type problems struct {
	list []error
	more int
}

func (p *problems) add(err error) {
	if err == nil {
		return
	}
	for _, e := range split(err) {
		if len(p.list) < MaxErrors {
			p.list = append(p.list, e)
		} else {
			p.more++
		}
	}
}

func split(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	return []error{err}
}

func (p *problems) err() error {
	switch {
	case len(p.list) == 0:
		return nil
	case p.more > 0:
		return errors.Join(append(p.list, fmt.Errorf("and %d more errors", p.more))...)
	case len(p.list) == 1:
		return p.list[0]
	}
	return errors.Join(p.list...)
}
