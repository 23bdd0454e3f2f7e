package main

/*
#include "bridge.h"
#include "guards.h"
*/
import "C"

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/core"
)

const (
	// maxQueuedLogLines is how many lines may wait for the host's log function.
	maxQueuedLogLines = 10_000
	// logPatience is how long a line waits for room before it is dropped and counted.
	logPatience = 10 * time.Millisecond
)

// logSink hands log lines to the host: to its function, to its descriptor, or both. Lines are queued, because the host's function may be
// slow and may not be entered twice at a time.
type logSink struct {
	function C.aimrt_rpc_log_fn
	userData C.uintptr_t
	free     C.aimrt_rpc_free_fn
	fd       int
	lines    chan logLine
	dropped  atomic.Uint64
	done     sync.WaitGroup

	mu     sync.RWMutex // guards closed: no line is queued after it
	closed bool
}

type logLine struct {
	logger, file, function, text string
	level                        uint32
	line, thread                 uint32
	at                           time.Time
}

// newLogSink makes the sink the options ask for, nil when they ask for none.
func newLogSink(o *C.aimrt_rpc_runtime_options_t) *logSink {
	if o.log == nil && o.log_fd < 0 {
		return nil
	}
	s := &logSink{function: o.log, userData: word(unsafe.Pointer(&o.log_user_data)), free: o.log_user_data_free, fd: int(o.log_fd),
		lines: make(chan logLine, maxQueuedLogLines)}
	s.done.Add(1)
	guard.Go("capi: log", func() { defer s.done.Done(); s.run() })
	return s
}

// Write queues one line of the core.
func (s *logSink) Write(logger string, level config.LogLevel, at time.Time, text string) {
	s.put(logLine{logger: logger, level: uint32(level), at: at, text: text})
}

// WriteRecord queues one line with all that is known of it.
func (s *logSink) WriteRecord(r *core.LogRecord) {
	s.put(logLine{logger: r.Logger, file: r.File, function: r.Function, text: r.Text, level: uint32(r.Level), line: r.Line, thread: r.ThreadID, at: r.Time})
}

func (s *logSink) put(l logLine) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return
	}
	select {
	case s.lines <- l:
		return
	default:
	}
	patience := time.NewTimer(logPatience)
	defer patience.Stop()
	select {
	case s.lines <- l:
	case <-patience.C:
		s.dropped.Add(1)
	}
}

// run delivers the lines until the sink is released.
func (s *logSink) run() {
	for l := range s.lines {
		s.deliver(&l)
		if n := s.dropped.Swap(0); n > 0 {
			s.deliver(&logLine{logger: "core", level: uint32(config.LogWarn), at: time.Now(), text: droppedText(n)})
		}
	}
}

func (s *logSink) deliver(l *logLine) {
	defer guard.Recover("capi: log")
	if bool(C.front_guards_exiting()) {
		return // the host's static objects are going
	}
	if s.fd >= 0 {
		writeAll(s.fd, formatLine(l))
	}
	if s.function == nil {
		return
	}
	var b block
	c := C.bridge_log_line{time_ns: C.int64_t(l.at.UnixNano()), level: C.uint32_t(l.level), line: C.uint32_t(l.line), thread_id: C.uint32_t(l.thread)}
	c.logger_size = b.add(l.logger)
	c.file_size = b.add(l.file)
	c.function_size = b.add(l.function)
	c.text_size = b.add(l.text)
	C.bridge_log(s.function, s.userData, &c, b.start())
}

// release delivers what waits and gives the user data back.
func (s *logSink) release() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.lines)
	s.done.Wait()
	if s.free != nil {
		C.bridge_free(s.free, s.userData)
	}
}

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

func droppedText(n uint64) string { return "log lines were dropped: " + utoa(n) }

// formatLine is the form of AimRT's console, without colours.
func formatLine(l *logLine) []byte {
	where := ""
	if l.file != "" {
		where = "[" + l.file + ":" + utoa(uint64(l.line)) + ":" + l.function + "]"
	}
	return []byte("[" + l.at.Format("2006-01-02 15:04:05.000000") + "][" + config.LogLevel(l.level).String() + "][" +
		utoa(uint64(l.thread)) + "][" + l.logger + "]" + where + " " + l.text + "\n")
}

// writeAll writes a line to the host's descriptor; a descriptor that takes no more loses the line.
func writeAll(fd int, line []byte) {
	for len(line) > 0 {
		n, err := syscall.Write(fd, line)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		line = line[n:]
	}
}

//export aimrtgo_module_log
func aimrtgo_module_log(id C.uint64_t, r *C.aimrt_rpc_log_record_t) C.int32_t {
	return guarded("module_log", func(any) C.int32_t { return C.AIMRT_RPC_RESULT_PANIC }, func() C.int32_t {
		m, ok := moduleObjects.Get(uint64(id))
		if !ok {
			return C.AIMRT_RPC_RESULT_INVALID_HANDLE
		}
		m.log(r)
		return C.AIMRT_RPC_RESULT_OK
	})
}

// slogLevels are the levels of the core's logger, which knows AimRT's by these numbers.
var slogLevels = [...]slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, slog.LevelError + 4}

// log writes a line through the module's logger.
func (m *moduleObject) log(r *C.aimrt_rpc_log_record_t) {
	record := core.LogRecord{Level: core.LogLevel(min(r.level, C.AIMRT_RPC_LOG_LEVEL_FATAL)), Line: uint32(r.line), ThreadID: uint32(r.thread_id),
		File: text(&r.file), Function: text(&r.function), Text: text(&r.text)}
	if r.time_ns != 0 {
		record.Time = time.Unix(0, int64(r.time_ns))
	}
	m.core.Log(record)
}

// log writes a line of the library itself.
func (r *runtimeObject) log(level int, line string) {
	if level < 0 || level >= len(slogLevels) {
		level = C.AIMRT_RPC_LOG_LEVEL_WARN
	}
	r.logger().Log(context.Background(), slogLevels[level], line)
}
