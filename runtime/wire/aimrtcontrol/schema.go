package aimrtcontrol

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Names of the services, as a plugin without service_name has them.
const (
	LogControl = "aimrt.protocols.log_control_plugin.LogControlService"
	Parameters = "aimrt.protocols.parameter_plugin.ParameterService"
)

// form is what a field holds.
type form int

const (
	formText      form = iota
	formTexts          // a list of texts
	formPairs          // text to text
	formPairMaps       // text to ParameterMap
	formNumber32       // uint32
	formNumber64       // uint64
	messagePairs  = "ParameterMap"
	suffixRequest = "Req"
	suffixAnswer  = "Rsp"
)

// field is one field of a message; its number is its place in the list.
type field struct {
	name string
	form form
}

// message is a protobuf message of one service.
type message struct {
	name   string
	fields []field
}

// method is one method, whose messages are prefix + "Req" and prefix + "Rsp".
type method struct{ name, prefix string }

// table is one of AimRT's services.
type table struct {
	name     string // with its package
	file     string
	messages []message
	methods  []method
}

var status = []field{{"code", formNumber32}, {"msg", formText}}

func answer(more ...field) []field { return append(append([]field(nil), status...), more...) }

// services are the two that AimRT's plugins have.
var services = []table{
	{LogControl, "log_control.proto", []message{
		{"GetModuleLogLevelReq", []field{{"module_names", formTexts}}},
		{"GetModuleLogLevelRsp", answer(field{"module_log_level_map", formPairs})},
		{"SetModuleLogLevelReq", []field{{"module_log_level_map", formPairs}}},
		{"SetModuleLogLevelRsp", answer()},
	}, []method{{"GetModuleLogLevel", "GetModuleLogLevel"}, {"SetModuleLogLevel", "SetModuleLogLevel"}}},
	{Parameters, "parameter.proto", []message{
		{messagePairs, []field{{"value", formPairs}}},
		{"SetParameterReq", []field{{"module_name", formText}, {"parameter_key", formText}, {"parameter_value", formText}}},
		{"SetParameterRsp", []field{{"code", formNumber64}, {"msg", formText}}},
		{"GetParameterReq", []field{{"module_name", formText}, {"parameter_key", formText}}},
		{"GetParameterRsp", answer(field{"parameter_value", formText})},
		{"ListParameterReq", []field{{"module_name", formText}}},
		{"ListParameterRsp", answer(field{"parameter_keys", formTexts})},
		{"DumpParameterReq", []field{{"module_names", formTexts}}},
		{"DumpParameterRsp", answer(field{"module_parameter_map", formPairMaps})},
		{"LoadParameterReq", []field{{"module_parameter_map", formPairMaps}}},
		{"LoadParameterRsp", answer()},
	}, []method{{"Set", "SetParameter"}, {"Get", "GetParameter"}, {"List", "ListParameter"}, {"Dump", "DumpParameter"}, {"Load", "LoadParameter"}}},
}

func (s *table) describe() *descriptorpb.FileDescriptorProto {
	dot := strings.LastIndexByte(s.name, '.')
	pkg := s.name[:dot]
	file := &descriptorpb.FileDescriptorProto{Name: proto.String(s.file), Package: proto.String(pkg), Syntax: proto.String("proto3")}
	for _, m := range s.messages {
		file.MessageType = append(file.MessageType, m.describe(pkg))
	}
	desc := &descriptorpb.ServiceDescriptorProto{Name: proto.String(s.name[dot+1:])}
	for _, m := range s.methods {
		desc.Method = append(desc.Method, &descriptorpb.MethodDescriptorProto{Name: proto.String(m.name),
			InputType: proto.String("." + pkg + "." + m.prefix + suffixRequest), OutputType: proto.String("." + pkg + "." + m.prefix + suffixAnswer)})
	}
	file.Service = []*descriptorpb.ServiceDescriptorProto{desc}
	return file
}

func (m *message) describe(pkg string) *descriptorpb.DescriptorProto {
	out := &descriptorpb.DescriptorProto{Name: proto.String(m.name)}
	for i, f := range m.fields {
		d := single(f.name, i+1, descriptorpb.FieldDescriptorProto_TYPE_STRING)
		switch f.form {
		case formText:
		case formNumber32:
			d.Type = descriptorpb.FieldDescriptorProto_TYPE_UINT32.Enum()
		case formNumber64:
			d.Type = descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum()
		case formTexts:
			d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		case formPairs, formPairMaps:
			entry := mapEntry(f, pkg)
			out.NestedType = append(out.NestedType, entry)
			d.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
			d.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			d.TypeName = proto.String("." + pkg + "." + m.name + "." + entry.GetName())
		}
		out.Field = append(out.Field, d)
	}
	return out
}

// mapEntry is the message that protobuf makes for a map field.
func mapEntry(f field, pkg string) *descriptorpb.DescriptorProto {
	name := ""
	for word := range strings.SplitSeq(f.name, "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	value := single("value", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING)
	if f.form == formPairMaps {
		value.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		value.TypeName = proto.String("." + pkg + "." + messagePairs)
	}
	return &descriptorpb.DescriptorProto{Name: proto.String(name + "Entry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		Field: []*descriptorpb.FieldDescriptorProto{single("key", 1, descriptorpb.FieldDescriptorProto_TYPE_STRING), value}}
}

func single(name string, number int, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{Name: proto.String(name), Number: proto.Int32(int32(number)), Type: kind.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
}
