package layers_test

import (
	"math"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func mask(p float64, seed uint64, shape ...int) func(*Node) *Node {
	return func(step *Node) *Node { return layers.DropoutMask(step, p, seed, shape...) }
}

// The mask's bits are those of Philox4x32-10 by its authors' known answers: of
// counter 0 and key 0, 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
func TestDropoutMaskFixture(t *testing.T) {
	for _, c := range []Case{
		{Name: "just below", Build: one(mask(.39904, 0, 4)), Want: []float64{1.6640042598509052, 1.6640042598509052, 1.6640042598509052, 1.6640042598509052}},
		{Name: "just above", Build: one(mask(.39906, 0, 4)), Want: []float64{0, 1.664059637897294, 1.664059637897294, 1.664059637897294}},
		{Name: "three of four", Build: one(mask(.8, 0, 2, 2)), Want: []float64{0, 5, 0, 0}},
	} {
		c.Inputs, c.NoGrad = []Input{optest.Floats([]float64{0})}, true
		optest.Check(t, c)
	}
}

func TestDropout(t *testing.T) {
	for name, shape := range map[string][]int{"vector": {5}, "odd": {3, 1, 7}, "long": {9, 4099}} {
		optest.Check(t, Case{Name: name, Inputs: []Input{normal(shape...), optest.Floats([]float64{17})},
			NoGrad: true, // the step is a float that no derivative passes
			Build:  two(func(x, step *Node) *Node { return layers.Dropout(x, layers.DropoutMask(step, .3, 7, shape...)) })})
		optest.Check(t, Case{Name: "gradient " + name, Inputs: []Input{normal(shape...)},
			SkipStock: "a constant is bound by the program alone",
			Build: func(s *graph.Scope, in []*Node) *Node {
				step := s.Const(graph.Floats([]float32{17}))
				return layers.Dropout(in[0], layers.DropoutMask(step, .3, 7, shape...))
			}})
	}
}

// Masks of different steps and seeds are independent, keep their share, and do
// not change the mean.
func TestDropoutMasksDiffer(t *testing.T) {
	const n, p = 40000, .1
	draw := func(step float32, seed uint64) []float32 {
		out, err := forward(t, []graph.Tensor{graph.Floats([]float32{step})}, func(in []*Node) *Node { return mask(p, seed, n)(in[0]) })
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(out.F32)
	}
	first := draw(0, 1)
	for name, other := range map[string][]float32{"step": draw(1, 1), "seed": draw(0, 2), "high half of the seed": draw(0, 1+1<<32)} {
		var dropped, both int
		for i, v := range other {
			if v == 0 {
				dropped++
				if first[i] == 0 {
					both++
				}
			} else if math.Abs(float64(v)-1/(1-p)) > 1e-6 {
				t.Fatalf("%s: an element is %v", name, v)
			}
		}
		// four deviations of a binomial
		if math.Abs(float64(dropped)-n*p) > 4*math.Sqrt(n*p*(1-p)) || math.Abs(float64(both)-n*p*p) > 4*math.Sqrt(n*p*p) {
			t.Errorf("%s: %d of %d dropped, %d in both masks, want about %g and %g", name, dropped, n, both, n*p, n*p*p)
		}
	}
	if !slices.Equal(first, draw(0, 1)) {
		t.Error("the same step and seed gave another mask")
	}
}
