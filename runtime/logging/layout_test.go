package logging

import (
	"strings"
	"testing"
	"time"
)

var sampleTime = time.Date(2024, 3, 15, 4, 5, 6, 789_000, time.UTC)

func sample() *Record {
	return &Record{Time: sampleTime, Level: Warn, Line: 20, ThreadID: 1234, Logger: "mod", File: "/a/b/file.cpp", Function: "Run", Text: "hi %v"}
}

func format(pattern string, r *Record) string {
	l := parseLayout(pattern)
	l.zone = time.UTC
	return string(l.append(nil, r))
}

func TestLayout_EveryCode(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"", "[2024-03-15 04:05:06.000789][Warn][1234][mod][/a/b/file.cpp:20 @Run]hi %v"},
		{fallbackPattern, "[2024-03-15 04:05:06.000789][Warn][1234][/a/b/file.cpp:20 @Run]hi %v"},
		{"%c", "2024-03-15 04:05:06"}, {"%Y", "2024"}, {"%m", "03"}, {"%d", "15"}, {"%H", "04"}, {"%M", "05"}, {"%S", "06"},
		{"%D", "2024-03-15"}, {"%T", "04:05:06"}, {"%f", "000789"}, {"%A", "Friday"}, {"%a", "Fri"}, {"%l", "Warn"}, {"%t", "1234"},
		{"%n", "mod"}, {"%G", "file.cpp"}, {"%g", "/a/b/file.cpp"}, {"%R", "20"}, {"%F", "Run"}, {"%v", "hi %v"},
		{"%q%%x%", "q%x%"}, {"%%v", "%v"}, {"%é!", "é!"}, {"plain", "plain"}, {"%", "%"}, {"%v%v", "hi %vhi %v"},
	} {
		if got := format(c.pattern, sample()); got != c.want {
			t.Errorf("%q: %q, want %q", c.pattern, got, c.want)
		}
	}
	if got := format("%G", &Record{File: "name.c"}); got != "name.c" {
		t.Errorf("basename of a bare name: %q", got)
	}
}

func TestLayout_NewSecond_IsFormattedAnew(t *testing.T) {
	l := parseLayout("%T.%f")
	l.zone = time.UTC
	var got []string
	for _, d := range []time.Duration{0, time.Microsecond, time.Second, -time.Hour} {
		got = append(got, string(l.append(nil, &Record{Time: sampleTime.Add(d)})))
	}
	if want := "04:05:06.000789 04:05:06.000790 04:05:07.000789 03:05:06.000789"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// FuzzLayout: every pattern is valid, and text outside of codes is kept.
func FuzzLayout(f *testing.F) {
	for _, s := range []string{"", DefaultPattern, fallbackPattern, "%", "%%", "%q%é\xff%\xff", "100%"} {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		r := sample()
		r.Text = text
		got := format(pattern, r)
		if pattern == "" {
			return
		}
		if !strings.Contains(pattern, "%") && got != pattern {
			t.Fatalf("%q printed as %q", pattern, got)
		}
		if n := strings.Count(strings.ReplaceAll(pattern, "%%", ""), "%v"); n > 0 && !strings.Contains(got, text) {
			t.Fatalf("%q lost the text: %q", pattern, got)
		}
		if escaped := format(strings.ReplaceAll(pattern, "%", "%%"), r); escaped != pattern {
			t.Fatalf("%q escaped printed as %q", pattern, escaped)
		}
	})
}
