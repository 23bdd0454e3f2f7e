package filter

import (
	"context"
	"log/slog"

	"aimrtrpc/runtime/rpc"
)

// DebugLog writes one line when a call starts and one when it ends, with the messages where they can be had as JSON. describe gives the text
// of the call's context.
func DebugLog(side Side, logger *slog.Logger, describe func(*rpc.Call) string) rpc.Filter {
	after := func(call *rpc.Call) {
		head := "RPC " + side.String() + " get rpc "
		name, status := call.Method.Name(), call.Status()
		if status.OK() {
			logger.Info(head + "ret. func name: " + name + ", status: " + status.String() + jsonPart(", rsp: ", call.Response()))
			return
		}
		logger.Warn(head + "error ret. func name: " + name + ", status: " + status.String())
	}
	return func(ctx context.Context, call *rpc.Call, next rpc.Next) {
		logger.Info("RPC " + side.String() + " start new rpc call. func name: " + call.Method.Name() + ", context: " + describe(call) +
			jsonPart(", req: ", call.Request))
		call.OnFinish(after)
		next(ctx, call)
	}
}

// jsonPart is label and message, or nothing when there is no JSON form.
func jsonPart(label string, p rpc.Payload) string {
	if _, _, native := p.Native(); !native && p.Serialization() != "json" {
		return ""
	}
	data, err := p.Bytes("json")
	if err != nil {
		return ""
	}
	return label + string(data)
}
