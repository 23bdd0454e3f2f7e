package conformance

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"aimrtrpc/internal/guard"
)

// Options of a run. Programs and Suites are required.
type Options struct {
	Programs     []Program
	Suites       []Suite
	Combinations []Combination // nil means Full
	Only         string        // runs only cases whose "suite/name" contains it
	Logs         string        // folder for what programs write to standard error
	Parallel     int           // combinations at the same time; 0 means 2
	// Report gets every result as it comes, one at a time; may be nil.
	Report func(Result)
}

// Result is one case with one combination. Combination is empty for the end of a program.
type Result struct {
	Suite, Case string
	Combination *Combination
	Err         error
}

// String is the line of a failure.
func (r Result) String() string {
	where := "combination=none"
	if r.Combination != nil {
		where = r.Combination.String()
	}
	if m, ok := r.Err.(*mismatch); ok {
		return fmt.Sprintf("FAIL suite=%s case=%q %s: %s: expected %s, got %s", r.Suite, r.Case, where, m.what, m.expected, m.got)
	}
	return fmt.Sprintf("FAIL suite=%s case=%q %s: %v", r.Suite, r.Case, where, r.Err)
}

// endSuite is the suite under which the ends of programs are counted.
const endSuite = "processes"

// Run runs all cases with all combinations that offer what they rely on. Every program must end well, too.
func Run(o Options) []Result {
	p := &pool{programs: map[string]Program{}, logs: o.Logs, entries: map[string]*entry{}}
	var languages []string
	for _, program := range o.Programs {
		p.programs[program.Language] = program
		languages = append(languages, program.Language)
	}
	if o.Combinations == nil {
		o.Combinations = Full(languages)
	}
	if o.Parallel == 0 {
		o.Parallel = 2
	}
	r := &run{options: o, pool: p}
	todo := make(chan Combination, len(o.Combinations))
	for _, c := range o.Combinations {
		todo <- c
	}
	close(todo)
	var workers sync.WaitGroup
	for i := range o.Parallel {
		workers.Add(1)
		guard.Go(fmt.Sprintf("conformance: worker %d", i), func() {
			defer workers.Done()
			for c := range todo {
				r.combination(c)
			}
		})
	}
	workers.Wait()
	ends := p.close()
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		r.add(Result{Suite: endSuite, Case: name + " ends and leaves nothing behind", Err: ends[name]})
	}
	return r.results
}

type run struct {
	options Options
	pool    *pool
	keys    atomic.Int64

	mu      sync.Mutex // guards what follows
	results []Result
}

func (r *run) add(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, result)
	if r.options.Report != nil {
		r.options.Report(result)
	}
}

func (r *run) combination(c Combination) {
	s, err := r.pool.session(c)
	if err != nil {
		r.add(Result{Suite: endSuite, Case: "programs start", Combination: &c, Err: err})
		return
	}
	for _, suite := range r.options.Suites {
		for i := range suite.Cases {
			k := &suite.Cases[i]
			if !strings.Contains(k.Suite+"/"+k.Name, r.options.Only) || !c.has(k.ReliesOn, s.client.capabilities, s.server.capabilities) {
				continue
			}
			x := &execution{session: s, combination: c, key: fmt.Sprintf("k%d", r.keys.Add(1)), open: map[string]*openCall{}}
			r.add(Result{Suite: k.Suite, Case: k.Name, Combination: &c, Err: x.run(k)})
		}
	}
}

// execution is one case that runs with one combination.
type execution struct {
	session
	combination Combination
	key         string
	open        map[string]*openCall
	last        *outcome
	lastCall    *Call
}

type openCall struct {
	call   *Call
	answer chan answer
}

// repeated is ${x*N}, N times x.
var repeated = regexp.MustCompile(`\$\{x\*(\d{1,5})\}`)

// fill replaces ${...} by what is known when the case runs.
func (x *execution) fill(text string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	text = repeated.ReplaceAllStringFunc(text, func(found string) string {
		n, _ := strconv.Atoi(repeated.FindStringSubmatch(found)[1])
		return strings.Repeat("x", n)
	})
	id := ""
	if x.last != nil && x.last.Context != nil {
		id = x.last.Context.Metadata["aimrt-request_id"]
	}
	function := ""
	if x.lastCall != nil {
		function = x.function(x.lastCall)
	}
	return strings.NewReplacer("${key}", x.key, "${backend}", x.combination.Backend.Shown, "${serialization}", x.combination.Serialization.Encoding,
		"${request_id}", id, "${function}", function, "${address}", x.address).Replace(text)
}

func (x *execution) function(c *Call) string {
	if c.Function != "" {
		return c.Function
	}
	return functionName(x.combination.Serialization.Form, x.combination.Style, c.Method)
}

func (x *execution) run(k *Case) error {
	for i := range k.Steps {
		if err := x.step(&k.Steps[i]); err != nil {
			if m, ok := err.(*mismatch); ok && len(k.Steps) > 1 {
				m.what = fmt.Sprintf("step %d: %s", i+1, m.what)
			}
			x.letGo(k)
			return err
		}
	}
	return nil
}

// letGo releases what a failed case has left in handlers, so that it cannot spoil the end of the programs.
func (x *execution) letGo(k *Case) {
	for _, s := range k.Steps {
		if s.Release != "" {
			_ = x.server.do(map[string]any{"do": "release", "key": x.fill(s.Release), "force": true}, nil)
		}
	}
}

func (x *execution) step(s *Step) error {
	switch {
	case s.Call != nil:
		return x.call(s)
	case s.Burst != nil:
		return x.burst(s)
	case s.Await != "":
		o := x.open[s.Await]
		delete(x.open, s.Await)
		return x.ended(o, s.Expect)
	case s.Cancel != "":
		return x.client.do(map[string]any{"do": "cancel", "as": x.key + s.Cancel}, nil)
	case s.Arrived != "":
		return x.server.do(map[string]any{"do": "arrived", "key": x.fill(s.Arrived)}, nil)
	case s.Unasked != "":
		return x.server.do(map[string]any{"do": "unasked", "key": x.fill(s.Unasked)}, nil)
	}
	var released struct {
		Finished string `json:"finished"`
	}
	if err := x.server.do(map[string]any{"do": "release", "key": x.fill(s.Release)}, &released); err != nil {
		return err
	}
	if s.Finished != "" && released.Finished != s.Finished {
		return differ("what the server was told", s.Finished, released.Finished)
	}
	return nil
}

// command describes a call to a program.
func (x *execution) command(c *Call) map[string]any {
	serialization := x.combination.Serialization.Encoding
	if c.Serialization != "" {
		serialization = c.Serialization
	}
	command := map[string]any{
		"do": "call", "function": x.function(c), "form": x.combination.Serialization.Form, "later": x.combination.Style == "later",
		"serialization": serialization, "context": c.Context, "reset": c.Reset, "timeout_ms": c.TimeoutMS, "target": x.fill(c.Target),
		"as": x.key + c.As, "size": c.Size,
	}
	if c.Context != "" && c.Context != "none" {
		command["context"] = x.key + c.Context
	}
	if c.Text != nil {
		command["text"] = x.fill(*c.Text)
	}
	var metadata [][2]string
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		metadata = append(metadata, [2]string{key, x.fill(c.Metadata[key])})
	}
	command["metadata"] = metadata
	return command
}

func (x *execution) call(s *Step) error {
	x.lastCall = s.Call
	c, err := x.client.send(x.command(s.Call))
	if err != nil {
		return err
	}
	o := &openCall{s.Call, c}
	if s.Call.As != "" {
		x.open[s.Call.As] = o
		return nil
	}
	return x.ended(o, s.Expect)
}

// ended waits for the end of a call and compares it.
func (x *execution) ended(o *openCall, e *Expect) error {
	x.last, x.lastCall = &outcome{}, o.call
	if err := x.client.wait(o.answer, AnswerWithin, x.last); err != nil {
		return err
	}
	return e.check(x.last, x.combination, o.call, x.fill)
}

func (x *execution) burst(s *Step) error {
	call := Call{Method: "Gather", TimeoutMS: int(AnswerWithin.Milliseconds())}
	command := x.command(&call)
	command["do"], command["count"], command["text"] = "burst", s.Burst.Count, x.key
	var o outcome
	if err := x.client.do(command, &o); err != nil {
		return err
	}
	return s.Expect.checkBurst(&o)
}
