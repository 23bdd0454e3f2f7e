// Package guard starts goroutines that cannot take the host process down.
//
// A panic in a goroutine that no export is on would end the whole robot
// program, so every goroutine of the runtime starts here. Nothing in this
// package knows about RPC; any package may import it.
package guard

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Report receives a recovered panic. place names the goroutine or export, stack
// is the text of debug.Stack at the point of recovery.
type Report func(place string, value any, stack []byte)

var (
	live   atomic.Int64
	report atomic.Pointer[Report]

	seenMu sync.Mutex
	seen   = map[string]uint64{}
)

// SetReport installs the receiver of recovered panics; nil removes it. Any thread.
func SetReport(r Report) {
	if r == nil {
		report.Store(nil)
		return
	}
	report.Store(&r)
}

// Go runs f in a new goroutine under the given name. A panic in f is recovered,
// counted and reported; the goroutine then ends.
func Go(name string, f func()) {
	live.Add(1)
	go func() {
		defer live.Add(-1)
		defer Recover(name)
		f()
	}()
}

// Live is the number of goroutines started by Go that have not ended.
func Live() int64 { return live.Load() }

// Recover is deferred around code that must not unwind further. It reports the
// stack of a place once and counts the rest.
func Recover(place string) {
	if value := recover(); value != nil {
		Caught(place, value)
	}
}

// Caught records a panic value that the caller has recovered itself.
func Caught(place string, value any) {
	seenMu.Lock()
	seen[place]++
	first := seen[place] == 1
	seenMu.Unlock()
	r := report.Load()
	if r == nil {
		return
	}
	var stack []byte
	if first {
		stack = debug.Stack()
	}
	(*r)(place, value, stack)
}

// Panics is the number of panics recovered per place so far.
func Panics() map[string]uint64 {
	seenMu.Lock()
	defer seenMu.Unlock()
	out := make(map[string]uint64, len(seen))
	for k, v := range seen {
		out[k] = v
	}
	return out
}

// Error turns a recovered panic value into an error.
func Error(place string, value any) error {
	return fmt.Errorf("panic in %s: %v", place, value)
}
