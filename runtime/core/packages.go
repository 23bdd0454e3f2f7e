package core

import (
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/pkgload"
)

// What a host of Pkg files works with.
type (
	PackageFile        = pkgload.File
	PackageModule      = pkgload.Module
	PackageInfo        = pkgload.Info
	PackageLoadError   = pkgload.LoadError
	PackageSymbolError = pkgload.SymbolError
)

// PackageHost opens Pkg files and makes modules of this runtime out of what they hold. Its functions come inside Initialize.
type PackageHost interface {
	pkgload.Opener
	// Adopt calls NewModule for a module that a file has made; pkg is the package.
	Adopt(module PackageModule, info PackageInfo, pkg string) (*Module, error)
	// Abandon forgets an adopted module whose initialization never began, and destroys it.
	Abandon(module *Module)
}

// loadPackages makes the modules of the Pkg files, behind those that exist.
func (r *Runtime) loadPackages(c *config.Config) error {
	packages := c.Module.Packages
	if len(packages) == 0 {
		return nil
	}
	host := r.options.Packages
	if host == nil {
		return fail(Unsupported, packages[0].Self.Errorf("Pkg files are loaded by the C library only"))
	}
	loaded, err := pkgload.Load(host, packages, r.options.PackageSearch)
	if err != nil {
		return fail(Config, err)
	}
	for i, l := range loaded {
		m, err := host.Adopt(l.Module, l.Info, l.Package)
		if err != nil {
			pkgload.Destroy(loaded[i:])
			return err
		}
		r.fromPackages = append(r.fromPackages, m)
		r.log.Info("Pkg module loaded", "module", l.Info.Name, "package", l.Package)
	}
	return nil
}

// unloadPackages takes back what loadPackages has made, when the initialization of the runtime fails before that of its modules.
func (r *Runtime) unloadPackages() {
	for i := len(r.fromPackages) - 1; i >= 0; i-- {
		m := r.fromPackages[i]
		r.dropModule(m)
		r.options.Packages.Abandon(m)
	}
	r.fromPackages = nil
}
