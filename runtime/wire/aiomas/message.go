package aiomas

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ID is a message id: what the sender of a request chose, and its reply repeats.
// Own requests carry whole numbers counted from 0; a peer may use any value.
type ID struct {
	raw   []byte // as encoded; part of the payload it was decoded from
	value uint64
	whole bool
	plain bool // an int of 64 bits, which has one form only
}

// Known tells whether there is an id at all.
func (id ID) Known() bool { return id.raw != nil }

// Number is the id as a whole number, for looking up an own request. As in
// Python 1.0 and true are 1; ok is false for any other value.
func (id ID) Number() (n uint64, ok bool) { return id.value, id.whole }

// Raw is the encoded id.
func (id ID) Raw() []byte { return id.raw }

// Clone is the same id with bytes of its own, which outlive the payload.
func (id ID) Clone() ID {
	id.raw = bytes.Clone(id.raw)
	return id
}

// NumberID makes the id n, for replies that are composed without a request.
func (f Format) NumberID(n uint64) ID {
	return ID{raw: f.AppendUint(nil, n), value: n, whole: true, plain: true}
}

// Message is one decoded payload. Its slices are parts of the payload or, when
// that is a compressed chunk, of bytes that belong to the message. So they are
// borrowed as the payload is, whatever the codec.
type Message struct {
	Kind Kind
	ID   ID
	// Content is one encoded value, checked: of a Request what DecodeCall takes
	// apart, of a Result the returned value, of an Exception normally a string.
	Content []byte

	// Where a call's elements are in Content; count is 0 when Content is no
	// array.
	call      [3]span
	callCount int
}

// Call is the content of a request.
type Call struct {
	// Path names the function, elements separated by "/". It is part of the
	// content unless something had to be unescaped.
	Path []byte
	// Args and Kwargs are one encoded value each. aiomas sends an array and a
	// map with strings as keys; whether they are is the reader's business.
	Args, Kwargs []byte

	around []byte // the content from the byte before args on
}

// TakePair is the array [args, kwargs], made where it lies: the byte before args becomes the array's first. The payload changes, and the
// call's Path, a part of it, is not to be used any more. f is the format that gave the call.
func (c Call) TakePair(f Format) []byte {
	c.around[0] = '['
	if f.Codec != JSON {
		c.around[0] = 0x92
	}
	return c.around
}

// Decode takes a payload apart. On an error the message holds what was read
// before it: when ID.Known() and the kind is Request, the peer waits for an
// answer to that id and can be told; otherwise only closing the connection is
// left. Errors wrap ErrMalformed, ErrNotMessage, ErrLimit or ErrUnsupported.
func (f Format) Decode(payload []byte) (Message, error) {
	if len(payload) > f.maxFrame() {
		return Message{}, &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(len(payload))}
	}
	if f.Codec == MsgPackBlosc {
		var err error
		if payload, err = f.inflate(payload); err != nil {
			return Message{}, err
		}
		f = f.Values()
	}
	found := parts{nested: true}
	count, err := f.elements(payload, &found)
	var m Message
	if found.own[1].end != 0 {
		if headErr := f.head(&m, payload, found.own); headErr != nil && err == nil {
			err = headErr
		}
	}
	switch {
	case err != nil:
		return m, err
	case count != 3:
		return m, fmt.Errorf("%w: array of %d, expected [type, id, content]", ErrNotMessage, count)
	}
	m.Content = found.own[2].of(payload)
	m.callCount = found.contentCount
	for i, part := range found.content {
		m.call[i] = span{part.begin - found.own[2].begin, part.end - found.own[2].begin}
	}
	return m, nil
}

// head sets kind and id, both or none.
func (f Format) head(m *Message, payload []byte, at [3]span) error {
	kind, id := at[0].of(payload), at[1].of(payload)
	number, ok := f.whole64(kind)
	if !ok || number > uint64(Exception) {
		return fmt.Errorf("%w: type is %s, expected 0, 1 or 2", ErrNotMessage, f.show(kind))
	}
	if len(id) > f.maxID() {
		return &LimitError{Limit: "MaxIDBytes", Max: f.maxID(), Got: int64(len(id))}
	}
	m.Kind, m.ID.raw = Kind(number), id
	m.ID.value, m.ID.whole = f.whole64(id)
	m.ID.plain = m.ID.whole && f.shape(id) == Int
	return nil
}

// DecodeCall takes the content of a decoded request apart. Errors wrap
// ErrNotCall or ErrLimit; the caller can be told about either.
func (f Format) DecodeCall(m Message) (Call, error) {
	if shape := f.ShapeOf(m.Content); shape != Array {
		return Call{}, fmt.Errorf("%w: content is %s, expected [path, args, kwargs]", ErrNotCall, article(shape))
	}
	if m.callCount != 3 {
		return Call{}, fmt.Errorf("%w: content is an array of %d, expected [path, args, kwargs]", ErrNotCall, m.callCount)
	}
	raw := m.call[0].of(m.Content)
	path, exact, ok := f.RawText(raw)
	switch {
	case !ok:
		return Call{}, fmt.Errorf("%w: path is %s, expected a string", ErrNotCall, article(f.ShapeOf(raw)))
	case !exact:
		return Call{}, fmt.Errorf("%w: path %s has half of a surrogate pair", ErrNotCall, f.show(raw))
	case len(path) > f.maxPath():
		return Call{}, &LimitError{Limit: "MaxPathBytes", Max: f.maxPath(), Got: int64(len(path))}
	}
	return Call{
		Path: path, Args: m.call[1].of(m.Content), Kwargs: m.call[2].of(m.Content),
		around: m.Content[m.call[1].begin-1:],
	}, nil
}

// elements finds the parts of the one array in data.
func (f Format) elements(data []byte, into *parts) (count int, err error) {
	if f.Codec != JSON {
		return f.msgArrayOnly(data, into)
	}
	return f.jsonArrayOnly(data, into)
}

func (f Format) msgArrayOnly(data []byte, into *parts) (int, error) {
	h, err := f.msgHead(data, 0)
	if err != nil {
		return 0, err
	}
	if h.shape != Array {
		return 0, fmt.Errorf("%w: payload is %s, expected [type, id, content]", ErrNotMessage, article(h.shape))
	}
	end, err := f.msgElements(data, h, 0, 1, into)
	if err != nil {
		return 0, err
	}
	if end != len(data) {
		return 0, f.syntax(end, "the end")
	}
	return h.size, nil
}

func (f Format) jsonArrayOnly(data []byte, into *parts) (int, error) {
	if !utf8.Valid(data) {
		return 0, f.syntax(invalidUTF8(data), "UTF-8")
	}
	i := skipSpace(data, 0)
	if i >= len(data) {
		return 0, f.syntax(i, "a value")
	}
	if data[i] != '[' {
		if _, _, err := f.whole(data); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("%w: payload is %s, expected [type, id, content]", ErrNotMessage, article(jsonShape(data[i:])))
	}
	end, count, err := f.jsonArray(data, i, 0, into)
	if err != nil {
		return 0, err
	}
	if rest := skipSpace(data, end); rest != len(data) {
		return 0, f.syntax(rest, "the end")
	}
	return count, nil
}

// article puts the shape into a sentence.
func article(s Shape) string {
	switch s {
	case Null, Bytes:
		return s.String()
	case Int, Array, Ext:
		return "an " + s.String()
	}
	return "a " + s.String()
}

// showBytes bounds how much of a received value an error text repeats.
const showBytes = 40

// show is a received value for an error text.
func (f Format) show(raw []byte) string {
	if f.Codec != JSON {
		if v, ok := f.msgWhole(raw); ok && f.shape(raw) == Int {
			return strconv.FormatUint(v, 10)
		}
		return article(f.shape(raw))
	}
	if len(raw) > showBytes {
		return strings.ToValidUTF8(string(raw[:showBytes]), "") + "..."
	}
	return string(raw)
}

// AppendCall writes the payload of a request: message id, path, and one encoded
// value each for args and kwargs, where nil stands for none. On an error dst
// comes back as it was.
func (f Format) AppendCall(dst []byte, id uint64, path string, args, kwargs []byte) ([]byte, error) {
	if len(path) > f.maxPath() {
		return dst, &LimitError{Limit: "MaxPathBytes", Max: f.maxPath(), Got: int64(len(path))}
	}
	begin := len(dst)
	if f.Codec != JSON {
		dst = f.openChunk(dst)
		dst = appendMsgPackUint(append(dst, 0x93, byte(Request)), id)
		dst = appendMsgPackString(append(dst, 0x93), strings.ToValidUTF8(path, "\ufffd"))
		dst = appendOr(dst, args, "\x90")
		return f.finish(appendOr(dst, kwargs, "\x80"), begin)
	}
	dst = strconv.AppendUint(append(dst, "[0, "...), id, 10)
	dst = appendJSONString(append(dst, ", ["...), path)
	dst = appendOr(append(dst, ", "...), args, "[]")
	dst = appendOr(append(dst, ", "...), kwargs, "{}")
	return f.finish(append(dst, "]]"...), begin)
}

// AppendMessage writes the payload of any message: the channel layer's request,
// a result, or an exception whose content is not a plain string. The content is
// one encoded value; nil stands for null. On an error dst comes back as it was.
func (f Format) AppendMessage(dst []byte, kind Kind, id ID, content []byte) ([]byte, error) {
	begin := len(dst)
	dst = f.appendHead(f.openChunk(dst), kind, id)
	if f.Codec != JSON {
		return f.finish(appendOr(dst, content, "\xc0"), begin)
	}
	return f.finish(append(appendOr(dst, content, "null"), ']'), begin)
}

// AppendAround writes the payload of any message but for its content, which is
// elsewhere: size bytes of one encoded value that belong in front of the byte at.
// On an error dst comes back as it was; ErrNotAround is one of a codec that has
// to see the content.
func (f Format) AppendAround(dst []byte, kind Kind, id ID, size int) (out []byte, at int, err error) {
	if f.Codec == MsgPackBlosc {
		return dst, 0, ErrNotAround
	}
	begin := len(dst)
	dst = f.appendHead(dst, kind, id)
	at = len(dst)
	if f.Codec == JSON {
		dst = append(dst, ']')
	}
	if n := len(dst) - begin + size; n > f.maxFrame() {
		return dst[:begin], 0, &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(n)}
	}
	return dst, at, nil
}

// AppendException writes the payload of an exception with a text, normally a
// traceback. On an error dst comes back as it was.
func (f Format) AppendException(dst []byte, id ID, text string) ([]byte, error) {
	begin := len(dst)
	dst = f.AppendString(f.appendHead(f.openChunk(dst), Exception, id), text)
	if f.Codec == JSON {
		dst = append(dst, ']')
	}
	return f.finish(dst, begin)
}

// appendHead writes a message up to its content. A missing id is null. An id is
// repeated as the value it is, in the form Python would write.
func (f Format) appendHead(dst []byte, kind Kind, id ID) []byte {
	if f.Codec != JSON {
		dst = append(dst, 0x93, byte(kind))
	} else {
		dst = append(dst, '[', '0'+byte(kind), ',', ' ')
	}
	switch {
	case !id.Known():
		dst = f.AppendNull(dst)
	case id.plain:
		dst = f.AppendUint(dst, id.value)
	case f.Codec != JSON:
		dst = append(dst, id.raw...)
	default:
		dst, _ = f.AppendNormalJSON(dst, id.raw) // checked when it was decoded
	}
	if f.Codec != JSON {
		return dst
	}
	return append(dst, ", "...)
}

func appendOr(dst, value []byte, none string) []byte {
	if value == nil {
		return append(dst, none...)
	}
	return append(dst, value...)
}

// openChunk leaves room for a chunk's header in front of a payload that will be
// one; finish fills it in.
func (f Format) openChunk(dst []byte) []byte {
	if f.Codec != MsgPackBlosc {
		return dst
	}
	return append(dst, make([]byte, bloscHeader)...)
}

// finish ends the payload that was begun at begin: it makes a chunk of it where
// the codec wants one, and cuts it off again when it is above MaxFrameBytes.
func (f Format) finish(dst []byte, begin int) ([]byte, error) {
	n := len(dst) - begin
	if f.Codec == MsgPackBlosc && n-bloscHeader <= f.maxFrame() {
		dst = deflate(dst, begin)
		n = len(dst) - begin
	}
	if n > f.maxFrame() {
		return dst[:begin], &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(n)}
	}
	return dst, nil
}

// AppendNull, AppendBool, AppendInt, AppendUint, AppendFloat and AppendString
// write one scalar as aiomas does; text that is not UTF-8 gets U+FFFD.

// AppendNull writes None.
func (f Format) AppendNull(dst []byte) []byte {
	if f.Codec != JSON {
		return append(dst, 0xc0)
	}
	return append(dst, "null"...)
}

// AppendBool writes a truth value.
func (f Format) AppendBool(dst []byte, v bool) []byte {
	if f.Codec == JSON {
		return strconv.AppendBool(dst, v)
	}
	if v {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}

// AppendInt writes an int in its shortest form.
func (f Format) AppendInt(dst []byte, v int64) []byte {
	if f.Codec != JSON {
		return appendMsgPackInt(dst, v)
	}
	return strconv.AppendInt(dst, v, 10)
}

// AppendUint writes an int that is not negative.
func (f Format) AppendUint(dst []byte, v uint64) []byte {
	if f.Codec != JSON {
		return appendMsgPackUint(dst, v)
	}
	return strconv.AppendUint(dst, v, 10)
}

// AppendFloat writes a float, also one that is not finite.
func (f Format) AppendFloat(dst []byte, v float64) []byte {
	if f.Codec != JSON {
		return appendMsgPackFloat(dst, v)
	}
	return appendJSONFloat(dst, v)
}

// AppendString writes a text.
func (f Format) AppendString(dst []byte, s string) []byte {
	if f.Codec != JSON {
		return appendMsgPackString(dst, strings.ToValidUTF8(s, "\ufffd"))
	}
	return appendJSONString(dst, s)
}
