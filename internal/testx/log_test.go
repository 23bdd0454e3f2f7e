package testx

import (
	"strings"
	"sync"
	"testing"
)

func TestLog_ManyWriters_KeepsEveryLine(t *testing.T) {
	var log Log
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { log.Logger().Info("line", "key", "value"); log.Logger().Debug("hidden") })
	}
	all.Wait()
	if text := log.String(); strings.Count(text, "msg=line key=value\n") != 8 || strings.Contains(text, "hidden") {
		t.Errorf("the log is %q", text)
	}
}
