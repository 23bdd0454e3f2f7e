package main

/*
#include "bridge.h"
#include "guards.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"time"
	"unsafe"

	"aimrtrpc/runtime/core"
)

// logSink hands log lines to the host's function. The core calls it on the log's own goroutine, one line at a time.
type logSink struct {
	function C.aimrt_rpc_log_fn
	userData C.uintptr_t
	free     C.aimrt_rpc_free_fn
}

// newLogSink makes the sink the options ask for, nil when they ask for none.
func newLogSink(o *C.aimrt_rpc_runtime_options_t) *logSink {
	if o.log == nil {
		return nil
	}
	return &logSink{function: o.log, userData: word(unsafe.Pointer(&o.log_user_data)), free: o.log_user_data_free}
}

// Write hands over a line of which only this is known.
func (s *logSink) Write(logger string, level core.LogLevel, at time.Time, text string) {
	s.WriteRecord(&core.LogRecord{Logger: logger, Level: level, Time: at, Text: text})
}

// WriteRecord hands over a line, unless the host's static objects are going.
func (s *logSink) WriteRecord(r *core.LogRecord) {
	if bool(C.front_guards_exiting()) {
		return
	}
	var b block
	line := C.bridge_log_line{
		time_ns: C.int64_t(r.Time.UnixNano()), level: C.uint32_t(r.Level), line: C.uint32_t(r.Line), thread_id: C.uint32_t(r.ThreadID),
	}
	line.logger_size = b.add(r.Logger)
	line.file_size = b.add(r.File)
	line.function_size = b.add(r.Function)
	line.text_size = b.add(r.Text)
	C.bridge_log(s.function, s.userData, &line, b.start())
}

// release gives the user data back, when no line can come any more.
func (s *logSink) release() {
	if s.free != nil {
		C.bridge_free(s.free, s.userData)
	}
}

//export aimrtgo_module_log
func aimrtgo_module_log(id C.uint64_t, r *C.aimrt_rpc_log_record_t) C.int32_t {
	return guarded("module_log", func(any) C.int32_t { return C.AIMRT_RPC_RESULT_PANIC }, func() C.int32_t {
		m, ok := moduleObjects.Get(uint64(id))
		if !ok {
			return C.AIMRT_RPC_RESULT_INVALID_HANDLE
		}
		m.core.Log(logRecord(r))
		return C.AIMRT_RPC_RESULT_OK
	})
}

// logRecord copies a line of a foreign module.
func logRecord(r *C.aimrt_rpc_log_record_t) core.LogRecord {
	out := core.LogRecord{
		Level: core.LogLevel(r.level), Line: uint32(r.line), ThreadID: uint32(r.thread_id), File: text(&r.file), Function: text(&r.function),
		Text: text(&r.text),
	}
	if r.time_ns != 0 {
		out.Time = time.Unix(0, int64(r.time_ns))
	}
	return out
}

// slogLevels are the levels of the core's logger by AimRT's numbers.
var slogLevels = [...]slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelError + 4}

// log writes a line of the library itself.
func (r *runtimeObject) log(level int, line string) {
	if level < 0 || level >= len(slogLevels) {
		level = C.AIMRT_RPC_LOG_LEVEL_WARN
	}
	r.logger().Log(context.Background(), slogLevels[level], line)
}
