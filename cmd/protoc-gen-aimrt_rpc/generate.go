package main

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// generate answers a request. Either the response carries an error and no file, or one file per proto file with
// services (Python), or two per proto file on the command line (C++). Notes are for the person who runs protoc and do not
// stop anything. otherwise is the language when no parameter names one.
func generate(request *pluginpb.CodeGeneratorRequest, otherwise string) (*pluginpb.CodeGeneratorResponse, []string) {
	response := &pluginpb.CodeGeneratorResponse{
		SupportedFeatures: proto.Uint64(uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
			pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)),
		MinimumEdition: proto.Int32(int32(descriptorpb.Edition_EDITION_PROTO2)),
		MaximumEdition: proto.Int32(int32(descriptorpb.Edition_EDITION_2024)),
	}
	language, err := language(request.GetParameter(), otherwise)
	if err != nil {
		response.Error = proto.String(err.Error())
		return response, nil
	}
	set := newFileSet(request)
	report := &report{}
	if language == cpp {
		generateCpp(set, report, response)
	} else {
		generatePython(set, report, response)
	}
	if len(report.problems) > 0 {
		response.File = nil
		response.Error = proto.String(strings.Join(report.problems, "\n"))
	}
	return response, report.notes
}

func generatePython(set *fileSet, report *report, response *pluginpb.CodeGeneratorResponse) {
	var stubs []*stub
	for _, file := range set.files {
		if len(file.desc.GetService()) > 0 {
			stubs = append(stubs, newStub(set, file, report))
		}
	}
	if len(report.problems) > 0 {
		return // an unresolved stub has no text
	}
	for _, stub := range stubs {
		response.File = append(response.File, &pluginpb.CodeGeneratorResponse_File{
			Name:    proto.String(stubPath(stub.source)),
			Content: proto.String(stub.python()),
		})
	}
}

func generateCpp(set *fileSet, report *report, response *pluginpb.CodeGeneratorResponse) {
	for _, file := range set.files {
		if !file.named {
			continue
		}
		stub := newCppStub(set, file, report)
		for _, part := range []struct{ suffix, content string }{{".aimrt_rpc.pb.h", stub.header()}, {".aimrt_rpc.pb.cc", stub.source()}} {
			response.File = append(response.File, &pluginpb.CodeGeneratorResponse_File{
				Name:    proto.String(cppBase(file) + part.suffix),
				Content: proto.String(part.content),
			})
		}
	}
}

// report collects what a run has to say, so that the user sees all problems at once.
type report struct {
	problems []string // each stops the generation
	notes    []string
}
