package inspect_test

import (
	"context"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/inspect"
	"spotlighter/layers"
)

// cube is x^3, its gradient off by a factor.
type cube struct{ Factor float64 }

func (cube) Name() string                              { return "cube" }
func (cube) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o cube) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{layers.Mul(dout, layers.Scale(layers.Square(in[0]), 3*o.Factor))}
}
func (cube) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	for i, v := range in[0].F64 {
		out.F64[i] = v * v * v
	}
	return nil
}

var usual = inspect.Check{Elements: 8, Step: 1e-4, Tol: 1e-6}

func gradients(t *testing.T, dtype graph.Dtype, build func(s *graph.Scope) *Node) ([]inspect.GradientRow, []string, error) {
	t.Helper()
	s := graph.New(graph.NewStore(nil), dtype)
	var loss *Node
	if err := graph.Try(func() { loss = build(s) }); err != nil {
		t.Fatal(err)
	}
	return inspect.Gradients(context.Background(), s, cpu.NewPool(1), loss, s.Trainables(), nil, usual)
}

// A gradient that is right passes; one that is off by a thousandth does not, and
// the other variables of the same loss still do.
func TestGradients(t *testing.T) {
	for _, factor := range []float64{1, 1.001, 0} {
		rows, _, err := gradients(t, graph.Float64, func(s *graph.Scope) *Node {
			a, b := vector(s, "a", .5, -1, 2), vector(s, "b", 1, 2, 3)
			return layers.SumAll(layers.Add(graph.Apply(cube{factor}, a), layers.Exp(b)))
		})
		if err != nil {
			t.Fatal(err)
		}
		if rows[0].OK != (factor == 1) || !rows[1].OK || rows[1].Zero || rows[1].Elements != 3 {
			t.Errorf("factor %v: %+v", factor, rows)
		}
		if factor == 1.001 && (rows[0].Error < 5e-4 || rows[0].Error > 2e-3) {
			t.Errorf("a gradient off by 0.001 has error %v", rows[0].Error)
		}
	}
}

// A variable whose gradient is lost altogether is off, not zero.
func TestGradientLost(t *testing.T) {
	rows, _, err := gradients(t, graph.Float64, func(s *graph.Scope) *Node {
		return layers.SumAll(graph.Apply(cube{0}, vector(s, "a", 1, 2)))
	})
	if err != nil || rows[0].OK || rows[0].Zero {
		t.Errorf("%+v, %v", rows, err)
	}
}

// A gradient is taken at the selection and at the stopped value that there are.
func TestGradientsHold(t *testing.T) {
	rows, held, err := gradients(t, graph.Float64, func(s *graph.Scope) *Node {
		x := s.Var("x", graph.Trainable, graph.Values([]float32{.3, .30001, .1}), 1, 3)
		best := layers.Gather(x, layers.TopK(layers.StopGradient(x), 1)) // changes over 1e-5
		return layers.SumAll(layers.Mul(layers.Exp(best), layers.Sum(layers.StopGradient(layers.Square(x)), 1)))
	})
	if err != nil || !rows[0].OK {
		t.Errorf("%+v, %v", rows, err)
	}
	if want := []string{"stop gradient", "top-k"}; !slices.Equal(held, want) {
		t.Errorf("held are %q, want %q", held, want)
	}
}

// A kink inside the step is no error of the gradient.
func TestGradientsAtKink(t *testing.T) {
	rows, _, err := gradients(t, graph.Float64, func(s *graph.Scope) *Node {
		return layers.SumAll(layers.ReLU(vector(s, "x", 5e-5, -5e-5, 1)))
	})
	if err != nil || !rows[0].OK {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestGradientsInFloat32(t *testing.T) {
	_, _, err := gradients(t, graph.Float32, func(s *graph.Scope) *Node { return layers.SumAll(vector(s, "x", 1)) })
	says(t, err, "float64", "float32")
}
