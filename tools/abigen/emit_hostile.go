package main

import (
	"fmt"
	"strings"
)

// kinds are the handle types with the kind that tests/abi/hostile.c creates.
var kinds = map[string]string{
	"aimrt_rpc_runtime_t": "RUNTIME", "aimrt_rpc_module_t": "MODULE", "aimrt_rpc_handle_t": "RPC_HANDLE",
	"aimrt_rpc_method_t": "METHOD", "aimrt_rpc_service_t": "SERVICE", "aimrt_rpc_context_t": "CONTEXT",
	"aimrt_rpc_call_t": "CALL", "aimrt_rpc_queue_t": "QUEUE", "aimrt_rpc_executor_t": "EXECUTOR",
	"aimrt_rpc_timer_t": "TIMER", "aimrt_rpc_error_t": "ERROR",
	"aimrt_rpc_connection_t": "CONNECTION", "aimrt_rpc_router_t": "ROUTER", "aimrt_rpc_listener_t": "LISTENER",
	"aimrt_rpc_filter_t": "FILTER",
}

// staleValues are what functions without a result give for a stale handle when
// that is not zero; "ANY" where the header promises no value.
var staleValues = map[string]string{
	"aimrt_rpc_error_result":             "AIMRT_RPC_RESULT_INVALID_HANDLE",
	"aimrt_rpc_module_log_level":         "AIMRT_RPC_LOG_LEVEL_OFF",
	"aimrt_rpc_queue_fd":                 "-1",
	"aimrt_rpc_context_deadline_left_ns": "HOSTILE_ANY",
	"aimrt_rpc_call_cancelled":           "HOSTILE_ANY",
}

// emitHostile writes a table of every function with a way to call it with bad
// arguments. What is asked of the answers stands in tests/abi/hostile.c.
func emitHostile(h *header) (string, error) {
	var b strings.Builder
	b.WriteString("/* " + generated + " */\n#include \"hostile.h\"\n")
	var rows strings.Builder
	for _, f := range h.functions {
		h.hostileFunction(&b, f)
		h.hostileRow(&rows, f)
	}
	fmt.Fprintf(&b, "\nconst hostile_row hostile_rows[] = {\n%s};\nconst size_t hostile_row_count = sizeof hostile_rows / sizeof hostile_rows[0];\n", rows.String())
	return b.String(), nil
}

func (h *header) firstKind(f *function) string {
	for _, p := range f.sig.params {
		if k := kinds[p.typ.base]; k != "" && len(p.typ.pointers) == 0 {
			return "AIMRT_RPC_KIND_" + k
		}
	}
	return "AIMRT_RPC_KIND_ANY"
}

func (h *header) hostileRow(b *strings.Builder, f *function) {
	result, needs := 0, 0
	if f.sig.result.base == resultType {
		result = 1
	}
	for _, p := range f.sig.params {
		if len(p.typ.pointers) > 0 && !p.isError() && !p.doc.nullable && !strings.Contains(p.doc.text, "NULL") {
			needs = 1
		}
	}
	stale := staleValues[f.name]
	if stale == "" {
		stale = "0"
		if h.firstKind(f) == "AIMRT_RPC_KIND_ANY" {
			stale = "HOSTILE_ANY"
		}
	}
	if result == 1 && stale == "0" {
		stale = "AIMRT_RPC_RESULT_INVALID_HANDLE"
	}
	fmt.Fprintf(b, "  {\"%s\", %s, %d, %d, %s, try_%s},\n", f.name, h.firstKind(f), result, needs, stale, f.name)
}

// hostileFunction writes try_<name>: every handle parameter gets the given
// handle, every pointer is NULL or points at a sound default.
func (h *header) hostileFunction(b *strings.Builder, f *function) {
	fmt.Fprintf(b, "\nstatic int64_t try_%s(uint64_t handle, int null_pointers) {\n  (void)handle;\n  (void)null_pointers;\n", f.name)
	var args, after []string
	for _, p := range f.sig.params {
		arg := h.hostileArgument(b, p)
		args = append(args, arg)
		if p.isOut() && !p.isError() && !h.isArrayOut(p) && len(p.typ.pointers) == 1 && !h.keepsSize(p) {
			after = append(after, fmt.Sprintf("hostile_zeroed(&%s, sizeof %s, \"%s\", \"%s\");", p.name, p.name, f.name, p.name))
		}
	}
	call := f.name + "(" + strings.Join(args, ", ") + ")"
	r := f.sig.result
	switch {
	case r.isVoid():
		fmt.Fprintf(b, "  %s;\n  int64_t value = 0;\n", call)
	case h.isView(r):
		fmt.Fprintf(b, "  int64_t value = (int64_t)%s.size;\n", call)
	case len(r.pointers) > 0:
		fmt.Fprintf(b, "  int64_t value = (int64_t)(intptr_t)%s;\n", call)
	default:
		fmt.Fprintf(b, "  int64_t value = (int64_t)%s;\n", call)
	}
	if r.base == resultType && len(after) > 0 {
		fmt.Fprintf(b, "  if (value < 0 && !null_pointers) {\n    %s\n  }\n", strings.Join(after, "\n    "))
	}
	for _, p := range f.sig.params {
		if p.isError() {
			b.WriteString("  hostile_error(value, error);\n")
		}
	}
	b.WriteString("  return value;\n}\n")
}

func (h *header) isArrayOut(p *param) bool { return p.name == "events_out" }

// keepsSize tells whether the caller sets the struct_size of an output.
func (h *header) keepsSize(p *param) bool {
	s := h.structs[p.typ.base]
	return s != nil && s.hasSize()
}

// hostileArgument declares what a parameter needs and gives the argument.
func (h *header) hostileArgument(b *strings.Builder, p *param) string {
	t := p.typ
	s := h.structs[t.base]
	switch {
	case len(t.pointers) == 0 && kinds[t.base] != "":
		return "handle"
	case len(t.pointers) == 0 && h.isView(t):
		return "hostile_" + strings.TrimSuffix(strings.TrimPrefix(t.base, "aimrt_rpc_"), "_t") + "()"
	case len(t.pointers) == 0 && h.callbacks[t.base] != nil:
		return "NULL"
	case len(t.pointers) == 0:
		return "0"
	case p.isError():
		fmt.Fprintf(b, "  aimrt_rpc_error_t error = 0;\n")
		return "null_pointers ? NULL : &error"
	case t.base == "void" || h.aliases[t.base] != nil && h.aliases[t.base].opaque:
		return "NULL"
	case len(t.pointers) > 1:
		fmt.Fprintf(b, "  %s = NULL;\n", (&ctype{base: t.base, constBase: t.constBase, pointers: t.pointers[1:]}).text(p.name))
	case s != nil && h.inits[s.name] != nil:
		fmt.Fprintf(b, "  %s %s = %s;\n", s.name, p.name, h.inits[s.name].name)
		for _, f := range s.fields {
			if f.name == "name" {
				fmt.Fprintf(b, "  %s.name = hostile_str();\n", p.name)
			}
		}
	case s != nil && s.hasSize():
		fmt.Fprintf(b, "  %s %s = {0};\n  %s.struct_size = (uint32_t)sizeof %s;\n", s.name, p.name, p.name, p.name)
	case s != nil:
		fmt.Fprintf(b, "  %s %s = {0};\n", s.name, p.name)
	default:
		fmt.Fprintf(b, "  %s %s = 0;\n", t.base, p.name)
	}
	return "null_pointers ? NULL : &" + p.name
}
