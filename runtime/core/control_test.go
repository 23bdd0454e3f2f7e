package core_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/parameter"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrtcontrol"
)

const controlConfig = `
aimrt:
  plugin:
    plugins:
      - {name: net_plugin, options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: 0}}}
      - {name: log_control_plugin, path: ./liblog.so}
      - {name: parameter_plugin, path: ./libparameter.so, options: {service_name: my.Parameters}}
  log: {core_lvl: Info}
  module: {modules: [{name: Arm, log_lvl: Error}, {name: Leg, log_lvl: Info}]}
  rpc:
    backends: [{type: local}, {type: http}]
    clients_options: [{func_name: "(.*)", enable_backends: [local]}]
    servers_options: [{func_name: "(pb:/aimrt.protocols.*)|(pb:/my.*)", enable_backends: [local, http]}]
`

// levelSink counts how often it hears of levels.
type levelSink struct{ changed int }

func (*levelSink) Publish(*core.Client, core.Plan) {}
func (s *levelSink) LogLevelsChanged()             { s.changed++ }

// controlFixture runs both services; call is one over http with JSON.
func controlFixture(t *testing.T) (f *fixture, sink *levelSink, call func(path, request string) (int, string)) {
	t.Helper()
	sink = &levelSink{}
	f = newFixture(t, controlConfig, func(o *core.Options) { o.Sink = sink })
	f.module("Arm", "")
	f.module("Leg", "")
	f.initialize()
	f.start()
	return f, sink, func(path, request string) (int, string) {
		t.Helper()
		response, err := http.Post("http://"+f.Address("http")+"/rpc/"+path, "application/json", strings.NewReader(request))
		check(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		check(t, err)
		return response.StatusCode, string(body)
	}
}

func TestControl_OverHTTP_JSON(t *testing.T) {
	f, sink, call := controlFixture(t)
	const logs, parameters = aimrtcontrol.LogControl + "/", "my.Parameters/"
	steps := []struct{ path, request, want string }{
		{logs + "GetModuleLogLevel", `{"module_names": ["Arm", "core"]}`, `{"code":0,"msg":"","moduleLogLevelMap":{"Arm":"Error","core":"Info"}}`},
		{logs + "SetModuleLogLevel", `{"module_log_level_map": {"Arm": "trace", "Leg": "Off"}}`, `{"code":0,"msg":""}`},
		{logs + "GetModuleLogLevel", `{}`, `{"code":0,"msg":"","moduleLogLevelMap":{"Arm":"Trace","Leg":"Off","core":"Info"}}`},
		{logs + "SetModuleLogLevel", `{"moduleLogLevelMap": {"Arm": "Fatal", "Lex": "Info"}}`, `{"code":1,"msg":"unknown module \"Lex\", did you mean \"Leg\"? known: Arm, Leg, core"}`},
		{logs + "SetModuleLogLevel", `{"moduleLogLevelMap": {"Arm": "Fatal", "Leg": "Inof"}}`, `{"code":2,"msg":"module \"Leg\": unknown log level \"Inof\", did you mean \"Info\"? known: Trace, Debug, Info, Warn, Error, Fatal, Off"}`},
		{logs + "GetModuleLogLevel", `{"moduleNames": ["Arm", "Arx"]}`, `{"code":1,"msg":"unknown module \"Arx\", did you mean \"Arm\"? known: Arm, Leg, core","moduleLogLevelMap":{"Arm":"Trace"}}`},
		{parameters + "Set", `{"module_name": "Arm", "parameter_key": "gain", "parameter_value": "0.5"}`, `{"code":"0","msg":""}`},
		{parameters + "Set", `{"module_name": "Arm", "parameter_value": "0.5"}`, `{"code":"2","msg":"a parameter needs a key"}`},
		{parameters + "Set", `{"module_name": "Arx", "parameter_key": "gain"}`, `{"code":"1","msg":"unknown module \"Arx\", did you mean \"Arm\"? known: Arm, Leg"}`},
		{parameters + "Set", `{"module_name": "Arm", "parameter_key": "` + strings.Repeat("k", parameter.MaxKeyBytes+1) + `", "parameter_value": "x"}`,
			`{"code":"3","msg":"parameter limit: module \"Arm\": key of 1025 bytes, at most 1024"}`},
		{parameters + "Get", `{"module_name": "Arm", "parameter_key": "gain"}`, `{"code":0,"msg":"","parameterValue":"0.5"}`},
		{parameters + "Get", `{"module_name": "Arm", "parameter_key": "none"}`, `{"code":0,"msg":"","parameterValue":""}`},
		{parameters + "Load", `{"module_parameter_map": {"Arm": {"value": {"a": "1"}}, "Leg": {"value": {"b": "2"}}}}`, `{"code":0,"msg":""}`},
		{parameters + "Load", `{"module_parameter_map": {"Arm": {"value": {"c": "1"}}, "Log": {"value": {"b": "2"}}}}`, `{"code":1,"msg":"unknown module \"Log\", did you mean \"Leg\"? known: Arm, Leg"}`},
		{parameters + "Load", `{"module_parameter_map": {"Arm": {"value": {"": "1"}}}}`, `{"code":2,"msg":"module \"Arm\": a parameter needs a key"}`},
		{parameters + "List", `{"module_name": "Arm"}`, `{"code":0,"msg":"","parameterKeys":["a","gain"]}`},
		{parameters + "Dump", `{"module_names": ["Leg"]}`, `{"code":0,"msg":"","moduleParameterMap":{"Leg":{"value":{"b":"2"}}}}`},
		{parameters + "Dump", `{}`, `{"code":0,"msg":"","moduleParameterMap":{"Arm":{"value":{"a":"1","gain":"0.5"}},"Leg":{"value":{"b":"2"}}}}`},
	}
	for _, s := range steps {
		code, got := call(s.path, s.request)
		var is, want any
		check(t, json.Unmarshal([]byte(got), &is))
		check(t, json.Unmarshal([]byte(s.want), &want))
		if code != http.StatusOK || !reflect.DeepEqual(is, want) {
			t.Errorf("%s %.80s gives %d %s, want %s", s.path, s.request, code, got, s.want)
		}
	}
	if arm, _ := f.Module("Arm"); arm.LogLevel() != core.LogTrace || arm.Parameter("gain") != "0.5" {
		t.Errorf("the module has level %v and gain %q", arm.LogLevel(), arm.Parameter("gain"))
	}
	if sink.changed != 2 {
		t.Errorf("the sink heard of %d changes, want one per logger set", sink.changed)
	}
	if code, text := call(logs+"GetModuleLogLevel", `{"module_names": 5}`); code != http.StatusInternalServerError || !strings.Contains(text, "1007") {
		t.Errorf("a request that is none gives %d %s", code, text)
	}
	if f.log.containing("plugin is built in") != 3 || f.log.containing("Unused options") != 0 {
		t.Errorf("log is %v", f.log.all)
	}
}

func TestControl_InsideTheProcess_Protobuf(t *testing.T) {
	f := newFixture(t, controlConfig, nil)
	m := f.module("Arm", "")
	f.initialize()
	c := f.client(m, "pb:/my.Parameters/Get")
	f.start()
	check(t, m.SetParameter("gain", "2"))
	s, err := aimrtcontrol.New(aimrtcontrol.Parameters)
	check(t, err)
	request, err := s.Encode("Get", aimrtcontrol.Request, "pb", aimrtcontrol.Message{Module: "Arm", Key: "gain"})
	check(t, err)
	data, err := c.Call(context.Background(), nil, request)
	check(t, err)
	answer, err := s.Decode("Get", aimrtcontrol.Response, "pb", data)
	if err != nil || answer.Value != "2" || answer.Code != 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	check(t, m.SetParameter("gain", "\xff"))
	if _, err = c.Call(context.Background(), nil, request); rpc.StatusOf(err).Code() != rpc.CodeSvrSerializationFailed {
		t.Fatalf("a value that is no text gives %v", err)
	}
}

func TestControl_NotConfigured_IsNotServed(t *testing.T) {
	f := newFixture(t, localConfig, nil)
	f.initialize()
	if list := f.Services(); len(list) != 0 {
		t.Fatalf("%d services, the first is %s", len(list), list[0].Method().Name())
	}
}

func TestControl_OptionsAreChecked(t *testing.T) {
	for _, tt := range []struct{ options, want string }{{"{service_nam: x}", ""}, {"{service_name: [x]}", "service_name"}} {
		f := newFixture(t, "aimrt:\n  plugin:\n    plugins:\n      - {name: parameter_plugin, options: "+tt.options+"}\n", nil)
		err := f.Initialize(context.Background())
		if tt.want != "" {
			if core.KindOf(err) != core.Config || !strings.Contains(err.Error(), tt.want) || detail(err, "line") != "4" {
				t.Errorf("%s gives %v", tt.options, err)
			}
			continue
		}
		check(t, err)
		f.start()
		if f.log.containing("Did you mean: 'aimrt.plugin.plugins[0].options.service_name'?") == 0 {
			t.Errorf("%s: log is %v", tt.options, f.log.all)
		}
	}
}
