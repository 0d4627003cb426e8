package results

import (
	"fmt"
	"slices"
	"strings"
)

// tests compares every method with the baseline, by pairs of the same group and
// seed.
func (b *compareBuilder) tests() {
	for _, m := range b.methods {
		if m == b.Baseline {
			continue
		}
		var diffs []float64
		for _, p := range b.cells {
			if p.Method != m || p.Result == nil {
				continue
			}
			for _, q := range b.cells {
				if q.Method == b.Baseline && q.Group == p.Group && q.Seed == p.Seed && q.Result != nil {
					diffs = append(diffs, p.Result.HM-q.Result.HM)
				}
			}
		}
		if len(diffs) > 0 {
			b.Tests = append(b.Tests, Pairs(m, b.Baseline, diffs))
		}
	}
}

// notes says what must not be overlooked.
func (b *compareBuilder) notes() {
	for _, p := range b.cells {
		if p.Result == nil {
			continue
		}
		if fault := p.Result.Collapsed(); fault != "" {
			b.Notes = append(b.Notes, fmt.Sprintf("collapsed: %s on %s, seed %d (%s); the mean includes it", p.Method, p.Group, p.Seed, fault))
		}
	}
	for state, words := range map[string]string{"broken": "broken", "running": "at work elsewhere", "missing": "not run"} {
		var names []string
		for _, p := range b.cells {
			if p.State == state {
				names = append(names, fmt.Sprintf("%s on %s seed %d", p.Method, p.Group, p.Seed))
			}
		}
		if n := len(names); n > 0 {
			b.Notes = append(b.Notes, fmt.Sprintf("%s: %s, such as %s", words, count(n, "run"), names[0]))
		}
	}
	var zeroShot []string
	for _, p := range b.cells {
		if p.Result != nil && p.Result.UnseenZeroShot {
			zeroShot = appendNew(zeroShot, p.Method)
		}
	}
	if len(zeroShot) > 0 {
		b.Notes = append(b.Notes, fmt.Sprintf("%s: the classes that were not learned are zero-shot CLIP's, of which they know nothing", strings.Join(zeroShot, ", ")))
	}
	slices.Sort(b.Notes)
	if slices.ContainsFunc(b.Rows, func(r CompareRow) bool {
		return slices.ContainsFunc(r.Cells, func(m CompareMetric) bool { return m.Inconsistent })
	}) {
		b.Notes = append(b.Notes, inconsistentMark+" the printed HM does not follow from the accuracies printed beside it")
	}
}

// inconsistentMark and collapsedMark stand beside cells and rows.
const (
	inconsistentMark = "†"
	collapsedMark    = "‡"
)
