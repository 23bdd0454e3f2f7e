package h2

import (
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// fieldReader decodes header blocks and checks what RFC 9113, 8.2 and 8.3 ask
// of them. Only the reading goroutine uses it.
type fieldReader struct {
	dec       *hpack.Decoder
	maxBytes  int
	maxFields int

	// Of the block being read.
	frames  int // CONTINUATION frames
	encoded int
	size    int
	over    bool // larger than allowed: decoded to its end, not kept
	pseudo  pseudo
	regular bool // a regular field was seen
	fields  []Field
	length  int64 // content-length, -1 without
	bad     string
}

// pseudo are the pseudo fields of a request or response.
type pseudo struct {
	method, path, scheme, authority, status string
	seen                                    uint8
}

const (
	seenMethod = 1 << iota
	seenPath
	seenScheme
	seenAuthority
	seenStatus

	seenRequest = seenMethod | seenPath | seenScheme
)

func newFieldReader(l *Limits) *fieldReader {
	r := &fieldReader{maxBytes: l.MaxHeaderBytes, maxFields: l.MaxHeaders}
	r.dec = hpack.NewDecoder(4096, r.emit)
	r.dec.SetMaxStringLength(l.MaxHeaderBytes)
	return r
}

// begin starts a block.
func (r *fieldReader) begin() {
	clear(r.fields)
	*r = fieldReader{dec: r.dec, maxBytes: r.maxBytes, maxFields: r.maxFields, fields: r.fields[:0], length: -1}
}

// add decodes one fragment.
func (r *fieldReader) add(fragment []byte) *ConnError {
	// A block costs the peer bytes and us time even when nothing of it is kept:
	// twice the list's limit ends the connection.
	r.encoded += len(fragment)
	if r.encoded > 2*r.maxBytes {
		return broken(CodeCalmDown, "header block of more than %d bytes, MaxHeaderBytes is %d", 2*r.maxBytes, r.maxBytes)
	}
	if _, err := r.dec.Write(fragment); err != nil {
		return broken(codeCompress, "header block: %v", err)
	}
	return nil
}

// more counts a CONTINUATION frame.
func (r *fieldReader) more(fragment []byte) *ConnError {
	if r.frames++; r.frames > maxContinuations {
		return broken(CodeCalmDown, "header block in more than %d CONTINUATION frames", maxContinuations)
	}
	return r.add(fragment)
}

func (r *fieldReader) end() *ConnError {
	if err := r.dec.Close(); err != nil {
		return broken(codeCompress, "header block: %v", err)
	}
	return nil
}

// kept gives the regular fields their own memory.
func (r *fieldReader) kept() []Field {
	if len(r.fields) == 0 {
		return nil
	}
	return append(make([]Field, 0, len(r.fields)), r.fields...)
}

func (r *fieldReader) emit(f hpack.HeaderField) {
	r.size += fieldSize(f.Name, f.Value)
	if r.over || r.size > r.maxBytes || len(r.fields) >= r.maxFields {
		r.over = true
		return
	}
	switch {
	case r.bad != "":
	case !validName(f.Name):
		r.bad = "header name " + sample(f.Name) + " is not a lower-case token"
	case !validValue(f.Value):
		r.bad = "header " + f.Name + " has the value " + sample(f.Value)
	case f.Name[0] == ':':
		r.addPseudo(f.Name, f.Value)
	default:
		r.regular = true
		r.addRegular(f.Name, f.Value)
	}
}

func (r *fieldReader) addPseudo(name, value string) {
	if r.regular {
		r.bad = name + " after a regular header"
		return
	}
	p := &r.pseudo
	var bit uint8
	switch name {
	case ":method":
		bit, p.method = seenMethod, value
	case ":path":
		bit, p.path = seenPath, value
	case ":scheme":
		bit, p.scheme = seenScheme, value
	case ":authority":
		bit, p.authority = seenAuthority, value
	case ":status":
		bit, p.status = seenStatus, value
	default:
		r.bad = "unknown pseudo header " + sample(name)
		return
	}
	if p.seen&bit != 0 {
		r.bad = name + " twice"
	}
	p.seen |= bit
}

func (r *fieldReader) addRegular(name, value string) {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		r.bad = "header " + name + " does not exist in HTTP/2"
	case "te":
		if value != "trailers" {
			r.bad = "te is " + sample(value) + `, not "trailers"`
		}
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil || r.length >= 0 && r.length != int64(n) {
			r.bad = "content-length " + sample(value)
			return
		}
		r.length = int64(n)
	}
	r.fields = append(r.fields, Field{name, value})
}

// request says what is wrong with the block as a request's head.
func (r *fieldReader) request() string {
	p := &r.pseudo
	switch {
	case r.bad != "":
		return r.bad
	case p.seen&seenStatus != 0:
		return ":status in a request"
	case p.seen&seenMethod != 0 && p.method == "CONNECT":
		if p.seen&(seenPath|seenScheme) != 0 || p.authority == "" {
			return "CONNECT with :path or :scheme, or without :authority"
		}
	case p.seen&seenRequest != seenRequest:
		return ":method, :path or :scheme missing"
	case p.path == "" || p.method == "" || p.scheme == "":
		return ":method, :path or :scheme empty"
	}
	return ""
}

// response is request for a response's head; it also gives the status.
func (r *fieldReader) response() (status int, bad string) {
	if r.bad != "" {
		return 0, r.bad
	}
	if r.pseudo.seen != seenStatus || len(r.pseudo.status) != 3 {
		return 0, "a response needs :status and no other pseudo header"
	}
	n, err := strconv.ParseUint(r.pseudo.status, 10, 16)
	if err != nil || n < 100 {
		return 0, ":status is " + sample(r.pseudo.status)
	}
	return int(n), ""
}

// trailer is request for trailers.
func (r *fieldReader) trailer() string {
	if r.bad == "" && r.pseudo.seen != 0 {
		return "pseudo header in trailers"
	}
	return r.bad
}
