package grpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

const (
	function = "pb:/peer.Echo/Do"
	path     = "/peer.Echo/Do"
	patience = 30 * time.Second
	mostSize = 64 << 20 // the largest message by default
)

// ends tells of calls of "wait": "here" when one has arrived, "gone" when its caller has left.
type ends chan string

// waiting is the number of calls of "wait" on our side.
var waiting atomic.Int64

// answers is what the function does on our side; the metadata key "do" says which case it is.
func (e ends) serve(_ context.Context, call *rpc.Call) {
	data, err := call.Request.Bytes(call.Context.Serialization)
	meta := &call.Context.Metadata
	switch meta.Get("do") {
	case "fail":
		call.Finish(rpc.NewStatus(1234, "Ärger 100 %"), rpc.Payload{})
	case "panic":
		panic("on purpose")
	case "wait":
		call.OnEnd(func(*rpc.Call) { waiting.Add(-1); e <- "gone" })
		waiting.Add(1)
		e <- "here"
	case "waiting":
		call.Finish(rpc.OK, rpc.BytesPayload("pb", fmt.Append(nil, waiting.Load())))
	case "meta":
		text := fmt.Sprintf("%s|%s|%s|%t", meta.Get("key"), hex.EncodeToString([]byte(meta.Get("key-bin"))), strings.Join(meta.Values("more"), ","), call.Context.Timeout > 0)
		call.Finish(rpc.StatusOf(err), rpc.BytesPayload(call.Context.Serialization, []byte(text)))
	default:
		call.Finish(rpc.StatusOf(err), rpc.BytesPayload(call.Context.Serialization, data))
	}
}

const serverConfig = `
aimrt:
  log: {backends: [{type: console}], core_lvl: Fatal}
  plugin: {plugins: [{name: grpc_plugin, options: {listen_ip: 127.0.0.1, listen_port: %d}}]}
  rpc:
    backends: [{type: grpc}]
    servers_options: [{func_name: "(.*)", enable_backends: [grpc]}]
`

const clientConfig = `
aimrt:
  log: {backends: [{type: console}], core_lvl: Fatal}
  rpc:
    backends: [{type: grpc, options: {compression: %s, clients_options: [{func_name: "(.*)", server_url: "http://%s"}]}}]
    clients_options: [{func_name: "(.*)", enable_backends: [grpc]}]
`

// descriptors is the set that generated code of the test service brings along.
func descriptors(t *testing.T) []byte {
	t.Helper()
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(testpb.File_grpc_testing_empty_proto), protodesc.ToFileDescriptorProto(testpb.File_grpc_testing_messages_proto),
		protodesc.ToFileDescriptorProto(testpb.File_grpc_testing_test_proto),
	}}
	data, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// ourServer runs a runtime that serves the function, and one of a generated service.
func ourServer(t *testing.T) (address string, left ends) {
	t.Helper()
	left = make(ends, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	number := l.Addr().(*net.TCPAddr).Port
	l.Close()
	run(t, fmt.Sprintf(serverConfig, number), func(m *core.Module) error {
		_, first := m.RegisterService(core.ServiceOptions{Name: function, Handler: rpc.Next(left.serve)})
		_, second := m.RegisterService(core.ServiceOptions{Name: "pb:/grpc.testing.TestService/UnaryCall", Descriptor: descriptors(t), Handler: rpc.Next(unaryCall)})
		return errors.Join(first, second)
	})
	return fmt.Sprintf("127.0.0.1:%d", number), left
}

// unaryCall answers with as many bytes as are asked for.
func unaryCall(_ context.Context, call *rpc.Call) {
	data, _ := call.Request.Bytes("pb")
	var request testpb.SimpleRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	out, err := proto.Marshal(&testpb.SimpleResponse{Payload: &testpb.Payload{Body: make([]byte, request.ResponseSize)}})
	call.Finish(rpc.StatusOf(err), rpc.BytesPayload("pb", out))
}

// ourClient runs a runtime that calls the function at an address.
func ourClient(t *testing.T, address, compression string) *core.Client {
	t.Helper()
	var client *core.Client
	run(t, fmt.Sprintf(clientConfig, compression, address), func(m *core.Module) (err error) {
		client, err = m.RegisterClient(core.ClientOptions{Name: function})
		return err
	})
	return client
}

func run(t *testing.T, config string, register func(*core.Module) error) {
	t.Helper()
	r := core.New(core.Options{ConfigText: config})
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := r.Initialize(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, err := r.NewModule(core.ModuleOptions{Name: "M", Package: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(register(m), r.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// call calls as a module does.
func call(t *testing.T, client *core.Client, serialization string, timeout time.Duration, body []byte, meta ...string) ([]byte, rpc.Status) {
	t.Helper()
	settings := rpc.NewClientContext()
	settings.Serialization, settings.Timeout = serialization, timeout
	for i := 0; i < len(meta); i += 2 {
		settings.Metadata.Add(meta[i], meta[i+1])
	}
	got, err := client.Call(t.Context(), settings, body)
	return got, rpc.StatusOf(err)
}

// bytesCodec lets grpc-go carry bytes as they are, under the name of a serialization.
type bytesCodec string

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (c bytesCodec) Name() string { return string(c) }

func dial(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostSize), grpc.MaxCallSendMsgSize(2*mostSize)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// theirServer is grpc-go's server; the metadata key "do" says what to do, as on our side.
func theirServer(t *testing.T) (address string, left ends) {
	t.Helper()
	left = make(ends, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.ForceServerCodec(bytesCodec("proto")), grpc.MaxRecvMsgSize(mostSize), grpc.MaxSendMsgSize(2*mostSize),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error { return left.theirs(stream) }))
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	return l.Addr().String(), left
}

func (e ends) theirs(stream grpc.ServerStream) error {
	ctx := stream.Context()
	if method, _ := grpc.MethodFromServerStream(stream); method != path {
		return status.Error(codes.Unimplemented, "unknown method "+method)
	}
	meta, _ := metadata.FromIncomingContext(ctx)
	var data []byte
	if err := stream.RecvMsg(&data); err != nil {
		return err
	}
	switch first(meta.Get("do")) {
	case "fail":
		st, err := status.New(codes.FailedPrecondition, "Ärger 100 %").WithDetails(&testpb.Payload{Body: []byte("detail")})
		if err != nil {
			return err
		}
		return st.Err()
	case "wait":
		e <- "here"
		<-ctx.Done()
		e <- "gone"
		return ctx.Err()
	case "meta":
		_, timed := ctx.Deadline()
		data = fmt.Appendf(nil, "%s|%x|%s|%t", first(meta.Get("key")), first(meta.Get("key-bin")), strings.Join(meta.Get("more"), ","), timed)
	case "huge":
		data = make([]byte, mostSize+1)
	}
	return stream.SendMsg(&data)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// wait waits until a call has arrived, or until a caller that left is known on the other side.
func (e ends) wait(t *testing.T, want string) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case got := <-e:
		if got != want {
			t.Fatalf("the handler says %q, expected %q", got, want)
		}
	case <-late.C:
		t.Fatalf("waited %v for the handler to say %q", patience, want)
	}
}

// words are text that compresses, but not like an attack.
func words(n int) []byte {
	b := make([]byte, 0, n+64)
	for i := 0; len(b) < min(n, 1<<20); i++ {
		b = fmt.Appendf(b, "%d and then %d, ", i*i, i)
	}
	for len(b) < n {
		b = append(b, b[:min(len(b), n-len(b))]...)
	}
	return b[:n]
}

// sizes of messages to exchange.
var sizes = []int{0, 1, 300, 70_000, 5 << 20, mostSize}
