package config

import (
	"os"
	"path/filepath"
	"strings"
)

// ModuleSection gives the root key that holds a module's own configuration.
func (c *Config) ModuleSection(name string) Node {
	n := Node{tree: c.tree, path: name}
	if name == rootKey {
		return n
	}
	n.user = c.root.get(name)
	if n.user != nil {
		n.at = n.user.at
	}
	return n
}

// ModuleFile gives the path that the module's configurator hands out: its
// cfg_file_path; or a file in the temporary directory, written now, with what
// stands under the root key of the module's name; or "". The path is as
// configured, a relative one stays relative. The directory is made when it is
// needed. Asking again gives the same path without writing again.
func (c *Config) ModuleFile(name string) (string, error) {
	if m, ok := c.ModuleNamed(name); ok && m.ConfigPath != "" {
		return m.ConfigPath, nil
	}
	section := c.ModuleSection(name)
	if !section.Exists() {
		return "", nil
	}
	c.tree.mu.Lock()
	path, ok := c.loaded[name]
	c.tree.mu.Unlock()
	if ok {
		return path, nil
	}
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return "", section.Errorf("module name %s cannot be part of a file name", quote(name))
	}
	dir := c.Configurator.TempPath
	if dir == "" {
		dir = "."
	}
	path = strings.TrimSuffix(dir, "/") + "/temp_cfg_file_for_" + name + ".yaml"
	if err := writeFile(dir, path, section.YAML()); err != nil { // two at once write the same
		e := c.Configurator.Self.Errorf("configuration of module %q: %w", name, err)
		e.Path = join(e.Path, "temp_cfg_path")
		return "", e
	}
	c.tree.mu.Lock()
	defer c.tree.mu.Unlock()
	if _, done := c.loaded[name]; !done {
		c.loaded[name] = path
		c.used = append(c.used, name)
	}
	return path, nil
}

// writeFile replaces a file in one step, so that a process that shares the
// directory never reads half of it. It is readable by its owner only, because
// modules keep credentials there.
func writeFile(dir, path, text string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Standard prints what is in force under the root key: all keys known so far,
// with defaults filled in and unknown ones left out, in yaml-cpp's block style.
func (c *Config) Standard() string {
	c.tree.mu.Lock()
	defer c.tree.mu.Unlock()
	var p printer
	p.top(rootKey, c.std)
	return p.b.String()
}

// Dump prints Standard followed by the root keys of the modules that used theirs.
func (c *Config) Dump() string {
	text := c.Standard()
	c.tree.mu.Lock()
	defer c.tree.mu.Unlock()
	for _, name := range c.used {
		var p printer
		p.top(name, accepted(c.root.get(name)))
		text += p.b.String()
	}
	return text
}
