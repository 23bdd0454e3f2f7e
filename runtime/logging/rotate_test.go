package logging

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aimrtrpc/runtime/config"
)

func rotator(t *testing.T, dir string, change func(*rotateOptions)) (*rotateBackend, *[]string) {
	t.Helper()
	o := defaultRotateOptions()
	o.Path, o.Filename, o.Pattern = dir, "x.log", "%v"
	if change != nil {
		change(&o)
	}
	var reports []string
	b, err := newRotate(o, func() time.Time { return fixed }, func(f string, a ...any) { reports = append(reports, fmt.Sprintf(f, a...)) })
	if err != nil {
		t.Fatal(err)
	}
	b.maxBytes, b.limit = 10, 10 // MiB would make the test slow
	return b, &reports
}

func logLines(b *rotateBackend, texts ...string) {
	for _, s := range texts {
		b.write(&Record{Logger: "m", Text: s, Time: fixed})
		b.flush()
	}
}

// content gives "name: text" of every file, sorted by name.
func content(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		data, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		out = append(out, e.Name()+": "+strings.ReplaceAll(string(data), "\n", "|"))
	}
	return strings.Join(out, "\n")
}

func TestRotate_FullFile_IsRenamedAndOldestRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	b, reports := rotator(t, dir, func(o *rotateOptions) { o.MaxFileNum = 3; o.SuffixWithTimestamp = false })
	logLines(b, "one", "two", "three", "four", "a line longer than the limit", "five")
	b.close()
	want := "x.log: five|\nx.log_3: four|\nx.log_4: a line longer than the limit|"
	if got := content(t, dir); got != want || len(*reports) != 0 {
		t.Errorf("got\n%s\nwant\n%s\nreports %v", got, want, *reports)
	}
	b, _ = rotator(t, dir, func(o *rotateOptions) { o.MaxFileNum = 1; o.SuffixWithTimestamp = false })
	logLines(b, "six", "seven")
	b.close()
	if got := content(t, dir); got != "x.log: seven|" {
		t.Errorf("max_file_num 1:\n%s", got)
	}
}

func TestRotate_Timestamp_NumbersGoOnAndForeignFilesStay(t *testing.T) {
	dir := t.TempDir()
	keep := []string{"x.log_old", "x.log_1_2", "x.log_20240315_040506_x", "x.log.1", "y.log_9", "x.log_-5"}
	for _, name := range append(keep, "x.log_20200101_000000_7") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, reports := rotator(t, dir, func(o *rotateOptions) { o.MaxFileNum = 2 })
	logLines(b, "12345678", "abc")
	logLines(b, "12345678", "abc")
	b.close()
	got := content(t, dir)
	for _, name := range keep {
		if !strings.Contains(got, name+":") {
			t.Errorf("%s was removed", name)
		}
	}
	if !strings.Contains(got, "x.log_20240315_040506_10: 12345678|") || strings.Contains(got, "_7:") || strings.Contains(got, "_9: abc") || len(*reports) != 0 {
		t.Errorf("%s\n%v", got, *reports)
	}
	unlimited, _ := rotator(t, dir, func(o *rotateOptions) { o.MaxFileNum = 0 })
	for range 5 {
		logLines(unlimited, "12345678", "abc")
	}
	unlimited.close()
	if n := strings.Count(content(t, dir), "x.log_20240315_040506_1"); n < 10 {
		t.Errorf("max_file_num 0 kept %d files", n)
	}
}

func TestRotate_ExistingFile_IsContinued(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []string{"a", "b"} {
		b, _ := rotator(t, dir, nil)
		logLines(b, s)
		b.close()
	}
	if got := content(t, dir); got != "x.log: a|b|" {
		t.Error(got)
	}
}

func TestRotate_DirectoryGone_KeepsWritingAndReports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	b, reports := rotator(t, dir, nil)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	logLines(b, "12345678", "abc", "def", "ghi")
	if len(*reports) != 2 || !strings.Contains((*reports)[0], "cannot be rotated") || b.size != 21 {
		t.Errorf("size %d, reports %q", b.size, *reports)
	}
	b.close()
	b.buf = append(b.buf, "x"...)
	b.flush()
	b.buf = append(b.buf, "y"...)
	b.flush()
	if len(*reports) != 3 || !strings.Contains((*reports)[2], "lines lost") {
		t.Errorf("reports %q", *reports)
	}
}

func TestRotate_ThroughConfiguration_FilterAndSync(t *testing.T) {
	dir := t.TempDir()
	synced := make(chan struct{}, 100)
	var times int64
	now := func() time.Time { times++; return fixed.Add(time.Duration(times) * time.Second) }
	m, _, stderr := manager(t, Options{})
	err := m.Configure(load(t, `aimrt: {log: {backends: [
  {type: rotate_file, options: {path: `+dir+`, filename: a.log, pattern: "%v", module_filter: "a"}},
  {type: rotate_file, options: {path: `+dir+`, filename: b.log, pattern: "%n:%v", enable_sync: true, sync_interval_ms: 1, sync_executor_name: x}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	m.Module("a").Log(Info, 0, "", "", "one")
	m.Module("b").Log(Info, 0, "", "", "two")
	if !m.Flush(time.Minute) {
		t.Fatal("no flush")
	}
	if got := content(t, dir); got != "a.log: one|\nb.log: a:one|b:two|" || stderr.String() != "" {
		t.Errorf("%s %s", got, stderr.String())
	}
	// The writer calls sync of the backends that ask for it, also while it is busy.
	o := defaultRotateOptions()
	o.Path, o.EnableSync, o.SyncIntervalMS, o.ModuleFilter = dir, true, 1000, config.AnyName
	b, err := newRotate(o, now, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(10)
	w := startWriter(q, []backend{&countingSync{b, synced}}, time.Second, now, nil)
	q.add(&Record{Text: "x"})
	<-synced
	q.close()
	<-w.stopped
}

type countingSync struct {
	*rotateBackend
	synced chan struct{}
}

func (c *countingSync) sync() {
	c.rotateBackend.sync()
	c.synced <- struct{}{}
}
