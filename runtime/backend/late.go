package backend

import (
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/rpc"
)

// Late keeps how the calls of one method end whose timeout passes. It is asked before each call, and most calls of a method have one target
// and one timeout, so the last status is kept. The zero value is usable.
type Late struct{ last atomic.Pointer[lateStatus] }

type lateStatus struct {
	target  string
	timeout time.Duration
	status  rpc.Status
}

// Status is that of calls with a target and a timeout; newStatus makes it when it is not the one that was asked for last.
func (l *Late) Status(target string, timeout time.Duration, newStatus func() rpc.Status) rpc.Status {
	if s := l.last.Load(); s != nil && s.target == target && s.timeout == timeout {
		return s.status
	}
	s := &lateStatus{target: target, timeout: timeout, status: newStatus()}
	l.last.Store(s)
	return s.status
}
