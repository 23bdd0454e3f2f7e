package config

import (
	"sort"
	"strconv"
	"strings"
)

// maxFindingDepth is where the comparison with the standardized tree stops;
// AimRT's number.
const maxFindingDepth = 20

// Finding is something in the user's configuration that has no effect. It does
// not keep a runtime from starting.
type Finding struct {
	File         string
	Line, Column int
	Path         string
	Text         string // the line for the log, "- Unused options: ..." and others
}

// String gives the text followed by its place.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Text
	}
	return f.Text + " (" + f.File + ":" + strconv.Itoa(f.Line) + ")"
}

// Findings compares what the user wrote with what has been decoded so far and
// gives all findings in the order of the file. Call it when everybody who reads
// options has done so.
func (c *Config) Findings() []Finding {
	c.tree.mu.Lock()
	defer c.tree.mu.Unlock()
	f := finder{list: append([]Finding(nil), c.tree.findings...)}
	if c.user != nil {
		f.compare(c.user, c.std, rootKey, 0)
	}
	sort.SliceStable(f.list, func(i, j int) bool {
		a, b := f.list[i], f.list[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
	return f.list
}

// Warning gives all findings as one text for the log, "" when there are none.
func (c *Config) Warning() string {
	findings := c.Findings()
	if len(findings) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(`Configuration Name Warning in "` + c.path + `":`)
	for _, f := range findings {
		b.WriteString("\n" + f.Text)
	}
	return b.String()
}

type finder struct{ list []Finding }

func (f *finder) add(at position, path, text string) {
	f.list = append(f.list, Finding{File: at.file, Line: at.line, Column: at.column, Path: path, Text: text})
}

func (f *finder) compare(user *value, std *standard, path string, depth int) {
	if depth > maxFindingDepth || len(user.vals) == 0 {
		return
	}
	switch user.kind {
	case kindMap:
		if std != nil && std.open {
			std = &standard{kind: kindMap} // nobody decoded it: none of its keys is known
		}
		if std == nil || std.kind != kindMap {
			f.add(user.at, path, "ConfigurationName Warning: '"+path+"'")
			return
		}
		f.compareKeys(user, std, path, depth)
	case kindSequence:
		if std == nil || std.open || std.kind != kindSequence {
			f.add(user.at, path, "- Unused options: '"+path+"'")
			return
		}
		for i, item := range user.vals {
			if i < len(std.vals) {
				f.compare(item, std.vals[i], path+"["+strconv.Itoa(i)+"]", depth+1)
				continue
			}
			element := strconv.Itoa(i)
			if item.kind == kindScalar {
				element = item.text
			}
			f.add(item.at, path, "- Unused options: '"+path+"["+element+"]'")
		}
	}
}

func (f *finder) compareKeys(user *value, std *standard, path string, depth int) {
	for i, k := range user.keys {
		if child := std.get(k); child != nil {
			f.compare(user.vals[i], child, path+"."+k, depth+1)
			continue
		}
		text := "- Unused options: '" + path + "." + k + "'!"
		if near := nearestKey(k, std.keys); near != "" {
			text += " Did you mean: '" + path + "." + near + "'?"
		}
		f.add(user.keyAt[i], path+"."+k, text)
	}
}
