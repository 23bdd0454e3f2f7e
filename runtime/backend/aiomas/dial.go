package aiomas

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
)

// The pauses between attempts to connect are aiomas' own.
const (
	firstPause  = 500 * time.Millisecond
	pauseFactor = 1.5
	longPause   = 30 * time.Second
)

// DialConfig says where to connect to.
type DialConfig struct {
	Options
	// Address is "tcp://host:port", "host:port", "unix:///path" or "local://name".
	Address string
	// RetryFor is how long connecting is tried: 0 means one attempt, less means for ever. As with aiomas the last attempt may come later: after
	// each one that failed the time is compared, and a pause of half a second, then 1.5 times as much, up to 30 s, follows.
	RetryFor time.Duration
	// Reconnect connects again, for ever, when the peer has gone. Calls that were open end with CONNECTION_LOST, those made meanwhile with
	// UNAVAILABLE; OnClose comes only after Close.
	Reconnect bool
	// Changed, when set, is told each time that a reconnecting connection is lost and is there again.
	Changed func(connected bool, reason error)

	pause func(context.Context, time.Duration) error // for tests
}

// dialer connects one Conn, again and again when it may.
type dialer struct {
	cfg     DialConfig
	to      address
	wrap    func(net.Conn) (net.Conn, error)
	mu      sync.Mutex // guards what follows
	stopped bool
	cancel  context.CancelFunc // of the reconnecting goroutine; nil when there has been none
	running sync.WaitGroup
}

// Dial connects. ctx ends the attempts and not the connection.
func Dial(ctx context.Context, cfg DialConfig) (*Conn, error) {
	cfg.Options = cfg.withDefaults()
	to, err := parseAddress(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	wrap, err := cfg.wrapper(to, false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if cfg.pause == nil {
		cfg.pause = pause
	}
	d := &dialer{cfg: cfg, to: to, wrap: wrap}
	c := newConn(cfg.Options)
	if cfg.Reconnect {
		c.redial = d
	}
	if err := d.attempts(ctx, c, cfg.RetryFor); err != nil {
		return nil, err
	}
	return c, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempts connects until it succeeds, the time is over, or the failure is one that another attempt does not mend.
func (d *dialer) attempts(ctx context.Context, c *Conn, limit time.Duration) error {
	begin, wait := time.Now(), firstPause
	for {
		err := d.connect(ctx, c)
		if err == nil {
			return nil
		}
		elapsed := time.Since(begin)
		if !mends(err) || limit == 0 || limit > 0 && elapsed > limit || ctx.Err() != nil {
			return err
		}
		if stopped := d.cfg.pause(ctx, wait); stopped != nil {
			return errors.Join(stopped, err)
		}
		wait = min(time.Duration(float64(wait)*pauseFactor), longPause)
	}
}

// mends tells whether another attempt may succeed.
func mends(err error) bool {
	var shake *handshakeError
	return !errors.As(err, &shake) && !errors.Is(err, ErrRefused)
}

// connect makes one attempt.
func (d *dialer) connect(ctx context.Context, c *Conn) error {
	var fc *framed.Conn
	var err error
	if d.to.network == local {
		fc, err = dialLocal(d.to, d.cfg.framed())
	} else {
		fc, err = framed.Dial(ctx, framed.DialConfig{Network: d.to.network, Address: d.to.text, Wrap: d.wrap, Conn: d.cfg.framed()})
	}
	if err != nil {
		return err
	}
	peer, err := d.cfg.identify(fc.NetConn(), rpc.Peer{Scheme: d.to.network, Address: d.to.text})
	s := newSession(c, fc, peer)
	fc.Start(s)
	if err == nil && d.cfg.Token != "" {
		err = d.prove(ctx, s)
	}
	if err == nil && !c.opened(s) {
		s.mu.Lock()
		err = fmt.Errorf("connection to %s ended at once: %w", d.to, cmp.Or(s.ended, errClosed))
		s.mu.Unlock()
	}
	if err != nil {
		fc.Fail(err)
		<-fc.Done()
	}
	return err
}

// prove gives the peer the token.
func (d *dialer) prove(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.AuthTimeout)
	defer cancel()
	f := s.format
	args := dialect.AppendArray(nil, f, f.AppendString(nil, d.cfg.Token))
	call := &rpc.Call{Method: anyMethod, Context: rpc.NewClientContext(), Backend: Name, Started: time.Now()}
	s.invoke(call, AuthPath, args, nil)
	if status := rpc.Wait(ctx, call); !status.OK() {
		return fmt.Errorf("%w: %s did not accept the token: %s", ErrRefused, d.to, status.Message())
	}
	return nil
}

// again connects a lost connection anew.
func (d *dialer) again(c *Conn, reason error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // the connection's own, which outlives Dial
	d.cancel = cancel
	d.running.Add(1)
	guard.Go("aiomas reconnect", func() {
		defer d.running.Done()
		defer cancel()
		d.changed(false, reason)
		if err := d.attempts(ctx, c, -1); err != nil {
			if ctx.Err() == nil {
				c.options.Logger.Error("connecting again is given up", "peer", d.to.String(), "reason", err.Error())
				c.end(err)
			}
			return
		}
		c.options.Logger.Info("connected again", "peer", d.to.String())
		d.changed(true, nil)
	})
}

func (d *dialer) changed(connected bool, reason error) {
	if d.cfg.Changed == nil {
		return
	}
	defer guard.Recover("aiomas connection changed")
	d.cfg.Changed(connected, reason)
}

// stop ends the reconnecting and returns when its goroutine is gone.
func (d *dialer) stop() {
	d.mu.Lock()
	d.stopped = true
	if d.cancel != nil {
		d.cancel()
	}
	d.mu.Unlock()
	d.running.Wait()
}
