package main

/*
#include "front.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"

	"aimrtrpc/runtime/config"
)

// failure is an error with the result code it becomes, and details for programs.
type failure struct {
	result  C.aimrt_rpc_result_t
	err     error
	details []detail
}

type detail struct{ key, value string }

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
			C.front_error_detail(*out, chars(d.key), C.size_t(len(d.key)), chars(d.value), C.size_t(len(d.value)))
		}
	}
	return result
}

// classify turns an error of the runtime into a result code with details.
func classify(err error) (C.aimrt_rpc_result_t, []detail) {
	var f *failure
	if errors.As(err, &f) {
		return f.result, f.details
	}
	if list := config.Errors(err); len(list) > 0 {
		return C.AIMRT_RPC_RESULT_CONFIG, configDetails(list[0])
	}
	return C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, nil
}

// configDetails are the facts of the first problem; the text holds all of them.
func configDetails(e *config.Error) []detail {
	var out []detail
	add := func(key, value string) {
		if value != "" && value != "0" {
			out = append(out, detail{key, value})
		}
	}
	add("file", e.File)
	add("line", strconv.Itoa(e.Line))
	add("column", strconv.Itoa(e.Column))
	add("option", e.Path)
	add("nearest", e.Nearest)
	return out
}
