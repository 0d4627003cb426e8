package release

import (
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
)

// The bank's op in the suite of all ops: each type, path and number of threads.
func TestOps(t *testing.T) {
	optest.Check(t, optest.Case{
		Name: "bank write", NoGrad: true,
		Inputs: []optest.Input{optest.Normal(4, 5), optest.Normal(3, 5), optest.Normal(3, 4), optest.Ints([]int{2, 0, 2}, 3)},
		Build: func(_ *graph.Scope, in []*Node) *Node {
			return graph.Apply(bankWrite{}, in...)
		},
	})
}
