package layers_test

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestSoftmax(t *testing.T) {
	for name, f := range map[string]func(*Node) *Node{"softmax": layers.Softmax, "log-softmax": layers.LogSoftmax} {
		for shape, in := range map[string]Input{
			"one": normal(1), "row": normal(7), "rows": normal(5, 7), "column": normal(3, 1), "warp": normal(5, 32), "two warps": normal(3, 64), "4D": normal(2, 1, 3, 5), "long": normal(3, 1031),
		} {
			optest.Check(t, Case{Name: name + " " + shape, Inputs: []Input{in}, Build: one(f)})
		}
		for _, scale := range []float64{5, 60, 300} {
			optest.Check(t, Case{Name: fmt.Sprint(name, " far apart ", scale), Inputs: []Input{spread(scale, 3, 70)}, Build: one(f), F32Tol: 1e-4, GradTol: 1e-6})
		}
		steep := make([]float64, 3*70)
		for i := range 70 {
			steep[i], steep[70+i], steep[140+i] = -100*float64(i), 100*float64(i), -300
		}
		optest.Check(t, Case{Name: name + " of slopes", Inputs: []Input{optest.Floats(steep, 3, 70)}, Build: one(f), GradTol: 1e-6})
		low := optest.Floats([]float64{-110, -111, -112}, 1, 3) // of fewer elements than a warp has lanes
		optest.Check(t, Case{Name: name + " of low", Inputs: []Input{low}, Build: one(f)})
		nan := make([]float64, 5*35)
		for row, at := range []int{0, 1, 33, 34} {
			nan[35*row+at] = math.NaN()
		}
		optest.Check(t, Case{Name: name + " of no number", Inputs: []Input{optest.Floats(nan, 5, 35)}, Build: one(f), NoGrad: true, SkipONNX: "ONNX leaves NaN to the runtime"})
	}
}

// Both of one node in one graph: Gorgonia takes its own two for the same node.
func TestSoftmaxBesideLogSoftmax(t *testing.T) {
	optest.Check(t, Case{
		Name: "both", Inputs: []Input{normal(3, 5)},
		Build: one(func(x *Node) *Node { return layers.Mul(layers.Softmax(x), layers.LogSoftmax(x)) }),
	})
}

// A lead of 200, at any place of the row, is no overflow.
func TestSoftmaxFixtures(t *testing.T) {
	in := optest.Floats([]float64{0, 200, -1, 199.5, 0, 1, 2, 3}, 2, 4)
	optest.Check(t, Case{
		Name: "softmax", Inputs: []Input{in}, Build: one(layers.Softmax), WantTol: 1e-14,
		Want: []float64{8.614193064851239e-88, 0.622459331201858, 3.1689845308403876e-88, 0.3775406687981475,
			0.03205860328008499, 0.08714431874203257, 0.23688281808991016, 0.6439142598879724},
	})
	optest.Check(t, Case{
		Name: "log-softmax", Build: one(layers.LogSoftmax), WantTol: 1e-14,
		Inputs: []Input{optest.Floats([]float64{0, 1000, -1000, 2, 1, .5, -3, -3, -3}, 3, 3)},
		Want: []float64{-1000.0, 0.0, -2000.0, -0.46436878410794513, -1.4643687841079451, -1.9643687841079451,
			-1.0986122886681098, -1.0986122886681098, -1.0986122886681098},
	})
}

// A masked entry has weight 0; an infinite one leaves no other.
func TestSoftmaxOfMinusInfinity(t *testing.T) {
	inf := float32(math.Inf(-1))
	out, err := forward(t, []graph.Tensor{graph.Floats([]float32{1, inf, 1, inf, inf, 3}, 2, 3)}, func(in []*Node) *Node { return layers.Softmax(in[0]) })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{.5, 0, .5, 0, 0, 1} {
		if math.Abs(float64(out.F32[i]-want)) > 1e-6 {
			t.Errorf("element %d is %g, want %g", i, out.F32[i], want)
		}
	}
}

func TestCrossEntropy(t *testing.T) {
	for _, c := range []Case{
		{Name: "one row", Inputs: []Input{normal(1, 5), indices(5, 1)}},
		{Name: "one class", Inputs: []Input{normal(3, 1), indices(1, 3)}, GradTol: 1e-6},
		{Name: "one of one", Inputs: []Input{normal(1, 1), indices(1, 1)}},
		{Name: "prime", Inputs: []Input{normal(7, 11), indices(11, 7)}},
		{Name: "many", Inputs: []Input{normal(37, 1009), indices(1009, 37)}},
		{Name: "a warp", Inputs: []Input{normal(5, 32), indices(32, 5)}},
		{Name: "two warps", Inputs: []Input{normal(3, 64), indices(64, 3)}},
		{Name: "far apart", Inputs: []Input{spread(60, 9, 70), indices(70, 9)}, F32Tol: 1e-4},
		{Name: "low logits", Inputs: []Input{optest.Floats([]float64{-110, -111, -112}, 1, 3), indices(3, 1)}},
		{Name: "huge logits", WantTol: 1e-14, Want: []float64{333.8543270242587},
			Inputs: []Input{optest.Floats([]float64{0, 1000, -1000, 2, 1, .5, -3, -3, -3}, 3, 3), optest.Ints([]int{0, 0, 2}, 3)}},
	} {
		c.Build = two(layers.CrossEntropy)
		optest.Check(t, c)
	}
	for name, slope := range map[string]float64{"falling": -100, "rising": 100, "low": 0} {
		steep := make([]float64, 2*70)
		for i := range steep {
			steep[i] = slope*float64(i%70) - 300
		}
		optest.Check(t, Case{Name: name, Inputs: []Input{optest.Floats(steep, 2, 70), optest.Ints([]int{0, 68}, 2)}, Build: two(layers.CrossEntropy)})
	}
}

// Labels outside the classes are errors, wherever they are.
func TestCrossEntropyOfBadLabels(t *testing.T) {
	for _, n := range []int{1, 33, 300} {
		for _, at := range []int{0, n / 4, n / 3, n / 2, n * 3 / 5, n * 7 / 10, n * 4 / 5, n - 1} { // each warp of a block
			for _, label := range []int{-1, 4, 5} {
				labels := make([]int, n)
				labels[at], labels[n-1] = label, label
				optest.Check(t, Case{
					Name: fmt.Sprint(n, " labels, ", label, " at ", at), Inputs: []Input{normal(n, 4), optest.Ints(labels, n)}, NoGrad: true,
					Build: two(layers.CrossEntropy), Fails: fmt.Sprintf("label %d at position %d, want 0 to 3", label, at),
				})
			}
		}
	}
}
