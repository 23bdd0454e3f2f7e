package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// recordedCpp are the requests whose C++ stubs are kept beside the Python ones. The tests of the C++ headers compile stubs and run them.
var recordedCpp = []struct {
	request string
	base    string
}{
	{"rpc", "rpc"},
	{"nested", "nested"},
	{"no_package", "no_package"},
	{"uses_keywords", "uses_keywords"},
	{"streaming", "streaming"},
	{"my_file", "my-file"},
}

func cppStubs(t *testing.T, request *pluginpb.CodeGeneratorRequest) (map[string]string, []string) {
	t.Helper()
	response, notes := generate(request, cpp)
	if response.Error != nil {
		t.Fatalf("error %q", response.GetError())
	}
	stubs := make(map[string]string)
	for _, file := range response.GetFile() {
		stubs[file.GetName()] = file.GetContent()
	}
	return stubs, notes
}

func TestGenerateCpp_RecordedRequest_GivesGoldenStubs(t *testing.T) {
	for _, test := range recordedCpp {
		t.Run(test.request, func(t *testing.T) {
			stubs, _ := cppStubs(t, loadRequest(t, test.request))
			for _, name := range []string{test.base + ".aimrt_rpc.pb.h", test.base + ".aimrt_rpc.pb.cc"} {
				content, found := stubs[name]
				if !found {
					t.Fatalf("no stub %s among %d", name, len(stubs))
				}
				compareGolden(t, "cpp/"+name, content)
			}
		})
	}
}

// AimRT's generator writes for the files on the command line only, and for each of them, with services or without.
func TestGenerateCpp_FilesOfTheCommandLine_GetTwoStubsEach(t *testing.T) {
	request := loadRequest(t, "uses_keywords")
	imported := request.GetProtoFile()[0]
	stubs, _ := cppStubs(t, request)
	if _, found := stubs[cppBase(&protoFile{desc: imported})+".aimrt_rpc.pb.h"]; found || len(stubs) != 2 {
		t.Errorf("%d stubs, one of them for the imported %s: %t", len(stubs), imported.GetName(), found)
	}
	file := request.ProtoFile[len(request.ProtoFile)-1]
	file.Service = nil
	stubs, _ = cppStubs(t, request)
	if len(stubs) != 2 {
		t.Errorf("%d stubs for a file without services, want 2", len(stubs))
	}
}

func TestGenerateCpp_StreamingMethods_BecomeUnaryWithANote(t *testing.T) {
	stubs, notes := cppStubs(t, loadRequest(t, "streaming"))
	if len(notes) != 3 || !strings.HasPrefix(notes[0], "streaming.proto:11:3: note: method Clock.Watch is streaming; AimRT services are unary") {
		t.Errorf("notes %q", notes)
	}
	if !strings.Contains(stubs["streaming.aimrt_rpc.pb.h"], " Watch(") {
		t.Error("Watch is missing")
	}
}

func TestGenerateCpp_Refusals(t *testing.T) {
	reserved := loadRequest(t, "no_package")
	reserved.ProtoFile[0].Service[0].Method[0].Name = proto.String("Init")
	unknown := loadRequest(t, "no_package")
	unknown.ProtoFile[0].Service[0].Method[0].OutputType = proto.String(".Gone")
	for _, test := range []struct {
		name    string
		request *pluginpb.CodeGeneratorRequest
		want    string
	}{
		{"reserved name", reserved, "no_package.proto:12:3: method Echo.Init has a name that every generated class uses itself; rename the method"},
		{"unknown message", unknown, "no_package.proto:12:3: method Echo.Say uses the message .Gone, which no file of the request defines"},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, _ := generate(test.request, cpp)
			if response.GetError() != test.want || len(response.GetFile()) != 0 {
				t.Errorf("error %q and %d files, want %q", response.GetError(), len(response.GetFile()), test.want)
			}
		})
	}
}

func TestDefaultLanguage_IsThatOfTheProgramsName(t *testing.T) {
	for program, want := range map[string]string{
		"protoc-gen-aimrt_rpc":                                  python,
		"/usr/bin/protoc_plugin_py_gen_aimrt_py_rpc.py":         python,
		"/usr/bin/protoc_plugin_cpp_gen_aimrt_cpp_rpc":          cpp,
		"./protoc_plugin_py_gen_aimrt_cpp_rpc.py":               cpp,
		"build/bin/protoc_plugin_cpp_gen_aimrt_cpp_rpc.renamed": python,
	} {
		if got := defaultLanguage(program); got != want {
			t.Errorf("%s writes %s, want %s", program, got, want)
		}
	}
	request, err := proto.Marshal(loadRequest(t, "no_package"))
	if err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	if code := run([]string{"/x/protoc_plugin_cpp_gen_aimrt_cpp_rpc"}, bytes.NewReader(request), &out, &errOut); code != 0 {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out.Bytes(), response); err != nil || len(response.GetFile()) != 2 {
		t.Errorf("%d files (%v), want the two of C++", len(response.GetFile()), err)
	}
}

func TestCppNames(t *testing.T) {
	for name, want := range map[string]string{
		".p.Outer.Inner":     "::p::Outer::Inner",
		".Plain":             "::Plain",
		".delete.class.Void": "::delete_::class_::Void",
	} {
		if got := cppType(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got, want := cppString("a\"b\\c?\n\xe6"), `"a\"b\\c\?\012\346"`; got != want {
		t.Errorf("literal %s, want %s", got, want)
	}
}

// Everything in a request but its identifiers is free text. None of it may end up as code.
func TestGenerateCpp_HostileTexts_StayData(t *testing.T) {
	request := loadRequest(t, "rpc")
	file := request.ProtoFile[len(request.ProtoFile)-1]
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		location.LeadingComments = proto.String("ends in \\\n#error one ??/\n*/ #error \x00 two \\\r\n\xff\\ \n")
	}
	stubs, _ := cppStubs(t, request)
	for name, content := range stubs {
		// Only comments and preprocessor lines matter here: every line that the texts made must still be a comment.
		command := exec.Command("g++", "-E", "-P", "-fpreprocessed", "-x", "c++", "-")
		command.Stdin = strings.NewReader(content)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for _, word := range []string{"ends in", "#error", "two"} {
			if strings.Contains(string(out), word) {
				t.Errorf("%s: %q is code:\n%s", name, word, out)
			}
		}
		for number, line := range strings.Split(content, "\n") {
			if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "//") && strings.HasSuffix(trimmed, `\`) {
				t.Errorf("%s:%d: the comment goes on in the next line", name, number+1)
			}
		}
	}
}
