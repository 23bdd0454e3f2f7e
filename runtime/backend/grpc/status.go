package grpc

import (
	"strconv"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// dialectGRPC is what a status names as the origin of gRPC's numbers.
const dialectGRPC = "grpc"

// grpcUnknown is gRPC's number for a failure without one of its own.
const grpcUnknown = 2

// outcomeOf is what the trailers say of a status. AimRT's number, or ours, goes beside gRPC's, which many of them share.
func outcomeOf(s rpc.Status) aimrtgrpc.Outcome {
	o := aimrtgrpc.Outcome{GRPC: grpcUnknown, AimRT: uint32(s.Code()), HasAimRT: true, Message: s.Message(), Trace: s.Trace()}
	if s.OK() {
		return aimrtgrpc.Outcome{}
	}
	native := s.Native()
	if row, ok := s.Code().Row(); ok && row.GRPCCode != 0 {
		o.GRPC = row.GRPCCode
	}
	switch number, err := strconv.ParseUint(native.Code, 10, 31); {
	case native.Dialect == "":
	case native.Dialect != aimrt.Dialect && native.Dialect != dialectGRPC:
		o.Native = aimrtgrpc.Pair{Key: native.Dialect, Value: native.Code}
	case err != nil || number == 0:
	case native.Dialect == dialectGRPC:
		o.GRPC = int(number)
		o.Native = aimrtgrpc.Pair{Key: native.Dialect, Value: native.Code}
	default:
		o.AimRT = uint32(number)
	}
	for _, d := range s.Details() {
		if d.Key == aimrtgrpc.HeaderDetails {
			o.Rich = d.Value
		} else {
			o.Details = append(o.Details, aimrtgrpc.Pair{Key: d.Key, Value: d.Value})
		}
	}
	return o
}

// statusOf is what an answer says about its call: trailers, or the head alone, and the HTTP status when neither has one of gRPC.
func statusOf(fields []aimrtgrpc.Field, httpStatus int) rpc.Status {
	o, ok := aimrtgrpc.ReadOutcome(fields)
	switch {
	case !ok && httpStatus == 200:
		return rpc.NewStatus(rpc.CodeCliUnknown, "the answer has no grpc-status")
	case !ok:
		return rpc.Statusf(rpc.CodeOfHTTP(httpStatus), "the server answered with HTTP status %d and no grpc-status", httpStatus).
			WithNative(rpc.Native{Dialect: "http", Code: strconv.Itoa(httpStatus)})
	case o.GRPC == 0:
		return rpc.OK
	}
	status := rpc.NewStatus(rpc.CodeOfGRPC(o.GRPC), o.Message)
	native := rpc.Native{Dialect: dialectGRPC, Code: strconv.Itoa(o.GRPC)}
	if o.HasAimRT {
		status = aimrt.StatusOf(o.AimRT, o.Message)
		native = status.Native()
	}
	if o.Native.Key != "" {
		native = rpc.Native{Dialect: o.Native.Key, Code: o.Native.Value}
	}
	status = status.WithNative(native)
	if o.Trace != "" {
		status = status.WithTrace(o.Trace)
	}
	var details []rpc.Detail
	for _, d := range o.Details {
		details = append(details, rpc.Detail{Key: d.Key, Value: d.Value})
	}
	if o.Rich != "" {
		details = append(details, rpc.Detail{Key: aimrtgrpc.HeaderDetails, Value: o.Rich})
	}
	if details != nil {
		status = status.WithDetails(details...)
	}
	return status
}
