package aimrthttp

// unreserved are the bytes that stay as they are in a header name or value:
// ASCII letters, digits and "-". Even "_" and "." are escaped.
var unreserved = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-'
	}
	return t
}()

const upperHex = "0123456789ABCDEF"

// AppendEscaped appends s with every byte that is not unreserved as %XX.
func AppendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; unreserved[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// Unescape decodes %XX, in either case of the digits. A "+" stays a "+", and a
// "%" that no two digits follow stays what it is.
func Unescape(b []byte) string {
	i := 0
	for i < len(b) && b[i] != '%' {
		i++
	}
	if i == len(b) {
		return string(b)
	}
	out := append(make([]byte, 0, len(b)), b[:i]...)
	for ; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			hi, ok1 := hexDigit(b[i+1])
			lo, ok2 := hexDigit(b[i+2])
			if ok1 && ok2 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
