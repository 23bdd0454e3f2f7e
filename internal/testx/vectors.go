package testx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
)

// Vectors reads a file of tests/vectors, "aiomas/sessions.yaml". It fails the
// test when the file does not begin by saying how it was obtained, or has
// fields that into does not know.
func Vectors(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "tests", "vectors", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# Obtained: ")) {
		t.Fatalf("%s does not begin by saying how it was obtained", name)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// root is the folder of the module: a test begins in its package's folder.
func root(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("no go.mod above %s", start)
		}
	}
}
