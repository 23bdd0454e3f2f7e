package aiomas

import (
	"encoding/binary"
	"fmt"
	"iter"

	wire "aimrtrpc/runtime/wire/aiomas"
)

// referenceKey marks a map that stands for an object; a reference to a service is one of them.
const referenceKey = "__type__"

// Elements gives the elements of an encoded array, or keys and values in turn of an encoded map; of any other value nothing. The value has
// been checked: args, kwargs and contents of decoded messages, or what Format.Check accepted. The parts belong to raw.
func Elements(f wire.Format, raw []byte) iter.Seq[[]byte] {
	if f.Codec == wire.JSON {
		return jsonElements(raw)
	}
	return msgElements(raw)
}

// jsonElements goes by brackets, quotes and commas alone.
func jsonElements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		raw = trimJSON(raw)
		if len(raw) < 2 || raw[0] != '[' && raw[0] != '{' {
			return
		}
		begin, depth, quoted := 1, 0, false
		for i := 1; i < len(raw); i++ {
			c := raw[i]
			switch {
			case quoted:
				if c == '\\' {
					i++
				}
				quoted = c != '"'
				continue
			case c == '"':
				quoted = true
				continue
			case c == '[' || c == '{':
				depth++
				continue
			case depth > 0:
				if c == ']' || c == '}' {
					depth--
				}
				continue
			case c != ',' && c != ':' && c != ']' && c != '}':
				continue
			}
			part := trimJSON(raw[begin:i:i])
			if len(part) > 0 && !yield(part) {
				return
			}
			begin = i + 1
		}
	}
}

func trimJSON(b []byte) []byte {
	space := func(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
	for len(b) > 0 && space(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && space(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b[:len(b):len(b)]
}

func msgElements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		body, count, _ := msgHead(raw)
		if count < 0 {
			return
		}
		rest := raw[body:]
		for range count {
			end := msgEnd(rest)
			if end < 0 || !yield(rest[:end:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// msgEnd is where the first value of data ends, -1 when that cannot be said.
func msgEnd(data []byte) int {
	at := 0
	for open := 1; open > 0; open-- {
		body, count, size := msgHead(data[at:])
		if body == 0 || len(data)-at-body < size {
			return -1
		}
		at += body + size
		open += max(count, 0)
	}
	return at
}

// msgHead reads a head: where the body begins, how many values are inside (-1: it is no container) and how many bytes beside them. A body of
// 0 is an incomplete head.
func msgHead(data []byte) (body, count, size int) {
	if len(data) == 0 {
		return 0, -1, 0
	}
	c := data[0]
	switch {
	case c < 0x80 || c >= 0xe0:
		return 1, -1, 0
	case c < 0x90:
		return 1, 2 * int(c&15), 0
	case c < 0xa0:
		return 1, int(c & 15), 0
	case c < 0xc0:
		return 1, -1, int(c & 31)
	case c >= 0xdc:
		n, width := msgLength(data, 2<<(c&1))
		if c >= 0xde {
			n *= 2
		}
		return width, n, 0
	case c >= 0xd9:
		n, width := msgLength(data, 1<<(c-0xd9))
		return width, -1, n
	case c >= 0xc7 && c <= 0xc9:
		n, width := msgLength(data, 1<<(c-0xc7))
		return width, -1, n + 1
	case c >= 0xc4 && c <= 0xc6:
		n, width := msgLength(data, 1<<(c-0xc4))
		return width, -1, n
	}
	return 1, -1, msgFixed[c&31]
}

// msgFixed is how many bytes follow the lead bytes 0xc0 to 0xdf that have no length.
var msgFixed = [32]int{0x0a: 4, 0x0b: 8, 0x0c: 1, 0x0d: 2, 0x0e: 4, 0x0f: 8, 0x10: 1, 0x11: 2, 0x12: 4, 0x13: 8, 0x14: 2, 0x15: 3, 0x16: 5, 0x17: 9, 0x18: 17}

func msgLength(data []byte, width int) (n, body int) {
	if len(data) < 1+width {
		return 0, 0
	}
	switch width {
	case 1:
		n = int(data[1])
	case 2:
		n = int(binary.BigEndian.Uint16(data[1:]))
	default:
		n = int(binary.BigEndian.Uint32(data[1:]))
	}
	return n, 1 + width
}

// MsgPackBinary gives the content of an encoded MsgPack bytes value; false for any other.
func MsgPackBinary(raw []byte) ([]byte, bool) {
	if len(raw) == 0 || raw[0] < 0xc4 || raw[0] > 0xc6 {
		return nil, false
	}
	body, _, size := msgHead(raw)
	if body == 0 || len(raw)-body != size {
		return nil, false
	}
	return raw[body:], true
}

// AppendPair writes the payload of a call as the rest of the runtime sees it, the array [args, kwargs]; nil stands for none.
func AppendPair(dst []byte, f wire.Format, args, kwargs []byte) []byte {
	if f.Codec == wire.JSON {
		dst = appendOr(append(dst, '['), args, "[]")
		return append(appendOr(append(dst, ", "...), kwargs, "{}"), ']')
	}
	return appendOr(appendOr(append(dst, 0x92), args, "\x90"), kwargs, "\x80")
}

func appendOr(dst, value []byte, none string) []byte {
	if value == nil {
		return append(dst, none...)
	}
	return append(dst, value...)
}

// SplitPair takes [args, kwargs] apart and checks that it is one: an array and a map. No payload at all is a call without arguments.
func SplitPair(f wire.Format, payload []byte) (args, kwargs []byte, err error) {
	if len(payload) == 0 {
		return nil, nil, nil
	}
	shape, err := f.Check(payload)
	if err != nil {
		return nil, nil, err
	}
	if shape != wire.Array {
		return nil, nil, fmt.Errorf("the payload of a call is %s, expected the array [args, kwargs]", shape)
	}
	var parts [2][]byte
	n := 0
	for part := range Elements(f, payload) {
		if n < len(parts) {
			parts[n] = part
		}
		n++
	}
	switch {
	case n != len(parts):
		return nil, nil, fmt.Errorf("the payload of a call is an array of %d, expected [args, kwargs]", n)
	case f.ShapeOf(parts[0]) != wire.Array:
		return nil, nil, fmt.Errorf("the args of a call are %s, expected an array", f.ShapeOf(parts[0]))
	case f.ShapeOf(parts[1]) != wire.Map:
		return nil, nil, fmt.Errorf("the kwargs of a call are %s, expected a map", f.ShapeOf(parts[1]))
	}
	return parts[0], parts[1], nil
}

// AppendReference writes a reference to the own service at a path, "" for all that this end serves. The type is what both ends count it as:
// 0, or the number of further serializers that both have registered.
func AppendReference(dst []byte, f wire.Format, typeID uint64, path string) []byte {
	if f.Codec == wire.JSON {
		dst = f.AppendString(append(dst, '{'), referenceKey)
		dst = f.AppendUint(append(dst, ": ["...), typeID)
		return append(f.AppendString(append(dst, ", "...), path), "]}"...)
	}
	dst = f.AppendString(wire.AppendMsgPackMap(dst, 1), referenceKey)
	return f.AppendString(f.AppendUint(wire.AppendMsgPackArray(dst, 2), typeID), path)
}

// ReadReference tells whether an encoded value refers to a service of the peer, and its path. As for aiomas any map with the key is meant,
// and what else is in it is dropped.
func ReadReference(f wire.Format, raw []byte, typeID uint64) (path string, ok bool) {
	if shape, err := f.Check(raw); err != nil || shape != wire.Map {
		return "", false
	}
	var key, found []byte
	for part := range Elements(f, raw) {
		if key == nil {
			key = part
			continue
		}
		if text, isText := f.Text(key); isText && text == referenceKey {
			found = part
		}
		key = nil
	}
	if f.ShapeOf(found) != wire.Array {
		return "", false
	}
	var parts [][]byte
	for part := range Elements(f, found) {
		if parts = append(parts, part); len(parts) > 2 {
			return "", false
		}
	}
	if len(parts) != 2 || f.ShapeOf(parts[0]) != wire.Int || string(f.AppendUint(nil, typeID)) != string(parts[0]) {
		return "", false
	}
	return f.Text(parts[1])
}

// AppendArray writes an array of encoded values.
func AppendArray(dst []byte, f wire.Format, values ...[]byte) []byte {
	if f.Codec != wire.JSON {
		dst = wire.AppendMsgPackArray(dst, len(values))
		for _, v := range values {
			dst = append(dst, v...)
		}
		return dst
	}
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, v...)
	}
	return append(dst, ']')
}
