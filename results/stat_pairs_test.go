package results

import (
	"math"
	"testing"
)

// Against SciPy 1.17: wilcoxon(method="exact") without ties, every sign's
// enumeration with ties, and the corrected normal approximation.
func TestWilcoxon(t *testing.T) {
	var many []float64
	for i := range 60 {
		many = append(many, math.Round(float64((i*37)%101-45))/10)
	}
	for _, test := range []struct {
		diffs []float64
		p     float64
		exact bool
	}{
		{[]float64{1.5, -.5, 2.25, 3, -1, .75, 4, 2}, .0546875, true},
		{[]float64{1, -1, 2, 2, -3, 4, 0, 5, .5, .5}, .1875, true},
		{many, .26628823437850624, false},
		{[]float64{1, 2, 3}, .25, true},
		{[]float64{0, 0}, 1, true},
		{nil, 1, true},
		{[]float64{-2}, 1, true},
	} {
		p, exact := Wilcoxon(test.diffs)
		if math.Abs(p-test.p) > 1e-9 || exact != test.exact {
			t.Errorf("%v: p = %g, exact %v, want %g, %v", test.diffs, p, exact, test.p, test.exact)
		}
	}
}

// At the border the exact and the normal p-value are close, and a sign that is
// turned does not matter.
func TestWilcoxonBorder(t *testing.T) {
	var diffs, turned []float64
	for i := range exactPairs + 1 {
		d := float64((i*29)%53) - 20.5
		diffs, turned = append(diffs, d), append(turned, -d)
	}
	normal, _ := Wilcoxon(diffs)
	exact, _ := Wilcoxon(diffs[:exactPairs])
	if math.Abs(normal-exact) > .02 || normal <= 0 {
		t.Errorf("normal %g, exact with one pair less %g", normal, exact)
	}
	if back, _ := Wilcoxon(turned); back != normal {
		t.Errorf("turned %g, %g", back, normal)
	}
}
