package mqttx

import (
	"crypto/tls"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
)

func TestTLS_VerifiedBroker_CarriesMessages_OtherIsRefused(t *testing.T) {
	testx.NoLeaks(t)
	own, trusted := certificate(t)
	_, other := certificate(t)
	b := broker(t, BrokerConfig{Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{own}}})
	cfg := &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"}
	c := connect(t, Config{Dial: DialBroker(b.Addr(), cfg), ClientID: "good"}, &Subscription{Filter: "x", QoS: 2})
	for range 3 {
		if err := c.Publish(&Publication{Topic: "x", QoS: 2, Payload: make([]byte, 2<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.waitFor(3); len(got[2].Payload) != 2<<20 {
		t.Errorf("%d bytes", len(got[2].Payload))
	}
	bad := connect(t, Config{Dial: DialBroker(b.Addr(), &tls.Config{RootCAs: other, ServerName: "127.0.0.1"}), ClientID: "bad"})
	if r := bad.State().Reason; r == nil || !strings.Contains(r.Error(), "certificate") {
		t.Errorf("reason %v", r)
	}
	plain := connect(t, Config{Dial: DialBroker(b.Addr(), nil), ClientID: "plain"})
	if plain.State().Up {
		t.Error("a connection without TLS is served")
	}
}
