package layers_test

import (
	"context"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestStandardiseColumns(t *testing.T) {
	for _, c := range []Case{
		{Name: "two rows", Inputs: []Input{normal(2, 3)}},
		{Name: "one column", Inputs: []Input{normal(7, 1)}},
		{Name: "odd", Inputs: []Input{normal(13, 37)}},
		{Name: "four rows", Inputs: []Input{normal(4, 5)}},
		{Name: "eight rows", Inputs: []Input{normal(8, 300)}},
		{Name: "tall", Inputs: []Input{normal(301, 20)}},
		// column 0 has mean 2 and variance 1; column 1 is constant, where the
		// derivative turns fast
		{Name: "fixture", Inputs: []Input{optest.Floats([]float64{1, 5, 3, 5}, 2, 2)}, WantTol: 1e-14, GradTol: 1e-4,
			Want: []float64{-1 / math.Sqrt(1+1e-5), 0, 1 / math.Sqrt(1+1e-5), 0}},
	} {
		c.Build = one(func(x *Node) *Node { return layers.StandardiseColumns(x, 1e-5) })
		optest.Check(t, c)
	}
}

// Two batches move the running moments as PyTorch's do, and test time uses them.
func TestBatchNorm(t *testing.T) {
	store := graph.NewStore(nil)
	w := layers.Weights{Kind: graph.Trainable, Init: true}
	program := func(train bool) *graph.Program {
		s := graph.New(store, graph.Float64)
		n := layers.NewBatchNorm(s.Sub("bn"), w, 1)
		x := s.Input("x", graph.Float64, 3, 1)
		y, updates := n.Eval(x), []graph.Update(nil)
		if train {
			y, updates = n.Train(x)
		}
		p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"y": y}, updates...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	train, eval := program(true), program(false)
	store.Find("bn.weight").Value.F64[0], store.Find("bn.bias").Value.F64[0] = 2, .5
	run := func(p *graph.Program, x ...float64) []float64 {
		if err := p.Run(context.Background(), map[string]graph.Tensor{"x": {Shape: graph.Shape{3, 1}, Dtype: graph.Float64, F64: x}}); err != nil {
			t.Fatal(err)
		}
		return p.Output("y").F64
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) < 1e-12) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	// rows 1, 2, 6: mean 3, sum of squares 14, so variance 14/3 biased and 7 unbiased
	near("first row", run(train, 1, 2, 6)[0], 2*(1-3)/math.Sqrt(14./3+1e-5)+.5)
	run(train, -1, 0, 1) // mean 0, variance 1 unbiased
	mean, variance := .9*(.1*3), .9*(.9*1+.1*7)+.1*1
	near("running mean", store.Find("bn.running_mean").Value.F64[0], mean)
	near("running variance", store.Find("bn.running_var").Value.F64[0], variance)
	near("batches", store.Find("bn.num_batches_tracked").Value.F64[0], 2)
	near("row at test time", run(eval, 4, 0, 0)[0], 2*(4-mean)/math.Sqrt(variance+1e-5)+.5)
	near("running mean after a test", store.Find("bn.running_mean").Value.F64[0], mean)
}
