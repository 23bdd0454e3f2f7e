package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Source says where a configuration comes from. The zero Source gives all defaults.
type Source struct {
	// Path is an AimRT YAML file, "" = none.
	Path string
	// Text is YAML text, used when Path is empty; Name stands for the file in
	// messages, "" = "config text".
	Text string
	Name string
	// Overrides are applied last, in order: "aimrt.rpc.backends[0].type=local".
	// The value is YAML, the path need not exist.
	Overrides []string
	// LookupEnv gives the variables for ${NAME}; nil = os.LookupEnv.
	LookupEnv func(name string) (value string, ok bool)
	// Plugins are names accepted in aimrt.plugin besides AimRT's official ones.
	Plugins []string
}

// Config is a loaded configuration. Its sections are read-only after Load; its
// Nodes may be decoded from any thread.
type Config struct {
	Sections
	path   string
	root   *value // all root keys
	user   *value // under rootKey, may be nil
	std    *standard
	tree   *tree
	loaded map[string]string // module name -> path of its file; guarded by tree.mu
	used   []string          // modules whose root key was used; guarded by tree.mu
}

// Load reads a configuration. All problems that can be told without knowing
// backends, executors and plugins are reported together, as *Error values (see
// Errors). Unknown keys are no errors: see Config.Findings.
func Load(s Source) (*Config, error) {
	name, text, c, err := s.read()
	if err != nil {
		return nil, err
	}
	lookup := s.LookupEnv
	if lookup == nil {
		lookup = os.LookupEnv
	}
	src, findings := newSource(name, text, lookup)
	if len(src.text) > MaxFileBytes {
		return nil, tooLarge(name)
	}
	doc, err := parseYAML(src.text)
	if err != nil {
		return nil, syntaxError(src, err)
	}
	b := builder{src: src, open: map[*yaml.Node]bool{}}
	if doc != nil {
		c.root = b.build(doc, "", 0)
	}
	if len(s.Overrides) > MaxOverrides {
		return nil, &Error{File: "overrides", Message: strconv.Itoa(len(s.Overrides)) + " given, at most " +
			strconv.Itoa(MaxOverrides) + " are accepted"}
	}
	for i, o := range s.Overrides {
		c.root, err = b.override(c.root, o, "override["+strconv.Itoa(i)+"]")
		b.probs.add(err)
	}
	if err := b.probs.err(); err != nil {
		return nil, err
	}
	c.tree.findings = append(findings, b.findings...)
	if err := c.decode(name, s.Plugins); err != nil {
		return nil, err
	}
	return c, nil
}

// read gets the text and its name.
func (s *Source) read() (name, text string, c *Config, err error) {
	c = &Config{tree: &tree{}, std: &standard{open: true}, loaded: map[string]string{}}
	if s.Path == "" {
		name = s.Name
		if name == "" {
			name = "config text"
		}
		if len(s.Text) > MaxFileBytes {
			return "", "", nil, tooLarge(name)
		}
		return name, s.Text, c, nil
	}
	text, c.path, err = readFile(s.Path)
	return s.Path, text, c, err
}

func readFile(path string) (text, canonical string, err error) {
	fail := func(err error) (string, string, error) {
		message := err.Error()
		var pathErr *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			message = "no such file (working directory " + workingDirectory() + ")"
		case errors.As(err, &pathErr):
			message = pathErr.Op + ": " + pathErr.Err.Error()
		}
		return "", "", &Error{File: path, Message: message, Err: err}
	}
	canonical, err = filepath.Abs(path)
	if err == nil {
		canonical, err = filepath.EvalSymlinks(canonical)
	}
	if err != nil {
		return fail(err)
	}
	f, err := os.Open(canonical)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return "", "", &Error{File: path, Message: "is a directory, expected a YAML file"}
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return fail(err)
	}
	if len(data) > MaxFileBytes {
		return "", "", tooLarge(path)
	}
	return string(data), canonical, nil
}

func workingDirectory() string {
	dir, err := os.Getwd()
	if err != nil {
		return "unknown"
	}
	return dir
}

func tooLarge(name string) *Error {
	return &Error{File: name, Message: "larger than " + strconv.Itoa(MaxFileBytes) + " bytes"}
}

// decode fills the sections from the tree.
func (c *Config) decode(name string, plugins []string) error {
	at := position{file: name}
	if c.root != nil {
		at = c.root.at
	}
	if !c.root.absent() && c.root.kind != kindMap {
		return &Error{File: at.file, Line: at.line, Column: at.column,
			Message: "expected a map with the key " + rootKey + ", got " + c.root.describe()}
	}
	c.user = c.root.get(rootKey)
	n := Node{tree: c.tree, user: c.user, std: c.std, path: rootKey, at: at}
	if c.user != nil {
		n.at = c.user.at
	}
	if c.user == nil && c.root != nil {
		c.warnMisspeltRoot()
	}
	c.Sections = defaultSections()
	if err := n.Decode(&c.Sections); err != nil {
		return err
	}
	for _, ignored := range []Node{c.Channel.Backends, c.Channel.PubTopicsOptions, c.Channel.SubTopicsOptions} {
		ignored.Accept()
	}
	return c.Sections.check(plugins)
}

// warnMisspeltRoot helps when nothing of a file is used because of one letter.
func (c *Config) warnMisspeltRoot() {
	for i, k := range c.root.keys {
		if Nearest(k, []string{rootKey}) != "" {
			n := Node{tree: c.tree, path: k, at: c.root.keyAt[i]}
			n.Warn("Unused root key: '%s' is taken for the name of a module! Did you mean: '%s'?", k, rootKey)
		}
	}
}

// Path gives the absolute path of the file with symbolic links resolved, "" when
// the configuration came from a text.
func (c *Config) Path() string { return c.path }

// Root gives the node under the root key aimrt.
func (c *Config) Root() Node {
	n := Node{tree: c.tree, user: c.user, std: c.std, path: rootKey}
	if c.user != nil {
		n.at = c.user.at
	}
	return n
}

// PluginNamed gives the entry of a plugin.
func (c *Config) PluginNamed(name string) (Plugin, bool) {
	for _, p := range c.Plugin.Plugins {
		if p.Name == name {
			return p, true
		}
	}
	return Plugin{}, false
}

// ModuleNamed gives the settings of a module: its entry in aimrt.module.modules,
// or the defaults.
func (c *Config) ModuleNamed(name string) (m Module, configured bool) {
	for _, m := range c.Module.Modules {
		if m.Name == name {
			return m, true
		}
	}
	m = Module{Name: name}
	m.SetDefaults()
	return m, false
}
