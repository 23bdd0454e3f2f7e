package pkgload

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aimrtrpc/runtime/config"
)

// fakeModule notes its end.
type fakeModule struct {
	info      Info
	missing   string
	destroyed *[]string
}

func (m *fakeModule) Info() Info      { return m.info }
func (m *fakeModule) Missing() string { return m.missing }
func (m *fakeModule) Destroy()        { *m.destroyed = append(*m.destroyed, m.info.Name) }

// fakeFile is a Pkg file in memory.
type fakeFile struct {
	path      string
	names     []string
	num       uint64 // when it is not len(names)
	noList    bool
	refuses   string
	renames   string
	missing   string
	destroyed *[]string
}

func (f *fakeFile) Path() string { return f.path }

func (f *fakeFile) ModuleNum() uint64 {
	if f.num != 0 {
		return f.num
	}
	return uint64(len(f.names))
}

func (f *fakeFile) ModuleName(i int) (string, bool) {
	if f.noList {
		return "", false
	}
	return f.names[i], true
}

func (f *fakeFile) Create(name string) (Module, bool) {
	if name == f.refuses {
		return nil, false
	}
	m := &fakeModule{info: Info{Name: name, Major: 1}, destroyed: f.destroyed}
	if name == f.renames {
		m.info.Name = "other"
	}
	if name == f.missing {
		m.missing = "start"
	}
	return m, true
}

// fakeOpener knows files by path.
type fakeOpener struct {
	files  map[string]*fakeFile
	opened []string
	deep   []bool
}

func (o *fakeOpener) Open(path string, deepBind bool) (File, error) {
	o.opened = append(o.opened, path)
	o.deep = append(o.deep, deepBind)
	f, ok := o.files[path]
	if !ok {
		return nil, &LoadError{Text: "no such file"}
	}
	if f == nil {
		return nil, &SymbolError{Symbol: "AimRTDynlibGetModuleNum"}
	}
	return f, nil
}

// load runs Load on the list of pkgs that a configuration gives.
func load(t *testing.T, o *fakeOpener, pkgs string, search ...string) ([]Loaded, *config.Config, error) {
	t.Helper()
	c, err := config.Load(config.Source{Text: "aimrt:\n  module:\n    pkgs: " + pkgs + "\n", Name: "test.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(o, c.Module.Packages, search)
	return loaded, c, err
}

func names(loaded []Loaded) string {
	var out []string
	for _, l := range loaded {
		out = append(out, l.Info.Name+"@"+l.Package)
	}
	return strings.Join(out, " ")
}

func TestLoad_ListsAndOrder(t *testing.T) {
	for _, test := range []struct{ name, pkgs, want, warning string }{
		{"all, in the files' order", "[{path: /b.so}, {path: /a.so}]", "three@/b.so one@/a.so two@/a.so", ""},
		{"nothing", "[]", "", ""},
		{"enable", "[{path: /a.so, enable_modules: [two]}]", "two@/a.so", ""},
		{"disable", "[{path: /a.so, disable_modules: [two]}]", "one@/a.so", ""},
		{"both lists: enable counts", "[{path: /a.so, enable_modules: [two], disable_modules: [two]}]", "two@/a.so", "because enable_modules is given"},
		{"everything disabled", "[{path: /a.so, disable_modules: [one, two]}]", "", ""},
		{"a name the file has not", "[{path: /a.so, enable_modules: [one, tow]}]", "one@/a.so", "lib /a.so has no module 'tow'! Did you mean: 'two'?"},
		{"a far name", "[{path: /a.so, disable_modules: [xxxxxxxx]}]", "one@/a.so two@/a.so", "lib /a.so has no module 'xxxxxxxx'!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var destroyed []string
			o := &fakeOpener{files: map[string]*fakeFile{
				"/a.so": {path: "/a.so", names: []string{"one", "two"}, destroyed: &destroyed},
				"/b.so": {path: "/b.so", names: []string{"three"}, destroyed: &destroyed},
			}}
			loaded, c, err := load(t, o, test.pkgs)
			if err != nil || names(loaded) != test.want || len(destroyed) != 0 {
				t.Fatalf("got %q, %v, destroyed %v, want %q", names(loaded), err, destroyed, test.want)
			}
			if warning := c.Warning(); !strings.Contains(warning, test.warning) || (test.warning == "") != (warning == "") {
				t.Errorf("warning %q, want %q", warning, test.warning)
			}
			Destroy(loaded)
			if len(destroyed) != len(loaded) || len(loaded) > 1 && destroyed[0] != loaded[len(loaded)-1].Info.Name {
				t.Errorf("destroyed %v, want all, the last made first", destroyed)
			}
		})
	}
}

func TestLoad_BadFiles_GiveTextAndPlace(t *testing.T) {
	tooMany := fmt.Sprintf("lib /x.so says it has %d modules, at most %d are accepted", MaxModules+1, MaxModules)
	for _, test := range []struct {
		name string
		file *fakeFile
		want string
	}{
		{"no file", &fakeFile{path: "none"}, "Load dynamic lib failed, lib path /x.so, error info no such file"},
		{"no symbol", nil, "Cannot find symbol 'AimRTDynlibGetModuleNum' in lib /x.so."},
		{"no module", &fakeFile{}, "No module in lib /x.so."},
		{"too many", &fakeFile{num: MaxModules + 1}, tooMany},
		{"no list", &fakeFile{num: 1, noList: true}, "Module name list is null in lib /x.so."},
		{"empty name", &fakeFile{names: []string{"good", ""}}, "Module name index [1] is empty in lib /x.so."},
		{"repeated", &fakeFile{names: []string{"a", "b", "a"}}, "Module name 'a' repeated in lib /x.so."},
		{"refuses", &fakeFile{names: []string{"a", "b"}, refuses: "b"}, "Cannot create module 'b' in lib /x.so."},
		{"other name", &fakeFile{names: []string{"a"}, renames: "a"}, "Require module name 'a', but get module name 'other' in lib /x.so."},
		{"no function", &fakeFile{names: []string{"a"}, missing: "a"}, "module 'a' of lib /x.so has no function start"},
		{"module of another file", &fakeFile{names: []string{"first"}}, "Duplicate module 'first' in lib /first.so and /x.so."},
	} {
		t.Run(test.name, func(t *testing.T) {
			var destroyed []string
			files := map[string]*fakeFile{"/first.so": {path: "/first.so", names: []string{"first"}, destroyed: &destroyed}}
			if test.file == nil || test.file.path != "none" {
				files["/x.so"] = test.file
			}
			if test.file != nil {
				test.file.path, test.file.destroyed = "/x.so", &destroyed
			}
			loaded, _, err := load(t, &fakeOpener{files: files}, "[{path: /first.so}, {path: /x.so}]")
			want := "test.yaml:3:38: aimrt.module.pkgs[1].path: " + test.want
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if loaded != nil || !slices.Contains(destroyed, "first") {
				t.Errorf("gave %v and destroyed %v: what was made must be given back", names(loaded), destroyed)
			}
		})
	}
}

func TestLoad_EmptyPath(t *testing.T) {
	_, _, err := load(t, &fakeOpener{}, "[{path: ''}]")
	if err == nil || !strings.Contains(err.Error(), "needs a path") {
		t.Errorf("error %v", err)
	}
}

func TestLoad_DeepBind_IsPerFile(t *testing.T) {
	o := &fakeOpener{files: map[string]*fakeFile{"/a.so": {path: "/a.so", names: []string{"a"}}, "/b.so": {path: "/b.so", names: []string{"b"}}}}
	_, _, err := load(t, o, "[{path: /a.so}, {path: /b.so, dlopen_deepbind: true}]")
	if err != nil || !slices.Equal(o.deep, []bool{false, true}) {
		t.Errorf("%v, deep bind %v", err, o.deep)
	}
}

func TestLoad_SearchPath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(t.TempDir())
	for _, path := range []string{filepath.Join(dir, "far.so"), "near.so"} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ path, want string }{
		{"far.so", filepath.Join(dir, "far.so")},
		{"./far.so", filepath.Join(dir, "far.so")},
		{"near.so", "./near.so"}, // with a slash: the system would look in its own folders only
		{"./near.so", "./near.so"},
		{"nowhere.so", "nowhere.so"},
		{"/far.so", "/far.so"},
	} {
		o := &fakeOpener{}
		_, _, err := load(t, o, "[{path: "+test.path+"}]", "", "/no/such/folder", dir)
		var missing *LoadError
		if len(o.opened) != 1 || o.opened[0] != test.want || !errors.As(err, &missing) {
			t.Errorf("%s: opened %q, %v, want %q", test.path, o.opened, err, test.want)
		}
	}
}
