package logging

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/config"
)

// output is a writer that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func load(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Source{Text: text, Name: "t.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var fixed = time.Date(2024, 3, 15, 4, 5, 6, 7000, time.Local)

// manager makes a Manager on a fixed clock whose outputs are kept.
func manager(t testing.TB, o Options) (m *Manager, stdout, stderr *output) {
	t.Helper()
	stdout, stderr = &output{}, &output{}
	o.Stdout, o.Stderr = stdout, stderr
	if o.Now == nil {
		o.Now = func() time.Time { return fixed }
	}
	before := guard.Live()
	m = New(o)
	t.Cleanup(func() {
		_ = m.Close()
		// guard counts a goroutine down just after it has told that it stopped.
		for end := time.Now().Add(10 * time.Second); guard.Live() > before; runtime.Gosched() {
			if time.Now().After(end) {
				t.Errorf("%d goroutines left", guard.Live()-before)
				return
			}
		}
	})
	return m, stdout, stderr
}

const consoleYAML = "aimrt: {log: {backends: [{type: console, options: {color: false}}]}}"

func TestManager_BeforeAndAfterBackends_WritesToStderr(t *testing.T) {
	m, stdout, stderr := manager(t, Options{})
	l := m.Core("core")
	l.Write(Record{Level: Trace, Line: 7, ThreadID: 9, File: "/x/f.go", Function: "F", Text: "early"})
	if want := "[2024-03-15 04:05:06.000007][Trace][9][/x/f.go:7 @F]early\n"; stderr.String() != want {
		t.Errorf("before: %q, want %q", stderr.String(), want)
	}
	if err := m.Configure(load(t, consoleYAML)); err != nil {
		t.Fatal(err)
	}
	l.Write(Record{Level: Debug, Text: "below core_lvl"})
	l.Write(Record{Level: Info, Line: 7, ThreadID: 9, File: "/x/f.go", Function: "F", Text: "up"})
	if !m.Flush(time.Minute) {
		t.Fatal("no flush")
	}
	if want := "[2024-03-15 04:05:06.000007][Info][9][core][/x/f.go:7 @F]up\n"; stdout.String() != want {
		t.Errorf("console: %q, want %q", stdout.String(), want)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	l.Write(Record{Level: Info, ThreadID: 9, Text: "late"})
	if !strings.HasSuffix(stderr.String(), "[Info][9][:0 @]late\n") || strings.Count(stdout.String(), "\n") != 1 {
		t.Errorf("after: %q %q", stderr.String(), stdout.String())
	}
	if err := m.Configure(load(t, consoleYAML)); err == nil {
		t.Error("Configure after Close must fail")
	}
	if err := m.Close(); err != nil {
		t.Error("a second Close must be quiet:", err)
	}
}

func TestManager_NoBackend_WarnsOnceThenSilent(t *testing.T) {
	m, stdout, stderr := manager(t, Options{})
	if err := m.Configure(load(t, "")); err != nil {
		t.Fatal(err)
	}
	m.Core("core").Log(Error, 1, "f", "g", "nobody reads this")
	if !strings.HasSuffix(stderr.String(), "aimrt.log.backends lists no backend: further log lines are dropped\n") || strings.Count(stderr.String(), "\n") != 1 || stdout.String() != "" {
		t.Errorf("%q %q", stderr.String(), stdout.String())
	}
}

func TestManager_Levels_PerModule(t *testing.T) {
	m, stdout, _ := manager(t, Options{})
	early := m.Module("quiet")
	if early.Level().Load() != int32(Trace) {
		t.Errorf("level before Configure: %d", early.Level().Load())
	}
	c := load(t, `aimrt:
  log: {core_lvl: warn, default_module_lvl: DEBUG, backends: [{type: console, options: {color: false, pattern: "%n %l %v"}}]}
  module: {modules: [{name: quiet, log_lvl: Off}, {name: quiet, log_lvl: Trace}, {name: plain}]}
`)
	if err := m.Configure(c); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Logger{early, m.Module("plain"), m.Core("net_plugin")} {
		for level := Trace; level <= Off; level++ {
			l.Log(level, 0, "", "", "x")
			if l.Enabled(level) && level == Off {
				t.Error("a line of level Off")
			}
		}
		l.Write(Record{Level: 99})
		l.Write(Record{Level: -1})
	}
	m.Flush(time.Minute)
	want := "plain Debug x\nplain Info x\nplain Warn x\nplain Error x\nplain Fatal x\nnet_plugin Warn x\nnet_plugin Error x\nnet_plugin Fatal x\n"
	if stdout.String() != want {
		t.Errorf("got %q", stdout.String())
	}
	if first, again := m.Module("plain"), m.Module("plain"); first != again || first.Name() != "plain" {
		t.Error("a name must give one Logger")
	}
	if err := m.SetLevel("plain", Error); err != nil || m.Levels()["plain"] != Error || m.Levels()["quiet"] != Off {
		t.Errorf("%v %v", err, m.Levels())
	}
	for name, want := range map[string]string{"plane": `no logger "plane", did you mean "plain"?`, "zzzzzzzz": `no logger "zzzzzzzz"; known: ["core" "net_plugin" "plain" "quiet"]`} {
		m.Core("core")
		if err := m.SetLevel(name, Info); err == nil || err.Error() != want {
			t.Errorf("SetLevel(%q): %v", name, err)
		}
	}
	m.SetLevels(load(t, "aimrt: {log: {default_module_lvl: Fatal}}"))
	if got := m.Levels(); got["plain"] != Fatal || got["quiet"] != Fatal || got["core"] != Info {
		t.Errorf("after a reload: %v", got)
	}
}

func TestManager_LevelWord_MayBeForeignMemory(t *testing.T) {
	var words [4]atomic.Int32
	next := 0
	m, _, stderr := manager(t, Options{NewLevel: func() *atomic.Int32 { next++; return &words[next-1] }})
	l := m.Module("a")
	words[0].Store(int32(Off))
	l.Log(Fatal, 0, "", "", "not seen")
	if l.Level() != &words[0] || stderr.String() != "" {
		t.Errorf("%q", stderr.String())
	}
}

func TestManager_Configure_Errors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ backends, want string }{
		{"[{type: consol}]", `t.yaml:1:33: aimrt.log.backends[0].type: unknown log backend "consol", did you mean "console"? known: console, rotate_file, topic_logger`},
		{"[{type: console}, {type: console}]", `aimrt.log.backends[1].type: log backend "console" may be listed only once`},
		{"[{type: console, options: {color: blue}}]", `aimrt.log.backends[0].options.color: expected true or false, got "blue"`},
		{"[{type: console, options: {module_filter: '(?!x)'}}]", `look-ahead`},
		{"[{type: rotate_file, options: {path: " + file + "/x}}]", `aimrt.log.backends[0].options: log file ` + file + `/x/aimrt.log: mkdir`},
		{"[{type: rotate_file, options: {filename: a/b}}]", `options.filename: expected a file name without a directory, got "a/b"`},
		{"[{type: rotate_file, options: {max_file_size_m: 0}}]", `options.max_file_size_m: expected at least 1 (MiB), got 0`},
		{"[{type: rotate_file, options: {enable_sync: yes, sync_interval_ms: 0}}]", `options.sync_interval_ms: expected at least 1, got 0`},
		{"[{type: rotate_file, options: {path: " + dir + "}}, {type: rotate_file, options: {path: " + dir + "/.}}]", `aimrt.log.backends[1]: log file ` + dir + `/aimrt.log is written by another backend already`},
	} {
		m, _, _ := manager(t, Options{})
		err := m.Configure(load(t, "aimrt: {log: {backends: "+c.backends+"}}"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.backends, err, c.want)
		}
		if err := m.Configure(load(t, consoleYAML)); err != nil {
			t.Errorf("after a failed Configure: %v", err)
		}
		if err := m.Configure(load(t, consoleYAML)); err == nil {
			t.Error("a second Configure must fail")
		}
	}
}

func TestManager_ToleratedOptions_AreKnown(t *testing.T) {
	m, stdout, _ := manager(t, Options{})
	c := load(t, "aimrt: {log: {enable_crash_log: true, backends: [{type: console, options: {color: false}}, {type: topic_logger, options: {a: 1}}]}}")
	if err := m.Configure(c); err != nil {
		t.Fatal(err)
	}
	f := c.Findings()
	if len(f) != 1 || f[0].Text != "- Ignored: 'aimrt.log.backends[1]', channels are not part of this library!" {
		t.Errorf("findings %v", f)
	}
	m.Flush(time.Minute)
	if !strings.Contains(stdout.String(), "enable_crash_log has no effect") || fmt.Sprint(m.Backends()) != "[console]" {
		t.Errorf("%q %v", stdout.String(), m.Backends())
	}
}

func TestConsole_ColorsAndFilter(t *testing.T) {
	m, stdout, _ := manager(t, Options{})
	c := load(t, `aimrt: {log: {default_module_lvl: Trace, backends: [{type: console, options: {pattern: "%v", module_filter: "a|b.*"}}]}}`)
	if err := m.Configure(c); err != nil {
		t.Fatal(err)
	}
	for level := Trace; level < Off; level++ {
		m.Module("a").Log(level, 0, "", "", "L")
	}
	for _, name := range []string{"ab", "b", "bcd", "A", "ab", "bcd"} {
		m.Module(name).Log(Trace, 0, "", "", name)
	}
	m.Flush(time.Minute)
	want := "L\n\x1b[0;34mL\x1b[0m\n\x1b[0;32mL\x1b[0m\n\x1b[1;33mL\x1b[0m\n\x1b[0;35mL\x1b[0m\n\x1b[0;31mL\x1b[0m\nb\nbcd\nbcd\n"
	if stdout.String() != want {
		t.Errorf("got %q", stdout.String())
	}
}

func TestFilter_Cache_IsBounded(t *testing.T) {
	p, _ := config.NewPattern("m.*")
	f := newFilter(p)
	for i := range maxFilterCached + 10 {
		if !f.accepts(fmt.Sprint("m", i)) || f.accepts(fmt.Sprint("n", i)) {
			t.Fatal("wrong result")
		}
	}
	if len(f.cache) > maxFilterCached {
		t.Errorf("%d names cached", len(f.cache))
	}
}

func TestLogger_ThreadID_IsTheCallers(t *testing.T) {
	got := make(chan uint32, 1)
	m, _, _ := manager(t, Options{Sink: func(r *Record) { got <- r.ThreadID }})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	m.Module("a").Log(Info, 0, "", "", "x")
	if id := <-got; id != uint32(syscall.Gettid()) {
		t.Errorf("thread %d, want %d", id, syscall.Gettid())
	}
}

func TestSink_GetsEveryLine_AndMayPanic(t *testing.T) {
	var mu sync.Mutex
	var got []string
	m, stdout, stderr := manager(t, Options{Sink: func(r *Record) {
		mu.Lock()
		got = append(got, r.Logger+":"+r.Text)
		mu.Unlock()
		if r.Text == "bad" {
			panic("sink")
		}
	}})
	l := m.Module("m")
	l.Log(Trace, 0, "", "", "early")
	if err := m.Configure(load(t, consoleYAML)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"bad", "good"} {
		l.Log(Info, 0, "", "", s)
	}
	m.Flush(time.Minute)
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(got) != "[m:early m:bad m:good]" || stdout.String()+stderr.String() != "" || fmt.Sprint(m.Backends()) != "[sink]" {
		t.Errorf("%v %q %q %v", got, stdout.String(), stderr.String(), m.Backends())
	}
}

func TestSlog_WritesMessageAttributesAndPlace(t *testing.T) {
	got := make(chan Record, 20)
	m, _, _ := manager(t, Options{Sink: func(r *Record) { got <- *r }})
	log := m.Slog("core")
	_, file, line, _ := runtime.Caller(0)
	log.With("a", 1).WithGroup("g").With("b", "x y").Warn("text", "c", true, slog.Group("h", "d", "", "e", "1=2"), slog.Group("", "i", time.Second), slog.Attr{})
	r := <-got
	if want := `text a=1 g.b="x y" g.c=true g.h.d="" g.h.e="1=2" g.i=1s`; r.Text != want || r.Level != Warn || r.Logger != "core" {
		t.Errorf("got %q %v, want %q", r.Text, r.Level, want)
	}
	if r.File != file || r.Line != uint32(line+1) || r.Function != "logging.TestSlog_WritesMessageAttributesAndPlace" || r.ThreadID == 0 {
		t.Errorf("place %s:%d %s thread %d", r.File, r.Line, r.Function, r.ThreadID)
	}
	for level, want := range map[slog.Level]Level{-8: Trace, -4: Debug, 0: Info, 2: Info, 4: Warn, 8: Error, 12: Fatal} {
		log.Log(t.Context(), level, "x")
		if r := <-got; r.Level != want {
			t.Errorf("slog level %d gave %v, want %v", level, r.Level, want)
		}
	}
	_ = m.SetLevel("core", Warn)
	if log.Enabled(t.Context(), slog.LevelInfo) || !log.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("Enabled does not follow the level")
	}
}

func TestQueue_Full_WaitsBrieflyThenDropsAndReports(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var lines []string
	var once sync.Once
	sink := &sinkBackend{func(r *Record) {
		once.Do(func() { close(entered); <-release })
		lines = append(lines, r.Text)
	}}
	q := newQueue(3)
	w := startWriter(q, []backend{sink}, time.Hour, time.Now, nil)
	q.add(&Record{Text: "blocks the writer"})
	<-entered
	for i := range 3 {
		if r := q.add(&Record{Text: fmt.Sprint(i)}); r != putDone {
			t.Fatalf("line %d: %v", i, r)
		}
	}
	start := time.Now()
	for range 2 {
		if r := q.add(&Record{Text: "lost"}); r != putDropped {
			t.Fatalf("full queue: %v", r)
		}
	}
	if d := time.Since(start); d < 2*MaxPutWait {
		t.Errorf("gave up after %v, want 2 x %v", d, MaxPutWait)
	}
	waiting := make(chan putResult)
	guard.Go("test", func() { waiting <- q.add(&Record{Text: "may get in"}) })
	close(release)
	<-waiting // either way: it depends on who is faster
	q.close()
	<-w.stopped
	report := ""
	for _, l := range lines {
		if strings.Contains(l, "log lines dropped: the queue of 3 lines was full") {
			report += l
		}
	}
	if !regexp.MustCompile(`^[23] log lines dropped`).MatchString(report) || lines[0] != "blocks the writer" || lines[3] != "2" {
		t.Errorf("lines %q", lines)
	}
	if r := q.add(&Record{}); r != putClosed {
		t.Errorf("closed queue: %v", r)
	}
}

func TestQueue_Bytes_AreLimited(t *testing.T) {
	q := newQueue(1000)
	big := strings.Repeat("x", MaxTextBytes)
	n := 0
	for q.add(&Record{Text: big}) == putDone {
		n++
	}
	if n != MaxQueuedBytes/(MaxTextBytes+recordOverhead) {
		t.Errorf("%d records of %d bytes got in", n, MaxTextBytes)
	}
}

func TestLogger_LongText_IsCut(t *testing.T) {
	got := make(chan string, 1)
	m, _, _ := manager(t, Options{Sink: func(r *Record) { got <- r.Text }})
	m.Module("a").Log(Info, 0, "", "", strings.Repeat("é", MaxTextBytes))
	if s := <-got; len(s) > MaxTextBytes+40 || !strings.HasSuffix(s, "é... (1048576 bytes cut)") {
		t.Errorf("%d bytes, end %q", len(s), s[len(s)-40:])
	}
}

func TestManager_ParallelCallers_NothingLostNothingTorn(t *testing.T) {
	m, stdout, stderr := manager(t, Options{})
	c := load(t, `aimrt: {guard_thread: {queue_threshold: 100}, log: {backends: [{type: console, options: {color: false, pattern: "<%n %v>"}}]}}`)
	if err := m.Configure(c); err != nil {
		t.Fatal(err)
	}
	const callers, lines = 8, 500
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			l := m.Module(fmt.Sprint("m", i))
			for j := range lines {
				l.Log(Info, 0, "", "", fmt.Sprint(j))
				if j == lines/2 {
					m.SetLevels(c)
				}
			}
		})
	}
	wg.Wait()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	seen, last, dropped := 0, map[string]int{}, 0
	for _, line := range strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n") {
		var name string
		var n int
		if _, err := fmt.Sscanf(line, "<core %d log lines dropped", &n); err == nil {
			dropped += n
			continue
		}
		if _, err := fmt.Sscanf(line, "<%s %d>", &name, &n); err != nil {
			t.Fatalf("torn line %q", line)
		}
		if prev, ok := last[name]; ok && n <= prev {
			t.Errorf("%s: line %d after %d", name, n, prev)
		}
		last[name] = n
		seen++
	}
	if seen+dropped != callers*lines || stderr.String() != "" {
		t.Errorf("%d lines and %d drops of %d; stderr %q", seen, dropped, callers*lines, stderr.String())
	}
}

type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.release; return len(p), nil }

func TestManager_CloseAndFlush_StuckBackend_GiveUp(t *testing.T) {
	out := stuck{make(chan struct{})}
	m := New(Options{Stdout: out, Stderr: &output{}})
	m.closeWait = 20 * time.Millisecond
	if err := m.Configure(load(t, consoleYAML)); err != nil {
		t.Fatal(err)
	}
	w := m.writer
	m.Core("core").Log(Info, 0, "", "", "x")
	if m.Flush(10 * time.Millisecond) {
		t.Error("Flush says that a stuck backend took the line")
	}
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "given up after 20ms") {
		t.Error(err)
	}
	close(out.release)
	<-w.stopped
}

func TestFD_PipeGetsLines_ClosedPipeIsReported(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m, _, stderr := manager(t, Options{FD: int(w.Fd())})
	m.Module("m").Write(Record{Level: Info, ThreadID: 3, File: "f", Line: 1, Function: "g", Text: "via pipe"})
	buf := make([]byte, 200)
	n, err := r.Read(buf)
	if want := "[2024-03-15 04:05:06.000007][Info][3][m][f:1 @g]via pipe\n"; string(buf[:n]) != want || err != nil {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	fd := int(w.Fd())
	w.Close()
	m.Module("m").Log(Info, 0, "", "", "a")
	m.Flush(time.Minute)
	m.Module("m").Log(Info, 0, "", "", "b")
	m.Flush(time.Minute)
	if want := fmt.Sprintf("log backend fd: lines lost: descriptor %d: bad file descriptor\n", fd); strings.Count(stderr.String(), want) != 1 {
		t.Errorf("stderr %q, want once %q", stderr.String(), want)
	}
}

func TestFDWriter_FullPipe_GivesUp(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	n, err := fdWriter(fds[1]).Write(make([]byte, 1<<20))
	if err == nil || n == 0 || n == 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
