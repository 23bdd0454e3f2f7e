package core_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

// stockConfig is a plugin section and one filter on both sides.
func stockConfig(plugin, options, filter string) string {
	return `
aimrt:
  plugin: {plugins: [{name: ` + plugin + `, path: ./x.so, options: ` + options + `}]}
  rpc:
    backends: [{type: local}]
    clients_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [` + filter + `]}]
    servers_options: [{func_name: "(.*)", enable_backends: [local], enable_filters: [` + filter + `]}]
`
}

const otlp = "http://localhost:4318/v1/"

// callStock calls once through the filters of a configuration.
func callStock(t *testing.T, text string) (*fixture, string) {
	t.Helper()
	f := newFixture(t, text, nil)
	f.initialize()
	f.serve(f.module("Server", "a"), do, upper)
	c := f.client(f.module("Client", "b"), do)
	f.start()
	settings := rpc.NewClientContext()
	_, err := c.Call(context.Background(), settings, []byte("hi"))
	check(t, err)
	if f.log.containing("Unused options") != 0 {
		t.Errorf("log is %v", f.log.all)
	}
	return f, settings.Metadata.Get("aimrt_otp-traceparent")
}

func TestStockFilters_Trace_OneSpanPerSide(t *testing.T) {
	for _, name := range []string{"otp_trace", "otp_simple_trace"} {
		f, parent := callStock(t, stockConfig("opentelemetry_plugin", "{node_name: arm, trace_otlp_http_exporter_url: '"+otlp+
			"traces', force_trace: true, attributes: [{key: sn, val: 123456}]}", name))
		if len(parent) != 55 {
			t.Fatalf("%s: traceparent is %q", name, parent)
		}
		trace, span := "trace_id="+parent[3:35], parent[36:52]
		if n := f.log.containing(trace + " span_id=" + span); n != 1 {
			t.Errorf("%s: %d client spans; log is %v", name, n, f.log.all)
		}
		if n := f.log.containing("parent_span_id=" + span); n != 1 {
			t.Errorf("%s: %d server spans below the client's", name, n)
		}
		if f.log.containing("service.name=arm sn=123456") != 2 || f.log.containing("nothing is sent") != 1 {
			t.Errorf("%s: log is %v", name, f.log.all)
		}
	}
}

func TestStockFilters_Metrics_AreInTheStatistics(t *testing.T) {
	f, _ := callStock(t, stockConfig("opentelemetry_plugin", "{node_name: arm, metrics_otlp_http_exporter_url: '"+otlp+
		"metrics', rpc_time_cost_histogram_boundaries: [1.0, 150.0], metrics_export_interval_ms: 1000}", "otp_metrics"))
	text, err := f.Statistics()
	check(t, err)
	var out struct {
		Metrics struct {
			Boundaries []float64 `json:"time_cost_boundaries_us"`
			Series     []struct {
				Side   string `json:"side"`
				Module string `json:"module_name"`
				Calls  uint64 `json:"invoke_num"`
				Sent   uint64 `json:"req_size"`
			} `json:"series"`
		} `json:"metrics"`
	}
	check(t, json.Unmarshal(text, &out))
	s := out.Metrics.Series
	if len(out.Metrics.Boundaries) != 2 || len(s) != 2 || s[0].Side != "client" || s[0].Module != "Client" || s[0].Calls != 1 || s[0].Sent != 2 ||
		s[1].Module != "Server" || s[1].Calls != 1 {
		t.Errorf("statistics are %s", text)
	}
}

func TestStockFilters_Introspection_PassesOn(t *testing.T) {
	f, _ := callStock(t, stockConfig("service_introspection_plugin",
		"{client_info_topic_name: /c, server_info_topic_name: /s, mode: FULL, rpc_serialization_type: auto}", "service_introspection"))
	if f.log.containing("service introspection publishes nothing") != 1 {
		t.Errorf("log is %v", f.log.all)
	}
}

func TestStockFilters_BadOptions(t *testing.T) {
	const topics = "client_info_topic_name: /c, server_info_topic_name: /s"
	tests := []struct{ plugin, options, filter, want string }{
		{"opentelemetry_plugin", "{}", "debug_log", "node name is empty!"},
		{"opentelemetry_plugin", "{node_name: x}", "otp_trace", "Can not find filter: otp_trace"},
		{"opentelemetry_plugin", "{node_name: x, trace_otlp_http_exporter_url: u}", "otp_metrics", "Can not find filter: otp_metrics"},
		{"opentelemetry_plugin", "{node_name: x, metrics_otlp_http_exporter_url: u, rpc_time_cost_histogram_boundaries: [2, 1]}", "otp_metrics", "boundary 1"},
		{"service_introspection_plugin", "{client_info_topic_name: /c}", "debug_log", "server_info_topic_name"},
		{"service_introspection_plugin", "{" + topics + ", mode: all}", "debug_log", "Invalid mode: all"},
		{"service_introspection_plugin", "{" + topics + ", rpc_serialization_type: pb}", "debug_log", "Invalid rpc serialization type: pb"},
	}
	for _, tt := range tests {
		f := newFixture(t, stockConfig(tt.plugin, tt.options, tt.filter), nil)
		err := f.Initialize(context.Background())
		if core.KindOf(err) != core.Config || !strings.Contains(err.Error(), tt.want) || detail(err, "line") == "" {
			t.Errorf("%s %s gives %v", tt.plugin, tt.options, err)
		}
		if f.State() != core.PreInit {
			t.Errorf("%s: state is %v", tt.options, f.State())
		}
	}
}
