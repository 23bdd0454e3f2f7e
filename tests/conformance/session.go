package conformance

import (
	"fmt"
	"strings"
	"sync"
)

// Methods of the reference programs; README.md says what each does.
var methodNames = []string{"Echo", "Status", "Fail", "Context", "Nest", "Hold", "Gather", "PbOnly", "Missing"}

// Packages of the modules. Client and server of backend "direct" share one.
const (
	clientPackage = "conformance_client"
	serverPackage = "conformance_server"
	thirdPackage  = "conformance_third"
	thirdFunction = "pb:/conformance.Third/Answer"
)

// functionName is the whole name of a method for one form and style.
func functionName(form, style, method string) string {
	switch method {
	case "Hold", "Gather": // they answer when others let them, never when they return
		style = "later"
	case "PbOnly":
		form = "raw"
	}
	return "pb:/conformance." + title(form) + title(style) + "/" + method
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// registration is a function that a module serves or calls.
type registration struct {
	Function       string   `json:"function"`
	Method         string   `json:"method"`
	Form           string   `json:"form"`
	Later          bool     `json:"later"`
	Serializations []string `json:"serializations"`
}

type module struct {
	Name    string         `json:"name"`
	Package string         `json:"package"`
	Serve   []registration `json:"serve"`
	Call    []registration `json:"call"`
}

var encodings = []string{"pb", "json"}

// registrations of all methods, for the server or for the client.
func registrations(server bool) []registration {
	var out []registration
	seen := map[string]bool{}
	for _, form := range []string{"raw", "message"} {
		for _, style := range Styles {
			for _, method := range methodNames {
				r := registration{functionName(form, style, method), method, form, style == "later", encodings}
				switch {
				case seen[r.Function], server && method == "Missing", method == "PbOnly" && form != "raw":
					continue
				case method == "Hold" || method == "Gather":
					r.Later = true
				case server && method == "PbOnly":
					r.Serializations = encodings[:1]
				}
				seen[r.Function] = true
				out = append(out, r)
			}
		}
	}
	return out
}

func serverModules() []module {
	third := registration{Function: thirdFunction, Method: "Third", Form: "raw", Serializations: encodings}
	return []module{
		{Name: "server", Package: serverPackage, Serve: registrations(true), Call: []registration{third}},
		{Name: "third", Package: thirdPackage, Serve: []registration{third}},
	}
}

// configuration of one program. The third module is always called inside the process.
func configuration(backend, plugin, options string) string {
	if options != "" {
		options = ", options: {" + options + "}"
	}
	more := ""
	if backend != "local" {
		more = fmt.Sprintf(", {type: %s%s}", backend, options)
	}
	return fmt.Sprintf(`aimrt:
  log: {core_lvl: Warn, default_module_lvl: Warn, backends: []}
  plugin: {plugins: [%s]}
  rpc:
    backends: [{type: local}%s]
    clients_options:
      - {func_name: '.*Third/.*', enable_backends: [local]}
      - {func_name: '(.*)', enable_backends: [%s]}
    servers_options:
      - {func_name: '.*Third/.*', enable_backends: [local]}
      - {func_name: '(.*)', enable_backends: [%s]}
`, plugin, more, backend, backend)
}

// listenOptions make a server of a backend listen that has no plugin of AimRT's.
var listenOptions = map[string]string{
	"aiomas": "codec: msgpack, listen: 'tcp://127.0.0.1:0'",
}

// clientOptions are what a client of a backend needs beside the server's address.
var clientOptions = map[string]string{
	"aiomas": "codec: msgpack, ",
}

// listenPlugins make a server of each network backend listen.
var listenPlugins = map[string]string{
	"http": "{name: net_plugin, options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: 0}}}",
	"grpc": "{name: grpc_plugin, options: {thread_num: 2, listen_ip: 127.0.0.1, listen_port: 0}}",
}

// session is a client and a server that can call each other; inside one process both are the same.
type session struct {
	client, server *process
	address        string // where the server listens
}

// pool starts programs when they are first needed, and ends them all.
type pool struct {
	programs map[string]Program
	logs     string

	mu      sync.Mutex // guards what follows
	entries map[string]*entry
	order   []*entry
}

// entry is one program of the pool.
type entry struct {
	mu      sync.Mutex // held while the program starts
	started bool
	process *process
	address string
	err     error
}

func (p *pool) get(key string, open func() (*process, string, error)) *entry {
	p.mu.Lock()
	e := p.entries[key]
	if e == nil {
		e = &entry{}
		p.entries[key] = e
		p.order = append(p.order, e)
	}
	p.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.started {
		e.process, e.address, e.err = open()
		e.started = true
	}
	return e
}

// session gives the programs of a combination.
func (p *pool) session(c Combination) (session, error) {
	if !c.Backend.Network {
		both := p.get(c.Backend.Name+"/"+c.Server, func() (*process, string, error) {
			modules := serverModules()
			pkg := clientPackage
			if c.Backend.Name == "direct" {
				pkg = serverPackage
			}
			modules = append(modules, module{Name: "client", Package: pkg, Call: registrations(false)})
			return p.open(c.Server, c.Server+" "+c.Backend.Name, configuration(c.Backend.Shown, "", ""), modules)
		})
		return session{client: both.process, server: both.process}, both.err
	}
	server := p.get("server/"+c.Backend.Name+"/"+c.Server, func() (*process, string, error) {
		return p.open(c.Server, c.Server+" server", configuration(c.Backend.Shown, listenPlugins[c.Backend.Name], listenOptions[c.Backend.Name]), serverModules())
	})
	if server.err != nil {
		return session{}, server.err
	}
	client := p.get("client/"+c.Backend.Name+"/"+c.Client+"/"+c.Server, func() (*process, string, error) {
		options := fmt.Sprintf("%sclients_options: [{func_name: '(.*)', server_url: '%s://%s'}]",
			clientOptions[c.Backend.Name], c.Backend.Name, server.address)
		modules := []module{{Name: "client", Package: clientPackage, Call: registrations(false)}}
		return p.open(c.Client, c.Client+" client of "+c.Server, configuration(c.Backend.Shown, "", options), modules)
	})
	return session{client.process, server.process, server.address}, client.err
}

func (p *pool) open(language, name, config string, modules []module) (*process, string, error) {
	x, err := start(p.programs[language], name, p.logs)
	if err != nil {
		return nil, "", err
	}
	var opened struct {
		Address string `json:"address"`
	}
	if err := x.do(map[string]any{"do": "open", "config": config, "modules": modules}, &opened); err != nil {
		x.kill()
		return nil, "", fmt.Errorf("%s: open: %w", name, err)
	}
	return x, opened.Address, nil
}

// close ends all programs, clients before their servers, and tells which did not end well.
func (p *pool) close() map[string]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]error{}
	for i := len(p.order) - 1; i >= 0; i-- {
		if x := p.order[i].process; x != nil {
			out[x.name] = x.quit()
		}
	}
	return out
}
