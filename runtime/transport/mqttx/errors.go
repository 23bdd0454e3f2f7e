package mqttx

import (
	"errors"
	"fmt"
)

// Why a message did not reach anybody, and why a connection ended. Other
// reasons are the system's (connection refused, reset by peer).
var (
	// ErrClosed: this side closed the session.
	ErrClosed = errors.New("mqtt session closed")
	// ErrLost: the connection ended before the broker acknowledged the message,
	// which may have been delivered or not.
	ErrLost = errors.New("connection to the mqtt broker lost before the message was acknowledged")
	// ErrNoSubscribers: the broker found nobody to give the message to.
	ErrNoSubscribers = errors.New("nobody subscribed to the topic")
	// ErrDown: there is no connection, and the message was not to wait.
	ErrDown = errors.New("no connection to the mqtt broker")

	errSilent     = errors.New("the broker was silent for longer than the keep-alive")
	errStalled    = errors.New("the broker stopped reading")
	errSlow       = errors.New("the broker did not accept connection and subscriptions in time")
	errOldVersion = errors.New("the broker does not speak MQTT 5, which is needed (Mosquitto has it from 1.6 on)")
)

// LimitError is a message that the queue has no room for.
type LimitError struct {
	Name  string // field of Config
	What  string
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s, the limit %s is %d", e.What, e.Name, e.Limit)
}

// SizeError is a packet above the limit of this side or of the broker.
type SizeError struct {
	Size, Max int
	Broker    bool // the broker set the limit
	Received  bool
}

func (e *SizeError) Error() string {
	whose, what := "MaxPacketBytes", "packet to send"
	if e.Broker {
		whose = "the broker's maximum packet size"
	}
	if e.Received {
		what = "packet announced by the broker"
	}
	return fmt.Sprintf("%s has %d bytes, more than %s of %d", what, e.Size, whose, e.Max)
}

// ReasonError is what the broker gave as reason for a refusal or an end.
type ReasonError struct {
	What string // "connection refused", "message refused", "disconnected"
	Code byte
	Text string // the broker's own words, may be empty
}

func (e *ReasonError) Error() string {
	text := reasonText(e.Code)
	if e.Text != "" {
		text += " (" + e.Text + ")"
	}
	return fmt.Sprintf("%s by the mqtt broker: %s", e.What, text)
}

// Reason codes of MQTT 5 that are treated apart.
const (
	reasonNoSubscribers  = 0x10
	reasonFailure        = 0x80 // and above
	reasonIDInUse        = 0x91
	reasonOldVersion     = 0x84
	reasonBadCredentials = 0x86
	reasonNotAuthorized  = 0x87
	reasonTakenOver      = 0x8e
)

var reasonTexts = map[byte]string{
	0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error", 0x83: "implementation specific error",
	reasonOldVersion: "unsupported protocol version", 0x85: "client identifier not valid", reasonBadCredentials: "bad user name or password",
	reasonNotAuthorized: "not authorized", 0x88: "server unavailable", 0x89: "server busy", 0x8a: "banned", 0x8b: "server shutting down",
	0x8d: "keep-alive timeout", reasonTakenOver: "another client connected with the same client id", 0x8f: "topic filter invalid",
	0x90: "topic name invalid", 0x91: "packet identifier in use", 0x93: "receive maximum exceeded", 0x95: "packet too large",
	0x96: "message rate too high", 0x97: "quota exceeded", 0x98: "administrative action", 0x99: "payload format invalid",
	0x9a: "retain not supported", 0x9b: "QoS not supported", 0x9c: "use another server", 0x9d: "server moved",
	0x9e: "shared subscriptions not supported", 0x9f: "connection rate exceeded", 0xa2: "wildcard subscriptions not supported",
}

func reasonText(code byte) string {
	if text, ok := reasonTexts[code]; ok {
		return text
	}
	return fmt.Sprintf("reason 0x%02x", code)
}
