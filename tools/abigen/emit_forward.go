package main

import (
	"fmt"
	"strings"
)

// goServed are the functions whose work is done in Go: life cycle, registration
// and what is read rarely. All others are written in C by hand, because a call
// may not pay for entering Go (docs/architecture.md).
var goServed = []string{
	"aimrt_rpc_memory_limit_set",
	"aimrt_rpc_runtime_create",
	"aimrt_rpc_runtime_initialize",
	"aimrt_rpc_runtime_start_async",
	"aimrt_rpc_runtime_report",
	"aimrt_rpc_runtime_dump_config",
	"aimrt_rpc_runtime_reload",
	"aimrt_rpc_runtime_list_methods",
	"aimrt_rpc_runtime_describe_method",
	"aimrt_rpc_runtime_statistics",
	"aimrt_rpc_runtime_release",
	"aimrt_rpc_runtime_host_executor",
	"aimrt_rpc_module_create",
	"aimrt_rpc_module_executor",
	"aimrt_rpc_module_parameter_get",
	"aimrt_rpc_module_parameter_set",
	"aimrt_rpc_handle_register_service",
	"aimrt_rpc_handle_register_client",
	"aimrt_rpc_handle_find_client",
	"aimrt_rpc_handle_register_filter",
	"aimrt_rpc_filter_set",
	"aimrt_rpc_filter_remove",
	"aimrt_rpc_router_create",
	"aimrt_rpc_router_register",
	"aimrt_rpc_router_remove",
	"aimrt_rpc_router_attach",
	"aimrt_rpc_router_release",
	"aimrt_rpc_handle_dial",
	"aimrt_rpc_handle_listen",
	"aimrt_rpc_listener_address",
	"aimrt_rpc_listener_release",
	"aimrt_rpc_connection_method",
	"aimrt_rpc_connection_encoding",
	"aimrt_rpc_connection_peer",
	"aimrt_rpc_connection_reference",
	"aimrt_rpc_connection_reference_path",
	"aimrt_rpc_connection_close",
	"aimrt_rpc_connection_retain",
	"aimrt_rpc_call_connection",
}

const (
	resultType  = "aimrt_rpc_result_t"
	errorType   = "aimrt_rpc_error_t"
	forwardHead = `/* ` + generated + `
 *
 * One forwarder per public function that Go serves. It does what must not be left to Go: it answers in a child of fork()
 * without entering Go (which could hang there), zeroes the outputs, brings options structs of older callers to the size
 * this library knows, and refuses a NULL that cannot be meant. The hidden Go function then sees sound arguments only.
 */
#include <string.h>

#include "_cgo_export.h"
#include "front.h"
#include "guards.h"
`
)

// emitForward writes the forwarders in the order of the header.
func emitForward(h *header) (string, error) {
	return h.forwarders(goServed)
}

func (h *header) forwarders(served []string) (string, error) {
	wanted := map[string]bool{}
	for _, name := range served {
		wanted[name] = true
	}
	var b strings.Builder
	b.WriteString(forwardHead)
	for _, f := range h.functions {
		if wanted[f.name] {
			delete(wanted, f.name)
			if err := h.forwarder(&b, f); err != nil {
				return "", err
			}
		}
	}
	for _, name := range served {
		if wanted[name] {
			return "", fmt.Errorf("function %s is to be forwarded but the header does not declare it", name)
		}
	}
	return b.String(), nil
}

// isOut tells whether p is a pointer that the function writes through.
func (p *param) isOut() bool {
	return len(p.typ.pointers) > 0 && (p.doc.out || strings.HasSuffix(p.name, "_out") || p.isError())
}

func (p *param) isError() bool { return p.name == "error" && p.typ.pointsTo(errorType) }

// optionsOf gives the struct behind a borrowed options parameter.
func (h *header) optionsOf(p *param) *structure {
	s := h.structs[p.typ.base]
	if s == nil || !s.hasSize() || len(p.typ.pointers) != 1 || !p.typ.constBase || h.inits[s.name] == nil {
		return nil
	}
	return s
}

func (h *header) isView(t *ctype) bool {
	return len(t.pointers) == 0 && t.array == 0 && (t.base == "aimrt_rpc_str_t" || t.base == "aimrt_rpc_bytes_t")
}

// forwarder writes one function.
func (h *header) forwarder(b *strings.Builder, f *function) error {
	fails := f.sig.result.base == resultType
	if !fails && !f.sig.result.isVoid() {
		return failf(f.line, "function %s: only functions that return a result or nothing can be forwarded", f.name)
	}
	fmt.Fprintf(b, "\n%s {\n", f.prototype())
	for _, p := range f.sig.params {
		if p.isOut() {
			fmt.Fprintf(b, "  if (%s != NULL) memset(%s, 0, sizeof *%s);\n", p.name, p.name, p.name)
		}
	}
	if !fails {
		fmt.Fprintf(b, "  if (!front_guards_forked()) aimrtgo_%s(%s);\n}\n", hidden(f), h.arguments(f))
		return nil
	}
	fmt.Fprintf(b, "  if (front_guards_forked()) return front_fail_forked(%s);\n", f.errorName())
	for _, p := range f.sig.params {
		h.forwardChecks(b, f, p)
	}
	fmt.Fprintf(b, "  return aimrtgo_%s(%s);\n}\n", hidden(f), h.arguments(f))
	return nil
}

// forwardChecks writes what is checked about one parameter. Options of older and
// newer callers become a struct of this version; a view without bytes loses its
// address, because a foreign language may give any number there and Go must not
// see a number as a pointer.
func (h *header) forwardChecks(b *strings.Builder, f *function, p *param) {
	refuse := func(condition, text string) {
		fmt.Fprintf(b, "  if (%s) return front_fail(%s, AIMRT_RPC_RESULT_INVALID_ARGUMENT, \"%s\");\n", condition, f.errorName(), text)
	}
	options := h.optionsOf(p)
	switch {
	case p.isError():
	case options != nil:
		condition := ""
		if strings.Contains(p.doc.text, "NULL = defaults") {
			condition = "if (" + p.name + " != NULL) "
		}
		fmt.Fprintf(b, "  %s %s_known = %s;\n", options.name, p.name, h.inits[options.name].name)
		fmt.Fprintf(b, "  aimrt_rpc_result_t %s_read = AIMRT_RPC_RESULT_OK;\n", p.name)
		fmt.Fprintf(b, "  %s%s_read = front_struct_read(&%s_known, sizeof %s_known, %s, \"%s\", %s);\n",
			condition, p.name, p.name, p.name, p.name, options.name, f.errorName())
		fmt.Fprintf(b, "  if (%s_read != AIMRT_RPC_RESULT_OK) return %s_read;\n", p.name, p.name)
		h.optionsChecks(options, p.name+"_known", refuse)
	case h.isView(p.typ):
		refuse(fmt.Sprintf("%s.data == NULL && %s.size > 0", p.name, p.name), p.name+" has a size and no data")
		fmt.Fprintf(b, "  if (%s.size == 0) %s.data = NULL;\n", p.name, p.name)
	case len(p.typ.pointers) > 0 && !p.doc.nullable:
		refuse(p.name+" == NULL", p.name+" is NULL")
	}
}

// optionsChecks writes what the layout of an options struct tells: reserved
// fields are zero, views with a size have data.
func (h *header) optionsChecks(s *structure, name string, refuse func(condition, text string)) {
	for _, f := range s.fields {
		at := name + "." + f.name
		switch {
		case f.name == "reserved" && f.typ.array > 0:
			var parts []string
			for i := range f.typ.array {
				parts = append(parts, at+"["+itoa(i)+"] != 0")
			}
			refuse(strings.Join(parts, " || "), s.name+".reserved is not 0")
		case f.name == "reserved" || strings.HasPrefix(f.trailing, "reserved, 0"):
			refuse(at+" != 0", s.name+"."+f.name+" is not 0")
		case h.isView(f.typ):
			refuse(at+".data == NULL && "+at+".size > 0", s.name+"."+f.name+" has a size and no data")
		}
	}
}

func hidden(f *function) string { return strings.TrimPrefix(f.name, "aimrt_rpc_") }

func (f *function) errorName() string {
	for _, p := range f.sig.params {
		if p.isError() {
			return p.name
		}
	}
	return "NULL"
}

// arguments lists what the hidden function gets; it takes no const.
func (h *header) arguments(f *function) string {
	var out []string
	for _, p := range f.sig.params {
		switch {
		case h.optionsOf(p) != nil:
			out = append(out, "&"+p.name+"_known")
		case len(p.typ.pointers) > 0 && (p.typ.constBase || p.typ.pointers[0]):
			out = append(out, "("+(&ctype{base: p.typ.base, pointers: make([]bool, len(p.typ.pointers))}).text("")+")"+p.name)
		default:
			out = append(out, p.name)
		}
	}
	return strings.Join(out, ", ")
}
