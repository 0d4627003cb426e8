package experiments

import (
	"fmt"
	"reflect"
	"strings"
)

// unknown is the error for a key that dst does not have: with the nearest key
// of the whole configuration, or else with the keys that dst has.
func (d decoder) unknown(where, key string, dst reflect.Value) error {
	if near := nearest(key, paths(reflect.ValueOf(Default()), "")); near != "" {
		return fmt.Errorf("%s: unknown key %s, did you mean %s?", where, printable(key), near)
	}
	return fmt.Errorf("%s: unknown key %s, want one of %s", where, printable(key), strings.Join(keys(dst), ", "))
}

// paths lists every key of v with its parents: "train", "train.lr", …
func paths(v reflect.Value, parent string) []string {
	var all []string
	for _, f := range fields(v) {
		all = append(all, join(parent, f.key))
		if f.value.Kind() == reflect.Struct {
			all = append(all, paths(f.value, join(parent, f.key))...)
		}
	}
	return all
}

// nearest is the candidate that a user most likely meant, "" if none is close:
// at most a third of the letters differ, and a right name under the wrong
// parent counts as one letter.
func nearest(name string, candidates []string) string {
	best, least := "", 1<<30
	for _, c := range candidates {
		distance := levenshtein(strings.ToLower(name), c)
		if leaf := 1 + levenshtein(strings.ToLower(last(name)), last(c)); leaf < distance {
			distance = leaf
		}
		if distance < least && distance <= max(2, len(last(c))/3) && distance < len(last(name)) {
			best, least = c, distance
		}
	}
	return best
}

// last is the name after the last dot.
func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

// levenshtein is the least number of bytes to insert, delete or replace
// between a and b.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
