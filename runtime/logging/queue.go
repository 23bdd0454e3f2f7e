package logging

import (
	"sync"
	"time"
)

// Limits of the queue between callers and the writing goroutine.
const (
	DefaultMaxRecords = 10_000   // aimrt.guard_thread.queue_threshold
	MaxQueuedBytes    = 64 << 20 // texts and names of queued records
	MaxTextBytes      = 1 << 20  // a longer text is cut
	MaxPutWait        = 10 * time.Millisecond
)

type putResult uint8

const (
	putDone putResult = iota
	putDropped
	putClosed
)

// queue takes records from any thread and gives them to one goroutine in batches.
type queue struct {
	wake chan struct{} // one token: there is something to take

	mu         sync.Mutex // guards everything below
	records    []Record
	bytes      int
	maxRecords int
	dropped    uint64        // since the last report
	space      chan struct{} // closed when a batch has been taken; nil = nobody waits
	put        uint64        // records ever put
	done       uint64        // records ever written
	idle       chan struct{} // closed when done reaches a count; see waitDone
	closed     bool
}

func newQueue(maxRecords int) *queue {
	return &queue{wake: make(chan struct{}, 1), maxRecords: max(maxRecords, 1)}
}

// add puts a record, waiting up to MaxPutWait for space.
func (q *queue) add(r *Record) putResult {
	size := r.size()
	var timer *time.Timer
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return putClosed
		}
		if len(q.records) < q.maxRecords && (q.bytes+size <= MaxQueuedBytes || len(q.records) == 0) {
			q.records = append(q.records, *r)
			q.bytes += size
			q.put++
			first := len(q.records) == 1
			q.mu.Unlock()
			if first {
				q.signal()
			}
			return putDone
		}
		if q.space == nil {
			q.space = make(chan struct{})
		}
		space := q.space
		q.mu.Unlock()
		if timer == nil {
			timer = time.NewTimer(MaxPutWait)
			defer timer.Stop()
		}
		select {
		case <-space:
		case <-timer.C:
			q.mu.Lock()
			q.dropped++
			q.mu.Unlock()
			q.signal()
			return putDropped
		}
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take gives all queued records and takes over an empty slice to fill next.
func (q *queue) take(empty []Record) []Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := q.records
	q.records, q.bytes = empty[:0], 0
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
	return batch
}

// written tells that n more records have been written and flushed.
func (q *queue) written(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done += uint64(n)
	if q.idle != nil {
		close(q.idle)
		q.idle = nil
	}
}

// waitDone waits until everything put before the call has been written.
func (q *queue) waitDone(timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	q.mu.Lock()
	target := q.put
	for q.done < target {
		if q.idle == nil {
			q.idle = make(chan struct{})
		}
		idle := q.idle
		q.mu.Unlock()
		select {
		case <-idle:
		case <-timer.C:
			return false
		}
		q.mu.Lock()
	}
	q.mu.Unlock()
	return true
}

// takeDropped gives the number of drops since it was last asked, and whether the
// queue is empty now.
func (q *queue) takeDropped() (n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, q.dropped = q.dropped, 0
	return n
}

// close refuses further records. What is queued can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
