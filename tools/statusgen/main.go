// Command statusgen turns runtime/rpc/status.yaml into the status tables of every language and into docs/status.md.
//
// It runs from the root of the repository (make generate). It is not part of the product.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

const sourcePath = "runtime/rpc/status.yaml"

// output is one generated file.
type output struct {
	path   string
	format *template.Template
	isGo   bool
}

var outputs = []output{
	{path: "runtime/rpc/status_gen.go", format: goTemplate, isGo: true},
	{path: "capi/status_gen.h", format: cTemplate},
	{path: "bindings/python/src/aimrt_rpc/_status_gen.py", format: pythonTemplate},
	{path: "bindings/cpp/include/aimrt_rpc/status_gen.hpp", format: cppTemplate},
	{path: "docs/status.md", format: docsTemplate},
}

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, "statusgen:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	s, err := load(filepath.Join(root, sourcePath))
	if err != nil {
		return err
	}
	for _, o := range outputs {
		text, err := render(o, s)
		if err != nil {
			return err
		}
		path := filepath.Join(root, o.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render gives the text of one generated file.
func render(o output, s *source) ([]byte, error) {
	var b bytes.Buffer
	if err := o.format.Execute(&b, s); err != nil {
		return nil, fmt.Errorf("%s: %w", o.path, err)
	}
	if !o.isGo {
		return b.Bytes(), nil
	}
	text, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.path, err)
	}
	return text, nil
}

func parseTemplate(name, text string) *template.Template {
	functions := template.FuncMap{
		"camel":  camel,
		"quote":  func(s string) string { return fmt.Sprintf("%q", s) },
		"lower":  strings.ToLower,
		"number": func(list []foreign, name string) int { return named(list)[name] },
	}
	return template.Must(template.New(name).Funcs(functions).Parse(text))
}
