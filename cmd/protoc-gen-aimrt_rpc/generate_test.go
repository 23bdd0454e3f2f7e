package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

var update = flag.Bool("update", false, "write the golden stubs anew")

// recorded are the requests that give stubs, with the stubs they give.
var recorded = []struct {
	request string
	stubs   []string
}{
	{"rpc", []string{"rpc_aimrt_rpc_pb2.py"}},
	{"nested", []string{"nested_aimrt_rpc_pb2.py"}},
	{"no_package", []string{"no_package_aimrt_rpc_pb2.py"}},
	{"optional", []string{"optional_aimrt_rpc_pb2.py"}},
	{"editions", []string{"editions_aimrt_rpc_pb2.py"}},
	{"my_file", []string{"my_file_aimrt_rpc_pb2.py"}},
	{"in_keywords", []string{"in/keywords_aimrt_rpc_pb2.py"}},
	// Imported files with services get a stub too, in protoc's order: dependencies first.
	{"uses_keywords", []string{"in/keywords_aimrt_rpc_pb2.py", "uses_keywords_aimrt_rpc_pb2.py"}},
	{"several", []string{"my_file_aimrt_rpc_pb2.py", "several_aimrt_rpc_pb2.py"}},
	{"imports_streaming", []string{"streaming_aimrt_rpc_pb2.py", "imports_streaming_aimrt_rpc_pb2.py"}},
}

func loadRequest(t *testing.T, name string) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "requests", name+".txtpb"))
	if err != nil {
		t.Fatal(err)
	}
	request := &pluginpb.CodeGeneratorRequest{}
	if err := prototext.Unmarshal(text, request); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return request
}

// mustGenerate generates without an error and gives the stubs by path.
func mustGenerate(t *testing.T, request *pluginpb.CodeGeneratorRequest) map[string]string {
	t.Helper()
	response, _ := generate(request, python)
	if response.Error != nil {
		t.Fatalf("error %q", response.GetError())
	}
	stubs := make(map[string]string)
	for _, file := range response.GetFile() {
		stubs[file.GetName()] = file.GetContent()
	}
	return stubs
}

func TestGenerate_RecordedRequest_GivesGoldenStubs(t *testing.T) {
	for _, test := range recorded {
		t.Run(test.request, func(t *testing.T) {
			response, _ := generate(loadRequest(t, test.request), python)
			if response.Error != nil {
				t.Fatalf("error %q", response.GetError())
			}
			var names []string
			for _, file := range response.GetFile() {
				names = append(names, file.GetName())
				compareGolden(t, file.GetName(), file.GetContent())
			}
			if got, want := strings.Join(names, " "), strings.Join(test.stubs, " "); got != want {
				t.Errorf("stubs %s, want %s", got, want)
			}
		})
	}
}

func compareGolden(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join("testdata", "stubs", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if content != string(want) {
		t.Errorf("%s differs from testdata/stubs; if the change is wanted run go test -update. Got:\n%s", name, content)
	}
}

// writeStubs puts stubs into a fresh directory.
func writeStubs(t *testing.T, stubs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range stubs {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// compile lets Python's compiler read every stub.
func compile(t *testing.T, stubs map[string]string) {
	t.Helper()
	dir := writeStubs(t, stubs)
	args := []string{"-m", "py_compile"}
	for name := range stubs {
		args = append(args, filepath.Join(dir, filepath.FromSlash(name)))
	}
	if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
		t.Errorf("py_compile: %v\n%s", err, out)
	}
}

func TestGenerate_RecordedRequests_RunInPython(t *testing.T) {
	stubs := make(map[string]string)
	for _, test := range recorded {
		for name, content := range mustGenerate(t, loadRequest(t, test.request)) {
			stubs[name] = content
		}
	}
	compile(t, stubs)
	dir := writeStubs(t, stubs)
	runtime, err := filepath.Abs(filepath.Join("testdata", "runtime"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("python3", "-B", "-s", filepath.Join("testdata", "check_stubs.py"))
	command.Env = append(os.Environ(), "PYTHONPATH="+runtime+string(os.PathListSeparator)+dir)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("check_stubs.py: %v\n%s", err, out)
	}
}

func TestGenerate_SameRequestTwice_GivesSameText(t *testing.T) {
	a, _ := generate(loadRequest(t, "nested"), python)
	b, _ := generate(loadRequest(t, "nested"), python)
	if !proto.Equal(a, b) {
		t.Error("two runs differ")
	}
}

func TestGenerate_Features(t *testing.T) {
	response, _ := generate(&pluginpb.CodeGeneratorRequest{}, python)
	want := uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL | pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)
	if response.GetSupportedFeatures() != want || response.GetMinimumEdition() == 0 || response.GetMaximumEdition() == 0 {
		t.Errorf("features %v", response)
	}
	if len(response.GetFile()) != 0 || response.Error != nil {
		t.Errorf("empty request answered with %v", response)
	}
}

func TestGenerate_Refusals(t *testing.T) {
	streaming := "streaming.proto:11:3: method Clock.Watch is streaming; AimRT services are unary, this one returns a stream\n" +
		"streaming.proto:12:3: method Clock.Feed is streaming; AimRT services are unary, this one takes a stream\n" +
		"streaming.proto:13:3: method Clock.Chat is streaming; AimRT services are unary, this one takes and returns a stream"
	withoutLocations := loadRequest(t, "streaming")
	withoutLocations.ProtoFile[0].SourceCodeInfo = nil
	unknownMessage := loadRequest(t, "no_package")
	unknownMessage.ProtoFile[0].Service[0].Method[0].OutputType = proto.String(".Gone")
	tests := []struct {
		name    string
		request *pluginpb.CodeGeneratorRequest
		want    string
	}{
		{"streaming", loadRequest(t, "streaming"), streaming},
		{"streaming without locations", withoutLocations, strings.NewReplacer(":11:3", "", ":12:3", "", ":13:3", "").Replace(streaming)},
		{"unknown message", unknownMessage, "no_package.proto:12:3: method Echo.Say uses the message .Gone, which no file of the request defines"},
		{"collisions", loadRequest(t, "collisions"), strings.Join([]string{
			"collisions.proto:10:3: method Shop.RegisterClientFunc has a name that every generated class uses itself; rename the method",
			"collisions.proto:11:3: method Shop.__init__ has a name that every generated class uses itself; rename the method",
			"collisions.proto:14:1: service ShopProxy needs the class name ShopProxy, which is the proxy class of service Shop; rename the service",
			"collisions.proto:18:1: service aimrt_py needs the class name aimrt_py, which is something the stub itself uses; rename the service",
			"collisions.proto:22:1: service collisions_pb2 needs the class name collisions_pb2, which is a module that the stub imports; rename the service",
		}, "\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response, _ := generate(test.request, python)
			if response.GetError() != test.want {
				t.Errorf("error\n%s\nwant\n%s", response.GetError(), test.want)
			}
			if len(response.GetFile()) != 0 {
				t.Errorf("%d files beside the error", len(response.GetFile()))
			}
		})
	}
}

func TestGenerate_StreamingInImportedFile_IsNoted(t *testing.T) {
	response, notes := generate(loadRequest(t, "imports_streaming"), python)
	if response.Error != nil {
		t.Fatalf("error %q", response.GetError())
	}
	want := "streaming.proto:11:3: note: method Clock.Watch is streaming; AimRT services are unary, this one returns a stream; " +
		"left out of the stub, because the file is only imported"
	if len(notes) != 3 || notes[0] != want {
		t.Errorf("notes %q", notes)
	}
}

func TestGenerate_Parameters(t *testing.T) {
	tests := []struct{ parameter, want string }{
		{"", ""},
		{"lang=python", ""},
		{"a=b,paths=source_relative, lang=python,flag", ""},
		{"lang", ""},
		{"language=cpp", ""},
		{"lang=cpp,lang=python", ""},
		{"lang=pyton", `parameter lang: "pyton" is not a language of this plugin (python, cpp); did you mean "python"?`},
		{"lang=c++", `"c++" is not a language of this plugin (python, cpp); did you mean "cpp"?`},
		{"lang=Python", `did you mean "python"?`},
		{"a=b,lang=CXX", `did you mean "cpp"?`},
		{"lang=", `"" is not a language`},
	}
	for _, test := range tests {
		t.Run(test.parameter, func(t *testing.T) {
			request := loadRequest(t, "no_package")
			request.Parameter = proto.String(test.parameter)
			response, _ := generate(request, python)
			if test.want == "" && (response.Error != nil || len(response.GetFile()) != 1) {
				t.Errorf("refused: %q", response.GetError())
			}
			if test.want != "" && (!strings.Contains(response.GetError(), test.want) || len(response.GetFile()) != 0) {
				t.Errorf("error %q, want %q", response.GetError(), test.want)
			}
		})
	}
}

// Everything in a request but its identifiers is free text. None of it may end up as code.
func TestGenerate_HostileTexts_StayData(t *testing.T) {
	request := loadRequest(t, "rpc")
	file := request.ProtoFile[len(request.ProtoFile)-1]
	name := "x\nimport evil\n\"\"\"\\.proto"
	request.FileToGenerate = []string{name}
	file.Name = proto.String(name)
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		location.LeadingComments = proto.String("\"\"\"\nimport evil\n\\\"\"\"\x00\x07\r\nimport evil \xff\"\\\n")
	}
	stubs := mustGenerate(t, request)
	compile(t, map[string]string{"stub.py": stubs[stubPath(&protoFile{desc: file})]})
	check := "import ast,sys\n" +
		"for n in ast.walk(ast.parse(open(sys.argv[1], encoding='utf-8').read())):\n" +
		"    assert not (isinstance(n, ast.Import) and any('evil' in a.name for a in n.names)), ast.dump(n)\n"
	dir := writeStubs(t, map[string]string{"stub.py": stubs[stubPath(&protoFile{desc: file})]})
	if out, err := exec.Command("python3", "-c", check, filepath.Join(dir, "stub.py")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGenerate_AwkwardModuleNames_AreImportedUnderAliases(t *testing.T) {
	tests := []struct{ path, want string }{
		{"overload/x.proto", `_overload_x_pb2 = importlib.import_module("overload.x_pb2")`},
		{"my file.proto", `_my_file_pb2 = importlib.import_module("my file_pb2")`},
		{"9/lives.proto", `_9_lives_pb2 = importlib.import_module("9.lives_pb2")`},
		{"__x.proto", `_x_pb2 = importlib.import_module("__x_pb2")`},
		{"a/class/b.proto", `_a_class_b_pb2 = importlib.import_module("a.class.b_pb2")`},
		{"v1.0/x.proto", `_v1_0_x_pb2 = importlib.import_module("v1.0.x_pb2")`},
		{"google/x.proto", "import google.x_pb2"},
		{"\u6d88\u606f.proto", "_pb2 = importlib.import_module(\"\\u6d88\\u606f_pb2\")"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			request := loadRequest(t, "no_package")
			request.FileToGenerate = []string{test.path}
			request.ProtoFile[0].Name = proto.String(test.path)
			for name, content := range mustGenerate(t, request) {
				if !strings.Contains(content, "\n"+test.want+"\n") {
					t.Errorf("no line %q in\n%s", test.want, content)
				}
				compile(t, map[string]string{name: content})
			}
		})
	}
}

func TestRun(t *testing.T) {
	request, err := proto.Marshal(loadRequest(t, "imports_streaming"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		args  []string
		in    []byte
		code  int
		files int
		err   string
	}{
		{"request", nil, request, 0, 2, "protoc-gen-aimrt_rpc: streaming.proto:11:3: note:"},
		{"no request", nil, []byte("hello"), 1, 0, "standard input is no CodeGeneratorRequest"},
		{"help", []string{"--help"}, nil, 0, 0, "Use it through protoc"},
		{"arguments", []string{"x.proto"}, nil, 2, 0, "Use it through protoc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if code := run(append([]string{"protoc-gen-aimrt_rpc"}, test.args...), bytes.NewReader(test.in), &out, &errOut); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			response := &pluginpb.CodeGeneratorResponse{}
			if err := proto.Unmarshal(out.Bytes(), response); err != nil || len(response.GetFile()) != test.files {
				t.Errorf("answer %v (%v), want %d files", response, err, test.files)
			}
			if !strings.Contains(errOut.String(), test.err) {
				t.Errorf("error output %q, want %q", errOut.String(), test.err)
			}
		})
	}
}
