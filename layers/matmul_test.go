package layers_test

import (
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestMatMul(t *testing.T) {
	for _, transA := range []bool{false, true} {
		for _, transB := range []bool{false, true} {
			for _, c := range []struct {
				batch   []int
				m, k, n int
			}{
				{nil, 3, 5, 7}, {nil, 1, 5, 1}, {nil, 1, 1, 1}, {nil, 7, 1, 3}, {[]int{2}, 3, 5, 2}, {[]int{1}, 1, 7, 1},
				{[]int{2, 3}, 2, 5, 3}, {nil, 67, 131, 71}, {[]int{3}, 65, 17, 33},
			} {
				a, b := append(append([]int{}, c.batch...), c.m, c.k), append(append([]int{}, c.batch...), c.k, c.n)
				if i := len(a); transA {
					a[i-1], a[i-2] = a[i-2], a[i-1]
				}
				if i := len(b); transB {
					b[i-1], b[i-2] = b[i-2], b[i-1]
				}
				optest.Check(t, Case{
					Name: fmt.Sprintf("%v%v %v%v", a, transA, b, transB), Inputs: []Input{normal(a...), normal(b...)},
					Build: two(func(a, b *Node) *Node { return layers.MatMul(a, b, transA, transB) }),
				})
			}
		}
	}
}

func TestMatMulFixture(t *testing.T) {
	a, b := []float64{1, 2, 3, 4, 5, 6}, []float64{1, 0, 2, -1, 3, 1}
	for _, c := range []struct {
		transA, transB bool
		as, bs         []int
		want           []float64
	}{
		{false, false, []int{2, 3}, []int{3, 2}, []float64{14, 1, 32, 1}},
		{false, true, []int{2, 3}, []int{2, 3}, []float64{7, 8, 16, 17}},
		{true, false, []int{3, 2}, []int{3, 2}, []float64{22, 2, 28, 2}},
		{true, true, []int{3, 2}, []int{2, 3}, []float64{11, 13, 14, 16}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprint(c.transA, c.transB), Inputs: []Input{optest.Floats(a, c.as...), optest.Floats(b, c.bs...)}, Want: c.want,
			Build: two(func(a, b *Node) *Node { return layers.MatMul(a, b, c.transA, c.transB) }),
		})
	}
}

func TestMatMulOfOneOperand(t *testing.T) {
	optest.Check(t, Case{
		Name: "x xT", Inputs: []Input{normal(3, 5)},
		Build: one(func(x *Node) *Node { return layers.MatMul(x, x, false, true) }),
	})
}

func TestLinear(t *testing.T) {
	for _, c := range []struct{ x, w []int }{
		{[]int{3, 5}, []int{7, 5}}, {[]int{5}, []int{7, 5}}, {[]int{1, 1}, []int{1, 1}}, {[]int{2, 3, 5}, []int{1, 5}},
		{[]int{2, 1, 3, 1}, []int{4, 1}}, {[]int{67, 129}, []int{65, 129}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprint(c.x, c.w), Inputs: []Input{normal(c.x...), normal(c.w...)},
			Build: two(func(x, w *Node) *Node { return layers.Linear(x, w, nil) }),
		})
		optest.Check(t, Case{
			Name: fmt.Sprint(c.x, c.w, " with bias"), Inputs: []Input{normal(c.x...), normal(c.w...), normal(c.w[0])}, Build: three(layers.Linear),
		})
	}
	for _, n := range []int{3, 15, 16, 17, 32, 33} {
		optest.Check(t, Case{
			Name: fmt.Sprint("about a tile, ", n), Inputs: []Input{normal(63+n%3, n), normal(65-n%3, n), normal(65 - n%3)}, Build: three(layers.Linear),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Build: three(layers.Linear), Want: []float64{12, 28},
		Inputs: []Input{optest.Floats([]float64{1, -1, 2}, 1, 3), optest.Floats([]float64{1, 2, 3, 4, 5, 6}, 2, 3), optest.Floats([]float64{7, 17}, 2)},
	})
}

// Addition of a residual and QuickGELU are part of the product, at every element of
// the squares that a thread computes, and far out on both sides of zero.
func TestLinearAndActivation(t *testing.T) {
	for _, scale := range []float64{.5, 8, 40} {
		for _, m := range []int{1, 9} {
			x, w, b, r := spread(scale, m, 4), spread(1, 11, 4), spread(scale, 11), spread(scale, m, 11)
			optest.Check(t, Case{
				Name: fmt.Sprint("quickgelu of a product, ", m, " ", scale), Inputs: []Input{x, w}, NoGrad: true,
				Build: two(func(x, w *Node) *Node { return layers.QuickGELU(layers.Linear(x, w, nil)) }),
			})
			optest.Check(t, Case{
				Name: fmt.Sprint("and bias, ", m, " ", scale), Inputs: []Input{x, w, b}, NoGrad: true,
				Build: three(func(x, w, b *Node) *Node { return layers.QuickGELU(layers.Linear(x, w, b)) }),
			})
			optest.Check(t, Case{
				Name: fmt.Sprint("and residual, ", m, " ", scale), Inputs: []Input{x, w, b, r}, NoGrad: true,
				Build: func(_ *graph.Scope, in []*Node) *Node { return layers.Add(layers.Linear(in[0], in[1], in[2]), in[3]) },
			})
		}
	}
}
