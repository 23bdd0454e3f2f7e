package main

/*
#include "front.h"
*/
import "C"

import (
	"fmt"
	"math"
	"runtime/debug"
)

// version is the library's version as the header numbers it.
func version() string {
	return fmt.Sprintf("%d.%d.%d", C.AIMRT_RPC_VERSION_MAJOR, C.AIMRT_RPC_VERSION_MINOR, C.AIMRT_RPC_VERSION_PATCH)
}

//export aimrtgo_memory_limit_set
func aimrtgo_memory_limit_set(size C.uint64_t) {
	quiet("memory_limit_set", func() {
		limit := int64(math.MaxInt64)
		if size > 0 && uint64(size) < math.MaxInt64 {
			limit = int64(size)
		}
		debug.SetMemoryLimit(limit)
	})
}
