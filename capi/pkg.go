package main

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "pkg.h"
*/
import "C"

import (
	"slices"
	"sync"

	"aimrtrpc/runtime/core"
)

const (
	pkgPathBytes = 4096 // PATH_MAX
	pkgTextBytes = 2048
)

// packages opens the Pkg files of one runtime.
type packages struct{ runtime *runtimeObject }

// pkgFiles holds every file that was ever opened, by its canonical path: they stay open.
var pkgFiles struct {
	mu     sync.Mutex // guards byPath
	byPath map[string]*pkgFile
}

// pkgFile is an open Pkg file.
type pkgFile struct {
	front C.front_pkg
	path  string
}

// pkgModule is a module that a Pkg file has made.
type pkgModule struct {
	file *pkgFile
	base *C.aimrt_module_base_t
}

// Open loads a file.
func (p packages) Open(path string, deepBind bool) (core.PackageFile, error) {
	var keep cMemory
	defer keep.free()
	problem := (*C.char)(keep.zeroed(pkgTextBytes))
	canonical := (*C.char)(keep.zeroed(pkgPathBytes))
	functions := (*C.front_pkg)(keep.zeroed(C.sizeof_front_pkg))
	var deep C.uint8_t
	if deepBind {
		deep = 1
	}
	switch C.front_pkg_open(keep.text(path), deep, functions, problem, pkgTextBytes, canonical, pkgPathBytes) {
	case C.FRONT_PKG_OPEN:
		return rememberFile(C.GoString(canonical), functions), nil
	case C.FRONT_PKG_NO_SYMBOL:
		return nil, &core.PackageSymbolError{Symbol: C.GoString(problem)}
	}
	return nil, &core.PackageLoadError{Text: C.GoString(problem)}
}

// rememberFile gives the object of a file, the same each time it is opened.
func rememberFile(path string, functions *C.front_pkg) *pkgFile {
	pkgFiles.mu.Lock()
	defer pkgFiles.mu.Unlock()
	if f, ok := pkgFiles.byPath[path]; ok {
		return f
	}
	if pkgFiles.byPath == nil {
		pkgFiles.byPath = map[string]*pkgFile{}
	}
	f := &pkgFile{front: *functions, path: path}
	pkgFiles.byPath[path] = f
	return f
}

// Path is the canonical path.
func (f *pkgFile) Path() string { return f.path }

// ModuleNum is the length of the file's list, as it says.
func (f *pkgFile) ModuleNum() uint64 { return uint64(C.front_pkg_num(&f.front)) }

// ModuleName gives a name of that list.
func (f *pkgFile) ModuleName(index int) (string, bool) {
	var name C.aimrt_rpc_str_t
	ok := C.front_pkg_name(&f.front, C.uint64_t(index), &name) != 0
	return text(&name), ok
}

// Create makes a module.
func (f *pkgFile) Create(name string) (core.PackageModule, bool) {
	base := C.front_pkg_create(&f.front, chars(name), C.size_t(len(name)))
	return &pkgModule{file: f, base: base}, base != nil
}

// Info is what the module says about itself.
func (m *pkgModule) Info() core.PackageInfo {
	var keep cMemory
	defer keep.free()
	o := m.options(&keep)
	return core.PackageInfo{
		Name: text(&o.name), Author: text(&o.author), Description: text(&o.description),
		Major: uint32(o.major_version), Minor: uint32(o.minor_version), Patch: uint32(o.patch_version), Build: uint32(o.build_version),
	}
}

// Missing names a function the module has not.
func (m *pkgModule) Missing() string {
	if name := C.front_pkg_missing(m.base); name != nil {
		return C.GoString(name)
	}
	return ""
}

// Destroy gives the module back to its file.
func (m *pkgModule) Destroy() { C.front_pkg_destroy(&m.file.front, m.base) }

// options describe the module as module_create wants it, in memory of keep.
func (m *pkgModule) options(keep *cMemory) *C.aimrt_rpc_module_options_t {
	o := (*C.aimrt_rpc_module_options_t)(keep.zeroed(C.sizeof_aimrt_rpc_module_options_t))
	C.front_pkg_options(m.base, keep.text(m.file.path), o)
	return o
}

// Adopt makes a module of the runtime of it.
func (p packages) Adopt(module core.PackageModule, _ core.PackageInfo, _ string) (*core.Module, error) {
	loaded, ok := module.(*pkgModule)
	if !ok {
		return nil, failf(C.AIMRT_RPC_RESULT_PANIC, "a %T is not a module of a Pkg file", module)
	}
	var keep cMemory
	defer keep.free()
	m, err := p.runtime.createModule(loaded.options(&keep))
	if err != nil {
		return nil, err
	}
	m.loaded = loaded
	return m.core, nil
}

// Abandon takes a module back whose initialization never began.
func (p packages) Abandon(module *core.Module) {
	m, ok := module.Tag().(*moduleObject)
	if !ok {
		return
	}
	p.runtime.mu.Lock()
	p.runtime.modules = slices.DeleteFunc(p.runtime.modules, func(other *moduleObject) bool { return other == m })
	p.runtime.mu.Unlock()
	moduleObjects.Take(m.id)
	C.front_module_drop(m.front)
	m.loaded.Destroy()
}

// destroyLoaded gives the modules of Pkg files back when the runtime is released. With handlers still running they are left alone: code of
// theirs is on a stack.
func (r *runtimeObject) destroyLoaded(openCalls bool) {
	for _, m := range slices.Backward(r.modules) {
		if m.loaded != nil && !openCalls {
			m.loaded.Destroy()
		}
	}
}
