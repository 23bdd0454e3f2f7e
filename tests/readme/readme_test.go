// Package readme checks that what README.md promises is there: every link, and the test behind every row of the feature table.
package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

var link = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every relative link of the README and of docs/ leads to a file; a fragment on a source file names something in it.
func TestLinks_LeadSomewhere(t *testing.T) {
	pages := []string{"README.md"}
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	dialects, err := filepath.Glob(filepath.Join(root, "docs", "dialects", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(found, dialects...) {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, name)
	}
	for _, page := range pages {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, part := match[1], match[2]
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			path := filepath.Join(filepath.Dir(page), target)
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil {
				t.Errorf("%s links %s, which is not there", page, target)
				continue
			}
			if part != "" && !info.IsDir() && !strings.HasSuffix(path, ".md") && !strings.Contains(read(t, path), part) {
				t.Errorf("%s links %s#%s, and the file has no %s", page, target, part, part)
			}
		}
	}
}

// Every row of the feature table says yes with a link into a test, next, or not planned with what happens instead.
func TestFeatureTable_EveryYesLinksATest(t *testing.T) {
	text := read(t, "README.md")
	_, after, ok := strings.Cut(text, "<!-- features")
	table, _, ok2 := strings.Cut(after, "<!-- /features -->")
	if !ok || !ok2 {
		t.Fatal("README.md has no feature table between the features comments")
	}
	systems := map[string]int{}
	for _, line := range strings.Split(table, "\n")[3:] {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) < 3 {
			continue
		}
		state := strings.TrimSpace(cells[2])
		systems[strings.TrimSpace(cells[0])]++
		match := link.FindStringSubmatch(state)
		switch {
		case match != nil && !strings.Contains(match[1], "test") && match[1] != "tools/pythons.py":
			t.Errorf("the row %q links %s, which is no test", line, match[1])
		case match == nil && state != "next" && !strings.HasPrefix(state, "not planned: "):
			t.Errorf("the row %q is %q; expected a link to a test, next, or what happens instead", line, state)
		}
	}
	for _, system := range []string{"AimRT", "aiomas", "Aduib", "all"} {
		if systems[system] == 0 {
			t.Errorf("the feature table has no row for %s", system)
		}
	}
}
