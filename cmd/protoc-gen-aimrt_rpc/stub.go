package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// stub is everything the text of one generated file is made of, checked and resolved.
type stub struct {
	source   *protoFile
	imports  *imports
	services []service
}

type service struct {
	name     string // as in the proto file, the last part of fullName
	class    string // the name of the Python class statement: name, unless Python cannot write it
	fullName string // "p.S", or ".S" without a package
	comment  []string
	methods  []method
	skipped  []string // streaming methods left out
}

type method struct {
	name     string
	inClass  bool // false: attached with setattr, Python cannot write the name in the class
	function string
	request  string // Python expressions for the message classes
	response string
	comment  []string
}

func newStub(files *fileSet, source *protoFile, report *report) *stub {
	s := &stub{source: source, imports: newImports()}
	s.imports.add(source.desc.GetName())
	for _, dependency := range source.desc.GetDependency() {
		s.imports.add(dependency)
	}
	// Messages seen through public imports of others: name the module that really defines them.
	for _, service := range source.desc.GetService() {
		for _, method := range service.GetMethod() {
			for _, name := range []string{method.GetInputType(), method.GetOutputType()} {
				if message, known := files.messages[name]; known {
					s.imports.add(message.file)
				}
			}
		}
	}
	b := &builder{files: files, source: source, imports: s.imports, report: report, taken: make(map[string]string)}
	for name := range s.imports.roots {
		b.taken[name] = "a module that the stub imports"
	}
	for name := range stubNames {
		b.taken[name] = "something the stub itself uses"
	}
	for i, desc := range source.desc.GetService() {
		s.services = append(s.services, b.service(int32(i), desc))
	}
	return s
}

// builder turns the services of one file into Python terms and reports what cannot be.
type builder struct {
	files   *fileSet
	source  *protoFile
	imports *imports
	report  *report
	taken   map[string]string // names of the stub's namespace, and by what
}

func (b *builder) problem(path []int32, format string, args ...any) {
	b.report.problems = append(b.report.problems, b.source.position(path...)+": "+fmt.Sprintf(format, args...))
}

func (b *builder) service(index int32, desc *descriptorpb.ServiceDescriptorProto) service {
	path := []int32{fileServiceField, index}
	s := service{
		name:     desc.GetName(),
		class:    desc.GetName(),
		fullName: b.source.desc.GetPackage() + "." + desc.GetName(),
		comment:  b.source.comment(path...),
	}
	b.claim(path, s.name, s.name, "service "+s.name)
	b.claim(path, s.name, s.name+"Proxy", "the proxy class of service "+s.name)
	for keywords[s.class] || b.taken[s.class] != "" && s.class != s.name {
		s.class += "_"
	}
	b.taken[s.class] = "service " + s.name
	for i, methodDesc := range desc.GetMethod() {
		path := append(append([]int32(nil), path...), serviceMethodField, int32(i))
		if methodDesc.GetClientStreaming() || methodDesc.GetServerStreaming() {
			s.skipped = append(s.skipped, methodDesc.GetName())
			b.refuseStreaming(path, s.name, methodDesc)
			continue
		}
		s.methods = append(s.methods, b.method(path, s, methodDesc))
	}
	return s
}

// claim takes a class name of the stub's namespace.
func (b *builder) claim(path []int32, service, class, owner string) {
	if other, taken := b.taken[class]; taken {
		b.problem(path, "service %s needs the class name %s, which is %s; rename the service", service, class, other)
		return
	}
	b.taken[class] = owner
}

func (b *builder) refuseStreaming(path []int32, service string, desc *descriptorpb.MethodDescriptorProto) {
	kind := "takes a stream"
	switch {
	case desc.GetClientStreaming() && desc.GetServerStreaming():
		kind = "takes and returns a stream"
	case desc.GetServerStreaming():
		kind = "returns a stream"
	}
	text := fmt.Sprintf("method %s.%s is streaming; AimRT services are unary, this one %s", service, desc.GetName(), kind)
	if b.source.named {
		b.problem(path, "%s", text)
		return
	}
	b.report.notes = append(b.report.notes, fmt.Sprintf("%s: note: %s; left out of the stub, because the file is only imported",
		b.source.position(path...), text))
}

func (b *builder) method(path []int32, s service, desc *descriptorpb.MethodDescriptorProto) method {
	name := desc.GetName()
	if name == "RegisterClientFunc" || strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		b.problem(path, "method %s.%s has a name that every generated class uses itself; rename the method", s.name, name)
	}
	return method{
		name:     name,
		inClass:  isPlain(name) && !stubNames[name] && !b.imports.roots[name],
		function: "pb:/" + s.fullName + "/" + name,
		request:  b.message(path, s.name, name, desc.GetInputType()),
		response: b.message(path, s.name, name, desc.GetOutputType()),
		comment:  b.source.comment(path...),
	}
}

func (b *builder) message(path []int32, service, method, name string) string {
	message, known := b.files.messages[name]
	if !known {
		b.problem(path, "method %s.%s uses the message %s, which no file of the request defines", service, method, name)
		return "None"
	}
	return b.imports.class(message)
}
