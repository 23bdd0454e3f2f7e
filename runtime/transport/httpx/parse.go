package httpx

import (
	"bytes"
	"strconv"
)

// Byte classes of RFC 9110: token characters may stand in names and methods,
// value characters in header values.
const (
	classToken = 1 << iota
	classValue
	classTarget
)

var class = func() (t [256]byte) {
	for c := range t {
		if c == '\t' || c >= 0x20 && c != 0x7f {
			t[c] |= classValue
		}
		if c > 0x20 && c != 0x7f {
			t[c] |= classTarget
		}
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] |= classToken
		case c < 0x80 && bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0:
			t[c] |= classToken
		}
	}
	return t
}()

func allOf(b []byte, want byte) bool {
	for _, c := range b {
		if class[c]&want == 0 {
			return false
		}
	}
	return true
}

// equalFold compares b with a lower-case ASCII word.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// fields are the header lines of one message and what they say about framing.
type fields struct {
	headers   []Header
	length    int64 // Content-Length, -1 when absent
	chunked   bool
	close     bool
	keepAlive bool
	expect    []byte
	hosts     int // none is tolerated: nothing here is routed by host
	encodings int
}

// headScan finds the end of a message head in a growing buffer without looking
// at a byte twice. Lines must end in CRLF: a bare LF is where two parsers start
// to disagree.
type headScan struct {
	pos   int // next byte to look at
	line  int // start of the line pos is in
	lines int // complete lines so far
}

// end looks at b and returns the length of the head including its blank line,
// or 0 when b holds only part of it.
func (s *headScan) end(b []byte) (int, *ProtocolError) {
	for {
		i := bytes.IndexByte(b[s.pos:], '\n')
		if i < 0 {
			s.pos = len(b)
			return 0, nil
		}
		at := s.pos + i
		if at == s.line || b[at-1] != '\r' {
			return 0, malformed(400, "message head", "line %d ends in a bare LF", s.lines+1)
		}
		blank := at-1 == s.line
		s.pos, s.line = at+1, at+1
		s.lines++
		if blank {
			return at + 1, nil
		}
	}
}

// nextLine cuts the first line, without its CRLF, off b.
func nextLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	return b[:i-1], b[i+1:]
}

// requestLine splits "METHOD target HTTP/1.x". The target may be empty or odd;
// what it may be is the handler's business.
func requestLine(line []byte) (method, target []byte, minor int, err *ProtocolError) {
	first, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if first <= 0 || first == last {
		return nil, nil, 0, malformed(400, "request line", "%s is not \"METHOD target HTTP/1.1\"", sample(line))
	}
	method, target = line[:first], line[first+1:last]
	if !allOf(method, classToken) {
		return nil, nil, 0, malformed(400, "request line", "method %s is not a token", sample(method))
	}
	if !allOf(target, classTarget) {
		return nil, nil, 0, malformed(400, "request line", "target %s holds a blank or control byte", sample(target))
	}
	version := line[last+1:]
	minor, ok := minorVersion(version)
	if !ok {
		status := 400
		if bytes.HasPrefix(version, []byte("HTTP/")) {
			status = 505
		}
		return nil, nil, 0, malformed(status, "request line", "version %s is neither HTTP/1.1 nor HTTP/1.0", sample(version))
	}
	return method, target, minor, nil
}

func minorVersion(v []byte) (int, bool) {
	switch string(v) {
	case "HTTP/1.1":
		return 1, true
	case "HTTP/1.0":
		return 0, true
	}
	return 0, false
}

// statusLine splits "HTTP/1.x NNN reason".
func statusLine(line []byte) (status, minor int, reason []byte, err *ProtocolError) {
	minor, ok := 0, len(line) >= 12 && line[8] == ' '
	if ok {
		minor, ok = minorVersion(line[:8])
	}
	if !ok {
		return 0, 0, nil, malformed(400, "status line", "%s is not \"HTTP/1.1 NNN reason\"", sample(line))
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, 0, nil, malformed(400, "status line", "status %s is not three digits", sample(line[9:12]))
		}
		status = status*10 + int(c-'0')
	}
	rest := line[12:]
	if status < 100 || len(rest) > 0 && rest[0] != ' ' || !allOf(rest, classValue) {
		return 0, 0, nil, malformed(400, "status line", "%s is not \"HTTP/1.1 NNN reason\"", sample(line))
	}
	if len(rest) > 0 {
		reason = rest[1:]
	}
	return status, minor, reason, nil
}

// parse reads the header lines in b, which ends with the blank line, and
// appends to f.headers.
func (f *fields) parse(b []byte, maxHeaders int) *ProtocolError {
	f.length = -1
	for n := 1; ; n++ {
		line, rest := nextLine(b)
		if len(line) == 0 {
			return nil
		}
		if n > maxHeaders {
			return malformed(431, "message head", "more than %d header lines", maxHeaders)
		}
		if err := f.add(line); err != nil {
			err.Where = "header line " + strconv.Itoa(n)
			return err
		}
		b = rest
	}
}

func (f *fields) add(line []byte) *ProtocolError {
	if line[0] == ' ' || line[0] == '\t' {
		return malformed(400, "", "continues the line above (obs-fold): %s", sample(line))
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !allOf(line[:colon], classToken) {
		return malformed(400, "", "%s does not start with \"name:\"", sample(line))
	}
	name, value := line[:colon], trimBlanks(line[colon+1:])
	if !allOf(value, classValue) {
		return malformed(400, "", "value of %s holds a control byte", sample(name))
	}
	f.headers = append(f.headers, Header{Name: name, Value: value})
	return f.framing(name, value)
}

// framing notes the headers that decide where the message ends and what
// becomes of the connection.
func (f *fields) framing(name, value []byte) *ProtocolError {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			if f.hosts++; f.hosts > 1 {
				return malformed(400, "", "second Host")
			}
		}
	case 6:
		if equalFold(name, "expect") {
			f.expect = value
		}
	case 10:
		if equalFold(name, "connection") {
			f.connection(value)
		}
	case 14:
		if equalFold(name, "content-length") {
			return f.contentLength(value)
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return f.transferEncoding(value)
		}
	}
	return nil
}

func (f *fields) connection(value []byte) {
	for len(value) > 0 {
		word, rest, _ := bytes.Cut(value, []byte{','})
		word = trimBlanks(word)
		f.close = f.close || equalFold(word, "close")
		f.keepAlive = f.keepAlive || equalFold(word, "keep-alive")
		value = rest
	}
}

func (f *fields) contentLength(value []byte) *ProtocolError {
	if f.length >= 0 {
		return malformed(400, "", "second Content-Length")
	}
	n, ok := digits(value)
	if !ok {
		return malformed(400, "", "Content-Length %s is not a decimal number", sample(value))
	}
	f.length = n
	return nil
}

func (f *fields) transferEncoding(value []byte) *ProtocolError {
	if f.encodings++; f.encodings > 1 {
		return malformed(400, "", "second Transfer-Encoding")
	}
	if !equalFold(value, "chunked") {
		return malformed(501, "", "Transfer-Encoding %s is not \"chunked\"", sample(value))
	}
	f.chunked = true
	return nil
}

// conflict reports framing that two parsers could read differently.
func (f *fields) conflict(minor int) *ProtocolError {
	if f.chunked && f.length >= 0 {
		return malformed(400, "message head", "both Content-Length and Transfer-Encoding")
	}
	if f.chunked && minor == 0 {
		return malformed(400, "message head", "Transfer-Encoding in an HTTP/1.0 message")
	}
	return nil
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// digits reads a decimal number without sign or blanks.
func digits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// hexSize reads a chunk size; 15 digits cannot overflow.
func hexSize(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int64(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
