package config

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// locateBudget bounds the bytes parsed again to find the column of a syntax error.
const locateBudget = 8 << 20

var yamlErrorText = regexp.MustCompile(`^yaml: (?:line (\d+): )?((?s).*)$`)

// parseYAML reads the first document. The node is nil for an empty text.
func parseYAML(text string) (doc *yaml.Node, err error) {
	return parseFrom(strings.NewReader(text))
}

func parseFrom(r io.Reader) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil { // yaml.v3 panics on some broken inputs
			doc, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	var n yaml.Node
	err = yaml.NewDecoder(r).Decode(&n)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return nil, nil
	}
	return n.Content[0], nil
}

// syntaxError gives a parser error its place. yaml.v3 gives no column, and a
// line only sometimes, so the place is searched: the error is where the shortest
// prefix of the text ends that fails in the same way.
func syntaxError(src *source, cause error) *Error {
	m := yamlErrorText.FindStringSubmatch(cause.Error())
	if m == nil {
		return &Error{File: src.name, Message: "YAML syntax: " + cause.Error(), Err: cause}
	}
	l := &locator{text: src.text, message: m[2], starts: lineStarts(src.text), budget: locateBudget}
	line, column := l.find()
	at := src.at(line, column)
	return &Error{File: at.file, Line: at.line, Column: at.column, Message: "YAML syntax: " + m[2], Err: cause}
}

type locator struct {
	text, message string
	starts        []int
	budget        int
}

// same tells whether the first n bytes fail with the same message.
func (l *locator) same(n int) bool {
	l.budget -= n + 64
	_, err := parseYAML(l.text[:n])
	if err == nil {
		return false
	}
	m := yamlErrorText.FindStringSubmatch(err.Error())
	return m != nil && m[2] == l.message
}

// oneByte hands out a text byte by byte, so that what the parser has read when
// it fails is not much more than what it needed to see.
type oneByte struct {
	text string
	read int
}

func (o *oneByte) Read(p []byte) (int, error) {
	if o.read == len(o.text) {
		return 0, io.EOF
	}
	p[0] = o.text[o.read]
	o.read++
	return 1, nil
}

func (l *locator) find() (line, column int) {
	reader := &oneByte{text: l.text}
	l.budget -= len(l.text)
	_, _ = parseFrom(reader)
	end := reader.read
	if strings.Contains(l.message, "unexpected end of stream") {
		end = l.endOfLine(l.scannerLine())
	}
	line = l.lineOf(end)
	// Whole lines first, then characters within the line.
	for line > 1 && l.budget > 0 && l.same(l.starts[line-1]) {
		line--
		end = l.endOfLine(line)
	}
	start := l.starts[line-1]
	for end > start && l.budget > 0 {
		_, size := utf8.DecodeLastRuneInString(l.text[start:end])
		if !l.same(end - size) {
			end -= size
			break
		}
		end -= size
	}
	end = l.wordStart(start, end)
	return line, utf8.RuneCountInString(l.text[start:end]) + 1
}

var unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// wordStart goes back to where the offending word begins; some errors come at its end.
func (l *locator) wordStart(start, end int) int {
	if m := unknownAnchor.FindStringSubmatch(l.message); m != nil {
		last := min(len(l.text), end+1)
		if i := strings.LastIndex(l.text[start:last], "*"+m[1]); i >= 0 {
			return start + i
		}
		return end
	}
	if strings.HasPrefix(l.message, "did not find expected") {
		for end > start && !strings.ContainsRune(" \t,[]{}", rune(l.text[end-1])) {
			end--
		}
	}
	return end
}

// scannerLine asks yaml.v3 for the line where the unfinished token begins. It
// leaves out line 1, hence the extra line; scanner errors count from there.
func (l *locator) scannerLine() int {
	l.budget -= len(l.text)
	_, err := parseYAML("\n" + l.text)
	if err == nil {
		return len(l.starts)
	}
	m := yamlErrorText.FindStringSubmatch(err.Error())
	if m == nil || m[1] == "" {
		return len(l.starts)
	}
	n, _ := strconv.Atoi(m[1])
	return min(max(n-1, 1), len(l.starts))
}

func (l *locator) endOfLine(line int) int {
	if line >= len(l.starts) {
		return len(l.text)
	}
	return l.starts[line]
}

func (l *locator) lineOf(offset int) int {
	line := 1
	for line < len(l.starts) && l.starts[line] < offset {
		line++
	}
	return line
}
