package core

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/value"
)

const jsonName = "json"

// CallValues calls a path of the peer with Go values and decodes the answer into result, a pointer; nil drops it. Values have the forms that
// encoding/json gives them, whatever the codec of the connection.
func (c *Connection) CallValues(ctx context.Context, path string, result any, args ...any) error {
	m, err := c.Method(ClientOptions{Name: path})
	if err != nil {
		return err
	}
	if args == nil {
		args = []any{}
	}
	request, err := json.Marshal([]any{args, struct{}{}})
	if err != nil {
		return fmt.Errorf("arguments of %s: %w", path, err)
	}
	settings := rpc.NewClientContext()
	settings.Serialization = jsonName
	response, err := m.Call(ctx, settings, request)
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(response, result); err != nil {
		return rpc.NewStatus(rpc.CodeCliDeserializationFailed, fmt.Sprintf("answer of %s: %v", path, err)).Err()
	}
	return nil
}

// ReferenceJSON is Reference as an argument of CallValues or a result of a function.
func (c *Connection) ReferenceJSON(path string) (json.RawMessage, error) {
	reference, err := c.Reference(path)
	if err != nil || c.Serialization() == jsonName {
		return reference, err
	}
	return value.MsgPackToJSON(nil, reference, value.Limits{})
}

// ReferencePathJSON is ReferencePath for an argument of a function or a result of CallValues.
func (c *Connection) ReferencePathJSON(argument json.RawMessage) (string, bool) {
	if c.Serialization() == jsonName {
		return c.ReferencePath(argument)
	}
	packed, err := value.JSONToMsgPack(nil, argument, value.Limits{})
	if err != nil {
		return "", false
	}
	return c.ReferencePath(packed)
}

var (
	contextType = reflect.TypeFor[context.Context]()
	callType    = reflect.TypeFor[*rpc.Call]()
	errorType   = reflect.TypeFor[error]()
)

// AddFunc serves a Go function at a path. Its parameters are the positional arguments in the forms of encoding/json, after a context.Context
// and a *rpc.Call if it wants them; it gives nothing, a value, an error, or both. It runs on a goroutine of its own.
func (r *Router) AddFunc(path string, function any) (*Service, error) {
	f := valueFunc{path: path, fn: reflect.ValueOf(function)}
	if f.fn.Kind() != reflect.Func || f.fn.IsNil() || f.fn.Type().IsVariadic() {
		return nil, failf(InvalidArgument, "%s: %T is served, expected a function with a fixed number of parameters", path, function)
	}
	t := f.fn.Type()
	f.takesContext = t.NumIn() > 0 && t.In(0) == contextType
	f.first = btoi(f.takesContext)
	f.takesCall = t.NumIn() > f.first && t.In(f.first) == callType
	f.first += btoi(f.takesCall)
	f.givesError = t.NumOut() > 0 && t.Out(t.NumOut()-1) == errorType
	if t.NumOut()-btoi(f.givesError) > 1 {
		return nil, failf(InvalidArgument, "%s: the function gives %d values, expected at most one and an error", path, t.NumOut())
	}
	raw := rpc.Raw{jsonName}
	return r.Add(ServiceOptions{Name: path, Request: raw, Response: raw, Handler: HandlerFunc(f.serve)})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// valueFunc is a Go function that is served.
type valueFunc struct {
	path  string
	fn    reflect.Value
	first int // parameter that takes the first argument

	takesContext, takesCall, givesError bool
}

func (f valueFunc) serve(ctx context.Context, call *rpc.Call, request []byte) ([]byte, error) {
	in, err := f.arguments(request)
	if err != nil {
		return nil, rpc.NewStatus(rpc.CodeInvalidArgument, err.Error()).Err()
	}
	if f.takesContext {
		in[0] = reflect.ValueOf(ctx)
	}
	if f.takesCall {
		in[f.first-1] = reflect.ValueOf(call)
	}
	out := f.fn.Call(in)
	if f.givesError {
		last := out[len(out)-1]
		if out = out[:len(out)-1]; !last.IsNil() {
			return nil, last.Interface().(error)
		}
	}
	if len(out) == 0 {
		return []byte("null"), nil
	}
	response, err := json.Marshal(out[0].Interface())
	if err != nil {
		return nil, rpc.NewStatus(rpc.CodeSvrSerializationFailed, fmt.Sprintf("answer of %s: %v", f.path, err)).Err()
	}
	return response, nil
}

// arguments decodes what follows context and call.
func (f valueFunc) arguments(request []byte) ([]reflect.Value, error) {
	t := f.fn.Type()
	var args []json.RawMessage
	var kwargs map[string]json.RawMessage
	if len(request) > 0 {
		if err := json.Unmarshal(request, &[]any{&args, &kwargs}); err != nil {
			return nil, err
		}
	}
	switch want := t.NumIn() - f.first; {
	case len(kwargs) > 0:
		for name := range kwargs {
			return nil, fmt.Errorf("%s takes no keyword arguments, got %q", f.path, name)
		}
	case len(args) != want:
		return nil, fmt.Errorf("%s takes %d arguments, got %d", f.path, want, len(args))
	}
	in := make([]reflect.Value, t.NumIn())
	for i, arg := range args {
		p := reflect.New(t.In(f.first + i))
		d := json.NewDecoder(bytes.NewReader(arg))
		d.DisallowUnknownFields()
		if err := d.Decode(p.Interface()); err != nil {
			return nil, fmt.Errorf("argument %d of %s: %w", i+1, f.path, err)
		}
		in[f.first+i] = p.Elem()
	}
	return in, nil
}
