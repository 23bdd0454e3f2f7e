package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
)

// Results of the public header; a test file cannot name them through cgo.
const (
	resultOK              = 0
	resultInvalidHandle   = -1
	resultInvalidArgument = -2
	resultInvalidState    = -3
	resultNotFound        = -4
	resultConfig          = -9
	resultPanic           = -12
)

func TestResult_Panic_IsContainedAndCounted(t *testing.T) {
	before := guard.Panics()["capi: test_panic"]
	for n := before + 1; n <= before+3; n++ {
		got := result("test_panic", nil, func() error { panic("boom") })
		if int(got) != resultPanic {
			t.Fatalf("result %d, want %d", got, resultPanic)
		}
		if counted := guard.Panics()["capi: test_panic"]; counted != n {
			t.Fatalf("%d panics are counted, want %d", counted, n)
		}
	}
	if got := result("test_panic", nil, func() error { return nil }); int(got) != resultOK {
		t.Fatalf("the next call gives %d", got)
	}
}

func TestResult_NilDereference_IsContained(t *testing.T) {
	var m *moduleObject
	if got := result("test_nil", nil, func() error { return errors.New(m.core.Name()) }); int(got) != resultPanic {
		t.Fatalf("result %d, want %d", got, resultPanic)
	}
}

func TestQuiet_Panic_DoesNotUnwind(t *testing.T) {
	quiet("test_quiet", func() { panic("boom") })
	if guard.Panics()["capi: test_quiet"] == 0 {
		t.Fatal("the panic is not counted")
	}
}

func TestClassify_ErrorsOfTheCore_BecomeResults(t *testing.T) {
	runtime := core.New(core.Options{ConfigText: "aimrt:\n  rpc:\n    backends:\n      - type: locall\n"})
	configError := runtime.Initialize(t.Context())
	_, stateError := runtime.ListMethods()
	_, nameError := runtime.NewModule(core.ModuleOptions{})
	cases := []struct {
		err  error
		want int
	}{
		{configError, resultConfig},
		{fmt.Errorf("wrapped: %w", configError), resultConfig},
		{stateError, resultInvalidState},
		{nameError, resultInvalidArgument},
		{stale("module", 7), resultInvalidHandle},
		{&core.Error{Kind: core.NotFound, Err: errors.New("x")}, resultNotFound},
		{errors.New("something else"), resultPanic},
	}
	for _, c := range cases {
		if got, _ := classify(c.err); int(got) != c.want {
			t.Errorf("%v becomes %d, want %d", c.err, got, c.want)
		}
	}
	_, details := classify(configError)
	found := map[string]string{}
	for _, d := range details {
		found[d.Key] = d.Value
	}
	if found["line"] != "4" || found["nearest"] != "local" || found["option"] == "" {
		t.Errorf("details %v", found)
	}
}

func TestStale_NamesTheHandle(t *testing.T) {
	if text := stale("module", 0).Error(); !strings.Contains(text, "module handle is 0") {
		t.Error(text)
	}
	if text := stale("module", 0x0200000000000001).Error(); !strings.Contains(text, "0x200000000000001") {
		t.Error(text)
	}
}

func TestBlock_CollectsTexts(t *testing.T) {
	b := newBlock()
	if b.add("") != 0 || b.add("ab") != 2 || b.add("cde") != 3 || string(b.data) != "abcde" {
		t.Errorf("block %q", b.data)
	}
}
