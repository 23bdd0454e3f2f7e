package main

import "sort"

// scalars are the base types of the header with their size. The targets are
// 64-bit little-endian Linux (LP64), so size_t has 8 bytes.
var scalars = map[string]int{
	"void": 0, "char": 1, "size_t": 8,
	"int8_t": 1, "int16_t": 2, "int32_t": 4, "int64_t": 8,
	"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8,
	// Known so that rule H5 can name them instead of "not declared".
	"int": 4, "long": 8, "bool": 1, "short": 2, "unsigned": 4, "float": 4, "double": 8,
}

const pointerSize = 8

func (h *header) knows(name string) bool {
	if _, ok := scalars[name]; ok {
		return true
	}
	return h.aliases[name] != nil || h.structs[name] != nil || h.callbacks[name] != nil
}

// nearest gives ", nearest: x" when a declared type is close to name.
func (h *header) nearest(name string) string {
	best, distance := "", 4
	for _, known := range h.typeNames() {
		if d := editDistance(name, known); d < distance {
			best, distance = known, d
		}
	}
	if best == "" {
		return ""
	}
	return "; nearest: " + best
}

func (h *header) typeNames() []string {
	var names []string
	for n := range scalars {
		names = append(names, n)
	}
	for n := range h.aliases {
		names = append(names, n)
	}
	for n := range h.structs {
		names = append(names, n)
	}
	for n := range h.callbacks {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// size gives size and alignment of one element of t.
func (h *header) size(t *ctype, line int) (size, align int, err error) {
	if t.fn != nil || len(t.pointers) > 0 || h.callbacks[t.base] != nil {
		return pointerSize, pointerSize, nil
	}
	if s := h.structs[t.base]; s != nil {
		return s.size, s.align, nil
	}
	base := t.base
	if a := h.aliases[base]; a != nil {
		if a.opaque {
			return 0, 0, failf(line, "type %s has no known size: use a pointer", base)
		}
		base = a.base
	}
	n := scalars[base]
	if n == 0 {
		return 0, 0, failf(line, "type %s has no size", base)
	}
	return n, n, nil
}

// layout computes offsets and sizes as the LP64 calling conventions define them.
func (h *header) layout() error {
	for _, sec := range h.sections {
		for _, it := range sec.items {
			s, ok := it.(*structure)
			if !ok {
				continue
			}
			if err := h.layoutOf(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *header) layoutOf(s *structure) error {
	at := 0
	for _, f := range s.fields {
		size, align, err := h.size(f.typ, f.line)
		if err != nil {
			return err
		}
		if f.typ.array > 0 {
			size *= f.typ.array
		}
		f.offset = (at + align - 1) / align * align
		f.size = size
		at = f.offset + size
		s.align = max(s.align, align)
	}
	s.size = (at + s.align - 1) / s.align * s.align
	return nil
}
