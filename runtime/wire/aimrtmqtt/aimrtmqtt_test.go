package aimrtmqtt

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestLimits_OneMore_IsRefusedByName(t *testing.T) {
	long := strings.Repeat("x", MaxPairBytes+1)
	pairs := func(n int, key, value string) func(func(k, v string) bool) {
		return func(yield func(k, v string) bool) {
			for range n {
				if !yield(key, value) {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		what string
		head RequestHead
		meta func(func(k, v string) bool)
	}{
		{"", RequestHead{Serialization: long[:255], ReplyTopic: long[:255]}, pairs(MaxPairs, "k", long[:MaxPairBytes])},
		{"serialization", RequestHead{Serialization: long[:256]}, nil},
		{"reply topic", RequestHead{ReplyTopic: long[:256]}, nil},
		{"metadata", RequestHead{}, pairs(MaxPairs+1, "k", "v")},
		{"metadata key", RequestHead{}, pairs(1, long, "v")},
		{"metadata value of", RequestHead{}, pairs(1, "k", long)},
	} {
		got, err := AppendRequest([]byte("kept"), &c.head, c.meta)
		var limit *LimitError
		switch {
		case c.what == "":
			if q, readErr := ReadRequest(got[4:]); err != nil || readErr != nil || len(q.Metadata) != MaxPairs {
				t.Errorf("the largest head: %v, %v", err, readErr)
			}
		case !errors.As(err, &limit) || limit.What != c.what || string(got) != "kept" || !strings.Contains(err.Error(), "limit is"):
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := AppendResponse(nil, long[:256], 0, 0); err == nil {
		t.Error("a long serialization is taken for a reply")
	}
	if topic, err := RequestTopic("pb:/" + long[:MaxTopicBytes]); err == nil || !strings.Contains(err.Error(), "limit is 255") {
		t.Errorf("a long function gives %d bytes, %v", len(topic), err)
	}
	if err := CheckReplyTopic("aimrt_rpc_rsp/" + long[:MaxTopicBytes]); err == nil {
		t.Error("a long reply topic is taken")
	}
}

func TestEnd_RoundTrip(t *testing.T) {
	payload := AppendEnd(nil, "aimrt_rpc_rsp/a/b", 77)
	if topic, id, err := ReadEnd(payload); err != nil || topic != "aimrt_rpc_rsp/a/b" || id != 77 {
		t.Errorf("%q %d %v", topic, id, err)
	}
	for n := range payload {
		if _, _, err := ReadEnd(payload[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken for an end", n, len(payload))
		}
	}
	if topic, err := EndTopic("pb:/a.B/C"); err != nil || topic != "aimrt_rpc_end/%2Fa.B%2FC" {
		t.Errorf("%q, %v", topic, err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, v := range requestVectors(f) {
		f.Add(unhex(f, v.PayloadHex))
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1, 2, 3, 4, 255, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		q, err := ReadRequest(payload)
		if err != nil {
			return
		}
		again, err := AppendRequest(nil, &q.RequestHead, func(yield func(k, v string) bool) {
			for _, p := range q.Metadata {
				yield(p.Key, p.Value)
			}
		})
		if again = append(again, q.Message...); err != nil || !bytes.Equal(again, payload) {
			t.Fatalf("%v\nread  %x\nwrote %x", err, payload, again)
		}
		_ = CheckReplyTopic(q.ReplyTopic)
	})
}

func FuzzReply(f *testing.F) {
	for _, v := range replyVectors(f) {
		f.Add(unhex(f, v.PayloadHex))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := ReadResponse(payload)
		if err != nil {
			return
		}
		again, err := AppendResponse(nil, r.Serialization, r.ID, r.Code)
		if again = append(again, r.Message...); err != nil || !bytes.HasPrefix(payload, again) || r.Code == 0 && len(again) != len(payload) {
			t.Fatalf("%v\nread  %x\nwrote %x", err, payload, again)
		}
	})
}

func FuzzEnd(f *testing.F) {
	f.Add(AppendEnd(nil, "aimrt_rpc_rsp/a/b", 1))
	f.Fuzz(func(t *testing.T, payload []byte) {
		topic, id, err := ReadEnd(payload)
		if err == nil && !bytes.HasPrefix(payload, AppendEnd(nil, topic, id)) {
			t.Fatalf("%x: %q %d", payload, topic, id)
		}
	})
}
