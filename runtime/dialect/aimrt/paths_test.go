package aimrt

import (
	"strings"
	"testing"
)

func TestPaths_FindAsAimRTDoes(t *testing.T) {
	var p Paths[int]
	names := []string{
		"/a.B/C", "/aXB/C", // the second is also what the first, as a pattern, means
		"/svc.*/Any", "/svc.one/Any", // the same for a pattern of another length
		"/broken[/X", "/a.B/C", "/x(1|2)/Y", "/one.two/Z", "/x.two/(Z|Q)",
	}
	for i, name := range names {
		p.Add(name, i)
	}
	for path, want := range map[string]int{ // index of the name, -1 for none
		"/a.B/C": 0, "/A.b/c": 0, "/aYB/C": 0,
		"/aXB/C":  1, // equal to the letter goes first
		"/axb/C":  0, // else the first registered
		"/a.B/CC": -1, "/a.B": -1, "/svc.one/Any": 3, "/svc.ONE/any": 2, "/svcXYZ/Any": 2, "/broken[/X": 4, "/x1/Y": 6, "/x(1|2)/Y": 6,
		"/X2/y": 6, "/x3/Y": -1, "/xAtwo/q": 8, "": -1, "/svc" + strings.Repeat("x", maxPatternPath) + "/Any": -1,
	} {
		for kind, find := range map[string]func() (int, bool){
			"text": func() (int, bool) { return p.Find(path) }, "bytes": func() (int, bool) { return p.FindBytes([]byte(path)) },
		} {
			if got, ok := find(); ok != (want >= 0) || ok && got != want {
				t.Errorf("%.40q as %s finds %d, %t, want %d", path, kind, got, ok, want)
			}
		}
	}
	var empty Paths[int]
	if _, ok := empty.Find("/a"); ok {
		t.Error("an empty table finds something")
	}
}
