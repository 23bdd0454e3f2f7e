package aimrt

// Rule is what all rules in a backend's options have in common: the functions that they are about.
type Rule struct {
	Function Pattern `cfg:"func_name,required"`
}

// Matches tells whether a function is one of the rule's.
func (r Rule) Matches(function string) bool { return r.Function.MatchBackend(function) }

// URLRule says at which address functions are called.
type URLRule struct {
	Rule
	ServerURL string `cfg:"server_url,required"`
}

// RuleOf finds the rule of a function: the first that matches counts.
func RuleOf[R interface{ Matches(function string) bool }](rules []R, function string) (rule R, ok bool) {
	for _, r := range rules {
		if r.Matches(function) {
			return r, true
		}
	}
	return rule, false
}
