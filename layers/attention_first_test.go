package layers_test

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// The weights are those of the parts: queries by keys, scaled, softmax.
func TestFirstAttention(t *testing.T) {
	for _, c := range []struct{ b, n, w, heads int }{{2, 5, 6, 3}, {1, 1, 4, 2}, {3, 65, 8, 2}, {1, 9, 5, 1}} {
		optest.Check(t, Case{
			Name: fmt.Sprint("first attention ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)},
			Build: one(func(x *Node) *Node { return layers.FirstAttention(x, c.heads) }),
		})
		optest.Check(t, Case{
			Name: fmt.Sprint("less parts ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*c.heads*c.n), WantTol: 1e-14,
			Build: one(func(x *Node) *Node {
				q, k := layers.SplitHeads(layers.Slice(x, 1, 0, 1), 0, c.heads), layers.SplitHeads(x, 1, c.heads)
				a := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1/math.Sqrt(float64(c.w/c.heads))))
				return layers.Sub(layers.FirstAttention(x, c.heads), layers.Reshape(a, c.b, c.heads, c.n))
			}),
		})
	}
	optest.Check(t, Case{
		Name: "far logits", Inputs: []Input{spread(8, 2, 70, 24)}, F32Tol: 1e-4,
		Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 2) }),
	})
	optest.Check(t, Case{
		Name: "two warps", Inputs: []Input{normal(1, 64, 24)},
		Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 1) }),
	})
	for name, slope := range map[string]float64{"falling": -100, "rising": 100} {
		x := make([]float64, 70*3)
		for i := range 70 {
			x[3*i], x[3*i+1] = 1, slope*float64(i)
		}
		optest.Check(t, Case{
			Name: name, Inputs: []Input{optest.Floats(x, 1, 70, 3)}, GradTol: 1e-4,
			Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 1) }),
		})
	}
	refuses(t, "first attention", func(s *graph.Scope) { layers.FirstAttention(x(s, 2, 3, 10), 2) }, "attention of the first token of [2,3,10]", "2 heads")
}
