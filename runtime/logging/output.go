package logging

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"aimrtrpc/runtime/config"
)

const (
	flushBytes      = 64 << 10               // a backend's buffer is written out beyond this
	maxWriteStall   = 100 * time.Millisecond // how long a full non-blocking pipe is waited for
	maxFilterCached = 4096                   // logger names whose filter result is kept
)

// backend writes records; only the writing goroutine calls it.
type backend interface {
	write(r *Record)
	flush() // after each batch
	sync()  // to the disk, when the backend asks for it
	close() // flush, sync, release
	kind() string
	syncEvery() time.Duration // 0 = never
}

// fdWriter writes to a descriptor that it does not own. It is not an os.File,
// because that closes the descriptor when collected and turns a broken pipe on
// descriptors 1 and 2 into the end of the process.
type fdWriter int

func (fd fdWriter) Write(p []byte) (int, error) {
	written := 0
	var stalled time.Duration
	for written < len(p) {
		n, err := syscall.Write(int(fd), p[written:])
		if n > 0 {
			written += n
			stalled = 0
			continue
		}
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN) && stalled < maxWriteStall:
			time.Sleep(time.Millisecond)
			stalled += time.Millisecond
		case err != nil:
			return written, fmt.Errorf("descriptor %d: %w", int(fd), err)
		default:
			return written, fmt.Errorf("descriptor %d: nothing written", int(fd))
		}
	}
	return written, nil
}

// filter is a module_filter with its results by logger name.
type filter struct {
	pattern config.Pattern
	all     bool
	cache   map[string]bool
}

func newFilter(p config.Pattern) filter {
	return filter{pattern: p, all: p.String() == "(.*)" || p.String() == ".*", cache: map[string]bool{}}
}

func (f *filter) accepts(name string) bool {
	if f.all {
		return true
	}
	ok, known := f.cache[name]
	if !known {
		ok = f.pattern.Match(name)
		if len(f.cache) >= maxFilterCached {
			clear(f.cache)
		}
		f.cache[name] = ok
	}
	return ok
}
