package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/config"
)

// MaxCloseWait is how long Close waits for a backend that does not take its lines.
const MaxCloseWait = 5 * time.Second

// backendTypes are the values of aimrt.log.backends[i].type.
var backendTypes = []string{"console", "rotate_file", "topic_logger"}

// Options are the host's wishes. The zero Options writes where the configuration says.
type Options struct {
	// Sink receives every line instead of the configured backends, on the log
	// goroutine, one at a time. The record is valid for the call only.
	Sink func(r *Record)
	// FD is a descriptor that receives every line in the default pattern instead
	// of the configured backends. It is not closed. 0 and below = none.
	FD int
	// NewLevel gives the memory of a logger's level word, so that it may lie where
	// C reads it; nil = Go memory.
	NewLevel func() *atomic.Int32
	// Stdout and Stderr replace descriptors 1 and 2.
	Stdout, Stderr io.Writer
	// PlaceThread names and places the calling thread, which is that of the log goroutine, as aimrt.guard_thread says; nil leaves it as it is.
	PlaceThread func(name, schedPolicy string, cpus []uint32) error
	// Now replaces the clock.
	Now func() time.Time
}

// Manager is the log component of one runtime. Until Configure and after Close,
// lines go to stderr at once (or to the host's sink). All methods may be used from
// any thread.
type Manager struct {
	options Options
	now     func() time.Time
	queue   atomic.Pointer[queue] // nil = write to stderr at once
	silent  atomic.Bool           // configured without a backend: write nothing

	stderrMu sync.Mutex // guards the layout and keeps lines whole
	fallback *layout

	mu      sync.Mutex // guards everything below
	loggers map[string]*Logger
	levels  map[string]Level // set for modules by name
	coreLvl Level
	modLvl  Level
	writer  *writer
	state   state
	kinds   []string

	closeWait time.Duration
}

type state uint8

const (
	stateNew state = iota
	stateOpening
	stateConfigured
	stateClosed
)

// New makes a Manager that writes to stderr, or to the host's sink.
func New(o Options) *Manager {
	if o.Stdout == nil {
		o.Stdout = fdWriter(1)
	}
	if o.Stderr == nil {
		o.Stderr = fdWriter(2)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewLevel == nil {
		o.NewLevel = func() *atomic.Int32 { return new(atomic.Int32) }
	}
	m := &Manager{options: o, now: o.Now, fallback: parseLayout(fallbackPattern), loggers: map[string]*Logger{},
		levels: map[string]Level{}, coreLvl: Trace, modLvl: Trace, closeWait: MaxCloseWait}
	if b := m.hostBackend(); b != nil {
		m.start([]backend{b}, DefaultMaxRecords, time.Second, nil)
	}
	return m
}

// hostBackend gives what the host asked for instead of the configuration, or nil.
func (m *Manager) hostBackend() backend {
	switch {
	case m.options.Sink != nil:
		return &sinkBackend{m.options.Sink}
	case m.options.FD > 0:
		return &streamBackend{name: "fd", filter: newFilter(config.AnyName), layout: parseLayout(""), out: fdWriter(m.options.FD),
			report: m.reportf}
	}
	return nil
}

func (m *Manager) start(backends []backend, maxRecords int, alarm time.Duration, first func()) {
	q := newQueue(maxRecords)
	m.writer = startWriter(q, backends, alarm, m.now, first)
	m.queue.Store(q)
	m.kinds = nil
	for _, b := range backends {
		m.kinds = append(m.kinds, b.kind())
	}
}

// Configure sets the levels and opens the backends of a configuration. It may be
// called once. On an error nothing has changed.
func (m *Manager) Configure(c *config.Config) error {
	m.mu.Lock()
	if m.state != stateNew {
		m.mu.Unlock()
		return errors.New("log component: Configure called twice or after Close")
	}
	m.state = stateOpening
	m.mu.Unlock()
	backends, err := m.backends(c)
	none, err := m.configured(c, backends, err)
	if err != nil {
		for _, b := range backends {
			b.close()
		}
		return err
	}
	core := m.Core(CoreName)
	if none {
		core.Log(Warn, 0, "", "", "aimrt.log.backends lists no backend: further log lines are dropped")
		m.silent.Store(true)
	}
	if c.Log.EnableCrashLog {
		core.Log(Warn, 0, "", "", "aimrt.log.enable_crash_log has no effect: the library installs no signal handlers")
	}
	return nil
}

// configured puts the opened backends in place, or goes back after a failure.
func (m *Manager) configured(c *config.Config, backends []backend, failure error) (none bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.state != stateOpening:
		return false, errors.New("log component: Close called during Configure")
	case failure != nil:
		m.state = stateNew
		return false, failure
	}
	m.state = stateConfigured
	m.applyLevels(c)
	if m.queue.Load() != nil { // the host's sink
		return false, nil
	}
	if len(backends) == 0 {
		return true, nil
	}
	m.start(backends, int(min(c.GuardThread.QueueThreshold, 1<<30)), alarmInterval(c), m.placing(c))
	return false, nil
}

// placing gives what the log goroutine does first: it takes a thread for itself, with the name and place of the configuration; nil when the
// configuration has no such section. What the system refuses is a warning.
func (m *Manager) placing(c *config.Config) func() {
	t := c.GuardThread
	if m.options.PlaceThread == nil || !t.Self.Exists() {
		return nil
	}
	return func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := m.options.PlaceThread(t.Name, t.SchedPolicy, t.BindCPU); err != nil {
			m.Core(CoreName).Log(Warn, 0, "", "", "guard thread is not placed as configured: "+err.Error())
		}
	}
}

// alarmInterval is the least time between two reports of dropped lines. Negative
// means in AimRT that there is no report and no limit; here the limit stays.
func alarmInterval(c *config.Config) time.Duration {
	return time.Duration(max(c.GuardThread.ThresholdAlarmIntervalMS, 1)) * time.Millisecond
}

// backends decodes the options of every backend and, when the host has no sink of
// its own, opens them.
func (m *Manager) backends(c *config.Config) (opened []backend, err error) {
	var problems []error
	seen := map[string]bool{}
	for _, b := range c.Log.Backends {
		made, err := m.backend(b, seen)
		if err != nil {
			problems = append(problems, err)
		} else if made != nil {
			opened = append(opened, made)
		}
	}
	return opened, errors.Join(problems...)
}

func (m *Manager) backend(b config.LogBackend, seen map[string]bool) (backend, error) {
	host := m.queue.Load() != nil
	switch b.Type {
	case "console":
		o := defaultConsoleOptions()
		if err := b.Options.Decode(&o); err != nil {
			return nil, err
		}
		if seen[b.Type] {
			return nil, b.Self.Field("type").Errorf("log backend %q may be listed only once", b.Type)
		}
		seen[b.Type] = true
		if host {
			return nil, nil
		}
		return newConsole(o, m.options.Stdout, m.reportf), nil
	case "rotate_file":
		o := defaultRotateOptions()
		if err := b.Options.Decode(&o); err != nil {
			return nil, err
		}
		path := filepath.Join(o.Path, o.Filename)
		if seen[path] {
			return nil, b.Self.Errorf("log file %s is written by another backend already", path)
		}
		seen[path] = true
		if host {
			return nil, nil
		}
		made, err := newRotate(o, m.now, m.reportf)
		if err != nil {
			return nil, b.Options.Errorf("log file %s: %w", path, err)
		}
		return made, nil
	case "topic_logger":
		b.Options.Accept()
		b.Self.Warn("Ignored: '%s', channels are not part of this library!", b.Self.Path())
		return nil, nil
	}
	return nil, b.Self.Field("type").Unknown("log backend", b.Type, backendTypes)
}

// SetLevels applies the levels of a configuration that was read again.
func (m *Manager) SetLevels(c *config.Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applyLevels(c)
}

func (m *Manager) applyLevels(c *config.Config) {
	m.coreLvl, m.modLvl = c.Log.CoreLevel, c.Log.DefaultModuleLevel
	clear(m.levels)
	for i := range c.Module.Modules {
		mod := &c.Module.Modules[i]
		if _, earlier := m.levels[mod.Name]; mod.LogLevel != nil && !earlier {
			m.levels[mod.Name] = *mod.LogLevel
		}
	}
	for _, l := range m.loggers {
		l.level.Store(int32(m.levelOf(l)))
	}
}

func (m *Manager) levelOf(l *Logger) Level {
	if l.core {
		return m.coreLvl
	}
	if level, ok := m.levels[l.name]; ok {
		return level
	}
	return m.modLvl
}

// Core gives the logger of a part of the runtime or of a plugin; its level is core_lvl.
func (m *Manager) Core(name string) *Logger { return m.logger(name, true) }

// Module gives the logger of a module. The same name gives the same Logger.
func (m *Manager) Module(name string) *Logger { return m.logger(name, false) }

func (m *Manager) logger(name string, core bool) *Logger {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, ok := m.loggers[name]; ok {
		return l
	}
	l := &Logger{m: m, name: name, core: core, level: m.options.NewLevel()}
	l.level.Store(int32(m.levelOf(l)))
	m.loggers[name] = l
	return l
}

// Slog gives the Core logger of a name in the form that Go code uses.
func (m *Manager) Slog(name string) *slog.Logger {
	return slog.New(&handler{l: m.Core(name)})
}

// Levels gives the level of every logger that exists.
func (m *Manager) Levels() map[string]Level {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]Level, len(m.loggers))
	for name, l := range m.loggers {
		out[name] = Level(l.level.Load())
	}
	return out
}

// SetLevel changes the level of a logger. The error names the nearest logger
// when there is none of that name.
func (m *Manager) SetLevel(name string, level Level) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.loggers[name]
	if ok {
		l.level.Store(int32(level))
		return nil
	}
	known := make([]string, 0, len(m.loggers))
	for n := range m.loggers {
		known = append(known, n)
	}
	sort.Strings(known)
	if near := config.Nearest(name, known); near != "" {
		return fmt.Errorf("no logger %q, did you mean %q?", name, near)
	}
	return fmt.Errorf("no logger %q; known: %q", name, known)
}

// Backends gives the kinds that receive lines, for the initialization report.
func (m *Manager) Backends() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.kinds...)
}

// emit hands a complete record to the queue, or to stderr.
func (m *Manager) emit(r *Record) {
	if q := m.queue.Load(); q != nil {
		if q.add(r) != putClosed {
			return
		}
	} else if m.silent.Load() {
		return
	}
	m.writeStderr(r)
}

func (m *Manager) writeStderr(r *Record) {
	m.stderrMu.Lock()
	defer m.stderrMu.Unlock()
	line := append(m.fallback.append(nil, r), '\n')
	_, _ = m.options.Stderr.Write(line) // there is nowhere left to report a failure
}

// reportf tells about trouble with a backend, past all backends.
func (m *Manager) reportf(format string, args ...any) {
	m.writeStderr(&Record{Time: m.now(), Level: Error, Logger: CoreName, Text: fmt.Sprintf(format, args...)})
}

// Flush waits until every line logged before the call has been handed to the
// operating system, and tells whether that happened in time.
func (m *Manager) Flush(timeout time.Duration) bool {
	q := m.queue.Load()
	return q == nil || q.waitDone(timeout)
}

// Close writes what is queued, closes the backends and stops the goroutine. Later
// lines go to stderr. The error says that a backend still does not take its lines
// after MaxCloseWait; it is left behind then.
func (m *Manager) Close() error {
	m.mu.Lock()
	w := m.writer
	m.writer = nil
	m.state = stateClosed
	m.mu.Unlock()
	m.silent.Store(false)
	if w == nil {
		return nil
	}
	w.q.close()
	timer := time.NewTimer(m.closeWait)
	defer timer.Stop()
	select {
	case <-w.stopped:
		m.queue.Store(nil)
		return nil
	case <-timer.C:
		return fmt.Errorf("log component: a backend does not take its lines, given up after %v", m.closeWait)
	}
}
