package core

import (
	"context"
	"log/slog"
	"strings"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/rpc"
)

var bothSides = []filter.Side{filter.Client, filter.Server}

// filterPlugins are the plugins that bring filters; each function reads the plugin's options.
var filterPlugins = map[string]func(*Runtime, config.Node) error{
	"opentelemetry_plugin":         (*Runtime).addTelemetry,
	"service_introspection_plugin": (*Runtime).addIntrospection,
}

// telemetryOptions are aimrt.plugin.plugins[i].options of opentelemetry_plugin.
type telemetryOptions struct {
	NodeName        string    `cfg:"node_name"`
	TraceURL        string    `cfg:"trace_otlp_http_exporter_url"`
	MetricsURL      string    `cfg:"metrics_otlp_http_exporter_url"`
	Boundaries      []float64 `cfg:"rpc_time_cost_histogram_boundaries"`
	ExportInterval  uint32    `cfg:"metrics_export_interval_ms"`
	ExportTimeout   uint32    `cfg:"metrics_export_timeout_ms"`
	ForceTrace      bool      `cfg:"force_trace"`
	ResourceEntries []struct {
		Key   string `cfg:"key"`
		Value string `cfg:"val"`
	} `cfg:"attributes"`
}

// addTelemetry registers otp_trace, otp_simple_trace and otp_metrics. Nothing is exported: spans are log lines, metrics are in Statistics.
func (r *Runtime) addTelemetry(node config.Node) error {
	var o telemetryOptions
	if node.Exists() {
		if err := node.Decode(&o); err != nil {
			return err
		}
	}
	if o.NodeName == "" {
		return node.Errorf("node name is empty!")
	}
	if o.TraceURL != "" {
		r.log.Warn("spans are written to the log, nothing is sent", "trace_otlp_http_exporter_url", o.TraceURL)
		if err := r.addTrace(&o); err != nil {
			return err
		}
	}
	if o.MetricsURL == "" {
		return nil
	}
	r.log.Warn("metrics are part of the statistics, nothing is sent", "metrics_otlp_http_exporter_url", o.MetricsURL)
	metrics, err := filter.NewMetrics(o.Boundaries)
	if err != nil {
		return node.Field("rpc_time_cost_histogram_boundaries").Errorf("%v", err)
	}
	r.metrics = metrics
	for _, side := range bothSides {
		if err := r.filters.Add(side, filterMetrics, metrics.Filter(side)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) addTrace(o *telemetryOptions) error {
	attributes := []slog.Attr{slog.String("service.name", o.NodeName)}
	for _, a := range o.ResourceEntries {
		attributes = append(attributes, slog.String(a.Key, a.Value))
	}
	for _, side := range bothSides {
		options := filter.TraceOptions{Side: side, Logger: r.log, Force: o.ForceTrace, Attributes: attributes,
			Keys: filter.TraceKeys{Start: aimrt.KeyTraceStart, Parent: aimrt.KeyTraceParent}}
		if err := r.filters.Add(side, filterSimpleTrace, filter.Trace(options)); err != nil {
			return err
		}
		options.Messages = true
		if err := r.filters.Add(side, filterTrace, filter.Trace(options)); err != nil {
			return err
		}
	}
	return nil
}

// introspectionOptions are aimrt.plugin.plugins[i].options of service_introspection_plugin.
type introspectionOptions struct {
	ClientTopic   string `cfg:"client_info_topic_name"`
	ServerTopic   string `cfg:"server_info_topic_name"`
	Mode          string `cfg:"mode"`
	Serialization string `cfg:"rpc_serialization_type"`
}

// addIntrospection registers service_introspection, which passes calls on: what AimRT publishes goes to channels, which are not here.
func (r *Runtime) addIntrospection(node config.Node) error {
	o := introspectionOptions{Mode: "full", Serialization: "json"}
	if node.Exists() {
		if err := node.Decode(&o); err != nil {
			return err
		}
	}
	for _, topic := range []struct{ key, name string }{{"client_info_topic_name", o.ClientTopic}, {"server_info_topic_name", o.ServerTopic}} {
		if topic.name == "" {
			return node.Errorf("option %s is required", topic.key)
		}
	}
	switch strings.ToLower(o.Mode) {
	case "meta", "hybrid", "full":
	default:
		return node.Field("mode").Errorf("Invalid mode: %s", o.Mode)
	}
	switch o.Serialization {
	case "json", "auto":
	default:
		return node.Field("rpc_serialization_type").Errorf("Invalid rpc serialization type: %s", o.Serialization)
	}
	r.log.Warn("channels are not part of this product, service introspection publishes nothing", "topics", o.ClientTopic+" "+o.ServerTopic)
	for _, side := range bothSides {
		err := r.filters.Add(side, filterIntrospection, func(ctx context.Context, call *rpc.Call, next rpc.Next) { next(ctx, call) })
		if err != nil {
			return err
		}
	}
	return nil
}
