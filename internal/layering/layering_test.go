package layering

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "aimrtrpc"
)

// source is one Go file of the product.
type source struct {
	pkg  string // path below the module
	file string
	ast  *ast.File
}

// matches tells whether a package falls under a pattern.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, below := strings.CutSuffix(pattern, "/..."); below {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return ok && err == nil
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

func ruleOf(pkg string) (Rule, bool) {
	for _, r := range Rules {
		if matches(r.Package, pkg) {
			return r, true
		}
	}
	return Rule{}, false
}

// importFault says what is wrong with one import, empty for nothing.
func importFault(pkg, imported string) string {
	if pkg == imported || matchesAny(Always, imported) {
		return ""
	}
	rule, known := ruleOf(pkg)
	switch {
	case !known:
		return fmt.Sprintf("package %s is in no row of the table", pkg)
	case imported == "capi" && !matches("tools/...", pkg):
		return fmt.Sprintf("%s imports capi, which nobody may", pkg)
	case imported == "runtime/backend/backendtest":
		return fmt.Sprintf("%s imports the backend suite outside a test file", pkg)
	case !matchesAny(rule.May, imported):
		return fmt.Sprintf("%s imports %s; its row %q (%s) allows %v", pkg, imported, rule.Package, rule.Why, rule.May)
	}
	return ""
}

// sources parses the module's own Go files, without tests and without nested modules.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == root {
				return nil
			}
			_, nested := os.Stat(filepath.Join(p, "go.mod"))
			rel, _ := filepath.Rel(root, p)
			if name := d.Name(); nested == nil || slices.Contains(Outside, rel) || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		out = append(out, source{pkg: filepath.ToSlash(filepath.Dir(rel)), file: rel, ast: f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d files found below %s", len(out), root)
	}
	return out
}

func imports(s source) []string {
	var out []string
	for _, i := range s.ast.Imports {
		if name, err := strconv.Unquote(i.Path.Value); err == nil {
			out = append(out, name)
		}
	}
	return out
}

func TestImports_FollowTheTable(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range imports(s) {
			if own, ok := strings.CutPrefix(name, module+"/"); ok {
				if fault := importFault(s.pkg, own); fault != "" {
					t.Errorf("%s: %s", s.file, fault)
				}
			}
		}
	}
}

func TestImports_ForbiddenStandardPackages(t *testing.T) {
	for _, s := range sources(t) {
		for _, f := range Forbidden {
			if !matches(f.In, s.pkg) || matchesAny(f.Except, s.pkg) {
				continue
			}
			for _, name := range imports(s) {
				if slices.Contains(f.Imports, name) {
					t.Errorf("%s imports %s: %s", s.file, name, f.Why)
				}
			}
		}
	}
}

// goStatements counts the bare go statements of a file.
func goStatements(f *ast.File) int {
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		if _, ok := node.(*ast.GoStmt); ok {
			n++
		}
		return true
	})
	return n
}

// forbiddenCalls lists the uses of ForbiddenCalls in a file.
func forbiddenCalls(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(node ast.Node) bool {
		if sel, ok := node.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(ForbiddenCalls, pkg.Name+"."+sel.Sel.Name) {
				out = append(out, pkg.Name+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return out
}

func TestGoroutines_StartOnlyInGuard(t *testing.T) {
	for _, s := range sources(t) {
		if n := goStatements(s.ast); n > 0 && !matchesAny(GoStatementsIn, s.pkg) {
			t.Errorf("%s has %d go statements; use guard.Go", s.file, n)
		}
	}
}

func TestCalls_NothingThatBelongsToTheHost(t *testing.T) {
	for _, s := range sources(t) {
		if !matchesAny(CallsCheckedIn, s.pkg) {
			continue
		}
		for _, name := range forbiddenCalls(s.ast) {
			t.Errorf("%s uses %s", s.file, name)
		}
	}
}

// The checks themselves, so that they cannot pass by seeing nothing.

func TestImportFault_KnowsGoodAndBad(t *testing.T) {
	tests := []struct {
		pkg, imported string
		good          bool
	}{
		{"runtime/rpc", "internal/guard", true},
		{"runtime/rpc", "runtime/config", false},
		{"runtime/wire/aimrthttp", "runtime/rpc", false},
		{"runtime/transport/httpx", "runtime/wire/aimrthttp", false},
		{"runtime/backend/http", "runtime/transport/httpx", true},
		{"runtime/backend/http", "runtime/backend", true},
		{"runtime/backend/http", "runtime/backend/local", false},
		{"runtime/backend/http", "runtime/core", false},
		{"runtime/core", "runtime/backend/http", true},
		{"runtime/core", "runtime/backend/backendtest", false},
		{"runtime/dialect/aimrt", "runtime/dialect/aduib", false},
		{"capi", "runtime/core", true},
		{"capi", "runtime/config", false},
		{"cmd/aimrt-rpc", "runtime/core", true},
		{"cmd/aimrt-rpc", "capi", false},
		{"unheard/of", "runtime/rpc", false},
	}
	for _, tt := range tests {
		if fault := importFault(tt.pkg, tt.imported); (fault == "") != tt.good {
			t.Errorf("%s importing %s: %q", tt.pkg, tt.imported, fault)
		}
	}
}

func TestDetectors_SeeWhatTheyLookFor(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nimport \"os\"\nfunc f() { go f(); os.Exit(1) }\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	if goStatements(f) != 1 || !slices.Equal(forbiddenCalls(f), []string{"os.Exit"}) {
		t.Fatal("a go statement or os.Exit was not seen")
	}
}
