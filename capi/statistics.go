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
	all["calls"] = r.callCounts()
	all["native_open_calls"] = uint64(C.front_runtime_open_calls(r.front))
	return json.Marshal(all)
}

// callCounts gives the calls made per function name. C numbers every call, so this holds for the direct ones too, which the core never sees.
func (r *runtimeObject) callCounts() map[string]uint64 {
	counts := map[string]uint64{}
	var name C.aimrt_rpc_str_t
	var calls C.uint64_t
	for i := C.uint32_t(0); C.front_runtime_call_count(r.front, i, &name, &calls) != 0; i++ {
		counts[C.GoStringN(name.data, C.int(name.size))] = uint64(calls)
	}
	return counts
}
