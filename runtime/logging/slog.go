package logging

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"unicode"
)

// handler lets slog write through a Logger: the message, then key=value pairs.
type handler struct {
	l      *Logger
	attrs  string // formatted, each with a leading blank
	prefix string // of the open groups, "a.b."
}

// levelOf maps slog's levels, with the room between them, to AimRT's.
func levelOf(l slog.Level) Level {
	switch {
	case l < slog.LevelDebug:
		return Trace
	case l < slog.LevelInfo:
		return Debug
	case l < slog.LevelWarn:
		return Info
	case l < slog.LevelError:
		return Warn
	case l < slog.LevelError+4:
		return Error
	}
	return Fatal
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return h.l.Enabled(levelOf(l)) }

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	out := Record{Time: r.Time, Level: levelOf(r.Level)}
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		out.File, out.Line = frame.File, uint32(frame.Line)
		out.Function = frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
	}
	text := append([]byte(r.Message), h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		text = appendAttr(text, h.prefix, a)
		return true
	})
	out.Text = string(text)
	h.l.Write(out)
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var text []byte
	for _, a := range attrs {
		text = appendAttr(text, h.prefix, a)
	}
	return &handler{l: h.l, attrs: h.attrs + string(text), prefix: h.prefix}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{l: h.l, attrs: h.attrs, prefix: h.prefix + name + "."}
}

func appendAttr(b []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return b
	}
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, g := range v.Group() {
			b = appendAttr(b, prefix, g)
		}
		return b
	}
	b = append(b, ' ')
	b = append(b, prefix...)
	b = append(b, a.Key...)
	b = append(b, '=')
	text := v.String()
	if needsQuotes(text) {
		return strconv.AppendQuote(b, text)
	}
	return append(b, text...)
}

// needsQuotes tells whether a value would be hard to read, or could be taken for
// more than one.
func needsQuotes(s string) bool {
	if s == "" {
		return true
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r == '"' || r == '=' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) >= 0
}
