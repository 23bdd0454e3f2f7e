package testservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
)

// Case is one of the cases that gRPC's interoperability test names.
type Case struct {
	Name string
	Run  func(ctx context.Context, c *grpcstream.Client) error
}

// Cases are all that need neither credentials nor load balancing. rpc_soak and channel_soak are Soak.
func Cases() []Case {
	return []Case{
		{"empty_unary", emptyUnary}, {"large_unary", largeUnary}, {"client_streaming", clientStreaming}, {"server_streaming", serverStreaming},
		{"ping_pong", pingPong}, {"empty_stream", emptyStream}, {"timeout_on_sleeping_server", timeoutOnSleepingServer},
		{"cancel_after_begin", cancelAfterBegin}, {"cancel_after_first_response", cancelAfterFirstResponse},
		{"status_code_and_message", statusCodeAndMessage}, {"special_status_message", specialStatusMessage}, {"custom_metadata", customMetadata},
		{"unimplemented_method", unimplementedMethod}, {"unimplemented_service", unimplementedService}, {"half_duplex", halfDuplex},
	}
}

// Sizes that the description of the cases gives.
const (
	largeRequest  = 271828
	largeResponse = 314159
)

var (
	requestSizes  = []int{27182, 8, 1828, 45904}
	responseSizes = []int{31415, 9, 2653, 58979}
)

func zeros(n int) *testpb.Payload { return &testpb.Payload{Body: make([]byte, n)} }

// call makes a unary call.
func call(ctx context.Context, c *grpcstream.Client, path string, request, response proto.Message) (grpcstream.Answer, error) {
	data, err := proto.Marshal(request)
	if err != nil {
		return grpcstream.Answer{}, err
	}
	a, err := c.Invoke(ctx, path, data)
	if err == nil {
		err = proto.Unmarshal(a.Message, response)
	}
	return a, err
}

// stream is an open call.
type stream struct{ *grpcstream.ClientCall }

func open(ctx context.Context, c *grpcstream.Client, path string) (stream, error) {
	s, err := c.Open(ctx, path)
	return stream{s}, err
}

func (s stream) send(m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return s.Send(data)
}

// ask sends a request for responses of these sizes.
func (s stream) ask(requestSize int, sizes ...int) error {
	return s.send(outputRequest(requestSize, sizes))
}

func outputRequest(requestSize int, sizes []int) *testpb.StreamingOutputCallRequest {
	r := &testpb.StreamingOutputCallRequest{Payload: zeros(requestSize)}
	for _, n := range sizes {
		r.ResponseParameters = append(r.ResponseParameters, &testpb.ResponseParameters{Size: int32(n)})
	}
	return r
}

// expect reads responses of these sizes.
func (s stream) expect(sizes ...int) error {
	for _, want := range sizes {
		r, err := parse[testpb.StreamingOutputCallResponse](s.Recv())
		if err != nil {
			return err
		}
		if got := len(r.GetPayload().GetBody()); got != want {
			return fmt.Errorf("response has %d bytes, expected %d", got, want)
		}
	}
	return nil
}

// expectEnd wants the call to end well.
func (s stream) expectEnd() error {
	m, err := s.Recv()
	if err == nil {
		return fmt.Errorf("one more message of %d bytes, expected the end", len(m))
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// expectStatus wants a call to have ended with a status; an empty message is not compared.
func expectStatus(err error, code int, message string) error {
	var status *grpcstream.Error
	if !errors.As(err, &status) {
		return fmt.Errorf("call ended with %v, expected status %d", err, code)
	}
	if status.GRPC != code || message != "" && status.Message != message {
		return fmt.Errorf("call ended with status %d %q, expected %d %q", status.GRPC, status.Message, code, message)
	}
	return nil
}

func emptyUnary(ctx context.Context, c *grpcstream.Client) error {
	a, err := call(ctx, c, emptyCall, &testpb.Empty{}, &testpb.Empty{})
	if err == nil && len(a.Message) > 0 {
		err = fmt.Errorf("response has %d bytes, expected none", len(a.Message))
	}
	return err
}

func large(ctx context.Context, c *grpcstream.Client, requestSize, responseSize int) error {
	var r testpb.SimpleResponse
	_, err := call(ctx, c, unaryCall, &testpb.SimpleRequest{ResponseSize: int32(responseSize), Payload: zeros(requestSize)}, &r)
	if got := len(r.GetPayload().GetBody()); err == nil && got != responseSize {
		err = fmt.Errorf("response has %d bytes, expected %d", got, responseSize)
	}
	return err
}

func largeUnary(ctx context.Context, c *grpcstream.Client) error {
	return large(ctx, c, largeRequest, largeResponse)
}

func clientStreaming(ctx context.Context, c *grpcstream.Client) error {
	s, err := open(ctx, c, streamingInputCall)
	if err != nil {
		return err
	}
	sum := 0
	for _, n := range requestSizes {
		if err := s.send(&testpb.StreamingInputCallRequest{Payload: zeros(n)}); err != nil {
			return err
		}
		sum += n
	}
	s.CloseSend()
	r, err := parse[testpb.StreamingInputCallResponse](s.RecvOnly())
	if err == nil && int(r.GetAggregatedPayloadSize()) != sum {
		err = fmt.Errorf("server counted %d bytes, expected %d", r.GetAggregatedPayloadSize(), sum)
	}
	return err
}

func serverStreaming(ctx context.Context, c *grpcstream.Client) error {
	s, err := open(ctx, c, streamingOutputCall)
	if err == nil {
		err = s.ask(0, responseSizes...)
	}
	if err != nil {
		return err
	}
	s.CloseSend()
	return errors.Join(s.expect(responseSizes...), s.expectEnd())
}

func pingPong(ctx context.Context, c *grpcstream.Client) error {
	s, err := open(ctx, c, fullDuplexCall)
	for i := 0; i < len(requestSizes) && err == nil; i++ {
		if err = s.ask(requestSizes[i], responseSizes[i]); err == nil {
			err = s.expect(responseSizes[i])
		}
	}
	if err != nil {
		return err
	}
	s.CloseSend()
	return s.expectEnd()
}

func halfDuplex(ctx context.Context, c *grpcstream.Client) error {
	s, err := open(ctx, c, halfDuplexCall)
	for i := 0; i < len(requestSizes) && err == nil; i++ {
		err = s.ask(requestSizes[i], responseSizes[i])
	}
	if err != nil {
		return err
	}
	s.CloseSend()
	return errors.Join(s.expect(responseSizes...), s.expectEnd())
}

func emptyStream(ctx context.Context, c *grpcstream.Client) error {
	s, err := open(ctx, c, fullDuplexCall)
	if err != nil {
		return err
	}
	s.CloseSend()
	return s.expectEnd()
}

func timeoutOnSleepingServer(ctx context.Context, c *grpcstream.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	s, err := open(ctx, c, fullDuplexCall)
	if err == nil {
		err = s.ask(27182)
	}
	if err == nil || errors.Is(err, io.EOF) {
		_, err = s.Recv()
	}
	return expectStatus(grpcstream.ErrorOf(err), grpcstream.DeadlineExceeded, "")
}

func cancelAfterBegin(ctx context.Context, c *grpcstream.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	s, err := open(ctx, c, streamingInputCall)
	cancel()
	if err == nil {
		s.CloseSend()
		_, err = s.RecvOnly()
	}
	return expectStatus(err, grpcstream.Canceled, "")
}

func cancelAfterFirstResponse(ctx context.Context, c *grpcstream.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := open(ctx, c, fullDuplexCall)
	if err == nil {
		err = s.ask(27182, 31415)
	}
	if err == nil {
		err = s.expect(31415)
	}
	if err != nil {
		return err
	}
	cancel()
	_, err = s.Recv()
	return expectStatus(err, grpcstream.Canceled, "")
}

// endsWith makes a unary call and a stream that the server is asked to end with a status.
func endsWith(ctx context.Context, c *grpcstream.Client, text string) error {
	want := &testpb.EchoStatus{Code: grpcstream.Unknown, Message: text}
	_, err := call(ctx, c, unaryCall, &testpb.SimpleRequest{ResponseStatus: want}, &testpb.SimpleResponse{})
	if err = expectStatus(err, grpcstream.Unknown, text); err != nil {
		return err
	}
	s, err := open(ctx, c, fullDuplexCall)
	if err == nil {
		err = s.send(&testpb.StreamingOutputCallRequest{ResponseStatus: want})
	}
	if err != nil {
		return err
	}
	s.CloseSend()
	_, err = s.Recv()
	return expectStatus(err, grpcstream.Unknown, text)
}

func statusCodeAndMessage(ctx context.Context, c *grpcstream.Client) error {
	return endsWith(ctx, c, "test status message")
}

func specialStatusMessage(ctx context.Context, c *grpcstream.Client) error {
	return endsWith(ctx, c, "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n")
}

func customMetadata(ctx context.Context, c *grpcstream.Client) error {
	initial := grpcstream.Field{Name: initialKey, Value: "test_initial_metadata_value"}
	trailing := grpcstream.Field{Name: trailingKey, Value: "\xab\xab\xab"}
	c.Metadata = []grpcstream.Field{initial, trailing}
	defer func() { c.Metadata = nil }()
	check := func(kind string, header, trailer []grpcstream.Field) error {
		if !slices.Contains(header, initial) || !slices.Contains(trailer, trailing) {
			return fmt.Errorf("%s: header %q, trailer %q", kind, header, trailer)
		}
		return nil
	}
	a, err := call(ctx, c, unaryCall, &testpb.SimpleRequest{ResponseSize: largeResponse, Payload: zeros(largeRequest)}, &testpb.SimpleResponse{})
	if err == nil {
		err = check("unary", a.Header, a.Trailer)
	}
	if err != nil {
		return err
	}
	s, err := open(ctx, c, fullDuplexCall)
	if err == nil {
		err = s.ask(largeRequest, largeResponse)
	}
	if err != nil {
		return err
	}
	header := s.Header()
	s.CloseSend()
	if err = errors.Join(s.expect(largeResponse), s.expectEnd()); err != nil {
		return err
	}
	return check("stream", header, s.Trailer())
}

func unimplementedMethod(ctx context.Context, c *grpcstream.Client) error {
	_, err := call(ctx, c, servicePath+"UnimplementedCall", &testpb.Empty{}, &testpb.Empty{})
	return expectStatus(err, grpcstream.Unimplemented, "")
}

func unimplementedService(ctx context.Context, c *grpcstream.Client) error {
	_, err := call(ctx, c, "/grpc.testing.UnimplementedService/UnimplementedCall", &testpb.Empty{}, &testpb.Empty{})
	return expectStatus(err, grpcstream.Unimplemented, "")
}

// Soak makes large unary calls in workers goroutines: all over one connection, or each over its own.
func Soak(ctx context.Context, address string, workers, callsEach int, ownConnections bool) error {
	shared := grpcstream.NewClient(address)
	defer shared.Close()
	failures := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := 0; i < callsEach && failures[w] == nil; i++ {
				c := shared
				if ownConnections {
					c = grpcstream.NewClient(address)
				}
				if err := large(ctx, c, largeRequest, largeResponse); err != nil {
					failures[w] = fmt.Errorf("worker %d, call %d: %w", w, i, err)
				}
				if ownConnections {
					c.Close()
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}
