package spotlight

import (
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
)

// The ops of the method in the suite of all ops: each type, path and number of
// threads.
func TestOps(t *testing.T) {
	apply := func(op graph.Op) func(*graph.Scope, []*Node) *Node {
		return func(_ *graph.Scope, in []*Node) *Node { return graph.Apply(op, in...) }
	}
	normal, labels := optest.Normal, optest.Ints([]int{2, 0, 2}, 3)
	remain := make([]float64, 3*16)
	for i := range remain {
		if i%7%3 == 0 {
			remain[i] = 1
		}
	}
	for _, c := range []optest.Case{
		{Name: "bank write", Inputs: []optest.Input{normal(4, 3, 5), normal(3, 2, 5), normal(3, 2), labels}, Build: apply(bankWrite{Momentum: .9})},
		{Name: "reading write", Inputs: []optest.Input{normal(4, 5), optest.Floats([]float64{0, 1, 1, 0}, 4), normal(3, 5), labels}, Build: apply(readingWrite{Momentum: .9})},
		{Name: "seen write", Inputs: []optest.Input{optest.Floats([]float64{0, 1, 0, 0}, 4), labels}, Build: apply(seenWrite{}), Want: []float64{1, 1, 1, 0}},
		{Name: "class reading", Inputs: []optest.Input{normal(4, 5), optest.Floats([]float64{1, 0, 1, 1}, 4)}, Build: apply(classReading{})},
		{Name: "candidate of label", Inputs: []optest.Input{optest.Ints([]int{5, 2, 7, 0, 1, 3, 4, 2, 9}, 3, 3), labels}, Build: apply(candidateOf{}), Want: []float64{1, 0, 1}},
		{Name: "scramble", Inputs: []optest.Input{normal(3, 9)}, Build: apply(scramble{})},
		{Name: "keep", Inputs: []optest.Input{normal(5, 25)}, Build: apply(keep{K: 4, Window: 3, Grid: 5})},
		{Name: "class reading of one seen", Inputs: []optest.Input{normal(3, 5), optest.Floats([]float64{0, 1, 0}, 3)}, Build: apply(classReading{})},
		{Name: "keep of all", Inputs: []optest.Input{normal(7, 9)}, Build: apply(keep{K: 9, Grid: 3})},
		{Name: "keep of equals", Inputs: []optest.Input{optest.Floats([]float64{1, 2, 2, 0, 2, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0}, 1, 16)}, Build: apply(keep{K: 4, Window: 3, Grid: 4}), Want: []float64{1, 2, 4, 8}},
		{Name: "keep of what remains near", Inputs: []optest.Input{normal(6, 16), optest.Floats(remain, 3, 16)}, Build: apply(keep{K: 5, Window: 3, Grid: 4})},
		{Name: "keep of what remains", Inputs: []optest.Input{normal(4, 4), optest.Floats([]float64{1, 0, 1, 0, 1, 1, 0, 1}, 2, 4)}, Build: apply(keep{K: 2, Grid: 2})},
	} {
		c.NoGrad = true
		optest.Check(t, c)
	}
}
