package logging

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"aimrtrpc/runtime/config"
)

// rotateOptions are the options of the log backend "rotate_file".
type rotateOptions struct {
	Path                string         `cfg:"path"`
	Filename            string         `cfg:"filename"`
	MaxFileSizeM        uint32         `cfg:"max_file_size_m"`
	MaxFileNum          uint32         `cfg:"max_file_num"` // with the current file; 0 = no limit
	ModuleFilter        config.Pattern `cfg:"module_filter"`
	Pattern             string         `cfg:"pattern"`
	EnableSync          bool           `cfg:"enable_sync"`
	SyncIntervalMS      uint32         `cfg:"sync_interval_ms"`
	SyncExecutorName    string         `cfg:"sync_executor_name"` // accepted; the log goroutine keeps the time itself
	SuffixWithTimestamp bool           `cfg:"suffix_with_timestamp"`
}

func defaultRotateOptions() rotateOptions {
	return rotateOptions{Path: "./log", Filename: "aimrt.log", MaxFileSizeM: 16, MaxFileNum: 100, ModuleFilter: config.AnyName,
		SyncIntervalMS: 30000, SuffixWithTimestamp: true}
}

// Validate implements config.Validator.
func (o *rotateOptions) Validate(n config.Node) error {
	switch {
	case o.Filename == "" || strings.ContainsAny(o.Filename, "/\x00"):
		return n.Field("filename").Errorf("expected a file name without a directory, got %q", o.Filename)
	case o.MaxFileSizeM == 0:
		return n.Field("max_file_size_m").Errorf("expected at least 1 (MiB), got 0")
	case o.EnableSync && o.SyncIntervalMS == 0:
		return n.Field("sync_interval_ms").Errorf("expected at least 1, got 0")
	}
	return nil
}

// rotateBackend writes lines to a file. A full file is renamed to
// <filename>_<time>_<n>, or <filename>_<n> without the time; n grows.
type rotateBackend struct {
	o        rotateOptions
	filter   filter
	layout   *layout
	file     *os.File
	size     int64 // of the file
	maxBytes int64
	limit    int64 // size at which to rotate; beyond maxBytes after a failed rotation
	next     int   // number of the next renamed file
	buf      []byte
	dirty    bool // written since the last sync
	failed   bool
	now      func() time.Time
	report   func(format string, args ...any)
}

func newRotate(o rotateOptions, now func() time.Time, report func(string, ...any)) (*rotateBackend, error) {
	b := &rotateBackend{o: o, filter: newFilter(o.ModuleFilter), layout: parseLayout(o.Pattern),
		maxBytes: int64(o.MaxFileSizeM) << 20, now: now, report: report}
	b.limit = b.maxBytes
	if err := os.MkdirAll(o.Path, 0o755); err != nil {
		return nil, err
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	b.next = 1
	if old := b.rotated(); len(old) > 0 {
		b.next = old[len(old)-1].number + 1
	}
	return b, nil
}

func (b *rotateBackend) path() string { return filepath.Join(b.o.Path, b.o.Filename) }

// open opens the current file, an existing one to append to it.
func (b *rotateBackend) open() error {
	f, err := os.OpenFile(b.path(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	if b.file != nil {
		_ = b.file.Close()
	}
	b.file, b.size = f, st.Size()
	return nil
}

func (b *rotateBackend) write(r *Record) {
	if !b.filter.accepts(r.Logger) {
		return
	}
	start := len(b.buf)
	b.buf = append(b.layout.append(b.buf, r), '\n')
	if before := b.size + int64(start); before > 0 && b.size+int64(len(b.buf)) > b.limit {
		line := append([]byte(nil), b.buf[start:]...)
		b.buf = b.buf[:start]
		b.flush()
		b.rotate()
		b.buf = append(b.buf, line...)
	}
	if len(b.buf) >= flushBytes {
		b.flush()
	}
}

func (b *rotateBackend) flush() {
	if len(b.buf) == 0 {
		return
	}
	n, err := b.file.Write(b.buf)
	b.size += int64(n)
	b.dirty = true
	if err != nil && !b.failed {
		b.report("log file %s: lines lost: %v", b.path(), err)
	}
	b.failed = err != nil
	b.buf = shrink(b.buf)
}

// rotate renames the full file and opens a new one. When that is not possible the
// lines go on into the old one, and the next try comes a file size later.
func (b *rotateBackend) rotate() {
	b.limit = b.size + b.maxBytes
	b.sync()
	target := b.freeName()
	if err := os.Rename(b.path(), target); err != nil {
		b.report("log file %s cannot be rotated: %v", b.path(), err)
		return
	}
	if err := b.open(); err != nil {
		b.report("log file %s cannot be opened, lines go to %s: %v", b.path(), target, err)
		return
	}
	b.limit = b.maxBytes
	if b.o.MaxFileNum == 0 {
		return
	}
	old := b.rotated()
	for i := 0; i < len(old)-int(b.o.MaxFileNum-1); i++ {
		if err := os.Remove(filepath.Join(b.o.Path, old[i].name)); err != nil {
			b.report("old log file cannot be removed: %v", err)
		}
	}
}

func (b *rotateBackend) freeName() string {
	base := b.path() + "_"
	if b.o.SuffixWithTimestamp {
		base += b.now().Format("20060102_150405") + "_"
	}
	for {
		name := base + strconv.Itoa(b.next)
		b.next++
		if _, err := os.Lstat(name); err != nil {
			return name
		}
	}
}

type rotatedFile struct {
	name   string
	number int
}

// rotated lists the renamed files, the oldest first.
func (b *rotateBackend) rotated() []rotatedFile {
	entries, err := os.ReadDir(b.o.Path)
	if err != nil {
		return nil
	}
	var out []rotatedFile
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), b.o.Filename+"_")
		if !ok || e.IsDir() {
			continue
		}
		parts := strings.Split(rest, "_")
		if len(parts) != 1 && (len(parts) != 3 || len(parts[0]) != 8 || len(parts[1]) != 6) {
			continue
		}
		number, err := strconv.Atoi(parts[len(parts)-1])
		if err == nil && allDigits(strings.Join(parts, "")) {
			out = append(out, rotatedFile{e.Name(), number})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].number < out[j].number })
	return out
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func (b *rotateBackend) sync() {
	if b.dirty {
		if err := b.file.Sync(); err != nil && !b.failed {
			b.report("log file %s: %v", b.path(), err)
		}
		b.dirty = false
	}
}

func (b *rotateBackend) close() {
	b.flush()
	b.sync()
	_ = b.file.Close()
}

func (b *rotateBackend) kind() string { return "rotate_file" }

func (b *rotateBackend) syncEvery() time.Duration {
	if !b.o.EnableSync {
		return 0
	}
	return time.Duration(b.o.SyncIntervalMS) * time.Millisecond
}
