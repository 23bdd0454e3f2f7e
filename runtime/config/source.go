package config

import (
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"
)

// envPattern is AimRT's: no defaults, no escapes, the replacement is not read again.
var envPattern = regexp.MustCompile(`\$\{([^}]+)\}`)

// source is a text after environment substitution and the way back from a place
// in it to the place in what the user wrote.
type source struct {
	name      string
	text      string // after substitution
	original  string
	parts     []part // empty = nothing was substituted
	lines     []int  // offsets of line starts in text
	origLines []int
}

// part says where a run of the text after substitution came from.
type part struct {
	offset, original int
	literal          bool // copied; otherwise the value of a variable
}

// newSource substitutes ${NAME} in text. Names without a value become empty and
// are reported, unless they stand in a comment.
func newSource(name, text string, lookup func(string) (string, bool)) (*source, []Finding) {
	text = strings.TrimPrefix(text, "\ufeff")
	s := &source{name: name, text: text, original: text}
	matches := envPattern.FindAllStringSubmatchIndex(text, -1)
	if len(matches) == 0 {
		return s, nil
	}
	var out strings.Builder
	var findings []Finding
	s.origLines = lineStarts(text)
	last := 0
	for _, m := range matches {
		s.parts = append(s.parts, part{out.Len(), last, true}, part{out.Len() + m[0] - last, m[0], false})
		out.WriteString(text[last:m[0]])
		word := text[m[2]:m[3]]
		val, ok := lookup(word)
		if !ok && !s.inComment(m[0]) {
			at := s.originalAt(m[0])
			findings = append(findings, Finding{File: name, Line: at.line, Column: at.column,
				Text: "- Environment variable not set: '" + word + "'! Empty text is used."})
		}
		out.WriteString(val)
		last = m[1]
	}
	s.parts = append(s.parts, part{out.Len(), last, true})
	out.WriteString(text[last:])
	s.text = out.String()
	s.lines = lineStarts(s.text)
	return s, findings
}

// inComment is a guess that is good enough to keep a warning quiet: a # at the
// start of the line or after a blank.
func (s *source) inComment(offset int) bool {
	line := s.original[:offset]
	if i := strings.LastIndexAny(line, "\r\n"); i >= 0 {
		line = line[i+1:]
	}
	return strings.HasPrefix(line, "#") || strings.Contains(line, " #") || strings.Contains(line, "\t#")
}

// at turns a place in the substituted text into one in the user's text.
func (s *source) at(line, column int) position {
	if len(s.parts) == 0 || line < 1 || line > len(s.lines) {
		return position{s.name, line, column}
	}
	offset := s.lines[line-1]
	for c := 1; c < column && offset < len(s.text); c++ {
		_, n := utf8.DecodeRuneInString(s.text[offset:])
		offset += n
	}
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].offset > offset }) - 1
	p := s.parts[i]
	if !p.literal {
		return s.originalAt(p.original)
	}
	return s.originalAt(p.original + offset - p.offset)
}

func (s *source) originalAt(offset int) position {
	line := sort.SearchInts(s.origLines, offset+1)
	column := utf8.RuneCountInString(s.original[s.origLines[line-1]:offset]) + 1
	return position{s.name, line, column}
}

// lineStarts gives the offset of each line, with the line breaks YAML knows.
func lineStarts(text string) []int {
	starts := []int{0}
	for i, r := range text {
		switch r {
		case '\r':
			if strings.HasPrefix(text[i+1:], "\n") {
				continue
			}
			starts = append(starts, i+1)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i+utf8.RuneLen(r))
		}
	}
	return starts
}
