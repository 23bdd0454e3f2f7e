package http

import (
	"fmt"
	"strings"
	"testing"
)

func TestFind_TakesPathsAsAimRTDoes(t *testing.T) {
	names := []string{
		"pb:/a.B/C", "pb:/aXB/C", // the second is also what the first, as a pattern, means
		"pb:/svc.*/Any", "pb:/svc.one/Any", // the same for a pattern of another length
		"pb:/broken[/X", "pb:/a.B/C", "pb:/x(1|2)/Y", "pb:/one.two/Z", "pb:/x.two/(Z|Q)",
	}
	var services []*service
	for i, name := range names {
		s, err := newService(i, newMethod(t, name, nil, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, s)
	}
	d := newDispatcher(services)
	tests := []struct {
		path string
		want int // index of the name, -1 for none
	}{
		{"/rpc/a.B/C", 0},
		{"/rpc/A.b/c", 0},
		{"/RPC/a.B/C", 0},
		{"/rpc/aYB/C", 0},
		{"/rpc/aXB/C", 1}, // equal to the letter goes first
		{"/rpc/axb/C", 0}, // else the first registered
		{"/rpc/a.B/CC", -1},
		{"/rpc/a.B", -1},
		{"/rpc/svc.one/Any", 3},
		{"/rpc/svc.ONE/any", 2},
		{"/rpc/svcXYZ/Any", 2},
		{"/rpc/broken[/X", 4},
		{"/rpc/x1/Y", 6},
		{"/rpc/x(1|2)/Y", 6},
		{"/rpc/X2/y", 6},
		{"/rpc/x3/Y", -1},
		{"/rpc/xAtwo/q", 8},
		{"", -1},
		{"/rpc/svc" + strings.Repeat("x", maxPatternPath) + "/Any", -1},
	}
	for _, tt := range tests {
		got := d.find([]byte(tt.path))
		switch {
		case tt.want < 0 && got != nil:
			t.Errorf("%.40q finds %q", tt.path, got.path)
		case tt.want >= 0 && (got == nil || got.order != tt.want):
			t.Errorf("%.40q finds %s, want %q", tt.path, text(got), names[tt.want])
		}
	}
}

func text(s *service) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d %q", s.order, s.path)
}
