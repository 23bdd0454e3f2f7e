package conformance

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const suiteFolder = "../vectors/suites"

// goProgram builds the reference program in Go, the one that needs no other tool.
func goProgram(t *testing.T) Program {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "go", "program")
	if out, err := exec.Command("go", "build", "-o", path, "./go").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	programs, err := Programs(folder, []string{"go"})
	if err != nil {
		t.Fatal(err)
	}
	return programs[0]
}

// shell is a program that says what it is told.
func shell(language, script string) Program {
	return Program{Language: language, Command: []string{"sh", "-c", script}}
}

const hello = `echo '{"id":0,"ok":{"language":"go","capabilities":[]}}'; `

func parse(t *testing.T, text string) []Suite {
	t.Helper()
	s, err := ParseSuite([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return []Suite{s}
}

// The other languages run by make conformance-test.
func TestSuites_GoAgainstGo(t *testing.T) {
	t.Parallel()
	suites, err := LoadSuites(suiteFolder)
	if err != nil {
		t.Fatal(err)
	}
	program := goProgram(t)
	for _, style := range Styles {
		t.Run(style, func(t *testing.T) {
			var some []Combination
			for _, c := range Full([]string{"go"}) {
				if c.Style == style {
					some = append(some, c)
				}
			}
			results := Run(Options{Programs: []Program{program}, Suites: suites, Combinations: some, Logs: t.TempDir()})
			if len(results) < 500 {
				t.Errorf("only %d results", len(results))
			}
			for _, r := range results {
				if r.Err != nil {
					t.Error(r)
				}
			}
		})
	}
}

// Every kind of expectation can fail, with a line that says all.
func TestRun_WrongExpectations_Fail(t *testing.T) {
	t.Parallel()
	suites := parse(t, `
suite: wrong
cases:
  - {name: code, call: {method: Echo, text: x}, expect: {code: 7}}
  - {name: code per backend, call: {method: Echo, text: x}, expect: {code: {http: 0, local: 7}}}
  - {name: message, call: {method: Status, text: 1234 a}, expect: {code: 1234, message: b}}
  - {name: part, call: {method: Status, text: 1234 a}, expect: {code: 1234, message_contains: [b]}}
  - {name: text, call: {method: Echo, text: x}, expect: {response: y}}
  - {name: size, call: {method: Nest, size: 5}, expect: {response: echo}}
  - {name: value, call: {method: Context, metadata: {a: b}}, expect: {seen: {metadata: {a: c}}}}
  - {name: missing, call: {method: Context}, expect: {seen: {metadata: {a: ""}}}}
  - {name: present, call: {method: Context, metadata: {a: b}}, expect: {seen: {absent: [a]}}}
  - {name: server timeout, call: {method: Context}, expect: {seen: {timeout_ms: 1}}}
  - {name: context, call: {method: Echo, context: none}, expect: {context: {used: true}}}
  - {name: used, call: {method: Echo}, expect: {context: {used: false}}}
  - {name: burst, burst: {count: 3}, expect: {outcomes: {"0": 4}}}
  - name: told
    steps:
      - {call: {method: Hold, text: "${key}", as: slow}}
      - {release: "${key}", finished: lost}
      - {await: slow, expect: {}}
`)
	some := Full([]string{"go"})[2*len(Serializations) : 2*len(Serializations)+1]
	if some[0].String() != "backend=local serialization=raw-pb client=go server=go style=now" {
		t.Fatalf("the combination is %v", some[0])
	}
	results := Run(Options{Programs: []Program{goProgram(t)}, Suites: suites, Combinations: some, Logs: t.TempDir()})
	want := map[string]string{
		"code": `code: expected 7, got 0 "OK"`, "code per backend": `code: expected 7, got 0 "OK"`,
		"message": `message: expected "b", got "a"`, "part": `message: expected one with "b", got "a"`,
		"text": `response: expected 1 bytes with CRC fbdb2615, got 1 bytes with CRC 8cdc1683 "x"`, "size": "response: expected 5 bytes",
		"value": `handler's metadata "a": expected "c", got "b"`, "missing": `handler's metadata "a": expected "", got none`,
		"present": `handler's metadata "a": expected none, got "b"`, "server timeout": "handler's timeout: expected 1 ms, got 5000 ms",
		"context": "client's context: expected one, got none", "used": "client's context used: expected false, got true",
		"burst": `codes of all calls: expected {"0":4}, got {"0":3}`, "told": "step 2: what the server was told: expected lost, got ok",
	}
	for _, r := range results {
		switch {
		case r.Suite == endSuite && r.Err != nil:
			t.Error(r)
		case r.Suite == endSuite:
		case r.Err == nil || want[r.Case] == "" || !strings.Contains(r.String(), want[r.Case]):
			t.Errorf("case %q: %v\nwant %s", r.Case, r, want[r.Case])
		case !strings.HasPrefix(r.String(), `FAIL suite=wrong case="`+r.Case+`" `+some[0].String()+": "):
			t.Errorf("line is %s", r)
		}
		delete(want, r.Case)
	}
	if len(want) != 0 {
		t.Errorf("no result of %v", want)
	}
	var table strings.Builder
	if failed := WriteTable(&table, results); failed != 14 || !strings.HasSuffix(table.String(), "\n1 passed, 14 failed\n") {
		t.Errorf("%d failed; the table is\n%s", failed, table.String())
	}
}

// A program that misbehaves is a failure that says what happened, never a hang.
func TestRun_BadPrograms_AreFailures(t *testing.T) {
	t.Parallel()
	suites := parse(t, "suite: s\ncases: [{name: c, call: {method: Echo}, expect: {}}]")
	opened := hello + `read line; echo '{"id":1,"ok":{}}'; `
	for name, tt := range map[string]struct {
		script string
		want   []string
	}{
		"says nothing":       {"exit 3", []string{"does not greet", "exit status 3"}},
		"another language":   {`echo '{"id":0,"ok":{"language":"c"}}'; cat >/dev/null`, []string{`says it is "c", expected "go"`}},
		"no JSON":            {"echo hello; cat >/dev/null", []string{`no answer: "hello"`}},
		"cannot open":        {hello + `read line; echo '{"id":1,"error":"no room"}'; cat >/dev/null`, []string{"open: no room"}},
		"dies in a call":     {opened + "read line; echo last words >&2; exit 4", []string{"exit status 4", "last words"}},
		"leaves handles":     {opened + `while read l; do echo '{"id":2,"ok":{}}{}'; done`, []string{"no answer"}},
		"ends with a number": {opened + `read l; echo '{"id":2,"ok":{"code":0}}'; read l; echo '{"id":3,"ok":{}}'; exit 5`, []string{"ended with exit status 5"}},
		"leaves something":   {opened + `read l; echo '{"id":2,"ok":{"code":0}}'; read l; echo '{"id":3,"ok":{"calls":2}}'`, []string{"leaves 2 calls behind"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := Run(Options{Programs: []Program{shell("go", tt.script)}, Suites: suites, Combinations: Full([]string{"go"})[:1], Logs: t.TempDir()})
			var all []string
			for _, r := range results {
				if r.Err != nil {
					all = append(all, r.String())
				}
			}
			for _, part := range tt.want {
				if !strings.Contains(strings.Join(all, "\n"), part) {
					t.Errorf("failures are %q, expected %q in them", all, part)
				}
			}
		})
	}
}

func TestSample_EveryPairOccurs(t *testing.T) {
	t.Parallel()
	all := Full(Languages)
	if len(all) != 246 {
		t.Fatalf("%d combinations", len(all))
	}
	sample := Sample(all)
	have := map[pair]bool{}
	for _, c := range sample {
		for _, p := range pairsOf(c) {
			have[p] = true
		}
	}
	for _, c := range all {
		for _, p := range pairsOf(c) {
			if !have[p] {
				t.Errorf("the sample lacks %s=%s with %s=%s", axisNames[p.axisA], p.valueA, axisNames[p.axisB], p.valueB)
			}
		}
	}
	if len(sample) > 30 {
		t.Errorf("the sample has %d combinations", len(sample))
	}
}

// A case that no combination of all languages runs would pass unseen.
func TestSuites_EveryCaseRunsSomewhereInTheSample(t *testing.T) {
	t.Parallel()
	suites, err := LoadSuites(suiteFolder)
	if err != nil {
		t.Fatal(err)
	}
	capabilities := map[string][]string{
		"go": {"finish_result", "native_messages", "cancels_now", "cancels_later"}, "cpp": {"finish_result", "native_messages", "cancels_later"}, "python": {"cancels_later"},
	}
	for _, s := range suites {
		for _, c := range s.Cases {
			n := 0
			for _, point := range Sample(Full(Languages)) {
				if point.has(c.ReliesOn, capabilities[point.Client], capabilities[point.Server]) {
					n++
				}
			}
			if n == 0 {
				t.Errorf("%s/%s runs with no combination of the sample", c.Suite, c.Name)
			}
		}
	}
}

func TestParseSuite_Mistakes_AreErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"suite: s": "needs a name and cases",
		"suite: s\ncases: [{name: c, call: {method: Echo}}]":                                                                       "needs expect",
		"suite: s\ncases: [{name: c, call: {method: Ecko}, expect: {}}]":                                                           `method "Ecko"`,
		"suite: s\ncases: [{name: c, call: {}, expect: {}}]":                                                                       "a method or a function",
		"suite: s\ncases: [{name: c, call: {method: Echo, tect: x}, expect: {}}]":                                                  "tect",
		"suite: s\ncases: [{name: c, relies_on: [magic], call: {method: Echo}, expect: {}}]":                                       `"magic" is no capability`,
		"suite: s\ncases: [{name: c, call: {method: Echo}, expect: {code: {zenoh: 1}}}]":                                           `"zenoh" is no backend`,
		"suite: s\ncases: [{name: c, steps: [{await: x, expect: {}}]}]":                                                            `no call "x" is open`,
		"suite: s\ncases: [{name: c, steps: [{call: {method: Hold, as: x}}]}]":                                                     "never awaited",
		"suite: s\ncases: [{name: c, steps: [{release: x, finished: maybe}]}]":                                                     "finished is ok or lost",
		"suite: s\ncases: [{name: c, steps: [{release: x, cancel: y}]}]":                                                           "2 actions",
		"suite: s\ncases: [{name: c, burst: {count: 2}}]":                                                                          "needs expect.outcomes",
		"suite: s\ncases: [{name: c, steps: []}]":                                                                                  "needs a name and steps",
		"suite: s\ncases: [{name: c, call: {method: Echo}, expect: {}}, {name: c, burst: {count: 1}, expect: {outcomes: {a: 1}}}]": "two cases",
	} {
		if _, err := ParseSuite([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v, expected %q", text, err, want)
		}
	}
	if _, err := LoadSuites(t.TempDir()); err == nil {
		t.Error("an empty folder gives suites")
	}
	if _, err := Programs(t.TempDir(), []string{"go"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program gives %v", err)
	}
}

func TestParseSuite_WithExpandsACase(t *testing.T) {
	t.Parallel()
	s := parse(t, `
suite: s
relies_on: [pb]
cases:
  - name: "size ${n} of ${what}"
    relies_on: [raw]
    with: [{n: 1, what: a}, {n: 20, what: b}]
    call: {method: Echo, size: "${n}", text: "${what}-${n}"}
    expect: {code: "${n}", message: "${key}"}
`)[0]
	if len(s.Cases) != 2 {
		t.Fatalf("%d cases", len(s.Cases))
	}
	c := s.Cases[1]
	call, expect := c.Steps[0].Call, c.Steps[0].Expect
	if c.Name != "size 20 of b" || strings.Join(c.ReliesOn, " ") != "pb raw" || call.Size != 20 || *call.Text != "b-20" ||
		expect.Code.Of("http") != 20 || *expect.Message != "${key}" {
		t.Errorf("case is %+v, call %+v, expect %+v", c, call, expect)
	}
}
