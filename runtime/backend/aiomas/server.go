package aiomas

import (
	"context"
	"errors"
	"fmt"

	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// RegisterService makes a function reachable at its path. Of several modules with one function the first counts.
func (b *Backend) RegisterService(m *rpc.Method, serve rpc.Handler) error {
	path := b.servedAt(m)
	if other, _, err := b.tree.Resolve(path); err == nil && other.Name() == m.Name() {
		return nil
	}
	if err := b.tree.Add(path, m, &service{backend: b, method: m, serve: serve}); err != nil {
		return fmt.Errorf("function %q cannot be served at the aiomas path %q: %w", m.Name(), path, err)
	}
	return nil
}

// service turns the arguments of a call into the request message of a function, and its response message into a result.
type service struct {
	backend *Backend
	method  *rpc.Method
	serve   rpc.Handler
}

// Handle serves a call that a connection brings.
func (s *service) Handle(ctx context.Context, call *rpc.Call) {
	c, ok := call.Tag.(*serverCall)
	if !ok {
		call.Finish(rpc.NewStatus(rpc.CodeSvrBackendInternalError, "the call came over no aiomas connection"), rpc.Payload{})
		return
	}
	data, err := call.Request.Bytes(call.Context.Serialization)
	var request message
	if err == nil {
		request, err = s.backend.options.request(data, s.method)
	}
	if err != nil {
		native := rpc.Native{Dialect: dialect.Dialect, Code: "TypeError"}
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()).WithNative(native), rpc.Payload{})
		return
	}
	if !s.method.Supports(request.serialization) {
		call.Finish(rpc.Statusf(rpc.CodeSvrInvalidSerializationType, "%q does not support serialization %q", s.method.Name(), request.serialization), rpc.Payload{})
		return
	}
	payload, err := rpc.DecodePayload(s.method.RequestType(), request.serialization, request.data)
	if err != nil {
		call.Finish(rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()), rpc.Payload{})
		return
	}
	call.Request, call.Context.Serialization, call.Context.FunctionName = payload, request.serialization, s.method.Name()
	c.encode = func(response rpc.Payload) ([]byte, error) { return s.backend.options.response(response, request) }
	call.OnFinish(func(*rpc.Call) { payload.Release() })
	s.serve.Handle(ctx, call)
}

// message is a request or response of a function. whole: it travels as it is, as bytes.
type message struct {
	serialization string
	data          []byte
	whole         bool
}

// request makes the message of a function out of [args, kwargs]: one map, or the keyword arguments, are its JSON form. Bytes, which MsgPack
// has, are the message as it is, and a text behind them its serialization unless that is the function's first.
func (o *Options) request(payload []byte, m *rpc.Method) (message, error) {
	f := o.values()
	args, kwargs, err := dialect.SplitPair(f, payload)
	if err != nil {
		return message{}, err
	}
	var first, second []byte
	n, named := 0, 0
	for part := range dialect.Elements(f, args) {
		switch n {
		case 0:
			first = part
		case 1:
			second = part
		}
		n++
	}
	for range dialect.Elements(f, kwargs) {
		named++
	}
	if whole, ok := o.binary(first); ok && named == 0 && n <= 2 {
		serialization := m.DefaultSerialization()
		if n == 2 {
			if serialization, ok = f.Text(second); !ok {
				return message{}, fmt.Errorf("the second argument is %s, expected the name of the serialization", f.ShapeOf(second))
			}
		}
		return message{serialization, whole, true}, nil
	}
	switch {
	case n == 0:
		first = kwargs
	case n > 1 || named > 0 || f.ShapeOf(first) != wire.Map:
		return message{}, fmt.Errorf("%d positional and %d keyword arguments were given, expected the fields of the request as keyword arguments or one map", n, named/2)
	}
	data, err := o.transcode(o.serialization(), serialJSON, first)
	return message{serialization: serialJSON, data: data}, err
}

// binary is the content of a value that is bytes.
func (o *Options) binary(raw []byte) ([]byte, bool) {
	if o.Codec == wire.JSON {
		return nil, false
	}
	return dialect.MsgPackBinary(raw)
}

// response makes the result of a function's response message, in the form the request had.
func (o *Options) response(response rpc.Payload, request message) ([]byte, error) {
	data, err := response.Bytes(request.serialization)
	if err != nil {
		return nil, err
	}
	if request.whole {
		return wire.AppendMsgPackBytes(nil, data), nil
	}
	if len(data) == 0 {
		return o.values().AppendNull(nil), nil
	}
	return o.transcode(serialJSON, o.serialization(), data)
}

// pack makes the arguments of a function's request message: its fields as keyword arguments, or the bytes as they are.
func (o *Options) pack(m *rpc.Method, serialization string, data []byte) (args, kwargs []byte, err error) {
	if serialization == serialJSON {
		if kwargs, err = o.transcode(serialJSON, o.serialization(), data); err != nil {
			return nil, nil, err
		}
		shape, err := o.values().Check(kwargs)
		if err == nil && shape != wire.Map {
			err = fmt.Errorf("the request is %s, expected a map of keyword arguments", shape)
		}
		return nil, kwargs, err
	}
	if o.Codec == wire.JSON {
		return nil, nil, errNoBinary
	}
	values := [][]byte{wire.AppendMsgPackBytes(nil, data)}
	if serialization != m.DefaultSerialization() {
		values = append(values, o.values().AppendString(nil, serialization))
	}
	return dialect.AppendArray(nil, o.values(), values...), nil, nil
}

var errNoBinary = errors.New("the codec json has no form for bytes: call with the serialization json, or configure the codec msgpack at both ends")

// unpack makes a response message out of the bytes that are the result of a call.
func (o *Options) unpack(serialization string, result []byte) ([]byte, error) {
	data, ok := o.binary(result)
	if !ok {
		return nil, fmt.Errorf("the result is %s, expected the bytes of a message in %q", o.values().ShapeOf(result), serialization)
	}
	return data, nil
}
