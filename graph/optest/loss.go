package optest

import "spotlighter/graph"

// dot is the sum of x*w: the scalar loss whose gradient is checked. The weights
// are random, so that no error cancels in the sum.
type dot struct{}

func (dot) Name() string { return "dot" }
func (dot) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: graph.Shape{}, Dtype: in[0].Dtype}, nil
}
func (dot) Grad(in []*graph.Node, _, dout *graph.Node) []*graph.Node {
	return []*graph.Node{graph.Apply(times{}, in[1], dout), graph.Apply(times{}, in[0], dout)}
}
func (dot) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	x, w := floats(in[0]), floats(in[1])
	var s float64
	for i := range x {
		s += x[i] * w[i]
	}
	set(out, 0, s)
	return nil
}

// times is x times a scalar.
type times struct{ graph.NoGrad }

func (times) Name() string                              { return "times" }
func (times) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (times) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	by := floats(in[1])[0]
	for i, v := range floats(in[0]) {
		set(out, i, v*by)
	}
	return nil
}

func set(t graph.Tensor, i int, v float64) {
	if t.Dtype == graph.Float64 {
		t.F64[i] = v
	} else {
		t.F32[i] = float32(v)
	}
}
