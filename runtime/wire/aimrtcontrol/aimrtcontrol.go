// Package aimrtcontrol is the messages of the services that AimRT's log_control_plugin and parameter_plugin have, as bytes of protobuf and of
// its JSON. The fields and their numbers are AimRT's; a message is shown as one Go struct for all methods, of which each uses a few fields.
package aimrtcontrol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// MaxMessageBytes limits a request.
const MaxMessageBytes = 16 << 20

// ErrSerialization is wrapped by the errors for serializations that the messages do not have.
var ErrSerialization = errors.New("unknown serialization")

// Serializations that the messages have, the default first.
func Serializations() []string { return []string{"pb", "json"} }

// Message is a request or a response. Methods use the fields that their protobuf message has.
type Message struct {
	Code       uint64
	Text       string                       // msg
	Modules    []string                     // module_names
	Module     string                       // module_name
	Key        string                       // parameter_key
	Value      string                       // parameter_value
	Keys       []string                     // parameter_keys
	Levels     map[string]string            // module_log_level_map
	Parameters map[string]map[string]string // module_parameter_map
}

// Service knows the methods of one service. It may be used from any goroutine.
type Service struct {
	methods []string
	file    *descriptorpb.FileDescriptorProto
	desc    protoreflect.ServiceDescriptor
}

// New makes a service; the names are LogControl and Parameters.
func New(name string) (*Service, error) {
	at := slices.IndexFunc(services, func(t table) bool { return t.name == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no service %q", name)
	}
	s := &Service{file: services[at].describe()}
	for _, m := range services[at].methods {
		s.methods = append(s.methods, m.name)
	}
	file, err := protodesc.NewFile(s.file, nil)
	if err != nil {
		return nil, err
	}
	s.desc = file.Services().Get(0)
	return s, nil
}

// Methods lists the methods.
func (s *Service) Methods() []string { return slices.Clone(s.methods) }

// Descriptor is the serialized FileDescriptorSet.
func (s *Service) Descriptor() ([]byte, error) {
	return proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{s.file}})
}

// Direction tells the two messages of a method apart.
type Direction bool

// The directions.
const (
	Request  Direction = false
	Response Direction = true
)

// Decode reads a message of a method.
func (s *Service) Decode(method string, direction Direction, serialization string, data []byte) (Message, error) {
	m, err := s.newMessage(method, direction)
	if err != nil {
		return Message{}, err
	}
	if len(data) > MaxMessageBytes {
		return Message{}, fmt.Errorf("message of %d bytes, the limit is %d", len(data), MaxMessageBytes)
	}
	switch serialization {
	case "pb":
		err = proto.Unmarshal(data, m)
	case "json":
		err = protojson.Unmarshal(data, m)
	default:
		err = unknownSerialization(serialization)
	}
	if err != nil {
		return Message{}, err
	}
	return read(m), nil
}

// Encode writes a message of a method. Protobuf maps are written in the order of their keys; JSON is compact and names every field, as
// AimRT's.
func (s *Service) Encode(method string, direction Direction, serialization string, message Message) ([]byte, error) {
	m, err := s.newMessage(method, direction)
	if err != nil {
		return nil, err
	}
	message.write(m)
	switch serialization {
	case "pb":
		return proto.MarshalOptions{Deterministic: true}.Marshal(m)
	case "json":
		text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
		if err != nil {
			return nil, err
		}
		var compact bytes.Buffer
		err = json.Compact(&compact, text) // protojson puts spaces here and there on purpose
		return compact.Bytes(), err
	}
	return nil, unknownSerialization(serialization)
}

func unknownSerialization(name string) error {
	return fmt.Errorf("%w %q, expected one of %q", ErrSerialization, name, Serializations())
}

func (s *Service) newMessage(method string, direction Direction) (*dynamicpb.Message, error) {
	m := s.desc.Methods().ByName(protoreflect.Name(method))
	if m == nil {
		return nil, fmt.Errorf("service %q has no method %q, expected one of %q", s.desc.FullName(), method, s.methods)
	}
	if direction == Response {
		return dynamicpb.NewMessage(m.Output()), nil
	}
	return dynamicpb.NewMessage(m.Input()), nil
}

// read takes the fields that are set.
func read(from protoreflect.Message) Message {
	var m Message
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch f.Name() {
		case "code":
			m.Code = v.Uint()
		case "msg":
			m.Text = v.String()
		case "module_names":
			m.Modules = texts(v.List())
		case "module_name":
			m.Module = v.String()
		case "parameter_key":
			m.Key = v.String()
		case "parameter_value":
			m.Value = v.String()
		case "parameter_keys":
			m.Keys = texts(v.List())
		case "module_log_level_map":
			m.Levels = pairs(v.Map())
		case "module_parameter_map":
			m.Parameters = map[string]map[string]string{}
			v.Map().Range(func(module protoreflect.MapKey, value protoreflect.Value) bool {
				inner := value.Message()
				m.Parameters[module.String()] = pairs(inner.Get(inner.Descriptor().Fields().ByNumber(1)).Map())
				return true
			})
		}
		return true
	})
	return m
}

func texts(list protoreflect.List) []string {
	out := make([]string, list.Len())
	for i := range out {
		out[i] = list.Get(i).String()
	}
	return out
}

func pairs(from protoreflect.Map) map[string]string {
	out := make(map[string]string, from.Len())
	from.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		out[key.String()] = value.String()
		return true
	})
	return out
}

// write sets the fields that the message has.
func (m *Message) write(to protoreflect.Message) {
	fields := to.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch f.Name() {
		case "code":
			if f.Kind() == protoreflect.Uint64Kind {
				to.Set(f, protoreflect.ValueOfUint64(m.Code))
			} else {
				to.Set(f, protoreflect.ValueOfUint32(uint32(m.Code)))
			}
		case "msg":
			to.Set(f, protoreflect.ValueOfString(m.Text))
		case "module_names":
			writeTexts(to.Mutable(f).List(), m.Modules)
		case "module_name":
			to.Set(f, protoreflect.ValueOfString(m.Module))
		case "parameter_key":
			to.Set(f, protoreflect.ValueOfString(m.Key))
		case "parameter_value":
			to.Set(f, protoreflect.ValueOfString(m.Value))
		case "parameter_keys":
			writeTexts(to.Mutable(f).List(), m.Keys)
		case "module_log_level_map":
			writePairs(to.Mutable(f).Map(), m.Levels)
		case "module_parameter_map":
			all := to.Mutable(f).Map()
			for module, values := range m.Parameters {
				inner := all.NewValue()
				writePairs(inner.Message().Mutable(inner.Message().Descriptor().Fields().ByNumber(1)).Map(), values)
				all.Set(protoreflect.ValueOfString(module).MapKey(), inner)
			}
		}
	}
}

func writeTexts(to protoreflect.List, values []string) {
	for _, v := range values {
		to.Append(protoreflect.ValueOfString(v))
	}
}

func writePairs(to protoreflect.Map, values map[string]string) {
	for key, value := range values {
		to.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(value))
	}
}
