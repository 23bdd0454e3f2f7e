package aiomas

import (
	"net"
	"testing"

	"aimrtrpc/runtime/backend/backendtest"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/framed"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// seeds are payloads of both codecs.
var seeds = []string{
	`[0, 0, ["echo", [], {"x": 1}]]`, `[0, 0, ["sub/echo", [{"x": []}], {}]]`, `[0, "id", ["none", [], {}]]`, `[0, 1, ["echo", null, []]]`,
	`[1, 0, {"__type__": [0, "x"]}]`, `[2, 0, "Traceback (most recent call last):\n  ...\nValueError: x\n"]`, `[2, 0, ["A", "b", "c"]]`, `[0, 0, ["__auth__", ["t"], {}]]`,
	"\x93\x00\x00\x93\xa4echo\x91\xc4\x02xy\x80", "\x93\x00\x00\x93\xa4echo\x92\xc4\x02xy\xa4json\x80", "\x93\x02\x00\xa5A: b\n",
	`[[], {"x": 1}]`, `[[{"x": NaN}], {}]`, "\x92\x91\xc4\x02xy\x80", "\x92\x90\x81\xa1x\x01",
}

func addSeeds(f *testing.F) {
	for _, seed := range seeds {
		for codec := range codecs {
			f.Add(uint8(codec), []byte(seed))
		}
	}
}

// FuzzFrame gives a session that serves and waits for a reply any payload: it is answered, ignored, or the end of the connection, and the own
// call ends with a value or a status.
func FuzzFrame(f *testing.F) {
	addSeeds(f)
	tree := functions(f, map[string]backendtest.HandlerFunc{"echo": echo, "sub/echo": echo})
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "own"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, codec uint8, payload []byte) {
		o := Options{Codec: codecs[int(codec)%len(codecs)], MaxFrameBytes: 1 << 20, Handler: tree}.withDefaults()
		near, far := net.Pipe()
		defer near.Close()
		fc := framed.New(far, o.framed())
		s := newSession(newConn(o), fc, rpc.Peer{Scheme: local})
		own := &rpc.Call{Method: m, Context: rpc.NewClientContext()}
		s.invoke(own, "own", nil, nil)
		s.Frame(fc, payload)
		fc.Fail(errClosed)
		s.Closed(fc, errClosed)
		<-own.Done()
		if own.Status().OK() {
			if data, err := own.Response().Bytes(""); err != nil {
				t.Fatal(err)
			} else if _, err := o.values().Check(data); err != nil {
				t.Fatalf("%q gave the result %q: %v", payload, data, err)
			}
		}
	})
}

// FuzzRequest makes the message of a function out of any arguments: what is JSON then is JSON.
func FuzzRequest(f *testing.F) {
	addSeeds(f)
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/pkg.Service/Move"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, codec uint8, payload []byte) {
		o := Options{Codec: codecs[int(codec)%len(codecs)]}.withDefaults()
		got, err := o.request(payload, m)
		if err != nil || got.serialization != serialJSON || got.whole {
			return
		}
		if shape, err := (wire.Format{}).Check(got.data); len(got.data) > 0 && (err != nil || shape != wire.Map) {
			t.Fatalf("%q gave the request %q: %v, %v", payload, got.data, shape, err)
		}
		if _, _, err := o.pack(m, serialJSON, got.data); len(got.data) > 0 && err != nil {
			t.Fatalf("the request %q cannot go out again: %v", got.data, err)
		}
	})
}
