package main

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestUsers_Close_WaitsForEverybody(t *testing.T) {
	t.Parallel()
	for range 200 {
		var u users
		var inside, after atomic.Int64
		var gone atomic.Bool
		var group sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			group.Go(func() {
				<-begin
				for u.enter() {
					inside.Add(1)
					if gone.Load() {
						after.Add(1)
					}
					inside.Add(-1)
					u.leave()
				}
			})
		}
		close(begin)
		u.close()
		gone.Store(true)
		if n := inside.Load(); n != 0 {
			t.Fatalf("%d are inside after close", n)
		}
		group.Wait()
		if after.Load() != 0 {
			t.Fatal("somebody came in after close")
		}
		if u.enter() {
			t.Fatal("enter works after close")
		}
	}
}
