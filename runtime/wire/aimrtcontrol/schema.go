package aimrtcontrol

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Names of the services, as a plugin without service_name has them.
const (
	LogControl = "aimrt.protocols.log_control_plugin.LogControlService"
	Parameters = "aimrt.protocols.parameter_plugin.ParameterService"
)

// form is what a field holds.
type form int

const (
	formText     form = iota
	formTexts         // a list of texts
	formPairs         // text to text
	formPairMaps      // text to ParameterMap
	formNumber32      // uint32
	formNumber64      // uint64
)

// Names and endings of messages.
const (
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

// message finds a message of the service by name.
func (s *table) message(name string) (*message, bool) {
	at := slices.IndexFunc(s.messages, func(m message) bool { return m.name == name })
	if at < 0 {
		return nil, false
	}
	return &s.messages[at], true
}

// jsonName is a field's name in JSON: parameter_key, parameterKey.
func (f *field) jsonName() string {
	return f.name[:1] + camel(f.name)[1:]
}

// camel is a name of several words: parameter_key, ParameterKey.
func camel(name string) string {
	out := ""
	for word := range strings.SplitSeq(name, "_") {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}

// Field numbers of google.protobuf's descriptor messages, as far as they are needed.
const (
	setFile = 1

	fileName, filePackage, fileMessage, fileService, fileSyntax = 1, 2, 4, 6, 12

	messageName, messageField, messageNested, messageOptions = 1, 2, 3, 7

	optionMapEntry = 7

	fieldName, fieldNumber, fieldLabel, fieldType, fieldTypeName, fieldJSONName = 1, 3, 4, 5, 6, 10

	labelOptional, labelRepeated                    = 1, 3
	typeUint64, typeString, typeMessage, typeUint32 = 4, 9, 11, 13

	serviceName, serviceMethod = 1, 2

	methodName, methodInput, methodOutput = 1, 2, 3
)

func appendText(b []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func appendPart(b []byte, number protowire.Number, part []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), part)
}

func appendNumber(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

// describe is the serialized FileDescriptorSet of the service.
func (s *table) describe() []byte {
	dot := strings.LastIndexByte(s.name, '.')
	pkg := "." + s.name[:dot] + "."
	file := appendText(nil, fileName, s.file)
	file = appendText(file, filePackage, s.name[:dot])
	for i := range s.messages {
		file = appendPart(file, fileMessage, s.messages[i].describe(pkg))
	}
	service := appendText(nil, serviceName, s.name[dot+1:])
	for _, m := range s.methods {
		one := appendText(nil, methodName, m.name)
		one = appendText(one, methodInput, pkg+m.prefix+suffixRequest)
		one = appendText(one, methodOutput, pkg+m.prefix+suffixAnswer)
		service = appendPart(service, serviceMethod, one)
	}
	file = appendPart(file, fileService, service)
	file = appendText(file, fileSyntax, "proto3")
	return appendPart(nil, setFile, file)
}

func (m *message) describe(pkg string) []byte {
	out := appendText(nil, messageName, m.name)
	for i := range m.fields {
		f := &m.fields[i]
		label, kind, named := uint64(labelOptional), uint64(typeString), ""
		switch f.form {
		case formText:
		case formNumber32:
			kind = typeUint32
		case formNumber64:
			kind = typeUint64
		case formTexts:
			label = labelRepeated
		case formPairs, formPairMaps:
			label, kind, named = labelRepeated, typeMessage, pkg+m.name+"."+camel(f.name)+"Entry"
			out = appendPart(out, messageNested, f.mapEntry(pkg))
		}
		out = appendPart(out, messageField, describeField(f.name, i+1, label, kind, named))
	}
	return out
}

// mapEntry is the message that protobuf makes for a map field.
func (f *field) mapEntry(pkg string) []byte {
	out := appendText(nil, messageName, camel(f.name)+"Entry")
	out = appendPart(out, messageField, describeField("key", 1, labelOptional, typeString, ""))
	if f.form == formPairMaps {
		out = appendPart(out, messageField, describeField("value", 2, labelOptional, typeMessage, pkg+messagePairs))
	} else {
		out = appendPart(out, messageField, describeField("value", 2, labelOptional, typeString, ""))
	}
	return appendPart(out, messageOptions, appendNumber(nil, optionMapEntry, 1))
}

func describeField(name string, number int, label, kind uint64, typeName string) []byte {
	out := appendText(nil, fieldName, name)
	out = appendNumber(out, fieldNumber, uint64(number))
	out = appendNumber(out, fieldLabel, label)
	out = appendNumber(out, fieldType, kind)
	if typeName != "" {
		out = appendText(out, fieldTypeName, typeName)
	}
	f := field{name: name}
	return appendText(out, fieldJSONName, f.jsonName())
}
