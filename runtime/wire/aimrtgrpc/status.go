package aimrtgrpc

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pair is a key with its value.
type Pair struct{ Key, Value string }

// Outcome is how a call ended, as trailers say it.
type Outcome struct {
	GRPC    int // the number in grpc-status
	Message string
	// AimRT is the number of AimRT's table, or of ours; HasAimRT tells that the
	// peer sent one.
	AimRT    uint32
	HasAimRT bool
	// Details, Trace and Native are what only two of ours tell each other.
	// Native's key is a dialect, its value the code there.
	Details []Pair
	Trace   string
	Native  Pair
	// Rich is gRPC's own form of details, a serialized google.rpc.Status.
	Rich string
}

// OK is the outcome of a call that succeeded. AimRT's server sends nothing else.
var okFields = []Field{{HeaderStatus, "0"}}

// Fields are the trailers of an outcome, at most MaxTrailerBytes: a long message
// or trace is cut, details that do not fit are left out.
func (o *Outcome) Fields() []Field {
	if o.GRPC == 0 {
		return okFields
	}
	out := append(make([]Field, 0, 3), Field{HeaderStatus, strconv.Itoa(o.GRPC)})
	room := MaxTrailerBytes
	add := func(f Field) {
		if size := len(f.Name) + len(f.Value) + fieldOverhead; size <= room {
			room -= size
			out = append(out, f)
		}
	}
	if o.HasAimRT {
		add(Field{HeaderStatusCode, strconv.FormatUint(uint64(o.AimRT), 10)})
	}
	if o.Native.Key != "" {
		add(Field{headerStatusNative, encodePair(o.Native.Key, o.Native.Value)})
	}
	if o.Message != "" {
		add(Field{HeaderMessage, EscapeMessage(cut(o.Message, MaxMessageBytes))})
	}
	if o.Rich != "" {
		add(binaryField(HeaderDetails, o.Rich))
	}
	for i, d := range o.Details {
		if i < MaxDetails && d.Key != "" {
			add(Field{headerStatusDetail, encodePair(d.Key, d.Value)})
		}
	}
	if fits := (room-len(headerStatusTrace)-fieldOverhead)/4*3 - 3; o.Trace != "" && fits > 0 {
		add(binaryField(headerStatusTrace, cut(o.Trace, fits)))
	}
	return out
}

func binaryField(name, raw string) Field {
	return Field{name, base64.RawStdEncoding.EncodeToString([]byte(raw))}
}

// ReadOutcome reads trailers, or the head of an answer that is nothing else. ok
// is false without a grpc-status that is a number.
func ReadOutcome(fields []Field) (o Outcome, ok bool) {
	for _, f := range fields {
		switch f.Name {
		case HeaderStatus:
			n, err := strconv.ParseUint(f.Value, 10, 31)
			o.GRPC, ok = int(n), err == nil
		case HeaderMessage:
			o.Message = cut(UnescapeMessage(f.Value), MaxMessageBytes)
		case HeaderStatusCode:
			n, err := strconv.ParseUint(f.Value, 10, 32)
			o.AimRT, o.HasAimRT = uint32(n), err == nil && n != 0
		case HeaderDetails:
			o.Rich, _ = decodeBinary(f.Value)
		case headerStatusTrace:
			trace, _ := decodeBinary(f.Value)
			o.Trace = cut(trace, MaxTrailerBytes)
		case headerStatusDetail, headerStatusNative:
			raw, _ := decodeBinary(f.Value)
			key, value, whole := splitPair(raw)
			switch {
			case !whole:
			case f.Name == headerStatusNative:
				o.Native = Pair{key, value}
			case len(o.Details) < MaxDetails:
				o.Details = append(o.Details, Pair{key, value})
			}
		}
	}
	return o, ok
}

// OKHead is the head of a server's answer with a message: the content type is
// the same for every serialization.
func OKHead() []Field {
	return []Field{{":status", "200"}, {HeaderContentType, contentTypeResponse}}
}

// EscapeMessage is the form of a text in grpc-message: bytes outside the
// printable ASCII, and the percent sign, as %XX.
func EscapeMessage(text string) string {
	plain := true
	for i := range len(text) {
		plain = plain && printable(text[i])
	}
	if plain {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for i := range len(text) {
		if c := text[i]; printable(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

func printable(c byte) bool { return c >= ' ' && c <= '~' && c != '%' }

// UnescapeMessage is the opposite; a "%" that no two digits follow stays what it
// is, and bytes that are no UTF-8 become U+FFFD.
func UnescapeMessage(text string) string {
	if strings.IndexByte(text, '%') >= 0 {
		var b strings.Builder
		b.Grow(len(text))
		for i := 0; i < len(text); i++ {
			if text[i] == '%' && i+2 < len(text) {
				if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
					b.WriteByte(byte(n))
					i += 2
					continue
				}
			}
			b.WriteByte(text[i])
		}
		text = b.String()
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// cut shortens a text at a letter's border.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
