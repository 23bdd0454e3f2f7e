package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// cppKeywords are the reserved words of C++20. A name that is one gets an underscore behind it, as protoc's C++ generator writes it.
var cppKeywords = set("alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char8_t char16_t char32_t class " +
	"compl concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double " +
	"dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not " +
	"not_eq NULL nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof static " +
	"static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using " +
	"virtual void volatile wchar_t while xor xor_eq")

// cppMembers are names of generated classes that a method cannot have beside them.
var cppMembers = set("Init GetMethodNames RegisterClientFunc IS_PROXY")

// cppStub is everything the two files of one proto file are made of, checked and resolved.
type cppStub struct {
	file     *protoFile
	services []cppService
}

type cppService struct {
	name     string
	fullName string // "p.S", or ".S" without a package
	comment  []string
	methods  []cppMethod
}

type cppMethod struct {
	name     string // as it travels
	member   string // as C++ writes it
	request  string // "::p::Req"
	response string
	comment  []string
}

// cppBase is the path of a proto file without its extension, to which protoc's C++ generator adds ".pb.h".
func cppBase(file *protoFile) string {
	name := file.desc.GetName()
	return strings.TrimSuffix(strings.TrimSuffix(name, ".protodevel"), ".proto")
}

func cppName(name string) string {
	if cppKeywords[name] {
		return name + "_"
	}
	return name
}

// cppType turns ".p.Outer.Inner" into "::p::Outer::Inner".
func cppType(name string) string {
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = cppName(parts[i])
	}
	return strings.Join(parts, "::")
}

func newCppStub(files *fileSet, file *protoFile, report *report) *cppStub {
	stub := &cppStub{file: file}
	problem := func(path []int32, format string, args ...any) {
		report.problems = append(report.problems, file.position(path...)+": "+fmt.Sprintf(format, args...))
	}
	for i, desc := range file.desc.GetService() {
		path := []int32{fileServiceField, int32(i)}
		service := cppService{
			name:     desc.GetName(),
			fullName: file.desc.GetPackage() + "." + desc.GetName(),
			comment:  file.comment(path...),
		}
		for j, methodDesc := range desc.GetMethod() {
			path := append(append([]int32(nil), path...), serviceMethodField, int32(j))
			service.methods = append(service.methods, newCppMethod(file, path, methodDesc))
			if name := methodDesc.GetName(); cppMembers[name] {
				problem(path, "method %s.%s has a name that every generated class uses itself; rename the method", service.name, name)
			}
			for _, message := range []string{methodDesc.GetInputType(), methodDesc.GetOutputType()} {
				if _, known := files.messages[message]; !known {
					problem(path, "method %s.%s uses the message %s, which no file of the request defines",
						service.name, methodDesc.GetName(), message)
				}
			}
			if methodDesc.GetClientStreaming() || methodDesc.GetServerStreaming() {
				report.notes = append(report.notes, fmt.Sprintf("%s: note: method %s.%s is streaming; AimRT services are unary, "+
					"its stub takes one request and gives one response", file.position(path...), service.name, methodDesc.GetName()))
			}
		}
		stub.services = append(stub.services, service)
	}
	return stub
}

func newCppMethod(file *protoFile, path []int32, desc *descriptorpb.MethodDescriptorProto) cppMethod {
	return cppMethod{
		name:     desc.GetName(),
		member:   cppName(desc.GetName()),
		request:  cppType(desc.GetInputType()),
		response: cppType(desc.GetOutputType()),
		comment:  file.comment(path...),
	}
}

// namespace is the C++ namespace of the file's package, empty without one.
func (s *cppStub) namespace() string {
	if s.file.desc.GetPackage() == "" {
		return ""
	}
	return strings.TrimPrefix(cppType("."+s.file.desc.GetPackage()), "::")
}

// cppString writes a string literal. Bytes outside ASCII are escaped in octal, which cannot run into what follows.
func cppString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\' || c == '?':
			b.WriteString(`\` + string(c))
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comments writes a comment of the proto file as C++ comments. A backslash at the end of a line would continue it.
func (w *writer) comments(lines []string, indent string) {
	for _, line := range lines {
		text := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f {
				return ' '
			}
			return r
		}, line)
		if strings.HasSuffix(text, `\`) || strings.HasSuffix(text, "??/") {
			text += " ."
		}
		w.line("%s", strings.TrimRight(indent+"// "+text, " "))
	}
}
