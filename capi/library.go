package main

/*
#include "front.h"
*/
import "C"

import (
	"math"
	"runtime/debug"
)

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
