package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// Field numbers of descriptor.proto, of which the paths of source locations are made.
const (
	fileServiceField   = 6
	serviceMethodField = 2
)

// fileSet is a request made searchable: all files in protoc's order, and where each message type is defined.
type fileSet struct {
	files    []*protoFile
	messages map[string]messageType // by full name with leading dot, as method descriptors write it
}

type protoFile struct {
	desc      *descriptorpb.FileDescriptorProto
	named     bool // on the command line, not only imported
	locations map[string]*descriptorpb.SourceCodeInfo_Location
}

// messageType is a message as Python sees it: the file's module and the names of the classes from outside in.
type messageType struct {
	file string
	path []string
}

func newFileSet(request *pluginpb.CodeGeneratorRequest) *fileSet {
	set := &fileSet{messages: make(map[string]messageType)}
	named := make(map[string]bool)
	for _, name := range request.GetFileToGenerate() {
		named[name] = true
	}
	for _, desc := range request.GetProtoFile() {
		file := &protoFile{
			desc:      desc,
			named:     named[desc.GetName()],
			locations: make(map[string]*descriptorpb.SourceCodeInfo_Location),
		}
		for _, location := range desc.GetSourceCodeInfo().GetLocation() {
			file.locations[pathKey(location.GetPath()...)] = location
		}
		set.files = append(set.files, file)
		prefix := "."
		if desc.GetPackage() != "" {
			prefix = "." + desc.GetPackage() + "."
		}
		set.addMessages(desc.GetName(), prefix, nil, desc.GetMessageType())
	}
	return set
}

func (s *fileSet) addMessages(file, prefix string, outer []string, messages []*descriptorpb.DescriptorProto) {
	for _, message := range messages {
		path := append(append([]string(nil), outer...), message.GetName())
		s.messages[prefix+strings.Join(path, ".")] = messageType{file: file, path: path}
		s.addMessages(file, prefix, path, message.GetNestedType())
	}
}

func pathKey(path ...int32) string { return fmt.Sprint(path) }

// position gives "file:line:column" of an element, or the file alone when the request came without source locations.
func (f *protoFile) position(path ...int32) string {
	span := f.locations[pathKey(path...)].GetSpan()
	if len(span) < 2 {
		return f.desc.GetName()
	}
	return fmt.Sprintf("%s:%d:%d", f.desc.GetName(), span[0]+1, span[1]+1)
}

// comment gives the text that belongs to an element: the comment above it, else the one behind it. Lines keep their
// relative indentation; empty lines at both ends are gone.
func (f *protoFile) comment(path ...int32) []string {
	location := f.locations[pathKey(path...)]
	text := location.GetLeadingComments()
	if strings.TrimSpace(text) == "" {
		text = location.GetTrailingComments()
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\uFFFD")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		lines = append(lines, strings.TrimRight(strings.TrimPrefix(line, " "), " \t\r"))
	}
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
