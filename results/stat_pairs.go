package results

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// PairTest says how surely one method differs from another, from differences of
// the same data sets and seeds.
type PairTest struct {
	Method   string `json:"method"`
	Baseline string `json:"baseline"`
	// Interval is the mean difference with its 95% bootstrap interval.
	Interval
	// Wins and Losses count the pairs in which the method is above and below.
	Wins   int `json:"wins"`
	Losses int `json:"losses"`
	// P is the two-sided p-value of Wilcoxon's signed-rank test; Exact says by the
	// whole distribution, else by the normal one.
	P     float64 `json:"p"`
	Exact bool    `json:"exact"`
}

// exactPairs is the largest number of pairs whose distribution is computed whole.
const exactPairs = 50

// Pairs tests the differences of a method and a baseline.
func Pairs(method, baseline string, diffs []float64) PairTest {
	t := PairTest{Method: method, Baseline: baseline, Interval: Bootstrap(diffs)}
	for _, d := range diffs {
		switch {
		case d > 0:
			t.Wins++
		case d < 0:
			t.Losses++
		}
	}
	t.P, t.Exact = Wilcoxon(diffs)
	return t
}

// Wilcoxon is the two-sided p-value of the signed-rank test (Wilcoxon 1945) that
// the differences are symmetric about 0. Zeros are left out, ties share their
// ranks. Up to exactPairs differences the p-value is exact, given the ranks:
// every sign is as likely; above, it is that of the normal distribution with the
// corrections for ties and continuity.
func Wilcoxon(diffs []float64) (p float64, exact bool) {
	diffs = slices.DeleteFunc(slices.Clone(diffs), func(d float64) bool { return d == 0 })
	n := len(diffs)
	if n == 0 {
		return 1, true
	}
	slices.SortFunc(diffs, func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
	ranks := make([]int, n) // doubled, so that those of ties are whole
	plus, total := 0, n*(n+1)
	variance := float64(n*(n+1)*(2*n+1)) / 24
	for i := 0; i < n; {
		j := i
		for j < n && math.Abs(diffs[j]) == math.Abs(diffs[i]) {
			j++
		}
		for k := i; k < j; k++ {
			if ranks[k] = i + j + 1; diffs[k] > 0 {
				plus += ranks[k]
			}
		}
		ties := float64(j - i)
		variance -= (ties*ties*ties - ties) / 48
		i = j
	}
	if n <= exactPairs {
		return signedRankTail(ranks, min(plus, total-plus)), true
	}
	distance := math.Abs(float64(plus)-float64(total)/2) / 2
	z := max(distance-.5, 0) / math.Sqrt(variance)
	return min(1, 2*distuv.UnitNormal.Survival(z)), false
}

// signedRankTail is the probability, over all signs, that the ranks of one sign
// sum to no more than least, or to as much on the other side.
func signedRankTail(ranks []int, least int) float64 {
	total := 0
	for _, r := range ranks {
		total += r
	}
	ways := make([]float64, total+1) // of reaching each sum, as shares of all
	ways[0] = 1
	for _, r := range ranks {
		for s := total; s >= 0; s-- {
			ways[s] /= 2
			if s >= r {
				ways[s] += ways[s-r] / 2
			}
		}
	}
	p := 0.
	for _, w := range ways[:least+1] {
		p += w
	}
	return min(1, 2*p)
}
