// Package testservice is grpc.testing.TestService, which implementations of gRPC test each other with: the server, and the cases that a
// client goes through. Both are written on grpcstream and meet their counterparts of grpc-go.
package testservice

import (
	"errors"
	"io"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
)

// Paths of the functions.
const (
	servicePath         = "/grpc.testing.TestService/"
	emptyCall           = servicePath + "EmptyCall"
	unaryCall           = servicePath + "UnaryCall"
	streamingInputCall  = servicePath + "StreamingInputCall"
	streamingOutputCall = servicePath + "StreamingOutputCall"
	fullDuplexCall      = servicePath + "FullDuplexCall"
	halfDuplexCall      = servicePath + "HalfDuplexCall"
)

// Metadata that the server sends back.
const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
)

// maxPayload is the largest payload that a client may ask for.
const maxPayload = 16 << 20

// Methods is the service, for grpcstream.Listen.
func Methods() map[string]grpcstream.Method {
	return map[string]grpcstream.Method{
		emptyCall: serveEmpty, unaryCall: serveUnary, streamingInputCall: serveInput, streamingOutputCall: serveOutput,
		fullDuplexCall: serveFullDuplex, halfDuplexCall: serveHalfDuplex,
	}
}

// message is a generated message.
type message[T any] interface {
	*T
	proto.Message
}

// parse reads a message; err is passed on.
func parse[T any, M message[T]](data []byte, err error) (M, error) {
	if err != nil {
		return nil, err
	}
	m := M(new(T))
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, grpcstream.Errorf(grpcstream.Internal, "message is no %s: %v", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return m, nil
}

func reply(c *grpcstream.ServerCall, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return c.Send(data)
}

// payload makes a payload of zeros.
func payload(kind testpb.PayloadType, size int32) (*testpb.Payload, error) {
	if size < 0 || size > maxPayload || kind != testpb.PayloadType_COMPRESSABLE {
		return nil, grpcstream.Errorf(grpcstream.InvalidArgument, "payload of type %v and %d bytes, expected type 0 and 0 to %d bytes", kind, size, maxPayload)
	}
	return &testpb.Payload{Type: kind, Body: make([]byte, size)}, nil
}

// echoMetadata sends back what a client asks to be sent back.
func echoMetadata(c *grpcstream.ServerCall) {
	for _, f := range c.Metadata() {
		switch f.Name {
		case initialKey:
			c.AddHeader(f)
		case trailingKey:
			c.AddTrailer(f)
		}
	}
}

// asked is the status that a client asks for.
func asked(s *testpb.EchoStatus) error {
	if s.GetCode() == 0 {
		return nil
	}
	return grpcstream.Errorf(int(s.GetCode()), "%s", s.GetMessage())
}

func serveEmpty(c *grpcstream.ServerCall) error {
	if _, err := parse[testpb.Empty](c.RecvOnly()); err != nil {
		return err
	}
	return reply(c, &testpb.Empty{})
}

func serveUnary(c *grpcstream.ServerCall) error {
	r, err := parse[testpb.SimpleRequest](c.RecvOnly())
	if err != nil {
		return err
	}
	echoMetadata(c)
	if err = asked(r.GetResponseStatus()); err != nil {
		return err
	}
	p, err := payload(r.GetResponseType(), r.GetResponseSize())
	if err != nil {
		return err
	}
	return reply(c, &testpb.SimpleResponse{Payload: p})
}

func serveInput(c *grpcstream.ServerCall) error {
	sum := 0
	for {
		r, err := parse[testpb.StreamingInputCallRequest](c.Recv())
		if errors.Is(err, io.EOF) {
			return reply(c, &testpb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(r.GetPayload().GetBody())
	}
}

// answer sends the responses that one request asks for.
func answer(c *grpcstream.ServerCall, r *testpb.StreamingOutputCallRequest) error {
	for _, one := range r.GetResponseParameters() {
		if err := c.Sleep(time.Duration(one.GetIntervalUs()) * time.Microsecond); err != nil {
			return err
		}
		p, err := payload(r.GetResponseType(), one.GetSize())
		if err == nil {
			err = reply(c, &testpb.StreamingOutputCallResponse{Payload: p})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func serveOutput(c *grpcstream.ServerCall) error {
	r, err := parse[testpb.StreamingOutputCallRequest](c.RecvOnly())
	if err != nil {
		return err
	}
	return answer(c, r)
}

func serveFullDuplex(c *grpcstream.ServerCall) error {
	echoMetadata(c)
	if err := c.SendHeader(); err != nil {
		return err
	}
	for {
		r, err := parse[testpb.StreamingOutputCallRequest](c.Recv())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = asked(r.GetResponseStatus())
		}
		if err == nil {
			err = answer(c, r)
		}
		if err != nil {
			return err
		}
	}
}

func serveHalfDuplex(c *grpcstream.ServerCall) error {
	var requests []*testpb.StreamingOutputCallRequest
	for {
		r, err := parse[testpb.StreamingOutputCallRequest](c.Recv())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		requests = append(requests, r)
	}
	for _, r := range requests {
		if err := answer(c, r); err != nil {
			return err
		}
	}
	return nil
}
