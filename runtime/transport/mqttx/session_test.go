package mqttx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

func TestPublish_EveryQoSAndSize_ArrivesOnceInOrder(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{})
	sizes := []int{0, 1, 300, 20_000, 3 << 20}
	for qos := range byte(3) {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			in := connect(t, Config{Dial: b.Dial, ClientID: fmt.Sprint("in", qos)}, &Subscription{Filter: "a/+", QoS: qos})
			out := connect(t, Config{Dial: b.Dial, ClientID: fmt.Sprint("out", qos)})
			failed, fail := failures()
			const rounds = 40
			for round := range rounds {
				for i, size := range sizes {
					if size > 20_000 && round > 0 {
						size = 7
					}
					p := &Publication{
						Topic: fmt.Sprint("a/", i), Payload: bytes.Repeat([]byte{byte(round)}, size), QoS: qos,
						Expiry: 1500 * time.Millisecond, User: []Property{{"k", "v"}, {"ä", ""}}, Failed: fail,
					}
					if err := out.Publish(p); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := in.waitFor(rounds * len(sizes))
			for i, m := range got {
				if m.Topic != fmt.Sprint("a/", i%len(sizes)) || len(m.User) != 2 || m.Retained {
					t.Fatalf("message %d is %q, %v", i, m.Topic, m.User)
				}
			}
			if value, ok := got[0].UserProperty("k"); !ok || value != "v" {
				t.Errorf("user property %q, %t", value, ok)
			}
			if len(got[4].Payload) != 3<<20 {
				t.Errorf("the large message has %d bytes", len(got[4].Payload))
			}
			testx.Eventually(t, "acknowledgements", func() bool { return out.State().Inflight == 0 })
			if len(failed) > 0 || len(in.messages()) != rounds*len(sizes) {
				t.Errorf("%d failures, %d messages", len(failed), len(in.messages()))
			}
		})
	}
}

func TestPublish_NobodySubscribed_IsReported(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{})
	c := connect(t, Config{Dial: b.Dial})
	failed, fail := failures()
	for qos := byte(1); qos < 3; qos++ {
		if err := c.Publish(&Publication{Topic: "nobody", QoS: qos, Failed: fail}); err != nil {
			t.Fatal(err)
		}
		if err := next(t, failed); !errors.Is(err, ErrNoSubscribers) {
			t.Errorf("QoS %d: %v", qos, err)
		}
	}
	testx.Eventually(t, "the second step", func() bool { return c.State().Inflight == 0 })
}

func TestSubscribe_Shared_EachMessageGoesToOne(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{})
	filter := "$share/g/job"
	one := connect(t, Config{Dial: b.Dial, ClientID: "one"}, &Subscription{Filter: filter, QoS: 2})
	two := connect(t, Config{Dial: b.Dial, ClientID: "two"})
	two.Subscribe(&Subscription{Filter: filter, QoS: 2}) // while it is connected
	const n = 50
	testx.Eventually(t, "both to take part", func() bool {
		_ = one.Publish(&Publication{Topic: "job", QoS: 1})
		return len(two.messages()) > 0 && len(one.messages()) > 0
	})
	testx.Eventually(t, "quiet", func() bool { return one.State().Inflight == 0 })
	before := len(one.messages()) + len(two.messages())
	for range n {
		if err := one.Publish(&Publication{Topic: "job", QoS: 2}); err != nil {
			t.Fatal(err)
		}
	}
	testx.Eventually(t, "all messages", func() bool { return len(one.messages())+len(two.messages()) == before+n })
}

func TestBroker_KilledAndRestarted_SessionComesBackWithItsSubscriptions(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{Address: "127.0.0.1:0"})
	address := b.Addr()
	cfg := Config{Dial: DialBroker(address, nil), MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond}
	c := connect(t, cfg, &Subscription{Filter: "x", QoS: 1})
	publish := func(text string) {
		t.Helper()
		if err := c.Publish(&Publication{Topic: "x", Payload: []byte(text), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	publish("before")
	c.waitFor(1)
	b.Close()
	testx.Eventually(t, "the loss", func() bool { return !c.State().Up })
	if s := c.State(); s.Reason == nil || s.Connects != 1 {
		t.Errorf("state %+v", s)
	}
	publish("while it was down")
	late := &Publication{Topic: "x", Payload: []byte("withdrawn"), QoS: 1}
	if err := c.Publish(late); err != nil {
		t.Fatal(err)
	}
	if !c.Withdraw(late) || c.Withdraw(late) {
		t.Error("a waiting message could not be withdrawn, once")
	}
	if err := c.Publish(&Publication{Topic: "x", NoWait: true}); !errors.Is(err, ErrDown) {
		t.Errorf("a message that must not wait: %v", err)
	}
	broker(t, BrokerConfig{Address: address})
	publish("after")
	got := c.waitFor(3)
	for i, want := range []string{"before", "while it was down", "after"} {
		if string(got[i].Payload) != want {
			t.Errorf("message %d is %q, want %q", i, got[i].Payload, want)
		}
	}
	if s := c.State(); s.Connects != 2 || !s.Up {
		t.Errorf("state %+v", s)
	}
	if !strings.Contains(c.log.String(), "mqtt broker not connected") {
		t.Errorf("log %s", c.log.String())
	}
}

func TestQueue_Full_SaysWhichLimit(t *testing.T) {
	testx.NoLeaks(t)
	down := func(context.Context) (net.Conn, error) { return nil, errors.New("nothing there") }
	c := connect(t, Config{Dial: down, MaxQueued: 3, MaxQueuedBytes: 100, MaxPacketBytes: 5000})
	var limit *LimitError
	var size *SizeError
	failed, fail := failures()
	for range 3 {
		if err := c.Publish(&Publication{Topic: "x", Failed: fail}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Publish(&Publication{Topic: "x"}); !errors.As(err, &limit) || limit.Name != "MaxQueued" || limit.Limit != 3 {
		t.Errorf("fourth message: %v", err)
	}
	if err := c.Room(1); !errors.As(err, &limit) {
		t.Errorf("room: %v", err)
	}
	if err := c.Publish(&Publication{Topic: "x", Payload: make([]byte, 5000)}); !errors.As(err, &size) || size.Max != 5000 {
		t.Errorf("large message: %v", err)
	}
	closeNow(c.Session)
	for range 3 {
		if err := next(t, failed); !errors.Is(err, ErrClosed) {
			t.Errorf("close: %v", err)
		}
	}
	if err := c.Publish(&Publication{Topic: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	wide := connect(t, Config{Dial: down, MaxQueuedBytes: 100})
	if err := wide.Publish(&Publication{Topic: "x", Payload: make([]byte, 90)}); err != nil {
		t.Fatal(err)
	}
	if err := wide.Publish(&Publication{Topic: "x", Payload: make([]byte, 90)}); !errors.As(err, &limit) || limit.Name != "MaxQueuedBytes" {
		t.Errorf("bytes: %v", err)
	}
	if s := wide.State(); !strings.Contains(s.Reason.Error(), "nothing there") || s.Queued != 1 {
		t.Errorf("state %+v", s)
	}
}

func TestQueue_WithdrawnWhileDown_TakeNoMemory(t *testing.T) {
	testx.NoLeaks(t)
	c := connect(t, Config{Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("nothing there") }})
	for range 10_000 {
		p := &Publication{Topic: "x"}
		if err := c.Publish(p); err != nil {
			t.Fatal(err)
		}
		c.Withdraw(p)
	}
	c.Session.mu.Lock()
	defer c.Session.mu.Unlock()
	if n := len(c.pending); n > 100 || c.queued != 0 || c.queuedBytes != 0 {
		t.Errorf("%d entries, %d messages, %d bytes are kept", n, c.queued, c.queuedBytes)
	}
}

func TestConnect_Refused_SaysWhy(t *testing.T) {
	testx.NoLeaks(t)
	answer := func(b ...byte) func(net.Conn) {
		return func(nc net.Conn) { _, _ = nc.Write(b); _, _ = io.Copy(io.Discard, nc) }
	}
	for name, c := range map[string]struct {
		script func(net.Conn)
		want   string
	}{
		"MQTT 3 only":         {answer(0x20, 2, 0, 1), "does not speak MQTT 5"},
		"MQTT 5 says so":      {answer(0x20, 3, 0, 0x84, 0), "does not speak MQTT 5"},
		"credentials":         {answer(0x20, 3, 0, 0x86, 0), "bad user name or password"},
		"own words":           {answer(0x20, 8, 0, 0x97, 5, 0x1f, 0, 2, 'n', 'o'), "quota exceeded (no)"},
		"not a broker":        {answer([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...), "type 4 instead of CONNACK"},
		"malformed CONNACK":   {answer(0x20, 4, 0, 0, 1, 0xee), "malformed"},
		"length of five":      {answer(0x20, 0xff, 0xff, 0xff, 0xff, 1), "more than four bytes"},
		"oversize":            {answer(0x20, 0xff, 0xff, 0xff, 0x7f), "announced by the broker has 268435455 bytes"},
		"closed":              {func(net.Conn) {}, "EOF"},
		"closed inside":       {func(nc net.Conn) { _, _ = nc.Write([]byte{0x20, 3, 0}) }, "unexpected EOF"},
		"subscription silent": {answer(connackPlain...), "did not accept connection and subscriptions"},
	} {
		t.Run(name, func(t *testing.T) {
			s := connect(t, Config{Dial: fakeBroker(t, c.script), ConnectTimeout: 300 * time.Millisecond}, &Subscription{Filter: "x"})
			testx.Eventually(t, c.want, func() bool { r := s.State().Reason; return r != nil && strings.Contains(r.Error(), c.want) })
		})
	}
}

func TestBroker_SilentAfterConnect_IsGivenUp(t *testing.T) {
	testx.NoLeaks(t)
	ends := make(chan struct{}, 100)
	dial := fakeBroker(t, func(nc net.Conn) {
		_, _ = nc.Write(connackPlain)
		buf := make([]byte, 64)
		for {
			if _, err := nc.Read(buf); err != nil {
				ends <- struct{}{}
				return
			}
		}
	})
	s := connect(t, Config{Dial: dial, KeepAlive: 40 * time.Millisecond})
	select {
	case <-ends:
	case <-time.After(patience):
		t.Fatal("the silent broker was kept")
	}
	testx.Eventually(t, "the reason", func() bool { return strings.Contains(s.log.String(), "silent for longer than the keep-alive") })
}

func TestReceive_HostilePackets_EndTheConnectionOnly(t *testing.T) {
	testx.NoLeaks(t)
	for name, packet := range map[string][]byte{
		"topic beyond":     {0x30, 3, 0, 9, 'x'},
		"no topic":         {0x30, 3, 0, 0, 0},
		"QoS 3":            {0x36, 6, 0, 1, 'x', 0, 1, 0},
		"id 0":             {0x32, 6, 0, 1, 'x', 0, 0, 0},
		"no id":            {0x32, 3, 0, 1, 'x'},
		"properties":       {0x30, 5, 0, 1, 'x', 9, 1},
		"property":         {0x30, 5, 0, 1, 'x', 1, 0x77},
		"user property":    {0x30, 8, 0, 1, 'x', 4, 0x26, 0, 9, 'k'},
		"short ack":        {0x40, 1, 0},
		"suback":           {0x90, 3, 0, 9, 0},
		"unknown suback":   {0x90, 4, 0, 9, 0, 0},
		"second connack":   connackPlain,
		"type 0":           {0, 0},
		"CONNECT":          {0x10, 0},
		"disconnect":       {0xe0, 2, 0x8e, 0},
		"short disconnect": {0xe0, 1, 0x8b},
		"bad disconnect":   {0xe0, 3, 0x8b, 9, 9},
	} {
		t.Run(name, func(t *testing.T) {
			ends := make(chan struct{}, 1000)
			dial := fakeBroker(t, func(nc net.Conn) {
				_, _ = nc.Write(append(bytes.Clone(connackPlain), packet...))
				buf := make([]byte, 64)
				for {
					if _, err := nc.Read(buf); err != nil {
						ends <- struct{}{}
						return
					}
				}
			})
			s := connect(t, Config{Dial: dial, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond})
			for range 3 { // it keeps coming back
				select {
				case <-ends:
				case <-time.After(patience):
					t.Fatal("the connection was kept")
				}
			}
			if n := len(s.messages()); n > 0 {
				t.Errorf("%d messages were handed on", n)
			}
		})
	}
}

func TestReceive_QoS2Repeated_IsHandedOnOnce(t *testing.T) {
	testx.NoLeaks(t)
	acks := make(chan []byte, 10)
	dial := fakeBroker(t, func(nc net.Conn) {
		_, _ = nc.Write(connackPlain)
		for _, packet := range [][]byte{{0x34, 7, 0, 1, 'x', 0, 5, 0, '1'}, {0x3c, 7, 0, 1, 'x', 0, 5, 0, '1'}, {0x62, 2, 0, 5}, {0x34, 7, 0, 1, 'x', 0, 5, 0, '2'}} {
			_, _ = nc.Write(packet)
			buf := make([]byte, 4)
			if _, err := nc.Read(buf); err != nil {
				return
			}
			acks <- buf
		}
		_, _ = nc.Read(make([]byte, 1))
	})
	s := connect(t, Config{Dial: dial})
	for i, want := range [][]byte{{0x50, 2, 0, 5}, {0x50, 2, 0, 5}, {0x70, 2, 0, 5}, {0x50, 2, 0, 5}} {
		select {
		case got := <-acks:
			if !bytes.Equal(got, want) {
				t.Errorf("answer %d is %x, want %x", i, got, want)
			}
		case <-time.After(patience):
			t.Fatal("no acknowledgement")
		}
	}
	if got := s.waitFor(2); len(got) != 2 || string(got[0].Payload) != "1" || string(got[1].Payload) != "2" {
		t.Errorf("%d messages", len(got))
	}
}

func TestLost_SentButNotAcknowledged_IsReported(t *testing.T) {
	testx.NoLeaks(t)
	dial := fakeBroker(t, func(nc net.Conn) {
		// At most two at a time, and none of them is acknowledged.
		_, _ = nc.Write([]byte{0x20, 6, 0, 0, 3, 0x21, 0, 2})
		_, _ = io.ReadFull(nc, make([]byte, 2*len(appendPublish(nil, &Publication{Topic: "x", QoS: 2}))))
	})
	s := connect(t, Config{Dial: dial, MinBackoff: time.Hour, MaxBackoff: time.Hour})
	failed, fail := failures()
	for range 5 {
		if err := s.Publish(&Publication{Topic: "x", QoS: 2, Failed: fail}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := next(t, failed); !errors.Is(err, ErrLost) {
			t.Errorf("%v", err)
		}
	}
	if state := s.State(); state.Queued != 3 || state.Inflight != 0 {
		t.Errorf("state %+v", state)
	}
}

func TestBroker_OutsideLoopback_AsksForCredentials(t *testing.T) {
	testx.NoLeaks(t)
	if _, err := StartBroker(BrokerConfig{Address: "0.0.0.0:0"}); !errors.Is(err, ErrNeedsCredentials) {
		t.Fatalf("%v", err)
	}
	b := broker(t, BrokerConfig{Address: "0.0.0.0:0", Username: "robot", Password: "secret"})
	_, port, _ := net.SplitHostPort(b.Addr())
	dial := DialBroker("127.0.0.1:"+port, nil)
	good := connect(t, Config{Dial: dial, ClientID: "good", Username: "robot", Password: "secret"})
	inside := connect(t, Config{Dial: b.Dial, ClientID: "inside"})
	if !good.State().Up || !inside.State().Up {
		t.Errorf("%+v, %+v", good.State(), inside.State())
	}
	for name, c := range map[string][2]string{"none": {"", ""}, "password": {"robot", "wrong"}, "name": {"other", "secret"}} {
		s := connect(t, Config{Dial: dial, ClientID: name, Username: c[0], Password: c[1]})
		if state := s.State(); state.Up || state.Reason == nil || !strings.Contains(state.Reason.Error(), "bad user name or password") {
			t.Errorf("%s: %+v", name, state)
		}
		if strings.Contains(s.log.String(), "secret") || strings.Contains(s.log.String(), "wrong") {
			t.Errorf("%s: a password is in the log: %s", name, s.log.String())
		}
	}
}

func TestBroker_Allow_IsAskedForFiltersAndForMessages(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{Allow: func(id, topic string, write bool) bool {
		return write || !strings.HasPrefix(topic, "private/") || topic == "private/"+id
	}})
	refused := &Subscription{Filter: "private/#", QoS: 1}
	eaves := connect(t, Config{Dial: b.Dial, ClientID: "eaves"}, refused, &Subscription{Filter: "#", QoS: 1})
	owner := connect(t, Config{Dial: b.Dial, ClientID: "owner"}, &Subscription{Filter: "private/owner", QoS: 1})
	if err := refused.Refused(); err == nil || !strings.Contains(err.Error(), "not authorized") {
		t.Errorf("subscription: %v", err)
	}
	for _, topic := range []string{"private/owner", "public"} {
		if err := owner.Publish(&Publication{Topic: topic, QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	owner.waitFor(1)
	if got := eaves.waitFor(1); len(got) != 1 || got[0].Topic != "public" {
		t.Errorf("%d messages, first %q", len(got), got[0].Topic)
	}
}

func TestBroker_SameClientID_IsNamedAsTheReason(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{})
	cfg := Config{Dial: b.Dial, ClientID: "twice", MinBackoff: time.Hour, MaxBackoff: time.Hour}
	first := connect(t, cfg)
	connect(t, cfg)
	testx.Eventually(t, "the reason", func() bool {
		r := first.State().Reason
		return r != nil && strings.Contains(r.Error(), "same client id")
	})
}
