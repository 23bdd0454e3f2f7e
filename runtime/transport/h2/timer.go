package h2

import "time"

// drainPing asks whether the peer has seen the first GOAWAY.
var drainPing = [8]byte{'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'}

// keepalivePing asks whether the peer is alive.
var keepalivePing = [8]byte{'a', 'l', 'i', 'v', 'e', '?'}

func (c *conn) now() time.Time { return time.Now() }

// arm has tick run at t or before. A connection has one timer; streams with a
// deadline only move it when theirs is the earliest, which is rare. mu is held.
func (c *conn) arm(t time.Time) {
	if c.done || !c.timerAt.IsZero() && !t.Before(c.timerAt) {
		return
	}
	c.timerAt = t
	wait := max(time.Until(t), 0)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.tick)
		return
	}
	c.timer.Reset(wait)
}

// tick looks after everything that time ends, and arms itself for the next.
func (c *conn) tick() {
	protect("h2 timer", func() {
		c.ticking.Lock()
		defer c.ticking.Unlock()
		c.mu.Lock()
		if c.done {
			c.mu.Unlock()
			return
		}
		c.timerAt = time.Time{}
		now := time.Now()
		var next earliest
		c.checkStart(now, &next)
		c.checkIdle(now, &next)
		c.checkAlive(now, &next)
		c.checkStreams(now, &next)
		if !c.drainAt.IsZero() && next.due(c.drainAt, now) {
			c.drainAt = time.Time{}
			c.finalGoAway()
		}
		if !next.at.IsZero() {
			c.arm(next.at)
		}
		c.unlockFlush()
	})
}

// earliest collects the next moment at which anything is due.
type earliest struct{ at time.Time }

// due reports whether t has come, and notes it otherwise.
func (e *earliest) due(t, now time.Time) bool {
	if !now.Before(t) {
		return true
	}
	if e.at.IsZero() || t.Before(e.at) {
		e.at = t
	}
	return false
}

// checkStart ends a connection whose peer is slow to begin, or to end a header
// block.
func (c *conn) checkStart(now time.Time, next *earliest) {
	limit := c.lim.ReadHeaderTimeout
	if limit <= 0 {
		return
	}
	if !c.acked && next.due(c.began.Add(limit), now) {
		c.quit(broken(codeSettings, "no SETTINGS, or no acknowledgement of ours, within %v", limit))
	}
	if since := c.headSince.Load(); since != 0 && next.due(c.began.Add(time.Duration(since)+limit), now) {
		c.quit(broken(CodeCalmDown, "header block not complete within %v", limit))
	}
}

func (c *conn) checkIdle(now time.Time, next *earliest) {
	if len(c.streams) > 0 || c.working > 0 || c.lim.IdleTimeout <= 0 {
		return
	}
	if next.due(c.idleSince.Add(c.lim.IdleTimeout), now) {
		c.quit(errIdle)
	}
}

// checkAlive pings a peer that is silent while streams are open.
func (c *conn) checkAlive(now time.Time, next *earliest) {
	c.aliveArmed = c.lim.KeepaliveTime > 0 && len(c.streams) > 0
	if !c.aliveArmed {
		c.pingAt = time.Time{}
		return
	}
	heard := c.began.Add(time.Duration(c.lastRead.Load()))
	if !c.pingAt.IsZero() && heard.After(c.pingAt) {
		c.pingAt = time.Time{}
	}
	if !c.pingAt.IsZero() {
		if next.due(c.pingAt.Add(c.lim.KeepaliveTimeout), now) {
			c.quit(errKeepalive)
		}
		return
	}
	if next.due(heard.Add(c.lim.KeepaliveTime), now) {
		c.pingAt = now
		c.out = appendPing(c.out, keepalivePing, false)
		next.due(now.Add(c.lim.KeepaliveTimeout), now)
	}
}

// checkStreams ends streams whose deadline has passed or whose peer neither
// sends what it owes nor takes what it asked for.
func (c *conn) checkStreams(now time.Time, next *earliest) {
	c.stallArmed = false
	for _, s := range c.streams {
		if !s.deadline.IsZero() && next.due(s.deadline, now) {
			c.reset(s, CodeCancel, ErrTimeout)
			continue
		}
		if c.lim.StallTimeout <= 0 || !c.owes(s) {
			s.markAt = time.Time{}
			continue
		}
		if s.markAt.IsZero() || s.moved != s.markMoved {
			s.markAt, s.markMoved = now, s.moved
		}
		c.stallArmed = true
		if next.due(s.markAt.Add(c.lim.StallTimeout), now) {
			c.reset(s, CodeCancel, malformed(CodeCancel, "no byte moved within StallTimeout (%v)", c.lim.StallTimeout))
		}
	}
}

// owes reports whether it is the peer's turn: to finish a body, or to take a
// complete answer.
func (c *conn) owes(s *Stream) bool {
	return c.server && s.mode == modeCollect && !s.gotEnd() || s.ending && s.waiting() > 0
}

// drain announces the end: the peer opens no more streams, those that are open
// go on.
func (c *conn) drain() {
	c.mu.Lock()
	if c.draining || c.done {
		c.unlock()
		return
	}
	c.draining = true
	if c.server {
		c.out = appendGoAway(c.out, maxWindow, CodeNone, "")
		c.out = appendPing(c.out, drainPing, false)
		c.drainAt = c.now().Add(drainPause)
		c.arm(c.drainAt)
	} else {
		c.maybeIdle()
	}
	c.unlockFlush()
}

// finalGoAway names the last stream that will be served. mu is held.
func (c *conn) finalGoAway() {
	if c.final {
		return
	}
	c.final = true
	c.out = appendGoAway(c.out, c.lastPeer, CodeNone, "")
	c.maybeIdle()
}

// armStall has tick look at the streams in time to notice one that stalls. mu
// is held.
func (c *conn) armStall() {
	if c.lim.StallTimeout > 0 && !c.stallArmed {
		c.stallArmed = true
		c.arm(c.now().Add(c.lim.StallTimeout))
	}
}

// armAlive has tick look whether the peer is alive while streams are open. mu
// is held.
func (c *conn) armAlive() {
	if c.lim.KeepaliveTime > 0 && !c.aliveArmed {
		c.aliveArmed = true
		c.arm(c.now().Add(c.lim.KeepaliveTime))
	}
}
