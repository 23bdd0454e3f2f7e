// Command abigen reads include/aimrt_rpc.h and writes what follows from it: the
// forwarders of capi/, the linker's export list, the ctypes declarations of the
// Python binding, layout tables, hostile-argument tests and the C reference.
//
// It knows exactly the subset of C that the header is written in; any other
// construct is an error with its line. It also checks the header's own rules
// (names, fixed widths, comments), so that a breach never reaches a release.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const source = "include/aimrt_rpc.h"

// products are the generated files, relative to the root of the repository.
var products = []struct {
	path string
	emit func(h *header) (string, error)
}{
	{"capi/forward_gen.c", emitForward},
	{"capi/exports.map", emitExports},
	{"bindings/python/src/aimrt_rpc/_abi.py", emitPython},
	{"tests/abi/layout_gen.h", emitLayoutHeader},
	{"tests/abi/layout_gen.json", emitLayoutJSON},
	{"tests/abi/golayout/structs_gen.go", emitLayoutGo},
	{"tests/abi/hostile_gen.c", emitHostile},
	{"docs/c-api.md", emitDocs},
}

func main() {
	root := flag.String("root", ".", "root of the repository")
	checkOnly := flag.Bool("check", false, "write nothing; fail when a generated file is not up to date")
	flag.Parse()
	if err := run(*root, *checkOnly); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(root string, checkOnly bool) error {
	text, err := os.ReadFile(filepath.Join(root, source))
	if err != nil {
		return err
	}
	h, err := load(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	for _, p := range products {
		out, err := p.emit(h)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", source, p.path, err)
		}
		if err := write(filepath.Join(root, p.path), []byte(out), checkOnly); err != nil {
			return err
		}
	}
	return nil
}

// load parses a header and checks its rules.
func load(text string) (*header, error) {
	h, err := parse(text)
	if err != nil {
		return nil, err
	}
	return h, errors.Join(h.check()...)
}

// write leaves a file that is up to date untouched, so that make sees no change.
func write(path string, text []byte, checkOnly bool) error {
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	if checkOnly {
		return fmt.Errorf("%s is not up to date with %s: run make generate", path, source)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
