package aimrtmqtt

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// First parts of the topics.
const (
	requestPrefix = "aimrt_rpc_req/"
	replyPrefix   = "aimrt_rpc_rsp/"
	endPrefix     = "aimrt_rpc_end/" // ours, AimRT does not listen there
	sharedGroup   = "$share/aimrt/"
)

const upperHex = "0123456789ABCDEF"

// escape writes a text as one level of a topic: ASCII letters, digits and
// "-_.~" stay, a blank becomes "+", every other byte %XX.
func escape(s string) string {
	plain := 0
	for plain < len(s) && unreserved(s[plain]) {
		plain++
	}
	if plain == len(s) {
		return s
	}
	out := append(make([]byte, 0, len(s)+8), s[:plain]...)
	for ; plain < len(s); plain++ {
		switch c := s[plain]; {
		case unreserved(c):
			out = append(out, c)
		case c == ' ':
			out = append(out, '+')
		default:
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(out)
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.' || c == '~'
}

// CheckID tells whether a client id can be a part of topics. AimRT takes any
// and is thrown out by the broker for a blank, which becomes a wildcard.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("client id is empty, expected letters, digits and -_.~")
	case strings.Contains(id, " "):
		return fmt.Errorf("client id %q has a blank, which would become a wildcard in topics; expected letters, digits and -_.~", id)
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("client id %q has bytes that are no text; expected letters, digits and -_.~", id)
	}
	return nil
}

// functionLevel is a function's name as one level of a topic:
// "pb:/pkg.Service/Func" gives "%2Fpkg.Service%2FFunc".
func functionLevel(function string) (string, error) {
	_, name, found := strings.Cut(function, ":")
	if !found || !strings.HasPrefix(name, "/") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", fmt.Errorf("function name %q: expected a form like \"pb:/package.Service/Method\"", function)
	}
	return escape(name), nil
}

// join makes a topic of its prefix, levels and function, and checks its length.
func join(function, prefix string, levels ...string) (string, error) {
	name, err := functionLevel(function)
	if err != nil {
		return "", err
	}
	var topic strings.Builder
	topic.WriteString(prefix)
	for _, level := range levels {
		topic.WriteString(level)
		topic.WriteByte('/')
	}
	topic.WriteString(name)
	if topic.Len() > MaxTopicBytes {
		return "", fmt.Errorf("topic %q has %d bytes, the limit is %d", topic.String(), topic.Len(), MaxTopicBytes)
	}
	return topic.String(), nil
}

// RequestTopic is where requests go that any server of the function may take.
func RequestTopic(function string) (string, error) { return join(function, requestPrefix) }

// SharedFilter is what a server subscribes to in order to take its share of
// the requests at a RequestTopic.
func SharedFilter(requestTopic string) string { return sharedGroup + requestTopic }

// PrivateTopic is where requests for one server go, and its subscription.
func PrivateTopic(server, function string) (string, error) {
	if err := CheckID(server); err != nil {
		return "", err
	}
	return join(function, requestPrefix, escape(server))
}

// ReplyTopic is where a client wants its replies. With a secret, which others
// cannot guess, nobody who was not asked can reply; without it is AimRT's own.
func ReplyTopic(client, secret, function string) (string, error) {
	if err := CheckID(client); err != nil {
		return "", err
	}
	if secret == "" {
		return join(function, replyPrefix, escape(client))
	}
	return join(function, replyPrefix, escape(client), secret)
}

// CheckReplyTopic tells whether a server may publish to the topic that a
// request names. A request could otherwise make it publish anything anywhere,
// to itself in an endless round as well.
func CheckReplyTopic(topic string) error {
	rest, ours := strings.CutPrefix(topic, replyPrefix)
	switch {
	case len(topic) > MaxTopicBytes:
		return fmt.Errorf("reply topic has %d bytes, the limit is %d", len(topic), MaxTopicBytes)
	case !ours || rest == "":
		return fmt.Errorf("reply topic %q does not begin with %s", topic, replyPrefix)
	case strings.ContainsAny(rest, "+#") || !utf8.ValidString(rest) || strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("reply topic %q has characters that no topic has", topic)
	}
	return nil
}

// ReplyOwner is the escaped client id in a reply topic; false for other topics
// and for filters that are not of one client.
func ReplyOwner(topic string) (owner string, reply bool) {
	rest, reply := strings.CutPrefix(topic, replyPrefix)
	if !reply {
		return "", false
	}
	owner, _, _ = strings.Cut(rest, "/")
	return owner, true
}

// Level is a client id as it stands in topics.
func Level(id string) string { return escape(id) }

// EndTopic is where clients of ours tell that nobody waits for an answer.
func EndTopic(function string) (string, error) { return join(function, endPrefix) }
