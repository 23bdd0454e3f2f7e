package main

import "sync/atomic"

// users counts the threads that work on the C objects of a runtime, so that a release waits for them. The zero value is open.
type users struct {
	count atomic.Int64
	idle  atomic.Pointer[chan struct{}]
}

// closedMark is added to the count by close; entering never brings it above zero again.
const closedMark = -1 << 32

// enter is false when the objects are going or gone.
func (u *users) enter() bool {
	if u.count.Add(1) > 0 {
		return true
	}
	u.leave()
	return false
}

// leave follows each enter that was true.
func (u *users) leave() {
	if u.count.Add(-1) != closedMark {
		return
	}
	if idle := u.idle.Load(); idle != nil {
		select {
		case *idle <- struct{}{}:
		default:
		}
	}
}

// close lets nobody in any more and returns when everybody has left. Once.
func (u *users) close() {
	idle := make(chan struct{}, 1)
	u.idle.Store(&idle)
	for n := u.count.Add(closedMark); n != closedMark; n = u.count.Load() {
		<-idle
	}
}
