package filter

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"aimrtrpc/runtime/rpc"
)

// Parts of a W3C trace context, "00-<32 hex>-<16 hex>-<2 hex>".
const (
	traceVersion     = "00"
	traceSampled     = "01"
	traceIDBytes     = 16
	spanIDBytes      = 8
	traceParentParts = 4
)

// TraceKeys are the metadata keys that carry a trace.
type TraceKeys struct {
	Start  string // "true" begins a trace
	Parent string // W3C traceparent of the caller's span
}

// TraceOptions describe a filter of spans.
type TraceOptions struct {
	Side     Side
	Logger   *slog.Logger // receives one line per span
	Keys     TraceKeys
	Force    bool // a span for every call, not only for calls that ask or have a parent
	Messages bool // request and response as JSON, where they can be had so
	// Attributes of every span.
	Attributes []slog.Attr
}

// Trace writes one line per call that belongs to a trace, when it ends: a span with its parent. The span becomes the parent of what the call
// leads to, through the call's metadata.
func Trace(o TraceOptions) rpc.Filter {
	return func(ctx context.Context, call *rpc.Call, next rpc.Next) {
		trace, parent, found := readTraceParent(call.Context.Metadata.Get(o.Keys.Parent))
		if !found && !o.Force && !strings.EqualFold(call.Context.Metadata.Get(o.Keys.Start), "true") {
			next(ctx, call)
			return
		}
		if !found {
			trace = newTraceID()
		}
		span := newSpanID()
		if o.Force {
			call.Context.Metadata.Set(o.Keys.Start, "true")
		}
		call.Context.Metadata.Set(o.Keys.Parent, traceVersion+"-"+trace+"-"+span+"-"+traceSampled)
		began := time.Now()
		call.OnFinish(func(call *rpc.Call) { o.write(call, trace, span, parent, time.Since(began)) })
		next(ctx, call)
	}
}

// write logs a span that ended.
func (o *TraceOptions) write(call *rpc.Call, trace, span, parent string, took time.Duration) {
	level, status := slog.LevelInfo, call.Status()
	if !status.OK() {
		level = slog.LevelWarn
	}
	ctx := context.Background()
	if !o.Logger.Enabled(ctx, level) {
		return
	}
	module := call.From.Module
	if o.Side == Server {
		module = call.Method.Owner().Module
	}
	attributes := []slog.Attr{slog.String("name", call.Method.Name()), slog.String("kind", strings.ToUpper(o.Side.String())),
		slog.String("trace_id", trace), slog.String("span_id", span), slog.String("parent_span_id", parent),
		slog.Int64("duration_us", took.Microseconds()), slog.String("status", status.String()), slog.String("module_name", module)}
	attributes = append(attributes, o.Attributes...)
	call.Context.Metadata.Range(func(key, value string) bool {
		attributes = append(attributes, slog.String(key, value))
		return true
	})
	if o.Messages {
		attributes = append(attributes, messageAttr("req_data", call.Request)...)
		attributes = append(attributes, messageAttr("rsp_data", call.Response())...)
	}
	o.Logger.LogAttrs(ctx, level, "rpc span", attributes...)
}

func messageAttr(key string, p rpc.Payload) []slog.Attr {
	if text := jsonPart("", p); text != "" {
		return []slog.Attr{slog.String(key, text)}
	}
	return nil
}

// readTraceParent gives trace and span of a traceparent; false for a text that is none. Versions to come may have further parts.
func readTraceParent(text string) (trace, span string, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) < traceParentParts || len(parts[0]) != len(traceVersion) || parts[0] == "ff" || parts[0] == traceVersion && len(parts) > traceParentParts {
		return "", "", false
	}
	for i, size := range []int{1, traceIDBytes, spanIDBytes, 1} {
		if len(parts[i]) != hex.EncodedLen(size) || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return "", "", false
		}
	}
	if strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return "", "", false
	}
	return parts[1], parts[2], true
}

func newTraceID() string { return newSpanID() + newSpanID() }

// newSpanID is random and never zero.
func newSpanID() string {
	var id [spanIDBytes]byte
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return hex.EncodeToString(id[:])
}
