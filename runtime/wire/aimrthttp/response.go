package aimrthttp

import (
	"bytes"
	"strconv"
)

// AimRT's numbers that this wire format itself gives.
const (
	codeOK                      = 0
	codeSvrNotFound             = 1003
	codeSvrInvalidSerialization = 1004
	codeSvrDeserialization      = 1007
)

const (
	errorBefore  = "An error occurred: '"
	handleBefore = "Handle rpc failed, code: "
)

// Framing is what the request and the connection ask of an answer.
type Framing struct {
	HTTP10 bool // the request is HTTP/1.0
	Close  bool // the connection closes after the answer
}

func (f Framing) appendStatus(dst []byte, status string) []byte {
	if f.HTTP10 {
		return append(append(dst, "HTTP/1.0 "...), status...)
	}
	return append(append(dst, "HTTP/1.1 "...), status...)
}

// appendEnd is Content-Length and the blank line. An HTTP/1.0 connection closes
// without being told.
func (f Framing) appendEnd(dst []byte, bodySize int) []byte {
	if f.Close && !f.HTTP10 {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = strconv.AppendInt(append(dst, "Content-Length: "...), int64(bodySize), 10)
	return append(dst, "\r\n\r\n"...)
}

// AppendOK appends the head of a good answer. contentType is that of the
// request's serialization type.
func AppendOK(dst []byte, contentType string, bodySize int, f Framing) []byte {
	dst = f.appendStatus(dst, "200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: ")
	return f.appendEnd(append(append(dst, contentType...), "\r\n"...), bodySize)
}

// AppendPreflight appends the answer to OPTIONS on a known path; it has no body.
func AppendPreflight(dst []byte, f Framing) []byte {
	dst = f.appendStatus(dst, "200 OK\r\nAccess-Control-Allow-Origin: *\r\n"+
		"Access-Control-Allow-Methods: POST, OPTIONS\r\n"+
		"Access-Control-Allow-Headers: Content-Type, Authorization, X-Requested-With\r\n"+
		"Access-Control-Max-Age: 86400\r\n")
	return f.appendEnd(dst, 0)
}

// Failure is an answer other than 200. Text is its body. Code and Message are
// the call's status for clients that read our headers; 0 sends none.
type Failure struct {
	Status  int
	Text    string
	Code    uint32
	Message string
}

func occurred(text string, code uint32) *Failure {
	return &Failure{Status: 500, Text: errorBefore + text + "'", Code: code}
}

// NotFound is the failure of a path that nothing is served at.
func NotFound(path []byte) *Failure {
	return &Failure{Status: 404, Text: "The resource '" + string(path) + "' was not found.", Code: codeSvrNotFound}
}

// NotDeserialized is the failure of a request message that the server's type
// support refuses, as C++ servers say it.
func NotDeserialized() *Failure {
	return occurred("Http req deserialize failed.", codeSvrDeserialization)
}

// Failed is the failure of a call that ended with this status.
func Failed(code uint32, message string) *Failure {
	f := occurred(handleBefore+strconv.FormatUint(uint64(code), 10)+".", code)
	f.Message = message
	return f
}

var statusLines = map[int]string{
	400: "400 Bad Request\r\n",
	404: "404 Not Found\r\n",
	500: "500 Internal Server Error\r\n",
}

// AppendFailure appends the head of a failure; its body is Text.
func AppendFailure(dst []byte, e *Failure, f Framing) []byte {
	line, ok := statusLines[e.Status]
	if !ok {
		line = statusLines[500]
	}
	dst = append(f.appendStatus(dst, line), "Content-Type: text/html\r\n"...)
	if e.Code != codeOK {
		dst = strconv.AppendUint(append(dst, headerStatusCode+": "...), uint64(e.Code), 10)
		dst = append(dst, "\r\n"...)
		if e.Message != "" {
			dst = AppendEscaped(append(dst, headerStatusMessage+": "...), clip(e.Message))
			dst = append(dst, "\r\n"...)
		}
	}
	return f.appendEnd(dst, len(e.Text))
}

// Outcome is what a client makes of an answer.
type Outcome struct {
	Code    uint32 // 0: the body is the response message
	Message string // what the peer says about a failure; may be empty
}

// Interpret reads an answer. AimRT itself takes everything but 200 for "server
// not found"; the real code is in our header, or in the text of a 500.
func Interpret(status int, headers []Header, body []byte) Outcome {
	if status == 200 {
		return Outcome{Code: codeOK}
	}
	out := Outcome{Code: codeSvrNotFound, Message: clip(string(body[:min(len(body), maxMessageBytes+1)]))}
	if code, ok := textCode(body); ok && status == 500 {
		out.Code = code
	}
	for i := range headers {
		switch h := &headers[i]; {
		case equalFold(h.Name, headerStatusCode):
			if code, ok := number(h.Value); ok {
				out.Code = code
			}
		case equalFold(h.Name, headerStatusMessage):
			out.Message = clip(Unescape(h.Value[:min(len(h.Value), 3*maxMessageBytes)]))
		}
	}
	return out
}

// textCode finds the code in "Handle rpc failed, code: N.".
func textCode(body []byte) (uint32, bool) {
	_, rest, found := bytes.Cut(body[:min(len(body), maxMessageBytes)], []byte(handleBefore))
	end := bytes.IndexByte(rest, '.')
	if !found || end < 0 {
		return 0, false
	}
	return number(rest[:end])
}

// number reads a code; 0 would say that the failed call is fine.
func number(b []byte) (uint32, bool) {
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, 32)
	return uint32(n), err == nil && n != codeOK
}

// clip cuts a peer's text to the kept length, at a character's end.
func clip(s string) string {
	if len(s) <= maxMessageBytes {
		return s
	}
	cut := maxMessageBytes
	for cut > maxMessageBytes-4 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut]
}
