package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/parameter"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrtcontrol"
)

// Codes in the answers of the control services; the calls themselves succeed.
const (
	controlOK       = 0
	controlNotFound = 1 // a module or logger of the request does not exist
	controlInvalid  = 2 // a word of the request cannot be meant
	controlLimit    = 3 // a named limit of the parameters is reached
)

// LogLevelSink is a PlanSink that also wants to know when the level of a logger was changed while running.
type LogLevelSink interface{ LogLevelsChanged() }

// controlPlugins are the plugins whose services are here.
var controlPlugins = map[string]controlPlugin{
	"log_control_plugin": {aimrtcontrol.LogControl, map[string]controlMethod{
		"GetModuleLogLevel": (*Runtime).controlLevels, "SetModuleLogLevel": (*Runtime).controlSetLevels,
	}},
	"parameter_plugin": {aimrtcontrol.Parameters, map[string]controlMethod{
		"Set": (*Runtime).controlSet, "Get": (*Runtime).controlGet, "List": (*Runtime).controlList, "Dump": (*Runtime).controlDump,
		"Load": (*Runtime).controlLoad,
	}},
}

// controlPlugin is a service with what its methods do.
type controlPlugin struct {
	service string
	methods map[string]controlMethod
}

type controlMethod func(*Runtime, aimrtcontrol.Message) aimrtcontrol.Message

// controlOptions are aimrt.plugin.plugins[i].options of both plugins.
type controlOptions struct {
	ServiceName string `cfg:"service_name"` // in place of "package.Service"
}

// serveControl registers the services of the plugins in the configuration. The modules that own them have the plugins' names and no part in
// the life cycle.
func (r *Runtime) serveControl(c *config.Config) error {
	for _, p := range c.Plugin.Plugins {
		plugin, ok := controlPlugins[p.Name]
		if !ok {
			continue
		}
		var options controlOptions
		if p.Options.Exists() {
			if err := p.Options.Decode(&options); err != nil {
				return fail(Config, err)
			}
		}
		if options.ServiceName == "" {
			options.ServiceName = plugin.service
		}
		if err := r.serveControlPlugin(p.Name, options.ServiceName, plugin); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) serveControlPlugin(owner, name string, plugin controlPlugin) error {
	service, err := aimrtcontrol.New(plugin.service)
	if err != nil {
		return err
	}
	descriptor := service.Descriptor()
	m := &Module{runtime: r, options: ModuleOptions{Name: owner, Package: aimrt.CorePackage}, enabled: true}
	for _, method := range service.Methods() {
		_, err := m.RegisterService(ServiceOptions{
			Name: "pb:/" + name + "/" + method, Request: rpc.Raw(aimrtcontrol.Serializations()),
			Response: rpc.Raw(aimrtcontrol.Serializations()), Descriptor: descriptor,
			Handler: HandlerFunc(r.controlHandler(service, method, plugin.methods[method])),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// controlHandler decodes and encodes around a method.
func (r *Runtime) controlHandler(service *aimrtcontrol.Service, method string, work controlMethod) HandlerFunc {
	return func(_ context.Context, call *rpc.Call, data []byte) ([]byte, error) {
		request, err := service.Decode(method, aimrtcontrol.Request, call.Context.Serialization, data)
		if errors.Is(err, aimrtcontrol.ErrSerialization) {
			return nil, rpc.NewStatus(rpc.CodeSvrInvalidDeserializationType, err.Error()).Err()
		}
		if err != nil {
			return nil, rpc.NewStatus(rpc.CodeSvrDeserializationFailed, err.Error()).Err()
		}
		response, err := service.Encode(method, aimrtcontrol.Response, call.Context.Serialization, work(r, request))
		if err != nil {
			return nil, rpc.NewStatus(rpc.CodeSvrSerializationFailed, err.Error()).Err()
		}
		return response, nil
	}
}

// refusal is an answer that is not OK.
func refusal(code uint64, format string, arguments ...any) aimrtcontrol.Message {
	return aimrtcontrol.Message{Code: code, Text: fmt.Sprintf(format, arguments...)}
}

// missing refuses names of modules that are not there, with what is near them; its answer is OK when all are.
func missing(names, known []string) aimrtcontrol.Message {
	var texts []string
	for _, name := range names {
		if !slices.Contains(known, name) {
			texts = append(texts, unknown("module", name, known).Error())
		}
	}
	if len(texts) == 0 {
		return aimrtcontrol.Message{}
	}
	return refusal(controlNotFound, "%s", strings.Join(texts, "; "))
}

// controlLevels gives the levels of the loggers that are named, or of all.
func (r *Runtime) controlLevels(request aimrtcontrol.Message) aimrtcontrol.Message {
	levels := r.LogLevels()
	answer := missing(request.Modules, slices.Sorted(maps.Keys(levels)))
	answer.Levels = map[string]string{}
	for name, level := range levels {
		if len(request.Modules) == 0 || slices.Contains(request.Modules, name) {
			answer.Levels[name] = level.String()
		}
	}
	return answer
}

// controlSetLevels changes levels, all of them or none.
func (r *Runtime) controlSetLevels(request aimrtcontrol.Message) aimrtcontrol.Message {
	names := slices.Sorted(maps.Keys(request.Levels))
	if answer := missing(names, slices.Sorted(maps.Keys(r.LogLevels()))); answer.Code != controlOK {
		return answer
	}
	levels := make([]LogLevel, len(names))
	for i, name := range names {
		level, err := config.ParseLogLevel(request.Levels[name])
		if err != nil {
			return refusal(controlInvalid, "module %q: %v", name, err)
		}
		levels[i] = level
	}
	for i, name := range names {
		if err := r.SetLogLevel(name, levels[i]); err != nil {
			return refusal(controlNotFound, "%v", err)
		}
	}
	return aimrtcontrol.Message{}
}

// parametersOf finds the store of a module.
func (r *Runtime) parametersOf(module string) (*parameter.Store, aimrtcontrol.Message) {
	if s, ok := r.parameters.Find(module); ok {
		return s, aimrtcontrol.Message{}
	}
	return nil, missing([]string{module}, r.parameters.Modules())
}

func (r *Runtime) controlSet(request aimrtcontrol.Message) aimrtcontrol.Message {
	s, answer := r.parametersOf(request.Module)
	switch {
	case s == nil:
		return answer
	case request.Key == "":
		return refusal(controlInvalid, "a parameter needs a key")
	}
	if err := s.Set(request.Key, request.Value); err != nil {
		return refusal(controlLimit, "%v", err)
	}
	return answer
}

func (r *Runtime) controlGet(request aimrtcontrol.Message) aimrtcontrol.Message {
	s, answer := r.parametersOf(request.Module)
	if s != nil {
		answer.Value = s.Get(request.Key)
	}
	return answer
}

func (r *Runtime) controlList(request aimrtcontrol.Message) aimrtcontrol.Message {
	s, answer := r.parametersOf(request.Module)
	if s != nil {
		answer.Keys = s.Keys()
	}
	return answer
}

// controlDump gives the parameters of the modules that are named, or of all.
func (r *Runtime) controlDump(request aimrtcontrol.Message) aimrtcontrol.Message {
	known := r.parameters.Modules()
	answer := missing(request.Modules, known)
	answer.Parameters = map[string]map[string]string{}
	for _, module := range known {
		if len(request.Modules) == 0 || slices.Contains(request.Modules, module) {
			s, _ := r.parameters.Find(module)
			answer.Parameters[module] = s.All()
		}
	}
	return answer
}

// controlLoad sets parameters of several modules; what is not named stays. A module that does not exist refuses everything.
func (r *Runtime) controlLoad(request aimrtcontrol.Message) aimrtcontrol.Message {
	modules := slices.Sorted(maps.Keys(request.Parameters))
	if answer := missing(modules, r.parameters.Modules()); answer.Code != controlOK {
		return answer
	}
	for _, module := range modules {
		if _, bad := request.Parameters[module][""]; bad {
			return refusal(controlInvalid, "module %q: a parameter needs a key", module)
		}
	}
	for _, module := range modules {
		s, _ := r.parameters.Find(module)
		if err := s.Load(request.Parameters[module]); err != nil {
			return refusal(controlLimit, "%v", err)
		}
	}
	return aimrtcontrol.Message{}
}
