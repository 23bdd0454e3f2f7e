package main

/*
#include "front.h"
*/
import "C"

import (
	"errors"
	"fmt"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// failure is an error with the result code it becomes.
type failure struct {
	result C.aimrt_rpc_result_t
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failf(result C.aimrt_rpc_result_t, format string, arguments ...any) error {
	return &failure{result: result, err: fmt.Errorf(format, arguments...)}
}

// stale is the answer to a handle that is not what the function works on.
func stale(noun string, handle uint64) error {
	if handle == 0 {
		return failf(C.AIMRT_RPC_RESULT_INVALID_HANDLE, "the %s handle is 0", noun)
	}
	return failf(C.AIMRT_RPC_RESULT_INVALID_HANDLE, "%#x is not a live %s handle", handle, noun)
}

// report stores an error for the caller and gives its result code; OK for nil.
func report(out *C.aimrt_rpc_error_t, err error) C.aimrt_rpc_result_t {
	if err == nil {
		return C.AIMRT_RPC_RESULT_OK
	}
	result, details := classify(err)
	message := err.Error()
	C.front_error_set(out, result, chars(message), C.size_t(len(message)))
	if out != nil && *out != 0 {
		for _, d := range details {
			C.front_error_detail(*out, chars(d.Key), C.size_t(len(d.Key)), chars(d.Value), C.size_t(len(d.Value)))
		}
	}
	return result
}

// results are the codes of the core's kinds of errors.
var results = map[core.Kind]C.aimrt_rpc_result_t{
	core.Internal:        C.AIMRT_RPC_RESULT_PANIC,
	core.InvalidArgument: C.AIMRT_RPC_RESULT_INVALID_ARGUMENT,
	core.InvalidState:    C.AIMRT_RPC_RESULT_INVALID_STATE,
	core.NotFound:        C.AIMRT_RPC_RESULT_NOT_FOUND,
	core.AlreadyExists:   C.AIMRT_RPC_RESULT_ALREADY_EXISTS,
	core.Limit:           C.AIMRT_RPC_RESULT_LIMIT,
	core.Config:          C.AIMRT_RPC_RESULT_CONFIG,
	core.IO:              C.AIMRT_RPC_RESULT_IO,
	core.ModuleRefused:   C.AIMRT_RPC_RESULT_MODULE,
	core.Unsupported:     C.AIMRT_RPC_RESULT_UNSUPPORTED,
}

// classify turns an error of the runtime into a result code with details.
func classify(err error) (C.aimrt_rpc_result_t, []rpc.Detail) {
	var f *failure
	if errors.As(err, &f) {
		return f.result, nil
	}
	details := core.Details(err)
	for i := range details {
		if details[i].Key == "path" {
			details[i].Key = "option" // the header's word
		}
	}
	return results[core.KindOf(err)], details
}
