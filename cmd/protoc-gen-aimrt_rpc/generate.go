package main

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// generate answers a request. Either the response carries an error and no file, or one file per proto file with
// services. Notes are for the person who runs protoc and do not stop anything.
func generate(request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, []string) {
	response := &pluginpb.CodeGeneratorResponse{
		SupportedFeatures: proto.Uint64(uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
			pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)),
		MinimumEdition: proto.Int32(int32(descriptorpb.Edition_EDITION_PROTO2)),
		MaximumEdition: proto.Int32(int32(descriptorpb.Edition_EDITION_2024)),
	}
	if err := checkParameters(request.GetParameter()); err != nil {
		response.Error = proto.String(err.Error())
		return response, nil
	}
	set := newFileSet(request)
	report := &report{}
	var stubs []*stub
	for _, file := range set.files {
		if len(file.desc.GetService()) > 0 {
			stubs = append(stubs, newStub(set, file, report))
		}
	}
	if len(report.problems) > 0 {
		response.Error = proto.String(strings.Join(report.problems, "\n"))
		return response, report.notes
	}
	for _, stub := range stubs {
		response.File = append(response.File, &pluginpb.CodeGeneratorResponse_File{
			Name:    proto.String(stubPath(stub.source)),
			Content: proto.String(stub.python()),
		})
	}
	return response, report.notes
}

// report collects what a run has to say, so that the user sees all problems at once.
type report struct {
	problems []string // each stops the generation
	notes    []string
}
