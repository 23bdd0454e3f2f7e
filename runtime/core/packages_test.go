package core

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakePackages is a host whose files hold one module each, named after the file.
type fakePackages struct {
	runtime   *Runtime
	calls     []string // of modules
	refuse    string   // module that Adopt refuses
	destroyed []string
	abandoned []string
}

type fakePackage struct {
	host *fakePackages
	path string
}

type fakePackageModule struct {
	host *fakePackages
	name string
}

func (h *fakePackages) Open(path string, _ bool) (PackageFile, error) {
	return &fakePackage{h, path}, nil
}

func (f *fakePackage) Path() string      { return f.path }
func (f *fakePackage) ModuleNum() uint64 { return 1 }

func (f *fakePackage) ModuleName(int) (string, bool) { return strings.Trim(f.path, "/"), true }

func (f *fakePackage) Create(name string) (PackageModule, bool) {
	return &fakePackageModule{f.host, name}, true
}

func (m *fakePackageModule) Info() PackageInfo { return PackageInfo{Name: m.name} }
func (m *fakePackageModule) Missing() string   { return "" }
func (m *fakePackageModule) Destroy()          { m.host.destroyed = append(m.host.destroyed, m.name) }

func (h *fakePackages) Adopt(m PackageModule, info PackageInfo, pkg string) (*Module, error) {
	if info.Name == h.refuse {
		return nil, failf(Limit, "no room for %s", info.Name)
	}
	return h.runtime.NewModule(ModuleOptions{Name: info.Name, Package: pkg, Tag: m, Initialize: h.note("initialize"), Start: h.note("start")})
}

func (h *fakePackages) Abandon(m *Module) {
	h.abandoned = append(h.abandoned, m.Name())
}

func (h *fakePackages) note(what string) func(*Module) error {
	return func(m *Module) error {
		h.calls = append(h.calls, what+" "+m.Name())
		return nil
	}
}

const twoPackages = "aimrt:\n  module:\n    pkgs: [{path: /one}, {path: /two}]\n"

func withPackages(text string) (*Runtime, *fakePackages) {
	h := &fakePackages{}
	h.runtime = New(Options{ConfigText: text, Packages: h, Log: discardSink{}})
	return h.runtime, h
}

type discardSink struct{}

func (discardSink) Write(string, LogLevel, time.Time, string) {}

func TestPackages_ComeBehindTheProgramsOwnModules(t *testing.T) {
	r, h := withPackages(twoPackages)
	if _, err := r.NewModule(ModuleOptions{Name: "own", Initialize: h.note("initialize")}); err != nil {
		t.Fatal(err)
	}
	if err := r.Initialize(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	_ = r.Shutdown(context.Background())
	want := []string{"initialize own", "initialize one", "initialize two", "start one", "start two"}
	if !slices.Equal(h.calls, want) {
		t.Errorf("calls %v, want %v", h.calls, want)
	}
	if m, ok := r.Module("two"); !ok || m.Package() != "/two" {
		t.Errorf("module two: %v", m)
	}
}

func TestPackages_FailedInitialize_LeavesTheRuntimeAsItWas(t *testing.T) {
	r, h := withPackages(twoPackages)
	h.refuse = "two"
	if err := r.Initialize(context.Background()); KindOf(err) != Limit || r.State() != PreInit {
		t.Fatalf("error %v, state %v", err, r.State())
	}
	if !slices.Equal(h.abandoned, []string{"one"}) || !slices.Equal(h.destroyed, []string{"two"}) || len(h.calls) != 0 {
		t.Errorf("abandoned %v, destroyed %v, calls %v", h.abandoned, h.destroyed, h.calls)
	}
	h.refuse = ""
	if err := r.Initialize(context.Background()); err != nil {
		t.Errorf("a second try: %v", err)
	}
	_ = r.Shutdown(context.Background())
}

func TestPackages_NameOfTheProgramsOwnModule_IsRefused(t *testing.T) {
	r, h := withPackages(twoPackages)
	if _, err := r.NewModule(ModuleOptions{Name: "two"}); err != nil {
		t.Fatal(err)
	}
	err := r.Initialize(context.Background())
	if KindOf(err) != AlreadyExists || err.Error() != "Duplicate module 'two' in lib core and /two." {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(h.abandoned, []string{"one"}) || !slices.Equal(h.destroyed, []string{"two"}) {
		t.Errorf("abandoned %v, destroyed %v", h.abandoned, h.destroyed)
	}
}

func TestPackages_WithoutHost_AreRefused(t *testing.T) {
	r := New(Options{ConfigText: twoPackages, Log: discardSink{}})
	if err := r.Initialize(context.Background()); KindOf(err) != Unsupported || !strings.Contains(err.Error(), "C library only") {
		t.Errorf("error %v", err)
	}
}
