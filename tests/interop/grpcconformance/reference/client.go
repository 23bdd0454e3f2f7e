package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"aimrtrpc/tests/interop/grpcconformance/connectpb"
	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
)

const (
	maxCalls        = 8 // at once
	compressionGzip = 2
	fullDuplex      = 5
)

// call makes the calls that connectconformance asks for.
func call(in io.Reader, out io.Writer) error {
	var writing sync.Mutex
	var failed error
	var calls sync.WaitGroup
	slots := make(chan struct{}, maxCalls)
	for {
		r := &connectpb.ClientCompatRequest{}
		err := read(in, r)
		if err != nil {
			calls.Wait()
			if errors.Is(err, io.EOF) {
				err = failed
			}
			return err
		}
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			answer := &connectpb.ClientCompatResponse{TestName: r.GetTestName()}
			result, err := perform(r)
			if err != nil {
				answer.Result = &connectpb.ClientCompatResponse_Error{Error: &connectpb.ClientErrorResult{Message: err.Error()}}
			} else {
				answer.Result = &connectpb.ClientCompatResponse_Response{Response: result}
			}
			writing.Lock()
			defer writing.Unlock()
			if err := write(out, answer); err != nil {
				failed = err
			}
		})
	}
}

// plan is one call to make.
type plan struct {
	request     *connectpb.ClientCompatRequest
	client      *grpcstream.Client
	path        string
	ctx         context.Context
	cancel      context.CancelFunc
	beforeClose bool
	afterClose  time.Duration // negative: never
	afterCount  int
	result      *connectpb.ClientResponseResult
}

// perform makes one call. The error is one of the request, not of the call.
func perform(r *connectpb.ClientCompatRequest) (*connectpb.ClientResponseResult, error) {
	c := grpcstream.NewClient(net.JoinHostPort(r.GetHost(), strconv.FormatUint(uint64(r.GetPort()), 10)))
	defer c.Close()
	c.Gzip, c.Limit, c.Metadata = r.GetCompression() == compressionGzip, int(r.GetMessageReceiveLimit()), fieldsOf(r.GetRequestHeaders())
	p := &plan{request: r, client: c, path: "/" + r.GetService() + "/" + r.GetMethod(), afterClose: -1, result: &connectpb.ClientResponseResult{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if r.TimeoutMs != nil {
		p.ctx, p.cancel = context.WithTimeout(context.Background(), time.Duration(r.GetTimeoutMs())*time.Millisecond)
	}
	defer p.cancel()
	if r.Cancel != nil {
		switch timing := r.GetCancel().GetCancelTiming().(type) {
		case *connectpb.ClientCompatRequest_Cancel_BeforeCloseSend:
			p.beforeClose = true
		case *connectpb.ClientCompatRequest_Cancel_AfterCloseSendMs:
			p.afterClose = time.Duration(timing.AfterCloseSendMs) * time.Millisecond
		case *connectpb.ClientCompatRequest_Cancel_AfterNumResponses:
			p.afterCount = int(timing.AfterNumResponses)
		default:
			p.afterClose = 0
		}
	}
	switch r.GetMethod() {
	case "Unary", "Unimplemented":
		if len(r.GetRequestMessages()) != 1 {
			return nil, fmt.Errorf("%d requests for a unary call, expected 1", len(r.GetRequestMessages()))
		}
		p.unary()
	case "ClientStream", "ServerStream", "BidiStream":
		p.stream()
	default:
		return nil, fmt.Errorf("method %q is not known", r.GetMethod())
	}
	return p.result, nil
}

// cancelLater cancels the call as long after the requests as was asked.
func (p *plan) cancelLater() {
	if p.afterClose >= 0 {
		time.AfterFunc(p.afterClose, p.cancel)
	}
}

func (p *plan) unary() {
	p.cancelLater()
	a, err := p.client.Invoke(p.ctx, p.path, p.request.GetRequestMessages()[0].GetValue())
	p.result.ResponseHeaders, p.result.ResponseTrailers = headersOf(a.Header), headersOf(a.Trailer)
	if err == nil {
		err = p.take(a.Message)
	}
	p.result.Error = errorOf(err)
}

// take adds a response to the result.
func (p *plan) take(message []byte) error {
	var r connectpb.Response
	if err := proto.Unmarshal(message, &r); err != nil {
		return grpcstream.Errorf(grpcstream.Internal, "response cannot be read: %v", err)
	}
	if p.request.GetMethod() != "Unimplemented" {
		p.result.Payloads = append(p.result.Payloads, r.GetPayload())
	}
	if len(p.result.GetPayloads()) == p.afterCount {
		p.cancel()
	}
	return nil
}

func (p *plan) stream() {
	s, err := p.client.Open(p.ctx, p.path)
	if err == nil {
		err = p.exchange(s)
		p.result.ResponseHeaders, p.result.ResponseTrailers = headersOf(s.Header()), headersOf(s.Trailer())
	}
	if !errors.Is(err, io.EOF) {
		p.result.Error = errorOf(err)
	}
}

// exchange sends and receives; the error is the end of the call.
func (p *plan) exchange(s *grpcstream.ClientCall) error {
	receive := func() error {
		message, err := s.Recv()
		if err == nil {
			err = p.take(message)
		}
		return err
	}
	messages := p.request.GetRequestMessages()
	for i, m := range messages {
		time.Sleep(time.Duration(p.request.GetRequestDelayMs()) * time.Millisecond) // asked for by the test
		if err := s.Send(m.GetValue()); err != nil {
			p.result.NumUnsentRequests = int32(len(messages) - i)
			break // Recv tells why
		}
		if p.request.GetStreamType() == fullDuplex {
			if err := receive(); err != nil {
				return err
			}
		}
	}
	if p.beforeClose {
		p.cancel()
	} else {
		s.CloseSend()
	}
	p.cancelLater()
	if p.request.GetMethod() == "ClientStream" {
		message, err := s.RecvOnly()
		if err == nil {
			err = p.take(message)
		}
		return err
	}
	for {
		if err := receive(); err != nil {
			return err
		}
	}
}
