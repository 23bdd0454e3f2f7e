package aiomas

import (
	"math"
	"unicode/utf8"
)

// Shape is what an encoded value is, without its content.
type Shape uint8

// The shapes of a value. Bytes and Ext exist in MsgPack only.
const (
	Null Shape = iota
	Bool
	Int
	Float
	String
	Bytes
	Array
	Map
	Ext
)

var shapeNames = [...]string{"null", "bool", "int", "float", "string", "bytes", "array", "map", "ext"}

// String names the shape for error texts.
func (s Shape) String() string {
	if int(s) < len(shapeNames) {
		return shapeNames[s]
	}
	return "unknown"
}

// span is a part of a payload, begin to end.
type span struct{ begin, end int }

func (s span) of(data []byte) []byte { return data[s.begin:s.end:s.end] }

// parts are the places of the first three elements of an array and, when asked
// for, of the first three elements of its third: what a call needs of a message
// is found in one pass.
type parts struct {
	own          [3]span
	nested       bool // look into the third element if it is an array
	content      [3]span
	contentCount int // 0 when the third element is no array
}

func (p *parts) wants(n int) bool { return p != nil && p.nested && n == 2 }

func (p *parts) store(n, begin, end int) {
	if p != nil && n < len(p.own) {
		p.own[n] = span{begin, end}
	}
}

// Check tells whether raw is exactly one well-formed value within MaxDepth, and
// its shape. Values of a foreign host are checked before they are sent: a peer
// closes the whole connection over a bad one.
func (f Format) Check(raw []byte) (Shape, error) {
	if len(raw) > f.maxFrame() {
		return Null, &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(len(raw))}
	}
	f = f.Values()
	begin, end, err := f.whole(raw)
	if err != nil {
		return Null, err
	}
	return f.shape(raw[begin:end]), nil
}

// whole finds the single value of data.
func (f Format) whole(data []byte) (begin, end int, err error) {
	if f.Codec != JSON {
		if end, err = f.msgValue(data, 0, 0); err != nil {
			return 0, 0, err
		}
		if end != len(data) {
			return 0, 0, f.syntax(end, "the end")
		}
		return 0, end, nil
	}
	if !utf8.Valid(data) {
		return 0, 0, f.syntax(invalidUTF8(data), "UTF-8")
	}
	begin = skipSpace(data, 0)
	if end, err = f.jsonValue(data, begin, 0); err != nil {
		return 0, 0, err
	}
	if rest := skipSpace(data, end); rest != len(data) {
		return 0, 0, f.syntax(rest, "the end")
	}
	return begin, end, nil
}

// invalidUTF8 is the offset of the first byte that is not UTF-8.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// ShapeOf is the shape of a value that has been checked: args, kwargs and
// contents of decoded messages, or what Check accepted.
func (f Format) ShapeOf(raw []byte) Shape {
	if f.Codec == JSON {
		raw = raw[skipSpace(raw, 0):]
	}
	if len(raw) == 0 {
		return Null
	}
	return f.shape(raw)
}

func (f Format) shape(raw []byte) Shape {
	if f.Codec != JSON {
		h, err := f.msgHead(raw, 0)
		if err != nil {
			return Null
		}
		return h.shape
	}
	return jsonShape(raw)
}

// Text decodes a checked string value; ok is false for any other shape. JSON
// escapes that are half of a surrogate pair become U+FFFD.
func (f Format) Text(raw []byte) (text string, ok bool) {
	b, _, ok := f.RawText(raw)
	return string(b), ok
}

// RawText is Text as bytes, part of raw when nothing had to be unescaped. exact
// is false when half of a surrogate pair was replaced.
func (f Format) RawText(raw []byte) (text []byte, exact, ok bool) {
	if f.ShapeOf(raw) != String {
		return nil, false, false
	}
	if f.Codec != JSON {
		h, err := f.msgHead(raw, 0)
		if err != nil || h.size > len(raw)-h.body {
			return nil, false, false
		}
		return raw[h.body : h.body+h.size], true, true
	}
	begin := skipSpace(raw, 0)
	end, err := f.jsonString(raw, begin)
	if err != nil {
		return nil, false, false
	}
	text, exact = jsonUnescape(raw[begin+1 : end-1])
	return text, exact, true
}

// whole64 is the value of a number that is a whole one from 0 to 2^64-1. As in
// Python, 1.0 and true count as 1.
func (f Format) whole64(raw []byte) (uint64, bool) {
	if f.Codec != JSON {
		return f.msgWhole(raw)
	}
	return jsonWhole(raw)
}

func wholeFloat(v float64) (uint64, bool) {
	if v != math.Trunc(v) || v < 0 || v >= 1<<64 {
		return 0, false
	}
	return uint64(v), true
}
