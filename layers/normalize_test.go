package layers_test

import (
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestLayerNorm(t *testing.T) {
	build := three(func(x, gamma, beta *Node) *Node { return layers.LayerNorm(x, gamma, beta, 1e-5) })
	for _, c := range []Case{
		{Name: "one row", Inputs: []Input{normal(1, 7), normal(7), normal(7)}},
		{Name: "vector", Inputs: []Input{normal(7), normal(7), normal(7)}},
		{Name: "rows", Inputs: []Input{normal(5, 11), normal(11), normal(11)}},
		{Name: "4D", Inputs: []Input{normal(2, 1, 3, 5), normal(5), normal(5)}},
		{Name: "width 1", Inputs: []Input{normal(3, 1), normal(1), normal(1)}},
		{Name: "wide", Inputs: []Input{normal(29, 768), normal(768), normal(768)}},
		{Name: "tall", Inputs: []Input{normal(301, 3), normal(3), normal(3)}},
		{Name: "a warp", Inputs: []Input{normal(5, 32), normal(32), normal(32)}},
		{Name: "two warps", Inputs: []Input{normal(3, 64), normal(64), normal(64)}},
		// (x - mean)/sqrt(variance + 1e-5) gamma + beta, computed apart
		{Name: "fixture", WantTol: 1e-14,
			Inputs: []Input{
				optest.Floats([]float64{1, 2, 4, 3.5, -1, 0, 7, -30}, 2, 4),
				optest.Floats([]float64{1, .5, 2, -1}, 4), optest.Floats([]float64{0, 1, -1, .25}, 4),
			},
			Want: []float64{-1.3627654956045172, 0.7379297123837467, 1.306218531023029, -0.4837968053255093,
				0.35223496809785176, 1.211340980858711, 0.8316218341088291, 1.9407278468696885}},
	} {
		c.Build = build
		optest.Check(t, c)
	}
}

// The gradient of what the norm is added to is part of the norm's.
func TestLayerNormBesideItsInput(t *testing.T) {
	optest.Check(t, Case{
		Name: "residual", Inputs: []Input{normal(3, 70), normal(70), normal(70)},
		Build: three(func(x, gamma, beta *Node) *Node { return layers.Add(x, layers.LayerNorm(x, gamma, beta, 1e-5)) }),
	})
}

// A constant row has no direction: eps keeps it at beta.
func TestLayerNormOfConstantRow(t *testing.T) {
	out, err := forward(t, []graph.Tensor{
		graph.Floats([]float32{3, 3, 3, 3}, 1, 4), graph.Floats([]float32{1, 2, 3, 4}, 4), graph.Floats([]float32{.5, 0, -1, 2}, 4),
	}, func(in []*Node) *Node { return layers.LayerNorm(in[0], in[1], in[2], 1e-5) })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{.5, 0, -1, 2} {
		if out.F32[i] != want {
			t.Errorf("element %d is %g, want %g", i, out.F32[i], want)
		}
	}
}

func TestL2Normalize(t *testing.T) {
	eps := func(e float64) func(*graph.Scope, []*Node) *Node {
		return one(func(x *Node) *Node { return layers.L2Normalize(x, e) })
	}
	for _, c := range []Case{
		{Name: "rows", Inputs: []Input{normal(5, 7)}, Build: eps(1e-12)},
		{Name: "no eps", Inputs: []Input{normal(2, 3, 5)}, Build: eps(0)},
		{Name: "vector", Inputs: []Input{normal(11)}, Build: eps(0)},
		{Name: "width 1", Inputs: []Input{normal(4, 1)}, Build: eps(1e-12)},
		{Name: "wide", Inputs: []Input{normal(31, 513)}, Build: eps(1e-12)},
		{Name: "a warp", Inputs: []Input{normal(5, 32)}, Build: eps(1e-12)},
		{Name: "two warps", Inputs: []Input{normal(3, 64)}, Build: eps(0)},
		{Name: "as long as eps", Inputs: []Input{optest.Floats([]float64{3, 4, 0, 5}, 2, 2)}, Build: eps(5), NoGrad: true},
		{Name: "shorter than eps", Inputs: []Input{normal(3, 2)}, Build: eps(100)},
		{Name: "fixture", Inputs: []Input{optest.Floats([]float64{3, -4, 0}, 1, 3)}, Build: eps(0), Want: []float64{.6, -.8, 0}},
		{Name: "zero row", Inputs: []Input{optest.Floats([]float64{0, 0}, 1, 2)}, Build: eps(.5), Want: []float64{0, 0}},
	} {
		optest.Check(t, c)
	}
}

func TestStandardise(t *testing.T) {
	eps := func(e float64) func(*graph.Scope, []*Node) *Node {
		return one(func(x *Node) *Node { return layers.Standardise(x, e) })
	}
	for _, c := range []Case{
		{Name: "rows", Inputs: []Input{normal(5, 7)}, Build: eps(1e-6)},
		{Name: "vector", Inputs: []Input{normal(11)}, Build: eps(.1)},
		{Name: "no eps", Inputs: []Input{normal(2, 3, 5)}, Build: eps(0)},
		{Name: "wide", Inputs: []Input{normal(31, 257)}, Build: eps(1e-6)},
		{Name: "a warp", Inputs: []Input{normal(5, 32)}, Build: eps(1e-6)},
		{Name: "two warps", Inputs: []Input{normal(3, 64)}, Build: eps(.1)},
		{Name: "fixture", Inputs: []Input{optest.Floats([]float64{1, 2, 3, 6}, 4)}, Build: eps(1e-3), WantTol: 1e-14,
			Want: []float64{-1.0684738443565103, -0.5342369221782551, 0.0, 1.6027107665347655}},
	} {
		optest.Check(t, c)
	}
}

// A constant row becomes zeros, with a finite gradient.
func TestStandardiseConstantRow(t *testing.T) {
	out, err := forward(t, []graph.Tensor{graph.Floats([]float32{.1, .1, .1, 5, 5, 5}, 2, 3)}, func(in []*Node) *Node { return layers.Standardise(in[0], 1e-6) })
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range out.F32 {
		if v < -1e-1 || v > 1e-1 || v != v {
			t.Errorf("element %d is %g, want 0", i, v)
		}
	}
	g := gradient(t, []float64{5, 5, 5}, func(x *Node) *Node {
		return layers.Sum(layers.Square(layers.Shift(layers.Standardise(x, 1e-6), 1)), 0)
	})
	for i, v := range g {
		if v != 0 { // all elements have the same gradient, and the mean is taken off
			t.Errorf("gradient %d is %g, want 0", i, v)
		}
	}
}
