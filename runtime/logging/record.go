package logging

import (
	"time"

	"aimrtrpc/runtime/config"
)

// Level is a log level, 0 to 6.
type Level = config.LogLevel

// The levels under short names; Off writes nothing.
const (
	Trace = config.LogTrace
	Debug = config.LogDebug
	Info  = config.LogInfo
	Warn  = config.LogWarn
	Error = config.LogError
	Fatal = config.LogFatal
	Off   = config.LogOff
)

// Record is one log line.
type Record struct {
	Time     time.Time // zero = now
	Level    Level
	Line     uint32 // of the source file, 0 = not known
	ThreadID uint32 // of the operating system, 0 = the calling thread's
	Logger   string // set by the Logger
	File     string
	Function string
	Text     string
}

// size is what a record counts for in the queue.
func (r *Record) size() int {
	return recordOverhead + len(r.Logger) + len(r.File) + len(r.Function) + len(r.Text)
}

const recordOverhead = 128
