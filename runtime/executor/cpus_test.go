package executor

import "testing"

func TestCountCPUs(t *testing.T) {
	for _, tt := range []struct {
		list string
		want int
		ok   bool
	}{
		{"0", 1, true}, {"0-3", 4, true}, {"0-3,8,10-11", 7, true}, {"", 0, false}, {"3-0", 0, false}, {"a", 0, false}, {"0-", 0, false},
	} {
		if got, ok := countCPUs(tt.list); got != tt.want || ok != tt.ok {
			t.Errorf("%q gives %d, %v, want %d, %v", tt.list, got, ok, tt.want, tt.ok)
		}
	}
}
