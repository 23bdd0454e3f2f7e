package logging

import (
	"strconv"
	"time"

	"aimrtrpc/internal/guard"
)

// writer is the goroutine behind the queue.
type writer struct {
	q        *queue
	backends []backend
	alarm    time.Duration // least time between two reports of drops under load
	now      func() time.Time
	first    func() // on the goroutine, before anything else; nil for nothing
	stopped  chan struct{}

	lastAlarm time.Time
	lastSync  time.Time
	every     time.Duration // shortest sync interval, 0 = none
}

func startWriter(q *queue, backends []backend, alarm time.Duration, now func() time.Time, first func()) *writer {
	w := &writer{q: q, backends: backends, alarm: alarm, now: now, first: first, stopped: make(chan struct{}), lastSync: now()}
	w.every = w.shortestSync()
	guard.Go("log writer", w.run)
	return w
}

func (w *writer) run() {
	defer close(w.stopped)
	if w.first != nil {
		w.safely(w.first)
	}
	var ticks <-chan time.Time
	if w.every > 0 {
		ticker := time.NewTicker(w.every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	var spare []Record
	for {
		closed := w.q.isClosed() // before take: nothing is added after that
		batch := w.q.take(spare)
		spare = batch // the queue has the other one now, so this one is free once written
		if len(batch) == 0 {
			if n := w.q.takeDropped(); n > 0 {
				w.step(nil, n)
			}
			if closed {
				break
			}
			select {
			case <-w.q.wake:
			case <-ticks:
				w.syncAll()
			}
			continue
		}
		var dropped uint64
		if w.now().Sub(w.lastAlarm) >= w.alarm {
			dropped = w.q.takeDropped()
		}
		w.step(batch, dropped)
		if w.every > 0 && w.now().Sub(w.lastSync) >= w.every {
			w.syncAll()
		}
		w.q.written(len(batch))
		clear(batch)
	}
	for _, b := range w.backends {
		w.safely(b.close)
	}
}

// step writes one batch and a report of drops.
func (w *writer) step(batch []Record, dropped uint64) {
	for _, b := range w.backends {
		w.safely(func() {
			for i := range batch {
				b.write(&batch[i])
			}
			if dropped > 0 {
				b.write(w.dropReport(dropped))
			}
			b.flush()
		})
	}
	if dropped > 0 {
		w.lastAlarm = w.now()
	}
}

func (w *writer) dropReport(n uint64) *Record {
	return &Record{Time: w.now(), Level: Warn, Logger: CoreName,
		Text: strconv.FormatUint(n, 10) + " log lines dropped: the queue of " + strconv.Itoa(w.q.maxRecords) + " lines was full"}
}

// safely keeps the goroutine alive when a backend panics; the rest of its batch is lost.
func (w *writer) safely(f func()) {
	defer guard.Recover("log backend")
	f()
}

func (w *writer) shortestSync() time.Duration {
	var least time.Duration
	for _, b := range w.backends {
		if d := b.syncEvery(); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// syncAll syncs at the shortest interval; the other backends sync more often than
// they asked for.
func (w *writer) syncAll() {
	w.lastSync = w.now()
	for _, b := range w.backends {
		if b.syncEvery() > 0 {
			w.safely(b.sync)
		}
	}
}
