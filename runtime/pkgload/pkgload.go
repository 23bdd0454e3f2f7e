// Package pkgload reads Pkg files: shared libraries of AimRT that hold modules. It decides which modules of which file are made, checks what
// a file says about itself, and words what is wrong. Opening a file and calling into it is its host's.
package pkgload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aimrtrpc/runtime/config"
)

// MaxModules limits the modules of one file.
const MaxModules = 4096

// Opener opens Pkg files. They stay open: code of theirs may run until the process ends.
type Opener interface {
	// Open gives a *LoadError or a *SymbolError when that fails. With deepBind the file prefers its own symbols to those of the process.
	Open(path string, deepBind bool) (File, error)
}

// File is an open Pkg file.
type File interface {
	// Path is the canonical path, which is also the package of the modules.
	Path() string
	// ModuleNum is what the file says about the length of its list.
	ModuleNum() uint64
	// ModuleName gives a name of the list; false when there is no list.
	ModuleName(index int) (name string, ok bool)
	// Create makes a module; false when the file refuses.
	Create(name string) (Module, bool)
}

// Module is a module that a file has made.
type Module interface {
	// Info is what it says about itself.
	Info() Info
	// Missing names a function it must have and has not, "" when it has all.
	Missing() string
	// Destroy gives it back to its file.
	Destroy()
}

// Info describes a module.
type Info struct {
	Name, Author, Description  string
	Major, Minor, Patch, Build uint32
}

// LoadError is a file that the system does not load; Text is the system's.
type LoadError struct{ Text string }

func (e *LoadError) Error() string { return e.Text }

// SymbolError is a file without one of the functions of a Pkg file.
type SymbolError struct{ Symbol string }

func (e *SymbolError) Error() string { return "no symbol " + e.Symbol }

// Loaded is a module with what is known about it.
type Loaded struct {
	Module  Module
	Info    Info
	Package string // canonical path of its file
}

// Load opens the files in the order of the configuration and makes their modules in the order of their lists. What was made is given back
// when something is wrong. search are folders in which a relative path is looked for when it leads nowhere.
func Load(opener Opener, packages []config.Package, search []string) ([]Loaded, error) {
	var out []Loaded
	for _, p := range packages {
		modules, err := loadOne(opener, p, search, out)
		out = append(out, modules...)
		if err != nil {
			Destroy(out)
			return nil, err
		}
	}
	return out, nil
}

// Destroy gives modules back, the last made first.
func Destroy(modules []Loaded) {
	for _, m := range slices.Backward(modules) {
		m.Module.Destroy()
	}
}

// loadOne gives the modules it has made, also when it fails.
func loadOne(opener Opener, p config.Package, search []string, former []Loaded) (out []Loaded, err error) {
	at := p.Self.Field("path")
	if p.Path == "" {
		return nil, at.Errorf("a Pkg file needs a path, got an empty text")
	}
	deepBind := p.DeepBind != nil && *p.DeepBind
	file, err := opener.Open(find(p.Path, search), deepBind)
	if err != nil {
		return nil, at.Errorf("%w", openError(p.Path, err))
	}
	names, err := namesOf(file)
	if err != nil {
		return nil, at.Errorf("%w", err)
	}
	for _, name := range selected(p, file.Path(), names) {
		m, err := create(file, name)
		if err != nil {
			return out, at.Errorf("%w", err)
		}
		for _, other := range slices.Concat(former, out) {
			if other.Info.Name == name {
				m.Destroy()
				return out, at.Errorf("Duplicate module '%s' in lib %s and %s.", name, other.Package, file.Path())
			}
		}
		out = append(out, Loaded{Module: m, Info: m.Info(), Package: file.Path()})
	}
	return out, nil
}

// find looks a relative path up in the search folders when the working directory does not have it. A name without a slash that is nowhere
// stays as it is: the system knows folders of its own.
func find(path string, search []string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); err == nil {
		if !strings.Contains(path, "/") {
			return "./" + path
		}
		return path
	}
	for _, dir := range search {
		candidate := filepath.Join(dir, path)
		if _, err := os.Stat(candidate); dir != "" && err == nil {
			return candidate
		}
	}
	return path
}

// openError words why a file could not be opened as AimRT does, whose users look for these texts.
func openError(path string, err error) error {
	if missing, ok := err.(*SymbolError); ok {
		//lint:ignore ST1005 AimRT's text
		return fmt.Errorf("Cannot find symbol '%s' in lib %s.", missing.Symbol, path)
	}
	return fmt.Errorf("Load dynamic lib failed, lib path %s, error info %w", path, err)
}

// namesOf reads and checks the list of a file.
func namesOf(file File) ([]string, error) {
	num := file.ModuleNum()
	if num == 0 {
		//lint:ignore ST1005 AimRT's text
		return nil, fmt.Errorf("No module in lib %s.", file.Path())
	}
	if num > MaxModules {
		return nil, fmt.Errorf("lib %s says it has %d modules, at most %d are accepted", file.Path(), num, MaxModules)
	}
	var names []string
	for i := range int(num) {
		name, ok := file.ModuleName(i)
		switch {
		case !ok:
			//lint:ignore ST1005 AimRT's text
			return nil, fmt.Errorf("Module name list is null in lib %s.", file.Path())
		case name == "":
			//lint:ignore ST1005 AimRT's text
			return nil, fmt.Errorf("Module name index [%d] is empty in lib %s.", i, file.Path())
		case slices.Contains(names, name):
			//lint:ignore ST1005 AimRT's text
			return nil, fmt.Errorf("Module name '%s' repeated in lib %s.", name, file.Path())
		}
		names = append(names, name)
	}
	return names, nil
}

// selected applies the lists of the configuration: what is enabled, else what is not disabled.
func selected(p config.Package, path string, names []string) []string {
	key, list := "disable_modules", p.DisableModules
	if len(p.EnableModules) > 0 {
		key, list = "enable_modules", p.EnableModules
	}
	for i, name := range list {
		if !slices.Contains(names, name) {
			hint := ""
			if nearest := config.Nearest(name, names); nearest != "" {
				hint = fmt.Sprintf(" Did you mean: '%s'?", nearest)
			}
			p.Self.Field(key).Item(i).Warn("Ignored: '%s', lib %s has no module '%s'!%s", key, path, name, hint)
		}
	}
	enabled := len(p.EnableModules) > 0
	var out []string
	for _, name := range names {
		if slices.Contains(list, name) == enabled {
			out = append(out, name)
		}
	}
	return out
}

// create makes one module and checks that it is the one.
func create(file File, name string) (Module, error) {
	m, ok := file.Create(name)
	if !ok {
		//lint:ignore ST1005 AimRT's text
		return nil, fmt.Errorf("Cannot create module '%s' in lib %s.", name, file.Path())
	}
	if missing := m.Missing(); missing != "" {
		return nil, fmt.Errorf("module '%s' of lib %s has no function %s", name, file.Path(), missing)
	}
	if got := m.Info().Name; got != name {
		m.Destroy()
		//lint:ignore ST1005 AimRT's text
		return nil, fmt.Errorf("Require module name '%s', but get module name '%s' in lib %s.", name, got, file.Path())
	}
	return m, nil
}
