package main

/*
#include "front.h"
*/
import "C"

import "encoding/json"

// kindNames are the kinds of handles that statistics count.
var kindNames = map[string]C.uint32_t{
	"runtime": C.AIMRT_RPC_KIND_RUNTIME, "module": C.AIMRT_RPC_KIND_MODULE, "rpc_handle": C.AIMRT_RPC_KIND_RPC_HANDLE,
	"method": C.AIMRT_RPC_KIND_METHOD, "service": C.AIMRT_RPC_KIND_SERVICE, "context": C.AIMRT_RPC_KIND_CONTEXT,
	"call": C.AIMRT_RPC_KIND_CALL, "server_call": C.AIMRT_RPC_KIND_SERVER_CALL, "queue": C.AIMRT_RPC_KIND_QUEUE,
	"executor": C.AIMRT_RPC_KIND_EXECUTOR, "timer": C.AIMRT_RPC_KIND_TIMER, "error": C.AIMRT_RPC_KIND_ERROR,
}

// statistics adds what only the C half knows to the counters of the core.
func (r *runtimeObject) statistics() ([]byte, error) {
	text, err := r.core.Statistics()
	if err != nil {
		return nil, err
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	handles := map[string]uint64{}
	for name, kind := range kindNames {
		handles[name] = uint64(C.aimrt_rpc_live_count(kind))
	}
	all["handles"] = handles
	all["native_open_calls"] = uint64(C.front_runtime_open_calls(r.front))
	return json.Marshal(all)
}
