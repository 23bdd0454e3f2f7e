package h2

import "fmt"

// Field is one header field. Names are lower-case on the wire. It is an alias
// so that packages which may not import each other can share it.
type Field = struct{ Name, Value string }

// Block is a header list in its encoded form: literals that change nothing in
// the peer's decoder, so one block serves any number of streams. The zero value
// is an empty list. Pseudo fields come first.
type Block struct {
	buf   []byte
	size  int // as SETTINGS_MAX_HEADER_LIST_SIZE counts it
	count int
}

// NewBlock encodes fields; it panics on a field that Add would refuse, so it is
// for constants.
func NewBlock(fields ...Field) *Block {
	b := &Block{}
	for _, f := range fields {
		if err := b.Add(f.Name, f.Value); err != nil {
			panic(err)
		}
	}
	return b
}

// Len is the number of fields.
func (b *Block) Len() int { return b.count }

// Reset empties the block and keeps its memory.
func (b *Block) Reset() { b.buf, b.size, b.count = b.buf[:0], 0, 0 }

// Append adds all fields of another block.
func (b *Block) Append(o *Block) {
	b.buf = append(b.buf, o.buf...)
	b.size += o.size
	b.count += o.count
}

// Add appends one field. A name that HTTP/2 does not allow (upper case, blanks,
// nothing) or a value with control characters is refused, as the peer would
// reset the stream.
func (b *Block) Add(name, value string) error {
	if !validName(name) {
		return fmt.Errorf("header name %s: not a lower-case HTTP token", sample(name))
	}
	if !validValue(value) {
		return fmt.Errorf("header %q: value %s has a character that HTTP does not allow", name, sample(value))
	}
	b.size += fieldSize(name, value)
	b.count++
	index, whole := staticEntry(name, value)
	switch {
	case whole:
		b.buf = append(b.buf, 0x80|index)
		return nil
	case name == "authorization" || name == "cookie":
		b.literal(0x10, index, name) // never indexed, not by a proxy either
	default:
		b.literal(0, index, name)
	}
	b.buf = appendInt(b.buf, 0, 7, len(value))
	b.buf = append(b.buf, value...)
	return nil
}

func (b *Block) literal(kind, index byte, name string) {
	if index > 0 {
		b.buf = appendInt(b.buf, kind, 4, int(index))
		return
	}
	b.buf = append(b.buf, kind)
	b.buf = appendInt(b.buf, 0, 7, len(name))
	b.buf = append(b.buf, name...)
}

// appendInt is RFC 7541, 5.1: an integer with a prefix of bits bits.
func appendInt(dst []byte, first byte, bits uint, v int) []byte {
	most := 1<<bits - 1
	if v < most {
		return append(dst, first|byte(v))
	}
	dst = append(dst, first|byte(most))
	for v -= most; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

// fieldSize is what a field counts in a header list (RFC 9113, 6.5.2).
func fieldSize(name, value string) int { return len(name) + len(value) + 32 }

// staticEntry finds a field in the static table of RFC 7541 as far as calls use
// it: the index of the name, and whether the value is that entry's too.
func staticEntry(name, value string) (index byte, whole bool) {
	switch name {
	case ":method":
		return pick(value, 2, "GET", "POST")
	case ":path":
		return pick(value, 4, "/")
	case ":scheme":
		return pick(value, 6, "http", "https")
	case ":status":
		return pick(value, 8, "200", "204", "206", "304", "400", "404", "500")
	}
	return staticNames[name], false
}

func pick(value string, first byte, known ...string) (byte, bool) {
	for i, k := range known {
		if k == value {
			return first + byte(i), true
		}
	}
	return first, false
}

// staticNames are the regular fields of the static table.
var staticNames = map[string]byte{
	":authority": 1, "accept-charset": 15, "accept-encoding": 16, "accept-language": 17, "accept-ranges": 18, "accept": 19,
	"access-control-allow-origin": 20, "age": 21, "allow": 22, "authorization": 23, "cache-control": 24, "content-disposition": 25,
	"content-encoding": 26, "content-language": 27, "content-length": 28, "content-location": 29, "content-range": 30,
	"content-type": 31, "cookie": 32, "date": 33, "etag": 34, "expect": 35, "expires": 36, "from": 37, "host": 38, "if-match": 39,
	"if-modified-since": 40, "if-none-match": 41, "if-range": 42, "if-unmodified-since": 43, "last-modified": 44, "link": 45,
	"location": 46, "max-forwards": 47, "proxy-authenticate": 48, "proxy-authorization": 49, "range": 50, "referer": 51,
	"refresh": 52, "retry-after": 53, "server": 54, "set-cookie": 55, "strict-transport-security": 56, "transfer-encoding": 57,
	"user-agent": 58, "vary": 59, "via": 60, "www-authenticate": 61,
}

// Character classes of RFC 9110: a token without upper case for names, anything
// but control characters for values.
const (
	className = 1 << iota
	classValue
)

var classes = func() (t [256]uint8) {
	for c := range t {
		if c >= ' ' && c != 0x7f || c == '\t' {
			t[c] |= classValue
		}
	}
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" {
		t[c] |= className
	}
	return t
}()

func validName(s string) bool {
	token := s
	if len(s) > 1 && s[0] == ':' {
		token = s[1:]
	}
	return len(token) > 0 && allOf(token, className)
}

func validValue(s string) bool { return allOf(s, classValue) }

func allOf(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}
