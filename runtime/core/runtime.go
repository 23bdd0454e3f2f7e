package core

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/logging"
	"aimrtrpc/runtime/parameter"
	"aimrtrpc/runtime/registry"
)

// Runtime is one runtime; several may live in a process. Its methods may be called from any goroutine, except that Initialize, Start and
// Shutdown follow each other, and Shutdown must not be called inside a module's callback (RequestShutdown may).
type Runtime struct {
	options Options
	state   atomic.Uint32

	lifeMu sync.Mutex // held while the runtime initializes, starts or shuts down
	asked  chan struct{}
	askOne sync.Once
	done   chan struct{}

	ready   atomic.Bool // initialization is complete
	serving atomic.Bool
	calls   openCalls
	planMu  sync.Mutex // makes publications one at a time
	log     *slog.Logger
	logs    *logging.Manager

	confMu   sync.RWMutex // guards what follows
	conf     *config.Config
	rulesNow *config.RPC

	modMu    sync.Mutex // guards modules
	modules  []*Module
	byModule map[string]*Module

	executors    *executor.Table
	parameters   parameter.Manager
	backends     []runningBackend
	links        links
	filters      *filter.Table
	metrics      *filter.Metrics // of otp_metrics, nil without it
	clients      registry.Table[*Client]
	services     registry.Table[*Service]
	counters     registry.Counters
	passed       []string
	initOrder    []*Module // modules whose Initialize succeeded
	fromPackages []*Module // modules of Pkg files
	started      []*Module // modules whose Start succeeded
}

// New makes a runtime. It reads no file yet.
func New(o Options) *Runtime {
	if o.Executors == nil {
		o.Executors = executor.Goroutines{}
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Version == "" {
		o.Version = "0.1.0"
	}
	r := &Runtime{options: o, asked: make(chan struct{}), done: make(chan struct{}), byModule: map[string]*Module{},
		executors: &executor.Table{}, filters: &filter.Table{}, log: slog.New(slog.DiscardHandler)}
	r.state.Store(uint32(PreInit))
	r.calls.setOpen(false)
	return r
}

// Config is the configuration in force, nil before Initialize.
func (r *Runtime) Config() *config.Config {
	r.confMu.RLock()
	defer r.confMu.RUnlock()
	return r.conf
}

// rules gives the rpc rules in force.
func (r *Runtime) rules() *config.RPC {
	r.confMu.RLock()
	defer r.confMu.RUnlock()
	return r.rulesNow
}

func (r *Runtime) setRules(rules *config.RPC) {
	r.confMu.Lock()
	defer r.confMu.Unlock()
	r.rulesNow = rules
}

// backend finds a running backend. The list is fixed from Initialize on.
func (r *Runtime) backend(name string) (backend.Backend, bool) {
	for _, b := range r.backends {
		if b.name == name {
			return b.backend, true
		}
	}
	return nil, false
}

// Executor finds an executor, configured or the host's.
func (r *Runtime) Executor(name string) (executor.Executor, error) {
	if r.State() == PreInit {
		return nil, failf(InvalidState, "executors exist from Initialize on")
	}
	e, err := r.executors.Get(name)
	if err != nil {
		return nil, &Error{Kind: NotFound, Nearest: nearestOf(err), Err: err}
	}
	return e, nil
}

func nearestOf(err error) string {
	for _, d := range Details(err) {
		if d.Key == "nearest" {
			return d.Value
		}
	}
	return ""
}

// AddExecutor gives a loop of the host to the runtime, before Initialize.
func (r *Runtime) AddExecutor(e executor.Executor) error {
	if err := r.need("an executor of the host can only be added", PreInit); err != nil {
		return err
	}
	r.modMu.Lock()
	defer r.modMu.Unlock()
	for _, other := range r.options.HostExecutors {
		if other.Name() == e.Name() {
			return failf(AlreadyExists, "executor name %q is in use", e.Name())
		}
	}
	r.options.HostExecutors = append(slices.Clip(r.options.HostExecutors), e)
	return nil
}

// Parameters holds the parameters of all modules.
func (r *Runtime) Parameters() *parameter.Manager { return &r.parameters }

// PassedKeys are the metadata keys that MergeContext copies; complete after Initialize.
func (r *Runtime) PassedKeys() []string { return slices.Clone(r.passed) }

// Address is where a backend listens, "127.0.0.1:50080"; empty when it does not listen or is not configured.
func (r *Runtime) Address(name string) string {
	if r.State() != Start {
		return ""
	}
	b, _ := r.backend(name)
	if l, ok := b.(backend.Listening); ok {
		return l.Address()
	}
	return ""
}

// Clients lists the client methods in the order of registration.
func (r *Runtime) Clients() []*Client { return r.clients.All() }

// Services lists the served methods in the order of registration.
func (r *Runtime) Services() []*Service { return r.services.All() }
