package http

import (
	"bytes"
	"strings"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/httpx"
	"aimrtrpc/runtime/wire/aimrthttp"
)

// known are header names that come with every call, so that no memory is spent on them: as written, and decoded.
var known = map[string]string{
	"Host": "Host", "User-Agent": "User-Agent", "Timeout": "Timeout", "Content-Type": "Content-Type", "Content-Length": "Content-Length",
	"Accept": "Accept", "aimrt-backend": aimrt.KeyBackend, "aimrt-request%5Fid": aimrt.KeyRequestID,
	"aimrt-serialization%5Ftype": aimrt.KeySerialization, "aimrt-to%5Faddr": aimrt.KeyToAddr, "aimrt-function%5Fname": aimrt.KeyFunctionName,
}

// readMetadata turns all headers into metadata, in their order and as written, with escapes decoded. The framework's own keys land in the
// fields that stand for them. The peer's address and the names of its certificate come last; a peer cannot give them itself.
func (c *serverCall) readMetadata(headers []httpx.Header, peer string, names []string) {
	size := 0
	for i := range headers {
		size += len(headers[i].Name) + len(headers[i].Value)
	}
	var text strings.Builder // one piece of memory for all texts
	text.Grow(size)
	pairs := make([]rpc.Pair, 0, len(headers)+1)
	for i := range headers {
		key, ok := known[string(headers[i].Name)]
		if !ok {
			key = decoded(&text, headers[i].Name)
		}
		value := decoded(&text, headers[i].Value)
		if !aimrt.Receive(&c.Call, key, value) && !aimrt.AboutPeer(key) {
			pairs = append(pairs, rpc.Pair{Key: key, Value: value})
		}
	}
	c.context.Metadata = rpc.MetadataOf(aimrt.AppendPeer(pairs, peer, names)...)
}

// decoded is the text of a header's part: a piece of text, which has room for it, unless there are escapes in it.
func decoded(text *strings.Builder, part []byte) string {
	if bytes.IndexByte(part, '%') >= 0 {
		return aimrthttp.Unescape(part)
	}
	from := text.Len()
	text.Write(part)
	return text.String()[from:]
}
