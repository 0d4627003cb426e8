package release

import (
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
)

// The bank's op in the suite of all ops: each type, path and number of threads, for
// a single row, for rows of just a warp, and for so many tokens and columns that
// loops go round in fours and eights, with and without a rest.
func TestOps(t *testing.T) {
	for _, size := range []struct{ prototypes, d, tokens int }{{1, 1, 1}, {4, 5, 3}, {5, 32, 4}, {2, 33, 5}, {9, 135, 8}, {3, 297, 19}} {
		for _, sum := range []bool{false, true} {
			assigned := make([]int, size.tokens)
			for i := range assigned {
				assigned[i] = (3*i + i/5) % size.prototypes / 2 * 2 % size.prototypes
			}
			optest.Check(t, optest.Case{
				Name: fmt.Sprint("bank write ", size, sum), NoGrad: true,
				Inputs: []optest.Input{
					optest.Normal(size.prototypes, size.d), optest.Normal(size.tokens, size.d),
					optest.Positive(size.tokens, size.prototypes), optest.Ints(assigned, size.tokens),
				},
				Build: func(_ *graph.Scope, in []*Node) *Node {
					return graph.Apply(bankWrite{Momentum: bankMomentum, Sum: sum}, in...)
				},
			})
		}
	}
}
