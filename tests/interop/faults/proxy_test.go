package faults

import (
	"net"
	"sync"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
)

// fault is what the proxy does; the zero value passes everything on.
type fault struct {
	closes     bool // ends all connections, and new ones at once
	abrupt     bool // closing is a reset
	swallows   bool // passes nothing on; what came meanwhile goes on afterwards
	resetAfter int  // bytes in one direction, then the connection is reset
	delay      time.Duration
	rate       int // bytes per second and direction
	piece      int // bytes of one write
}

const (
	chunkBytes  = 16 << 10
	maxProxied  = 1000 // connections
	dialTimeout = 5 * time.Second
)

// proxy stands between a client and a server.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	now     fault
	changed chan struct{} // closed when now changes
	links   map[*link]struct{}
	closed  bool
}

// link is one connection through the proxy.
type link struct {
	proxy *proxy
	ends  [2]net.Conn
	once  sync.Once
	gone  chan struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.start("proxy accept", p.accept)
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.set(fault{closes: true})
		p.running.Wait()
	})
	return p
}

func (p *proxy) start(name string, f func()) {
	p.running.Add(1)
	guard.Go(name, func() { defer p.running.Done(); f() })
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// set begins a fault, or ends one.
func (p *proxy) set(f fault) {
	p.mu.Lock()
	p.now = f
	close(p.changed)
	p.changed = make(chan struct{})
	var ended []*link
	for l := range p.links {
		if f.closes {
			ended = append(ended, l)
		}
	}
	p.mu.Unlock()
	for _, l := range ended {
		l.close(f.abrupt)
	}
}

// present is the fault of now, and what tells when it changes.
func (p *proxy) present() (fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.changed
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.start("proxy link", func() { p.connect(c) })
	}
}

// connect links a client with the server.
func (p *proxy) connect(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil {
		client.Close()
		return
	}
	l := &link{proxy: p, ends: [2]net.Conn{client, server}, gone: make(chan struct{})}
	p.mu.Lock()
	refused, abrupt := p.now.closes || p.closed || len(p.links) >= maxProxied, p.now.abrupt
	if !refused {
		p.links[l] = struct{}{}
	}
	p.mu.Unlock()
	if refused {
		l.close(abrupt)
		return
	}
	p.start("proxy back", func() { l.pump(1, 0) })
	l.pump(0, 1)
}

func (l *link) close(abrupt bool) {
	l.once.Do(func() {
		close(l.gone)
		for _, c := range l.ends {
			if abrupt {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		}
		l.proxy.mu.Lock()
		delete(l.proxy.links, l)
		l.proxy.mu.Unlock()
	})
}

// pump passes on what one end says.
func (l *link) pump(from, to int) {
	defer func() { l.close(false) }()
	buf := make([]byte, chunkBytes)
	passed := 0
	for {
		n, err := l.ends[from].Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			f, ok := l.hold(len(rest))
			if !ok {
				return
			}
			piece := rest
			if f.piece > 0 {
				piece = rest[:min(f.piece, len(rest))]
			}
			if f.resetAfter > 0 {
				piece = piece[:min(len(piece), max(0, f.resetAfter-passed))]
			}
			if _, err := l.ends[to].Write(piece); err != nil {
				return
			}
			passed += len(piece)
			rest = rest[len(piece):]
			if f.resetAfter > 0 && passed >= f.resetAfter {
				l.close(true)
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits as long as the fault wants n bytes to wait; ok is false when the link has ended.
func (l *link) hold(n int) (f fault, ok bool) {
	for {
		f, changed := l.proxy.present()
		var after <-chan time.Time
		if pause := f.pause(n); pause > 0 {
			timer := time.NewTimer(pause)
			defer timer.Stop()
			after = timer.C
		} else if !f.swallows {
			return f, true
		}
		select {
		case <-after:
			return f, true
		case <-changed:
		case <-l.gone:
			return f, false
		}
	}
}

func (f fault) pause(n int) time.Duration {
	if f.rate > 0 {
		return f.delay + time.Duration(n)*time.Second/time.Duration(f.rate)
	}
	return f.delay
}
