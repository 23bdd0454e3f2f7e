package value

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	wire "aimrtrpc/runtime/wire/aiomas"
)

// showBytes bounds how much of a value an error text repeats.
const showBytes = 40

var (
	asJSON    = wire.Format{Codec: wire.JSON}
	asMsgPack = wire.Format{Codec: wire.MsgPack}
)

// JSONToMsgPack appends the JSON value src as MsgPack. The order of a map's
// entries and keys that occur twice are kept. On an error dst comes back as it
// was.
func JSONToMsgPack(dst, src []byte, limits Limits) ([]byte, error) {
	if err := limits.check(wire.JSON, src); err != nil {
		return dst, err
	}
	sizes := containerSizes(src)
	out, err := slices.Grow(dst, len(src)), error(nil)
	for i := 0; i < len(src) && err == nil; {
		switch src[i] {
		case ' ', '\n', '\t', '\r', ',', ':', ']', '}':
			i++
			continue
		case '[':
			out, sizes = wire.AppendMsgPackArray(out, int(sizes[0])), sizes[1:]
			i++
		case '{':
			out, sizes = wire.AppendMsgPackMap(out, int(sizes[0])), sizes[1:]
			i++
		case '"':
			end := stringEnd(src, i)
			out, err = appendText(out, src[i:end], i)
			i = end
		default:
			end := wordEnd(src, i)
			out, err = appendWord(out, src[i:end], i)
			i = end
		}
		if err == nil {
			err = limits.fits(len(out) - len(dst))
		}
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

// containerSizes is the number of elements or entries of every array and map
// of checked JSON, in the order in which they begin: MsgPack wants it first.
func containerSizes(src []byte) []uint32 {
	sizes := make([]uint32, 0, bytes.Count(src, []byte("["))+bytes.Count(src, []byte("{")))
	var open []int
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			i = stringEnd(src, i) - 1
		case '[', '{':
			open = append(open, len(sizes))
			sizes = append(sizes, 1)
			if next := bytes.TrimLeft(src[i+1:], " \n\t\r"); next[0] == ']' || next[0] == '}' {
				sizes[len(sizes)-1] = 0
			}
		case ',':
			sizes[open[len(open)-1]]++
		case ']', '}':
			open = open[:len(open)-1]
		}
	}
	return sizes
}

// stringEnd is behind the closing quote of the checked string at i.
func stringEnd(src []byte, i int) int {
	for i++; src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// wordEnd is behind the checked number or literal at i.
func wordEnd(src []byte, i int) int {
	if n := bytes.IndexAny(src[i:], ",:]} \n\t\r"); n >= 0 {
		return i + n
	}
	return len(src)
}

func appendText(dst, raw []byte, at int) ([]byte, error) {
	text, exact, _ := asJSON.RawText(raw)
	if !exact {
		return dst, &FormError{Offset: at, What: "string with half of a surrogate pair", Want: "characters that UTF-8 has"}
	}
	return wire.AppendMsgPackText(dst, text), nil
}

func appendWord(dst, word []byte, at int) ([]byte, error) {
	switch word[0] {
	case 'n':
		return asMsgPack.AppendNull(dst), nil
	case 't', 'f':
		return asMsgPack.AppendBool(dst, word[0] == 't'), nil
	}
	if asJSON.ShapeOf(word) == wire.Float {
		// An overflow gives the infinity that Python's float gives too.
		v, _ := strconv.ParseFloat(string(word), 64)
		return asMsgPack.AppendFloat(dst, v), nil
	}
	if v, err := strconv.ParseInt(string(word), 10, 64); err == nil {
		return asMsgPack.AppendInt(dst, v), nil
	}
	if v, err := strconv.ParseUint(string(word), 10, 64); err == nil {
		return asMsgPack.AppendUint(dst, v), nil
	}
	if len(word) > showBytes {
		word = append(bytes.Clone(word[:showBytes]), "..."...)
	}
	return dst, &FormError{Offset: at, What: "int " + string(word), Want: intRange}
}

var intRange = strconv.FormatInt(math.MinInt64, 10) + " to " + strconv.FormatUint(math.MaxUint64, 10)
