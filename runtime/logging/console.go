package logging

import (
	"io"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
)

// consoleOptions are the options of the log backend "console".
type consoleOptions struct {
	Color        bool           `cfg:"color"`
	ModuleFilter config.Pattern `cfg:"module_filter"`
	Pattern      string         `cfg:"pattern"`
}

func defaultConsoleOptions() consoleOptions {
	return consoleOptions{Color: true, ModuleFilter: config.AnyName}
}

// Colors of whole lines by level, as AimRT's; Trace has none.
var lineColors = [...]string{Debug: "\x1b[0;34m", Info: "\x1b[0;32m", Warn: "\x1b[1;33m", Error: "\x1b[0;35m", Fatal: "\x1b[0;31m"}

const colorReset = "\x1b[0m"

// streamBackend writes lines to a writer: the console, or the host's descriptor.
type streamBackend struct {
	name   string
	filter filter
	layout *layout
	color  bool
	out    io.Writer
	buf    []byte
	report func(format string, args ...any)
	failed bool
}

func newConsole(o consoleOptions, out io.Writer, report func(string, ...any)) *streamBackend {
	return &streamBackend{name: "console", filter: newFilter(o.ModuleFilter), layout: parseLayout(o.Pattern), color: o.Color,
		out: out, report: report}
}

func (s *streamBackend) write(r *Record) {
	if !s.filter.accepts(r.Logger) {
		return
	}
	color := ""
	if s.color && int(r.Level) < len(lineColors) {
		color = lineColors[r.Level]
	}
	s.buf = append(s.buf, color...)
	s.buf = s.layout.append(s.buf, r)
	if color != "" {
		s.buf = append(s.buf, colorReset...)
	}
	s.buf = append(s.buf, '\n')
	if len(s.buf) >= flushBytes {
		s.flush()
	}
}

func (s *streamBackend) flush() {
	if len(s.buf) == 0 {
		return
	}
	_, err := s.out.Write(s.buf)
	if err != nil && !s.failed {
		s.report("log backend %s: lines lost: %v", s.name, err)
	}
	s.failed = err != nil
	s.buf = shrink(s.buf)
}

// shrink empties a buffer and lets a very large one go.
func shrink(buf []byte) []byte {
	if cap(buf) > 4*flushBytes {
		return nil
	}
	return buf[:0]
}

func (s *streamBackend) sync()                    {}
func (s *streamBackend) close()                   { s.flush() }
func (s *streamBackend) kind() string             { return s.name }
func (s *streamBackend) syncEvery() time.Duration { return 0 }

// sinkBackend hands records to the host.
type sinkBackend struct{ sink func(*Record) }

func (s *sinkBackend) write(r *Record) {
	defer guard.Recover("log sink")
	s.sink(r)
}

func (s *sinkBackend) flush()                   {}
func (s *sinkBackend) sync()                    {}
func (s *sinkBackend) close()                   {}
func (s *sinkBackend) kind() string             { return "sink" }
func (s *sinkBackend) syncEvery() time.Duration { return 0 }
