// Package aimrtmqtt is AimRT's RPC over MQTT as bytes: topics, the payloads of
// requests and replies, both ways. It opens no socket and knows no call; the
// mqtt backend uses it together with an MQTT session. The bytes are those of
// AimRT 1.7.0, kept in tests/vectors/aimrtmqtt; End is ours.
package aimrtmqtt

// Limits of the format: lengths are written in one byte, those of metadata in
// two, and AimRT refuses longer topics.
const (
	MaxTopicBytes         = 255
	MaxSerializationBytes = 255
	MaxPairs              = 255
	MaxPairBytes          = 1<<16 - 1
)

// Pair is one entry of a call's metadata.
type Pair struct{ Key, Value string }
