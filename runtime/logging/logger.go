package logging

import (
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// CoreName is the name of the runtime's own logger.
const CoreName = "core"

// Logger writes lines under the name of a module. It may be used from any thread
// and lives as long as its Manager.
type Logger struct {
	m     *Manager
	name  string
	core  bool // level core_lvl, not default_module_lvl
	level *atomic.Int32
}

// Name gives the module name, %n in patterns.
func (l *Logger) Name() string { return l.name }

// Level gives the word that holds the lowest level written. Others may read and
// set it; C may read it as an int32 when Options.NewLevel gave C memory.
func (l *Logger) Level() *atomic.Int32 { return l.level }

// Enabled tells whether a line of this level would be written. It is one atomic load.
func (l *Logger) Enabled(level Level) bool {
	return int32(level) >= l.level.Load() && level >= Trace && level <= Fatal
}

// Log writes a line of the calling thread. The texts must not change afterwards.
// It blocks at most MaxPutWait, when the queue is full; then the line is dropped
// and counted.
func (l *Logger) Log(level Level, line uint32, file, function, text string) {
	if l.Enabled(level) {
		l.write(&Record{Level: level, Line: line, File: file, Function: function, Text: text})
	}
}

// Write is Log for a record that already has its thread and time.
func (l *Logger) Write(r Record) {
	if l.Enabled(r.Level) {
		l.write(&r)
	}
}

func (l *Logger) write(r *Record) {
	r.Logger = l.name
	if r.ThreadID == 0 {
		r.ThreadID = uint32(syscall.Gettid())
	}
	if r.Time.IsZero() {
		r.Time = l.m.now()
	}
	if len(r.Text) > MaxTextBytes {
		r.Text = cut(r.Text)
	}
	l.m.emit(r)
}

// cut shortens a text and says so.
func cut(text string) string {
	head := strings.ToValidUTF8(text[:MaxTextBytes], "")
	return head + "... (" + strconv.Itoa(len(text)-len(head)) + " bytes cut)"
}
