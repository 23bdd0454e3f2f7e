package logging

import (
	"io"
	"testing"
	"time"
)

func benchManager(b *testing.B) *Manager {
	m := New(Options{Stdout: io.Discard, Stderr: io.Discard})
	b.Cleanup(func() { _ = m.Close() })
	if err := m.Configure(load(b, "aimrt: {log: {backends: [{type: console}]}}")); err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkLog_FilteredOut(b *testing.B) {
	l := benchManager(b).Module("m")
	b.ReportAllocs()
	for b.Loop() {
		l.Log(Debug, 1, "file.cpp", "Run", "a line of about fifty characters, not written")
	}
}

func BenchmarkLog_Emitted(b *testing.B) {
	m := benchManager(b)
	l := m.Module("m")
	b.ReportAllocs()
	for b.Loop() {
		l.Log(Info, 1, "file.cpp", "Run", "a line of about fifty characters, is written")
	}
	m.Flush(time.Minute)
}

func BenchmarkSlog_Emitted(b *testing.B) {
	m := benchManager(b)
	log := m.Slog("core")
	b.ReportAllocs()
	for b.Loop() {
		log.Info("a line", "n", 1, "name", "value")
	}
	m.Flush(time.Minute)
}

func TestLog_FilteredOut_DoesNotAllocate(t *testing.T) {
	m, _, _ := manager(t, Options{Sink: func(*Record) {}})
	l := m.Module("m")
	_ = m.SetLevel("m", Warn)
	if n := testing.AllocsPerRun(100, func() { l.Log(Info, 1, "f", "g", "x") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
