// Package testx holds helpers for tests: waiting on conditions and finding
// goroutines that outlive what started them. Only _test files import it.
package testx

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"
)

// modulePath marks a frame as ours in a stack dump.
const modulePath = "aimrtrpc/"

// patience bounds every wait; a condition that needs longer is a failure.
const patience = 10 * time.Second

// Eventually waits until cond is true and fails the test when that takes too
// long. what completes the sentence "waited for ...".
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !within(patience, cond) {
		t.Fatalf("waited %v for %s", patience, what)
	}
}

// NoLeaks fails the test when goroutines with a frame of this module, started
// after this call, are still there once the test and its later cleanups ended.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := ids(dump())
	t.Cleanup(func() {
		var left []string
		if !within(patience, func() bool { left = fresh(before); return len(left) == 0 }) {
			t.Errorf("%d goroutines outlived the test:\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

func within(limit time.Duration, cond func() bool) bool {
	if cond() {
		return true
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		select {
		case <-tick.C:
			if cond() {
				return true
			}
		case <-end.C:
			return cond()
		}
	}
}

// fresh lists the stacks of module goroutines that are not in before. The
// caller's own goroutine and test functions are not leaks.
func fresh(before map[string]bool) []string {
	var left []string
	for _, g := range dump()[1:] {
		id := goroutineID(g)
		if before[id] || !strings.Contains(g, modulePath) || strings.Contains(g, "testing.(*T).Run(") || strings.Contains(g, "testing.tRunner") {
			continue
		}
		left = append(left, g)
	}
	return left
}

func dump() []string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		if n < size {
			return strings.Split(string(bytes.TrimSpace(buf[:n])), "\n\n")
		}
	}
}

func ids(stacks []string) map[string]bool {
	out := make(map[string]bool, len(stacks))
	for _, g := range stacks {
		out[goroutineID(g)] = true
	}
	return out
}

// goroutineID is the "goroutine 12" part of a stack's first line.
func goroutineID(stack string) string {
	id, _, _ := strings.Cut(stack, " [")
	return id
}
