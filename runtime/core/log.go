package core

import (
	"log/slog"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/logging"
)

// LogLevel is one of AimRT's log levels; LogRecord is one log line.
type (
	LogLevel  = config.LogLevel
	LogRecord = logging.Record
)

// The log levels.
const (
	LogTrace = config.LogTrace
	LogDebug = config.LogDebug
	LogInfo  = config.LogInfo
	LogWarn  = config.LogWarn
	LogError = config.LogError
	LogFatal = config.LogFatal
	LogOff   = config.LogOff
)

// LogSink receives log lines, one at a time, on the log's own goroutine.
type LogSink interface {
	Write(logger string, level LogLevel, at time.Time, text string)
}

// RecordSink is a LogSink that wants all of a line: thread, file, function.
type RecordSink interface{ WriteRecord(record *LogRecord) }

// newLog makes the log in its first form: lines go to stderr, or to the host's sink, until the configuration is known.
func (r *Runtime) newLog() {
	o := logging.Options{FD: r.options.LogFD, NewLevel: r.options.NewLogLevel, PlaceThread: r.options.PlaceThread}
	switch sink := r.options.Log.(type) {
	case nil:
	case RecordSink:
		o.Sink = sink.WriteRecord
	default:
		o.Sink = func(rec *logging.Record) { sink.Write(rec.Logger, rec.Level, rec.Time, rec.Text) }
	}
	r.logs = logging.New(o)
	r.log = r.logs.Slog(logging.CoreName)
}

// closeLog delivers what waits. Further lines go to stderr.
func (r *Runtime) closeLog() {
	if r.logs == nil {
		return
	}
	_ = r.logs.Close() // the log itself says on stderr which backend hangs
}

// Logger of the runtime itself, "core"; discards before Initialize.
func (r *Runtime) Logger() *slog.Logger { return r.log }

// FlushLog waits until every line logged before is with the operating system or the sink, and tells whether that happened in time.
func (r *Runtime) FlushLog(timeout time.Duration) bool {
	return r.State() == PreInit || r.logs == nil || r.logs.Flush(timeout)
}

// SetLogLevel changes the level of a logger by name, as AimRT's log control service does.
func (r *Runtime) SetLogLevel(logger string, level LogLevel) error {
	if r.State() == PreInit || r.logs == nil {
		return failf(InvalidState, "loggers exist from Initialize on")
	}
	if err := r.logs.SetLevel(logger, level); err != nil {
		return fail(NotFound, err)
	}
	if sink, ok := r.options.Sink.(LogLevelSink); ok {
		sink.LogLevelsChanged()
	}
	return nil
}

// LogLevels gives the level of every logger.
func (r *Runtime) LogLevels() map[string]LogLevel {
	if r.State() == PreInit || r.logs == nil {
		return nil
	}
	return r.logs.Levels()
}

// Logger of the module; discards before Initialize.
func (m *Module) Logger() *slog.Logger { return m.log.Load() }

// Log writes one line of a foreign module, when its level is high enough.
func (m *Module) Log(record LogRecord) {
	if l := m.lines.Load(); l != nil {
		l.Write(record)
	}
}

// LogLevel is the lowest level that the module's logger writes; LogOff before Initialize.
func (m *Module) LogLevel() LogLevel {
	if l := m.lines.Load(); l != nil {
		return LogLevel(l.Level().Load())
	}
	return LogOff
}

// LogLevelWord is the memory of that level, nil before Initialize. A runtime with NewLogLevel gets it from there.
func (m *Module) LogLevelWord() *atomic.Int32 {
	if l := m.lines.Load(); l != nil {
		return l.Level()
	}
	return nil
}
