package rpc

import (
	"fmt"
	"slices"
)

// MaxMethodNameBytes limits the name of a method.
const MaxMethodNameBytes = 512

// Shape says which sides of a method are streams.
type Shape uint8

// Shapes of methods; the numbers are those of the public header.
const (
	Unary Shape = iota
	ClientStream
	ServerStream
	BidiStream
)

// String names the shape as reports show it.
func (s Shape) String() string {
	switch s {
	case Unary:
		return "unary"
	case ClientStream:
		return "client stream"
	case ServerStream:
		return "server stream"
	case BidiStream:
		return "bidi stream"
	}
	return fmt.Sprintf("shape %d", uint8(s))
}

// TypeSupport turns native messages of one type into bytes. Implementations are safe for concurrent use with different messages.
type TypeSupport interface {
	// Name of the type, "pb:package.Message". Equal names inside one package mean equal memory layout.
	Name() string
	// Serializations supported, the default first; empty means any.
	Serializations() []string
	// Encode gives bytes that the caller owns.
	Encode(serialization string, message any) ([]byte, error)
}

// Decoder is a TypeSupport that can also make native messages out of bytes. Where it is absent, handlers and callers get the bytes.
type Decoder interface {
	TypeSupport
	// Decode makes a new message. release, which may be nil, gives it back.
	Decode(serialization string, data []byte) (message any, release func(), err error)
}

// Raw is the type support of a side that deals in bytes. The list is what it accepts, the default first; none means any, default "pb".
type Raw []string

// Name is empty: raw bytes have no type.
func (r Raw) Name() string { return "" }

// Serializations that are accepted.
func (r Raw) Serializations() []string { return r }

// Encode hands a []byte message through.
func (r Raw) Encode(serialization string, message any) ([]byte, error) {
	data, ok := message.([]byte)
	if !ok {
		return nil, fmt.Errorf("a raw message is []byte, not %T", message)
	}
	return data, nil
}

// DefaultSerialization is used when a raw side names none.
const DefaultSerialization = "pb"

// Owner is the module that registered a method; its package decides who shares native messages.
type Owner struct{ Package, Module string }

// MethodOptions describes a method to NewMethod. Name is required.
type MethodOptions struct {
	Name     string // canonical, "pb:/package.Service/Method"
	Shape    Shape
	Request  TypeSupport // nil means Raw(nil)
	Response TypeSupport
	Owner    Owner
	// Descriptor is a serialized FileDescriptorSet for reflection, may be empty.
	Descriptor []byte
}

// Method is the immutable identity of what can be called, as one module registered it. How the name looks on a wire is a dialect's
// business.
type Method struct {
	name       string
	shape      Shape
	request    TypeSupport
	response   TypeSupport
	owner      Owner
	descriptor []byte
}

// NewMethod checks the options and makes a method.
func NewMethod(o MethodOptions) (*Method, error) {
	switch {
	case o.Name == "":
		return nil, fmt.Errorf("a method needs a name")
	case len(o.Name) > MaxMethodNameBytes:
		return nil, fmt.Errorf("method name %.40q... has %d bytes, the limit is %d", o.Name, len(o.Name), MaxMethodNameBytes)
	case o.Shape > BidiStream:
		return nil, fmt.Errorf("method %q: shape %d does not exist", o.Name, o.Shape)
	}
	if o.Request == nil {
		o.Request = Raw(nil)
	}
	if o.Response == nil {
		o.Response = Raw(nil)
	}
	return &Method{
		name: o.Name, shape: o.Shape, request: o.Request, response: o.Response, owner: o.Owner,
		descriptor: slices.Clone(o.Descriptor),
	}, nil
}

// Name is the canonical name.
func (m *Method) Name() string { return m.name }

// Shape of the method.
func (m *Method) Shape() Shape { return m.shape }

// RequestType is the type support of the request, never nil.
func (m *Method) RequestType() TypeSupport { return m.request }

// ResponseType is the type support of the response, never nil.
func (m *Method) ResponseType() TypeSupport { return m.response }

// Owner is the module that registered the method.
func (m *Method) Owner() Owner { return m.owner }

// Descriptor is the serialized FileDescriptorSet, empty when not given. It must not be changed.
func (m *Method) Descriptor() []byte { return m.descriptor }

// DefaultSerialization is the request type's first.
func (m *Method) DefaultSerialization() string {
	if list := m.request.Serializations(); len(list) > 0 {
		return list[0]
	}
	return DefaultSerialization
}

// Supports tells whether the request type has a serialization.
func (m *Method) Supports(serialization string) bool {
	list := m.request.Serializations()
	return len(list) == 0 || slices.Contains(list, serialization)
}

// SameNativeTypes tells whether two sides may hand each other native messages: one package, and equal types or both raw.
func (m *Method) SameNativeTypes(other *Method) bool {
	return m.owner.Package == other.owner.Package &&
		m.request.Name() == other.request.Name() && m.response.Name() == other.response.Name()
}
