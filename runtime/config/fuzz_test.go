package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzLoad: no input may crash or hang, every error has a text, and what Dump
// prints loads again and prints the same.
func FuzzLoad(f *testing.F) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(full), "aimrt.log.core_lvl=Warn")
	for _, s := range []string{"", "aimrt: {rpc: {backends: [{type: local, options: {a: ~}}]}}", "a: &a [*a]", "aimrt: &a\n  x: *a", "${A}: ${B}",
		"<<: {aimrt: {}}", "a: 'x", "aimrt:\n  channel: {backends: !!binary eA==}\n", "? [a]\n: b", "\xff", "aimrt: {log: {backends: [{type: \"\\x01\"}]}}"} {
		f.Add(s, "aimrt.rpc.backends[0].type="+s)
	}
	f.Fuzz(func(t *testing.T, text, override string) {
		watchdog := time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("Load hangs on %q with %q", text, override)) }) // ends the worker, so that the input is kept
		defer watchdog.Stop()
		s := Source{Text: text, Name: "f", LookupEnv: env("A", "x\ny: 1", "B", "")}
		if override != "" {
			s.Overrides = []string{override}
		}
		c, err := Load(s)
		if err != nil {
			if len(Errors(err)) == 0 || strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		_, _ = c.Findings(), c.ModuleSection("m").YAML()
		first := c.Standard()
		again, err := Load(Source{Text: first, LookupEnv: func(string) (string, bool) { return "", true }})
		if strings.Contains(first, "${") {
			return // read again, a variable would be substituted now
		}
		if err != nil {
			t.Fatalf("dump does not load: %v\n%s", err, first)
		}
		if second := again.Standard(); second != first {
			t.Fatalf("dump changes when loaded again:\n%s\n%s", first, second)
		}
	})
}
