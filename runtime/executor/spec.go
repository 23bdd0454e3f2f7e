package executor

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"aimrtrpc/runtime/config"
)

// Types of executors.
const (
	SimpleThread = "simple_thread"
	AsioThread   = "asio_thread"
	AsioStrand   = "asio_strand"
	TBBThread    = "tbb_thread"
	TimeWheel    = "time_wheel"
)

// Types lists the executor types, in the order reports show them.
func Types() []string { return []string{SimpleThread, AsioThread, AsioStrand, TBBThread, TimeWheel} }

// MaxThreads limits the threads of one executor.
const MaxThreads = 1024

// Spec is one executor of the configuration, checked, with the defaults of its type.
type Spec struct {
	Name string
	Type string
	// BindTo is the executor an asio_strand or time_wheel works on; it stands earlier in the list. Empty for none.
	BindTo  string
	Threads int
	// SchedPolicy is "", SCHED_OTHER, SCHED_FIFO:<prio> or SCHED_RR:<prio>; BindCPU the processors to stay on.
	SchedPolicy string
	BindCPU     []uint32
	// QueueThreshold is the number of waiting tasks from which posts are refused; 0 means no limit.
	QueueThreshold int
	AlarmInterval  time.Duration
	// TimeoutAlarm is from when a late timer is worth a warning.
	TimeoutAlarm   time.Duration
	UseSystemClock bool
	// Tick and WheelSize are a time_wheel's.
	Tick      time.Duration
	WheelSize []uint64

	Node config.Node // where it stands, for further errors
}

// HasTimers tells whether the type can run tasks later.
func (s Spec) HasTimers() bool { return s.Type != SimpleThread && s.Type != TBBThread }

// ThreadSafe tells whether the tasks of the executor never run at the same time. bound is that of the executor it is bound to.
func (s Spec) ThreadSafe(bound bool) bool {
	switch s.Type {
	case AsioThread, TBBThread:
		return s.Threads == 1
	case TimeWheel:
		return s.BindTo == "" || bound
	}
	return true
}

type threadOptions struct {
	SchedPolicy string   `cfg:"thread_sched_policy"`
	BindCPU     []uint32 `cfg:"thread_bind_cpu"`
}

type queueOptions struct {
	QueueThreshold uint32 `cfg:"queue_threshold"`
	AlarmMS        int32  `cfg:"threshold_alarm_interval_ms"`
}

type alarmOptions struct {
	TimeoutAlarmUS uint64 `cfg:"timeout_alarm_threshold_us"`
	UseSystemClock bool   `cfg:"use_system_clock"`
	TimeoutAlarmMS int32  `cfg:"timeout_alarm_interval_ms"`
}

type simpleOptions struct {
	threadOptions
	queueOptions
}

type asioOptions struct {
	Threads uint32 `cfg:"thread_num"`
	threadOptions
	alarmOptions
}

type strandOptions struct {
	BindTo string `cfg:"bind_asio_thread_executor_name"`
	alarmOptions
}

type tbbOptions struct {
	Threads uint32 `cfg:"thread_num"`
	threadOptions
	queueOptions
}

type wheelOptions struct {
	BindTo         string   `cfg:"bind_executor"`
	TickUS         uint64   `cfg:"dt_us"`
	WheelSize      []uint64 `cfg:"wheel_size"`
	UseSystemClock bool     `cfg:"use_system_clock"`
	threadOptions
}

// Parse checks the executor section: types, options, names and bindings. reserved are names nobody may take. All errors come together.
func Parse(list []config.Executor, reserved ...string) ([]Spec, error) {
	var specs []Spec
	var errs []error
	byName := map[string]Spec{}
	for _, e := range list {
		s, err := parseOne(e, byName)
		for _, name := range reserved {
			if e.Name == name {
				err = errors.Join(err, e.Self.Field("name").Errorf("executor name %q is reserved", name))
			}
		}
		if _, twice := byName[e.Name]; twice {
			err = errors.Join(err, e.Self.Field("name").Errorf("executor name %q is used twice", e.Name))
		}
		if err != nil {
			errs = append(errs, err)
		}
		byName[e.Name] = s
		specs = append(specs, s)
	}
	if len(specs) > MaxExecutors {
		errs = append(errs, fmt.Errorf("%d executors are configured, the limit is %d", len(specs), MaxExecutors))
	}
	return specs, errors.Join(errs...)
}

func parseOne(e config.Executor, before map[string]Spec) (Spec, error) {
	s := Spec{Name: e.Name, Type: e.Type, Threads: 1, Node: e.Self}
	var err error
	switch e.Type {
	case SimpleThread:
		err = s.parseSimple(e)
	case AsioThread:
		err = s.parseAsio(e)
	case AsioStrand:
		err = s.parseStrand(e, before)
	case TBBThread:
		err = s.parseTBB(e)
	case TimeWheel:
		err = s.parseWheel(e, before)
	case "time_manipulator":
		err = e.Self.Field("type").Errorf("executor type %q belongs to AimRT's time_manipulator_plugin, which is not here; known: %s",
			e.Type, strings.Join(Types(), ", "))
	default:
		err = e.Self.Field("type").Unknown("executor type", e.Type, Types())
	}
	if err == nil {
		err = s.checkThread(e.Options)
	}
	return s, err
}

func (s *Spec) parseSimple(e config.Executor) error {
	o := simpleOptions{queueOptions: defaultQueue}
	if err := e.Options.Decode(&o); err != nil {
		return err
	}
	s.thread(o.threadOptions)
	return s.queue(e, o.queueOptions)
}

func (s *Spec) parseAsio(e config.Executor) error {
	o := asioOptions{Threads: 1, alarmOptions: defaultAlarm}
	if err := e.Options.Decode(&o); err != nil {
		return err
	}
	s.thread(o.threadOptions)
	s.alarm(o.alarmOptions)
	return s.setThreads(e, o.Threads)
}

func (s *Spec) parseTBB(e config.Executor) error {
	o := tbbOptions{Threads: 1, queueOptions: defaultQueue}
	if err := e.Options.Decode(&o); err != nil {
		return err
	}
	s.thread(o.threadOptions)
	if err := s.queue(e, o.queueOptions); err != nil {
		return err
	}
	return s.setThreads(e, o.Threads)
}

func (s *Spec) parseStrand(e config.Executor, before map[string]Spec) error {
	o := strandOptions{alarmOptions: defaultAlarm}
	if err := e.Options.Decode(&o); err != nil {
		return err
	}
	s.alarm(o.alarmOptions)
	at := e.Options.Field("bind_asio_thread_executor_name")
	if o.BindTo == "" {
		return at.Errorf("an asio_strand needs the name of an asio_thread executor")
	}
	if err := s.bind(at, o.BindTo, before); err != nil {
		return err
	}
	if target := before[o.BindTo]; target.Type != AsioThread {
		return at.Errorf("executor %q is a %s, an asio_strand needs an asio_thread", o.BindTo, target.Type)
	}
	return nil
}

func (s *Spec) parseWheel(e config.Executor, before map[string]Spec) error {
	o := wheelOptions{TickUS: 100_000, WheelSize: []uint64{100, 360}}
	if err := e.Options.Decode(&o); err != nil {
		return err
	}
	s.thread(o.threadOptions)
	s.UseSystemClock, s.WheelSize = o.UseSystemClock, o.WheelSize
	s.Tick = time.Duration(o.TickUS) * time.Microsecond
	if o.TickUS == 0 || o.TickUS > uint64(time.Hour/time.Microsecond) {
		return e.Options.Field("dt_us").Errorf("a tick lasts 1 to %d microseconds, not %d", time.Hour/time.Microsecond, o.TickUS)
	}
	sizes := e.Options.Field("wheel_size")
	if len(o.WheelSize) == 0 {
		return sizes.Errorf("a time wheel needs at least one wheel")
	}
	for i, n := range o.WheelSize {
		if n == 0 || n > 1<<20 {
			return sizes.Item(i).Errorf("a wheel has 1 to %d slots, not %d", 1<<20, n)
		}
	}
	if o.BindTo == "" {
		return nil
	}
	return s.bind(e.Options.Field("bind_executor"), o.BindTo, before)
}

// bind checks that the executor to work on stands earlier in the list.
func (s *Spec) bind(at config.Node, name string, before map[string]Spec) error {
	if name == s.Name {
		return at.Errorf("executor %q is bound to itself", name)
	}
	if _, ok := before[name]; !ok {
		known := make([]string, 0, len(before))
		for n := range before {
			known = append(known, n)
		}
		err := at.Unknown("executor", name, sorted(known))
		err.Message += " (it must stand earlier in the list)"
		return err
	}
	s.BindTo = name
	return nil
}

func (s *Spec) setThreads(e config.Executor, n uint32) error {
	if n == 0 || n > MaxThreads {
		return e.Options.Field("thread_num").Errorf("thread_num is 1 to %d, not %d", MaxThreads, n)
	}
	s.Threads = int(n)
	return nil
}

var (
	defaultQueue = queueOptions{QueueThreshold: 10_000, AlarmMS: 1000}
	defaultAlarm = alarmOptions{TimeoutAlarmUS: 1_000_000, TimeoutAlarmMS: 1000}
)

func (s *Spec) thread(o threadOptions) { s.SchedPolicy, s.BindCPU = o.SchedPolicy, o.BindCPU }

// queue takes over the limit; a negative alarm interval switches it off, as in AimRT.
func (s *Spec) queue(e config.Executor, o queueOptions) error {
	s.QueueThreshold = int(o.QueueThreshold)
	s.AlarmInterval = time.Duration(o.AlarmMS) * time.Millisecond
	if o.AlarmMS < 0 {
		s.QueueThreshold = 0
	} else if o.QueueThreshold == 0 {
		return e.Options.Field("queue_threshold").Errorf("an executor with queue_threshold 0 takes no task; a negative threshold_alarm_interval_ms lifts the limit")
	}
	return nil
}

func (s *Spec) alarm(o alarmOptions) {
	s.TimeoutAlarm = time.Duration(o.TimeoutAlarmUS) * time.Microsecond
	s.UseSystemClock = o.UseSystemClock
	s.AlarmInterval = time.Duration(o.TimeoutAlarmMS) * time.Millisecond
}

var schedPolicy = regexp.MustCompile(`^(SCHED_OTHER|(SCHED_FIFO|SCHED_RR):([0-9]+))?$`)

// checkThread finds thread options that cannot be applied. AimRT only warns about them, so they become findings, not errors.
func (s *Spec) checkThread(options config.Node) error {
	m := schedPolicy.FindStringSubmatch(s.SchedPolicy)
	at := options.Field("thread_sched_policy")
	if m == nil {
		at.Warn("Invalid sched parm '%s'! Known: SCHED_OTHER, SCHED_FIFO:<priority>, SCHED_RR:<priority>.", s.SchedPolicy)
		s.SchedPolicy = ""
	} else if m[3] != "" {
		if p, err := strconv.Atoi(m[3]); err != nil || p < 1 || p > 99 {
			at.Warn("Invalid sched priority '%s', required range 1~99!", m[3])
			s.SchedPolicy = ""
		}
	}
	cpus := onlineCPUs()
	for i, cpu := range s.BindCPU {
		if int(cpu) >= cpus {
			options.Field("thread_bind_cpu").Item(i).Warn("Invalid cpu index '%d', max cpu idx is '%d'!", cpu, cpus-1)
			s.BindCPU = nil
			break
		}
	}
	return nil
}

// onlineCPUs is the number of processors of the machine; runtime.NumCPU counts only those that the process was started on.
func onlineCPUs() int {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if n, ok := countCPUs(strings.TrimSpace(string(text))); err == nil && ok {
		return n
	}
	return runtime.NumCPU()
}

// countCPUs counts a list in the kernel's form, "0-3,8".
func countCPUs(list string) (count int, ok bool) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from < 0 || to < from {
			return 0, false
		}
		count += to - from + 1
	}
	return count, true
}
