package layers_test

import (
	"context"
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// gradient returns the Float32 gradient of a scalar function of a vector.
func gradient(t *testing.T, at []float64, f func(x *Node) *Node) []float32 {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	start := make([]float32, len(at))
	for i, v := range at {
		start[i] = float32(v)
	}
	loss := f(s.Var("x", graph.Trainable, graph.Values(start), len(at)))
	grads, err := s.Grad(loss, s.Trainables())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"grad": grads[0]})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return p.Output("grad").F32
}

func TestBinary(t *testing.T) {
	shapes := [][2][]int{
		{{}, {}}, {{}, {3}}, {{2, 3}, {}}, {{1}, {1}}, {{1, 1}, {}}, {{5}, {5}}, {{3, 5}, {3, 5}},
		{{3, 5}, {5}}, {{5}, {3, 5}}, {{3, 5}, {3, 1}}, {{1, 5}, {3, 1}}, {{3, 1}, {5}}, {{3, 1}, {1}}, {{1}, {7, 1}},
		{{2, 3, 1, 5}, {3, 4, 1}}, {{1, 1, 4, 1}, {2, 3, 1, 5}}, {{2, 3, 4, 5}, {2, 1, 4, 1}}, {{2, 1, 3}, {1, 7, 1}},
		{{1, 1, 1}, {2, 1, 3}}, {{97, 173}, {97, 173}}, {{97, 173}, {97, 1}},
	}
	for name, f := range map[string]func(a, b *Node) *Node{
		"add": layers.Add, "sub": layers.Sub, "mul": layers.Mul, "div": layers.Div,
	} {
		for _, s := range shapes {
			optest.Check(t, Case{
				Name:   fmt.Sprintf("%s %v %v", name, s[0], s[1]),
				Inputs: []Input{normal(s[0]...), positive(s[1]...)}, Build: two(f),
			})
		}
		// One operand twice: its gradient is the sum of both sides'.
		optest.Check(t, Case{
			Name: name + " itself", Inputs: []Input{positive(3, 5)},
			Build: one(func(x *Node) *Node { return f(layers.Mul(x, x), f(x, x)) }),
		})
	}
}

func TestBinaryFixture(t *testing.T) {
	optest.Check(t, Case{
		Name:   "column less row",
		Inputs: []Input{optest.Floats([]float64{1, 2, 3}, 3, 1), optest.Floats([]float64{10, 20}, 2)},
		Build:  two(layers.Sub), Want: []float64{-9, -19, -8, -18, -7, -17},
	})
	optest.Check(t, Case{
		Name:   "row over column",
		Inputs: []Input{optest.Floats([]float64{12, 24}, 2), optest.Floats([]float64{1, 2, 3}, 3, 1)},
		Build:  two(layers.Div), Want: []float64{12, 24, 6, 12, 4, 8},
	})
}

func TestScaleAndShift(t *testing.T) {
	for _, shape := range [][]int{{}, {1}, {3, 1, 7}, {2, 16411}} {
		in := []Input{normal(shape...)}
		name := fmt.Sprint(shape)
		optest.Check(t, Case{Name: "scale " + name, Inputs: in, Build: one(func(x *Node) *Node { return layers.Scale(x, -2.5) })})
		optest.Check(t, Case{Name: "scale by 0 " + name, Inputs: in, Build: one(func(x *Node) *Node { return layers.Scale(x, 0) })})
		optest.Check(t, Case{Name: "shift " + name, Inputs: in, Build: one(func(x *Node) *Node { return layers.Shift(x, .75) })})
	}
	optest.Check(t, Case{
		Name: "both", Inputs: []Input{optest.Floats([]float64{1, -2}, 2)}, Want: []float64{5, -4},
		Build: one(func(x *Node) *Node { return layers.Shift(layers.Scale(x, 3), 2) }),
	})
}
