package layers_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestEmbedding(t *testing.T) {
	for _, c := range []Case{
		{Name: "vector of ids", Inputs: []Input{normal(7, 5), indices(7, 4)}},
		{Name: "matrix of ids", Inputs: []Input{normal(3, 1), indices(3, 2, 5)}},
		{Name: "one row", Inputs: []Input{normal(1, 3), indices(1, 4)}},
		{Name: "one id", Inputs: []Input{normal(3, 2), optest.Ints([]int{2})}, SkipStock: "Let takes no Int scalar"},
		{Name: "repeated", Inputs: []Input{normal(4, 131), optest.Ints([]int{2, 2, 0, 2, 3, 3}, 2, 3)}},
		{Name: "fixture", Want: []float64{5, 6, 1, 2, 5, 6},
			Inputs: []Input{optest.Floats([]float64{1, 2, 3, 4, 5, 6}, 3, 2), optest.Ints([]int{2, 0, 2}, 3)}},
	} {
		c.Build = two(layers.Embedding)
		optest.Check(t, c)
	}
}

func TestGatherAndScatter(t *testing.T) {
	for _, c := range []Case{
		{Name: "matrix", Inputs: []Input{normal(3, 7), indices(7, 3, 4)}},
		{Name: "tokens", Inputs: []Input{normal(2, 5, 3), indices(5, 2, 4)}},
		{Name: "one image", Inputs: []Input{normal(1, 5, 3), indices(5, 1, 7)}},
		{Name: "4D", Inputs: []Input{normal(2, 3, 1, 5), indices(3, 2, 1)}},
		{Name: "repeated", Inputs: []Input{normal(2, 3, 2), optest.Ints([]int{1, 1, 1, 0, 2, 0}, 2, 3)}},
		{Name: "wide", Inputs: []Input{normal(5, 11, 257), indices(11, 5, 3)}},
		{Name: "fixture", Want: []float64{3, 1, 3, 5, 5, 4},
			Inputs: []Input{optest.Floats([]float64{1, 2, 3, 4, 5, 6}, 2, 3), optest.Ints([]int{2, 0, 2, 1, 1, 0}, 2, 3)}},
	} {
		c.Build = two(layers.Gather)
		optest.Check(t, c)
	}
	for _, c := range []Case{
		{Name: "scatter matrix", Inputs: []Input{normal(3, 4), indices(9, 3, 4)}},
		{Name: "scatter tokens", Inputs: []Input{normal(2, 4, 3), indices(9, 2, 4)}},
		{Name: "scatter repeated", Inputs: []Input{optest.Floats([]float64{1, 2, 4, 8}, 2, 2), optest.Ints([]int{3, 3, 8, 0}, 2, 2)},
			Want: []float64{0, 0, 0, 3, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 4}},
	} {
		c.Build = two(func(x, idx *Node) *Node { return layers.Scatter(x, idx, 9) })
		optest.Check(t, c)
	}
}

func TestTopK(t *testing.T) {
	for _, c := range []struct{ b, n, k int }{{1, 1, 1}, {3, 7, 1}, {3, 7, 3}, {2, 5, 5}, {2, 1031, 17}} {
		optest.Check(t, Case{
			Name: fmt.Sprint(c), Inputs: []Input{normal(c.b, c.n)}, NoGrad: true,
			Build: one(func(x *Node) *Node { return layers.TopK(x, c.k) }),
		})
	}
	for _, c := range []Case{
		{Name: "ties", Inputs: []Input{optest.Floats([]float64{1, 3, 3, 2, 3, 0, 0, 0, 0, 0}, 2, 5)}, Want: []float64{1, 2, 4, 0, 1, 2}},
		{Name: "falling", Inputs: []Input{optest.Floats([]float64{9, 8, 7, 6}, 1, 4)}, Want: []float64{0, 1, 2}},
		{Name: "rising", Inputs: []Input{optest.Floats([]float64{6, 7, 8, 9}, 1, 4)}, Want: []float64{3, 2, 1}},
		{Name: "tie at the end", Inputs: []Input{optest.Floats([]float64{5, 1, 4, 4, 4}, 1, 5)}, Want: []float64{0, 2, 3}},
	} {
		c.NoGrad, c.Build = true, one(func(x *Node) *Node { return layers.TopK(x, 3) })
		optest.Check(t, c)
	}
	// Equal ones, rising and falling ones, and some that are no numbers, where the
	// lanes of a warp must agree on the first.
	const n = 70
	rows := make([]float64, 5*n)
	for i := range n {
		rows[i], rows[n+i], rows[2*n+i], rows[3*n+i], rows[4*n+i] = float64(i*5%7), float64(i), -float64(i), float64(i/9%2), float64(i%11)
		if i%3 > 0 {
			rows[4*n+i] = math.NaN()
		}
	}
	for _, k := range []int{1, 4, n} {
		optest.Check(t, Case{
			Name: fmt.Sprint("lanes, ", k), Inputs: []Input{optest.Floats(rows, 5, n)}, NoGrad: true, SkipONNX: "ONNX leaves NaN to the runtime",
			Build: one(func(x *Node) *Node { return layers.TopK(x, k) }),
		})
	}
	optest.Check(t, Case{
		Name: "argmax", Inputs: []Input{optest.Floats([]float64{1, 3, 3, -5, -7, -5}, 2, 3)}, Want: []float64{1, 0}, NoGrad: true,
		Build: one(layers.ArgMax),
	})
}

// The greatest elements themselves have a gradient.
func TestGatherOfTopK(t *testing.T) {
	optest.Check(t, Case{
		Name: "top 3", Inputs: []Input{normal(2, 7)},
		Build: one(func(x *Node) *Node { return layers.Gather(x, layers.TopK(x, 3)) }),
	})
	out, err := forward(t, []graph.Tensor{graph.Floats([]float32{3, 9, 1, 7}, 1, 4)}, func(in []*Node) *Node {
		return layers.Gather(in[0], layers.TopK(in[0], 2))
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.F32, []float32{9, 7}) {
		t.Errorf("top 2 are %v, want [9 7]", out.F32)
	}
}

// Indices outside of their rows are errors, wherever they are.
func TestBadIndices(t *testing.T) {
	for _, index := range []int{-1, 5, 6} {
		for _, at := range []int{0, 3, 8, 9, 13, 17} {
			places := make([]int, 18)
			places[at] = index
			for _, c := range []Case{
				{Name: "gather", Inputs: []Input{normal(2, 5, 3), optest.Ints(places, 2, 9)}, Build: two(layers.Gather)},
				{Name: "embedding", Inputs: []Input{normal(5, 3), optest.Ints(places, 18)}, Build: two(layers.Embedding)},
				{Name: "scatter", Inputs: []Input{normal(2, 9, 3), optest.Ints(places, 2, 9)}, Build: two(func(x, idx *Node) *Node { return layers.Scatter(x, idx, 5) })},
			} {
				c.Name += fmt.Sprint(" ", index, " at ", at)
				c.NoGrad, c.Fails = true, fmt.Sprintf("%d at position %d, want 0 to 4", index, at)
				optest.Check(t, c)
			}
		}
	}
}
