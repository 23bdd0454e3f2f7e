package main

import (
	"fmt"
	"strings"
)

// kind of a token.
type kind int

const (
	tokEOF kind = iota
	tokIdent
	tokNumber
	tokString
	tokPunct
	tokComment
	tokDirective
)

// token is one lexical element of the header. For comments end is the last
// line, and text is free of the comment marks; for directives text is the whole
// directive with continuation lines joined.
type token struct {
	kind  kind
	text  string
	line  int
	end   int
	first bool // nothing but blanks stands before it on its line
}

// syntaxError is a construct of the header that abigen does not know.
type syntaxError struct {
	line int
	text string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

func failf(line int, format string, args ...any) error {
	return &syntaxError{line: line, text: fmt.Sprintf(format, args...)}
}

// lexer cuts a header into tokens.
type lexer struct {
	src    string
	pos    int
	line   int
	first  bool
	tokens []token
}

func lex(src string) ([]token, error) {
	l := &lexer{src: src, line: 1, first: true}
	for l.pos < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return append(l.tokens, token{kind: tokEOF, line: l.line, end: l.line, first: true}), nil
}

func (l *lexer) add(k kind, text string, line int) {
	l.tokens = append(l.tokens, token{kind: k, text: text, line: line, end: l.line, first: l.first})
	l.first = false
}

func (l *lexer) next() error {
	c := l.src[l.pos]
	switch {
	case c == '\n':
		l.pos++
		l.line++
		l.first = true
		return nil
	case c == ' ' || c == '\t' || c == '\r':
		l.pos++
		return nil
	case strings.HasPrefix(l.src[l.pos:], "/*"):
		return l.comment()
	case strings.HasPrefix(l.src[l.pos:], "//"):
		return failf(l.line, "comments are written /* */: a C90 user includes this header too")
	case c == '#':
		if !l.first {
			return failf(l.line, "'#' inside a line")
		}
		return l.directive()
	case c == '"':
		end := strings.IndexByte(l.src[l.pos+1:], '"')
		if end < 0 || strings.Contains(l.src[l.pos+1:l.pos+1+end], "\n") {
			return failf(l.line, "a text is not closed on its line")
		}
		l.add(tokString, l.src[l.pos+1:l.pos+1+end], l.line)
		l.pos += end + 2
		return nil
	case isLetter(c):
		l.add(tokIdent, l.word(), l.line)
		return nil
	case isDigit(c):
		l.add(tokNumber, l.word(), l.line)
		return nil
	case strings.IndexByte("{}()[];,*=+-", c) >= 0:
		l.add(tokPunct, string(c), l.line)
		l.pos++
		return nil
	}
	return failf(l.line, "unexpected character %q", c)
}

func (l *lexer) word() string {
	start := l.pos
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	return l.src[start:l.pos]
}

func (l *lexer) comment() error {
	end := strings.Index(l.src[l.pos+2:], "*/")
	if end < 0 {
		return failf(l.line, "a comment is not closed")
	}
	body := l.src[l.pos+2 : l.pos+2+end]
	start := l.line
	l.line += strings.Count(body, "\n")
	l.pos += end + 4
	l.add(tokComment, cleanComment(body), start)
	return nil
}

// directive takes a preprocessor line with its continuations. A comment at its
// end becomes a token of its own.
func (l *lexer) directive() error {
	start := l.line
	var text strings.Builder
	for l.pos < len(l.src) && l.src[l.pos] != '\n' {
		if strings.HasPrefix(l.src[l.pos:], "/*") {
			break
		}
		if strings.HasPrefix(l.src[l.pos:], "\\\n") {
			text.WriteByte(' ')
			l.pos += 2
			l.line++
			continue
		}
		text.WriteByte(l.src[l.pos])
		l.pos++
	}
	l.add(tokDirective, strings.Join(strings.Fields(text.String()), " "), start)
	return nil
}

// cleanComment removes the leading " * " of each line and the blanks around.
func cleanComment(body string) string {
	lines := strings.Split(body, "\n")
	for i, s := range lines {
		s = strings.TrimSpace(s)
		if i > 0 {
			if s == "*" {
				s = ""
			} else {
				s = strings.TrimPrefix(s, "* ")
			}
		}
		lines[i] = s
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n ")
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
