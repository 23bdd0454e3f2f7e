package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// Suite is one file of tests/vectors/suites.
type Suite struct {
	Name     string   `yaml:"suite"`
	About    string   `yaml:"about"`
	ReliesOn []string `yaml:"relies_on"` // capabilities that every case needs
	Cases    []Case   `yaml:"-"`
}

// Case is a list of steps that run one after the other against one client and one server.
type Case struct {
	Suite    string   `yaml:"-"`
	Name     string   `yaml:"name"`
	ReliesOn []string `yaml:"relies_on"`
	Steps    []Step   `yaml:"steps"`
}

// Step does one thing; exactly one of the actions is set.
type Step struct {
	Call     *Call   `yaml:"call"`     // the client calls; without As it waits for the end
	Burst    *Burst  `yaml:"burst"`    // the client makes many calls at the same time
	Await    string  `yaml:"await"`    // waits for the end of the call of that name
	Cancel   string  `yaml:"cancel"`   // the client cancels the call of that name
	Arrived  string  `yaml:"arrived"`  // waits until the handler of method Hold has this key
	Unasked  string  `yaml:"unasked"`  // waits until that handler knows that nobody waits any more
	Release  string  `yaml:"release"`  // lets that handler answer
	Expect   *Expect `yaml:"expect"`   // of call, burst and await
	Finished string  `yaml:"finished"` // of release: ok or lost, what the server was told
}

// Call says what the client does. Method is that of the programs (README.md); Function is the whole name where no method stands behind it.
type Call struct {
	Method    string            `yaml:"method"`
	Function  string            `yaml:"function"`
	As        string            `yaml:"as"`      // name of a call that goes on
	Text      *string           `yaml:"text"`    // request, a text
	Size      int               `yaml:"size"`    // request, so many bytes, without text
	Context   string            `yaml:"context"` // none, or the name of a context that several calls use; else a new one
	Reset     bool              `yaml:"reset"`   // resets that context first
	TimeoutMS int               `yaml:"timeout_ms"`
	Target    string            `yaml:"target"`
	Metadata  map[string]string `yaml:"metadata"`
	// Serialization replaces the one of the combination.
	Serialization string `yaml:"serialization"`
}

// Burst is Count calls of method Gather, which answers none before all have arrived.
type Burst struct {
	Count int `yaml:"count"`
}

// Expect says how a call must end. What is not given is not looked at, except the code, which is 0.
type Expect struct {
	Code            PerBackend[int] `yaml:"code"`
	Message         *string         `yaml:"message"`
	MessageContains []string        `yaml:"message_contains"`
	Response        string          `yaml:"response"` // echo, or the text
	Seen            *Seen           `yaml:"seen"`     // what a handler of method Context saw
	Context         *Seen           `yaml:"context"`  // the client's context after the call
	Outcomes        map[string]int  `yaml:"outcomes"` // of a burst: how many calls ended with which code
}

// Seen is a context: metadata that must be there, keys that must not, the timeout.
type Seen struct {
	Metadata  map[string]string `yaml:"metadata"`
	Absent    []string          `yaml:"absent"`
	TimeoutMS *int64            `yaml:"timeout_ms"`
	Used      *bool             `yaml:"used"`
}

// PerBackend is one value, or one per backend.
type PerBackend[T any] struct {
	all  T
	each map[string]T
}

// UnmarshalYAML reads a value or a map of backend names.
func (p *PerBackend[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode(&p.all)
	}
	if err := n.Decode(&p.each); err != nil {
		return err
	}
	for name := range p.each {
		if !slices.Contains(backendNames(), name) {
			return fmt.Errorf("line %d: %q is no backend; expected some of %s", n.Line, name, strings.Join(backendNames(), ", "))
		}
	}
	return nil
}

// Of gives the value for a backend.
func (p *PerBackend[T]) Of(backend string) T {
	if value, ok := p.each[backend]; ok {
		return value
	}
	return p.all
}

// LoadSuites reads all suites of a folder, in the order of their names.
func LoadSuites(folder string) ([]Suite, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no suite in %s", folder)
	}
	sort.Strings(paths)
	var out []Suite
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		s, err := ParseSuite(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		out = append(out, s)
	}
	return out, nil
}

// suiteFile is a suite as it is written: a case may stand for several, one per entry of "with".
type suiteFile struct {
	Suite `yaml:",inline"`
	Raw   []yaml.Node `yaml:"cases"`
}

// ParseSuite reads one suite and expands its cases.
func ParseSuite(data []byte) (Suite, error) {
	var f suiteFile
	if err := strict(data, &f); err != nil {
		return Suite{}, err
	}
	s := f.Suite
	if s.Name == "" || len(f.Raw) == 0 {
		return Suite{}, fmt.Errorf("a suite needs a name and cases")
	}
	names := map[string]bool{}
	for i := range f.Raw {
		cases, err := expandCase(&f.Raw[i])
		if err != nil {
			return Suite{}, err
		}
		for _, c := range cases {
			c.Suite = s.Name
			c.ReliesOn = append(slices.Clone(s.ReliesOn), c.ReliesOn...)
			if err := c.check(); err != nil {
				return Suite{}, fmt.Errorf("line %d: case %q: %w", f.Raw[i].Line, c.Name, err)
			}
			if names[c.Name] {
				return Suite{}, fmt.Errorf("line %d: there are two cases %q", f.Raw[i].Line, c.Name)
			}
			names[c.Name] = true
			s.Cases = append(s.Cases, c)
		}
	}
	return s, nil
}

// writtenCase is a case as it is written: one step may stand beside the name, and "with" lists values for ${...}.
type writtenCase struct {
	Case   `yaml:",inline"`
	With   []map[string]string `yaml:"with"`
	Call   *Call               `yaml:"call"`
	Burst  *Burst              `yaml:"burst"`
	Expect *Expect             `yaml:"expect"`
}

func expandCase(n *yaml.Node) ([]Case, error) {
	var head struct {
		With []map[string]string `yaml:"with"`
	}
	if err := n.Decode(&head); err != nil {
		return nil, err
	}
	if head.With == nil {
		head.With = []map[string]string{nil}
	}
	var out []Case
	for _, values := range head.With {
		data, err := yaml.Marshal(substituted(n, values))
		if err != nil {
			return nil, err
		}
		var w writtenCase
		if err := strict(data, &w); err != nil {
			return nil, fmt.Errorf("case at line %d: %w", n.Line, err)
		}
		if w.Call != nil || w.Burst != nil {
			w.Steps = append([]Step{{Call: w.Call, Burst: w.Burst, Expect: w.Expect}}, w.Steps...)
		}
		out = append(out, w.Case)
	}
	return out, nil
}

func strict(data []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	return d.Decode(into)
}

// substituted is a copy of a node with ${key} replaced in every text. A text that is one ${key} takes the type the value looks like.
func substituted(n *yaml.Node, values map[string]string) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = substituted(child, values)
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${") {
		return &c
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if n.Value == "${"+key+"}" {
			return &yaml.Node{Kind: yaml.ScalarNode, Value: values[key], Line: n.Line}
		}
		c.Value = strings.ReplaceAll(c.Value, "${"+key+"}", values[key])
	}
	return &c
}

// check finds mistakes that would make a case pass or fail for no reason.
func (c *Case) check() error {
	if c.Name == "" || len(c.Steps) == 0 {
		return fmt.Errorf("a case needs a name and steps")
	}
	for _, name := range c.ReliesOn {
		if !slices.Contains(Capabilities, name) {
			return fmt.Errorf("relies_on %q is no capability; expected some of %s", name, strings.Join(Capabilities, ", "))
		}
	}
	open := map[string]bool{}
	for i, s := range c.Steps {
		if err := s.check(open); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	for name := range open {
		return fmt.Errorf("call %q is never awaited", name)
	}
	return nil
}

func (s *Step) check(open map[string]bool) error {
	actions := 0
	for _, set := range []bool{s.Call != nil, s.Burst != nil, s.Await != "", s.Cancel != "", s.Arrived != "", s.Unasked != "", s.Release != ""} {
		if set {
			actions++
		}
	}
	switch {
	case actions != 1:
		return fmt.Errorf("%d actions, expected one of call, burst, await, cancel, arrived, unasked, release", actions)
	case s.Finished != "" && (s.Release == "" || s.Finished != "ok" && s.Finished != "lost"):
		return fmt.Errorf("finished is ok or lost and belongs to release")
	case s.Burst != nil && (s.Expect == nil || len(s.Expect.Outcomes) == 0):
		return fmt.Errorf("a burst needs expect.outcomes")
	case s.Await != "" && !open[s.Await]:
		return fmt.Errorf("no call %q is open", s.Await)
	case s.Await != "":
		delete(open, s.Await)
	}
	waits := s.Await != "" || s.Call != nil && s.Call.As == ""
	if waits != (s.Expect != nil) && s.Burst == nil {
		return fmt.Errorf("what waits for a call needs expect, and nothing else has it")
	}
	if s.Call == nil {
		return nil
	}
	if (s.Call.Method == "") == (s.Call.Function == "") {
		return fmt.Errorf("a call needs a method or a function")
	}
	if s.Call.Method != "" && !slices.Contains(methodNames, s.Call.Method) {
		return fmt.Errorf("method %q; expected one of %s", s.Call.Method, strings.Join(methodNames, ", "))
	}
	if s.Call.As != "" {
		open[s.Call.As] = true
	}
	return nil
}
