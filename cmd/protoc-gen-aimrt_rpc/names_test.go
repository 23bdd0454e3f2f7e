package main

import (
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func TestModuleName_FollowsProtoc(t *testing.T) {
	tests := []struct{ path, module, stub string }{
		{"rpc.proto", "rpc_pb2", "rpc_aimrt_rpc_pb2.py"},
		{"a/b.proto", "a.b_pb2", "a/b_aimrt_rpc_pb2.py"},
		{"my-dir/my-file.proto", "my_dir.my_file_pb2", "my_dir/my_file_aimrt_rpc_pb2.py"},
		{"x.y.proto", "x.y_pb2", "x/y_aimrt_rpc_pb2.py"},
		{"old.protodevel", "old_pb2", "old_aimrt_rpc_pb2.py"},
	}
	for _, test := range tests {
		file := newFileSet(fileRequest(test.path)).files[0]
		if got := moduleName(test.path, "_pb2"); got != test.module {
			t.Errorf("moduleName(%q) = %q, want %q", test.path, got, test.module)
		}
		if got := stubPath(file); got != test.stub {
			t.Errorf("stubPath(%q) = %q, want %q", test.path, got, test.stub)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for name, want := range map[string]bool{
		"Foo": true, "_foo": true, "match": true, "type": true, "f9": true,
		"None": false, "import": false, "async": false, "__x": false, "__x__": false, "9f": false, "": false, "a b": false, "\u00e9": false,
	} {
		if isPlain(name) != want {
			t.Errorf("isPlain(%q) = %v", name, !want)
		}
	}
}

func TestImports_AliasAndModuleOfOneName_StayApart(t *testing.T) {
	imports := newImports()
	for _, path := range []string{"in/x.proto", "in-x.proto", "_in_x.proto", "in/x.proto"} {
		imports.add(path)
	}
	seen := make(map[string]bool)
	for _, path := range []string{"in/x.proto", "in-x.proto", "_in_x.proto"} {
		expression := imports.expressions[path]
		if expression == "" || seen[expression] {
			t.Errorf("%s: expression %q is empty or taken; lines %q", path, expression, imports.lines)
		}
		seen[expression] = true
	}
	if len(imports.lines) != 3 {
		t.Errorf("lines %q", imports.lines)
	}
}

func TestDocText(t *testing.T) {
	for text, want := range map[string]string{
		`plain`:        `plain`,
		`a "b" c`:      `a "b" c`,
		`ends "b"`:     `ends \"b\"`,
		`a """" b`:     `a \"\"\"\" b`,
		`back \ slash`: `back \\ slash`,
		"bell \a":      `bell \x07`,
		"tab \t\nline": "tab \t\nline",
	} {
		if got := docText(text); got != want {
			t.Errorf("docText(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"pyhton": "python", "py": "python", "c": "cpp", "cc": "cpp", "PYTHON3": "python"} {
		if got := nearest(word, "python", "cpp"); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// fileRequest is a request with one empty file.
func fileRequest(path string) *pluginpb.CodeGeneratorRequest {
	return &pluginpb.CodeGeneratorRequest{ProtoFile: []*descriptorpb.FileDescriptorProto{{Name: &path}}}
}
