package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// Frames are appended to the connection's output by hand: the framer of x/net
// would copy each of them twice.

func appendFrame(dst []byte, n int, kind http2.FrameType, flags http2.Flags, id uint32) []byte {
	return append(dst, byte(n>>16), byte(n>>8), byte(n), byte(kind), byte(flags),
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// appendHeaders appends HEADERS and as many CONTINUATION frames as needed.
// shrink puts "dynamic table size 0" in front (RFC 7541, 4.2).
func appendHeaders(dst []byte, id uint32, block []byte, end, shrink bool, maxFrame int) []byte {
	kind, flags := http2.FrameHeaders, http2.Flags(0)
	if end {
		flags = http2.FlagHeadersEndStream
	}
	extra := 0
	if shrink {
		extra = 1
	}
	for {
		n := min(len(block), maxFrame-extra)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		dst = appendFrame(dst, n+extra, kind, flags, id)
		if extra > 0 {
			dst = append(dst, 0x20)
		}
		dst = append(dst, block[:n]...)
		block = block[n:]
		if flags&http2.FlagHeadersEndHeaders != 0 {
			return dst
		}
		kind, flags, extra = http2.FrameContinuation, 0, 0
	}
}

func appendRST(dst []byte, id uint32, code ErrCode) []byte {
	dst = appendFrame(dst, 4, http2.FrameRSTStream, 0, id)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

func appendWindowUpdate(dst []byte, id uint32, n int) []byte {
	dst = appendFrame(dst, 4, http2.FrameWindowUpdate, 0, id)
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}

func appendPing(dst []byte, data [8]byte, ack bool) []byte {
	flags := http2.Flags(0)
	if ack {
		flags = http2.FlagPingAck
	}
	return append(appendFrame(dst, 8, http2.FramePing, flags, 0), data[:]...)
}

func appendGoAway(dst []byte, last uint32, code ErrCode, text string) []byte {
	const most = 256
	text = text[:min(len(text), most)]
	dst = appendFrame(dst, 8+len(text), http2.FrameGoAway, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, text...)
}

func appendSettings(dst []byte, settings ...http2.Setting) []byte {
	dst = appendFrame(dst, 6*len(settings), http2.FrameSettings, 0, 0)
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Val)
	}
	return dst
}

func appendSettingsAck(dst []byte) []byte {
	return appendFrame(dst, 0, http2.FrameSettings, http2.FlagSettingsAck, 0)
}
