package main

/*
#include "connection.h"
*/
import "C"

import (
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/runtime/core"
)

// hostedConnections holds the protocol half of host-driven connections by the id that C knows. C lets one thread at a time in.
var hostedConnections handle.Table[*core.Hosted]

//export aimrtgo_hosted_create
func aimrtgo_hosted_create(options *C.aimrt_rpc_connection_hosted_options_t, connection *C.struct_front_connection, out *C.uint64_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return result("connection_create_hosted", errorOut, func() error {
		const most = 1 << 62
		h, err := core.NewHosted(core.HostedConfig{
			Codec:           core.HostedCodec(options.codec),
			MaxFrameBytes:   int(options.max_frame_size),
			MaxDepth:        int(options.max_depth),
			MaxPending:      int(options.max_pending_count),
			MaxPendingBytes: int(min(options.max_pending_size, most)),
			MaxOpen:         int(options.max_open_count),
			Memory:          hostedMemory{connection},
		})
		if err == nil {
			*out = C.uint64_t(hostedConnections.Add(h))
		}
		return err
	})
}

// hostedMemory is C's memory for frames that are not complete, so that they reach the host without a copy.
type hostedMemory struct{ connection *C.struct_front_connection }

// Grow as wire.Memory wants it.
func (m hostedMemory) Grow(held []byte, size int) []byte {
	data := C.front_hosted_grow(m.connection, C.size_t(len(held)), C.size_t(size))
	if data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(data)), size)
}

// Give as wire.Memory wants it.
func (m hostedMemory) Give([]byte) { C.front_hosted_give(m.connection) }

//export aimrtgo_hosted_release
func aimrtgo_hosted_release(id C.uint64_t) {
	quiet("connection_release", func() { hostedConnections.Take(uint64(id)) })
}

//export aimrtgo_hosted_work
func aimrtgo_hosted_work(work *C.front_hosted_work, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return result("connection", errorOut, func() error {
		h, ok := hostedConnections.Get(uint64(work.go_id))
		if !ok {
			return stale("connection", uint64(work.go_id))
		}
		done := false
		defer func() {
			if !done {
				h.Break()
			}
			work.pending, work.open = C.uint64_t(h.Pending()), C.uint64_t(h.Open())
			work.output, work.buffered = C.uint64_t(h.Output()), C.uint64_t(h.Buffered())
		}()
		err := hostedWork(h, work)
		done = true
		return err
	})
}

// hostedWork does one step.
func hostedWork(h *core.Hosted, work *C.front_hosted_work) error {
	data := unsafe.Slice((*byte)(unsafe.Pointer(work.data)), int(work.size))
	room := unsafe.Slice((*byte)(unsafe.Pointer(work.room)), int(work.room_size))[:0]
	number := uint64(work.number)
	var err error
	switch work.operation {
	case C.FRONT_HOSTED_FEED:
		return hostedFeed(h, work, data, room)
	case C.FRONT_HOSTED_TAKE_OUTPUT:
		room = h.TakeOutput(room)
	case C.FRONT_HOSTED_REQUEST:
		room, number, err = hostedRequest(h, work, room, data)
		work.number = C.uint64_t(number)
	case C.FRONT_HOSTED_REPLY:
		room, err = hostedReply(h, work, room, data)
	case C.FRONT_HOSTED_FRAME:
		room, err = h.Frame(room, data)
	case C.FRONT_HOSTED_FORGET:
		if !h.Forget(number) {
			err = failf(C.AIMRT_RPC_RESULT_NOT_FOUND, "own request %d has its reply, was given up, or was never made", number)
		}
	case C.FRONT_HOSTED_DROP:
		if !h.Drop(number) {
			err = failf(C.AIMRT_RPC_RESULT_NOT_FOUND, "request %d of the peer was answered or dropped, or never came", number)
		}
	case C.FRONT_HOSTED_END_OF_INPUT:
		var left int
		left, err = h.EndOfInput()
		work.number = C.uint64_t(left)
	}
	if err == nil {
		err = settle(work, room)
	}
	if err != nil && work.operation == C.FRONT_HOSTED_REQUEST {
		h.Forget(number) // it is not going to be sent
	}
	return err
}

func hostedRequest(h *core.Hosted, work *C.front_hosted_work, room, content []byte) (out []byte, number uint64, err error) {
	if work.in_place == 0 || !h.Around() {
		return h.Request(room, content)
	}
	out, at, number, err := h.RequestAround(room, content)
	work.around = C.size_t(at)
	return out, number, err
}

func hostedReply(h *core.Hosted, work *C.front_hosted_work, room, content []byte) (out []byte, err error) {
	number, kind := uint64(work.number), core.HostedEventKind(work.kind)
	if work.in_place == 0 || !h.Around() {
		return h.Reply(room, number, kind, content)
	}
	out, at, err := h.ReplyAround(room, number, kind, content)
	work.around = C.size_t(at)
	return out, err
}

// inPlace tells whether a content is part of C's bytes from begin on.
func inPlace(content []byte, begin *C.uint8_t, size C.size_t) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.SliceData(content))), uintptr(unsafe.Pointer(begin))
	return at >= from && at-from < uintptr(size)
}

// hostedFeed writes the events into the caller's array, and their contents into the room but for those that may stay where they are.
func hostedFeed(h *core.Hosted, work *C.front_hosted_work, data, room []byte) error {
	events := unsafe.Slice(work.events, int(work.capacity))
	n := 0
	err := h.Feed(data, len(events), func(e core.HostedEvent) {
		events[n] = C.front_hosted_event{
			kind: C.uint32_t(e.Kind), number: C.uint64_t(e.Number), place: C.uint64_t(len(room)), size: C.uint64_t(len(e.Content)),
		}
		if e.Held || work.in_place != 0 && inPlace(e.Content, work.data, work.size) {
			events[n].in_place, events[n].place = 1, C.uint64_t(uintptr(unsafe.Pointer(unsafe.SliceData(e.Content))))
		} else {
			room = append(room, e.Content...)
		}
		n++
	})
	if err != nil {
		return err
	}
	work.count = C.size_t(n)
	return settle(work, room)
}

// settle makes what was appended to the room be C's memory: it is there already unless it was more than C expected.
func settle(work *C.front_hosted_work, filled []byte) error {
	if unsafe.Pointer(unsafe.SliceData(filled)) != unsafe.Pointer(work.room) {
		if C.front_hosted_room(work, C.size_t(len(filled))) == 0 {
			return failf(C.AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a message of %d bytes", len(filled))
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(work.room)), len(filled)), filled)
	}
	work.filled = C.size_t(len(filled))
	return nil
}
