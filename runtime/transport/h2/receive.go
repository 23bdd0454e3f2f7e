package h2

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// readFrame reads one frame and acts on it. A non-nil error ends the connection.
func (c *conn) readFrame() error {
	h, err := c.framer.ReadFrameHeader()
	if err != nil {
		return c.frameError(h, err)
	}
	if !c.settled && (h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck)) {
		return broken(CodeProtocol, "first frame is %s with flags %#x, not SETTINGS", h.Type, uint8(h.Flags))
	}
	f, err := c.framer.ReadFrameForHeader(h)
	if err != nil {
		return c.frameError(h, err)
	}
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.onData(f)
	case *http2.HeadersFrame:
		return c.onHeaders(f)
	case *http2.ContinuationFrame:
		return c.onContinuation(f)
	case *http2.WindowUpdateFrame:
		return c.onWindowUpdate(f)
	case *http2.RSTStreamFrame:
		return c.onReset(f)
	case *http2.SettingsFrame:
		return c.onSettings(f)
	case *http2.PingFrame:
		return c.onPing(f)
	case *http2.GoAwayFrame:
		return c.onGoAway(f)
	case *http2.PriorityFrame:
		return c.onPriority(f)
	case *http2.PushPromiseFrame:
		return broken(CodeProtocol, "PUSH_PROMISE, which nobody may send here")
	}
	return c.control(h.Type)
}

// frameError turns the framer's errors into ours.
func (c *conn) frameError(h http2.FrameHeader, err error) error {
	var stream http2.StreamError
	var whole http2.ConnectionError
	switch {
	case errors.As(err, &stream):
		if h.Type == http2.FrameHeaders {
			// The header block was not decoded: the tables of both sides differ now.
			return broken(stream.Code, "HEADERS with more padding than frame")
		}
		return c.strayFault(stream.StreamID, stream.Code)
	case errors.As(err, &whole):
		return broken(ErrCode(whole), "%s: %v", h.Type, c.framer.ErrorDetail())
	case errors.Is(err, http2.ErrFrameTooLarge):
		if h.String() != "" && !c.settled && !c.server {
			return broken(CodeProtocol, "the peer does not speak HTTP/2")
		}
		return broken(codeFrameSize, "%s of %d bytes, MaxFrameBytes is %d", h.Type, h.Length, c.lim.MaxFrameBytes)
	}
	return err
}

// strayFault resets a stream by its number.
func (c *conn) strayFault(id uint32, code ErrCode) error {
	c.mu.Lock()
	defer c.unlock()
	if s := c.streams[id]; s != nil {
		return c.peerFault(s, code, "malformed frame")
	}
	if c.isIdle(id) {
		return broken(code, "malformed frame on idle stream %d", id)
	}
	c.out = appendRST(c.out, id, code)
	return c.faultCounted()
}

// control counts a frame that asks for work and does none.
func (c *conn) control(kind http2.FrameType) error {
	if c.controls.left <= c.lim.ControlBurst/2 {
		c.mu.Lock()
		sent := c.sentFrames
		c.sentFrames = 0
		c.mu.Unlock()
		c.controls.earn(4 * sent) // what answers our data is not a flood
	}
	if c.controls.take(time.Now) {
		return nil
	}
	return broken(CodeCalmDown, "more than ControlBurst (%d) frames like %s without any data", c.lim.ControlBurst, kind)
}

func (c *conn) onData(f *http2.DataFrame) error {
	id, size, p, end := f.StreamID, int(f.Length), f.Data(), f.StreamEnded()
	if len(p) == 0 && !end {
		if err := c.control(http2.FrameData); err != nil {
			return err
		}
	} else {
		c.controls.earn(1)
	}
	c.mu.Lock()
	if int64(size) > c.recvWindow {
		c.unlock()
		return broken(codeFlow, "DATA beyond the connection's window")
	}
	c.recvWindow -= int64(size)
	s := c.streams[id]
	if s == nil || s.gotEnd() {
		c.credit(size)
		err := c.strayData(id, s)
		c.unlock()
		return err
	}
	if bad := s.account(size, len(p), end); bad != nil {
		c.credit(size)
		err := c.peerFault(s, bad.Code, bad.What)
		c.unlock()
		return err
	}
	if padding := size - len(p); padding > 0 {
		c.credit(padding)
		c.creditStream(s, padding)
	}
	s.moved += uint64(len(p)) + 1
	return c.dataFor(s, p, end)
}

// account checks a DATA frame against the stream's window and content-length.
func (s *Stream) account(size, payload int, end bool) *ResetError {
	if int64(size) > s.recvWindow {
		return malformed(codeFlow, "DATA beyond the stream's window")
	}
	s.recvWindow -= int64(size)
	if !s.headGot {
		return malformed(CodeProtocol, "DATA before HEADERS")
	}
	if s.expect >= 0 {
		s.expect -= int64(payload)
		if s.expect < 0 || end && s.expect != 0 {
			return malformed(CodeProtocol, "DATA and content-length differ")
		}
	}
	return nil
}

// strayData is DATA for a stream that does not take any. mu is held.
func (c *conn) strayData(id uint32, s *Stream) error {
	if s != nil {
		return c.peerFault(s, codeClosed, "DATA after END_STREAM")
	}
	if c.isIdle(id) {
		return broken(CodeProtocol, "DATA on idle stream %d", id)
	}
	if _, ours := c.whyClosed(id); ours || !c.server || c.final {
		return nil
	}
	c.out = appendRST(c.out, id, codeClosed)
	return c.faultCounted()
}

// dataFor hands data to its stream. mu is held and released.
func (c *conn) dataFor(s *Stream, p []byte, end bool) error {
	if end {
		s.move(evRemoteEnd) // what the user does next finds the stream so
	}
	switch {
	case len(p) == 0:
	case s.mode == modeReceive:
		s.enter()
		s.held += len(p)
		r := s.receiver
		c.mu.Unlock()
		protect("h2 receiver", func() { r.Data(p) })
		c.mu.Lock()
		if s.leave() {
			c.unlock()
			s.deliver()
			return nil
		}
	case s.mode == modeCollect:
		c.collect(s, p, end)
	default:
		c.credit(len(p))
	}
	if !end {
		c.unlock()
		return nil
	}
	c.remoteEnd(s)
	return nil
}

// collect appends to the stream's body. mu is held.
func (c *conn) collect(s *Stream, p []byte, end bool) {
	c.credit(len(p))
	if !end {
		c.creditStream(s, len(p))
	}
	var limit *LimitError
	switch {
	case len(s.body)+len(p) > s.maxBody:
		limit = &LimitError{Name: "MaxBodyBytes", Limit: s.maxBody, What: "body"}
	case c.buffered+len(p) > c.lim.MaxBuffered:
		limit = &LimitError{Name: "MaxBuffered", Limit: c.lim.MaxBuffered, What: "bodies of all streams"}
	default:
		s.body = appendBody(s.body, p, s.expect)
		s.charged += len(p)
		c.buffered += len(p)
		return
	}
	s.mode = modeDiscard
	if c.server {
		c.discard(s, limit)
		return
	}
	c.reset(s, CodeCancel, limit)
}

// appendBody appends with memory that follows what has arrived, not what the
// peer announced: announced tells how much is still to come.
func appendBody(body, p []byte, announced int64) []byte {
	if body == nil {
		n := len(p)
		if announced > 0 {
			n += int(min(announced, 64<<10))
		}
		return append(getBody(n), p...)
	}
	if need := len(body) + len(p); need > cap(body) {
		bigger := make([]byte, len(body), max(2*cap(body), need))
		copy(bigger, body)
		putBody(body)
		body = bigger
	}
	return append(body, p...)
}

// remoteEnd ends the receiving half. mu is held and released.
func (c *conn) remoteEnd(s *Stream) {
	s.move(evRemoteEnd)
	switch {
	case c.streams[s.id] != s:
	case !c.server && s.state != stateClosed:
		// The answer is complete: what we had to say no longer matters.
		c.out = appendRST(c.out, s.id, CodeCancel)
		s.move(evReset)
		c.later(s.dropSend())
		c.remove(s, true)
	case s.state == stateClosed:
		c.remove(s, false)
	}
	s.whole, s.body = s.body, nil
	if !s.counted {
		c.uncharge(s)
	}
	now := s.finishReceiving(nil)
	c.unlock()
	if now {
		s.deliver()
	}
}

// responseHead takes the first header block of a response. mu is held and
// released.
func (c *conn) responseHead(s *Stream, end bool) error {
	status, bad := c.fields.response()
	if bad == "" && status < 200 {
		s.interim++
		if !end && status != 101 && s.interim <= maxInterim {
			c.unlock()
			return nil
		}
		bad = "interim response where the final one should be"
	}
	if s.expect != noBody {
		s.expect = c.fields.length
	}
	if bad == "" && end && s.expect > 0 {
		bad = "DATA and content-length differ"
	}
	if bad != "" {
		err := c.peerFault(s, CodeProtocol, bad)
		c.unlock()
		return err
	}
	s.headGot = true
	if end {
		s.move(evRemoteEnd)
	}
	fields := c.fields.kept()
	s.enter()
	c.mu.Unlock()
	protect("h2 response head", func() { s.user.head(status, fields) })
	c.mu.Lock()
	switch {
	case s.leave():
		c.unlock()
		s.deliver()
	case end:
		c.remoteEnd(s)
	default:
		c.unlock()
	}
	return nil
}

func (c *conn) onHeaders(f *http2.HeadersFrame) error {
	c.controls.earn(4)
	c.headID, c.headEnd = f.StreamID, f.StreamEnded()
	c.headSelf = f.HasPriority() && f.Priority.StreamDep == f.StreamID
	c.fields.begin()
	if bad := c.fields.add(f.HeaderBlockFragment()); bad != nil {
		return bad
	}
	if f.HeadersEnded() {
		return c.blockDone()
	}
	now := int64(time.Since(c.began))
	c.headSince.Store(max(now, 1))
	c.mu.Lock()
	c.arm(c.began.Add(time.Duration(now) + max(c.lim.ReadHeaderTimeout, time.Millisecond)))
	c.mu.Unlock()
	return nil
}

func (c *conn) onContinuation(f *http2.ContinuationFrame) error {
	if bad := c.fields.more(f.HeaderBlockFragment()); bad != nil {
		return bad
	}
	if !f.HeadersEnded() {
		return nil
	}
	c.headSince.Store(0)
	return c.blockDone()
}

// blockDone acts on a complete header block.
func (c *conn) blockDone() error {
	if bad := c.fields.end(); bad != nil {
		return bad
	}
	id, end := c.headID, c.headEnd
	c.mu.Lock()
	s := c.streams[id]
	if s == nil {
		c.unlock()
		return c.side.opened(c, id, end)
	}
	s.moved++
	if bad := c.headFault(s, end); bad != nil {
		err := c.peerFault(s, bad.Code, bad.What)
		c.unlock()
		return err
	}
	if !s.headGot {
		return c.responseHead(s, end)
	}
	s.trailers = c.fields.kept()
	c.remoteEnd(s)
	return nil
}

// headFault checks a header block on a stream that is there.
func (c *conn) headFault(s *Stream, end bool) *ResetError {
	switch {
	case s.gotEnd():
		return malformed(codeClosed, "HEADERS after END_STREAM")
	case c.headSelf:
		return malformed(CodeProtocol, "stream depends on itself")
	case c.fields.over:
		return malformed(CodeCalmDown, "header list larger than MaxHeaderBytes (%d) or MaxHeaders (%d)", c.lim.MaxHeaderBytes, c.lim.MaxHeaders)
	case !s.headGot:
		return nil
	case !end:
		return malformed(CodeProtocol, "second HEADERS without END_STREAM")
	case s.expect > 0:
		return malformed(CodeProtocol, "DATA and content-length differ")
	}
	if bad := c.fields.trailer(); bad != "" {
		return malformed(CodeProtocol, "%s", bad)
	}
	return nil
}

func (c *conn) onWindowUpdate(f *http2.WindowUpdateFrame) error {
	if err := c.control(http2.FrameWindowUpdate); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	return c.windowUpdate(f.StreamID, int64(f.Increment))
}

func (c *conn) onReset(f *http2.RSTStreamFrame) error {
	if err := c.control(http2.FrameRSTStream); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	s := c.streams[f.StreamID]
	if s == nil {
		if c.isIdle(f.StreamID) {
			return broken(CodeProtocol, "RST_STREAM on idle stream %d", f.StreamID)
		}
		return nil
	}
	if c.server {
		if !c.resets.take(time.Now) {
			return broken(CodeCalmDown, "more than ResetBurst (%d) requests reset", c.lim.ResetBurst)
		}
		c.kill(s, &ResetError{Code: f.ErrCode})
		return nil
	}
	if f.ErrCode == CodeRefused {
		c.kill(s, c.lost(&ResetError{Code: f.ErrCode}, true))
		return nil
	}
	c.kill(s, &ResetError{Code: f.ErrCode})
	return nil
}

func (c *conn) onPriority(f *http2.PriorityFrame) error {
	if f.StreamDep == f.StreamID {
		return c.strayFault(f.StreamID, CodeProtocol)
	}
	return c.control(http2.FramePriority)
}

func (c *conn) onPing(f *http2.PingFrame) error {
	if err := c.control(http2.FramePing); err != nil {
		return err
	}
	c.mu.Lock()
	switch {
	case !f.IsAck():
		c.out = appendPing(c.out, f.Data, true)
	case f.Data == drainPing && c.draining && c.server:
		c.drainAt = time.Time{}
		c.finalGoAway()
	case f.Data == keepalivePing && !c.pingAt.IsZero():
		c.pingAt = time.Time{}
		c.arm(c.now().Add(c.lim.KeepaliveTime))
	}
	c.unlock()
	return nil
}

func (c *conn) onGoAway(f *http2.GoAwayFrame) error {
	if err := c.control(http2.FrameGoAway); err != nil {
		return err
	}
	if c.server {
		return nil // the client will open no more; that needs nothing from us
	}
	var cause error = &ResetError{Code: f.ErrCode}
	if text := f.DebugData(); len(text) > 0 || f.ErrCode != CodeNone {
		cause = fmt.Errorf("peer sent GOAWAY with %s %s", f.ErrCode, sample(string(text)))
	}
	c.mu.Lock()
	c.goneAway, c.draining = true, true
	for id, s := range c.streams {
		if id > f.LastStreamID {
			c.kill(s, c.lost(cause, true))
		}
	}
	c.maybeIdle()
	c.unlock()
	c.side.retired(c)
	return nil
}

func (c *conn) onSettings(f *http2.SettingsFrame) error {
	if c.settled {
		if err := c.control(http2.FrameSettings); err != nil {
			return err
		}
	}
	c.settled = true
	if err := f.ForeachSetting(http2.Setting.Valid); err != nil {
		code := CodeProtocol
		if whole, ok := err.(http2.ConnectionError); ok {
			code = ErrCode(whole)
		}
		return broken(code, "SETTINGS with an invalid value")
	}
	c.mu.Lock()
	defer c.unlock()
	if f.IsAck() {
		c.acked = true
		return nil
	}
	err := f.ForeachSetting(c.setting)
	c.out = appendSettingsAck(c.out)
	c.freedOne = !c.server // more streams may be allowed now
	return err
}

// setting applies one of the peer's. mu is held.
func (c *conn) setting(s http2.Setting) error {
	switch s.ID {
	case http2.SettingInitialWindowSize:
		return c.setWindow(s.Val)
	case http2.SettingMaxFrameSize:
		c.peerFrame = int(s.Val)
	case http2.SettingMaxConcurrentStreams:
		c.peerStreams = int(min(s.Val, maxWindow))
	case http2.SettingMaxHeaderListSize:
		c.peerHeaders = int(min(s.Val, maxWindow))
	case http2.SettingHeaderTableSize:
		// We use no dynamic table; a decoder that shrinks its own expects to be told
		// so once (RFC 7541, 4.2).
		c.shrink = c.shrink || s.Val < 4096
	case http2.SettingEnablePush:
		if s.Val == 1 && !c.server {
			return broken(CodeProtocol, "a server set ENABLE_PUSH")
		}
	}
	return nil
}
