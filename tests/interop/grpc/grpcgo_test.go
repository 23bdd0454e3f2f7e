package grpc

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	reflectv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
)

// invoke calls with grpc-go.
func invoke(conn *grpc.ClientConn, codec string, body []byte, ctx context.Context, meta ...string) ([]byte, error) {
	var out []byte
	err := conn.Invoke(metadata.AppendToOutgoingContext(ctx, meta...), path, &body, &out, grpc.ForceCodec(bytesCodec(codec)))
	return out, err
}

func TestGRPCGo_CallsOurs(t *testing.T) {
	testx.NoLeaks(t)
	address, left := ourServer(t)
	conn := dial(t, address)
	for _, codec := range []string{"proto", "json"} {
		for _, size := range sizes {
			body := words(size)
			if got, err := invoke(conn, codec, body, t.Context()); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s, %d bytes: %d came back, %v", codec, size, len(got), err)
			}
		}
	}
	if _, err := invoke(conn, "proto", make([]byte, mostSize+1), t.Context()); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request above the limit: %v", err)
	}
	got, err := invoke(conn, "proto", nil, t.Context(), "do", "meta", "key", "value", "key-bin", "\x00ä\xff", "more", "1", "more", "2")
	if want := "value|00c3a4ff|1,2|false"; err != nil || string(got) != want {
		t.Errorf("metadata: %q, %v, want %q", got, err, want)
	}
	if _, err := invoke(conn, "proto", nil, t.Context(), "do", "fail"); status.Code(err) != codes.Unknown || status.Convert(err).Message() != "Ärger 100 %" {
		t.Errorf("own code: %v", err)
	}
	if _, err := invoke(conn, "proto", nil, t.Context(), "do", "panic"); status.Code(err) != codes.Internal || !strings.Contains(err.Error(), "on purpose") {
		t.Errorf("panic: %v", err)
	}
	if _, err := invoke(conn, "xml", nil, t.Context()); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a codec that nobody knows: %v", err)
	}
	var out []byte
	body := []byte{}
	if err := conn.Invoke(t.Context(), "/peer.Echo/Nothing", &body, &out, grpc.ForceCodec(bytesCodec("proto"))); status.Code(err) != codes.Unimplemented {
		t.Errorf("unknown method: %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := invoke(conn, "proto", nil, soon, "do", "wait"); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("deadline: %v", err)
	}
	left.wait(t, "here")
	left.wait(t, "gone")
	stopped, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	guard.Go("interop cancel", func() { left.wait(t, "here"); stop() })
	if _, err := invoke(conn, "proto", nil, stopped, "do", "wait"); status.Code(err) != codes.Canceled {
		t.Errorf("cancel: %v", err)
	}
	left.wait(t, "gone")
	text := words(100_000)
	if err := conn.Invoke(t.Context(), path, &text, &out, grpc.ForceCodec(bytesCodec("proto")), grpc.UseCompressor(gzip.Name)); err != nil || !bytes.Equal(out, text) {
		t.Errorf("gzip: %d bytes, %v", len(out), err)
	}
	answer, err := testpb.NewTestServiceClient(conn).UnaryCall(t.Context(), &testpb.SimpleRequest{ResponseSize: 314159})
	if err != nil || len(answer.Payload.Body) != 314159 {
		t.Errorf("generated stub: %v", err)
	}
}

func TestOurs_CallsGRPCGo(t *testing.T) {
	testx.NoLeaks(t)
	address, left := theirServer(t)
	for _, compression := range []string{"none", "gzip"} {
		client := ourClient(t, address, compression)
		for _, serialization := range []string{"pb", "json"} {
			for _, size := range sizes {
				if compression == "gzip" && size == mostSize {
					continue // takes seconds and shows nothing more
				}
				body := words(size)
				if got, status := call(t, client, serialization, patience, body); !status.OK() || !bytes.Equal(got, body) {
					t.Errorf("%s, %s, %d bytes: %d came back, %v", compression, serialization, size, len(got), status)
				}
			}
		}
	}
	client := ourClient(t, address, "none")
	got, st := call(t, client, "pb", patience, nil, "do", "meta", "key", "value", "key-bin", "\x00ä\xff", "more", "1", "more", "2")
	if want := "value|00c3a4ff|1,2|true"; !st.OK() || string(got) != want {
		t.Errorf("metadata: %q, %v, want %q", got, st, want)
	}
	_, st = call(t, client, "pb", patience, nil, "do", "fail")
	if st.Code() != rpc.CodeInvalidArgument || st.Message() != "Ärger 100 %" || st.Native() != (rpc.Native{Dialect: "grpc", Code: "9"}) || len(st.Details()) != 1 {
		t.Errorf("failure: %v, %+v, %v", st, st.Native(), st.Details())
	}
	if _, st = call(t, client, "pb", patience, nil, "do", "huge"); st.Code() != rpc.CodeResourceExhausted {
		t.Errorf("an answer above the limit: %v", st)
	}
	if _, st = call(t, client, "pb", 50*time.Millisecond, nil, "do", "wait"); st.Code() != rpc.CodeCliBackendInternalError || !strings.Contains(st.Message(), "50ms") {
		t.Errorf("deadline: %v", st)
	}
	left.wait(t, "here")
	left.wait(t, "gone")
	settings := rpc.NewClientContext()
	settings.Metadata.Set("do", "wait")
	open := client.Start(t.Context(), settings, rpc.BytesPayload("pb", nil))
	left.wait(t, "here")
	open.Cancel()
	if st = rpc.Wait(t.Context(), open); st.Code() != rpc.CodeCancelled {
		t.Errorf("cancel: %v", st)
	}
	left.wait(t, "gone")
	wrong := rpc.NewClientContext()
	wrong.Target = "grpc://" + address + "/peer.Echo/Nothing"
	if _, err := client.Call(t.Context(), wrong, nil); rpc.StatusOf(err).Code() != rpc.CodeSvrNotImplemented {
		t.Errorf("unknown method: %v", err)
	}
}

func TestHealth_OfOurs(t *testing.T) {
	testx.NoLeaks(t)
	address, _ := ourServer(t)
	client := healthpb.NewHealthClient(dial(t, address))
	for service, want := range map[string]codes.Code{"": codes.OK, "peer.Echo": codes.OK, "grpc.testing.TestService": codes.OK, "nobody": codes.NotFound} {
		got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if status.Code(err) != want || err == nil && got.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, got, err)
		}
	}
	for service, want := range map[string]healthpb.HealthCheckResponse_ServingStatus{
		"peer.Echo": healthpb.HealthCheckResponse_SERVING, "nobody": healthpb.HealthCheckResponse_SERVICE_UNKNOWN,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || got.Status != want {
			t.Errorf("watch of %q: %v, %v", service, got, err)
		}
		cancel()
	}
}

// TestHealth_WatcherLearnsOfTheStop: a load balancer is told before the port closes.
func TestHealth_WatcherLearnsOfTheStop(t *testing.T) {
	testx.NoLeaks(t)
	var conn *grpc.ClientConn
	var stream grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
	t.Run("runs", func(inner *testing.T) {
		address, _ := ourServer(inner) // stops with the inner test
		conn = dial(t, address)
		var err error
		if stream, err = healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
			inner.Fatalf("%v, %v", got, err)
		}
	})
	if got, err := stream.Recv(); err != nil || got.Status != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("at the stop: %v, %v", got, err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after the stop: %v", err)
	}
}

// TestReflection_OfOurs asks as grpcurl does: services, then the files that describe one.
func TestReflection_OfOurs(t *testing.T) {
	testx.NoLeaks(t)
	address, _ := ourServer(t)
	stream, err := reflectv1.NewServerReflectionClient(dial(t, address)).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *reflectv1.ServerReflectionRequest) *reflectv1.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got.OriginalRequest, r) {
			t.Errorf("original request %v of %v", got.OriginalRequest, r)
		}
		return got
	}
	var names []string
	for _, s := range ask(&reflectv1.ServerReflectionRequest{MessageRequest: &reflectv1.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().GetService() {
		names = append(names, s.Name)
	}
	want := []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "grpc.testing.TestService", "peer.Echo"}
	if !slices.Equal(names, want) {
		t.Errorf("services %q, want %q", names, want)
	}
	got := ask(&reflectv1.ServerReflectionRequest{MessageRequest: &reflectv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "grpc.testing.TestService.UnaryCall"}})
	set := &descriptorpb.FileDescriptorSet{}
	for _, data := range got.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(data, file); err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, file)
	}
	if len(set.File) != 3 || set.File[0].GetName() != "grpc/testing/test.proto" {
		t.Fatalf("files %v", set.File)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := files.FindDescriptorByName("grpc.testing.TestService.UnaryCall"); err != nil || d == nil {
		t.Errorf("the files do not describe the method: %v", err)
	}
	for symbol, name := range map[string]string{
		"grpc.testing.SimpleRequest": "grpc/testing/messages.proto", "grpc.testing.SimpleRequest.response_size": "grpc/testing/messages.proto", "grpc.testing.COMPRESSABLE": "grpc/testing/messages.proto",
		"grpc.testing.Empty": "grpc/testing/empty.proto",
	} {
		got := ask(&reflectv1.ServerReflectionRequest{MessageRequest: &reflectv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}})
		file := &descriptorpb.FileDescriptorProto{}
		if list := got.GetFileDescriptorResponse().GetFileDescriptorProto(); len(list) == 0 || proto.Unmarshal(list[0], file) != nil || file.GetName() != name {
			t.Errorf("%s is in %q", symbol, file.GetName())
		}
	}
	got = ask(&reflectv1.ServerReflectionRequest{MessageRequest: &reflectv1.ServerReflectionRequest_FileByFilename{FileByFilename: "nowhere.proto"}})
	if code := codes.Code(got.GetErrorResponse().GetErrorCode()); code != codes.NotFound {
		t.Errorf("a file that is not there: %v", got)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil || status.Code(err) != codes.Unknown && err.Error() != "EOF" {
		t.Errorf("the end of the stream: %v", err)
	}
}

// TestReflection_OfOurs_OlderName: v1alpha has the same messages.
func TestReflection_OfOurs_OlderName(t *testing.T) {
	testx.NoLeaks(t)
	address, _ := ourServer(t)
	old, err := dial(t, address).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
	if err != nil {
		t.Fatal(err)
	}
	answer := &reflectv1.ServerReflectionResponse{}
	err = errors.Join(old.SendMsg(&reflectv1.ServerReflectionRequest{MessageRequest: &reflectv1.ServerReflectionRequest_ListServices{}}), old.RecvMsg(answer), old.CloseSend())
	if n := len(answer.GetListServicesResponse().GetService()); err != nil || n != 5 {
		t.Errorf("v1alpha: %d services, %v", n, err)
	}
}
