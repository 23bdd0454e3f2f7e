package aimrt_test

import (
	"testing"

	"aimrtrpc/runtime/config"
	"aimrtrpc/runtime/dialect/aimrt"
)

func TestRuleOf_FirstMatchCounts(t *testing.T) {
	c, err := config.Load(config.Source{Name: "x.yaml", Text: `aimrt: {rpc: {backends: [{type: x, options: {clients_options: [
  {func_name: '/a.B/C', server_url: one}, {func_name: 'pb:/a.B/.*', server_url: two}, {func_name: 'pb:/.*', server_url: three}]}}]}}`})
	if err != nil {
		t.Fatal(err)
	}
	var options struct {
		Clients []aimrt.URLRule `cfg:"clients_options"`
	}
	if err := c.RPC.Backends[0].Options.Decode(&options); err != nil {
		t.Fatal(err)
	}
	for function, want := range map[string]string{"pb:/a.B/C": "one", "pb:/a.B/D": "two", "pb:/a.C/D": "three", "ros2:/a.B/D": ""} {
		rule, ok := aimrt.RuleOf(options.Clients, function)
		if rule.ServerURL != want || ok != (want != "") {
			t.Errorf("%s has the rule %q, %t, want %q", function, rule.ServerURL, ok, want)
		}
	}
}
