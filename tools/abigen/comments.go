package main

import (
	"regexp"
	"strings"
)

var partMark = regexp.MustCompile(`(?:^|[\n ])(Params|Returns|Thread safety|Blocks|Since):`)

// readComment cuts a function's comment into the parts of rule H15.
func readComment(text string) comment {
	c := comment{text: text}
	marks := partMark.FindAllStringSubmatchIndex(text, -1)
	end := len(text)
	if len(marks) > 0 {
		end = marks[0][0]
	}
	c.sentence = oneLine(text[:end])
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		part := oneLine(text[m[1]:end])
		switch text[m[2]:m[3]] {
		case "Params":
			c.params = part
		case "Returns":
			c.returns = part
		case "Thread safety":
			c.thread = part
		case "Blocks":
			c.blocks = part
		case "Since":
			c.since = part
		}
	}
	return c
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

var paramTag = regexp.MustCompile(`\[(in|out)(, [a-z ]+)?\]`)

// readParams gives each parameter what the Params part says about it. A part
// is "name, name [tag] words", parts are separated by ';'; a part without a tag
// refers to another function and leaves its parameters to the types.
func (f *function) readParams() {
	for _, part := range strings.Split(strings.TrimSuffix(f.doc.params, "."), ";") {
		m := paramTag.FindStringSubmatchIndex(part)
		if m == nil {
			continue
		}
		doc := paramDoc{
			out:      part[m[2]:m[3]] == "out",
			owned:    strings.Contains(part[m[0]:m[1]], "owned"),
			nullable: strings.Contains(part, "nullable") || strings.Contains(part, "may be NULL"),
			text:     strings.TrimSpace(part),
		}
		for _, name := range strings.Split(part[:m[0]], ",") {
			for _, p := range f.sig.params {
				if p.name == strings.TrimSpace(name) {
					p.doc = doc
				}
			}
		}
	}
}
