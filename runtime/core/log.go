package core

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/config"
)

// LogSink receives log lines.
type LogSink interface {
	Write(logger string, level config.LogLevel, at time.Time, text string)
}

// logging is the log of one runtime.
type logging struct {
	sink LogSink

	mu     sync.Mutex // guards levels
	levels map[string]*atomic.Int32
}

func (l *logging) of(name string) *atomic.Int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.levels[name]
	if n == nil {
		n = &atomic.Int32{}
		l.levels[name] = n
	}
	return n
}

func (l *logging) module(name string, level config.LogLevel) *slog.Logger {
	n := l.of(name)
	n.Store(int32(level))
	return slog.New(&logHandler{logs: l, name: name, lowest: n})
}

func (l *logging) level(name string) config.LogLevel {
	if l == nil {
		return config.LogOff
	}
	return config.LogLevel(l.of(name).Load())
}

type logHandler struct {
	logs   *logging
	name   string
	lowest *atomic.Int32
	attrs  string
}

func aimrtLevel(l slog.Level) config.LogLevel {
	switch {
	case l >= slog.LevelError:
		return config.LogError
	case l >= slog.LevelWarn:
		return config.LogWarn
	case l >= slog.LevelInfo:
		return config.LogInfo
	}
	return config.LogDebug
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return int32(aimrtLevel(l)) >= h.lowest.Load()
}

func (h *logHandler) Handle(_ context.Context, rec slog.Record) error {
	text := rec.Message
	rec.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.logs.sink.Write(h.name, aimrtLevel(rec.Level), rec.Time, text+h.attrs)
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	d := *h
	for _, a := range attrs {
		d.attrs += " " + a.String()
	}
	return &d
}

func (h *logHandler) WithGroup(string) slog.Handler { return h }

type stdout struct{ mu sync.Mutex }

func (s *stdout) Write(logger string, level config.LogLevel, at time.Time, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = os.Stdout.WriteString("[" + at.Format("2006-01-02 15:04:05.000000") + "][" + level.String() + "][" + logger + "]" + text + "\n")
}

func (r *Runtime) openLog(c *config.Config) error {
	sink := r.options.Log
	if sink == nil {
		sink = &stdout{}
	}
	r.logs = &logging{sink: sink, levels: map[string]*atomic.Int32{}}
	r.log = r.logs.module("core", c.Log.CoreLevel)
	return nil
}

func (r *Runtime) closeLog() {}

func (l *logging) setLevel(name string, level config.LogLevel) { l.of(name).Store(int32(level)) }
