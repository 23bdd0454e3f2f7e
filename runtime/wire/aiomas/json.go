package aiomas

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// jsonValue is the end of the value that begins at i. depth counts the
// containers around it. The data is known to be UTF-8.
func (f Format) jsonValue(data []byte, i, depth int) (int, error) {
	if i >= len(data) {
		return 0, f.syntax(i, "a value")
	}
	switch c := data[i]; {
	case c == '"':
		return f.jsonString(data, i)
	case c == '[':
		end, _, err := f.jsonArray(data, i, depth, nil)
		return end, err
	case c == '{':
		return f.jsonMap(data, i, depth)
	case c == '-' || c >= '0' && c <= '9':
		return f.jsonNumber(data, i)
	}
	for _, word := range [...]string{"null", "true", "false", "NaN", "Infinity"} {
		if hasWord(data[i:], word) {
			return i + len(word), nil
		}
	}
	return 0, f.syntax(i, "a value")
}

func hasWord(data []byte, word string) bool {
	return len(data) >= len(word) && string(data[:len(word)]) == word
}

// jsonArray is the end and the number of elements of the array that begins at
// i. The places of the first elements are stored in into, if given, also of
// those that were read before an error.
func (f Format) jsonArray(data []byte, i, depth int, into *parts) (end, count int, err error) {
	if depth >= f.maxDepth() {
		return 0, 0, &LimitError{Limit: "MaxDepth", Max: f.maxDepth(), Got: int64(depth) + 1}
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == ']' {
		return i + 1, 0, nil
	}
	for {
		end, err := f.jsonElement(data, i, depth+1, into.wants(count), into)
		if err != nil {
			return 0, count, err
		}
		into.store(count, i, end)
		count++
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ',' {
			break
		}
		i = skipSpace(data, i+1)
	}
	if i >= len(data) || data[i] != ']' {
		return 0, count, f.syntax(i, `"," or "]"`)
	}
	return i + 1, count, nil
}

// jsonElement is jsonValue, and keeps the places of a content's elements.
func (f Format) jsonElement(data []byte, i, depth int, keep bool, into *parts) (int, error) {
	if !keep || i >= len(data) || data[i] != '[' {
		return f.jsonValue(data, i, depth)
	}
	var content parts
	end, count, err := f.jsonArray(data, i, depth, &content)
	into.content, into.contentCount = content.own, count
	return end, err
}

func (f Format) jsonMap(data []byte, i, depth int) (int, error) {
	if depth >= f.maxDepth() {
		return 0, &LimitError{Limit: "MaxDepth", Max: f.maxDepth(), Got: int64(depth) + 1}
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return 0, f.syntax(i, "a key")
		}
		end, err := f.jsonString(data, i)
		if err != nil {
			return 0, err
		}
		if i = skipSpace(data, end); i >= len(data) || data[i] != ':' {
			return 0, f.syntax(i, `":"`)
		}
		if end, err = f.jsonValue(data, skipSpace(data, i+1), depth+1); err != nil {
			return 0, err
		}
		i = skipSpace(data, end)
		if i >= len(data) || data[i] != ',' {
			break
		}
		i = skipSpace(data, i+1)
	}
	if i >= len(data) || data[i] != '}' {
		return 0, f.syntax(i, `"," or "}"`)
	}
	return i + 1, nil
}

// jsonString is the end of the string that begins at i. As Python's decoder it
// refuses raw control characters and accepts escaped lone surrogates.
func (f Format) jsonString(data []byte, i int) (int, error) {
	for i++; i < len(data); i++ {
		for begin := i; i+8 <= len(data) && plainWord(binary.LittleEndian.Uint64(data[i:])); {
			if i += 8; i-begin == longString {
				i = skipPlain(data, i)
				begin = i
			}
		}
		if i == len(data) {
			break
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c < 0x20:
			return 0, f.syntax(i, "no control character in a string")
		case c == '\\':
			i++
			if i >= len(data) {
				break
			}
			switch data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(data, i+1); !ok {
					return 0, f.syntax(i+1, "four hexadecimal digits")
				}
				i += 4
			default:
				return 0, f.syntax(i, "an escape")
			}
		}
	}
	return 0, f.syntax(len(data), `closing "`)
}

// After longString plain bytes the next plainWindow bytes of a string are searched with the wide instructions behind bytes.IndexByte. The
// window bounds what is searched in vain when the string has an escape every now and then.
const (
	longString  = 256
	plainWindow = 4096
)

// skipPlain is the next byte of a string from i on that may need a look, or an earlier one.
func skipPlain(data []byte, i int) int {
	end := min(i+plainWindow, len(data))
	if n := bytes.IndexByte(data[i:end], '"'); n >= 0 {
		end = i + n
	}
	if n := bytes.IndexByte(data[i:end], '\\'); n >= 0 {
		end = i + n
	}
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+32 <= end; i += 32 {
		a, b := binary.LittleEndian.Uint64(data[i:]), binary.LittleEndian.Uint64(data[i+8:])
		c, d := binary.LittleEndian.Uint64(data[i+16:]), binary.LittleEndian.Uint64(data[i+24:])
		if ((a-ones*0x20)&^a|(b-ones*0x20)&^b|(c-ones*0x20)&^c|(d-ones*0x20)&^d)&tops != 0 {
			return i
		}
	}
	return i
}

// plainWord tells whether none of eight bytes is a quote, a backslash or a
// control character.
func plainWord(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	return ((quote-ones)&^quote|(slash-ones)&^slash|(x-ones*0x20)&^x)&tops == 0
}

func hex4(data []byte, i int) (rune, bool) {
	if i+4 > len(data) {
		return 0, false
	}
	var v rune
	for _, c := range data[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

// jsonNumber is the end of the number that begins at i, -Infinity included.
func (f Format) jsonNumber(data []byte, i int) (int, error) {
	if data[i] == '-' {
		if i++; hasWord(data[i:], "Infinity") {
			return i + len("Infinity"), nil
		}
	}
	end := digits(data, i)
	if end == i {
		return 0, f.syntax(i, "a digit")
	}
	if data[i] == '0' && end > i+1 {
		return 0, f.syntax(i+1, "no digit after a leading 0")
	}
	i = end
	if i < len(data) && data[i] == '.' {
		if end = digits(data, i+1); end == i+1 {
			return 0, f.syntax(end, "a digit")
		}
		i = end
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		if end = digits(data, i); end == i {
			return 0, f.syntax(end, "a digit")
		}
		i = end
	}
	return i, nil
}

func digits(data []byte, i int) int {
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i
}

func jsonShape(raw []byte) Shape {
	switch raw[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Map
	}
	if isFloat(raw) {
		return Float
	}
	return Int
}

// isFloat tells a float from an int by its characters, as Python does.
func isFloat(number []byte) bool {
	for _, c := range number {
		switch c {
		case '.', 'e', 'E', 'N', 'I':
			return true
		}
	}
	return false
}

func jsonWhole(raw []byte) (uint64, bool) {
	switch jsonShape(raw) {
	case Bool:
		if raw[0] == 't' {
			return 1, true
		}
		return 0, true
	case Int:
		if len(raw) > 20 {
			return 0, false
		}
		if string(raw) == "-0" {
			return 0, true
		}
		var v uint64
		for _, c := range raw {
			if c < '0' || c > '9' || v > (1<<64-1-uint64(c-'0'))/10 {
				return 0, false
			}
			v = v*10 + uint64(c-'0')
		}
		return v, true
	case Float:
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return 0, false
		}
		return wholeFloat(v)
	}
	return 0, false
}

// jsonUnescape decodes the inside of a checked string. Without escapes it is
// the inside itself. exact is false when a lone surrogate became U+FFFD.
func jsonUnescape(inside []byte) (text []byte, exact bool) {
	i := 0
	for i < len(inside) && inside[i] != '\\' {
		i++
	}
	if i == len(inside) {
		return inside, true
	}
	exact = true
	text = append(make([]byte, 0, len(inside)), inside[:i]...)
	for i < len(inside) {
		if inside[i] != '\\' {
			text = append(text, inside[i])
			i++
			continue
		}
		if inside[i+1] != 'u' {
			text = append(text, plainEscape(inside[i+1]))
			i += 2
			continue
		}
		r, _ := hex4(inside, i+2)
		i += 6
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if i+1 < len(inside) && inside[i] == '\\' && inside[i+1] == 'u' {
				low, _ := hex4(inside, i+2)
				pair = utf16.DecodeRune(r, low)
			}
			if r = pair; r == utf8.RuneError {
				exact = false
			} else {
				i += 6
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return text, exact
}

// plainEscape is the character that a one-letter escape stands for.
func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
