package h2

import "time"

// meter counts what a peer does too much of: a burst is free, and a steady rate
// comes back with time. The clock is only read when the burst is used up.
type meter struct {
	left, burst int
	perSecond   int
	refilled    time.Time
}

func newMeter(burst, perSecond int, now time.Time) meter {
	return meter{left: burst, burst: burst, perSecond: perSecond, refilled: now}
}

// take counts one event; false means there were too many.
func (m *meter) take(now func() time.Time) bool {
	if m.left == 0 {
		t := now()
		m.left = int(min(int64(t.Sub(m.refilled))*int64(m.perSecond)/int64(time.Second), int64(m.burst)))
		if m.left == 0 {
			return false
		}
		m.refilled = t
	}
	m.left--
	return true
}

// earn gives back n events for work that makes them plausible.
func (m *meter) earn(n int) { m.left = min(m.left+n, m.burst) }
