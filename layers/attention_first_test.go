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
			Build: one(func(x *Node) *Node { return layers.FirstAttention(x, c.heads, layers.Count{}) }),
		})
		optest.Check(t, Case{
			Name: fmt.Sprint("less parts ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*c.heads*c.n), WantTol: 1e-14,
			Build: one(func(x *Node) *Node {
				q, k := layers.SplitHeads(layers.Slice(x, 1, 0, 1), 0, c.heads), layers.SplitHeads(x, 1, c.heads)
				a := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1/math.Sqrt(float64(c.w/c.heads))))
				return layers.Sub(layers.FirstAttention(x, c.heads, layers.Count{}), layers.Reshape(a, c.b, c.heads, c.n))
			}),
		})
	}
	optest.Check(t, Case{
		Name: "far logits", Inputs: []Input{spread(8, 2, 70, 24)}, F32Tol: 1e-4,
		Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 2, layers.Count{}) }),
	})
	optest.Check(t, Case{
		Name: "two warps", Inputs: []Input{normal(1, 64, 24)},
		Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 1, layers.Count{}) }),
	})
	for name, slope := range map[string]float64{"falling": -100, "rising": 100} {
		x := make([]float64, 70*3)
		for i := range 70 {
			x[3*i], x[3*i+1] = 1, slope*float64(i)
		}
		optest.Check(t, Case{
			Name: name, Inputs: []Input{optest.Floats(x, 1, 70, 3)}, GradTol: 1e-4,
			Build: one(func(x *Node) *Node { return layers.FirstAttention(x, 1, layers.Count{}) }),
		})
	}
	refuses(t, "first attention", func(s *graph.Scope) { layers.FirstAttention(x(s, 2, 3, 10), 2, layers.Count{}) }, "attention of the first token of [2,3,10]", "2 heads")
}

// What the first token takes from each other is the weight times the value.
func TestFirstValues(t *testing.T) {
	for _, c := range []struct{ b, n, w, heads int }{{2, 5, 6, 3}, {1, 2, 4, 2}, {3, 65, 8, 2}, {1, 9, 5, 1}, {2, 2, 64, 4}} {
		optest.Check(t, Case{
			Name: fmt.Sprint("first values ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)},
			Build: one(func(x *Node) *Node { return layers.FirstValues(x, c.heads, layers.Count{}) }),
		})
		optest.Check(t, Case{
			Name: fmt.Sprint("less parts ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*(c.n-1)*c.w), WantTol: 1e-14,
			Build: one(func(x *Node) *Node {
				a := layers.Slice(layers.FirstAttention(x, c.heads, layers.Count{}), 2, 1, c.n)
				v := layers.Reshape(layers.Slice(layers.Slice(x, 2, 2*c.w, 3*c.w), 1, 1, c.n), c.b, c.n-1, c.heads, c.w/c.heads)
				y := layers.Mul(layers.Reshape(layers.Transpose(a, 0, 2, 1), c.b, c.n-1, c.heads, 1), v)
				return layers.Sub(layers.FirstValues(x, c.heads, layers.Count{}), layers.Reshape(y, c.b, c.n-1, c.w))
			}),
		})
		optest.Check(t, Case{
			Name: fmt.Sprint("first values, counted ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)},
			Build: one(func(x *Node) *Node { return layers.FirstValues(x, c.heads, layers.Count{Token: c.n - 1, Times: 5}) }),
		})
		// With its own they sum to what Attention gives it.
		optest.Check(t, Case{
			Name: fmt.Sprint("less attention ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*c.w), WantTol: 1e-13,
			Build: one(func(x *Node) *Node {
				count := layers.Count{Token: c.n / 2, Times: 6}
				own := layers.Mul(layers.Reshape(layers.Slice(layers.FirstAttention(x, c.heads, count), 2, 0, 1), c.b, c.heads, 1, 1),
					layers.SplitHeads(layers.Slice(x, 1, 0, 1), 2, c.heads))
				sum := layers.Add(layers.Sum(layers.FirstValues(x, c.heads, count), 1), layers.Reshape(layers.JoinHeads(own), c.b, c.w))
				return layers.Sub(sum, layers.Reshape(layers.Slice(layers.ProportionalAttention(x, c.heads, count), 1, 0, 1), c.b, c.w))
			}),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Inputs: []Input{optest.Floats([]float64{0, 1, 7, 5, 3, 4, 5, 9, 2}, 1, 3, 3)}, Want: []float64{4. / 3, 2. / 3}, WantTol: 1e-6,
		Build: one(func(x *Node) *Node { return layers.FirstValues(x, 1, layers.Count{}) }),
	})
	refuses(t, "first values", func(s *graph.Scope) { layers.FirstValues(x(s, 2, 3, 10), 2, layers.Count{}) }, "values of the first token of [2,3,10]", "2 heads")
	refuses(t, "first values of one", func(s *graph.Scope) { layers.FirstValues(x(s, 2, 1, 12), 2, layers.Count{}) }, "values of the first token of [2,1,12]", "two tokens")
}
