package layers_test

import (
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestSoftmax(t *testing.T) {
	for _, c := range []optest.Case{
		{Name: "rows", Inputs: []optest.Input{optest.Normal(5, 7)}},
		{Name: "one column", Inputs: []optest.Input{optest.Normal(3, 1)}},
		{Name: "4D", Inputs: []optest.Input{optest.Normal(2, 1, 3, 5)}},
	} {
		c.Build = func(_ *graph.Scope, in []*graph.Node) *graph.Node { return layers.Softmax(in[0]) }
		optest.Check(t, c)
	}
}
