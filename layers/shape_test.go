package layers_test

import (
	"fmt"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestReshape(t *testing.T) {
	for _, c := range []struct{ from, to, want []int }{
		{[]int{2, 3, 5}, []int{5, 6}, []int{5, 6}},
		{[]int{2, 3, 5}, []int{-1}, []int{30}},
		{[]int{2, 3, 5}, []int{3, -1, 2}, []int{3, 5, 2}},
		{[]int{}, []int{1, 1}, []int{1, 1}},
		{[]int{1, 1}, []int{}, []int{}},
		{[]int{7}, []int{7}, []int{7}},
		{[]int{3}, []int{3, 1}, []int{3, 1}},
		{[]int{3, 1}, []int{1, 3}, []int{1, 3}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprintf("%v to %v", c.from, c.to), Inputs: []Input{normal(c.from...)},
			Build: one(func(x *Node) *Node {
				y := layers.Reshape(x, c.to...)
				if got := layers.ShapeOf(y); !slices.Equal(got, c.want) {
					t.Errorf("%v reshaped to %v is %v, want %v", c.from, c.to, got, c.want)
				}
				return layers.Square(y)
			}),
		})
	}
}

// Under Gorgonia's own machines this expression with its own ops has a wrong
// gradient: reshape shares memory that the square overwrites.
func TestReshapeInResidual(t *testing.T) {
	optest.Check(t, Case{
		Name: "residual", Inputs: []Input{normal(3, 4)},
		Build: one(func(x *Node) *Node {
			h := layers.Tanh(x)
			return layers.Add(h, layers.Reshape(layers.Square(layers.Reshape(h, 4, 3)), 3, 4))
		}),
	})
}

func TestTranspose(t *testing.T) {
	for _, c := range []struct{ shape, perm []int }{
		{[]int{3, 5}, []int{1, 0}}, {[]int{1, 7}, []int{1, 0}}, {[]int{7}, []int{0}}, {[]int{2, 3, 5}, []int{0, 2, 1}},
		{[]int{2, 3, 5}, []int{2, 0, 1}}, {[]int{2, 3, 5}, []int{1, 2, 0}}, {[]int{2, 1, 3, 5}, []int{3, 1, 0, 2}},
		{[]int{2, 3, 2, 2}, []int{0, 1, 2, 3}}, {[]int{2, 3, 4, 5}, []int{0, 2, 1, 3}}, {[]int{101, 211}, []int{1, 0}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprintf("%v by %v", c.shape, c.perm), Inputs: []Input{normal(c.shape...)},
			Build: one(func(x *Node) *Node { return layers.Transpose(x, c.perm...) }),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Inputs: []Input{optest.Floats([]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 2, 3, 2)},
		Build: one(func(x *Node) *Node { return layers.Transpose(x, 1, 2, 0) }),
		Want:  []float64{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11},
	})
}

func TestBroadcast(t *testing.T) {
	for _, c := range []struct{ from, to []int }{
		{[]int{}, []int{3}}, {[]int{1}, []int{5}}, {[]int{3, 1}, []int{3, 7}}, {[]int{7}, []int{3, 7}},
		{[]int{1, 7}, []int{2, 3, 7}}, {[]int{2, 1, 3, 1}, []int{2, 5, 3, 4}}, {[]int{2, 3}, []int{2, 3}}, {[]int{1, 1}, []int{1, 1, 1}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprintf("%v to %v", c.from, c.to), Inputs: []Input{normal(c.from...)},
			Build: one(func(x *Node) *Node { return layers.Broadcast(x, c.to...) }),
		})
		optest.Check(t, Case{
			Name: fmt.Sprintf("%v back to %v", c.to, c.from), Inputs: []Input{normal(c.to...)},
			Build: one(func(x *Node) *Node { return layers.SumTo(x, c.from) }),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Inputs: []Input{optest.Floats([]float64{1, 2}, 2, 1)}, Want: []float64{1, 1, 1, 2, 2, 2},
		Build: one(func(x *Node) *Node { return layers.Broadcast(x, 2, 3) }),
	})
}

// No gradient passes StopGradient; the rest of the sum has its own.
func TestStopGradient(t *testing.T) {
	g := gradient(t, []float64{2, -3}, func(x *Node) *Node {
		return layers.SumAll(layers.Mul(x, layers.StopGradient(layers.Square(x))))
	})
	if !slices.Equal(g, []float32{4, 9}) {
		t.Errorf("gradient is %v, want [4 9]", g)
	}
	s := graph.New(graph.NewStore(nil), graph.Float32)
	loss := layers.SumAll(layers.StopGradient(x(s, 3)))
	if _, err := s.Grad(loss, s.Trainables()); err == nil {
		t.Error("a loss behind StopGradient has a gradient")
	}
}

func TestConcat(t *testing.T) {
	for _, c := range []struct {
		axis   int
		shapes [][]int
	}{
		{0, [][]int{{2}, {3}, {1}}}, {0, [][]int{{2, 3}, {1, 3}}}, {1, [][]int{{2, 3}, {2, 1}, {2, 5}}},
		{-1, [][]int{{2, 3, 1}, {2, 3, 4}}}, {1, [][]int{{2, 1, 3}, {2, 4, 3}}}, {2, [][]int{{1, 2, 1, 3}, {1, 2, 5, 3}}},
		{0, [][]int{{4, 1}}}, {-2, [][]int{{2, 3, 2}, {2, 2, 2}}},
	} {
		var in []Input
		for _, s := range c.shapes {
			in = append(in, normal(s...))
		}
		optest.Check(t, Case{
			Name: fmt.Sprintf("axis %d of %v", c.axis, c.shapes), Inputs: in,
			Build: func(_ *graph.Scope, in []*Node) *Node { return layers.Concat(c.axis, in...) },
		})
	}
	optest.Check(t, Case{
		Name:   "fixture",
		Inputs: []Input{optest.Floats([]float64{1, 2, 3, 4}, 2, 2), optest.Floats([]float64{5, 6}, 2, 1)},
		Build:  two(func(a, b *Node) *Node { return layers.Concat(1, a, b) }), Want: []float64{1, 2, 5, 3, 4, 6},
	})
	optest.Check(t, Case{
		Name: "one value twice", Inputs: []Input{normal(2, 3)},
		Build: one(func(x *Node) *Node { return layers.Concat(0, x, layers.Square(x), x) }),
	})
}

func TestSlice(t *testing.T) {
	for _, c := range []struct {
		shape        []int
		axis, lo, hi int
		want         []int
	}{
		{[]int{7}, 0, 2, 5, []int{3}}, {[]int{7}, 0, 6, 7, []int{1}}, {[]int{3, 5}, 0, 1, 2, []int{1, 5}},
		{[]int{3, 5}, 1, 0, 1, []int{3, 1}}, {[]int{2, 5, 3}, 1, 1, 4, []int{2, 3, 3}}, {[]int{2, 5, 3}, -1, 2, 3, []int{2, 5, 1}},
		{[]int{2, 3, 5, 1}, 2, 4, 5, []int{2, 3, 1, 1}}, {[]int{3, 5}, 1, 0, 5, []int{3, 5}},
	} {
		optest.Check(t, Case{
			Name: fmt.Sprintf("%v axis %d [%d,%d)", c.shape, c.axis, c.lo, c.hi), Inputs: []Input{normal(c.shape...)},
			Build: one(func(x *Node) *Node {
				y := layers.Slice(x, c.axis, c.lo, c.hi)
				if got := layers.ShapeOf(y); !slices.Equal(got, c.want) {
					t.Errorf("slice is of shape %v, want %v", got, c.want)
				}
				return y
			}),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Inputs: []Input{optest.Floats([]float64{0, 1, 2, 3, 4, 5, 6, 7}, 2, 4)}, Want: []float64{1, 2, 5, 6},
		Build: one(func(x *Node) *Node { return layers.Slice(x, 1, 1, 3) }),
	})
	// Parts that overlap: their gradients add up.
	optest.Check(t, Case{
		Name: "overlap", Inputs: []Input{normal(2, 5)},
		Build: one(func(x *Node) *Node {
			return layers.Mul(layers.Slice(x, 1, 0, 3), layers.Slice(x, 1, 2, 5))
		}),
	})
}
