package aimrtmqtt

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type requestVector struct {
	Name, Obtained, Function, Client, Server, Topic, Serialization string
	ID                                                             uint32
	Meta                                                           [][2]string
	MessageHex                                                     string `yaml:"message_hex"`
	PayloadHex                                                     string `yaml:"payload_hex"`
}

func requestVectors(t testing.TB) (v []requestVector) {
	testx.Vectors(t, "aimrtmqtt/requests.yaml", &v)
	if len(v) == 0 {
		t.Fatal("no request vectors")
	}
	return v
}

type replyVector struct {
	Name, Obtained, Serialization string
	ID, Code                      uint32
	MessageHex                    string `yaml:"message_hex"`
	PayloadHex                    string `yaml:"payload_hex"`
}

func replyVectors(t testing.TB) (v []replyVector) {
	testx.Vectors(t, "aimrtmqtt/replies.yaml", &v)
	if len(v) == 0 {
		t.Fatal("no reply vectors")
	}
	return v
}

func checkObtained(t *testing.T, name, got string) {
	t.Helper()
	if !slices.Contains([]string{"capture", "composed"}, got) {
		t.Errorf("%s: obtained %q", name, got)
	}
}

func TestRequests_EncodeEqualsGolden_GoldenDecodes(t *testing.T) {
	for _, v := range requestVectors(t) {
		checkObtained(t, v.Name, v.Obtained)
		reply, err := ReplyTopic(v.Client, "", v.Function)
		if err != nil {
			t.Fatal(err)
		}
		head := RequestHead{Serialization: v.Serialization, ReplyTopic: reply, ID: v.ID}
		payload, message := unhex(t, v.PayloadHex), unhex(t, v.MessageHex)
		got, err := AppendRequest([]byte("kept"), &head, func(yield func(k, v string) bool) {
			for _, m := range v.Meta {
				if !yield(m[0], m[1]) {
					return
				}
			}
		})
		if got = append(got, message...); err != nil || !bytes.Equal(got, append([]byte("kept"), payload...)) {
			t.Errorf("%s: %v\ngot  %x\nwant %x", v.Name, err, got, payload)
		}
		want := Request{RequestHead: head, Message: message}
		for _, m := range v.Meta {
			want.Metadata = append(want.Metadata, Pair{m[0], m[1]})
		}
		if q, err := ReadRequest(payload); err != nil || !reflect.DeepEqual(q, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", v.Name, err, q, want)
		}
		topic, err := RequestTopic(v.Function)
		if v.Server != "" {
			topic, err = PrivateTopic(v.Server, v.Function)
		}
		if err != nil || topic != v.Topic {
			t.Errorf("%s: topic %q, want %q, %v", v.Name, topic, v.Topic, err)
		}
		for n := range len(payload) - len(message) {
			if _, err := ReadRequest(payload[:n]); err == nil || !strings.Contains(err.Error(), "at byte") {
				t.Errorf("%s: %d of %d bytes give %v", v.Name, n, len(payload), err)
			}
		}
	}
}

func TestReplies_EncodeEqualsGolden_GoldenDecodes(t *testing.T) {
	for _, v := range replyVectors(t) {
		checkObtained(t, v.Name, v.Obtained)
		payload, message := unhex(t, v.PayloadHex), unhex(t, v.MessageHex)
		got, err := AppendResponse(nil, v.Serialization, v.ID, v.Code)
		if got = append(got, message...); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("%s: %v\ngot  %x\nwant %x", v.Name, err, got, payload)
		}
		r, err := ReadResponse(payload)
		if err != nil || r.Serialization != v.Serialization || r.ID != v.ID || r.Code != v.Code || !bytes.Equal(r.Message, message) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", v.Name, err, r, v)
		}
		for n := range len(payload) - len(message) {
			if _, err := ReadResponse(payload[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are taken for a reply", v.Name, n, len(payload))
			}
		}
	}
	if r, err := ReadResponse(unhex(t, "02 7062 01000000 02000000 ffff")); err != nil || r.Message != nil {
		t.Errorf("a failed reply has the message %x, %v", r.Message, err)
	}
}

func TestText_Vectors(t *testing.T) {
	var v struct {
		Topics []struct {
			Function, Obtained, ID, Request, Shared, Private, Reply string
		}
		FunctionsRefused []string `yaml:"functions_refused"`
		IDsRefused       []string `yaml:"ids_refused"`
		ReplyTopics      []struct {
			Topic string
			OK    bool
		} `yaml:"reply_topics"`
	}
	testx.Vectors(t, "aimrtmqtt/text.yaml", &v)
	for _, c := range v.Topics {
		checkObtained(t, c.Function, c.Obtained)
		request, err1 := RequestTopic(c.Function)
		private, err2 := PrivateTopic(c.ID, c.Function)
		reply, err3 := ReplyTopic(c.ID, "", c.Function)
		secret, err4 := ReplyTopic(c.ID, "s3cret", c.Function)
		if request != c.Request || SharedFilter(request) != c.Shared || private != c.Private || reply != c.Reply || err1 != nil || err2 != nil || err3 != nil {
			t.Errorf("%q: %q %q %q %v %v %v", c.Function, request, private, reply, err1, err2, err3)
		}
		if owner, is := ReplyOwner(secret); err4 != nil || !is || owner != Level(c.ID) || CheckReplyTopic(secret) != nil || !strings.Contains(secret, "/s3cret/") {
			t.Errorf("reply topic with a secret: %q, owner %q, %v", secret, owner, err4)
		}
		if _, is := ReplyOwner(request); is {
			t.Errorf("%q is taken for a reply topic", request)
		}
	}
	for _, f := range v.FunctionsRefused {
		if topic, err := RequestTopic(f); err == nil {
			t.Errorf("function %q gives %q", f, topic)
		}
	}
	for _, id := range v.IDsRefused {
		if topic, err := PrivateTopic(id, "pb:/a/B"); err == nil {
			t.Errorf("server id %q gives %q", id, topic)
		}
		if topic, err := ReplyTopic(id, "", "pb:/a/B"); err == nil {
			t.Errorf("client id %q gives %q", id, topic)
		}
	}
	for _, c := range v.ReplyTopics {
		if err := CheckReplyTopic(c.Topic); (err == nil) != c.OK {
			t.Errorf("reply topic %q: %v", c.Topic, err)
		}
	}
	if len(v.Topics)*len(v.FunctionsRefused)*len(v.IDsRefused)*len(v.ReplyTopics) == 0 {
		t.Error("a list of vectors is empty")
	}
}
