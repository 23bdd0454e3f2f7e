// Command reference is what connectconformance tests: `reference server` serves its service, `reference client` makes the calls it asks for.
// Both speak with it over standard input and output, in messages behind four bytes of length.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"aimrtrpc/runtime/wire/aimrtgrpc"
	"aimrtrpc/tests/interop/grpcconformance/connectpb"
	"aimrtrpc/tests/interop/grpcconformance/grpcstream"
)

// maxControl is the largest message from connectconformance.
const maxControl = 64 << 20

func main() {
	if len(os.Args) != 2 {
		fail(errors.New("usage: reference {server|client}"))
	}
	switch os.Args[1] {
	case "server":
		fail(serve(os.Stdin, os.Stdout))
	case "client":
		fail(call(os.Stdin, os.Stdout))
	default:
		fail(fmt.Errorf("%q is neither server nor client", os.Args[1]))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// read takes the next message from connectconformance; io.EOF behind the last one.
func read(in io.Reader, m proto.Message) error {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxControl {
		return fmt.Errorf("control message of %d bytes, expected at most %d", n, maxControl)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(in, data); err != nil {
		return fmt.Errorf("control message of %d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	return proto.Unmarshal(data, m)
}

func write(out io.Writer, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err == nil {
		_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
	}
	return err
}

const binarySuffix = "-bin"

// fieldsOf is the metadata that headers ask for.
func fieldsOf(headers []*connectpb.Header) []grpcstream.Field {
	var out []grpcstream.Field
	for _, h := range headers {
		name := strings.ToLower(h.GetName())
		for _, v := range h.GetValue() {
			if strings.HasSuffix(name, binarySuffix) {
				if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil {
					v = string(raw)
				}
			}
			out = append(out, grpcstream.Field{Name: name, Value: v})
		}
	}
	return out
}

// headersOf is the metadata as connectconformance wants to see it.
func headersOf(fields []grpcstream.Field) []*connectpb.Header {
	var out []*connectpb.Header
	known := map[string]*connectpb.Header{}
	for _, f := range fields {
		h := known[f.Name]
		if h == nil {
			h = &connectpb.Header{Name: f.Name}
			known[f.Name] = h
			out = append(out, h)
		}
		v := f.Value
		if strings.HasSuffix(f.Name, binarySuffix) {
			v = base64.RawStdEncoding.EncodeToString([]byte(v))
		}
		h.Value = append(h.Value, v)
	}
	return out
}

// statusOf is the status that an answer shall end with; nil: none.
func statusOf(e *connectpb.Error) error {
	if e == nil {
		return nil
	}
	rich, err := proto.Marshal(&statuspb.Status{Code: e.GetCode(), Message: e.GetMessage(), Details: e.GetDetails()})
	if err != nil {
		return err
	}
	return &grpcstream.Error{Outcome: aimrtgrpc.Outcome{GRPC: int(e.GetCode()), Message: e.GetMessage(), Rich: string(rich)}}
}

// errorOf is the status of a call as connectconformance wants to see it.
func errorOf(err error) *connectpb.Error {
	status := grpcstream.ErrorOf(err)
	if status == nil {
		return nil
	}
	out := &connectpb.Error{Code: int32(status.GRPC), Message: proto.String(status.Message)}
	var rich statuspb.Status
	if proto.Unmarshal([]byte(status.Rich), &rich) == nil {
		out.Details = rich.GetDetails()
	}
	return out
}
