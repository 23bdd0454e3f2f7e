package core

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"aimrtrpc/runtime/backend"
	"aimrtrpc/runtime/executor"
	"aimrtrpc/runtime/filter"
	"aimrtrpc/runtime/registry"
)

// Report is the initialization report, a text for people. It exists between Initialize and Start.
func (r *Runtime) Report() (string, error) {
	if !r.ready.Load() || r.State() != Init {
		return "", failf(InvalidState, "Initialization report can only be generated after initialization is complete, and before start.")
	}
	return r.report(), nil
}

// reportText collects numbered sections.
type reportText struct {
	b strings.Builder
	n int
}

func (t *reportText) section(title, body string) {
	t.n++
	fmt.Fprintf(&t.b, "[%d]. %s\n%s\n", t.n, title, strings.TrimRight(body, "\n"))
}

func (r *Runtime) report() string {
	c := r.Config()
	var t reportText
	t.b.WriteString("----------------------- AimRT Initialization Report Begin ----------------------\n")
	executable, err := os.Executable()
	if err != nil {
		executable = "unknown"
	}
	t.section("Base Info", table(nil, [][]string{
		{"Version", r.options.Version}, {"Cfg File Path", c.Path()}, {"Executable Path", executable}, {"Process PID", strconv.Itoa(os.Getpid())}}))
	t.section("AimRT Core Option", c.Standard())
	if w := c.Warning(); w != "" {
		t.section("Configuration Warning", w)
	}
	var plugins []string
	for _, p := range c.Plugin.Plugins {
		plugins = append(plugins, p.Name)
	}
	t.section("Plugin List", list(plugins))
	t.section("Executor Type List", list(executor.Types()))
	t.section("Executor List", r.executorTable())
	t.section("Log Backend List", list(r.logs.Backends()))
	t.section("Rpc Backend List", list(r.backendTypes()))
	t.section("Rpc Client Filter List", list(r.filters.Names(filter.Client)))
	t.section("Rpc Server Filter List", list(r.filters.Names(filter.Server)))
	t.section("Rpc Client Info", functions(&r.clients, func(c *Client) registry.Route { return c.route.Load().Route }))
	t.section("Rpc Server Info", functions(&r.services, func(s *Service) registry.Route { return s.route.Load().Route }))
	for _, b := range r.backends {
		if reporter, ok := b.backend.(backend.Reporter); ok {
			for _, s := range reporter.Report() {
				t.section(s.Title, s.Text)
			}
		}
	}
	t.section("Channel Backend List", list(nil))
	t.section("Channel Pub Filter List", list(nil))
	t.section("Channel Sub Filter List", list(nil))
	t.section("Channel Pub Topic Info", list(nil))
	t.section("Channel Sub Topic Info", list(nil))
	t.section("Module Info List", r.moduleTable())
	if unused := r.unusedModules(); len(unused) > 0 {
		t.section("Unused Module Options Warning", "These modules are configured and do not exist: "+strings.Join(unused, ", "))
	}
	t.b.WriteString("------------------------ AimRT Initialization Report End -----------------------")
	return t.b.String()
}

// list is AimRT's form of a list of names.
func list(names []string) string {
	if len(names) == 0 {
		return "<empty>"
	}
	return "[ " + strings.Join(names, " , ") + " ]"
}

func yesNo(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}

func (r *Runtime) executorTable() string {
	var rows [][]string
	for _, e := range r.executors.All() {
		rows = append(rows, []string{e.Name(), e.Type(), yesNo(e.ThreadSafe()), yesNo(e.HasTimers())})
	}
	return table([]string{"name", "type", "thread safe", "support time schedule"}, rows)
}

func (r *Runtime) moduleTable() string {
	var rows [][]string
	for _, m := range r.allModules() {
		o := m.options
		rows = append(rows, []string{o.Name, o.Package, fmt.Sprintf("%d.%d.%d.%d", o.Major, o.Minor, o.Patch, o.Build)})
	}
	return table([]string{"name", "pkg", "version"}, rows)
}

// unusedModules lists settings for modules that never appeared.
func (r *Runtime) unusedModules() []string {
	var out []string
	for _, m := range r.Config().Module.Modules {
		if _, ok := r.Module(m.Name); !ok {
			out = append(out, m.Name)
		}
	}
	return out
}

// functions is the table of one side: modules that share a function share a row.
func functions[T registry.Registered](t *registry.Table[T], route func(T) registry.Route) string {
	var rows [][]string
	for _, name := range t.Names() {
		entries := t.Named(name)
		var modules []string
		for _, e := range entries {
			modules = append(modules, e.Method().Owner().Module)
		}
		r := route(entries[0])
		rows = append(rows, []string{name, strings.Join(modules, "\n"), strings.Join(r.Backends, "\n"), strings.Join(r.Filters, "\n")})
	}
	return table([]string{"func", "module", "backends", "filters"}, rows)
}

// table draws rows with rules of "+---+"; cells may have several lines.
func table(head []string, rows [][]string) string {
	if len(rows) == 0 {
		return "<empty>"
	}
	all := rows
	if head != nil {
		all = append([][]string{head}, rows...)
	}
	width := make([]int, len(all[0]))
	for _, row := range all {
		for i, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				width[i] = max(width[i], len([]rune(line)))
			}
		}
	}
	rule := "+"
	for _, w := range width {
		rule += strings.Repeat("-", w+2) + "+"
	}
	var b strings.Builder
	b.WriteString(rule + "\n")
	for n, row := range all {
		writeRow(&b, row, width)
		if n == 0 && head != nil {
			b.WriteString(rule + "\n")
		}
	}
	b.WriteString(rule)
	return b.String()
}

func writeRow(b *strings.Builder, row []string, width []int) {
	height := 1
	cells := make([][]string, len(row))
	for i, cell := range row {
		cells[i] = strings.Split(cell, "\n")
		height = max(height, len(cells[i]))
	}
	for line := range height {
		b.WriteString("|")
		for i, lines := range cells {
			text := ""
			if line < len(lines) {
				text = lines[line]
			}
			b.WriteString(" " + text + strings.Repeat(" ", width[i]-len([]rune(text))+1) + "|")
		}
		b.WriteString("\n")
	}
}
