package main

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// fullNumber is more than a double can hold.
const fullNumber = "18446744073709551615"

// frameType is the message of frame.proto; there is no generated Go code for it.
var frameType = func() protoreflect.MessageDescriptor {
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("frame.proto"), Package: proto.String("conformance"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Frame"), Field: []*descriptorpb.FieldDescriptorProto{
			field("body", 1, descriptorpb.FieldDescriptorProto_TYPE_BYTES),
			field("some_text", 2, descriptorpb.FieldDescriptorProto_TYPE_STRING),
			field("big_number", 3, descriptorpb.FieldDescriptorProto_TYPE_UINT64),
		}}},
	}, nil)
	if err != nil {
		panic(err)
	}
	return file.Messages().ByName("Frame")
}()

var bodyField, textField, numberField = frameType.Fields().ByNumber(1), frameType.Fields().ByNumber(2), frameType.Fields().ByNumber(3)

// frame is a Frame as Go values.
type frame struct {
	body   []byte
	text   string
	number string
}

func newFrame(text string, body []byte, number string) *dynamicpb.Message {
	m := dynamicpb.NewMessage(frameType)
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		panic(err)
	}
	m.Set(bodyField, protoreflect.ValueOfBytes(append([]byte(nil), body...)))
	m.Set(textField, protoreflect.ValueOfString(text))
	m.Set(numberField, protoreflect.ValueOfUint64(n))
	return m
}

func readFrame(message any) frame {
	m := message.(*dynamicpb.Message)
	return frame{m.Get(bodyField).Bytes(), m.Get(textField).String(), strconv.FormatUint(m.Get(numberField).Uint(), 10)}
}

// frames is the type support of Frame.
type frames struct{}

func (frames) Name() string             { return "pb:conformance.Frame" }
func (frames) Serializations() []string { return []string{"pb", "json"} }

// Encode writes a message.
func (frames) Encode(serialization string, message any) ([]byte, error) {
	m, ok := message.(*dynamicpb.Message)
	switch {
	case !ok:
		return nil, fmt.Errorf("a frame is not a %T", message)
	case serialization == "pb":
		return proto.Marshal(m)
	case serialization == "json":
		return protojson.Marshal(m)
	}
	return nil, fmt.Errorf("a frame has no serialization %q", serialization)
}

// Decode reads a message.
func (frames) Decode(serialization string, data []byte) (any, func(), error) {
	m := dynamicpb.NewMessage(frameType)
	switch serialization {
	case "pb":
		return m, nil, proto.Unmarshal(data, m)
	case "json":
		return m, nil, protojson.Unmarshal(data, m)
	}
	return nil, nil, fmt.Errorf("a frame has no serialization %q", serialization)
}
