package aimrt

import (
	"strconv"
	"strings"

	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrthttp"
)

// Dialect is the name under which a status keeps AimRT's number.
const Dialect = "aimrt"

// Limits bound the messages of a backend; 0 means no limit.
type Limits struct {
	MaxMessageBytes uint32
	MaxMetadata     uint32 // entries of one call
}

// Serialization is what the messages of a client's call travel in: the context's choice, else the method's first. contentType, nil where
// there is none, names a serialization on the wire; its error refuses the call.
func Serialization(call *rpc.Call, contentType func(serialization string) (string, error)) (string, rpc.Status) {
	name := call.Context.Serialization
	if name == "" {
		name = call.Method.DefaultSerialization()
	}
	if contentType != nil {
		if _, err := contentType(name); err != nil {
			return "", rpc.NewStatus(rpc.CodeCliInvalidSerializationType, err.Error())
		}
	}
	if !call.Method.Supports(name) {
		return "", rpc.Statusf(rpc.CodeCliInvalidSerializationType, "%q does not support serialization %q", call.Method.Name(), name)
	}
	return name, rpc.OK
}

// EncodeRequest gives the bytes of a client's request, or why the call cannot go.
func EncodeRequest(call *rpc.Call, serialization string, limits Limits) ([]byte, rpc.Status) {
	body, err := call.Request.Bytes(serialization)
	if err != nil {
		return nil, rpc.NewStatus(rpc.CodeCliSerializationFailed, err.Error())
	}
	if limit := limits.MaxMessageBytes; limit > 0 && len(body) > int(limit) {
		return nil, rpc.Statusf(rpc.CodeCliSendReqFailed, "the request has %d bytes, the limit max_message_bytes is %d", len(body), limit)
	}
	if n, limit := call.Context.Metadata.Len(), limits.MaxMetadata; limit > 0 && n > int(limit) {
		return nil, rpc.Statusf(rpc.CodeCliInvalidContext, "the context has %d metadata entries, the limit max_metadata is %d", n, limit)
	}
	return body, rpc.OK
}

// FinishDecoded ends a client's call with the response that a peer sent.
func FinishDecoded(call *rpc.Call, serialization string, data []byte) {
	response, err := rpc.DecodePayload(call.Method.ResponseType(), serialization, data)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeCliDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Finish(rpc.OK, response)
}

// DecodeRequest gives a server's call its request, or says why the service's types do not take it.
func DecodeRequest(call *rpc.Call, serialization string, data []byte) rpc.Status {
	if !call.Method.Supports(serialization) {
		return rpc.Statusf(rpc.CodeSvrInvalidSerializationType, "%q does not support serialization %q", call.Method.Name(), serialization)
	}
	request, err := rpc.DecodePayload(call.Method.RequestType(), serialization, data)
	if err != nil {
		return rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error())
	}
	call.Request = request
	return rpc.OK
}

// EncodeResponse gives what a server answers to a call that has ended: the response's bytes, or a status and none.
func EncodeResponse(call *rpc.Call, serialization string, limits Limits) ([]byte, rpc.Status) {
	if !call.Status().OK() {
		return nil, call.Status()
	}
	body, err := call.Response().Bytes(serialization)
	if err != nil {
		return nil, rpc.NewStatus(rpc.CodeSvrSerializationFailed, err.Error())
	}
	if limit := limits.MaxMessageBytes; limit > 0 && len(body) > int(limit) {
		return nil, rpc.Statusf(rpc.CodeResourceExhausted, "the response has %d bytes, the limit max_message_bytes is %d", len(body), limit)
	}
	return body, rpc.OK
}

// Receive takes one metadata pair of a peer's request. A key of the framework lands in the field of the call that stands for it, or nowhere
// when the server shows its own value; false means that the pair is the user's.
func Receive(call *rpc.Call, key, value string) bool {
	switch key {
	case KeyRequestID:
		SetRequestID(call, value)
	case KeySerialization:
		if value != "" {
			call.Context.Serialization = value
		}
	case KeyToAddr:
		call.Context.Target = value
	case KeyBackend, KeyFunctionName, KeyResponseID: // the server's own are shown
	default:
		return false
	}
	return true
}

// AboutPeer tells whether a key, in any case, is one of those that AppendPeer writes. A peer cannot give them itself.
func AboutPeer(key string) bool {
	return strings.EqualFold(key, aimrthttp.RemoteEndpoint) || strings.EqualFold(key, aimrthttp.RemoteIdentity)
}

// AppendPeer adds what a server knows about its peer: the address, unless empty, and the names of its certificate.
func AppendPeer(pairs []rpc.Pair, address string, names []string) []rpc.Pair {
	if address != "" {
		pairs = append(pairs, rpc.Pair{Key: aimrthttp.RemoteEndpoint, Value: address})
	}
	for _, name := range names {
		pairs = append(pairs, rpc.Pair{Key: aimrthttp.RemoteIdentity, Value: name})
	}
	return pairs
}

// StatusOf is the status that a peer gives as AimRT's number.
func StatusOf(number uint32, message string) rpc.Status {
	return rpc.NewStatus(rpc.Code(number), message).WithNative(rpc.Native{Dialect: Dialect, Code: strconv.FormatUint(uint64(number), 10)})
}

// Numbers are those of a status: the one that AimRT knows, and our own, which may be one that AimRT does not know.
func Numbers(status rpc.Status) (aimrt, own uint32) {
	own = uint32(status.Code())
	if native := status.Native(); native.Dialect == Dialect {
		if n, err := strconv.ParseUint(native.Code, 10, 32); err == nil && n != 0 {
			own = uint32(n)
		}
	}
	if row, ok := rpc.Code(own).Row(); ok {
		return row.AimRT, own
	}
	return own, own
}
