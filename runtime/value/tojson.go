package value

import (
	"math"
	"slices"

	wire "aimrtrpc/runtime/wire/aiomas"
)

// MsgPackToJSON appends the MsgPack value src as JSON, in the bytes of Python's
// json.dumps. The order of a map's entries is kept, and keys that become the
// same text are all written. On an error dst comes back as it was.
func MsgPackToJSON(dst, src []byte, limits Limits) ([]byte, error) {
	if err := limits.check(wire.MsgPack, src); err != nil {
		return dst, err
	}
	w := jsonWriter{src: src, out: slices.Grow(dst, len(src)), begin: len(dst), limits: limits}
	if err := w.value(false); err != nil {
		return dst, err
	}
	return w.out, nil
}

// jsonWriter reads the checked value src from at on.
type jsonWriter struct {
	src    []byte
	at     int
	out    []byte
	begin  int
	limits Limits
}

// value writes the next value, or the key that it makes.
func (w *jsonWriter) value(key bool) error {
	begin := w.at
	shape, body, size, err := wire.MsgPackHead(w.src, begin)
	if err != nil {
		return err
	}
	w.at = body
	switch shape {
	case wire.Array, wire.Map:
		if key {
			return w.noForm(begin, shape, "a key that is a string, int, float, bool or null")
		}
		return w.container(shape, size)
	case wire.Bytes, wire.Ext:
		return w.noForm(begin, shape, "a value that JSON has")
	case wire.String:
		w.out = asJSON.AppendString(w.out, string(w.src[body:body+size]))
	default:
		if key {
			w.out = append(w.out, '"')
		}
		w.scalar(shape, w.src[begin], w.src[body:body+size])
		if key {
			w.out = append(w.out, '"')
		}
	}
	w.at = body + size
	return w.limits.fits(len(w.out) - w.begin)
}

func (w *jsonWriter) noForm(at int, shape wire.Shape, want string) error {
	return &FormError{Offset: at, What: shape.String(), Want: want}
}

func (w *jsonWriter) container(shape wire.Shape, size int) error {
	opening, closing := byte('['), byte(']')
	if shape == wire.Map {
		opening, closing = '{', '}'
	}
	w.out = append(w.out, opening)
	for n := range size {
		if n > 0 {
			w.out = append(w.out, ',', ' ')
		}
		if shape == wire.Map {
			if err := w.value(true); err != nil {
				return err
			}
			w.out = append(w.out, ':', ' ')
		}
		if err := w.value(false); err != nil {
			return err
		}
	}
	w.out = append(w.out, closing)
	return w.limits.fits(len(w.out) - w.begin)
}

// scalar writes null, a bool or a number from its first byte and its body.
func (w *jsonWriter) scalar(shape wire.Shape, lead byte, body []byte) {
	var bits uint64
	for _, c := range body {
		bits = bits<<8 | uint64(c)
	}
	width := 8 * len(body)
	switch {
	case shape == wire.Null:
		w.out = asJSON.AppendNull(w.out)
	case shape == wire.Bool:
		w.out = asJSON.AppendBool(w.out, lead == 0xc3)
	case shape == wire.Float && width == 32:
		w.out = asJSON.AppendFloat(w.out, float64(math.Float32frombits(uint32(bits))))
	case shape == wire.Float:
		w.out = asJSON.AppendFloat(w.out, math.Float64frombits(bits))
	case width == 0: // the first byte is the number
		w.out = asJSON.AppendInt(w.out, int64(int8(lead)))
	case lead >= 0xd0: // signed
		w.out = asJSON.AppendInt(w.out, int64(bits<<(64-width))>>(64-width))
	default:
		w.out = asJSON.AppendUint(w.out, bits)
	}
}
