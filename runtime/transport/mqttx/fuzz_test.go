package mqttx

import (
	"bufio"
	"bytes"
	"testing"
)

// FuzzPublish reads messages as a broker could send them, and writes what was
// read again.
func FuzzPublish(f *testing.F) {
	for qos := range byte(3) {
		p := &Publication{Topic: "a/b", QoS: qos, Payload: []byte("hi"), Expiry: 1, User: []Property{{"k", "v"}}, id: 7}
		whole := appendPublish(nil, p)
		f.Add(whole[0], whole[2:])
	}
	f.Add(byte(0x30), []byte{0, 1, 'x', 13, 1, 1, 2, 0, 0, 0, 1, 0x0b, 1, 0x23, 0, 1, 3, 0, 0})
	f.Fuzz(func(t *testing.T, first byte, body []byte) {
		p, err := readPublish(first, body)
		if err != nil {
			return
		}
		again := &Publication{Topic: p.Topic, QoS: p.qos, Payload: p.Payload, User: p.User, id: p.id}
		packet := appendPublish(nil, again)
		if len(packet) != again.packetBytes() {
			t.Fatalf("%d bytes were announced, %d written", again.packetBytes(), len(packet))
		}
		l := &link{reader: bufio.NewReader(bytes.NewReader(packet)), maxPacket: 1 << 28}
		kind, rest, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		q, err := readPublish(kind, rest)
		if err != nil || q.Topic != p.Topic || q.id != p.id || q.qos != p.qos || !bytes.Equal(q.Payload, p.Payload) || len(q.User) != len(p.User) {
			t.Fatalf("%v\nread  %+v\nagain %+v", err, p, q)
		}
	})
}

// FuzzPackets gives what arrives to the readers of all other packets.
func FuzzPackets(f *testing.F) {
	for _, packet := range [][]byte{
		connackPlain, {0x20, 8, 0, 0x97, 5, 0x1f, 0, 2, 'n', 'o'}, {0x90, 4, 0, 9, 0, 2}, {0xe0, 2, 0x8e, 0}, {0x40, 3, 0, 1, 0x10}, {0xe0, 0},
	} {
		f.Add(packet)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		l := &link{reader: bufio.NewReader(bytes.NewReader(stream)), maxPacket: 1 << 20}
		for {
			_, body, err := l.read()
			if err != nil {
				return
			}
			if a, err := readConnack(body); err == nil && a.maxQoS > 2 {
				t.Fatalf("%x is taken for %+v", body, a)
			}
			_, _, _ = readAck(body)
			_, _, _ = readSuback(body)
			if readDisconnect(body) == nil {
				t.Fatalf("%x gives no reason", body)
			}
		}
	})
}
