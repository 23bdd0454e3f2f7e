package config

import (
	"fmt"
	"strings"
	"testing"
)

// twoHundredLines is a file of the size a large robot has.
func twoHundredLines() string {
	var b strings.Builder
	b.WriteString("aimrt:\n  log:\n    core_lvl: Info\n    backends:\n      - type: console\n  executor:\n    executors:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "      - name: work_%d\n        type: asio_thread\n        options:\n          thread_num: 4\n", i)
	}
	b.WriteString("  rpc:\n    backends:\n      - type: local\n      - type: http\n    clients_options:\n")
	for i := range 36 {
		fmt.Fprintf(&b, "      - func_name: \"(pb:/robot.part%d.*)\"\n        enable_backends: [http, local]\n        enable_filters: []\n", i)
	}
	return b.String()
}

func BenchmarkLoad_200Lines(b *testing.B) {
	text := twoHundredLines()
	if n := strings.Count(text, "\n"); n != 200 {
		b.Fatalf("%d lines", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(Source{Text: text}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSyntaxError_200Lines(b *testing.B) {
	text := twoHundredLines() + "    bad: [1\n  module: {}\n"
	for b.Loop() {
		if _, err := Load(Source{Text: text}); err == nil {
			b.Fatal("no error")
		}
	}
}
