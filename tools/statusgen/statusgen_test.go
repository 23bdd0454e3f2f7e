package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

func TestGeneratedFiles_AreUpToDate(t *testing.T) {
	s, err := load(filepath.Join(root, sourcePath))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs {
		want, err := render(o, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(root, o.path))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs from what statusgen makes; run make generate", o.path)
		}
	}
}

func TestCodes_EqualTheHeader(t *testing.T) {
	s, err := load(filepath.Join(root, sourcePath))
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(filepath.Join(root, "include/aimrt_rpc.h"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define AIMRT_RPC_CODE_(\w+) (\d+)u`).FindAllStringSubmatch(string(header), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		want[m[1]] = n
	}
	if len(want) == 0 || len(want) != len(s.Codes) {
		t.Fatalf("the header has %d codes, status.yaml %d", len(want), len(s.Codes))
	}
	for _, r := range s.Codes {
		if n, ok := want[r.Name]; !ok || n != uint64(r.Code) {
			t.Errorf("%s is %d in status.yaml and %d (present: %v) in the header", r.Name, r.Code, n, ok)
		}
	}
}

func TestParse_Contradictions_AreRefused(t *testing.T) {
	const tail = "\ngrpc_statuses: [{name: OK, code: 0, means: A}]\n"
	tests := []struct{ name, text, want string }{
		{"name twice", "codes:\n - {name: A, code: 1, text: t, when: w, aimrt: 1, grpc: OK}\n - {name: A, code: 2, text: t, when: w, aimrt: 1, grpc: OK}" + tail, "appears twice"},
		{"order", "codes:\n - {name: A, code: 2, text: t, when: w}\n - {name: B, code: 1, text: t, when: w}" + tail, "not above"},
		{"text missing", "codes:\n - {name: A, code: 2}" + tail, "needs a text"},
		{"not AimRT's", "codes:\n - {name: A, code: 3000, text: t, when: w, aimrt: 3000, grpc: OK}" + tail, "not a number of AimRT"},
		{"unknown grpc", "codes:\n - {name: A, code: 1, text: t, when: w, aimrt: 1, grpc: NO}" + tail, "grpc_statuses"},
		{"unknown aduib2", "codes:\n - {name: A, code: 1, text: t, when: w, aimrt: 1, grpc: OK, aduib2: NO}" + tail, "aduib2_errors"},
		{"unknown meaning", "codes:\n - {name: B, code: 1, text: t, when: w, aimrt: 1, grpc: OK}" + tail, "means A"},
		{"unknown key", "cods: []", "cods"},
	}
	for _, tt := range tests {
		if _, err := parse("status.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v does not contain %q", tt.name, err, tt.want)
		}
	}
}
