package filter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"testing"

	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

var traceKeys = filter.TraceKeys{Start: "start", Parent: "parent"}

const knownParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// spans runs one call through a trace filter and gives its log lines and metadata.
func spans(t *testing.T, o filter.TraceOptions, pairs []rpc.Pair, status rpc.Status) (lines []map[string]any, metadata rpc.Metadata) {
	t.Helper()
	var b bytes.Buffer
	o.Logger, o.Keys = slog.New(slog.NewJSONHandler(&b, nil)), traceKeys
	call := newCall(t)
	call.From = rpc.Owner{Module: "Caller"}
	call.Request = rpc.BytesPayload("json", []byte("{1}"))
	call.Context.Metadata = rpc.MetadataOf(pairs...)
	filter.Trace(o)(context.Background(), call, func(_ context.Context, c *rpc.Call) { c.Finish(status, rpc.BytesPayload("json", []byte("{2}"))) })
	for d := json.NewDecoder(&b); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines, call.Context.Metadata
}

func TestTrace_BeginsWhen(t *testing.T) {
	tests := []struct {
		name   string
		force  bool
		pairs  []rpc.Pair
		traced bool
	}{
		{"nothing asks", false, nil, false},
		{"forced", true, nil, true},
		{"asked, any case", false, []rpc.Pair{{Key: "start", Value: "TRUE"}}, true},
		{"asked otherwise", false, []rpc.Pair{{Key: "start", Value: "yes"}}, false},
		{"parent", false, []rpc.Pair{{Key: "parent", Value: knownParent}}, true},
		{"parent of a later version", false, []rpc.Pair{{Key: "parent", Value: "01" + knownParent[2:] + "-more"}}, true},
		{"parent with too much", false, []rpc.Pair{{Key: "parent", Value: knownParent + "-more"}}, false},
		{"parent of no version", false, []rpc.Pair{{Key: "parent", Value: "ff" + knownParent[2:]}}, false},
		{"parent in capitals", false, []rpc.Pair{{Key: "parent", Value: "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}}, false},
		{"parent of zeroes", false, []rpc.Pair{{Key: "parent", Value: "00-00000000000000000000000000000000-b7ad6b7169203331-01"}}, false},
		{"parent that is short", false, []rpc.Pair{{Key: "parent", Value: "00-0af7-b7ad-01"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, metadata := spans(t, filter.TraceOptions{Force: tt.force}, tt.pairs, rpc.OK)
			if (len(lines) == 1) != tt.traced {
				t.Fatalf("%d spans", len(lines))
			}
			if tt.force && metadata.Get("start") != "true" {
				t.Error("a forced trace does not say so to the server")
			}
		})
	}
}

func TestTrace_SpanNamesParentAndBecomesOne(t *testing.T) {
	lines, metadata := spans(t, filter.TraceOptions{Messages: true, Attributes: []slog.Attr{slog.String("sn", "7")}},
		[]rpc.Pair{{Key: "parent", Value: knownParent}, {Key: "user", Value: "me"}}, rpc.StatusOfCode(rpc.CodeTimeout))
	line := lines[0]
	for key, want := range map[string]any{
		"level": "WARN", "msg": "rpc span", "name": "pb:/a.B/C", "kind": "CLIENT", "trace_id": "0af7651916cd43dd8448eb211c80319c",
		"parent_span_id": "b7ad6b7169203331", "status": "fail, code 2, msg: Timeout", "module_name": "Caller", "sn": "7", "user": "me",
		"req_data": "{1}", "rsp_data": "{2}",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
	parent := metadata.Get("parent")
	if !regexp.MustCompile(`^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$`).MatchString(parent) || parent[36:52] != line["span_id"] || parent == knownParent {
		t.Errorf("the span hands on %q, its line says %v", parent, line["span_id"])
	}
	lines, _ = spans(t, filter.TraceOptions{Side: filter.Server, Force: true}, nil, rpc.OK)
	if lines[0]["kind"] != "SERVER" || lines[0]["level"] != "INFO" || lines[0]["req_data"] != nil || lines[0]["module_name"] != "" {
		t.Errorf("simple server span is %v", lines[0])
	}
}

func TestMetrics_CountsByModuleFunctionAndStatus(t *testing.T) {
	m, err := filter.NewMetrics([]float64{0.001, 60e6})
	if err != nil {
		t.Fatal(err)
	}
	end := func(side filter.Side, status rpc.Status) {
		call := newCall(t)
		call.From = rpc.Owner{Module: "Caller"}
		call.Request = rpc.BytesPayload("pb", []byte("123"))
		m.Filter(side)(context.Background(), call, func(_ context.Context, c *rpc.Call) { c.Finish(status, rpc.BytesPayload("pb", []byte("12"))) })
	}
	end(filter.Client, rpc.OK)
	end(filter.Client, rpc.OK)
	end(filter.Client, rpc.StatusOfCode(rpc.CodeTimeout))
	end(filter.Server, rpc.OK)
	got := m.Snapshot().Series
	want := []struct {
		side, module, status string
		calls                uint64
	}{{"client", "Caller", "OK", 2}, {"client", "Caller", "Timeout", 1}, {"server", "", "OK", 1}}
	if len(got) != len(want) {
		t.Fatalf("series are %+v", got)
	}
	for i, w := range want {
		g := got[i]
		if g.Side != w.side || g.Module != w.module || g.Status != w.status || g.Function != "pb:/a.B/C" || g.Calls != w.calls ||
			g.RequestBytes != 3*w.calls || g.ResponseBytes != 2*w.calls {
			t.Errorf("series %d is %+v, want %+v", i, g, w)
		}
		if len(g.Buckets) != 3 || g.Buckets[1] != w.calls || g.Microseconds <= 0 {
			t.Errorf("histogram %d is %v of %v us", i, g.Buckets, g.Microseconds)
		}
	}
}

func TestMetrics_Limits(t *testing.T) {
	if m, err := filter.NewMetrics(nil); err != nil || len(m.Snapshot().Boundaries) != 32 || m.Snapshot().Boundaries[31] != 1<<31 {
		t.Errorf("default boundaries: %v, %v", m.Snapshot().Boundaries, err)
	}
	if _, err := filter.NewMetrics([]float64{1, 1}); err == nil {
		t.Error("equal boundaries were accepted")
	}
	m, err := filter.NewMetrics([]float64{1})
	if err != nil {
		t.Fatal(err)
	}
	const calls = filter.MaxSeries + 100
	for i := range calls {
		m.Filter(filter.Client)(context.Background(), newCall(t), func(_ context.Context, c *rpc.Call) {
			c.Finish(rpc.Statusf(rpc.CodeUnknown, "status %d", i), rpc.Payload{})
		})
	}
	series := m.Snapshot().Series
	var total, overflow uint64
	for _, s := range series {
		total += s.Calls
		if s.Status == filter.OverflowStatus {
			overflow = s.Calls
		}
	}
	if len(series) > filter.MaxSeries || total != calls || overflow == 0 {
		t.Errorf("%d series, %d calls, %d in the overflow", len(series), total, overflow)
	}
}
