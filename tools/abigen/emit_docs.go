package main

import (
	"fmt"
	"regexp"
	"strings"
)

// emitDocs writes the C reference: the header's sections in its order, with its
// comments as they stand.
func emitDocs(h *header) (string, error) {
	var b strings.Builder
	b.WriteString("<!-- " + generated + " -->\n# C API\n\n")
	b.WriteString("The reference of `" + source + "`, which is the authority. ")
	b.WriteString("Declarations are shown as they stand there.\n\n")
	b.WriteString("```text\n" + h.intro + "\n```\n\n## Contents\n\n")
	for _, sec := range h.sections {
		fmt.Fprintf(&b, "- [%s](#%s)\n", sec.title, anchor(sec.title))
	}
	for _, sec := range h.sections {
		h.docSection(&b, sec)
	}
	return b.String(), nil
}

var notAnchor = regexp.MustCompile(`[^a-z0-9 -]`)

func anchor(title string) string {
	return strings.ReplaceAll(notAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}

func (h *header) docSection(b *strings.Builder, sec *section) {
	fmt.Fprintf(b, "\n## %s\n", sec.title)
	inTable := false
	for _, it := range sec.items {
		m, isMacro := it.(*macro)
		if isMacro && m.name == apiMacro {
			continue
		}
		if isMacro && m.isNumber {
			if m.doc != "" {
				fmt.Fprintf(b, "\n%s\n", escape(m.doc))
				inTable = false
			}
			if !inTable {
				b.WriteString("\n| constant | value | |\n|---|---|---|\n")
				inTable = true
			}
			fmt.Fprintf(b, "| `%s` | %d | %s |\n", m.name, m.number, strings.ReplaceAll(escape(oneLine(m.trailing)), "|", `\|`))
			continue
		}
		inTable = false
		h.docItem(b, it)
	}
}

func (h *header) docItem(b *strings.Builder, it item) {
	switch d := it.(type) {
	case *note:
		fmt.Fprintf(b, "\n%s\n", escape(d.text))
	case *macro:
		fmt.Fprintf(b, "\n`%s` sets every field of `%s` to its default.\n", d.name, d.init.list[0].sizeof)
	case *alias:
		if d.opaque {
			fmt.Fprintf(b, "\n### %s\n\n%s\n\n```c\ntypedef struct %s %s;\n```\n", d.name, escape(d.doc), d.name, d.name)
			return
		}
		fmt.Fprintf(b, "\n%s```c\ntypedef %s %s;\n```\n%s", paragraph(d.doc), d.base, d.name, paragraph(d.trailing))
	case *callback:
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n```c\ntypedef %s;\n```\n", d.name, escape(d.doc), (&ctype{fn: d.sig}).text(d.name))
	case *structure:
		h.docStruct(b, d)
	case *function:
		h.docFunction(b, d)
	}
}

func (h *header) docStruct(b *strings.Builder, s *structure) {
	fmt.Fprintf(b, "\n### %s\n\n%s| field | type | bytes | |\n|---|---|---|---|\n", s.name, paragraph(s.doc))
	for _, f := range s.fields {
		fmt.Fprintf(b, "| `%s` | `%s` | %d at %d | %s |\n", f.name, f.typ.text(""), f.size, f.offset,
			strings.ReplaceAll(escape(oneLine(f.trailing)), "|", `\|`))
	}
}

func (h *header) docFunction(b *strings.Builder, f *function) {
	fmt.Fprintf(b, "\n### %s\n\n```c\n%s;\n```\n\n%s\n\n", f.name, f.prototype(), escape(f.doc.sentence))
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(b, "- %s: %s\n", name, escape(text))
		}
	}
	line("Params", f.doc.params)
	line("Returns", f.doc.returns)
	line("Thread safety", strings.TrimSuffix(f.doc.thread, "."))
	line("Blocks", strings.TrimSuffix(f.doc.blocks, "."))
	line("Since", f.doc.since)
}

// prototype writes the declaration with one parameter per line when it is long.
func (f *function) prototype() string {
	var params []string
	for _, p := range f.sig.params {
		params = append(params, p.typ.text(p.name))
	}
	if len(params) == 0 {
		params = []string{"void"}
	}
	head := f.sig.result.text(f.name) + "("
	if one := head + strings.Join(params, ", ") + ")"; len(one) <= 110 {
		return one
	}
	return head + "\n    " + strings.Join(params, ",\n    ") + ")"
}

// paragraph is the text with a blank line after it, or nothing.
func paragraph(text string) string {
	if text == "" {
		return ""
	}
	return escape(text) + "\n\n"
}

// escape keeps '*', '_' and '<' of the header's comments from being Markdown.
func escape(text string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", "&lt;").Replace(text)
}
