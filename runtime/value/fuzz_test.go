package value

import (
	"bytes"
	"errors"
	"testing"

	wire "aimrtrpc/runtime/wire/aiomas"
)

var fuzzLimits = Limits{MaxBytes: 1 << 16, MaxDepth: 20}

// known tells whether an error is one that callers can tell apart.
func known(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrLimit) || errors.Is(err, ErrNoForm)
}

// FuzzJSONToMsgPack: what is converted is one sound value, and comes back as
// the normal form of the source.
func FuzzJSONToMsgPack(f *testing.F) {
	v := load(f)
	for _, c := range v.ToMsgPack {
		f.Add([]byte(c[0]))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		packed, err := JSONToMsgPack(nil, src, fuzzLimits)
		if err != nil {
			if !known(err) || len(packed) != 0 {
				t.Fatalf("%q: %d bytes, error %v", src, len(packed), err)
			}
			return
		}
		if _, err := asMsgPack.Check(packed); err != nil {
			t.Fatalf("%q becomes %x: %v", src, packed, err)
		}
		back, err := MsgPackToJSON(nil, packed, Limits{MaxBytes: 1 << 20})
		want, wantErr := wire.Format{}.AppendNormalJSON(nil, src)
		if err != nil || wantErr != nil || !bytes.Equal(back, want) {
			t.Fatalf("%q becomes %x, then %q, errors %v, %v, want %q", src, packed, back, err, wantErr, want)
		}
	})
}

// FuzzMsgPackToJSON: what is converted is normal JSON, and stays the same over
// a second trip.
func FuzzMsgPackToJSON(f *testing.F) {
	v := load(f)
	for _, c := range v.ToJSON {
		f.Add(unhex(f, c[0]))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		text, err := MsgPackToJSON(nil, src, fuzzLimits)
		if err != nil {
			if !known(err) || len(text) != 0 {
				t.Fatalf("%x: %d bytes, error %v", src, len(text), err)
			}
			return
		}
		if normal, err := (wire.Format{}).AppendNormalJSON(nil, text); err != nil || !bytes.Equal(normal, text) {
			t.Fatalf("%x becomes %q, normal %q, error %v", src, text, normal, err)
		}
		packed, err := JSONToMsgPack(nil, text, Limits{MaxBytes: 1 << 20})
		if err != nil {
			t.Fatalf("%x becomes %q: %v", src, text, err)
		}
		if again, err := MsgPackToJSON(nil, packed, Limits{MaxBytes: 1 << 20}); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%x becomes %q, then %q, error %v", src, text, again, err)
		}
	})
}
