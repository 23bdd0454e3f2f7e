package mqttx

import (
	"io"
	"net"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

// raw connects without a session and says who it is.
func raw(t *testing.T, address, id string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	cfg := Config{ClientID: id}.withDefaults()
	if _, err := nc.Write(connectPacket(&cfg)); err != nil {
		t.Fatal(err)
	}
	l := newLink(nc, &cfg, func() {})
	if _, body, err := l.read(); err != nil {
		t.Fatal(err)
	} else if _, err := readConnack(body); err != nil {
		t.Fatal(err)
	}
	return nc
}

// closed waits until the broker has closed a connection.
func closed(t *testing.T, nc net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, nc); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("the connection was kept")
		}
	}
}

func TestBroker_HostileClients_LoseTheirConnection_OthersAreServed(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{Address: "127.0.0.1:0", MaxPacketBytes: 100_000})
	good := connect(t, Config{Dial: DialBroker(b.Addr(), nil), ClientID: "good"}, &Subscription{Filter: "x", QoS: 2})
	for name, packet := range map[string][]byte{
		"oversize": {0x30, 0xff, 0xff, 0xff, 0x7f}, "length of five": {0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}, "type 0": {0, 0},
		"topic beyond": {0x30, 3, 0, 9, 'x'}, "wildcard topic": {0x32, 7, 0, 2, 'a', '#', 0, 1, 0}, "empty subscribe": {0x82, 3, 0, 1, 0},
		"second connect": connectPacket(&Config{ClientID: "again"}), "alias": {0x30, 7, 0, 0, 3, 0x23, 0, 9, 'x'},
	} {
		nc := raw(t, b.Addr(), "bad")
		if _, err := nc.Write(packet); err != nil {
			t.Fatal(err)
		}
		if name != "wildcard topic" && name != "alias" { // those are only not delivered
			closed(t, nc)
		}
		nc.Close()
		if err := good.Publish(&Publication{Topic: "x", Payload: []byte(name), QoS: 2}); err != nil {
			t.Fatal(err)
		}
	}
	if got := good.waitFor(8); len(got) != 8 {
		t.Errorf("%d messages", len(got))
	}
}

func TestBroker_ClientThatDoesNotRead_IsCutOff_OthersAreServed(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, BrokerConfig{Address: "127.0.0.1:0", MaxPacketBytes: 200_000})
	deaf := raw(t, b.Addr(), "deaf")
	if _, err := deaf.Write(subscribePacket(1, []*Subscription{{Filter: "x"}})); err != nil {
		t.Fatal(err)
	}
	good := connect(t, Config{Dial: DialBroker(b.Addr(), nil), ClientID: "good"}, &Subscription{Filter: "y", QoS: 1})
	sent := 0
	for end := time.Now().Add(patience); b.Conns() > 1; sent++ {
		if time.Now().After(end) {
			t.Fatalf("the client that does not read is still there after %d messages", sent)
		}
		if err := good.Publish(&Publication{Topic: "x", Payload: make([]byte, 100_000)}); err != nil {
			t.Fatal(err)
		}
		if err := good.Publish(&Publication{Topic: "y", QoS: 1}); err != nil {
			t.Fatal(err)
		}
		good.waitFor(sent + 1)
	}
}
