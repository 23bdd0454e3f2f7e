package aimrtmqtt

import (
	"encoding/binary"
	"fmt"
)

// RequestHead is what a client says before the message.
type RequestHead struct {
	Serialization string
	ReplyTopic    string
	ID            uint32 // the client's own counter, which begins at 0
}

// LimitError is a part of a call that the format has no room for.
type LimitError struct {
	What       string // "serialization", "reply topic", "metadata", "metadata value"
	Name       string // of the metadata key; else empty
	Size, Most int
}

func (e *LimitError) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("%s %.64q has %d bytes, the limit is %d", e.What, e.Name, e.Size, e.Most)
	}
	unit := "bytes"
	if e.What == "metadata" {
		unit = "entries"
	}
	return fmt.Sprintf("%s has %d %s, the limit is %d", e.What, e.Size, unit, e.Most)
}

// AppendRequest appends a request's payload as far as its message, which the
// caller appends itself. meta yields the metadata and may be nil. The error is
// a *LimitError.
func AppendRequest(dst []byte, h *RequestHead, meta func(yield func(key, value string) bool)) ([]byte, error) {
	start := len(dst)
	switch {
	case len(h.Serialization) > MaxSerializationBytes:
		return dst, &LimitError{What: "serialization", Size: len(h.Serialization), Most: MaxSerializationBytes}
	case len(h.ReplyTopic) > MaxTopicBytes:
		return dst, &LimitError{What: "reply topic", Size: len(h.ReplyTopic), Most: MaxTopicBytes}
	}
	dst = append(append(dst, byte(len(h.Serialization))), h.Serialization...)
	dst = append(append(dst, byte(len(h.ReplyTopic))), h.ReplyTopic...)
	dst = append(binary.LittleEndian.AppendUint32(dst, h.ID), 0)
	at, count := len(dst)-1, 0
	var err error
	if meta != nil {
		meta(func(key, value string) bool {
			switch {
			case len(key) > MaxPairBytes:
				err = &LimitError{What: "metadata key", Name: key, Size: len(key), Most: MaxPairBytes}
			case len(value) > MaxPairBytes:
				err = &LimitError{What: "metadata value of", Name: key, Size: len(value), Most: MaxPairBytes}
			}
			count++
			dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(key))), key...)
			dst = append(binary.LittleEndian.AppendUint16(dst, uint16(len(value))), value...)
			return err == nil
		})
	}
	if err == nil && count > MaxPairs {
		err = &LimitError{What: "metadata", Size: count, Most: MaxPairs}
	}
	if err != nil {
		return dst[:start], err
	}
	dst[at] = byte(count)
	return dst, nil
}

// Request is a request's payload taken apart.
type Request struct {
	RequestHead
	Metadata []Pair
	Message  []byte // a part of the payload
}

// ReadRequest takes a request's payload apart. AimRT drops a payload for which
// this is an error.
func ReadRequest(payload []byte) (Request, error) {
	head, err := requestHead(payload)
	if err != nil {
		return Request{}, err
	}
	// The head is known to be whole: one piece of memory for all its texts.
	r := textReader{rest: string(payload[:head])}
	q := Request{Message: payload[head:]}
	q.Serialization = r.next(1)
	q.ReplyTopic = r.next(1)
	q.ID = uint32(r.number(4))
	if n := r.number(1); n > 0 {
		q.Metadata = make([]Pair, n)
		for i := range q.Metadata {
			q.Metadata[i].Key = r.next(2)
			q.Metadata[i].Value = r.next(2)
		}
	}
	return q, nil
}

// requestHead is where the message of a request begins.
func requestHead(b []byte) (int, error) {
	s := sizer{what: "request", b: b}
	s.text(1, "serialization")
	s.text(1, "reply topic")
	s.skip(4, "request id")
	for n := s.count("number of metadata entries"); n > 0 && s.err == nil; n-- {
		s.text(2, "metadata key")
		s.text(2, "metadata value")
	}
	return s.at, s.err
}

// AppendResponse appends a reply's payload as far as its message, which the
// caller appends when the code is 0.
func AppendResponse(dst []byte, serialization string, id, code uint32) ([]byte, error) {
	if len(serialization) > MaxSerializationBytes {
		return dst, &LimitError{What: "serialization", Size: len(serialization), Most: MaxSerializationBytes}
	}
	dst = append(append(dst, byte(len(serialization))), serialization...)
	dst = binary.LittleEndian.AppendUint32(dst, id)
	return binary.LittleEndian.AppendUint32(dst, code), nil
}

// Response is a reply's payload taken apart.
type Response struct {
	Serialization string
	ID, Code      uint32
	Message       []byte // a part of the payload; nil when the code is not 0
}

// ReadResponse takes a reply's payload apart.
func ReadResponse(payload []byte) (Response, error) {
	s := sizer{what: "reply", b: payload}
	s.text(1, "serialization")
	s.skip(8, "request id and code")
	if s.err != nil {
		return Response{}, s.err
	}
	n := s.at - 8
	r := Response{
		Serialization: string(payload[1:n]), ID: binary.LittleEndian.Uint32(payload[n:]), Code: binary.LittleEndian.Uint32(payload[n+4:]),
	}
	if r.Code == 0 {
		r.Message = payload[s.at:]
	}
	return r, nil
}

// AppendEnd appends the payload that tells servers of ours that nobody waits
// any more for the answer to a request.
func AppendEnd(dst []byte, replyTopic string, id uint32) []byte {
	replyTopic = replyTopic[:min(len(replyTopic), MaxTopicBytes)]
	dst = append(append(dst, byte(len(replyTopic))), replyTopic...)
	return binary.LittleEndian.AppendUint32(dst, id)
}

// ReadEnd is the opposite of AppendEnd. Further bytes are ignored.
func ReadEnd(payload []byte) (replyTopic string, id uint32, err error) {
	s := sizer{what: "end of a request", b: payload}
	s.text(1, "reply topic")
	s.skip(4, "request id")
	if s.err != nil {
		return "", 0, s.err
	}
	return string(payload[1 : s.at-4]), binary.LittleEndian.Uint32(payload[s.at-4:]), nil
}

// sizer walks over a payload and finds out whether its parts are all there.
type sizer struct {
	what string
	b    []byte
	at   int
	err  error
}

func (s *sizer) skip(n int, part string) {
	if s.err != nil {
		return
	}
	if n > len(s.b)-s.at {
		s.err = fmt.Errorf("mqtt %s: %s at byte %d needs %d bytes, %d are left", s.what, part, s.at, n, len(s.b)-s.at)
		return
	}
	s.at += n
}

// text skips a text behind its length, which has 1 or 2 bytes.
func (s *sizer) text(lengthBytes int, part string) {
	s.skip(lengthBytes, "length of "+part)
	if s.err != nil {
		return
	}
	n := int(s.b[s.at-lengthBytes])
	if lengthBytes == 2 {
		n |= int(s.b[s.at-1]) << 8
	}
	s.skip(n, part)
}

// count skips and gives a one byte number.
func (s *sizer) count(part string) int {
	s.skip(1, part)
	if s.err != nil {
		return 0
	}
	return int(s.b[s.at-1])
}

// textReader reads a head that a sizer has seen.
type textReader struct{ rest string }

func (r *textReader) number(size int) (n uint64) {
	for i := range size {
		n |= uint64(r.rest[i]) << (8 * i)
	}
	r.rest = r.rest[size:]
	return n
}

func (r *textReader) next(lengthBytes int) string {
	n := r.number(lengthBytes)
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}
