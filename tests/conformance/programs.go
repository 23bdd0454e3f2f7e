package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Languages are those with a reference program.
var Languages = []string{"go", "cpp", "python"}

// Programs finds the reference programs that make conformance-programs has put into a folder.
func Programs(folder string, languages []string) ([]Program, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	var out []Program
	for _, language := range languages {
		path := filepath.Join(folder, language, "program")
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("no program for %q (known: %s): %w; make conformance-programs builds them", language, strings.Join(Languages, ", "), err)
		}
		out = append(out, Program{Language: language, Command: []string{path}})
	}
	return out, nil
}
