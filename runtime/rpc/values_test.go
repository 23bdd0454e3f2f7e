package rpc_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"aimrtrpc/runtime/rpc"
)

func TestStatus_TextForms(t *testing.T) {
	tests := []struct {
		status rpc.Status
		want   string
	}{
		{rpc.OK, "suc, code 0, msg: OK"},
		{rpc.StatusOfCode(1002), "fail, code 1002, msg: Server not implemented"},
		{rpc.StatusOfCode(4242), "fail, code 4242, msg: Unknown code"},
		{rpc.NewStatus(4242, "own words"), "fail, code 4242, msg: own words"},
	}
	for _, tt := range tests {
		if got := tt.status.String(); got != tt.want {
			t.Errorf("text is %q, want %q", got, tt.want)
		}
	}
}

func TestStatus_With_LeavesTheOriginalAlone(t *testing.T) {
	a := rpc.NewStatus(3011, "boom").WithDetails(rpc.Detail{Key: "a", Value: "1"})
	b := a.WithTrace("stack").WithNative(rpc.Native{Dialect: "aduib", Code: "5000"}).WithDetails(rpc.Detail{Key: "b", Value: "2"})
	c := a.WithDetails(rpc.Detail{Key: "c", Value: "3"})
	if a.Trace() != "" || len(a.Details()) != 1 || b.Trace() != "stack" || b.Native().Code != "5000" {
		t.Fatalf("a is %+v, b is %+v", a, b)
	}
	if got := fmt.Sprint(b.Details(), c.Details()); got != "[{a 1} {b 2}] [{a 1} {c 3}]" {
		t.Fatalf("details are %s", got)
	}
}

func TestCodes_ForeignNumbers(t *testing.T) {
	tests := []struct {
		name string
		got  rpc.Code
		want rpc.Code
	}{
		{"grpc 4", rpc.CodeOfGRPC(4), rpc.CodeTimeout},
		{"grpc unknown", rpc.CodeOfGRPC(99), rpc.CodeUnknown},
		{"http 404", rpc.CodeOfHTTP(404), rpc.CodeSvrNotFound},
		{"http 418", rpc.CodeOfHTTP(418), rpc.CodeSvrUnknown},
		{"json-rpc", rpc.CodeOfJSONRPC(-32602), rpc.CodeInvalidArgument},
		{"aduib", rpc.CodeOfAduib2(5010), rpc.CodeCircuitOpen},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	last := int64(-1)
	for _, r := range rpc.Codes() {
		row, ok := r.Code.Row()
		if int64(r.Code) <= last || !ok || row.Name != r.Name || r.Code.Text() != r.Text {
			t.Fatalf("row %+v is out of order or not found", r)
		}
		last = int64(r.Code)
	}
}

func TestMetadata_SetAddRemove(t *testing.T) {
	var m rpc.Metadata
	m.Add("a", "1")
	m.Add("b", "2")
	m.Add("a", "3")
	clone := m.Clone()
	m.Set("a", "4")
	m.Set("c", "5")
	m.Remove("b")
	var got []string
	m.Range(func(k, v string) bool { got = append(got, k+v); return true })
	if !slices.Equal(got, []string{"a4", "c5"}) || m.Len() != 2 {
		t.Fatalf("pairs are %v", got)
	}
	if !slices.Equal(clone.Values("a"), []string{"1", "3"}) || clone.Get("b") != "2" {
		t.Fatalf("the clone changed: %v", clone)
	}
	if _, ok := m.Lookup("b"); ok {
		t.Fatal("removed key is there")
	}
}

// upper is a type support that counts its work.
type upper struct{ encoded int }

func (u *upper) Name() string             { return "pb:Upper" }
func (u *upper) Serializations() []string { return []string{"pb", "json"} }
func (u *upper) Encode(s string, m any) ([]byte, error) {
	u.encoded++
	if m == nil {
		return nil, errors.New("no message")
	}
	return []byte(s + ":" + m.(string)), nil
}

func TestPayload_Native_EncodesOncePerSerialization(t *testing.T) {
	types, released := &upper{}, 0
	p := rpc.NativePayload("hi", types, func() { released++ })
	for _, want := range []string{"pb", "json", "pb", "json"} {
		data, err := p.Bytes(want)
		if err != nil || string(data) != want+":hi" {
			t.Fatalf("%s gives %q, %v", want, data, err)
		}
	}
	if first, _ := p.Bytes(""); string(first) != "pb:hi" || types.encoded != 2 {
		t.Fatalf("default gives %q after %d encodings", first, types.encoded)
	}
	detached := p.Detach()
	detached.Release()
	if _, err := p.Bytes("pb"); err != nil {
		t.Fatalf("releasing a detached copy released the message: %v", err)
	}
	other := p
	p.Release()
	other.Release()
	if _, err := other.Bytes("pb"); err == nil || released != 1 {
		t.Fatalf("released %d times, bytes after it: error %v", released, err)
	}
	if _, err := rpc.NativePayload(nil, types, nil).Bytes("pb"); err == nil || !strings.Contains(err.Error(), "pb:Upper") {
		t.Fatalf("error %v does not name the type", err)
	}
}

// lower is a type support that also decodes.
type lower struct {
	upper
	released int
}

func (l *lower) Decode(s string, data []byte) (any, func(), error) {
	if len(data) == 0 {
		return nil, nil, errors.New("no bytes")
	}
	return s + ":" + string(data), func() { l.released++ }, nil
}

func TestDecodePayload_DecodesWhereTheTypesCan(t *testing.T) {
	p, err := rpc.DecodePayload(&upper{}, "json", []byte("x"))
	if _, _, native := p.Native(); err != nil || native || p.Serialization() != "json" {
		t.Fatalf("without a decoder: native %t, %q, %v", native, p.Serialization(), err)
	}
	types := &lower{}
	p, err = rpc.DecodePayload(types, "json", []byte("x"))
	if message, _, native := p.Native(); err != nil || !native || message != "json:x" {
		t.Fatalf("with one: %v, native %t, %v", message, native, err)
	}
	if p.Release(); types.released != 1 {
		t.Fatalf("released %d times", types.released)
	}
	if p, err = rpc.DecodePayload(types, "json", nil); err == nil || !p.Empty() {
		t.Fatalf("bytes that are no message give %+v, %v", p, err)
	}
}

func TestPayload_Bytes_OtherSerializationIsRefused(t *testing.T) {
	p := rpc.BytesPayload("pb", []byte("x"))
	if _, err := p.Bytes("json"); err == nil || !strings.Contains(err.Error(), "json") {
		t.Fatalf("error is %v", err)
	}
	if data, err := p.Bytes("pb"); err != nil || string(data) != "x" {
		t.Fatalf("bytes %q, %v", data, err)
	}
	if data, err := rpc.BytesPayload("", []byte("x")).Bytes("json"); err != nil || string(data) != "x" {
		t.Fatalf("bytes without a serialization: %q, %v", data, err)
	}
	if !(rpc.Payload{}).Empty() || p.Empty() {
		t.Fatal("Empty is wrong")
	}
}

func TestNewMethod_BadOptions_AreRefused(t *testing.T) {
	tests := []struct{ name, want string }{{"", "needs a name"}, {strings.Repeat("x", 513), "limit is 512"}}
	for _, tt := range tests {
		if _, err := rpc.NewMethod(rpc.MethodOptions{Name: tt.name}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v does not contain %q", err, tt.want)
		}
	}
	if _, err := rpc.NewMethod(rpc.MethodOptions{Name: "x", Shape: 9}); err == nil {
		t.Error("shape 9 was accepted")
	}
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: "x", Request: rpc.Raw{"json"}})
	if err != nil || m.DefaultSerialization() != "json" || m.Supports("pb") {
		t.Errorf("method %+v, %v", m, err)
	}
}

func TestParseTarget(t *testing.T) {
	tests := []struct {
		text string
		want rpc.Target
	}{
		{"http://127.0.0.1:80/a/b?x=1&y=2#f", rpc.Target{Scheme: "http", Address: "127.0.0.1:80", Path: "/a/b", Query: "x=1&y=2", Fragment: "f"}},
		{"127.0.0.1:80", rpc.Target{Address: "127.0.0.1:80"}},
		{"local://rpc?pkg_path=/a/b.so", rpc.Target{Scheme: "local", Address: "rpc", Query: "pkg_path=/a/b.so"}},
		{"local://", rpc.Target{Scheme: "local"}},
		{"/path?u=http://x", rpc.Target{Path: "/path", Query: "u=http://x"}},
	}
	for _, tt := range tests {
		got, err := rpc.ParseTarget(tt.text)
		if err != nil || got != tt.want {
			t.Errorf("%q gives %+v, %v", tt.text, got, err)
		}
	}
	if _, err := rpc.ParseTarget("a b"); err == nil {
		t.Error("white space was accepted")
	}
	target := rpc.Target{Query: "a=&b=2&b=3&c"}
	if v, ok := target.QueryValue("b"); v != "2" || !ok {
		t.Errorf("b is %q %v", v, ok)
	}
	if _, ok := target.QueryValue("d"); ok {
		t.Error("d is there")
	}
}

func TestCallContext_UsedOnce(t *testing.T) {
	c := rpc.NewClientContext()
	c.Timeout, c.Target = 5, "local://x"
	c.Metadata.Set("k", "v")
	if !c.MarkUsed() || c.MarkUsed() {
		t.Fatal("the context is not single-use")
	}
	d := c.Clone()
	if d.Used() || d.Target != "local://x" {
		t.Fatal("the clone is used or incomplete")
	}
	c.Reset()
	if !c.MarkUsed() || c.Timeout != 0 || c.Metadata.Len() != 0 || d.Metadata.Len() != 1 {
		t.Fatal("reset did not clear everything, or cleared the clone")
	}
}
