package mqttx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/packets"
)

// Flags in the first byte of packets that have fixed ones.
const flagsOfPubrel = 2

var errMalformed = errors.New("malformed packet of the mqtt broker")

func malformed(what string) error { return fmt.Errorf("%w: %s", errMalformed, what) }

// Property ids that a PUBLISH may have.
const (
	propertyFormat       = 0x01
	propertyExpiry       = 0x02
	propertyContentType  = 0x03
	propertyResponse     = 0x08
	propertyCorrelation  = 0x09
	propertySubscription = 0x0b
	propertyAlias        = 0x23
	propertyUser         = 0x26
)

// appendVarint appends MQTT's variable length number, which Go's unsigned one
// equals up to four bytes.
func appendVarint(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

func varintBytes(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// sizes gives the lengths of a message's properties and of what follows the
// packet's length.
func (p *Publication) sizes() (properties, rest int) {
	if p.Expiry > 0 {
		properties += 5
	}
	for i := range p.User {
		properties += 5 + len(p.User[i].Key) + len(p.User[i].Value)
	}
	rest = 2 + len(p.Topic) + varintBytes(properties) + properties + len(p.Payload)
	if p.QoS > 0 {
		rest += 2
	}
	return properties, rest
}

// packetBytes is the size of a message on the wire.
func (p *Publication) packetBytes() int {
	_, rest := p.sizes()
	return 1 + varintBytes(rest) + rest
}

// appendPublish appends the packet of a message.
func appendPublish(dst []byte, p *Publication) []byte {
	properties, rest := p.sizes()
	dst = appendVarint(append(dst, packets.PUBLISH<<4|p.QoS<<1), rest)
	dst = appendText(dst, p.Topic)
	if p.QoS > 0 {
		dst = binary.BigEndian.AppendUint16(dst, p.id)
	}
	dst = appendVarint(dst, properties)
	if p.Expiry > 0 {
		seconds := min((p.Expiry+999_999_999)/1_000_000_000, 1<<32-1)
		dst = binary.BigEndian.AppendUint32(append(dst, propertyExpiry), uint32(seconds))
	}
	for i := range p.User {
		dst = appendText(appendText(append(dst, propertyUser), p.User[i].Key), p.User[i].Value)
	}
	return append(dst, p.Payload...)
}

// appendAck appends an acknowledgement that all is well.
func appendAck(dst []byte, kind byte, id uint16) []byte {
	flags := byte(0)
	if kind == packets.PUBREL {
		flags = flagsOfPubrel
	}
	return binary.BigEndian.AppendUint16(append(dst, kind<<4|flags, 2), id)
}

// readAck takes an acknowledgement apart. Its reason may be left out.
func readAck(body []byte) (id uint16, reason byte, err error) {
	if len(body) < 2 {
		return 0, 0, malformed("short acknowledgement")
	}
	if len(body) > 2 {
		reason = body[2]
	}
	return binary.BigEndian.Uint16(body), reason, nil
}

// received is a PUBLISH taken apart.
type received struct {
	Message
	qos byte
	id  uint16
	dup bool
}

// readPublish takes a PUBLISH apart; the payload is a part of body.
func readPublish(first byte, body []byte) (received, error) {
	p := received{qos: first >> 1 & 3, dup: first&8 != 0}
	p.Retained = first&1 != 0
	topic, rest, ok := cutText(body)
	if !ok || len(topic) == 0 || p.qos == 3 {
		return p, malformed("PUBLISH without a topic, or of QoS 3")
	}
	p.Topic = string(topic)
	if p.qos > 0 {
		if len(rest) < 2 {
			return p, malformed("PUBLISH without its id")
		}
		p.id, rest = binary.BigEndian.Uint16(rest), rest[2:]
		if p.id == 0 {
			return p, malformed("PUBLISH with the id 0")
		}
	}
	size, n := binary.Uvarint(rest)
	if n <= 0 || n > 4 || size > uint64(len(rest)-n) {
		return p, malformed("properties of a PUBLISH reach beyond its end")
	}
	if err := p.readProperties(rest[n : n+int(size)]); err != nil {
		return p, err
	}
	p.Payload = rest[n+int(size):]
	return p, nil
}

// readProperties keeps the user properties and steps over the others.
func (p *received) readProperties(b []byte) error {
	for len(b) > 0 {
		id, ok := b[0], true
		b = b[1:]
		switch id {
		case propertyFormat:
			b, ok = skip(b, 1)
		case propertyAlias:
			b, ok = skip(b, 2)
		case propertyExpiry:
			b, ok = skip(b, 4)
		case propertySubscription:
			_, n := binary.Uvarint(b)
			b, ok = skip(b, n)
			ok = ok && n > 0 && n <= 4
		case propertyContentType, propertyResponse, propertyCorrelation:
			_, b, ok = cutText(b)
		case propertyUser:
			var key, value []byte
			if key, b, ok = cutText(b); ok {
				value, b, ok = cutText(b)
			}
			p.User = append(p.User, Property{string(key), string(value)})
		default:
			return malformed(fmt.Sprintf("PUBLISH with property 0x%02x", id))
		}
		if !ok {
			return malformed("property of a PUBLISH reaches beyond its end")
		}
	}
	return nil
}

func skip(b []byte, n int) ([]byte, bool) {
	if n < 0 || n > len(b) {
		return nil, false
	}
	return b[n:], true
}

func cutText(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

// connectPacket asks for a clean session.
func connectPacket(cfg *Config) []byte {
	inflight, most := uint16(cfg.MaxInflight), uint32(cfg.MaxPacketBytes)
	return bytesOf(packets.CONNECT, &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: cfg.ClientID, CleanStart: true,
		KeepAlive:    uint16(min(max(1, cfg.KeepAlive.Seconds()), 1<<16-1)),
		UsernameFlag: cfg.Username != "", Username: cfg.Username, PasswordFlag: cfg.Password != "", Password: []byte(cfg.Password),
		Properties: &packets.Properties{ReceiveMaximum: &inflight, MaximumPacketSize: &most},
	})
}

// accepted is what a CONNACK says.
type accepted struct {
	inflight  int
	maxPacket int // 0: none
	maxQoS    byte
	shared    bool
	keepAlive uint16 // 0: as asked for
}

// readConnack reads the answer to a CONNECT.
func readConnack(body []byte) (accepted, error) {
	if len(body) == 2 && body[1] != 0 { // of MQTT 3, which has no properties
		if body[1] == 1 {
			return accepted{}, errOldVersion
		}
		return accepted{}, &ReasonError{What: "connection refused", Code: reasonFailure}
	}
	ack := packets.Connack{Properties: &packets.Properties{}}
	if err := ack.Unpack(bytes.NewBuffer(body)); err != nil {
		return accepted{}, malformed("CONNACK: " + err.Error())
	}
	if ack.ReasonCode == reasonOldVersion {
		return accepted{}, errOldVersion
	}
	if ack.ReasonCode >= reasonFailure {
		return accepted{}, &ReasonError{What: "connection refused", Code: ack.ReasonCode, Text: ack.Properties.ReasonString}
	}
	a := accepted{inflight: 1<<16 - 1, maxQoS: 2, shared: true}
	p := ack.Properties
	if p.ReceiveMaximum != nil && *p.ReceiveMaximum > 0 {
		a.inflight = int(*p.ReceiveMaximum)
	}
	if p.MaximumPacketSize != nil {
		a.maxPacket = int(*p.MaximumPacketSize)
	}
	if p.MaximumQOS != nil {
		a.maxQoS = min(*p.MaximumQOS, 2)
	}
	if p.SharedSubAvailable != nil {
		a.shared = *p.SharedSubAvailable != 0
	}
	if p.ServerKeepAlive != nil {
		a.keepAlive = *p.ServerKeepAlive
	}
	return a, nil
}

// subscribePacket asks for messages, but for none that the broker has kept: a
// request of yesterday is not to be served today.
func subscribePacket(id uint16, list []*Subscription) []byte {
	s := &packets.Subscribe{PacketID: id, Properties: &packets.Properties{}}
	for _, sub := range list {
		s.Subscriptions = append(s.Subscriptions, packets.SubOptions{Topic: sub.Filter, QoS: sub.QoS, RetainHandling: packets.RetainDoNotSend})
	}
	return bytesOf(packets.SUBSCRIBE, s)
}

func unsubscribePacket(id uint16, list []*Subscription) []byte {
	u := &packets.Unsubscribe{PacketID: id, Properties: &packets.Properties{}}
	for _, sub := range list {
		u.Topics = append(u.Topics, sub.Filter)
	}
	return bytesOf(packets.UNSUBSCRIBE, u)
}

// readSuback gives one reason per subscription asked for.
func readSuback(body []byte) (id uint16, reasons []byte, err error) {
	ack := packets.Suback{Properties: &packets.Properties{}}
	if err := ack.Unpack(bytes.NewBuffer(body)); err != nil {
		return 0, nil, malformed("SUBACK: " + err.Error())
	}
	return ack.PacketID, ack.Reasons, nil
}

// readDisconnect gives the broker's reason.
func readDisconnect(body []byte) error {
	d := packets.Disconnect{Properties: &packets.Properties{}}
	if len(body) > 0 {
		d.ReasonCode = body[0]
	}
	if len(body) > 1 && d.Unpack(bytes.NewBuffer(body)) != nil {
		return malformed("DISCONNECT")
	}
	return &ReasonError{What: "disconnected", Code: d.ReasonCode, Text: d.Properties.ReasonString}
}

// bytesOf is a packet as it goes out.
func bytesOf(kind byte, c packets.Packet) []byte {
	control := packets.NewControlPacket(kind)
	control.Content = c
	var out bytes.Buffer
	_, _ = control.WriteTo(&out) // memory takes everything
	return out.Bytes()
}
