package testx

import (
	"log/slog"
	"strings"
	"sync"
)

// Log collects what is logged. The zero value is empty and usable.
type Log struct {
	mu   sync.Mutex // guards what follows
	text strings.Builder
}

// Write adds to the text.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that has been logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Logger writes into the log, from level Info.
func (l *Log) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
