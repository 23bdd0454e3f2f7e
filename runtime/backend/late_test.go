package backend_test

import (
	"testing"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/rpc"
)

func TestLate_SameTargetAndTimeout_KeepsTheStatus(t *testing.T) {
	var late backend.Late
	made := 0
	for _, tt := range []struct {
		target  string
		timeout time.Duration
		made    int
	}{{"", time.Second, 1}, {"", time.Second, 1}, {"http://a", time.Second, 2}, {"http://a", time.Minute, 3}, {"http://a", time.Minute, 3}, {"", time.Second, 4}} {
		status := late.Status(tt.target, tt.timeout, func() rpc.Status {
			made++
			return rpc.Statusf(rpc.CodeTimeout, "%s %v", tt.target, tt.timeout)
		})
		if want := tt.target + " " + tt.timeout.String(); status.Message() != want || made != tt.made {
			t.Errorf("%v has the status %v, the %dth", tt, status, made)
		}
	}
	if n := testing.AllocsPerRun(100, func() { late.Status("", time.Second, func() rpc.Status { return rpc.OK }) }); n != 0 {
		t.Errorf("%v allocations for a status that is known", n)
	}
}
