package testx

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// asked is a test that notes its failure instead of failing.
type asked struct {
	testing.TB
	failed bool
}

func (a *asked) Helper() {}

func (a *asked) Fatal(...any) {
	a.failed = true
	runtime.Goexit()
}

func (a *asked) Fatalf(string, ...any) { a.Fatal() }

func TestVectors_FilesAreReadFromAnyPackage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module x\n")
	write("a/b/here", "")
	write("tests/vectors/x/good.yaml", "# Obtained: by hand\n- {name: one}\n")
	write("tests/vectors/x/unsaid.yaml", "- {name: one}\n")
	write("tests/vectors/x/unknown.yaml", "# Obtained: by hand\n- {name: one, more: 2}\n")
	t.Chdir(filepath.Join(dir, "a", "b"))
	for name, fails := range map[string]bool{"x/good.yaml": false, "x/unsaid.yaml": true, "x/unknown.yaml": true, "x/missing.yaml": true} {
		var into []struct{ Name string }
		asked := &asked{TB: t}
		done := make(chan struct{})
		go func() { defer close(done); Vectors(asked, name, &into) }()
		<-done
		if asked.failed != fails || !fails && (len(into) != 1 || into[0].Name != "one") {
			t.Errorf("%s: failed %t, read %v", name, asked.failed, into)
		}
	}
}
