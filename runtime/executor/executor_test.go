package executor_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/executor"
)

func parse(t *testing.T, text string, reserved ...string) ([]executor.Spec, *config.Config, error) {
	t.Helper()
	c, err := config.Load(config.Source{Name: "x.yaml", Text: "aimrt:\n  executor:\n    executors:\n" + text})
	if err != nil {
		t.Fatal(err)
	}
	specs, err := executor.Parse(c.Executor.Executors, reserved...)
	return specs, c, err
}

func TestParse_DefaultsOfEveryType(t *testing.T) {
	specs, c, err := parse(t, `
      - {name: s, type: simple_thread}
      - {name: a, type: asio_thread, options: {thread_num: 2}}
      - {name: st, type: asio_strand, options: {bind_asio_thread_executor_name: a}}
      - {name: t, type: tbb_thread, options: {thread_num: 3, queue_threshold: 7, threshold_alarm_interval_ms: -1}}
      - {name: w, type: time_wheel, options: {bind_executor: a}}
      - {name: w1, type: time_wheel}
`)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		timers, safe   bool
		threads, queue int
		bind           string
	}
	want := []row{{false, true, 1, 10000, ""}, {true, false, 2, 0, ""}, {true, true, 1, 0, "a"}, {false, false, 3, 0, ""}, {true, false, 1, 0, "a"}, {true, true, 1, 0, ""}}
	for i, s := range specs {
		got := row{s.HasTimers(), s.ThreadSafe(false), s.Threads, s.QueueThreshold, s.BindTo}
		if got != want[i] {
			t.Errorf("%s is %+v, want %+v", s.Name, got, want[i])
		}
	}
	if specs[4].Tick != 100*time.Millisecond || len(specs[4].WheelSize) != 2 {
		t.Errorf("time wheel is %+v", specs[4])
	}
	if f := c.Findings(); len(f) != 0 {
		t.Errorf("findings %v", f)
	}
}

func TestParse_Errors_NameLineAndNearest(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"type", "      - {name: a, type: asio_tread}", `x.yaml:4:25: aimrt.executor.executors[0].type: unknown executor type "asio_tread", did you mean "asio_thread"?`},
		{"thread_num 0", "      - {name: a, type: asio_thread, options: {thread_num: 0}}", "thread_num is 1 to 1024, not 0"},
		{"thread_num text", "      - {name: a, type: tbb_thread, options: {thread_num: abc}}", `x.yaml:4:`},
		{"strand without target", "      - {name: a, type: asio_strand}", "needs the name of an asio_thread"},
		{"strand on later", "      - {name: st, type: asio_strand, options: {bind_asio_thread_executor_name: aa}}\n      - {name: aa, type: asio_thread}", "must stand earlier"},
		{"strand on wheel", "      - {name: w, type: time_wheel}\n      - {name: st, type: asio_strand, options: {bind_asio_thread_executor_name: w}}", "is a time_wheel"},
		{"nearest binding", "      - {name: work, type: asio_thread}\n      - {name: w, type: time_wheel, options: {bind_executor: wrok}}", `did you mean "work"?`},
		{"self", "      - {name: w, type: time_wheel, options: {bind_executor: w}}", "bound to itself"},
		{"reserved", "      - {name: mine, type: simple_thread}", `"mine" is reserved`},
		{"tick", "      - {name: w, type: time_wheel, options: {dt_us: 0}}", "a tick lasts"},
		{"wheel", "      - {name: w, type: time_wheel, options: {wheel_size: [0]}}", "slots"},
		{"plugin type", "      - {name: w, type: time_manipulator}", "time_manipulator_plugin"},
	}
	for _, tt := range tests {
		_, _, err := parse(t, tt.text, "mine")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not contain %q", tt.name, err, tt.want)
		}
	}
}

func TestParse_UnusableThreadOptions_AreWarnings(t *testing.T) {
	specs, c, err := parse(t, "      - {name: a, type: simple_thread, options: {thread_sched_policy: 'FIFO', thread_bind_cpu: [9999]}}")
	if err != nil || specs[0].SchedPolicy != "" || specs[0].BindCPU != nil {
		t.Fatalf("%+v, %v", specs, err)
	}
	if got := c.Warning(); !strings.Contains(got, "Invalid sched parm 'FIFO'") || !strings.Contains(got, "Invalid cpu index '9999'") {
		t.Fatalf("warning is %s", got)
	}
}

func build(t *testing.T, text string) *executor.Table {
	t.Helper()
	specs, _, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	table, err := executor.Build(specs, executor.Goroutines{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

func get(t *testing.T, table *executor.Table, name string) executor.Executor {
	t.Helper()
	e, err := table.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestGoroutines_EveryTypeRunsItsTasks(t *testing.T) {
	table := build(t, `
      - {name: s, type: simple_thread}
      - {name: a, type: asio_thread, options: {thread_num: 4}}
      - {name: st, type: asio_strand, options: {bind_asio_thread_executor_name: a}}
      - {name: t, type: tbb_thread, options: {thread_num: 3}}
      - {name: w, type: time_wheel, options: {bind_executor: a, dt_us: 1000}}
      - {name: w1, type: time_wheel, options: {dt_us: 1000}}
`)
	table.Start()
	for _, e := range table.All() {
		var group sync.WaitGroup
		var inside, most atomic.Int32
		for range 50 {
			group.Add(1)
			if err := e.Post(func() {
				defer group.Done()
				most.Store(max(most.Load(), inside.Add(1)))
				inside.Add(-1)
			}); err != nil {
				t.Fatalf("%s: %v", e.Name(), err)
			}
		}
		group.Wait()
		if e.ThreadSafe() && most.Load() > 1 {
			t.Errorf("%s ran %d tasks at once", e.Name(), most.Load())
		}
		done := make(chan struct{})
		_, err := e.PostAfter(time.Millisecond, func() { close(done) })
		if e.HasTimers() != (err == nil) {
			t.Fatalf("%s: timers %v, error %v", e.Name(), e.HasTimers(), err)
		}
		if err == nil {
			<-done
		}
	}
	if _, err := table.Get("ww"); err == nil || !strings.Contains(err.Error(), `unknown executor "ww"`) {
		t.Errorf("error is %v", err)
	}
}

func TestGoroutines_Limits(t *testing.T) {
	table := build(t, "      - {name: s, type: simple_thread, options: {queue_threshold: 2}}\n      - {name: a, type: asio_thread}")
	s := get(t, table, "s")
	started, hold := make(chan struct{}), make(chan struct{})
	if err := s.Post(func() { close(started); <-hold }); err != nil {
		t.Fatal(err)
	}
	<-started
	for range 2 {
		if err := s.Post(func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Post(func() {}); !errors.Is(err, executor.ErrFull) || s.Queued() != 2 {
		t.Fatalf("third waiting task gives %v with %d queued", err, s.Queued())
	}
	close(hold)
	a := get(t, table, "a")
	cancel, err := a.PostAfter(time.Hour, func() { t.Error("cancelled task ran") })
	if err != nil || !cancel() || cancel() {
		t.Fatalf("cancel is not once (%v)", err)
	}
	panicked := make(chan struct{})
	if err := a.Post(func() { defer close(panicked); panic("task") }); err != nil {
		t.Fatal(err)
	}
	<-panicked
	ran := make(chan struct{})
	if err := a.Post(func() { close(ran) }); err != nil {
		t.Fatal(err)
	}
	<-ran // the worker survived
	table.Close()
	if err := a.Post(func() {}); !errors.Is(err, executor.ErrClosed) {
		t.Fatalf("post after close gives %v", err)
	}
}

func TestGoroutines_UnboundWheel_WaitsForStart(t *testing.T) {
	table := build(t, "      - {name: w, type: time_wheel}")
	ran := make(chan struct{})
	w := get(t, table, "w")
	if err := w.Post(func() { close(ran) }); err != nil {
		t.Fatal(err)
	}
	if w.Queued() != 1 {
		t.Fatal("the task ran before the start")
	}
	table.Start()
	<-ran
}

func TestTable_HostExecutor_NameIsTaken(t *testing.T) {
	table := build(t, "      - {name: s, type: simple_thread}")
	s := get(t, table, "s")
	if err := table.Add(s); err == nil || !strings.Contains(err.Error(), `"s" is in use`) {
		t.Fatalf("error is %v", err)
	}
	table.Remove(s)
	if _, ok := table.Find("s"); ok || len(table.All()) != 0 {
		t.Fatal("a removed executor is still there")
	}
	if err := s.Post(func() {}); err != nil {
		t.Fatalf("a removed executor was closed: %v", err)
	}
	if err := table.Add(s); err != nil {
		t.Fatal(err)
	}
}
