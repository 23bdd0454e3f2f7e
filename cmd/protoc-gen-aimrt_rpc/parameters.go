package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// The languages of stubs.
const (
	python = "python"
	cpp    = "cpp"
)

// defaultLanguage is what a program of this name writes when no parameter says: AimRT's users call the generator of C++ stubs
// protoc_plugin_cpp_gen_aimrt_cpp_rpc or protoc_plugin_py_gen_aimrt_cpp_rpc and give it no parameter.
func defaultLanguage(program string) string {
	if strings.HasSuffix(strings.TrimSuffix(filepath.Base(program), ".py"), "_gen_aimrt_cpp_rpc") {
		return cpp
	}
	return python
}

// language reads the text before the colon of --aimrt_rpc_out. Parameters other than lang are ignored, because command
// lines written for AimRT's own generator may carry any.
func language(text, otherwise string) (string, error) {
	chosen := otherwise
	for _, parameter := range strings.Split(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(parameter), "=")
		if name != "lang" || !found {
			continue
		}
		if value != python && value != cpp {
			return "", fmt.Errorf("parameter lang: %q is not a language of this plugin (python, cpp); did you mean %q?",
				value, nearest(value, python, cpp))
		}
		chosen = value
	}
	return chosen, nil
}

// nearest gives the candidate that the word abbreviates, else the one with the smallest edit distance; the first one
// wins a tie.
func nearest(word string, candidates ...string) string {
	word = strings.ToLower(word)
	best, bestDistance := "", -1
	for _, candidate := range candidates {
		distance := editDistance(word, candidate)
		if word != "" && strings.HasPrefix(candidate, word) {
			distance = 0
		}
		if bestDistance < 0 || distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// editDistance counts the insertions, deletions and replacements between two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
