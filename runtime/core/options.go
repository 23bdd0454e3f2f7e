package core

import (
	"sync/atomic"
	"time"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/executor"
)

// DefaultGrace is how long a shutdown waits for open calls before it cancels them.
const DefaultGrace = 500 * time.Millisecond

// Options of a runtime. The zero value gives a runtime with the embedded configuration: the local backend, nothing listens.
type Options struct {
	// ConfigPath is an AimRT YAML file; ConfigText is YAML, used when the path is empty. Neither means DefaultConfig.
	ConfigPath string
	ConfigText string
	// Overrides are applied last: "aimrt.log.core_lvl=Warn".
	Overrides []string
	// Log receives the log lines instead of the configured log backends.
	Log LogSink
	// LogFD is a descriptor that receives them instead, when Log is nil; 0 and below mean none.
	LogFD int
	// NewLogLevel gives the memory of a logger's level, so that foreign code can read it; nil means Go memory.
	NewLogLevel func() *atomic.Int32
	// Executors makes the configured executors; nil means goroutines.
	Executors executor.Factory
	// HostExecutors are loops of the host, found by name like configured ones.
	HostExecutors []executor.Executor
	// PlaceThread names and places the calling thread; nil leaves it as it is. Comes inside Initialize for aimrt.main_thread and on the thread
	// of the log for aimrt.guard_thread, each when the configuration has that section.
	PlaceThread func(name, schedPolicy string, cpus []uint32) error
	// Packages opens the Pkg files of the configuration; without it a configuration that names some is refused.
	Packages PackageHost
	// PackageSearch are folders for relative paths of Pkg files.
	PackageSearch []string
	// Sink learns what it may carry out itself; nil for pure Go programs.
	Sink PlanSink
	// Backends are further backend types by name, besides the built in ones.
	Backends map[string]backend.Constructor
	// Filters are further filters, besides the built in ones.
	Filters []NamedFilter
	// PassedKeys are metadata keys that MergeContext copies, besides those of plugins.
	PassedKeys []string
	// Grace is how long a shutdown waits for open calls; 0 means DefaultGrace, negative not at all.
	Grace time.Duration
	// RemoteTraces sends the stack text of a panicking handler to the caller.
	RemoteTraces bool
	// Version of the product, for the report.
	Version string
}

// DefaultConfig is used when neither path nor text is given: every function is served and called inside the process.
const DefaultConfig = `aimrt:
  log:
    core_lvl: Warn
    backends:
      - type: console
  rpc:
    backends:
      - type: local
    clients_options:
      - func_name: "(.*)"
        enable_backends: [local]
    servers_options:
      - func_name: "(.*)"
        enable_backends: [local]
`
