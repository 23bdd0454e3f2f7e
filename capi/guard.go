package main

/*
#include "front.h"
*/
import "C"

import "aimrtrpc/internal/guard"

// guarded runs the work of one hidden function. A panic does not unwind into C: it is counted and logged by the guard, and failed decides
// what the caller sees.
func guarded[T any](place string, failed func(value any) T, work func() T) (out T) {
	defer func() {
		if value := recover(); value != nil {
			guard.Caught("capi: "+place, value)
			out = failed(value)
		}
	}()
	return work()
}

// result is guarded for the functions that give a result and an error object.
func result(place string, errorOut *C.aimrt_rpc_error_t, work func() error) C.aimrt_rpc_result_t {
	return guarded(place, func(value any) C.aimrt_rpc_result_t {
		return report(errorOut, &failure{result: C.AIMRT_RPC_RESULT_PANIC, err: guard.Error("aimrt_rpc_"+place, value)})
	}, func() C.aimrt_rpc_result_t {
		return report(errorOut, work())
	})
}

// quiet is guarded for the functions that cannot tell anything.
func quiet(place string, work func()) {
	guarded(place, func(any) struct{} { return struct{}{} }, func() struct{} {
		work()
		return struct{}{}
	})
}
