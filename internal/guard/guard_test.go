package guard

import (
	"strings"
	"testing"
)

func TestGo_PanicInGoroutine_IsReportedAndCounted(t *testing.T) {
	got := make(chan string, 1)
	SetReport(func(place string, value any, stack []byte) {
		got <- place + "|" + value.(string) + "|" + string(stack)
	})
	defer SetReport(nil)
	Go("guard test", func() { panic("boom") })
	text := <-got
	if !strings.HasPrefix(text, "guard test|boom|") || !strings.Contains(text, "guard_test.go") {
		t.Fatalf("report %q does not name place, value and stack", text)
	}
	if Panics()["guard test"] != 1 {
		t.Fatalf("panic count is %d, want 1", Panics()["guard test"])
	}
}
