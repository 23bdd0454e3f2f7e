package conformance

import (
	"fmt"
	"io"
	"slices"
)

// count of results.
type count struct{ passed, failed int }

func (c *count) add(r Result) {
	if r.Err == nil {
		c.passed++
	} else {
		c.failed++
	}
}

// WriteTable writes the counts per suite and per value of every axis, and the closing line. It gives the number of failures.
func WriteTable(w io.Writer, results []Result) int {
	var total count
	suites, axes := map[string]*count{}, make([]map[string]*count, len(axisNames))
	var suiteOrder []string
	valueOrder := make([][]string, len(axisNames))
	note := func(m map[string]*count, order *[]string, key string, r Result) {
		if m[key] == nil {
			m[key] = &count{}
			*order = append(*order, key)
		}
		m[key].add(r)
	}
	for i := range axes {
		axes[i] = map[string]*count{}
	}
	for _, r := range results {
		total.add(r)
		note(suites, &suiteOrder, r.Suite, r)
		if r.Combination != nil {
			for i, value := range r.Combination.values() {
				note(axes[i], &valueOrder[i], value, r)
			}
		}
	}
	row := func(kind, name string, c *count) {
		fmt.Fprintf(w, "  %-14s %-14s %6d %6d\n", kind, name, c.passed, c.failed)
	}
	fmt.Fprintf(w, "  %-14s %-14s %6s %6s\n", "", "", "passed", "failed")
	for _, name := range suiteOrder {
		row("suite", name, suites[name])
	}
	for i, axis := range axisNames {
		slices.Sort(valueOrder[i])
		for _, value := range valueOrder[i] {
			row(axis, value, axes[i][value])
		}
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", total.passed, total.failed)
	return total.failed
}
