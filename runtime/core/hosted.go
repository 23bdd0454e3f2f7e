package core

import (
	"errors"
	"fmt"

	"aimrtrpc/runtime/dialect/aiomas"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// HostedCodec is how the payloads of a host-driven connection are encoded; the numbers are the header's.
type HostedCodec uint32

// The codecs.
const (
	HostedJSON HostedCodec = iota
	HostedMsgPack
	HostedMsgPackBlosc
	// HostedOpaque: the host encodes whole payloads itself, the library knows frames only.
	HostedOpaque
)

// hostedMaxOutput bounds what the library wants to send by itself and nobody has taken. A peer that sends that many requests which cannot be
// understood, in one piece, is not worth an answer.
const hostedMaxOutput = 4 << 20

// HostedConfig is what a host-driven connection is made of; a limit of 0 means the default.
type HostedConfig struct {
	Codec           HostedCodec
	MaxFrameBytes   int
	MaxDepth        int
	MaxPending      int
	MaxPendingBytes int
	MaxOpen         int
	// Memory for frames that are not complete; nil: Go's.
	Memory wire.Memory
}

// HostedEventKind says what the host is told; the numbers are the header's.
type HostedEventKind uint32

// The kinds of events.
const (
	HostedRequest   HostedEventKind = 1 // the peer waits for a reply
	HostedResult    HostedEventKind = 2 // an own request has its result
	HostedException HostedEventKind = 3 // an own request has an exception
	HostedFrame     HostedEventKind = 4 // a payload of an opaque connection
	HostedFailed    HostedEventKind = 5 // the peer broke the protocol or a limit: the last event
)

// HostedEvent is what received bytes meant. Content is valid until the function that it was given to returns.
type HostedEvent struct {
	Kind    HostedEventKind
	Number  uint64 // of the request
	Content []byte // an encoded value, a payload, or the text of a failure
	Held    bool   // Content is in HostedConfig.Memory and stays until the next feed
}

// Hosted is one end of a connection whose bytes the host moves: it has no socket and starts nothing. It parses, matches replies and holds to
// the limits. Not safe for concurrent use.
type Hosted struct {
	split  wire.Splitter
	format wire.Format
	link   *aiomas.Link // nil: opaque

	rest   []byte // received and not looked at, because the host had room for no more events
	output []byte // complete frames that the library wants to send
	closed string // why nothing can be received any more
	ended  bool   // the peer has ended, which leaves replies possible
}

// NewHosted makes a connection on which nothing has happened yet.
func NewHosted(cfg HostedConfig) (*Hosted, error) {
	if cfg.Codec > HostedOpaque {
		return nil, failf(InvalidArgument, "codec is %d, expected 0 (JSON), 1 (MsgPack), 2 (MsgPackBlosc) or 3 (opaque)", cfg.Codec)
	}
	h := &Hosted{
		split:  wire.Splitter{MaxFrameBytes: cfg.MaxFrameBytes, Memory: cfg.Memory},
		format: wire.Format{MaxFrameBytes: cfg.MaxFrameBytes, MaxDepth: cfg.MaxDepth},
	}
	if cfg.Codec == HostedOpaque {
		return h, nil
	}
	h.format.Codec = wire.Codec(cfg.Codec)
	h.link = aiomas.NewLink(aiomas.LinkConfig{
		Format: h.format, MaxPending: cfg.MaxPending, MaxPendingBytes: cfg.MaxPendingBytes, MaxOpen: cfg.MaxOpen,
	})
	return h, nil
}

// Pending is the number of own requests that wait for a reply.
func (h *Hosted) Pending() int {
	if h.link == nil {
		return 0
	}
	return h.link.Pending()
}

// Open is the number of the peer's requests that wait for a reply.
func (h *Hosted) Open() int {
	if h.link == nil {
		return 0
	}
	return h.link.Open()
}

// Output is the number of bytes that TakeOutput would give, Buffered that of received bytes which are no event yet.
func (h *Hosted) Output() int   { return len(h.output) }
func (h *Hosted) Buffered() int { return h.split.Buffered() + len(h.rest) }

// Feed takes received bytes and delivers up to capacity events. When there were that many, the rest is got by feeding nothing, before
// further bytes are fed. A peer that breaks the protocol or a limit is an event too, the last one.
func (h *Hosted) Feed(data []byte, capacity int, deliver func(HostedEvent)) error {
	if err := h.receiving(); err != nil {
		return err
	}
	waiting := len(h.rest) > 0
	if waiting {
		if len(data) > 0 {
			return failf(InvalidState, "%d received bytes wait: feed nothing until fewer events come than there is room for", len(h.rest))
		}
		data = h.rest
	}
	for delivered := 0; len(data) > 0; {
		if delivered == capacity {
			if !waiting {
				data = append([]byte(nil), data...) // the caller's bytes are borrowed
			}
			h.rest = data
			return nil
		}
		e, rest, err := h.next(data)
		if e.Kind != 0 {
			deliver(e)
			delivered++
		}
		if err != nil {
			h.fail(err.Error())
			deliver(HostedEvent{Kind: HostedFailed, Content: []byte(h.closed)})
			return nil
		}
		data = rest
	}
	h.rest = nil
	return nil
}

// next takes the first payload out of data; the kind 0 is nothing to tell.
func (h *Hosted) next(data []byte) (e HostedEvent, rest []byte, err error) {
	payload, rest, ok, err := h.split.Next(data)
	switch {
	case err != nil:
		return e, nil, fmt.Errorf("a frame of the peer: %w", err)
	case !ok:
		return e, nil, nil
	}
	if e, err = h.receive(payload); err != nil {
		return HostedEvent{}, nil, fmt.Errorf("a message of the peer: %w", err)
	}
	e.Held = h.split.Held() && h.format.Codec != wire.MsgPackBlosc && len(e.Content) > 0
	return e, rest, nil
}

// fail ends the receiving side and drops what is not needed any more.
func (h *Hosted) fail(why string) {
	h.closed, h.rest, h.split = why, nil, wire.Splitter{}
}

// Break makes the connection unusable after a fault inside the library left it in an unknown state.
func (h *Hosted) Break() { h.fail("a fault inside the library was contained") }

func (h *Hosted) receiving() error {
	switch {
	case h.closed != "":
		return failf(InvalidState, "the connection has failed: %s", h.closed)
	case h.ended:
		return failf(InvalidState, "the peer has ended: nothing can come any more")
	}
	return nil
}

// receive says what one payload meant; the kind 0 is nothing.
func (h *Hosted) receive(payload []byte) (HostedEvent, error) {
	if h.link == nil {
		return HostedEvent{Kind: HostedFrame, Content: payload}, nil
	}
	out, mark := wire.BeginFrame(h.output)
	e, out, err := h.link.Receive(out, payload)
	if len(out) > mark+wire.HeaderBytes && err == nil {
		h.output, err = h.format.EndFrame(out, mark)
	} else {
		h.output = out[:mark]
	}
	switch {
	case err != nil:
		return HostedEvent{}, err
	case len(h.output) > hostedMaxOutput:
		return HostedEvent{}, fmt.Errorf("%d bytes of answers to requests that were refused wait to be taken, limit %d", len(h.output), hostedMaxOutput)
	}
	return HostedEvent{Kind: hostedKinds[e.Kind], Number: e.Number, Content: e.Content}, nil
}

var hostedKinds = [...]HostedEventKind{
	aiomas.Requested: HostedRequest, aiomas.Replied: HostedResult, aiomas.Failed: HostedException,
}

// TakeOutput appends what the library wants to send by itself: answers to requests that could not be understood or were too many.
func (h *Hosted) TakeOutput(dst []byte) []byte {
	dst, h.output = append(dst, h.output...), h.output[:0]
	if cap(h.output) > hostedKeep {
		h.output = nil
	}
	return dst
}

// hostedKeep is the buffer a connection holds on to.
const hostedKeep = 64 << 10

// Request appends the frame of a request of any content, one encoded value, and gives its number.
func (h *Hosted) Request(dst, content []byte) (out []byte, number uint64, err error) {
	if err := h.receiving(); err != nil {
		return dst, 0, err // no reply could come
	}
	out, err = h.frame(dst, func(dst []byte) ([]byte, error) {
		dst, number, err = h.link.AppendRequest(dst, orNothing(content))
		return dst, err
	})
	return out, number, err
}

// RequestAround is Request without the content, which belongs in front of the byte at of what comes back.
func (h *Hosted) RequestAround(dst, content []byte) (out []byte, at int, number uint64, err error) {
	if err := h.receiving(); err != nil {
		return dst, 0, 0, err
	}
	out, err = h.frameAround(dst, len(content), func(dst []byte) ([]byte, error) {
		dst, at, number, err = h.link.AppendRequestAround(dst, orNothing(content))
		return dst, err
	})
	return out, at, number, err
}

// Around tells whether RequestAround and ReplyAround can be used.
func (h *Hosted) Around() bool { return h.link != nil && h.format.Codec != wire.MsgPackBlosc }

// ReplyAround is Reply without the content, as RequestAround.
func (h *Hosted) ReplyAround(dst []byte, number uint64, kind HostedEventKind, content []byte) (out []byte, at int, err error) {
	if h.closed != "" {
		return dst, 0, h.receiving()
	}
	if kind != HostedResult && kind != HostedException {
		return dst, 0, badReplyKind(kind)
	}
	out, err = h.frameAround(dst, len(content), func(dst []byte) ([]byte, error) {
		dst, at, err = h.link.AppendReplyAround(dst, number, kind == HostedException, orNothing(content))
		return dst, err
	})
	return out, at, err
}

func badReplyKind(kind HostedEventKind) error {
	return failf(InvalidArgument, "kind of the reply is %d, expected %d (result) or %d (exception)", kind, HostedResult, HostedException)
}

// Reply appends the frame that answers a request of the peer, with HostedResult or HostedException. After an error other than NotFound the
// request is open still, so that it can be answered with an exception.
func (h *Hosted) Reply(dst []byte, number uint64, kind HostedEventKind, content []byte) ([]byte, error) {
	if h.closed != "" {
		return dst, h.receiving()
	}
	return h.frame(dst, func(dst []byte) ([]byte, error) {
		switch kind {
		case HostedResult:
			return h.link.AppendResult(dst, number, orNothing(content))
		case HostedException:
			return h.link.AppendFailure(dst, number, orNothing(content))
		}
		return dst, badReplyKind(kind)
	})
}

// orNothing keeps an empty content from being taken for null: it is no value.
func orNothing(content []byte) []byte {
	if content == nil {
		return []byte{}
	}
	return content
}

// Frame appends a payload of an opaque connection with its header.
func (h *Hosted) Frame(dst, payload []byte) ([]byte, error) {
	if h.link != nil {
		return dst, failf(Unsupported, "the connection makes its payloads itself: only one with the opaque codec takes them from the host")
	}
	out, mark := wire.BeginFrame(dst)
	out, err := h.format.EndFrame(append(out, payload...), mark)
	return out, hostedError(err)
}

// frame puts a header in front of what write appends.
func (h *Hosted) frame(dst []byte, write func([]byte) ([]byte, error)) ([]byte, error) {
	return h.frameAround(dst, 0, write)
}

// frameAround is frame when so many bytes of the payload are elsewhere.
func (h *Hosted) frameAround(dst []byte, elsewhere int, write func([]byte) ([]byte, error)) ([]byte, error) {
	if h.link == nil {
		return dst, failf(Unsupported, "the connection has the opaque codec: the host makes its payloads")
	}
	out, mark := wire.BeginFrame(dst)
	out, err := write(out)
	if err != nil {
		return out[:mark], hostedError(err)
	}
	out, err = h.format.EndFrameAround(out, mark, elsewhere)
	return out, hostedError(err)
}

// hostedError sorts what the wire and the dialect refuse.
func hostedError(err error) error {
	var sorted *Error
	switch {
	case err == nil || errors.As(err, &sorted):
		return err
	case errors.Is(err, wire.ErrLimit) || errors.Is(err, aiomas.ErrPendingLimit):
		return fail(Limit, err)
	case errors.Is(err, aiomas.ErrNoSuchRequest):
		return fail(NotFound, err)
	}
	return fail(InvalidArgument, err)
}

// Forget gives an own request up: its reply will be ignored. It is false when the request was answered or given up before.
func (h *Hosted) Forget(number uint64) bool { return h.link != nil && h.link.Forget(number) }

// Drop closes a request of the peer without a reply. It is false when the request was answered or dropped before.
func (h *Hosted) Drop(number uint64) bool { return h.link != nil && h.link.Drop(number) }

// EndOfInput tells that the peer sends nothing more: own requests are given up, requests of the peer may still be answered. It gives the
// number of bytes of a frame that will never be complete.
func (h *Hosted) EndOfInput() (int, error) {
	if err := h.receiving(); err != nil {
		return 0, err
	}
	if len(h.rest) > 0 {
		return 0, failf(InvalidState, "%d received bytes wait: feed nothing until fewer events come than there is room for", len(h.rest))
	}
	left := h.split.Buffered()
	h.ended, h.split = true, wire.Splitter{}
	if h.link != nil {
		h.link.ForgetAll()
	}
	return left, nil
}
