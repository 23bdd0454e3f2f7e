package aiomas

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The writer gives the bytes of Python's json.dumps with default settings:
// ", " and ": " between parts, ASCII only, floats as Python's repr.

const lowerHex = "0123456789abcdef"

func appendUnit(dst []byte, unit rune) []byte {
	return append(dst, '\\', 'u', lowerHex[unit>>12&15], lowerHex[unit>>8&15], lowerHex[unit>>4&15], lowerHex[unit&15])
}

// appendUnitText writes one UTF-16 unit as json.dumps has it inside a string.
func appendUnitText(dst []byte, unit rune) []byte {
	switch unit {
	case '"', '\\':
		return append(dst, '\\', byte(unit))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\f':
		return append(dst, '\\', 'f')
	case '\b':
		return append(dst, '\\', 'b')
	}
	if unit >= ' ' && unit <= '~' {
		return append(dst, byte(unit))
	}
	return appendUnit(dst, unit)
}

func appendRuneText(dst []byte, r rune) []byte {
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendUnit(appendUnit(dst, high), low)
	}
	return appendUnitText(dst, r)
}

// plainASCII tells whether a byte stands for itself in a string.
func plainASCII(c byte) bool { return c >= ' ' && c <= '~' && c != '"' && c != '\\' }

func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		begin := i
		for i < len(s) && plainASCII(s[i]) {
			i++
		}
		if dst = append(dst, s[begin:i]...); i == len(s) {
			break
		}
		if s[i] < utf8.RuneSelf {
			dst = appendUnitText(dst, rune(s[i]))
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		dst = appendRuneText(dst, r)
		i += n
	}
	return append(dst, '"')
}

// appendJSONFloat writes a float as Python's repr does: the shortest digits,
// an exponent below 1e-4 and from 1e16 on, never without "." or "e".
func appendJSONFloat(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(v); v != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	begin := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	for _, c := range dst[begin:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, '.', '0')
}

// AppendNormalJSON writes the JSON value raw as json.dumps would: the same
// value, with Python's blanks, escapes and float digits. A key that occurs
// twice in a map stays twice. Values made in other languages go through here,
// so that peers see the bytes of a Python program.
func (f Format) AppendNormalJSON(dst, raw []byte) ([]byte, error) {
	f.Codec = JSON
	if _, err := f.Check(raw); err != nil {
		return dst, err
	}
	for i := skipSpace(raw, 0); i < len(raw); i = skipSpace(raw, i) {
		switch c := raw[i]; c {
		case ',', ':':
			dst = append(dst, c, ' ')
			i++
		case '[', ']', '{', '}':
			dst = append(dst, c)
			i++
		case '"':
			dst, i = appendNormalString(dst, raw, i)
		default:
			end := i
			for end < len(raw) && !jsonStop(raw[end]) {
				end++
			}
			dst, i = appendNormalWord(dst, raw[i:end]), end
		}
	}
	return dst, nil
}

func jsonStop(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

// appendNormalString copies the checked string at i unit by unit, so that an
// escaped lone surrogate survives as in Python.
func appendNormalString(dst, raw []byte, i int) ([]byte, int) {
	dst = append(dst, '"')
	for i++; raw[i] != '"'; {
		switch {
		case raw[i] == '\\' && raw[i+1] == 'u':
			unit, _ := hex4(raw, i+2)
			dst = appendUnitText(dst, unit)
			i += 6
		case raw[i] == '\\':
			dst = appendUnitText(dst, rune(plainEscape(raw[i+1])))
			i += 2
		case raw[i] < utf8.RuneSelf:
			dst = appendUnitText(dst, rune(raw[i]))
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			dst = appendRuneText(dst, r)
			i += n
		}
	}
	return append(dst, '"'), i + 1
}

// appendNormalWord writes a checked number or literal.
func appendNormalWord(dst, word []byte) []byte {
	switch word[0] {
	case 'n', 't', 'f':
		return append(dst, word...)
	}
	if !isFloat(word) {
		if string(word) == "-0" {
			word = word[1:] // Python's int has no negative zero
		}
		return append(dst, word...)
	}
	// An overflow gives the infinity that Python's float gives too.
	v, _ := strconv.ParseFloat(string(word), 64)
	return appendJSONFloat(dst, v)
}
