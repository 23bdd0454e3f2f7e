package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/executor"
)

// closeTimeout bounds how long a shutdown waits for one backend.
const closeTimeout = 5 * time.Second

// Initialize loads the configuration, makes executors, log and backends, and initializes the modules in the order of their creation. A
// configuration that cannot be used leaves the runtime as it was; a module that refuses shuts it down.
func (r *Runtime) Initialize(ctx context.Context) error {
	r.lifeMu.Lock()
	defer r.lifeMu.Unlock()
	if err := r.need("a runtime can only be initialized", PreInit); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		r.discard()
		return err
	}
	if !r.move(PreInit, Init) {
		r.discard()
		return r.need("a runtime can only be initialized", PreInit)
	}
	for _, m := range r.allModules() {
		if !m.enabled {
			r.log.Info("module is disabled by the configuration", "module", m.Name())
			continue
		}
		if err := m.run("initialize", m.options.Initialize); err != nil {
			r.shutdown(ctx)
			//lint:ignore ST1005 AimRT's text, which its users look for
			return fail(ModuleRefused, fmt.Errorf("Init module '%s' failed.%w", m.Name(), because(err)))
		}
		r.initOrder = append(r.initOrder, m)
	}
	if err := r.checkFilters(r.rules()); err != nil {
		r.shutdown(ctx)
		return fail(Config, err)
	}
	if err := r.serveControl(r.Config()); err != nil {
		r.shutdown(ctx)
		return err
	}
	r.ready.Store(true)
	return nil
}

// errRefused stands for a callback that gave no reason.
var errRefused = errors.New("refused")

// because puts a reason behind a sentence; a callback without one adds nothing.
func because(err error) error {
	if errors.Is(err, errRefused) {
		return emptyError{err}
	}
	return reasonError{err}
}

type emptyError struct{ error }

func (emptyError) Error() string   { return "" }
func (e emptyError) Unwrap() error { return e.error }

type reasonError struct{ error }

func (e reasonError) Error() string { return " " + e.error.Error() }
func (e reasonError) Unwrap() error { return e.error }

// Refused is what a module callback returns to refuse without a reason.
func Refused() error { return errRefused }

// run calls a callback of a module; a panic is a refusal.
func (m *Module) run(what string, callback func(*Module) error) (err error) {
	if callback == nil {
		return nil
	}
	place := "module " + m.Name() + " " + what
	defer func() {
		if value := recover(); value != nil {
			guard.Caught(place, value)
			err = guard.Error(place, value)
		}
	}()
	return callback(m)
}

// prepare makes everything that modules find at their initialization.
func (r *Runtime) prepare() error {
	c, err := r.load()
	if err != nil {
		return fail(Config, err)
	}
	r.confMu.Lock()
	r.conf, r.rulesNow = c, &c.RPC
	r.confMu.Unlock()
	r.newLog()
	if t := c.MainThread; r.options.PlaceThread != nil && t.Self.Exists() {
		if err := r.options.PlaceThread(t.Name, t.SchedPolicy, t.BindCPU); err != nil {
			r.log.Warn("main thread is not placed as configured", "reason", err)
		}
	}
	reserved := []string{c.MainThread.Name, c.GuardThread.Name}
	for _, e := range r.options.HostExecutors {
		reserved = append(reserved, e.Name())
	}
	specs, err := executor.Parse(c.Executor.Executors, reserved...)
	if err != nil {
		return fail(Config, err)
	}
	table, err := executor.Build(specs, r.options.Executors)
	if err != nil {
		return fail(Config, err)
	}
	r.executors = table
	for _, e := range r.options.HostExecutors {
		if err := table.Add(e); err != nil {
			return fail(AlreadyExists, err)
		}
	}
	if err := r.logs.Configure(c); err != nil {
		return fail(Config, err)
	}
	r.notePlugins(c)
	if err := r.addFilters(c); err != nil {
		return fail(Config, err)
	}
	if err := r.makeBackends(c); err != nil {
		return err
	}
	if !r.mayAddFilters() {
		if err := r.checkFilters(&c.RPC); err != nil {
			return fail(Config, err)
		}
	}
	if err := r.loadPackages(c); err != nil {
		return err
	}
	for _, m := range r.allModules() {
		if err := m.configure(c); err != nil {
			return err
		}
	}
	return nil
}

// load reads the configuration of the options.
func (r *Runtime) load() (*config.Config, error) {
	s := config.Source{Path: r.options.ConfigPath, Text: r.options.ConfigText, Overrides: r.options.Overrides}
	if s.Path == "" && s.Text == "" {
		s.Text, s.Name = DefaultConfig, "embedded default configuration"
	}
	return config.Load(s)
}

// discard takes back what prepare has made.
func (r *Runtime) discard() {
	r.unloadPackages()
	r.closeBackends(context.Background())
	for _, e := range r.options.HostExecutors {
		r.executors.Remove(e) // they stay the host's: Initialize may be tried again
	}
	r.executors.Close()
	r.executors = &executor.Table{}
	r.closeLog()
	r.log = slog.New(slog.DiscardHandler)
	r.confMu.Lock()
	r.conf, r.rulesNow = nil, nil
	r.confMu.Unlock()
	r.resetFilters()
}

// Start starts backends and modules and returns when the runtime runs. When something refuses, what had started is shut down again.
func (r *Runtime) Start(ctx context.Context) error {
	r.lifeMu.Lock()
	defer r.lifeMu.Unlock()
	if err := r.need("a runtime can only be started", Init); err != nil {
		return err
	}
	if !r.ready.Load() {
		return failf(InvalidState, "a runtime can only be started when its initialization is complete")
	}
	if warning := r.Config().Warning(); warning != "" {
		r.log.Warn(warning)
	}
	r.log.Info("Gen initialization report:\n" + r.report())
	r.executors.Start()
	if err := r.startBackends(ctx); err != nil {
		r.shutdown(ctx)
		return err
	}
	if !r.move(Init, Start) {
		return r.need("a runtime can only be started", Init)
	}
	r.serving.Store(true)
	r.calls.setOpen(true)
	r.publish()
	for _, m := range r.initOrder {
		if err := m.run("start", m.options.Start); err != nil {
			r.shutdown(ctx)
			return fail(ModuleRefused, fmt.Errorf("Start module '%s' failed.%w", m.Name(), because(err)))
		}
		r.started = append(r.started, m)
	}
	r.log.Info("AimRT start completed.")
	return nil
}

// startBackends opens listeners and connections.
func (r *Runtime) startBackends(ctx context.Context) error {
	for _, b := range r.backends {
		if err := b.backend.Start(ctx); err != nil {
			return fail(IO, fmt.Errorf("backend %q: %w", b.name, err))
		}
	}
	return nil
}

// Run starts the runtime, waits until RequestShutdown or the end of ctx, and shuts it down.
func (r *Runtime) Run(ctx context.Context) error {
	if err := r.Start(ctx); err != nil {
		return err
	}
	select {
	case <-r.asked:
	case <-ctx.Done():
	}
	return r.Shutdown(context.WithoutCancel(ctx))
}

// RequestShutdown asks for the shutdown and returns at once. Idempotent, allowed everywhere.
func (r *Runtime) RequestShutdown() { r.askOne.Do(func() { close(r.asked) }) }

// ShutdownRequested is closed when somebody asked for the shutdown.
func (r *Runtime) ShutdownRequested() <-chan struct{} { return r.asked }

// Done is closed when the runtime has shut down.
func (r *Runtime) Done() <-chan struct{} { return r.done }

// Shutdown shuts the runtime down on this goroutine, or waits until somebody else has. It must not be called inside a callback of a module
// or a handler of this runtime. ctx shortens the grace time; the shutdown itself always completes.
func (r *Runtime) Shutdown(ctx context.Context) error {
	r.RequestShutdown()
	r.lifeMu.Lock()
	defer r.lifeMu.Unlock()
	if r.State() == Shutdown {
		return nil
	}
	r.shutdown(ctx)
	return nil
}

// shutdown is the sequence; lifeMu is held.
func (r *Runtime) shutdown(ctx context.Context) {
	if r.State() == PreInit {
		for _, e := range r.options.HostExecutors {
			if c, ok := e.(executor.Closer); ok {
				c.Close()
			}
		}
		r.finish(PreInit)
		return
	}
	_ = r.move(Init, ShuttingDown) || r.move(Start, ShuttingDown)
	for _, m := range slices.Backward(r.started) { // calls still work in here
		if m.options.Shutdown == nil {
			continue
		}
		if err := m.run("shutdown", func(m *Module) error { m.options.Shutdown(m); return nil }); err != nil {
			r.log.Error("module shutdown panicked", "module", m.Name(), "error", err)
		}
	}
	r.serving.Store(false)
	for _, b := range r.backends {
		b.backend.Stop()
	}
	r.stopLinks()
	if !r.waitIdle(ctx) {
		clients, served := r.calls.counts()
		r.log.Warn("calls are cancelled by the shutdown", "client_calls", clients, "served_calls", served)
	}
	r.calls.setOpen(false)
	r.publish()
	r.calls.cancel()
	sink, carries := r.options.Sink.(CallSink)
	if carries {
		sink.CancelCalls()
	}
	r.closeLinks()
	r.closeBackends(context.WithoutCancel(ctx))
	r.executors.Close()
	r.log.Info("AimRT shutdown completed.")
	r.closeLog()
	if carries {
		sink.Closed()
	}
	r.finish(ShuttingDown)
}

func (r *Runtime) finish(from State) {
	if r.move(from, Shutdown) {
		close(r.done)
	}
}

// closeBackends ends the backends, the last made first.
func (r *Runtime) closeBackends(ctx context.Context) {
	for _, b := range slices.Backward(r.backends) {
		one, cancel := context.WithTimeout(ctx, closeTimeout)
		if err := b.backend.Close(one); err != nil {
			r.log.Warn("backend did not close cleanly", "backend", b.name, "error", err)
		}
		cancel()
	}
	if r.State() == PreInit {
		r.backends = nil
	}
}
