package config

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
)

type inner struct {
	QoS  int8 `cfg:"qos"`
	Self Node `cfg:",self"`
}

func (i *inner) SetDefaults() { i.QoS = 2 }

func (i *inner) Validate(n Node) error {
	if i.QoS > 2 {
		return n.Field("qos").Errorf("expected 0, 1 or 2, got %d", i.QoS)
	}
	return nil
}

type everything struct {
	Thread
	Text     string            `cfg:"text"`
	Flag     bool              `cfg:"flag"`
	Small    int8              `cfg:"small"`
	Big      uint64            `cfg:"big"`
	Float    float64           `cfg:"float"`
	Bounds   []float64         `cfg:"bounds"`
	Level    LogLevel          `cfg:"lvl"`
	Name     Pattern           `cfg:"func_name"`
	Rules    []inner           `cfg:"rules"`
	Opt      *inner            `cfg:"opt"`
	Attrs    map[string]string `cfg:"attrs"`
	Rest     Node              `cfg:"rest"`
	Nested   inner             `cfg:"nested"`
	Items    []Node            `cfg:"items"`
	Untagged string
}

// options gives a node the way a backend gets one.
func options(t *testing.T, text string) (*Config, Node) {
	t.Helper()
	c := load(t, "aimrt:\n  rpc:\n    backends:\n      - type: x\n        options: "+text+"\n")
	return c, c.RPC.Backends[0].Options
}

func TestDecode_EveryType(t *testing.T) {
	c, n := options(t, `{name: n, thread_bind_cpu: [3, 0x10], text: 12, flag: Yes, small: -128, big: 18446744073709551615, float: .inf,
          bounds: [1, 2.5], lvl: ERROR, func_name: a.c, rules: [{qos: 0}, {}], opt: {}, attrs: {k: v}, rest: {deep: [1]}, items: [a, ~]}`)
	got := everything{Untagged: "kept", Nested: inner{QoS: 1}}
	if err := n.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Thread.Name != "n" || !reflect.DeepEqual(got.BindCPU, []uint32{3, 16}) || got.Text != "12" || !got.Flag || got.Small != -128 ||
		got.Big != math.MaxUint64 || !math.IsInf(got.Float, 1) || !reflect.DeepEqual(got.Bounds, []float64{1, 2.5}) ||
		got.Level != LogError || !got.Name.Match("abc") || got.Untagged != "kept" || got.Attrs["k"] != "v" {
		t.Errorf("%+v", got)
	}
	if len(got.Rules) != 2 || got.Rules[0].QoS != 0 || got.Rules[1].QoS != 2 || got.Opt == nil || got.Opt.QoS != 2 || got.Nested.QoS != 1 {
		t.Errorf("defaults: %+v", got)
	}
	if got.Rules[1].Self.Path() != "aimrt.rpc.backends[0].options.rules[1]" || got.Rules[1].Self.Line() != 6 {
		t.Errorf("place %s %d", got.Rules[1].Self.Path(), got.Rules[1].Self.Line())
	}
	if len(got.Items) != 2 || got.Items[0].Text() != "a" || got.Items[1].Exists() {
		t.Errorf("items %v", got.Items)
	}
	if f := c.Findings(); len(f) != 1 || f[0].Text != "- Unused options: 'aimrt.rpc.backends[0].options.rest.deep'!" {
		t.Errorf("findings %v", f)
	}
	var rest struct {
		Deep []int `cfg:"deep"`
	}
	if err := got.Rest.Decode(&rest); err != nil || !reflect.DeepEqual(rest.Deep, []int{1}) {
		t.Errorf("rest %v %v", rest, err)
	}
	if f := c.Findings(); len(f) != 0 {
		t.Errorf("findings after everything was decoded: %v", f)
	}
}

func TestDecode_WrongTypes_NameExpectation(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[1]", `expected a map, got a sequence`},
		{"{text: [1]}", `options.text: expected a string, got a sequence`},
		{"{small: 128}", `options.small: expected an integer from -128 to 127, got "128"`},
		{"{small: 1.0}", `options.small: expected an integer from -128 to 127, got "1.0"`},
		{"{big: -1}", `options.big: expected an integer from 0 to 18446744073709551615, got "-1"`},
		{"{float: x}", `options.float: expected a number, got "x"`},
		{"{flag: tRue}", `options.flag: expected true or false, got "tRue"`},
		{"{bounds: 1}", `options.bounds: expected a sequence, got "1"`},
		{"{bounds: [1, ~]}", `options.bounds[1]: an item of the sequence is empty`},
		{"{lvl: [a]}", `options.lvl: expected a scalar, got a sequence`},
		{"{func_name: {}}", `options.func_name: expected a regular expression, got a map`},
		{"{attrs: 1}", `options.attrs: expected a map, got "1"`},
		{"{opt: 1}", `options.opt: expected a map, got "1"`},
		{"{rules: [1]}", `options.rules[0]: expected a map, got "1"`},
		{"{rules: [{}, {qos: 3}]}", `options.rules[1].qos: expected 0, 1 or 2, got 3`},
		{"{text: " + strings.Repeat("x", 100) + ", small: " + strings.Repeat("y", 100) + "}", `got "` + strings.Repeat("y", 80) + `"...`},
	} {
		_, n := options(t, c.text)
		err := n.Decode(&everything{})
		var e *Error
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &e) || e.Line != 5 {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestDecode_BadTarget_IsAnError(t *testing.T) {
	var s string
	var unsupported struct {
		C chan int `cfg:"c"`
	}
	var badMap struct {
		M map[int]string `cfg:"m"`
	}
	for _, target := range []any{nil, s, &s, struct{}{}, (*inner)(nil), &unsupported, &badMap} {
		if err := (Node{}).Decode(target); err == nil {
			t.Errorf("%T: no error", target)
		}
	}
}

func TestDecode_AbsentNode_KeepsDefaults(t *testing.T) {
	got := everything{Text: "d", Rules: []inner{{QoS: 1}}}
	if err := (Node{}).Decode(&got); err != nil || got.Text != "d" || got.Opt != nil || got.Rules[0].QoS != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	c := load(t, "aimrt: {rpc: {backends: [{type: local}]}}")
	if err := c.RPC.Backends[0].Options.Decode(&localOptions{TimeoutExecutor: "d"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Dump(), "        options:\n          timeout_executor: d\n") {
		t.Errorf("defaults of absent options are not printed:\n%s", c.Dump())
	}
}

func TestDecode_TwiceByTwoReaders_BothKnown(t *testing.T) {
	type first struct {
		A   int  `cfg:"a"`
		Sub Node `cfg:"sub"`
	}
	type second struct {
		B   int  `cfg:"b"`
		Sub Node `cfg:"sub"`
	}
	c, n := options(t, "{a: 1, b: 2, c: 3, sub: {x: 1, y: 2}}")
	var f first
	var s second
	if err := errors.Join(n.Decode(&f), n.Decode(&s)); err != nil {
		t.Fatal(err)
	}
	var x struct {
		X int `cfg:"x"`
	}
	if err := s.Sub.Decode(&x); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, one := range c.Findings() {
		texts = append(texts, one.Text)
	}
	want := []string{"- Unused options: 'aimrt.rpc.backends[0].options.c'! Did you mean: 'aimrt.rpc.backends[0].options.a'?",
		"- Unused options: 'aimrt.rpc.backends[0].options.sub.y'! Did you mean: 'aimrt.rpc.backends[0].options.sub.x'?"}
	if !reflect.DeepEqual(texts, want) {
		t.Errorf("got %q\nwant %q", texts, want)
	}
}

func TestNode_AcceptAndNavigation(t *testing.T) {
	c, n := options(t, "{a: [x, {b: 1}], c: text}")
	if n.Len() != 2 || !reflect.DeepEqual(n.Keys(), []string{"a", "c"}) || !n.IsMap() || !n.Field("a").IsSequence() {
		t.Errorf("%v", n)
	}
	if b := n.Field("a").Item(1).Field("b"); b.Text() != "1" || b.Path() != "aimrt.rpc.backends[0].options.a[1].b" || b.File() != "t.yaml" || b.Column() != 30 {
		t.Errorf("%s %s %d", b.Text(), b.Path(), b.Column())
	}
	if missing := n.Field("zz").Item(3); missing.Exists() || missing.Line() != 5 || missing.Path() != "aimrt.rpc.backends[0].options.zz[3]" {
		t.Errorf("%+v", missing)
	}
	n.Warn("careful with %s", "this")
	if f := c.Findings(); len(f) != 3 || f[0].Text != "- careful with this" || f[0].Line != 5 {
		t.Errorf("findings %v", f)
	}
	n.Accept()
	if f := c.Findings(); len(f) != 1 {
		t.Errorf("findings %v", f)
	}
	var zero Node
	zero.Accept()
	zero.Warn("x")
	if zero.Exists() || zero.Field("a").Exists() || zero.Len() != 0 || zero.Keys() != nil || zero.YAML() != "~\n" {
		t.Error("zero Node")
	}
	e := n.Field("c").Unknown("backend", "htpp", []string{"local", "http"})
	if e.Error() != `t.yaml:5:38: aimrt.rpc.backends[0].options.c: unknown backend "htpp", did you mean "http"? known: local, http` || e.Nearest != "http" {
		t.Error(e)
	}
	if e := n.Unknown("backend", "zenoh", nil); e.Message != `unknown backend "zenoh"; known: none` {
		t.Error(e.Message)
	}
}

func TestNode_ParallelDecode_IsSafe(t *testing.T) {
	c, n := options(t, "{timeout_executor: a, x: {y: 1}}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var o struct {
				localOptions
				X Node `cfg:"x"`
			}
			if err := n.Decode(&o); err != nil || o.TimeoutExecutor != "a" {
				t.Error(o, err)
			}
			o.X.Accept()
			_, _ = c.Findings(), c.Dump()
		})
	}
	wg.Wait()
	if f := c.Findings(); len(f) != 0 {
		t.Errorf("findings %v", f)
	}
}

func TestMergeKeysAndAliases(t *testing.T) {
	c := load(t, `
base: &base {enable_backends: [local], enable_filters: [debug_log]}
aimrt:
  rpc:
    backends: [{type: &l local}]
    clients_options:
      - {<<: *base, func_name: "(.*)"}
      - {<<: [*base, {func_name: x}], enable_filters: []}
    servers_options:
      - {func_name: "x", enable_backends: [*l]}
`)
	r := c.RPC.ClientRules
	if len(r) != 2 || r[0].EnableFilters[0] != "debug_log" || len(r[1].EnableFilters) != 0 || r[1].FuncName.String() != "x" || c.RPC.ServerRules[0].EnableBackends[0] != "local" {
		t.Errorf("%+v", r)
	}
	if _, err := Load(Source{Text: "aimrt: {<<: 3}", Name: "t"}); err == nil || !strings.HasPrefix(err.Error(), `t:1:13: aimrt: merge key << needs a map`) {
		t.Error(err)
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		expr, name    string
		rule, backend bool
	}{
		{"(.*)", "pb:/a.B/C", true, true},
		{".*", "", true, true},
		{"(pb:/aimrt.*)", "pb:/aimrt.x/Y", true, true},
		{"/aimrt.*", "pb:/aimrt.x/Y", false, true},
		{"aimrt", "pb:/aimrt.x/Y", false, false},
		{"pb:/aimrt.*GetFooD", "pb:/aimrt.S/GetFooData", false, false},
		{".*GetFoo.ata", "pb:/aimrt.S/GetFooData", true, true},
		{"a|b", "ab", false, false},
		{"a|ab", "ab", true, true},
		{`\d+\/x`, "12/x", true, true},
		{"(.*)", "a\nb", false, false},
		{"A", "a", false, false},
	} {
		p, err := NewPattern(c.expr)
		if err != nil || p.Match(c.name) != c.rule || p.MatchBackend(c.name) != c.backend {
			t.Errorf("%q on %q: %v %v %v", c.expr, c.name, p.Match(c.name), p.MatchBackend(c.name), err)
		}
	}
	for _, c := range []struct{ expr, want string }{
		{"(((", `"(((": missing closing )`},
		{"a)(b", `"a)(b": unexpected ) at`},
		{"(?=a)b", "look-ahead"}, {"(?!a)b", "look-ahead"}, {"(?<=a)b", "look-behind"}, {"(?<!a)b", "look-behind"},
		{`(a)\1`, `back-reference "\\1"`}, {"[", "missing closing ]"}, {"a{2000}", "invalid repeat count"},
	} {
		if _, err := NewPattern(c.expr); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.expr, err)
		}
	}
	if (Pattern{}).Match("") {
		t.Error("the zero Pattern must match nothing")
	}
	for name, want := range map[string]string{"pb:/a/b": "/a/b", "a": "a", "x:y": "x:y", "a:b:/c": "/c", "": ""} {
		if got := WithoutPrefix(name); got != want {
			t.Errorf("WithoutPrefix(%q) = %q", name, got)
		}
	}
}

func TestNearest(t *testing.T) {
	backends := []string{"local", "http", "grpc", "mqtt"}
	for word, want := range map[string]string{"htpp": "http", "HTTP": "http", "gprc": "grpc", "lcoal": "local", "locl": "local", "zenoh": "",
		"": "", "x": "", "mqttt": "mqtt", "shm": ""} {
		if got := Nearest(word, backends); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b         string
		plain, swaps int
	}{{"kitten", "sitting", 3, 3}, {"ab", "ba", 2, 1}, {"", "abc", 3, 3}, {"a", "abcdef", 4, 4}, {"same", "same", 0, 0}} {
		if p, s := distance(c.a, c.b, false), distance(c.a, c.b, true); p != c.plain || s != c.swaps {
			t.Errorf("distance(%q, %q) = %d, %d", c.a, c.b, p, s)
		}
	}
}

func TestLogLevel(t *testing.T) {
	for i, name := range levelNames {
		for _, word := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if l, err := ParseLogLevel(word); err != nil || int(l) != i || l.String() != name {
				t.Errorf("%q: %v %v", word, l, err)
			}
		}
	}
	if l, err := ParseLogLevel("warning"); err == nil || l != LogOff || !strings.Contains(err.Error(), `known: Trace, Debug, Info, Warn, Error, Fatal, Off`) {
		t.Errorf("%v %v", l, err)
	}
	if LogLevel(9).String() != "Off" || LogLevel(-1).String() != "Off" {
		t.Error("out of range")
	}
}

func TestScalars_PrintAndReadAgain(t *testing.T) {
	for _, text := range []string{"", "~", "null", "yes", "12", "1.5", "a b", " a", "a ", "a: b", "a:", "a #b", "#a", "-", "- a", "-1", "?x", "[a", "{a",
		"'a", "\"a", "tab\tx", "two\nlines", "\x7f", "\u00e9", "\u2028", "\U0001f600", "---", "...", "%a", "@a", "`a", "*a", "&a", "!a", "|", ">", "a\\b", "<<", "2001-01-01", "0x10"} {
		for _, how := range []style{styleString, styleQuoted} {
			doc, err := parseYAML("k: " + scalarText(text, how) + "\n" + keyText(text) + ": v\n")
			if err != nil || doc.Content[1].Value != text || doc.Content[1].ShortTag() != "!!str" || doc.Content[2].Value != text {
				t.Errorf("%q printed as %s: %v", text, scalarText(text, how), err)
			}
		}
	}
}
