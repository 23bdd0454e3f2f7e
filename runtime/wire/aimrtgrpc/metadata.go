package aimrtgrpc

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// Metadata travels as header fields. AimRT writes key and value as they are,
// which HTTP/2 allows for lower-case tokens and values without control bytes
// only; gRPC asks for base64 where a key ends with -bin. An entry that fits
// neither travels inside the field aimrt-meta-bin: two of ours lose nothing, and
// a peer that does not know the field sees one more entry.

const binarySuffix = "-bin"

// reservedNames are fields with a meaning of their own; a user's entry of that
// name must not replace them.
var reservedNames = map[string]bool{
	"content-type": true, "te": true, "user-agent": true, "host": true, "content-length": true, "connection": true,
	"proxy-connection": true, "keep-alive": true, "transfer-encoding": true, "upgrade": true, headerMetadata: true,
	HeaderStatusCode: true, headerStatusDetail: true, headerStatusTrace: true, headerStatusNative: true,
}

// direct tells whether an entry can be a field of its own.
func direct(key, value string) bool {
	if key == "" || reservedNames[key] || strings.HasPrefix(key, "grpc-") {
		return false
	}
	for i := range len(key) {
		if !nameByte[key[i]] {
			return false
		}
	}
	if strings.HasSuffix(key, binarySuffix) {
		return true
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c == 0x7f {
			return false
		}
	}
	return value == strings.Trim(value, " ") // an HTTP parser may take blanks off the ends
}

// nameByte are the bytes of a header name in HTTP/2.
var nameByte = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz" {
		t[c] = true
	}
	return t
}()

// EncodePair gives the field that carries one metadata entry.
func EncodePair(key, value string) Field {
	switch {
	case !direct(key, value):
		return Field{headerMetadata, encodePair(key, value)}
	case strings.HasSuffix(key, binarySuffix):
		return Field{key, base64.RawStdEncoding.EncodeToString([]byte(value))}
	}
	return Field{key, value}
}

// DecodePairs calls yield with the metadata entries that a field carries, most
// often the field itself. A -bin value that is no base64 is one of AimRT, which
// does not encode: it stays as it is. What cannot be understood inside
// aimrt-meta-bin is dropped.
func DecodePairs(f Field, yield func(key, value string)) {
	if !strings.HasSuffix(f.Name, binarySuffix) {
		yield(f.Name, f.Value)
		return
	}
	for rest, more := f.Value, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, ",") // a proxy may have joined values
		raw, ok := decodeBinary(part)
		switch {
		case f.Name == headerMetadata:
			if key, value, whole := splitPair(raw); ok && whole {
				yield(key, value)
			}
		case ok:
			yield(f.Name, raw)
		default:
			yield(f.Name, part)
		}
	}
}

// decodeBinary reads base64 with or without padding.
func decodeBinary(text string) (string, bool) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
	return string(raw), err == nil
}

// encodePair is base64 of the key's length, the key and the value.
func encodePair(key, value string) string {
	raw := binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64+len(key)+len(value)), uint64(len(key)))
	raw = append(append(raw, key...), value...)
	return base64.RawStdEncoding.EncodeToString(raw)
}

func splitPair(raw string) (key, value string, ok bool) {
	n, size := binary.Uvarint([]byte(raw[:min(len(raw), binary.MaxVarintLen64)]))
	if size <= 0 || n == 0 || n > uint64(len(raw)-size) {
		return "", "", false
	}
	end := size + int(n)
	return raw[size:end], raw[end:], true
}
