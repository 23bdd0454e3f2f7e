package core

import (
	"errors"
	"fmt"
	"strconv"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/registry"
	"aimrtrpc/runtime/rpc"
)

// Kind sorts errors of this package by what a caller can do about them.
type Kind uint8

// Kinds of errors.
const (
	Internal Kind = iota
	InvalidArgument
	InvalidState
	NotFound
	AlreadyExists
	Limit
	Config
	IO
	ModuleRefused
	Unsupported
)

// Error is an error of this package with its kind.
type Error struct {
	Kind    Kind
	Nearest string // the known name closest to an unknown one
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Err: err}
}

func failf(kind Kind, format string, arguments ...any) error {
	return fail(kind, fmt.Errorf(format, arguments...))
}

// KindOf gives the kind of an error.
func KindOf(err error) Kind {
	var e *Error
	var missing *executor.NotFoundError
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, registry.ErrDuplicate):
		return AlreadyExists
	case errors.Is(err, registry.ErrLimit):
		return Limit
	case errors.As(err, &missing):
		return NotFound
	case len(config.Errors(err)) > 0:
		return Config
	}
	return Internal
}

// Details gives what a program may want to know about an error: file, line, column, path and nearest of the first problem.
func Details(err error) []rpc.Detail {
	var out []rpc.Detail
	add := func(key, value string) {
		if value != "" && value != "0" {
			out = append(out, rpc.Detail{Key: key, Value: value})
		}
	}
	if list := config.Errors(err); len(list) > 0 {
		add("file", list[0].File)
		add("line", strconv.Itoa(list[0].Line))
		add("column", strconv.Itoa(list[0].Column))
		add("path", list[0].Path)
		add("nearest", list[0].Nearest)
		return out
	}
	var e *Error
	var missing *executor.NotFoundError
	if errors.As(err, &e) {
		add("nearest", e.Nearest)
	} else if errors.As(err, &missing) {
		add("nearest", missing.Nearest)
	}
	return out
}

// unknown is the error for a name nobody has, with the nearest one.
func unknown(what, name string, known []string) error {
	e := config.Node{}.Unknown(what, name, known)
	return &Error{Kind: NotFound, Nearest: e.Nearest, Err: errors.New(e.Message)}
}
