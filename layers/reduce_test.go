package layers_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestReduce(t *testing.T) {
	for name, f := range map[string]func(*Node, int) *Node{"sum": layers.Sum, "mean": layers.Mean, "max": layers.Max} {
		for _, shape := range [][]int{{1}, {7}, {3, 5}, {1, 5}, {5, 1}, {2, 3, 7}, {2, 1, 3, 5}, {3, 2, 2, 3}, {3, 32}, {5, 64}, {4, 8, 3}, {257, 131}, {2, 1031, 17}} {
			for axis := -1; axis < len(shape); axis++ {
				optest.Check(t, Case{
					Name: fmt.Sprintf("%s %v axis %d", name, shape, axis), Inputs: []Input{normal(shape...)},
					Build: one(func(x *Node) *Node { return f(x, axis) }),
				})
			}
		}
	}
	in := []Input{optest.Floats([]float64{1, -2, 3, 4, 5, -6}, 2, 3)}
	ties := make([]float64, 4*70)
	for i := range ties {
		ties[i] = float64(i * 3 % 7)
	}
	optest.Check(t, Case{
		Name: "max of equals", Inputs: []Input{optest.Floats(ties, 70, 4)}, GradTol: math.Inf(1), // differences know nothing of the first
		Build: one(func(x *Node) *Node { return layers.Max(x, 0) }),
	})
	for _, at := range []int{0, 7, 16, 31, 32, 70} {
		nan := make([]float64, 71)
		nan[at] = math.NaN()
		for axis, shape := range [][]int{{71, 1}, {1, 71}} {
			optest.Check(t, Case{
				Name: fmt.Sprint("max of no number ", at, shape), Inputs: []Input{optest.Floats(nan, shape...)}, NoGrad: true, SkipONNX: "ONNX leaves NaN to the runtime",
				Build: one(func(x *Node) *Node { return layers.Max(x, axis) }),
			})
		}
	}
	optest.Check(t, Case{Name: "sum fixture", Inputs: in, Want: []float64{5, 3, -3}, Build: one(func(x *Node) *Node { return layers.Sum(x, 0) })})
	optest.Check(t, Case{Name: "mean fixture", Inputs: in, Want: []float64{2. / 3, 1}, Build: one(func(x *Node) *Node { return layers.Mean(x, 1) })})
	optest.Check(t, Case{Name: "max fixture", Inputs: in, Want: []float64{4, 5, 3}, Build: one(func(x *Node) *Node { return layers.Max(x, 0) })})
	optest.Check(t, Case{Name: "max of negatives", Inputs: []Input{optest.Floats([]float64{-3, -1, -2}, 3)}, Want: []float64{-1},
		Build: one(func(x *Node) *Node { return layers.Max(x, 0) })})
}

func TestReduceAll(t *testing.T) {
	for _, shape := range [][]int{{}, {1}, {7}, {3, 1, 5}, {2, 3, 1, 7}} {
		in := []Input{normal(shape...)}
		optest.Check(t, Case{Name: fmt.Sprint("sum ", shape), Inputs: in, Build: one(layers.SumAll)})
		optest.Check(t, Case{Name: fmt.Sprint("mean ", shape), Inputs: in, Build: one(layers.MeanAll)})
	}
	optest.Check(t, Case{Name: "fixture", Inputs: []Input{optest.Floats([]float64{1, 2, 3, 6}, 2, 2)}, Want: []float64{3}, Build: one(layers.MeanAll)})
}

// The gradient of a maximum that two elements attain goes to the first alone.
func TestMaxTies(t *testing.T) {
	g := gradient(t, []float64{1, 5, 5, 2}, func(x *Node) *Node { return layers.Max(x, 0) })
	if !slices.Equal(g, []float32{0, 1, 0, 0}) {
		t.Errorf("gradient is %v, want [0 1 0 0]", g)
	}
}
