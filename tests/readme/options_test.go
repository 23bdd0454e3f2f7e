package readme

import (
	"regexp"
	"strings"
	"testing"
)

// optionSources are where the options of AimRT's configuration are declared, besides those of the backends.
var optionSources = []string{"runtime/config/sections.go", "runtime/executor/spec.go", "runtime/logging/console.go", "runtime/logging/rotate.go",
	"runtime/backend/local/local.go", "runtime/core/control.go"}

var optionTag = regexp.MustCompile("`cfg:\"([a-z_]+)")

// options gives the tables of docs/dialects/aimrt.md that go through the configuration.
func options(t *testing.T) string {
	t.Helper()
	_, after, ok := strings.Cut(read(t, "docs/dialects/aimrt.md"), "<!-- options")
	tables, _, closed := strings.Cut(after, "<!-- /options -->")
	if !ok || !closed {
		t.Fatal("docs/dialects/aimrt.md has no tables between the options comments")
	}
	return tables
}

// Every row of the option tables has five cells and links tests by name; that the names are there is TestLinks_LeadSomewhere's.
func TestOptionTables_EveryRowLinksATest(t *testing.T) {
	rows := 0
	for line := range strings.SplitSeq(options(t), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| option |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 5 {
			t.Errorf("the row %q has %d cells, want option, default, what happens, differs, tests", line, len(cells))
			continue
		}
		links := link.FindAllStringSubmatch(cells[4], -1)
		if len(links) == 0 {
			t.Errorf("the row %q links no test", line)
		}
		for _, l := range links {
			if !strings.Contains(l[1], "test") || l[2] == "" {
				t.Errorf("the row of %s links %s#%s, which is no test by name", strings.TrimSpace(cells[0]), l[1], l[2])
			}
		}
	}
	if rows == 0 {
		t.Fatal("the option tables are empty")
	}
}

// Every option that the source declares has a row, and every section of AimRT's configuration a table.
func TestOptionTables_NothingIsMissing(t *testing.T) {
	tables := options(t)
	for _, path := range optionSources {
		tags := optionTag.FindAllStringSubmatch(read(t, path), -1)
		if len(tags) == 0 {
			t.Errorf("%s declares no option", path)
		}
		for _, tag := range tags {
			if !strings.Contains(tables, "`"+tag[1]+"`") && !strings.Contains(tables, "aimrt."+tag[1]) {
				t.Errorf("the option %s of %s has no row in docs/dialects/aimrt.md", tag[1], path)
			}
		}
	}
	for _, section := range []string{"Loading", "aimrt.configurator", "aimrt.plugin", "aimrt.main_thread, aimrt.guard_thread", "aimrt.executor", "aimrt.log",
		"aimrt.allocator, aimrt.parameter, aimrt.channel", "aimrt.module", "aimrt.rpc", "Framework filters", "Other plugins", "aimrt_main",
		"Initialization report", "Life cycle", "AimRT's example configurations"} {
		if !strings.Contains(tables, "\n### "+section+"\n") {
			t.Errorf("docs/dialects/aimrt.md has no table for %s", section)
		}
	}
}
