package main

/*
#include "front.h"
*/
import "C"

import (
	"unsafe"
)

// text copies a view. The address of an empty view may be any number, so it is read only when there are bytes.
func text(s *C.aimrt_rpc_str_t) string {
	if s.size == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(s.data)), int(s.size)))
}

// bytesOf copies a view of bytes; nil when empty.
func bytesOf(b *C.aimrt_rpc_bytes_t) []byte {
	if b.size == 0 {
		return nil
	}
	return C.GoBytes(unsafe.Pointer(b.data), C.int(b.size))
}

// texts copies an array of views.
func texts(list *C.aimrt_rpc_str_t, count C.size_t) []string {
	if count == 0 {
		return nil
	}
	out := make([]string, int(count))
	views := unsafe.Slice(list, int(count))
	for i := range views {
		out[i] = text(&views[i])
	}
	return out
}

// word reads a pointer-sized field that holds somebody else's value as a number. Loading it as a pointer would let a small integer reach a
// goroutine's stack, which ends the process.
func word(at unsafe.Pointer) C.uintptr_t { return *(*C.uintptr_t)(at) }

// buffer hands a text to the caller as an owned buffer.
func buffer(out *C.aimrt_rpc_buffer_t, data []byte) error {
	var at unsafe.Pointer
	if len(data) > 0 {
		at = unsafe.Pointer(&data[0])
	}
	if C.front_buffer_set(out, at, C.size_t(len(data))) == 0 {
		return failf(C.AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for %d bytes of output", len(data))
	}
	return nil
}

// blockBytes is the room a block begins with; the texts of most calls fit.
const blockBytes = 512

// block collects texts one after the other, as the structs of front.h want them.
type block struct{ data []byte }

// newBlock makes a block with room.
func newBlock() block { return block{make([]byte, 0, blockBytes)} }

// add appends a text and gives its size.
func (b *block) add(s string) C.uint32_t {
	b.data = append(b.data, s...)
	return C.uint32_t(len(s))
}

// start is the address of the block, valid while b is.
func (b *block) start() *C.char {
	if len(b.data) == 0 {
		return nil
	}
	return (*C.char)(unsafe.Pointer(&b.data[0]))
}

// chars is the address of a Go text for the length of a C call.
func chars(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }
