package aiomas

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	root         = "../../.."
	requirements = "../aiomas-requirements.txt"
	// installAttempts and installTime bound the set-up of the real peer.
	installAttempts = 4
	installTime     = 5 * time.Minute
)

// python is the interpreter that has the real aiomas.
var python = sync.OnceValues(func() (string, error) {
	venv, err := filepath.Abs(filepath.Join(root, "build", "venv-aiomas"))
	if err != nil {
		return "", err
	}
	unlock, err := lock(venv + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	want, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	interpreter, mark := filepath.Join(venv, "bin", "python"), filepath.Join(venv, "installed.txt")
	if have, err := os.ReadFile(mark); err == nil && bytes.Equal(have, want) {
		return interpreter, nil
	}
	fmt.Fprintln(os.Stderr, "installing the real aiomas into build/venv-aiomas ...")
	var failed error
	for range installAttempts {
		if err = install(venv); err == nil {
			return interpreter, os.WriteFile(mark, want, 0o644)
		}
		failed = errors.Join(failed, err)
	}
	return "", failed
})

// lock keeps two test programs from setting up the same folder.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func install(venv string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	base := os.Getenv("PYTHON")
	if base == "" {
		base = "python3"
	}
	for _, args := range [][]string{
		{base, "-m", "venv", "--clear", venv},
		{filepath.Join(venv, "bin", "pip"), "install", "--quiet", "--retries", "5", "-r", requirements},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", args, err, out)
		}
	}
	return nil
}

func interpreter(t testing.TB) string {
	t.Helper()
	path, err := python()
	if err != nil {
		t.Fatalf("the real aiomas cannot be installed: %v", err)
	}
	return path
}
