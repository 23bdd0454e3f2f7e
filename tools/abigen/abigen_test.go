package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// snippet wraps declarations in what every header needs.
func snippet(body string) string {
	return "/* intro */\n#ifndef AIMRT_RPC_H_\n#define AIMRT_RPC_H_\n#include <stdint.h>\n/* ---- One ------ */\n" + body + "\n#endif\n"
}

const goodComment = "/* Does it.\n * Params: %s.\n * Thread safety: any thread. Blocks: no. Since: 0.1.0 */\n"

func TestLoad_UnknownConstruct_NamesTheLine(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, body, want string }{
		{"enum", "typedef enum { A } aimrt_rpc_e_t;", `line 6: "enum" cannot stand here`},
		{"union", "typedef union u aimrt_rpc_u_t;", `line 6: "union" cannot stand here`},
		{"plain struct", "struct x { uint32_t a; };", "line 6: a declaration begins with typedef"},
		{"other name", "typedef struct aimrt_rpc_a_t { uint32_t a; } aimrt_rpc_b_t;", "given the other name aimrt_rpc_b_t"},
		{"empty struct", "typedef struct aimrt_rpc_a_t { } aimrt_rpc_a_t;", "has no fields"},
		{"bit field", "typedef struct aimrt_rpc_a_t { uint32_t a : 3; } aimrt_rpc_a_t;", "line 6: unexpected character ':'"},
		{"two fields at once", "typedef struct aimrt_rpc_a_t { uint32_t a, b; } aimrt_rpc_a_t;", `expected ";", found ","`},
		{"field twice", "typedef struct aimrt_rpc_a_t { uint32_t a; uint32_t a; } aimrt_rpc_a_t;", "the field a twice"},
		{"unknown type", "typedef struct aimrt_rpc_a_t {\n  uint322_t a;\n} aimrt_rpc_a_t;", "line 7: type uint322_t is not declared before its use; nearest: uint32_t"},
		{"type twice", "typedef uint32_t aimrt_rpc_a_t;\ntypedef uint64_t aimrt_rpc_a_t;", "line 7: type aimrt_rpc_a_t is declared in line 6 too"},
		{"void field", "typedef struct aimrt_rpc_a_t { void a; } aimrt_rpc_a_t;", "type void has no size"},
		{"opaque by value", "typedef struct aimrt_rpc_o_t aimrt_rpc_o_t;\ntypedef struct aimrt_rpc_a_t { aimrt_rpc_o_t a; } aimrt_rpc_a_t;", "use a pointer"},
		{"array of nothing", "typedef struct aimrt_rpc_a_t { uint8_t a[N]; } aimrt_rpc_a_t;", "needs a plain number"},
		{"macro with arguments", "#define AIMRT_RPC_X(a) a", "line 6: macro AIMRT_RPC_X takes arguments"},
		{"macro without value", "#define AIMRT_RPC_X", "has no value"},
		{"macro twice", "#define AIMRT_RPC_X 1\n#define AIMRT_RPC_X 2", "line 7: macro AIMRT_RPC_X is defined in line 6 too"},
		{"macro with text", "#define AIMRT_RPC_X hello", `cannot read "hello"`},
		{"directive", "#pragma once", `line 6: unknown directive "#pragma once"`},
		{"include", "#include <stdio.h>", "only freestanding headers"},
		{"condition", "#if 1\n#endif", `unknown directive "#if 1"`},
		{"linkage", "#ifdef __cplusplus\nint x;\n#endif", "may stand under __cplusplus"},
		{"line comment", "// no", "comments are written /* */"},
		{"open comment", "/* no", "a comment is not closed"},
		{"open text", "#ifdef __cplusplus\nextern \"C {\n#endif", "not closed on its line"},
		{"varargs", "AIMRT_RPC_API void aimrt_rpc_f(uint32_t a, ...);", "unexpected character '.'"},
		{"unnamed parameter", "AIMRT_RPC_API void aimrt_rpc_f(uint32_t);", `expected a name, found ")"`},
		{"no semicolon", "typedef uint32_t aimrt_rpc_a_t", `expected ";"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(snippet(c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoad_UnbalancedDirectives_AreErrors(t *testing.T) {
	t.Parallel()
	if _, err := load("#endif\n"); err == nil || !strings.Contains(err.Error(), "without an opening") {
		t.Errorf("lone #endif: %v", err)
	}
	if _, err := load("#ifndef AIMRT_RPC_H_\n#define AIMRT_RPC_H_\n"); err == nil || !strings.Contains(err.Error(), "not closed by #endif") {
		t.Errorf("missing #endif: %v", err)
	}
}

func TestCheck_BrokenRule_NamesRuleAndLine(t *testing.T) {
	t.Parallel()
	full := func(params string) string { return strings.ReplaceAll(goodComment, "%s", params) }
	cases := []struct{ name, body, want string }{
		{"macro prefix", "#define OTHER_X 1", "line 6: macro OTHER_X: names begin with AIMRT_RPC_ (H3)"},
		{"AimRT status macro", "#define AIMRT_RPC_STATUS_OK 0", "AIMRT_RPC_STATUS_* belongs to AimRT's headers (H3)"},
		{"AimRT key macro", "#define AIMRT_RPC_CONTEXT_KEY_X 0", "belongs to AimRT's headers (H3)"},
		{"AimRT enumerator", "#define AIMRT_RPC_CLIENT_CONTEXT 0", "belongs to AimRT's headers (H3)"},
		{"AimRT type", "typedef uint32_t aimrt_rpc_status_code_t;", "type aimrt_rpc_status_code_t belongs to AimRT's headers (H3)"},
		{"type prefix", "typedef uint32_t other_t;", "names begin with aimrt_rpc_ (H3)"},
		{"type suffix", "typedef uint32_t aimrt_rpc_thing;", "names of types end in _t (H3)"},
		{"callback suffix", "typedef void (*aimrt_rpc_cb_t)(void *user_data);", "end in _fn (H3)"},
		{"int field", "typedef struct aimrt_rpc_a_t { int a; } aimrt_rpc_a_t;", "field aimrt_rpc_a_t.a: int has no fixed width (H5)"},
		{"bool field", "typedef struct aimrt_rpc_a_t {\n  bool a;\n} aimrt_rpc_a_t;", "line 7: field aimrt_rpc_a_t.a: bool has no fixed width (H5)"},
		{"long in callback", "typedef void (*aimrt_rpc_cb_fn)(long a);", "long has no fixed width (H5)"},
		{"late struct_size", "typedef struct aimrt_rpc_a_t { uint32_t a; uint32_t struct_size; } aimrt_rpc_a_t;", "struct_size must be the first"},
		{"options without size", "typedef struct aimrt_rpc_a_options_t { uint32_t a; } aimrt_rpc_a_options_t;", "begins with uint32_t struct_size (H14)"},
		{"options without INIT", "typedef struct aimrt_rpc_a_options_t { uint32_t struct_size; } aimrt_rpc_a_options_t;", "has no _INIT macro (H14)"},
		{"no comment", "AIMRT_RPC_API void aimrt_rpc_f(void);", "line 6: function aimrt_rpc_f: its comment has no sentence (H15)"},
		{"no thread safety", "/* Does.\n * Blocks: no. Since: 0.1.0 */\nAIMRT_RPC_API void aimrt_rpc_f(void);", "no Thread safety (H15)"},
		{"no blocks", "/* Does.\n * Thread safety: any thread. Since: 0.1.0 */\nAIMRT_RPC_API void aimrt_rpc_f(void);", "no Blocks (H15)"},
		{"no since", "/* Does.\n * Thread safety: any thread. Blocks: no. */\nAIMRT_RPC_API void aimrt_rpc_f(void);", "no Since (H15)"},
		{"no params", "/* Does.\n * Thread safety: any thread. Blocks: no. Since: 0.1.0 */\nAIMRT_RPC_API void aimrt_rpc_f(uint32_t a);", "no Params (H15)"},
		{"parameter not described", full("b [in]") + "AIMRT_RPC_API void aimrt_rpc_f(uint32_t a);", "no word about parameter a (H15)"},
		{"no returns", "typedef int32_t aimrt_rpc_result_t;\n" + full("a [in]") + "AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_f(uint32_t a);", "no Returns (H15)"},
		{"big struct by value", "typedef struct aimrt_rpc_a_t { uint64_t a[3]; } aimrt_rpc_a_t;\n" + full("a [in]") + "AIMRT_RPC_API void aimrt_rpc_f(aimrt_rpc_a_t a);", "24 bytes, at most 16"},
		{"error not last", "typedef uint64_t aimrt_rpc_error_t;\n" + full("error [out]; a [in]") + "AIMRT_RPC_API void aimrt_rpc_f(aimrt_rpc_error_t *error, uint32_t a);", "error is the last parameter (H4)"},
		{"function prefix", full("a [in]") + "AIMRT_RPC_API void other_f(uint32_t a);", "names begin with aimrt_rpc_ (H3)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(snippet(c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestInit_DoesNotFitItsStruct_IsAnError(t *testing.T) {
	t.Parallel()
	const decl = "typedef struct aimrt_rpc_str_t { const char *data; size_t size; } aimrt_rpc_str_t;\n" +
		"typedef struct aimrt_rpc_a_options_t { uint32_t struct_size; int32_t fd; aimrt_rpc_str_t name; uint8_t pad[2]; } aimrt_rpc_a_options_t;\n"
	cases := []struct{ name, init, want string }{
		{"sound", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {NULL, 0}, {0u, 0u}}", ""},
		{"missing field", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {NULL, 0}}", "has 4 fields, the initializer has 3"},
		{"missing field inside", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {NULL}, {0u, 0u}}", "has 2 fields, the initializer has 1"},
		{"number for pointer", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {0, 0}, {0u, 0u}}", "field data"},
		{"short array", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {NULL, 0}, {0u}}", "has 2 elements"},
		{"no sizeof", "{0u, -1, {NULL, 0}, {0u, 0u}}", "begins with sizeof"},
		{"other struct", "{(uint32_t)sizeof(aimrt_rpc_b_options_t), -1}", "nearest: aimrt_rpc_a_options_t"},
		{"rest", "{(uint32_t)sizeof(aimrt_rpc_a_options_t), -1, {NULL, 0}, {0u, 0u}} 7", `cannot read "7"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(snippet(decl + "#define AIMRT_RPC_A_OPTIONS_INIT " + c.init))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLayout_FollowsTheCallingConvention(t *testing.T) {
	t.Parallel()
	h, err := load(snippet("typedef struct aimrt_rpc_a_t {\n  uint8_t a;\n  uint64_t b;\n  uint8_t c[3];\n  uint16_t d;\n" +
		"  void (*e)(void *user_data);\n  uint32_t f;\n} aimrt_rpc_a_t;\n" +
		"typedef struct aimrt_rpc_b_t { uint8_t a; aimrt_rpc_a_t b; const aimrt_rpc_a_t *c; } aimrt_rpc_b_t;"))
	if err != nil {
		t.Fatal(err)
	}
	a := h.structs["aimrt_rpc_a_t"]
	for i, want := range []int{0, 8, 16, 20, 24, 32} {
		if a.fields[i].offset != want {
			t.Errorf("offset of %s is %d, want %d", a.fields[i].name, a.fields[i].offset, want)
		}
	}
	if a.size != 40 || a.align != 8 || h.structs["aimrt_rpc_b_t"].size != 56 {
		t.Errorf("sizes %d %d %d, want 40 8 56", a.size, a.align, h.structs["aimrt_rpc_b_t"].size)
	}
}

func TestMacro_Expression_IsEvaluated(t *testing.T) {
	t.Parallel()
	h, err := load(snippet("#define AIMRT_RPC_A 2\n#define AIMRT_RPC_B (-3) /* why */\n#define AIMRT_RPC_C (AIMRT_RPC_A * 1000 + \\\n  AIMRT_RPC_B - 1)\n#define AIMRT_RPC_D 0x10u"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"AIMRT_RPC_A": 2, "AIMRT_RPC_B": -3, "AIMRT_RPC_C": 1996, "AIMRT_RPC_D": 16} {
		if got := h.macros[name].number; got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if h.macros["AIMRT_RPC_B"].trailing != "why" {
		t.Errorf("trailing comment is %q", h.macros["AIMRT_RPC_B"].trailing)
	}
}

func TestForwarders_FunctionNotDeclared_IsAnError(t *testing.T) {
	t.Parallel()
	h, err := load(snippet(""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.forwarders([]string{"aimrt_rpc_nothing"}); err == nil || !strings.Contains(err.Error(), "aimrt_rpc_nothing") {
		t.Fatalf("got %v", err)
	}
}

func TestForwarders_ValueOfOtherType_IsAnError(t *testing.T) {
	t.Parallel()
	h, err := load(snippet("/* Gives.\n * Thread safety: any thread. Blocks: no. Since: 0.1.0 */\nAIMRT_RPC_API uint32_t aimrt_rpc_f(void);"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.forwarders([]string{"aimrt_rpc_f"}); err == nil {
		t.Fatal("a function with another result was forwarded")
	}
}

func TestForwarder_ChecksForkBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	text, err := emitForward(publicHeader(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range strings.Split(text, "\n}\n") {
		if !strings.Contains(body, "aimrtgo_") {
			continue
		}
		fork, call := strings.Index(body, "front_guards_forked()"), strings.Index(body, "aimrtgo_")
		if fork < 0 || fork > call {
			t.Errorf("no fork check before Go in:\n%s", body)
		}
		if strings.Contains(body, "_read(") && strings.Index(body, "_read(") < fork {
			t.Errorf("options are read before the fork check in:\n%s", body)
		}
	}
}

func TestRun_WritesOnceAndThenNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	text, err := os.ReadFile(filepath.Join("../..", source))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "include"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, source), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil {
		t.Fatal("missing files count as up to date")
	}
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Fatalf("not stable: %v", err)
	}
}

func TestGeneratedFiles_AreUpToDate(t *testing.T) {
	t.Parallel()
	if err := run("../..", true); err != nil {
		t.Fatal(err)
	}
}

func TestExports_ListEveryFunctionAndNothingElse(t *testing.T) {
	t.Parallel()
	h := publicHeader(t)
	text, err := emitExports(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range h.functions {
		if !strings.Contains(text, " "+f.name+";\n") {
			t.Errorf("%s is not exported", f.name)
		}
	}
	if got := strings.Count(text, ";\n") - 2; got != len(h.functions) {
		t.Errorf("%d names are exported, %d are declared", got, len(h.functions))
	}
}

func TestLayoutJSON_HoldsEveryStructAndConstant(t *testing.T) {
	t.Parallel()
	h := publicHeader(t)
	text, err := emitLayoutJSON(h)
	if err != nil {
		t.Fatal(err)
	}
	var table layoutTable
	if err := json.Unmarshal([]byte(text), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Structs) != len(h.structs) || table.Constants["AIMRT_RPC_RESULT_FORKED"] != -11 || len(table.Functions) != len(h.functions) {
		t.Errorf("%d structs, %d functions, FORKED %d", len(table.Structs), len(table.Functions), table.Constants["AIMRT_RPC_RESULT_FORKED"])
	}
}

func publicHeader(t *testing.T) *header {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", source))
	if err != nil {
		t.Fatal(err)
	}
	h, err := load(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return h
}
