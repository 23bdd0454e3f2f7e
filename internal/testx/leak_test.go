package testx

import "testing"

func TestFresh_GoroutineStartedLater_IsListedUntilItEnds(t *testing.T) {
	before := ids(dump())
	stop := make(chan struct{})
	started := make(chan struct{})
	go parked(started, stop)
	<-started
	if left := fresh(before); len(left) != 1 {
		t.Fatalf("%d fresh goroutines, want 1: %v", len(left), left)
	}
	close(stop)
	Eventually(t, "the parked goroutine to end", func() bool { return len(fresh(before)) == 0 })
}

func parked(started, stop chan struct{}) {
	close(started)
	<-stop
}
