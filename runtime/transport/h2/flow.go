package h2

import "golang.org/x/net/http2"

// Everything here runs with conn.mu held.

// dataFrameMost bounds our DATA frames whatever the peer allows, so that many
// streams share a connection evenly.
const dataFrameMost = 64 << 10

// push sends prefix and data, borrowed until the caller owns what is left.
func (c *conn) push(s *Stream, prefix, data []byte) {
	if s.waiting() > 0 {
		s.store(prefix, data)
		return
	}
	if s.owned {
		putBody(s.buf)
	}
	s.prefix, s.buf, s.off, s.owned = prefix, data, 0, false
	c.serve(s)
}

// serve sends what the windows admit and puts the stream in line for the rest.
func (c *conn) serve(s *Stream) {
	if s.queued {
		return
	}
	if c.readyFirst == nil {
		for len(c.out) < outLimitBytes && c.emit(s) {
		}
	}
	c.line(s)
}

// line puts a stream that could send into the ready queue.
func (c *conn) line(s *Stream) {
	rest := s.waiting()
	if s.queued || s.sentEnd() || rest > 0 && s.sendWindow <= 0 || rest == 0 && !s.ending {
		return
	}
	s.queued, s.next = true, nil
	if c.readyLast == nil {
		c.readyFirst = s
	} else {
		c.readyLast.next = s
	}
	c.readyLast = s
}

// unline takes a stream out of the ready queue.
func (c *conn) unline(s *Stream) {
	if !s.queued {
		return
	}
	var before *Stream
	for at := c.readyFirst; at != s; at = at.next {
		before = at
	}
	if before == nil {
		c.readyFirst = s.next
	} else {
		before.next = s.next
	}
	if c.readyLast == s {
		c.readyLast = before
	}
	s.queued, s.next = false, nil
}

// pump moves waiting data into the output, one frame per stream in turn.
func (c *conn) pump() {
	for c.readyFirst != nil && len(c.out) < outLimitBytes {
		s := c.readyFirst
		if s.waiting() > 0 && c.sendWindow <= 0 && !s.sentEnd() {
			return // the connection's window is used up; the order is kept
		}
		c.readyFirst, s.next = s.next, nil
		if c.readyFirst == nil {
			c.readyLast = nil
		}
		s.queued = false
		c.emit(s)
		c.line(s)
	}
}

// emit appends one DATA frame, or the end of the stream; false means that
// nothing more can be done now.
func (c *conn) emit(s *Stream) bool {
	if s.sentEnd() {
		return false
	}
	rest := s.waiting()
	n := int(min(int64(rest), s.sendWindow, c.sendWindow, int64(min(c.peerFrame, dataFrameMost))))
	if rest > 0 && n <= 0 || rest == 0 && !s.ending {
		return false
	}
	last := n == rest && s.ending
	if rest > 0 || s.trailer == nil {
		flags := http2.Flags(0)
		if last && s.trailer == nil {
			flags = http2.FlagDataEndStream
		}
		c.out = appendFrame(c.out, n, http2.FrameData, flags, s.id)
		c.appendData(s, n)
	}
	if n == rest {
		c.emptied(s)
	}
	if last {
		if s.trailer != nil {
			c.headerBlock(s.id, s.trailer, true)
			s.trailer = nil
		}
		c.localEnd(s)
	}
	return !last
}

func (c *conn) appendData(s *Stream, n int) {
	c.sendWindow -= int64(n)
	s.sendWindow -= int64(n)
	s.moved += uint64(n)
	c.sentFrames++
	head := min(n, len(s.prefix))
	c.out = append(c.out, s.prefix[:head]...)
	s.prefix = s.prefix[head:]
	c.out = append(c.out, s.buf[s.off:s.off+n-head]...)
	s.off += n - head
	if s.onWritable != nil && s.waiting() < s.sendLimit/2 {
		c.later(s.onWritable)
		s.onWritable = nil
	}
}

// emptied gives back the send buffer.
func (c *conn) emptied(s *Stream) {
	c.later(s.dropSend())
	if s.onWritable != nil {
		c.later(s.onWritable)
		s.onWritable = nil
	}
}

// headerBlock appends an encoded header list.
func (c *conn) headerBlock(id uint32, block []byte, end bool) {
	c.out = appendHeaders(c.out, id, block, end, c.shrink, c.peerFrame)
	c.shrink = false
}

func (c *conn) localEnd(s *Stream) {
	s.move(evLocalEnd)
	if s.state == stateClosed {
		c.remove(s, false)
		return
	}
	if c.server {
		// The answer is complete and the request is not: nobody reads the rest.
		c.out = appendRST(c.out, s.id, CodeNone)
		c.discard(s, ErrAnswered)
		s.move(evReset)
		c.remove(s, true)
	}
}

// discard ends the receiving half without its end.
func (c *conn) discard(s *Stream, err error) {
	c.dropBody(s)
	if s.finishReceiving(err) {
		c.later(s.deliver)
	}
}

// answered counts an exchange as done by its handler.
func (c *conn) answered(s *Stream) {
	if !s.counted {
		return
	}
	s.counted = false
	c.working--
	c.uncharge(s)
	putBody(s.whole)
	s.whole = nil
	c.maybeIdle()
}

// remove forgets a stream that is closed. ours tells that frames for it may
// still be on their way because we reset it.
func (c *conn) remove(s *Stream, ours bool) {
	delete(c.streams, s.id)
	c.noteClosed(s.id, ours)
	c.freedOne = true
	c.maybeIdle()
}

// maybeIdle notes when the connection has nothing to do.
func (c *conn) maybeIdle() {
	if len(c.streams) > 0 || c.working > 0 || c.done {
		return
	}
	if c.draining && (c.final || !c.server) {
		c.quit(errDrained)
		return
	}
	c.idleSince = c.now()
	if c.lim.IdleTimeout > 0 {
		c.arm(c.idleSince.Add(c.lim.IdleTimeout))
	}
}

// kill ends a stream before its time, without a frame.
func (c *conn) kill(s *Stream, err error) {
	if s.state == stateClosed {
		return
	}
	s.move(evReset)
	c.later(s.dropSend())
	s.trailer, s.onWritable = nil, nil
	c.unline(s)
	c.giveBackHeld(s)
	c.remove(s, false)
	user := s.user
	c.later(func() { user.killed(err) })
	c.discard(s, err)
}

// reset is kill with a RST_STREAM.
func (c *conn) reset(s *Stream, code ErrCode, err error) {
	if s.state == stateClosed {
		return
	}
	c.out = appendRST(c.out, s.id, code)
	c.kill(s, err)
	c.noteClosed(s.id, true)
}

// dropBody forgets what was collected so far.
func (c *conn) dropBody(s *Stream) {
	if s.whole == nil {
		c.uncharge(s)
	}
	putBody(s.body)
	s.body = nil
}

// uncharge takes a collected body off MaxBuffered. It counts for as long as
// somebody holds it.
func (c *conn) uncharge(s *Stream) {
	c.buffered -= s.charged
	s.charged = 0
}

// giveBackHeld is the credit for what a Receiver got and has not consumed.
func (c *conn) giveBackHeld(s *Stream) {
	c.credit(s.held)
	s.held = 0
}

// credit gives back n bytes of the connection's receive window.
func (c *conn) credit(n int) {
	c.recvCredit += n
	if c.recvCredit >= min(creditBytes, c.lim.ConnWindow/2) && !c.done {
		c.out = appendWindowUpdate(c.out, 0, c.recvCredit)
		c.recvWindow += int64(c.recvCredit)
		c.recvCredit = 0
	}
}

// creditStream is credit for one stream.
func (c *conn) creditStream(s *Stream, n int) {
	s.recvCredit += n
	if s.recvCredit >= max(1, min(creditBytes, c.lim.StreamWindow/2)) && !c.done {
		c.out = appendWindowUpdate(c.out, s.id, s.recvCredit)
		s.recvWindow += int64(s.recvCredit)
		s.recvCredit = 0
	}
}

// windowUpdate is the peer's.
func (c *conn) windowUpdate(id uint32, n int64) error {
	if id == 0 {
		if c.sendWindow+n > maxWindow {
			return broken(codeFlow, "WINDOW_UPDATE %d takes the connection's window beyond 2^31-1", n)
		}
		c.sendWindow += n
		return nil
	}
	s := c.streams[id]
	if s == nil {
		if c.isIdle(id) {
			return broken(CodeProtocol, "WINDOW_UPDATE on idle stream %d", id)
		}
		return nil
	}
	if s.sendWindow+n > maxWindow {
		return c.peerFault(s, codeFlow, "WINDOW_UPDATE takes the stream's window beyond 2^31-1")
	}
	s.sendWindow += n
	c.line(s)
	return nil
}

// setWindow applies a changed SETTINGS_INITIAL_WINDOW_SIZE to open streams.
func (c *conn) setWindow(size uint32) error {
	change := int64(size) - c.peerWindow
	c.peerWindow = int64(size)
	for _, s := range c.streams {
		if s.sendWindow+change > maxWindow {
			return broken(codeFlow, "SETTINGS_INITIAL_WINDOW_SIZE %d takes stream %d beyond 2^31-1", size, s.id)
		}
		s.sendWindow += change
		c.line(s)
	}
	return nil
}

// peerFault resets a stream on which the peer broke a rule; too many of these
// end the connection, as each costs us work the peer does not pay for.
func (c *conn) peerFault(s *Stream, code ErrCode, what string) error {
	c.reset(s, code, malformed(code, "%s", what))
	return c.faultCounted()
}

func (c *conn) faultCounted() error {
	if !c.errors.take(c.now) {
		return broken(CodeCalmDown, "more than ErrorBurst (%d) frames that break a stream", c.lim.ErrorBurst)
	}
	return nil
}

// noteClosed and whyClosed remember the last streams that ended.
func (c *conn) noteClosed(id uint32, ours bool) {
	v := id << 1
	if ours {
		v |= 1
	}
	c.closed[(id>>1)%closedSlots] = v
}

func (c *conn) whyClosed(id uint32) (known, ours bool) {
	v := c.closed[(id>>1)%closedSlots]
	return v>>1 == id, v>>1 == id && v&1 != 0
}

// isIdle reports whether the stream has never been opened.
func (c *conn) isIdle(id uint32) bool {
	if id%2 == 0 {
		return true
	}
	if c.server {
		return id > c.seenPeer
	}
	return id >= c.nextID
}
