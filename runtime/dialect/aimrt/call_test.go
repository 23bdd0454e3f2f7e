package aimrt_test

import (
	"errors"
	"strings"
	"testing"

	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// typesOf are messages of text in the serializations pb and json; "bad" is none.
type typesOf struct{}

func (typesOf) Name() string             { return "pb:Text" }
func (typesOf) Serializations() []string { return []string{"pb", "json"} }
func (typesOf) Encode(_ string, message any) ([]byte, error) {
	if message == "bad" {
		return nil, errors.New("bad message")
	}
	return []byte(message.(string)), nil
}
func (typesOf) Decode(_ string, data []byte) (any, func(), error) {
	if string(data) == "bad" {
		return nil, nil, errors.New("bad bytes")
	}
	return string(data), nil, nil
}

func typedCall(t *testing.T, kind rpc.ContextKind) *rpc.Call {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/a.B/C", Request: typesOf{}, Response: typesOf{}})
	if err != nil {
		t.Fatal(err)
	}
	return &rpc.Call{Method: m, Context: &rpc.CallContext{Kind: kind}}
}

func TestSerialization_ContextThenMethod(t *testing.T) {
	named := func(serialization string) (string, error) {
		if serialization == "json" {
			return "", errors.New("no content type for json")
		}
		return "x/" + serialization, nil
	}
	tests := []struct {
		asked       string
		contentType func(string) (string, error)
		want, text  string
	}{
		{"", named, "pb", ""},
		{"json", nil, "json", ""},
		{"json", named, "", "no content type for json"},
		{"ros2", named, "", `"pb:/a.B/C" does not support serialization "ros2"`},
		{"ros2", nil, "", `"pb:/a.B/C" does not support serialization "ros2"`},
	}
	for _, tt := range tests {
		call := typedCall(t, rpc.ClientContext)
		call.Context.Serialization = tt.asked
		got, status := aimrt.Serialization(call, tt.contentType)
		refused := !status.OK() && status.Code() == rpc.CodeCliInvalidSerializationType && status.Message() == tt.text
		if got != tt.want || refused != (tt.text != "") {
			t.Errorf("%q gives %q, %v", tt.asked, got, status)
		}
	}
}

func TestEncode_LimitsAndErrors(t *testing.T) {
	limits := aimrt.Limits{MaxMessageBytes: 4, MaxMetadata: 1}
	tests := []struct {
		message           string
		limits            aimrt.Limits
		entries           int
		request, response rpc.Code
	}{
		{"four", limits, 1, rpc.CodeOK, rpc.CodeOK},
		{"fives", limits, 1, rpc.CodeCliSendReqFailed, rpc.CodeResourceExhausted},
		{"four", limits, 2, rpc.CodeCliInvalidContext, rpc.CodeOK},
		{"fives", aimrt.Limits{}, 2, rpc.CodeOK, rpc.CodeOK},
		{"bad", limits, 0, rpc.CodeCliSerializationFailed, rpc.CodeSvrSerializationFailed},
	}
	for _, tt := range tests {
		call := typedCall(t, rpc.ClientContext)
		call.Request = rpc.NativePayload(tt.message, typesOf{}, nil)
		for range tt.entries {
			call.Context.Metadata.Add("k", "v")
		}
		data, status := aimrt.EncodeRequest(call, "pb", tt.limits)
		if status.Code() != tt.request || status.OK() != (string(data) == tt.message) {
			t.Errorf("request %q with %+v gives %q, %v", tt.message, tt.limits, data, status)
		}
		call.Finish(rpc.OK, rpc.NativePayload(tt.message, typesOf{}, nil))
		data, status = aimrt.EncodeResponse(call, "pb", tt.limits)
		if status.Code() != tt.response || status.OK() != (string(data) == tt.message) {
			t.Errorf("response %q with %+v gives %q, %v", tt.message, tt.limits, data, status)
		}
	}
	failed := typedCall(t, rpc.ServerContext)
	failed.Finish(rpc.NewStatus(77, "no"), rpc.BytesPayload("pb", []byte("x")))
	if data, status := aimrt.EncodeResponse(failed, "pb", limits); data != nil || status.Code() != 77 {
		t.Errorf("a call that failed gives %q, %v", data, status)
	}
}

func TestDecode_BothSides(t *testing.T) {
	tests := []struct {
		serialization, data string
		request, response   rpc.Code
	}{
		{"json", "text", rpc.CodeOK, rpc.CodeOK},
		{"json", "bad", rpc.CodeSvrDeserializationFailed, rpc.CodeCliDeserializationFailed},
		{"ros2", "text", rpc.CodeSvrInvalidSerializationType, rpc.CodeOK},
	}
	for _, tt := range tests {
		server := typedCall(t, rpc.ServerContext)
		status := aimrt.DecodeRequest(server, tt.serialization, []byte(tt.data))
		if message, _, native := server.Request.Native(); status.Code() != tt.request || native != status.OK() || native && message != tt.data {
			t.Errorf("request %q in %s gives %v, %v", tt.data, tt.serialization, message, status)
		}
		client := typedCall(t, rpc.ClientContext)
		aimrt.FinishDecoded(client, tt.serialization, []byte(tt.data))
		if message, _, native := client.Response().Native(); client.Status().Code() != tt.response || native != client.Status().OK() || native && message != tt.data {
			t.Errorf("response %q in %s gives %v, %v", tt.data, tt.serialization, message, client.Status())
		}
	}
}

func TestReceive_FrameworkKeysLandInFields(t *testing.T) {
	call := typedCall(t, rpc.ServerContext)
	call.Context.Serialization = "pb"
	for _, p := range []rpc.Pair{
		{Key: aimrt.KeyRequestID, Value: "7"}, {Key: aimrt.KeyToAddr, Value: "http://x"}, {Key: aimrt.KeySerialization, Value: ""},
		{Key: aimrt.KeyBackend, Value: "forged"}, {Key: aimrt.KeyFunctionName, Value: "forged"}, {Key: aimrt.KeyResponseID, Value: "8"},
	} {
		if !aimrt.Receive(call, p.Key, p.Value) {
			t.Errorf("%s is taken for the user's", p.Key)
		}
	}
	if c := call.Context; call.ID != 7 || c.Target != "http://x" || c.Serialization != "pb" || call.Backend != "" || c.FunctionName != "" || c.Metadata.Len() != 0 {
		t.Errorf("the call is %+v, %+v", call, c)
	}
	if aimrt.Receive(call, aimrt.KeySerialization, "json"); call.Context.Serialization != "json" {
		t.Errorf("the serialization is %q", call.Context.Serialization)
	}
	if aimrt.Receive(call, "k", "v") || aimrt.Receive(call, aimrt.KeyFromPackage, "p") {
		t.Error("a user's pair is taken for the framework's")
	}
}

func TestAppendPeer_OnlyTheServerSaysIt(t *testing.T) {
	pairs := aimrt.AppendPeer(nil, "127.0.0.1:1", []string{"a", "b"})
	if len(pairs) != 3 || pairs[0].Value != "127.0.0.1:1" || pairs[1].Value != "a" || pairs[2].Value != "b" {
		t.Errorf("pairs are %v", pairs)
	}
	for _, p := range pairs {
		if !aimrt.AboutPeer(p.Key) || !aimrt.AboutPeer(strings.ToUpper(p.Key)) {
			t.Errorf("a peer may say %s", p.Key)
		}
	}
	if len(aimrt.AppendPeer(nil, "", nil)) != 0 || aimrt.AboutPeer("Remote") {
		t.Error("an unknown peer has pairs, or a user's key is taken for one of the peer's")
	}
}

func TestNumbers_OwnAndAimRTs(t *testing.T) {
	tests := []struct {
		status     rpc.Status
		aimrt, own uint32
	}{
		{rpc.OK, 0, 0},
		{rpc.StatusOfCode(rpc.CodeSvrNotFound), uint32(rpc.CodeSvrNotFound), uint32(rpc.CodeSvrNotFound)},
		{rpc.StatusOfCode(rpc.CodeResourceExhausted), aimrtOf(t, rpc.CodeResourceExhausted), uint32(rpc.CodeResourceExhausted)},
		{rpc.NewStatus(4242, "own"), 4242, 4242},
		{aimrt.StatusOf(4242, "x"), 4242, 4242},
		{rpc.StatusOfCode(rpc.CodeUnknown).WithNative(rpc.Native{Dialect: aimrt.Dialect, Code: "4243"}), 4243, 4243},
		{rpc.NewStatus(4242, "").WithNative(rpc.Native{Dialect: aimrt.Dialect, Code: "0"}), 4242, 4242},
		{rpc.NewStatus(4242, "").WithNative(rpc.Native{Dialect: "grpc", Code: "5"}), 4242, 4242},
	}
	for _, tt := range tests {
		if number, own := aimrt.Numbers(tt.status); number != tt.aimrt || own != tt.own {
			t.Errorf("%v has the numbers %d and %d, want %d and %d", tt.status, number, own, tt.aimrt, tt.own)
		}
	}
}

func aimrtOf(t *testing.T, code rpc.Code) uint32 {
	t.Helper()
	row, ok := code.Row()
	if !ok || row.AimRT == uint32(code) {
		t.Fatalf("%v is one of AimRT's own", code)
	}
	return row.AimRT
}
