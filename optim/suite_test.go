package optim

import (
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
)

// The ops of the optimisers in the suite of all ops: each type, path and number of
// threads.
func TestOps(t *testing.T) {
	for _, n := range []int{1, 7, 20000} {
		for _, square := range []bool{false, true} {
			optest.Check(t, optest.Case{
				Name: fmt.Sprint("moment ", n, square), Inputs: []optest.Input{optest.Normal(n), optest.Normal(n)}, NoGrad: true,
				Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
					return graph.Apply(moment{Beta: .9, Square: square}, in...)
				},
			})
		}
		optest.Check(t, optest.Case{
			Name:   fmt.Sprint("adamw ", n),
			Inputs: []optest.Input{optest.Normal(n), optest.Normal(n), optest.Positive(n), optest.Floats([]float64{.125}), optest.Floats([]float64{3})},
			NoGrad: true,
			Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
				return graph.Apply(adamW{Of: AdamW{Beta1: .9, Beta2: .999, Eps: 1e-8, WeightDecay: .01}}, in...)
			},
		})
	}
	for _, x := range []float64{0, 3e-7, 1.5e-6} { // where what keeps the quotient finite counts
		optest.Check(t, optest.Case{
			Name: fmt.Sprint("clip factor of ", x), Inputs: []optest.Input{optest.Floats([]float64{x}, 1)}, NoGrad: true,
			Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
				return graph.Apply(clipFactor{Max: 1e-6}, in...)
			},
		})
	}
	optest.Check(t, optest.Case{
		Name: "clip factor of many", Inputs: []optest.Input{optest.Normal(20000), optest.Normal(70)}, NoGrad: true,
		Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
			return graph.Apply(clipFactor{Max: 2}, in...)
		},
	})
	optest.Check(t, optest.Case{
		Name: "clip factor, hardly short enough", Inputs: []optest.Input{optest.Floats([]float64{1.8}, 1)}, NoGrad: true, Want: []float64{1},
		Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
			return graph.Apply(clipFactor{Max: 2}, in...)
		},
	})
	optest.Check(t, optest.Case{
		Name: "clip factor", Inputs: []optest.Input{optest.Floats([]float64{3, 0}, 2), optest.Floats([]float64{4}, 1, 1)}, NoGrad: true,
		Want: []float64{2 / (5 + 1e-6)},
		Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node {
			return graph.Apply(clipFactor{Max: 2}, in...)
		},
	})
}
