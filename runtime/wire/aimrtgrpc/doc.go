// Package aimrtgrpc is AimRT's RPC over gRPC as texts: the path of a function,
// content types, addresses, timeouts, metadata as header fields, and the
// trailers that tell how a call ended. It opens no socket and knows no call;
// backends use it together with an HTTP/2 engine. What AimRT 1.7.0 sends is kept
// in tests/vectors/aimrtgrpc.
package aimrtgrpc

import "aimrtrpc/runtime/wire/aimrthttp"

// Field is one header field as on the wire. It is an alias so that an HTTP/2
// engine's fields can be passed without conversion.
type Field = struct{ Name, Value string }

// Names of header fields. Those of AimRT's own servers end with grpc-status; the
// aimrt- ones are ours and ignored by others.
const (
	HeaderStatus        = "grpc-status"
	HeaderMessage       = "grpc-message"
	HeaderDetails       = "grpc-status-details-bin"
	HeaderTimeout       = "grpc-timeout"
	HeaderEncoding      = "grpc-encoding"
	HeaderAccept        = "grpc-accept-encoding"
	HeaderContentType   = "content-type"
	HeaderStatusCode    = "aimrt-status-code"
	headerStatusDetail  = "aimrt-status-detail-bin"
	headerStatusTrace   = "aimrt-status-trace-bin"
	headerStatusNative  = "aimrt-status-native-bin"
	headerMetadata      = "aimrt-meta-bin"
	contentTypeResponse = "application/grpc"
)

// UserAgent is what AimRT's client calls itself.
const UserAgent = "grpc-c++-aimrt/1.7.0"

// RemoteEndpoint is the metadata key under which a server hands out its peer's
// address.
const RemoteEndpoint = aimrthttp.RemoteEndpoint

// RemoteIdentity is the metadata key under which a server hands out the names
// that its peer proved to have, one entry each.
const RemoteIdentity = aimrthttp.RemoteIdentity

// Limits of what is written or kept of a peer's texts.
const (
	MaxMessageBytes = 1 << 10 // of grpc-message, decoded
	MaxDetails      = 64      // details of one status
	MaxTrailerBytes = 7 << 10 // gRPC's C core refuses lists above 8 KiB

	fieldOverhead = 32 // what a field counts beyond its texts
)

// families pairs serialization types with content types.
var families = []struct{ serialization, contentType string }{
	{"pb", "application/grpc+proto"},
	{"json", "application/grpc+json"},
	{"ros2", "application/grpc+ros2"},
}
