package main

import (
	"fmt"
	"sort"
	"strings"
)

// reserved are the names that AimRT's own C headers use; one translation unit
// must be able to include both (rule H3).
var (
	reservedTypes = map[string]bool{
		"aimrt_rpc_status_code_t": true, "aimrt_rpc_context_type_t": true, "aimrt_rpc_context_base_t": true,
		"aimrt_rpc_context_base_ops_t": true, "aimrt_rpc_handle_base_t": true,
	}
	reservedMacros   = map[string]bool{"AIMRT_RPC_CLIENT_CONTEXT": true, "AIMRT_RPC_SERVER_CONTEXT": true}
	reservedPrefixes = []string{"AIMRT_RPC_STATUS_", "AIMRT_RPC_CONTEXT_KEY_"}
)

// looseTypes have a width that the compiler chooses (rule H5).
var looseTypes = map[string]bool{
	"int": true, "long": true, "bool": true, "short": true, "unsigned": true, "float": true, "double": true,
}

// check tells every breach of the header's rules, in the order of lines.
func (h *header) check() []error {
	var errs []error
	for _, sec := range h.sections {
		for _, it := range sec.items {
			switch d := it.(type) {
			case *macro:
				errs = append(errs, checkMacro(d)...)
			case *alias:
				errs = append(errs, h.checkTypeName(d.name, d.line)...)
				if looseTypes[d.base] {
					errs = append(errs, failf(d.line, "type %s: %s has no fixed width (H5)", d.name, d.base))
				}
			case *structure:
				errs = append(errs, h.checkStruct(d)...)
			case *callback:
				errs = append(errs, h.checkTypeName(d.name, d.line)...)
				errs = append(errs, checkSignature(d.name, d.line, d.sig)...)
			case *function:
				errs = append(errs, h.checkFunction(d)...)
			}
		}
	}
	sort.SliceStable(errs, func(i, j int) bool {
		return errs[i].(*syntaxError).line < errs[j].(*syntaxError).line
	})
	return errs
}

func checkMacro(m *macro) []error {
	if !strings.HasPrefix(m.name, "AIMRT_RPC_") {
		return []error{failf(m.line, "macro %s: names begin with AIMRT_RPC_ (H3)", m.name)}
	}
	for _, p := range reservedPrefixes {
		if strings.HasPrefix(m.name, p) {
			return []error{failf(m.line, "macro %s: %s* belongs to AimRT's headers (H3)", m.name, p)}
		}
	}
	if reservedMacros[m.name] {
		return []error{failf(m.line, "macro %s belongs to AimRT's headers (H3)", m.name)}
	}
	return nil
}

func (h *header) checkTypeName(name string, line int) []error {
	switch {
	case reservedTypes[name]:
		return []error{failf(line, "type %s belongs to AimRT's headers (H3)", name)}
	case !strings.HasPrefix(name, "aimrt_rpc_"):
		return []error{failf(line, "type %s: names begin with aimrt_rpc_ (H3)", name)}
	case !strings.HasSuffix(name, "_t") && h.callbacks[name] == nil:
		return []error{failf(line, "type %s: names of types end in _t (H3)", name)}
	case h.callbacks[name] != nil && !strings.HasSuffix(name, "_fn"):
		return []error{failf(line, "type %s: names of function pointers end in _fn (H3)", name)}
	}
	return nil
}

func (h *header) checkStruct(s *structure) []error {
	errs := h.checkTypeName(s.name, s.line)
	for i, f := range s.fields {
		if f.typ.fn != nil {
			errs = append(errs, checkSignature(s.name+"."+f.name, f.line, f.typ.fn)...)
			continue
		}
		if looseTypes[f.typ.base] {
			errs = append(errs, failf(f.line, "field %s.%s: %s has no fixed width (H5)", s.name, f.name, f.typ.base))
		}
		if f.name == "struct_size" && (i != 0 || f.typ.text("") != "uint32_t") {
			errs = append(errs, failf(f.line, "field %s.struct_size must be the first, a uint32_t (H14)", s.name))
		}
	}
	if strings.HasSuffix(s.name, "_options_t") {
		if !s.hasSize() {
			errs = append(errs, failf(s.line, "struct %s begins with uint32_t struct_size (H14)", s.name))
		}
		if h.inits[s.name] == nil {
			errs = append(errs, failf(s.line, "struct %s has no _INIT macro (H14)", s.name))
		}
	}
	return errs
}

func checkSignature(name string, line int, sig *signature) []error {
	var errs []error
	for _, p := range sig.params {
		if looseTypes[p.typ.base] {
			errs = append(errs, failf(p.line, "%s: parameter %s: %s has no fixed width (H5)", name, p.name, p.typ.base))
		}
	}
	if looseTypes[sig.result.base] {
		errs = append(errs, failf(line, "%s: result %s has no fixed width (H5)", name, sig.result.base))
	}
	return errs
}

func (h *header) checkFunction(f *function) []error {
	errs := checkSignature(f.name, f.line, f.sig)
	if !strings.HasPrefix(f.name, "aimrt_rpc_") {
		errs = append(errs, failf(f.line, "function %s: names begin with aimrt_rpc_ (H3)", f.name))
	}
	for _, missing := range f.missingParts() {
		errs = append(errs, failf(f.line, "function %s: its comment has no %s (H15)", f.name, missing))
	}
	for _, p := range append(f.sig.params, &param{typ: f.sig.result}) {
		if s := h.structs[p.typ.base]; s != nil && len(p.typ.pointers) == 0 && s.size > 16 {
			errs = append(errs, failf(f.line, "function %s: %s by value has %d bytes, at most 16 travel in registers (H18)", f.name, s.name, s.size))
		}
	}
	if n := len(f.sig.params); n > 0 {
		for i, p := range f.sig.params {
			if p.name == "error" && p.typ.pointsTo("aimrt_rpc_error_t") && i != n-1 {
				errs = append(errs, failf(f.line, "function %s: error is the last parameter (H4)", f.name))
			}
		}
	}
	return errs
}

func (f *function) missingParts() []string {
	var missing []string
	need := func(part, value string, when bool) {
		if when && value == "" {
			missing = append(missing, part)
		}
	}
	need("sentence", f.doc.sentence, true)
	need("Params", f.doc.params, len(f.sig.params) > 0)
	need("Returns", f.doc.returns, f.sig.result.base == "aimrt_rpc_result_t")
	need("Thread safety", f.doc.thread, true)
	need("Blocks", f.doc.blocks, true)
	need("Since", f.doc.since, true)
	if f.doc.sentence != "" && !strings.HasSuffix(f.doc.sentence, ".") && !strings.HasSuffix(f.doc.sentence, ")") && !strings.HasSuffix(f.doc.sentence, "`.") {
		missing = append(missing, "full stop after its sentence")
	}
	for _, p := range f.sig.params {
		if f.doc.params != "" && !strings.HasPrefix(f.doc.params, "as ") && !mentions(f.doc.params, p.name) && !strings.Contains(f.doc.params, "the rest") {
			missing = append(missing, fmt.Sprintf("word about parameter %s", p.name))
		}
	}
	return missing
}

// mentions tells whether name stands in text as a word.
func mentions(text, name string) bool {
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !isLetter(byte(r)) && !isDigit(byte(r)) }) {
		if w == name {
			return true
		}
	}
	return false
}
