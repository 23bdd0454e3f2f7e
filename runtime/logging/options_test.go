package logging

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/config"
)

// Every option of the backends: what is in force without it, and with it.
func TestBackends_EveryOption_DefaultAndValue(t *testing.T) {
	node := func(text string) config.Node {
		return load(t, "aimrt: {log: {backends: [{type: x, options: {"+text+"}}]}}").Log.Backends[0].Options
	}
	console := func(text string) (any, error) {
		o := defaultConsoleOptions()
		err := node(text).Decode(&o)
		return o, err
	}
	rotate := func(text string) (any, error) {
		o := defaultRotateOptions()
		err := node(text).Decode(&o)
		return o, err
	}
	for _, tt := range []struct {
		decode             func(string) (any, error)
		option, unset, set string // parts of the printed options
	}{
		{console, "color: false", "Color:true", "Color:false"},
		{console, "module_filter: a.*", "ModuleFilter:(.*)", "ModuleFilter:a.*"},
		{console, "pattern: '%v'", "Pattern:}", "Pattern:%v}"},
		{rotate, "path: ./x", "Path:./log ", "Path:./x "},
		{rotate, "filename: x.log", "Filename:aimrt.log ", "Filename:x.log "},
		{rotate, "max_file_size_m: 2", "MaxFileSizeM:16 ", "MaxFileSizeM:2 "},
		{rotate, "max_file_num: 0", "MaxFileNum:100 ", "MaxFileNum:0 "},
		{rotate, "module_filter: a.*", "ModuleFilter:(.*) ", "ModuleFilter:a.* "},
		{rotate, "pattern: '%v'", "Pattern: ", "Pattern:%v "},
		{rotate, "enable_sync: true", "EnableSync:false ", "EnableSync:true "},
		{rotate, "sync_interval_ms: 5", "SyncIntervalMS:30000 ", "SyncIntervalMS:5 "},
		{rotate, "sync_executor_name: e", "SyncExecutorName: ", "SyncExecutorName:e "},
		{rotate, "suffix_with_timestamp: false", "SuffixWithTimestamp:true}", "SuffixWithTimestamp:false}"},
	} {
		for text, want := range map[string]string{"": tt.unset, tt.option: tt.set} {
			o, err := tt.decode(text)
			if got := fmt.Sprintf("%+v", o); err != nil || !strings.Contains(got, want) {
				t.Errorf("%q: %v, options %s, want %s", text, err, got, want)
			}
		}
	}
}

// What each option refuses, with its path.
func TestBackends_EveryOption_WrongValueIsNamed(t *testing.T) {
	for _, tt := range []struct{ kind, option, want string }{
		{"console", "color: 3", "expected true or false"},
		{"console", "module_filter: '('", "regular expression"},
		{"console", "pattern: [a]", "expected a string"},
		{"rotate_file", "path: [a]", "expected a string"},
		{"rotate_file", "filename: ''", "expected a file name"},
		{"rotate_file", "max_file_size_m: -1", "expected an integer from 0"},
		{"rotate_file", "max_file_num: x", "expected an integer from 0"},
		{"rotate_file", "module_filter: '('", "regular expression"},
		{"rotate_file", "pattern: {}", "expected a string"},
		{"rotate_file", "enable_sync: 3", "expected true or false"},
		{"rotate_file", "sync_interval_ms: x", "expected an integer from 0"},
		{"rotate_file", "sync_executor_name: [a]", "expected a string"},
		{"rotate_file", "suffix_with_timestamp: 3", "expected true or false"},
	} {
		m, _, _ := manager(t, Options{})
		err := m.Configure(load(t, "aimrt: {log: {backends: [{type: "+tt.kind+", options: {"+tt.option+"}}]}}"))
		name, _, _ := strings.Cut(tt.option, ":")
		if err == nil || !strings.Contains(err.Error(), "aimrt.log.backends[0].options."+name+": "+tt.want) {
			t.Errorf("%s: %v, want %s: %s", tt.option, err, name, tt.want)
		}
	}
}

func TestManager_GuardThread_IsPlacedWhenConfigured(t *testing.T) {
	for _, tt := range []struct {
		guard, want, warning string
		refusal              error
	}{
		{"", "", "", nil},
		{"guard_thread: {name: g, thread_sched_policy: SCHED_OTHER, thread_bind_cpu: [0]}, ", "g SCHED_OTHER [0]", "", nil},
		{"guard_thread: {thread_bind_cpu: [4096]}, ", "aimrt_guard  [4096]", "guard thread is not placed as configured: no such cpu", errors.New("no such cpu")},
	} {
		got := make(chan string, 1)
		m, stdout, stderr := manager(t, Options{PlaceThread: func(name, policy string, cpus []uint32) error {
			got <- fmt.Sprint(name, " ", policy, " ", cpus)
			return tt.refusal
		}})
		if err := m.Configure(load(t, "aimrt: {"+tt.guard+"log: {backends: [{type: console, options: {color: false}}]}}")); err != nil {
			t.Fatal(err)
		}
		placed := ""
		if tt.want != "" {
			placed = <-got
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		log := stdout.String() + stderr.String() // the warning may come when Close has begun, and goes to stderr then
		if placed != tt.want || len(got) != 0 || !strings.Contains(log, tt.warning) {
			t.Errorf("%s: placed %q, log %q", tt.guard, placed, log)
		}
	}
}

// guard_thread's queue_threshold bounds the lines that wait, whatever its alarm interval says.
func TestManager_GuardThread_QueueThresholdBoundsTheLines(t *testing.T) {
	for _, alarm := range []string{"1000", "-1"} {
		m, _, _ := manager(t, Options{})
		c := load(t, "aimrt: {guard_thread: {queue_threshold: 7, threshold_alarm_interval_ms: "+alarm+"}, log: {backends: [{type: console}]}}")
		if err := m.Configure(c); err != nil {
			t.Fatal(err)
		}
		if got := m.queue.Load().maxRecords; got != 7 {
			t.Errorf("alarm interval %s: %d lines", alarm, got)
		}
	}
	if got := alarmInterval(load(t, "")); got != time.Second {
		t.Errorf("default alarm interval %v", got)
	}
}
