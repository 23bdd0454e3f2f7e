package main

import (
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"aimrtrpc/tests/interop/grpcconformance/connectpb"
	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
)

const (
	servicePath  = "/connectrpc.conformance.v1.ConformanceService/"
	typePath     = "type.googleapis.com/connectrpc.conformance.v1."
	protocolGRPC = 2
)

// serve serves until connectconformance ends the program.
func serve(in io.Reader, out io.Writer) error {
	var config connectpb.ServerCompatRequest
	if err := read(in, &config); err != nil {
		return err
	}
	if config.GetProtocol() != protocolGRPC || config.GetHttpVersion() != 2 || config.GetUseTls() {
		return errors.New("only gRPC over clear HTTP/2 is served here")
	}
	server, err := grpcstream.Listen("127.0.0.1:0", int(config.GetMessageReceiveLimit()), map[string]grpcstream.Method{
		servicePath + "Unary": unary, servicePath + "ClientStream": clientStream,
		servicePath + "ServerStream": serverStream, servicePath + "BidiStream": bidiStream,
	})
	if err != nil {
		return err
	}
	host, text, err := net.SplitHostPort(server.Addr())
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err == nil {
		err = write(out, &connectpb.ServerCompatResponse{Host: host, Port: uint32(port)})
	}
	if err != nil {
		return err
	}
	select {}
}

// log is what a call has received so far.
type log struct {
	call     *grpcstream.ServerCall
	kind     string // of the requests
	requests []*anypb.Any
	answered bool
}

// receive reads the next request into m.
func (l *log) receive(m proto.Message, recv func() ([]byte, error)) error {
	data, err := recv()
	if err != nil {
		return err
	}
	l.requests = append(l.requests, &anypb.Any{TypeUrl: typePath + l.kind, Value: data})
	if err = proto.Unmarshal(data, m); err != nil {
		return grpcstream.Errorf(grpcstream.Internal, "request is no %s: %v", l.kind, err)
	}
	return nil
}

// info is what has been received: all of it the first time, then the new requests.
func (l *log) info() *connectpb.ConformancePayload_RequestInfo {
	out := &connectpb.ConformancePayload_RequestInfo{Requests: l.requests}
	if !l.answered {
		out.RequestHeaders = headersOf(l.call.Metadata())
		if deadline, ok := l.call.Context.Deadline(); ok {
			out.TimeoutMs = proto.Int64(max(0, time.Until(deadline).Milliseconds()))
		}
	}
	l.answered, l.requests = true, nil
	return out
}

// failure is the status asked for, with what was received in its details unless a response has told it.
func (l *log) failure(e *connectpb.Error) error {
	if e != nil && !l.answered {
		detail, err := anypb.New(l.info())
		if err != nil {
			return err
		}
		e.Details = append(e.Details, detail)
	}
	return statusOf(e)
}

func respond(c *grpcstream.ServerCall, p *connectpb.ConformancePayload) error {
	data, err := proto.Marshal(&connectpb.Response{Payload: p})
	if err == nil {
		err = c.Send(data)
	}
	return err
}

func unary(c *grpcstream.ServerCall) error {
	l := &log{call: c, kind: "UnaryRequest"}
	var r connectpb.UnaryRequest
	if err := l.receive(&r, c.RecvOnly); err != nil {
		return err
	}
	return answer(l, r.GetResponseDefinition())
}

func clientStream(c *grpcstream.ServerCall) error {
	l := &log{call: c, kind: "ClientStreamRequest"}
	var definition *connectpb.UnaryResponseDefinition
	for {
		var r connectpb.UnaryRequest
		err := l.receive(&r, c.Recv)
		if errors.Is(err, io.EOF) {
			return answer(l, definition)
		}
		if err != nil {
			return err
		}
		if len(l.requests) == 1 {
			definition = r.GetResponseDefinition()
		}
	}
}

// answer gives the only response of a call.
func answer(l *log, d *connectpb.UnaryResponseDefinition) error {
	c := l.call
	c.AddHeader(fieldsOf(d.GetResponseHeaders())...)
	c.AddTrailer(fieldsOf(d.GetResponseTrailers())...)
	if err := c.Sleep(time.Duration(d.GetResponseDelayMs()) * time.Millisecond); err != nil {
		return err
	}
	if e := d.GetError(); e != nil {
		return l.failure(e)
	}
	return respond(c, &connectpb.ConformancePayload{Data: d.GetResponseData(), RequestInfo: l.info()})
}

// begin sends the head of a stream of responses.
func begin(c *grpcstream.ServerCall, d *connectpb.StreamResponseDefinition) error {
	c.AddHeader(fieldsOf(d.GetResponseHeaders())...)
	c.AddTrailer(fieldsOf(d.GetResponseTrailers())...)
	if d == nil || len(d.GetResponseData()) == 0 && d.GetError() != nil {
		return nil
	}
	return c.SendHeader()
}

// one sends a response of a stream.
func one(l *log, d *connectpb.StreamResponseDefinition, data []byte, tell bool) error {
	if err := l.call.Sleep(time.Duration(d.GetResponseDelayMs()) * time.Millisecond); err != nil {
		return err
	}
	p := &connectpb.ConformancePayload{Data: data}
	if tell {
		p.RequestInfo = l.info()
	}
	return respond(l.call, p)
}

func serverStream(c *grpcstream.ServerCall) error {
	l := &log{call: c, kind: "ServerStreamRequest"}
	var r connectpb.ServerStreamRequest
	if err := l.receive(&r, c.RecvOnly); err != nil {
		return err
	}
	d := r.GetResponseDefinition()
	if err := begin(c, d); err != nil {
		return err
	}
	return rest(l, d, d.GetResponseData())
}

// rest sends the responses that are left, and the status.
func rest(l *log, d *connectpb.StreamResponseDefinition, data [][]byte) error {
	for _, each := range data {
		if err := one(l, d, each, !l.answered); err != nil {
			return err
		}
	}
	return l.failure(d.GetError())
}

func bidiStream(c *grpcstream.ServerCall) error {
	l := &log{call: c, kind: "BidiStreamRequest"}
	var d *connectpb.StreamResponseDefinition
	var left [][]byte
	first, alternate := true, false
	for {
		var r connectpb.BidiStreamRequest
		err := l.receive(&r, c.Recv)
		if errors.Is(err, io.EOF) {
			return rest(l, d, left)
		}
		if err != nil {
			return err
		}
		if first {
			first, alternate, d = false, r.GetFullDuplex(), r.GetResponseDefinition()
			left = d.GetResponseData()
			if err := begin(c, d); err != nil {
				return err
			}
		}
		if !alternate {
			continue
		}
		if len(left) == 0 {
			return l.failure(d.GetError())
		}
		if err := one(l, d, left[0], true); err != nil {
			return err
		}
		left = left[1:]
	}
}
