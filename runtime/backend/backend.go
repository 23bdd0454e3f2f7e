// Package backend says what core and a backend expect of each other. A backend is the glue for one call through one kind of peer.
//
// core hands each backend what it needs through the small interfaces declared here, so no backend reaches up. The backends themselves live
// in the packages below this one and never import each other.
package backend

import (
	"context"
	"log/slog"
	"time"

	"aimrtrpc/runtime/rpc"
)

// Backend carries calls to one kind of peer and brings such calls in. Life: constructor, registrations, Start, calls, Stop, Close.
type Backend interface {
	// RegisterClient tells that a module may call the method through this backend. It comes in state Init, and again while running when a
	// reload gives the method to this backend. An error refuses the registration.
	RegisterClient(method *rpc.Method) error
	// RegisterService hands over what answers calls of the method. It comes in state Init, in order of registration; a name may come
	// several times, from different modules. The handler is ready to use: filters, limits, counting and panics are core's.
	RegisterService(method *rpc.Method, serve rpc.Handler) error
	// Start opens listeners and connections. A port in use is an error of Start.
	Start(ctx context.Context) error
	// Accept tells whether Invoke would take the call: OK, or why not. core tries the backends of a rule in order; it must be quick.
	Accept(call *rpc.Call) rpc.Status
	// Invoke starts a call and never waits for its answer; it ends with call.Finish, on any goroutine. Timeout (call.Context.Timeout),
	// cancellation and shutdown are core's: it ends the call itself, and the backend gives up what it holds for it in OnFinish.
	Invoke(ctx context.Context, call *rpc.Call)
	// Stop refuses new incoming work and returns at once; what runs goes on.
	Stop()
	// Close ends everything and returns when the backend's goroutines are gone, or ctx ends. It comes once after a successful constructor.
	Close(ctx context.Context) error
}

// Constructor makes a backend from its part of the configuration.
type Constructor func(env Environment) (Backend, error)

// Environment is what a backend gets from core.
type Environment struct {
	// Name under which the configuration lists the backend: "http".
	Name string
	// Logger of the runtime, with the backend's name as attribute.
	Logger *slog.Logger
	// Options are aimrt.rpc.backends[i].options, never nil.
	Options Section
	// Plugin is the options node of the AimRT plugin that brings this backend there (net_plugin for http), never nil.
	Plugin Section
	// Executor finds a configured executor; the error names the nearest.
	Executor func(name string) (Executor, error)
}

// Section is one part of the configuration.
type Section interface {
	// Present tells whether the user wrote it.
	Present() bool
	// Decode fills a struct by its cfg tags (package config says how), over the defaults that are in it. A wrong type is an error with
	// file, line and path. Keys that no Decode knows are reported as unused at start.
	Decode(into any) error
	// Errorf makes an error that names file and line of the value at a path below the section, "clients_options[0].server_url"; the
	// nearest written parent when the value itself is not written.
	Errorf(path, format string, arguments ...any) error
}

// Executor runs tasks of a configured executor.
type Executor interface {
	Name() string
	HasTimers() bool
	// Post runs a task soon; an error means that it will not run.
	Post(task func()) error
	// PostAfter runs a task later; cancel is true when the task will not run.
	PostAfter(delay time.Duration, task func()) (cancel func() bool, err error)
}

// Timed is implemented by a backend whose calls do not simply end with TIMEOUT on core's timer.
type Timed interface {
	// TimeoutStatus is how a call ends whose timeout passed; timed false means that this call gets no timer.
	TimeoutStatus(call *rpc.Call) (status rpc.Status, timed bool)
	// TimeoutExecutor is where such a call is finished; nil means core's timer.
	TimeoutExecutor() Executor
}

// Reporter is implemented by a backend with something to show in the initialization report.
type Reporter interface {
	// Report gives sections for people, a title and a text each.
	Report() []ReportSection
}

// ReportSection is one part of the initialization report.
type ReportSection struct{ Title, Text string }

// Counted is implemented by a backend with figures for the statistics: names to numbers, for example open connections.
type Counted interface{ Counts() map[string]int64 }

// Listening is implemented by a backend that others can connect to.
type Listening interface {
	// Address is where it listens after Start, "127.0.0.1:50080"; empty when it does not.
	Address() string
}
