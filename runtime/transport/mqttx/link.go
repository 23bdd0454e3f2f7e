package mqttx

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"aimrtrpc/internal/guard"
)

// link is one connection to the broker. Packets to send are appended to its
// output under its lock, which is a leaf, and written without it.
type link struct {
	nc           net.Conn
	raw          syscall.RawConn // of the socket, when bytes may be written to it directly
	quick        syscall.RawConn // of the TCP socket, for quick acknowledgements
	reader       *bufio.Reader
	maxPacket    int
	writeTimeout time.Duration
	drained      func() // there is room for more messages

	sent, heard atomic.Bool // since the keep-alive looked last
	writers     sync.WaitGroup

	mu      sync.Mutex // guards what follows
	out     []byte
	spare   []byte
	rest    int  // bytes that the writer goroutine holds
	writing bool // somebody writes
	stalled bool // messages wait for room
	reason  error
}

func newLink(nc net.Conn, cfg *Config, drained func()) *link {
	l := &link{nc: nc, reader: bufio.NewReaderSize(nc, readBuffer), maxPacket: cfg.MaxPacketBytes, writeTimeout: cfg.WriteTimeout, drained: drained}
	switch c := nc.(type) {
	case *net.TCPConn:
		l.raw, _ = c.SyscallConn()
		l.quick = l.raw
	case *net.UnixConn:
		l.raw, _ = c.SyscallConn()
	case *tls.Conn:
		if inner, ok := c.NetConn().(*net.TCPConn); ok {
			l.quick, _ = inner.SyscallConn()
		}
	}
	return l
}

// fail ends the connection; the first reason counts.
func (l *link) fail(reason error) {
	l.mu.Lock()
	if l.reason == nil {
		l.reason = reason
	}
	l.mu.Unlock()
	l.nc.Close()
}

// why is the reason of the end: what fail was told, else what the reader saw.
func (l *link) why(read error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != nil {
		return l.reason
	}
	return read
}

// queue appends packets to the output; flush sends them. It gives the number of
// bytes that the socket has yet to take.
func (l *link) queue(add func(dst []byte) []byte) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.out = add(l.out)
	}
	return len(l.out) + l.rest
}

// full tells that the socket has yet to take so much that further messages stay
// in the queue; then drained is called when it has.
func (l *link) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out)+l.rest <= maxBacklog {
		return false
	}
	l.stalled = true
	return true
}

// refill asks for the messages that found no room. mu is held; it is released
// meanwhile.
func (l *link) refill() {
	if !l.stalled || len(l.out)+l.rest > maxBacklog {
		return
	}
	l.stalled = false
	l.mu.Unlock()
	l.drained()
	l.mu.Lock()
}

// flush writes the output unless somebody does already. It never waits for the
// broker.
func (l *link) flush() {
	l.mu.Lock()
	if l.writing || len(l.out) == 0 || l.reason != nil {
		l.mu.Unlock()
		return
	}
	l.writing = true
	l.setSent()
	if l.raw == nil {
		l.handOver(nil)
		return
	}
	for range inlineWrites {
		buf := l.take()
		l.mu.Unlock()
		n, err := writeNow(l.raw, buf)
		l.mu.Lock()
		if err != nil {
			l.mu.Unlock()
			l.fail(err)
			return
		}
		if n < len(buf) {
			l.handOver(buf[n:])
			return
		}
		l.giveBack(buf)
		if l.refill(); len(l.out) == 0 {
			l.writing = false
			l.mu.Unlock()
			return
		}
	}
	l.handOver(nil)
}

// handOver lets a writer goroutine go on. mu is held, and released.
func (l *link) handOver(rest []byte) {
	l.rest = len(rest)
	l.writers.Add(1)
	l.mu.Unlock()
	guard.Go("mqtt writer", func() {
		defer l.writers.Done()
		l.write(rest)
	})
}

func (l *link) setSent() {
	if !l.sent.Load() {
		l.sent.Store(true)
	}
}

func (l *link) take() []byte {
	buf := l.out
	l.out, l.spare = l.spare[:0], nil
	return buf
}

func (l *link) giveBack(buf []byte) {
	if cap(buf) <= keptBytes {
		l.spare = buf[:0]
	}
}

// write is the writer goroutine: it ends when nothing is left.
func (l *link) write(buf []byte) {
	for {
		for rest := buf; len(rest) > 0; {
			piece := rest[:min(len(rest), writePiece)]
			if err := l.writePiece(piece); err != nil {
				l.fail(err)
				return
			}
			rest = rest[len(piece):]
			l.mu.Lock()
			l.rest = len(rest)
			l.mu.Unlock()
		}
		l.setSent()
		l.mu.Lock()
		if buf != nil {
			l.giveBack(buf)
		}
		l.rest = 0
		if l.refill(); len(l.out) == 0 || l.reason != nil {
			l.writing = false
			l.mu.Unlock()
			return
		}
		buf = l.take()
		l.rest = len(buf)
		l.mu.Unlock()
	}
}

func (l *link) writePiece(piece []byte) error {
	if err := l.nc.SetWriteDeadline(time.Now().Add(l.writeTimeout)); err != nil {
		return err
	}
	_, err := l.nc.Write(piece)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return err
}

// writeNow gives a socket as much as it takes without waiting; nothing is no
// error.
func writeNow(raw syscall.RawConn, buf []byte) (n int, err error) {
	over := raw.Write(func(fd uintptr) bool {
		for {
			n, err = syscall.Write(int(fd), buf)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				n, err = 0, nil
			case err != nil:
				n, err = 0, os.NewSyscallError("write", err)
			}
			return true
		}
	})
	return n, errors.Join(over, err)
}

// quicken asks the system to acknowledge at once. Without it a broker that does
// not set TCP_NODELAY, which is Mosquitto's default, holds every second small
// packet back until the acknowledgement of the first, some 40 ms. The wish does
// not last, so it is repeated before every wait.
func (l *link) quicken() {
	if l.quick != nil {
		_ = l.quick.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
}

// read reads one packet. The body is the caller's.
func (l *link) read() (first byte, body []byte, err error) {
	if l.reader.Buffered() == 0 {
		l.quicken()
	}
	if first, err = l.reader.ReadByte(); err != nil {
		return 0, nil, err
	}
	size := 0
	for shift := 0; ; shift += 7 {
		b, err := l.reader.ReadByte()
		if err != nil {
			return 0, nil, unexpected(err)
		}
		size |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift == 21 {
			return 0, nil, malformed("length of more than four bytes")
		}
	}
	if size > l.maxPacket {
		return 0, nil, &SizeError{Size: size, Max: l.maxPacket, Received: true}
	}
	for len(body) < size {
		from, n := len(body), min(size-len(body), max(readStep, len(body)))
		body = append(body, make([]byte, n)...)
		if _, err := io.ReadFull(l.reader, body[from:]); err != nil {
			return 0, nil, unexpected(err)
		}
	}
	if !l.heard.Load() {
		l.heard.Store(true)
	}
	return first, body, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// keepAlive sends a ping when a half of the time passed without packets both
// ways, and ends the connection when the broker is silent for one and a half.
func (l *link) keepAlive(every time.Duration, over <-chan struct{}) {
	tick := time.NewTicker(max(every/2, time.Millisecond))
	defer tick.Stop()
	for silent := 0; ; {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		heard, sent := l.heard.Swap(false), l.sent.Swap(false)
		if silent++; heard {
			silent = 0
		}
		if silent >= 3 {
			l.fail(errSilent)
			return
		}
		if !heard || !sent {
			l.queue(func(dst []byte) []byte { return append(dst, packets.PINGREQ<<4, 0) })
			l.flush()
		}
	}
}
