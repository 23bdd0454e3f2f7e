package aiomas

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// msgHeader is what the first bytes of a MsgPack value say.
type msgHeader struct {
	shape Shape
	body  int // offset behind the header
	size  int // bytes of a scalar, string, bytes or ext; elements of an array; entries of a map
}

// msgLead describes lead bytes 0xc0 to 0xdf: the shape, how many bytes of
// length follow, and the fixed size of the rest.
var msgLead = [32]struct {
	shape Shape
	width uint8
	size  uint8
	valid bool
}{
	0x00: {Null, 0, 0, true}, 0x02: {Bool, 0, 0, true}, 0x03: {Bool, 0, 0, true},
	0x04: {Bytes, 1, 0, true}, 0x05: {Bytes, 2, 0, true}, 0x06: {Bytes, 4, 0, true},
	0x07: {Ext, 1, 1, true}, 0x08: {Ext, 2, 1, true}, 0x09: {Ext, 4, 1, true},
	0x0a: {Float, 0, 4, true}, 0x0b: {Float, 0, 8, true},
	0x0c: {Int, 0, 1, true}, 0x0d: {Int, 0, 2, true}, 0x0e: {Int, 0, 4, true}, 0x0f: {Int, 0, 8, true},
	0x10: {Int, 0, 1, true}, 0x11: {Int, 0, 2, true}, 0x12: {Int, 0, 4, true}, 0x13: {Int, 0, 8, true},
	0x14: {Ext, 0, 2, true}, 0x15: {Ext, 0, 3, true}, 0x16: {Ext, 0, 5, true}, 0x17: {Ext, 0, 9, true}, 0x18: {Ext, 0, 17, true},
	0x19: {String, 1, 0, true}, 0x1a: {String, 2, 0, true}, 0x1b: {String, 4, 0, true},
	0x1c: {Array, 2, 0, true}, 0x1d: {Array, 4, 0, true},
	0x1e: {Map, 2, 0, true}, 0x1f: {Map, 4, 0, true},
}

// msgHead reads the header at i. The size it gives is not yet compared with
// what is there.
func (f Format) msgHead(data []byte, i int) (msgHeader, error) {
	if i >= len(data) {
		return msgHeader{}, f.syntax(i, "a value")
	}
	c := data[i]
	switch {
	case c < 0x80 || c >= 0xe0:
		return msgHeader{Int, i + 1, 0}, nil
	case c < 0x90:
		return msgHeader{Map, i + 1, int(c & 15)}, nil
	case c < 0xa0:
		return msgHeader{Array, i + 1, int(c & 15)}, nil
	case c < 0xc0:
		return msgHeader{String, i + 1, int(c & 31)}, nil
	}
	lead := msgLead[c&31]
	if !lead.valid {
		return msgHeader{}, f.syntax(i, "a value, not the unused byte c1")
	}
	width := int(lead.width)
	if len(data)-i-1 < width {
		return msgHeader{}, f.syntax(len(data), "the rest of a length")
	}
	size := uint64(lead.size)
	switch width {
	case 1:
		size += uint64(data[i+1])
	case 2:
		size += uint64(binary.BigEndian.Uint16(data[i+1:]))
	case 4:
		size += uint64(binary.BigEndian.Uint32(data[i+1:]))
	}
	return msgHeader{lead.shape, i + 1 + width, int(size)}, nil
}

// MsgPackHead reads the header of the value that begins at i: its shape, where
// its body begins, and its size, which is the bytes of a scalar, string, bytes
// or ext, the elements of an array, the entries of a map. The size is not
// compared with what is there: that is what Check is for.
func MsgPackHead(data []byte, i int) (shape Shape, body, size int, err error) {
	h, err := Format{Codec: MsgPack}.msgHead(data, i)
	return h.shape, h.body, h.size, err
}

// msgValue is the end of the value that begins at i. depth counts the
// containers around it. A count is compared with the bytes left before anything
// is done with it, so a bomb costs nothing.
func (f Format) msgValue(data []byte, i, depth int) (int, error) {
	h, err := f.msgHead(data, i)
	if err != nil {
		return 0, err
	}
	switch h.shape {
	case Array:
		return f.msgElements(data, h, depth, 1, nil)
	case Map:
		return f.msgElements(data, h, depth, 2, nil)
	}
	if len(data)-h.body < h.size {
		return 0, f.syntax(len(data), "the rest of a value")
	}
	end := h.body + h.size
	if h.shape == String && !utf8.Valid(data[h.body:end]) {
		return 0, f.syntax(h.body+invalidUTF8(data[h.body:end]), "UTF-8")
	}
	return end, nil
}

// msgElements is the end of an array (per 1) or map (per 2) whose header has
// been read. The places of the first elements are stored in into, if given,
// also of those that were read before an error.
func (f Format) msgElements(data []byte, h msgHeader, depth, per int, into *parts) (int, error) {
	if depth >= f.maxDepth() {
		return 0, &LimitError{Limit: "MaxDepth", Max: f.maxDepth(), Got: int64(depth) + 1}
	}
	// Where the parts are wanted, the ones that are there are worth finding: an
	// id in front of a bomb can still be answered.
	if len(data)-h.body < per*h.size && into == nil {
		return 0, f.syntax(h.body, "as many elements as announced")
	}
	i := h.body
	for n := range per * h.size {
		end, err := f.msgElement(data, i, depth+1, into.wants(n), into)
		if err != nil {
			return 0, err
		}
		into.store(n, i, end)
		i = end
	}
	return i, nil
}

// msgElement is msgValue, and keeps the places of a content's elements.
func (f Format) msgElement(data []byte, i, depth int, keep bool, into *parts) (int, error) {
	if !keep {
		return f.msgValue(data, i, depth)
	}
	h, err := f.msgHead(data, i)
	if err != nil || h.shape != Array {
		return f.msgValue(data, i, depth)
	}
	var content parts
	end, err := f.msgElements(data, h, depth, 1, &content)
	into.content, into.contentCount = content.own, h.size
	return end, err
}

func (f Format) msgWhole(raw []byte) (uint64, bool) {
	h, err := f.msgHead(raw, 0)
	if err != nil || len(raw)-h.body < h.size {
		return 0, false
	}
	var bits uint64
	if h.shape == Int || h.shape == Float {
		for _, c := range raw[h.body : h.body+h.size] {
			bits = bits<<8 | uint64(c)
		}
	}
	switch c := raw[0]; {
	case h.shape == Bool:
		return uint64(c & 1), true
	case h.shape == Float && h.size == 4:
		return wholeFloat(float64(math.Float32frombits(uint32(bits))))
	case h.shape == Float:
		return wholeFloat(math.Float64frombits(bits))
	case h.shape != Int || c >= 0xe0:
		return 0, false
	case c < 0x80:
		return uint64(c), true
	case c >= 0xd0: // signed: the top bit of its width tells a negative one
		return bits, bits>>(8*h.size-1) == 0
	}
	return bits, true
}

func appendMsgPackUint(dst []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), v)
}

func appendMsgPackInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendMsgPackUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, 0xd0, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(v))
}

// pythonNaN is float("nan"); Go's has another payload bit set.
const pythonNaN = 0x7ff8000000000000

func appendMsgPackFloat(dst []byte, v float64) []byte {
	bits := math.Float64bits(v)
	if math.IsNaN(v) {
		bits = pythonNaN
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), bits)
}

// appendMsgPackSize writes a length after the lead byte of its width; the lead
// bytes of a family follow each other.
func appendMsgPackSize(dst []byte, n int, lead8, lead16 byte) []byte {
	switch {
	case lead8 != 0 && n <= math.MaxUint8:
		return append(dst, lead8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, lead16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, lead16+1), uint32(n))
}

func appendMsgPackString[T string | []byte](dst []byte, s T) []byte {
	if n := len(s); n < 32 {
		dst = append(dst, 0xa0|byte(n))
	} else {
		dst = appendMsgPackSize(dst, n, 0xd9, 0xda)
	}
	return append(dst, s...)
}

// AppendMsgPackText writes a text that is known to be UTF-8.
func AppendMsgPackText(dst, text []byte) []byte { return appendMsgPackString(dst, text) }

// AppendMsgPackBytes writes bytes, which JSON has no form for.
func AppendMsgPackBytes(dst, b []byte) []byte {
	return append(appendMsgPackSize(dst, len(b), 0xc4, 0xc5), b...)
}

// AppendMsgPackArray begins an array of n elements, which are appended next.
func AppendMsgPackArray(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, 0x90|byte(n))
	}
	return appendMsgPackSize(dst, n, 0, 0xdc)
}

// AppendMsgPackMap begins a map of n entries; key and value of each are
// appended next.
func AppendMsgPackMap(dst []byte, n int) []byte {
	if n < 16 {
		return append(dst, 0x80|byte(n))
	}
	return appendMsgPackSize(dst, n, 0, 0xde)
}
