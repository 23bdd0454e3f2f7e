package rpc

import (
	"fmt"
	"sync"
)

// MaxCachedEncodings limits how many serializations of one native message are kept.
const MaxCachedEncodings = 8

// Payload is one message: bytes of a serialization, or a native message that is encoded only when somebody asks for bytes. What is inside
// is never interpreted here.
//
// A Payload is passed by value and has one owner, which calls Release; passing it to Finish or into a Call hands the ownership over. The
// zero value is the absent message: no bytes.
type Payload struct {
	serialization string
	data          []byte
	shared        *sharedMessage
}

// sharedMessage is what copies of one Payload have in common.
type sharedMessage struct {
	message any
	types   TypeSupport

	mu        sync.Mutex // guards what follows
	encodings []encoding
	release   func()
	released  bool
}

type encoding struct {
	serialization string
	data          []byte
}

// BytesPayload is a message that is already encoded. The bytes must not change afterwards.
func BytesPayload(serialization string, data []byte) Payload {
	return Payload{serialization: serialization, data: data}
}

// OwnedBytesPayload is like BytesPayload for bytes that have to be given back; release runs once.
func OwnedBytesPayload(serialization string, data []byte, release func()) Payload {
	return Payload{serialization: serialization, data: data, shared: &sharedMessage{release: release}}
}

// NativePayload is a message in its native form. release, which may be nil, runs once when the payload is given back.
func NativePayload(message any, types TypeSupport, release func()) Payload {
	return Payload{shared: &sharedMessage{message: message, types: types, release: release}}
}

// DecodePayload makes a native message out of bytes where the type support is a Decoder, else the bytes stay.
func DecodePayload(types TypeSupport, serialization string, data []byte) (Payload, error) {
	d, ok := types.(Decoder)
	if !ok {
		return BytesPayload(serialization, data), nil
	}
	message, release, err := d.Decode(serialization, data)
	if err != nil {
		return Payload{}, err
	}
	return NativePayload(message, types, release), nil
}

// Native is the native message and its type support; false for bytes.
func (p Payload) Native() (message any, types TypeSupport, ok bool) {
	if p.shared == nil || p.shared.types == nil {
		return nil, nil, false
	}
	return p.shared.message, p.shared.types, true
}

// Serialization of the bytes; empty for a native message.
func (p Payload) Serialization() string { return p.serialization }

// Empty tells whether there is no message at all.
func (p Payload) Empty() bool { return p.data == nil && p.shared == nil }

// Bytes gives the message in a serialization; empty means the one it has, or the type's first. A native message is encoded once per
// serialization. The bytes belong to the payload, live until Release and must not be changed.
func (p Payload) Bytes(serialization string) ([]byte, error) {
	message, types, native := p.Native()
	if !native {
		if serialization != "" && p.serialization != "" && serialization != p.serialization && len(p.data) > 0 {
			return nil, fmt.Errorf("the message is %q and %q was asked for", p.serialization, serialization)
		}
		return p.data, nil
	}
	if serialization == "" {
		serialization = firstSerialization(types)
	}
	s := p.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return nil, fmt.Errorf("the message was released")
	}
	for _, e := range s.encodings {
		if e.serialization == serialization {
			return e.data, nil
		}
	}
	data, err := types.Encode(serialization, message)
	if err != nil {
		return nil, fmt.Errorf("encode %s as %q: %w", typeText(types), serialization, err)
	}
	if len(s.encodings) < MaxCachedEncodings {
		s.encodings = append(s.encodings, encoding{serialization, data})
	}
	return data, nil
}

// Release gives the message back. Further releases, also of copies, do nothing.
func (p Payload) Release() {
	s := p.shared
	if s == nil {
		return
	}
	s.mu.Lock()
	release := s.release
	s.release, s.released, s.encodings = nil, true, nil
	s.mu.Unlock()
	if release != nil {
		release()
	}
}

// Detach is a copy that shares the message but whose Release does nothing; its user must be gone before the owner releases.
func (p Payload) Detach() Payload {
	s := p.shared
	if s == nil {
		return p
	}
	if s.types == nil {
		return Payload{serialization: p.serialization, data: p.data}
	}
	return Payload{shared: &sharedMessage{message: s.message, types: s.types}}
}

func firstSerialization(types TypeSupport) string {
	if list := types.Serializations(); len(list) > 0 {
		return list[0]
	}
	return DefaultSerialization
}

func typeText(types TypeSupport) string {
	if name := types.Name(); name != "" {
		return name
	}
	return "raw bytes"
}
