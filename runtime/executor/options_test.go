package executor_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/executor"
)

// Every option of every type: the value in force without it, and with it.
func TestParse_EveryOption_DefaultAndValue(t *testing.T) {
	tests := []struct{ kind, option, field, unset, set string }{
		{"simple_thread", "thread_sched_policy: SCHED_OTHER", "SchedPolicy", "", "SCHED_OTHER"},
		{"simple_thread", "thread_bind_cpu: [0]", "BindCPU", "[]", "[0]"},
		{"simple_thread", "queue_threshold: 5", "QueueThreshold", "10000", "5"},
		{"simple_thread", "threshold_alarm_interval_ms: 7", "AlarmInterval", "1s", "7ms"},
		{"simple_thread", "threshold_alarm_interval_ms: -1", "QueueThreshold", "10000", "0"},
		{"asio_thread", "thread_num: 4", "Threads", "1", "4"},
		{"asio_thread", "thread_sched_policy: 'SCHED_FIFO:80'", "SchedPolicy", "", "SCHED_FIFO:80"},
		{"asio_thread", "thread_bind_cpu: [0]", "BindCPU", "[]", "[0]"},
		{"asio_thread", "timeout_alarm_threshold_us: 500", "TimeoutAlarm", "1s", "500µs"},
		{"asio_thread", "timeout_alarm_interval_ms: 9", "AlarmInterval", "1s", "9ms"},
		{"asio_thread", "use_system_clock: true", "UseSystemClock", "false", "true"},
		{"asio_strand", "timeout_alarm_threshold_us: 500", "TimeoutAlarm", "1s", "500µs"},
		{"asio_strand", "timeout_alarm_interval_ms: 9", "AlarmInterval", "1s", "9ms"},
		{"asio_strand", "use_system_clock: true", "UseSystemClock", "false", "true"},
		{"tbb_thread", "thread_num: 4", "Threads", "1", "4"},
		{"tbb_thread", "thread_sched_policy: 'SCHED_RR:1'", "SchedPolicy", "", "SCHED_RR:1"},
		{"tbb_thread", "thread_bind_cpu: [0]", "BindCPU", "[]", "[0]"},
		{"tbb_thread", "queue_threshold: 5", "QueueThreshold", "10000", "5"},
		{"tbb_thread", "threshold_alarm_interval_ms: 7", "AlarmInterval", "1s", "7ms"},
		{"time_wheel", "bind_executor: base", "BindTo", "", "base"},
		{"time_wheel", "dt_us: 1000", "Tick", "100ms", "1ms"},
		{"time_wheel", "wheel_size: [10, 20, 30]", "WheelSize", "[100 360]", "[10 20 30]"},
		{"time_wheel", "thread_sched_policy: SCHED_OTHER", "SchedPolicy", "", "SCHED_OTHER"},
		{"time_wheel", "thread_bind_cpu: [0]", "BindCPU", "[]", "[0]"},
		{"time_wheel", "use_system_clock: true", "UseSystemClock", "false", "true"},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.option, func(t *testing.T) {
			base := "      - {name: base, type: asio_thread}\n"
			required := ""
			if tt.kind == executor.AsioStrand {
				required = "bind_asio_thread_executor_name: base, "
			}
			for option, want := range map[string]string{"": tt.unset, tt.option: tt.set} {
				specs, c, err := parse(t, base+"      - {name: x, type: "+tt.kind+", options: {"+required+option+"}}\n")
				if err != nil {
					t.Fatal(err)
				}
				if got := printed(reflect.ValueOf(specs[1]).FieldByName(tt.field)); got != want {
					t.Errorf("with %q %s is %s, want %s", option, tt.field, got, want)
				}
				if f := c.Findings(); len(f) != 0 {
					t.Errorf("findings %v", f)
				}
			}
		})
	}
}

func TestParse_EveryOption_WrongTypeIsNamed(t *testing.T) {
	tests := []struct{ kind, option, want string }{
		{"simple_thread", "queue_threshold: x", "an integer from 0 to 4294967295"},
		{"simple_thread", "queue_threshold: 0", "takes no task"},
		{"tbb_thread", "queue_threshold: 0", "takes no task"},
		{"simple_thread", "threshold_alarm_interval_ms: x", "an integer from"},
		{"simple_thread", "thread_sched_policy: [a]", "a string"},
		{"simple_thread", "thread_bind_cpu: 1", "a sequence"},
		{"simple_thread", "thread_bind_cpu: [-1]", "an integer from 0"},
		{"asio_thread", "thread_num: -1", "an integer from 0"},
		{"asio_thread", "thread_num: 0", "thread_num is 1 to 1024, not 0"},
		{"tbb_thread", "thread_num: 0", "thread_num is 1 to 1024, not 0"},
		{"asio_thread", "timeout_alarm_threshold_us: -1", "an integer from 0"},
		{"asio_thread", "timeout_alarm_interval_ms: x", "an integer from"},
		{"asio_thread", "use_system_clock: maybe", "true or false"},
		{"time_wheel", "dt_us: x", "an integer from 0"},
		{"time_wheel", "wheel_size: 5", "a sequence"},
		{"time_wheel", "wheel_size: []", "at least one wheel"},
		{"time_wheel", "bind_executor: [a]", "a string"},
		{"asio_strand", "bind_asio_thread_executor_name: ''", "needs the name of an asio_thread"},
	}
	for _, tt := range tests {
		_, _, err := parse(t, "      - {name: x, type: "+tt.kind+", options: {"+tt.option+"}}\n")
		place := "x.yaml:4:"
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), place) {
			t.Errorf("%s with %s: %v, want %s...%s", tt.kind, tt.option, err, place, tt.want)
		}
	}
}

// Options of another type are findings, as with AimRT; its manual names the first one.
func TestParse_OptionOfAnotherType_IsUnused(t *testing.T) {
	for kind, option := range map[string]string{"tbb_thread": "timeout_alarm_threshold_us", "asio_thread": "queue_threshold", "simple_thread": "thread_num"} {
		_, c, err := parse(t, "      - {name: x, type: "+kind+", options: {"+option+": 3}}\n")
		if err != nil || !strings.Contains(c.Warning(), "- Unused options: 'aimrt.executor.executors[0].options."+option+"'!") {
			t.Errorf("%s: %v %s", kind, err, c.Warning())
		}
	}
}

func TestParse_ListWrong(t *testing.T) {
	for text, want := range map[string]string{
		"[{type: asio_thread}]":                    `required option "name" is missing`,
		"[{name: a}]":                              `required option "type" is missing`,
		"[{name: '', type: asio_thread}]":          "an empty text",
		"[{name: a, type: x}, {name: a, type: x}]": `duplicate executor name "a"`,
		"[{name: aimrt_guard, type: x}]":           `duplicate executor name "aimrt_guard"`,
	} {
		_, err := config.Load(config.Source{Name: "x.yaml", Text: "aimrt: {executor: {executors: " + text + "}}"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
	c, err := config.Load(config.Source{Text: "aimrt: {executor: {executors: work}}"})
	if err != nil || !strings.Contains(c.Warning(), "- Ignored: 'aimrt.executor.executors' must be a sequence") {
		t.Errorf("a scalar gives %v", err)
	}
}

func TestGoroutines_Strand_OrderUnderEightProducers(t *testing.T) {
	const producers, tasks = 8, 500
	table := build(t, "      - {name: a, type: asio_thread, options: {thread_num: 4}}\n      - {name: st, type: asio_strand, options: {bind_asio_thread_executor_name: a}}\n")
	st := get(t, table, "st")
	var next [producers]int // plain on purpose: the strand alone must make this safe
	var posting, ran sync.WaitGroup
	ran.Add(producers * tasks)
	for p := range producers {
		posting.Go(func() {
			for i := range tasks {
				if err := st.Post(func() {
					defer ran.Done()
					if next[p] != i {
						t.Errorf("task %d of producer %d ran in place %d", i, p, next[p])
					}
					next[p]++
				}); err != nil {
					t.Error(err)
					ran.Done()
				}
			}
		})
	}
	posting.Wait()
	ran.Wait()
}

func printed(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case string:
		return x
	}
	return fmt.Sprint(v)
}
