package config

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// MaxPatternBytes is the longest regular expression accepted in a rule.
const MaxPatternBytes = 4096

// Pattern is a regular expression of a rule. It matches a whole name, in RE2
// syntax. The zero Pattern matches nothing. It may be used from any thread.
type Pattern struct {
	expr string
	re   *regexp.Regexp
	all  bool
	node Node
}

// CompileRule compiles the regular expression in a scalar node. What RE2 does
// not have (look-around, back-references) is refused with the expression and its line.
func CompileRule(n Node) (Pattern, error) {
	if !n.user.is(kindScalar) {
		return Pattern{}, n.Errorf("expected a regular expression, got %s", n.user.describe())
	}
	return compile(n, n.user.text)
}

// AnyName is the pattern "(.*)", the default of every name filter.
var AnyName, _ = NewPattern("(.*)")

// NewPattern compiles an expression that does not come from a file.
func NewPattern(expr string) (Pattern, error) { return compile(Node{}, expr) }

func compile(n Node, expr string) (Pattern, error) {
	if len(expr) > MaxPatternBytes {
		return Pattern{}, n.Errorf("regular expression of %d bytes, at most %d are accepted", len(expr), MaxPatternBytes)
	}
	p := Pattern{expr: expr, node: n, all: expr == "(.*)" || expr == ".*"}
	if _, err := syntax.Parse(expr, syntax.Perl); err != nil {
		return Pattern{}, patternError(n, expr, err)
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return Pattern{}, patternError(n, expr, err)
	}
	p.re = re
	return p, nil
}

func patternError(n Node, expr string, err error) *Error {
	code, fragment := "", ""
	if se, ok := err.(*syntax.Error); ok {
		code, fragment = string(se.Code), se.Expr
	}
	what := ""
	switch {
	case strings.HasPrefix(fragment, "(?="), strings.HasPrefix(fragment, "(?!"):
		what = "look-ahead " + quote(fragment)
	case strings.HasPrefix(fragment, "(?<"):
		what = "look-behind " + quote(fragment)
	case len(fragment) > 1 && fragment[0] == '\\' && fragment[1] >= '1' && fragment[1] <= '9':
		what = "back-reference " + quote(fragment)
	}
	var e *Error
	if what != "" {
		e = n.Errorf("regular expression %s: %s is not supported, rules use RE2 syntax", quote(expr), what)
	} else if code != "" {
		e = n.Errorf("regular expression %s: %s at %s", quote(expr), code, quote(fragment))
	} else {
		e = n.Errorf("regular expression %s: %v", quote(expr), err)
	}
	e.Err = err
	return e
}

// String gives the expression as the user wrote it.
func (p Pattern) String() string { return p.expr }

// Node gives the place of the expression.
func (p Pattern) Node() Node { return p.node }

// Match tells whether the expression matches all of name. It is the rule of
// aimrt.rpc and of module_filter.
func (p Pattern) Match(name string) bool {
	if p.re == nil {
		return false
	}
	if p.all && !strings.ContainsRune(name, '\n') {
		return true
	}
	return p.re.MatchString(name)
}

// MatchBackend is the rule inside backend options: all of name, or all of it
// without the type prefix.
func (p Pattern) MatchBackend(name string) bool {
	if p.Match(name) {
		return true
	}
	bare := WithoutPrefix(name)
	return bare != name && p.Match(bare)
}

// WithoutPrefix cuts the type prefix off a function name: what follows the first
// ":" that stands before a "/". A name without one is given back whole.
func WithoutPrefix(name string) string {
	if i := strings.Index(name, ":/"); i >= 0 {
		return name[i+1:]
	}
	return name
}
