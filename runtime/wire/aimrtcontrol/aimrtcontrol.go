// Package aimrtcontrol is the messages of the services that AimRT's log_control_plugin and parameter_plugin have, as bytes of protobuf and of
// its JSON. The fields and their numbers are AimRT's; a message is shown as one Go struct for all methods, of which each uses a few fields.
package aimrtcontrol

import (
	"errors"
	"fmt"
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

// slot is where a field is in the struct.
func (m *Message) slot(name string) any {
	switch name {
	case "code":
		return &m.Code
	case "msg":
		return &m.Text
	case "module_names":
		return &m.Modules
	case "module_name":
		return &m.Module
	case "parameter_key":
		return &m.Key
	case "parameter_value":
		return &m.Value
	case "parameter_keys":
		return &m.Keys
	case "module_log_level_map", "value": // value of ParameterMap is read alone
		return &m.Levels
	}
	return &m.Parameters
}

// Service knows the methods of one service. It may be used from any goroutine.
type Service struct{ table *table }

// New gives a service; the names are LogControl and Parameters.
func New(name string) (*Service, error) {
	for i := range services {
		if services[i].name == name {
			return &Service{&services[i]}, nil
		}
	}
	return nil, fmt.Errorf("there is no service %q", name)
}

// Methods lists the methods.
func (s *Service) Methods() []string {
	out := make([]string, len(s.table.methods))
	for i, m := range s.table.methods {
		out[i] = m.name
	}
	return out
}

// Descriptor is the serialized FileDescriptorSet.
func (s *Service) Descriptor() []byte { return s.table.describe() }

// Direction tells the two messages of a method apart.
type Direction bool

// The directions.
const (
	Request  Direction = false
	Response Direction = true
)

// Decode reads a message of a method.
func (s *Service) Decode(method string, direction Direction, serialization string, data []byte) (Message, error) {
	m, err := s.message(method, direction)
	if err != nil {
		return Message{}, err
	}
	if len(data) > MaxMessageBytes {
		return Message{}, fmt.Errorf("message of %d bytes, the limit is %d", len(data), MaxMessageBytes)
	}
	var out Message
	switch serialization {
	case "pb":
		err = m.readProtobuf(&out, data)
	case "json":
		err = m.readJSON(&out, data)
	default:
		err = unknownSerialization(serialization)
	}
	if err != nil {
		return Message{}, err
	}
	return out, nil
}

// Encode writes a message of a method. Maps are written in the order of their keys; JSON is compact and names every field, as AimRT's.
func (s *Service) Encode(method string, direction Direction, serialization string, message Message) ([]byte, error) {
	m, err := s.message(method, direction)
	if err != nil {
		return nil, err
	}
	switch serialization {
	case "pb":
		return m.writeProtobuf(&message)
	case "json":
		return m.writeJSON(&message)
	}
	return nil, unknownSerialization(serialization)
}

func unknownSerialization(name string) error {
	return fmt.Errorf("%w %q, expected one of %q", ErrSerialization, name, Serializations())
}

func (s *Service) message(name string, direction Direction) (*message, error) {
	for _, m := range s.table.methods {
		if m.name != name {
			continue
		}
		ending := suffixRequest
		if direction == Response {
			ending = suffixAnswer
		}
		if found, ok := s.table.message(m.prefix + ending); ok {
			return found, nil
		}
	}
	return nil, fmt.Errorf("service %q has no method %q, expected one of %q", s.table.name, name, s.Methods())
}
