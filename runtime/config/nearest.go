package config

import "strings"

// maxSuggestionDistance is the largest edit distance at which an unknown key
// still gets a suggestion; AimRT's number.
const maxSuggestionDistance = 3

// Nearest gives the candidate that word was most probably meant to be, or "".
// Letter case does not count, two swapped neighbours count as one edit, and
// short words allow fewer edits than long ones. The first of equals wins.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", maxSuggestionDistance+1
	lower := strings.ToLower(word)
	for _, c := range candidates {
		limit := min(maxSuggestionDistance, max(1, (max(len(word), len(c))+1)/3))
		d := distance(lower, strings.ToLower(c), true)
		if d <= limit && d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// nearestKey is the rule of the "Unused options" lines: plain Levenshtein
// distance of at most 3, the first of equals.
func nearestKey(word string, keys []string) string {
	best, bestDistance := "", maxSuggestionDistance+1
	for _, k := range keys {
		if d := distance(word, k, false); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance is the edit distance in bytes, with swaps of neighbours when asked
// for. Words whose lengths differ by more than 3 are not worth the table.
func distance(a, b string, swaps bool) int {
	if diff := len(a) - len(b); diff > maxSuggestionDistance || -diff > maxSuggestionDistance {
		return maxSuggestionDistance + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if swaps && i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// unknownWord is the end of every message about a word that is not known:
// `, did you mean "x"? known: a, b`.
func unknownWord(what, word string, known []string) (message, nearest string) {
	nearest = Nearest(word, known)
	var b strings.Builder
	b.WriteString("unknown " + what + " " + quote(word))
	if nearest != "" {
		b.WriteString(", did you mean " + quote(nearest) + "?")
	} else {
		b.WriteString(";")
	}
	if len(known) == 0 {
		b.WriteString(" known: none")
	} else {
		b.WriteString(" known: " + strings.Join(known, ", "))
	}
	return b.String(), nearest
}
