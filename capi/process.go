package main

/*
#include "front.h"
#include "guards.h"
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"aimrtrpc/internal/guard"
)

// houseInterval is how often signal handlers that lack SA_ONSTACK are looked for, and log levels are brought to C.
const houseInterval = time.Second

// process is what all runtimes of the process share: the housekeeping and the way out of a signal handler.
var process housekeeping

// housekeeping runs two goroutines while a runtime is alive.
type housekeeping struct {
	mu    sync.Mutex // guards what follows
	users int
	stop  chan struct{}
	file  *os.File
	group sync.WaitGroup
}

// enter counts a runtime; the first one starts the goroutines.
func (p *housekeeping) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users > 0 {
		p.users++
		return nil
	}
	C.front_guards_install_exit_hook()
	guard.SetReport(reportPanic)
	fd := C.front_guards_signal_fd()
	if fd < 0 {
		return failf(C.AIMRT_RPC_RESULT_IO, "the system gives no event descriptor")
	}
	own, err := syscall.Dup(int(fd))
	if err != nil {
		return failf(C.AIMRT_RPC_RESULT_IO, "duplicate the event descriptor: %w", err)
	}
	syscall.CloseOnExec(own)
	p.users = 1
	p.stop = make(chan struct{})
	p.file = os.NewFile(uintptr(own), "aimrt_rpc shutdown event") // non-blocking, so Go waits for it without a thread
	p.group.Add(2)
	stop, file := p.stop, p.file
	guard.Go("capi: housekeeping", func() { defer p.group.Done(); keepHouse(stop) })
	guard.Go("capi: shutdown events", func() { defer p.group.Done(); readEvents(file) })
	return nil
}

// leave ends the goroutines with the last runtime.
func (p *housekeeping) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users--
	if p.users > 0 {
		return
	}
	close(p.stop)
	_ = p.file.Close() // ends the reader; the counter itself is C's
	p.group.Wait()
}

// keepHouse repairs signal handlers that the host installed after the library was loaded, and shows C the log levels that somebody set
// while running.
func keepHouse(stop <-chan struct{}) {
	ticker := time.NewTicker(houseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			C.front_guards_fix_onstack()
			runtimes.Range(func(_ uint64, r *runtimeObject) bool {
				r.mirrorLogLevels()
				return true
			})
		case <-stop:
			return
		}
	}
}

// readEvents runs the shutdowns that aimrt_rpc_runtime_shutdown asks for. First the counter is emptied, then the bits are taken, so that
// none is missed.
func readEvents(file *os.File) {
	var counter [8]byte
	for {
		if _, err := file.Read(counter[:]); err != nil {
			return
		}
		raised := uint64(C.front_guards_take())
		runtimes.Range(func(_ uint64, r *runtimeObject) bool {
			if raised&(1<<r.index) != 0 {
				r.shutDownSoon()
			}
			return true
		})
	}
}

// reportPanic logs a contained panic in every runtime; its stack comes with the first of a place.
func reportPanic(place string, value any, stack []byte) {
	runtimes.Range(func(_ uint64, r *runtimeObject) bool {
		if stack == nil {
			r.logger().Error("a panic was contained again", "place", place, "panic", fmt.Sprint(value))
		} else {
			r.logger().Error("a panic was contained", "place", place, "panic", fmt.Sprint(value), "stack", string(stack))
		}
		return true
	})
}
