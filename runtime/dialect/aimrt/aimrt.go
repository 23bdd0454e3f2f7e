// Package aimrt is what AimRT means: names of functions, the metadata keys its framework writes, the default timeout, the rule for
// addresses, its plugins. It maps these to the model and holds no bytes, no sockets and no state.
//
// Backends and core may import it; it imports the model and the configuration, never another dialect.
package aimrt

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/rpc"
)

// DefaultTimeout applies to a call whose context sets none.
const DefaultTimeout = 5 * time.Second

// Metadata keys of the framework. They are virtual: the model holds what they stand for, and texts are made when somebody reads them.
const (
	KeyRequestID     = "aimrt-request_id"
	KeyResponseID    = "aimrt-response_id"
	KeyBackend       = "aimrt-backend"
	KeyToAddr        = "aimrt-to_addr"
	KeySerialization = "aimrt-serialization_type"
	KeyFunctionName  = "aimrt-function_name"
	KeyFromPackage   = "aimrt-from_pkg"
	KeyFromModule    = "aimrt-from_module"
)

// Keys that AimRT's OpenTelemetry plugin passes through from incoming to outgoing calls.
const (
	KeyTraceStart  = "aimrt_otp-start_new_trace"
	KeyTraceParent = "aimrt_otp-traceparent"
	KeyTraceState  = "aimrt_otp-tracestate"
)

// Pattern is a rule's regular expression; MatchBackend is the rule inside backend options.
type Pattern = config.Pattern

// CorePackage is the package of modules that a program registers itself.
const CorePackage = "core"

// PathOf is the function name without its type prefix: "/pkg.Service/Method".
func PathOf(name string) string { return config.WithoutPrefix(name) }

// PluginOfBackend names AimRT's plugin whose options configure a backend, empty when there is none.
func PluginOfBackend(backend string) string {
	switch backend {
	case "http":
		return "net_plugin"
	case "grpc", "mqtt", "zenoh", "ros2":
		return backend + "_plugin"
	}
	return ""
}

// BackendOfTarget finds the backend a to_addr asks for: the text before the first "://", which must be one of enabled, letter by letter.
func BackendOfTarget(target string, enabled []string) (string, rpc.Status) {
	scheme, _, ok := strings.Cut(target, "://")
	switch {
	case !ok || scheme == "":
		return "", rpc.Statusf(rpc.CodeCliInvalidAddr, "address %q is not of the form <backend>://...", target)
	case !slices.Contains(enabled, scheme):
		return "", rpc.Statusf(rpc.CodeCliInvalidAddr, "address %q names backend %q, which is not enabled for this function (enabled: %s)",
			target, scheme, listText(enabled))
	}
	return scheme, rpc.OK
}

func listText(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Apply sets one metadata pair of AimRT's form on a context: the keys for target, serialization and function name land in their fields.
func Apply(c *rpc.CallContext, key, value string) {
	switch key {
	case KeyToAddr:
		c.Target = value
	case KeySerialization:
		c.Serialization = value
	case KeyFunctionName:
		c.FunctionName = value
	default:
		c.Metadata.Set(key, value)
	}
}

// SetRequestID notes the request id as it came from a peer.
func SetRequestID(call *rpc.Call, text string) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err == nil && id != 0 && strconv.FormatUint(id, 10) == text {
		call.ID, call.IDText = id, ""
		return
	}
	call.ID, call.IDText = 0, text
}

// RequestID is the request id as text, empty when there is none.
func RequestID(call *rpc.Call) string {
	if call.ID != 0 {
		return strconv.FormatUint(call.ID, 10)
	}
	return call.IDText
}

// framework tells whether a key is made from the model, so that a user's value of that name is hidden.
func framework(call *rpc.Call, key string) bool {
	switch key {
	case KeyRequestID, KeyToAddr, KeySerialization:
		return true
	case KeyFunctionName:
		return call.Context.Kind == rpc.ServerContext || call.Context.FunctionName != ""
	case KeyBackend:
		return shownBackend(call) != ""
	case KeyResponseID:
		return call.Context.Kind == rpc.ServerContext
	case KeyFromPackage, KeyFromModule:
		return call.From != rpc.Owner{}
	}
	return false
}

// shownBackend is the backend's name, which a client context shows only when a rule chose it.
func shownBackend(call *rpc.Call) string {
	if call.Context.Kind == rpc.ClientContext && call.Context.Target != "" {
		return ""
	}
	return call.Backend
}

// RangeMetadata calls f for all metadata of a call's context as AimRT shows it, the framework's keys first: what a client sends, or what a
// server's handler sees. It stops when f returns false.
func RangeMetadata(call *rpc.Call, f func(key, value string) bool) {
	for _, key := range frameworkKeys {
		if value, ok := frameworkValue(call, key); ok && !f(key, value) {
			return
		}
	}
	call.Context.Metadata.Range(func(key, value string) bool {
		return framework(call, key) || f(key, value)
	})
}

var frameworkKeys = []string{KeyFunctionName, KeyBackend, KeyRequestID, KeyResponseID, KeySerialization, KeyToAddr, KeyFromPackage, KeyFromModule}

func frameworkValue(call *rpc.Call, key string) (string, bool) {
	c := call.Context
	server := c.Kind == rpc.ServerContext
	value := ""
	switch key {
	case KeyFunctionName:
		if value = c.FunctionName; server {
			value = call.Method.Name()
		}
	case KeyBackend:
		value = shownBackend(call)
	case KeyRequestID:
		value = RequestID(call)
	case KeyResponseID:
		return RequestID(call), server
	case KeySerialization:
		value = c.Serialization
	case KeyToAddr:
		value = c.Target
	case KeyFromPackage:
		return call.From.Package, server && call.From != rpc.Owner{}
	case KeyFromModule:
		return call.From.Module, server && call.From != rpc.Owner{}
	}
	return value, value != ""
}

// MetadataOf is the value of one key as AimRT shows it.
func MetadataOf(call *rpc.Call, key string) (string, bool) {
	if value, ok := frameworkValue(call, key); ok {
		return value, true
	}
	if framework(call, key) {
		return "", false
	}
	return call.Context.Metadata.Lookup(key)
}

// ContextText is AimRT's text form of a call's context: `Client context, timeout: 5000ms, meta: {{"k":"v"}}`.
func ContextText(call *rpc.Call) string {
	var b strings.Builder
	b.WriteString(call.Context.Kind.String())
	b.WriteString(" context, timeout: ")
	b.WriteString(strconv.FormatInt(max(0, call.Context.Timeout.Milliseconds()), 10))
	b.WriteString("ms, meta: {")
	first := true
	RangeMetadata(call, func(key, value string) bool {
		if !first {
			b.WriteString(",")
		}
		first = false
		b.WriteString(`{"` + key + `":"` + value + `"}`)
		return true
	})
	b.WriteString("}")
	return b.String()
}

// Merge copies the pass-through keys of an incoming call to the context of an outgoing one. Nothing happens unless the kinds are server and
// client; empty values are not copied.
func Merge(server, client *rpc.CallContext, keys []string) {
	if server == nil || client == nil || server.Kind != rpc.ServerContext || client.Kind != rpc.ClientContext {
		return
	}
	for _, key := range keys {
		if value := server.Metadata.Get(key); value != "" {
			client.Metadata.Set(key, value)
		}
	}
}

// Section hands a configuration node to a backend in the form that package backend asks for.
type Section struct{ Node config.Node }

// Present tells whether the user wrote the section.
func (s Section) Present() bool { return s.Node.Exists() }

// Decode fills a struct by its cfg tags.
func (s Section) Decode(into any) error { return s.Node.Decode(into) }

// Errorf makes an error at the value of a path such as "clients_options[0].server_url". The suggestion of a wrapped error is kept.
func (s Section) Errorf(path, format string, arguments ...any) error {
	n := s.Node
	for _, key := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		name, index, indexed := strings.Cut(key, "[")
		n = n.Field(name)
		for indexed {
			var number string
			number, index, indexed = strings.Cut(index, "[")
			i, err := strconv.Atoi(strings.TrimSuffix(number, "]"))
			if err != nil {
				i = -1
			}
			n = n.Item(i)
		}
	}
	err := n.Errorf(format, arguments...)
	var cause interface{ Suggestion() string }
	if errors.As(err.Err, &cause) {
		err.Nearest = cause.Suggestion()
	}
	return err
}
