package optest

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"spotlighter/graph"
)

// stock runs the graph under Gorgonia's TapeMachine and LispMachine.
func (c Case) stock(t *testing.T, exact result) {
	t.Helper()
	machines := []struct {
		name string
		make func(g *gorgonia.ExprGraph) gorgonia.VM
	}{
		{"TapeMachine", func(g *gorgonia.ExprGraph) gorgonia.VM { return gorgonia.NewTapeMachine(g) }},
		{"LispMachine", func(g *gorgonia.ExprGraph) gorgonia.VM {
			return gorgonia.NewLispMachine(g, gorgonia.ExecuteFwdOnly())
		}},
	}
	for _, m := range machines {
		b := c.build(t, graph.Float64)
		b.let(t)
		// A value is read by an op of its own: the machine reuses the memory of
		// what lies between.
		read := make([]gorgonia.Value, 1+len(b.grads))
		for i, n := range append([]*graph.Node{b.out}, b.grads...) {
			gorgonia.Read(n, &read[i])
		}
		vm := m.make(b.scope.Graph())
		if err := vm.RunAll(); err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		var got result
		for i, v := range read {
			x := tensorOf(t, v)
			if i == 0 {
				got.out = x
			} else {
				got.grads = append(got.grads, x)
			}
		}
		b.near(t, m.name, got, exact, 1e-12)
		if err := vm.Close(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// let binds the inputs' values to their nodes.
func (b *built) let(t *testing.T) {
	t.Helper()
	bind := func(n *graph.Node, v graph.Tensor) {
		var err error
		switch {
		case len(v.Shape) == 0:
			err = gorgonia.Let(n, v.Convert(graph.Float64).F64[0])
		case v.Dtype == graph.Int:
			err = gorgonia.Let(n, tensor.New(tensor.WithShape(v.Shape...), tensor.WithBacking(v.Int)))
		default:
			err = gorgonia.Let(n, tensor.New(tensor.WithShape(v.Shape...), tensor.WithBacking(v.Convert(graph.Float64).F64)))
		}
		if err != nil {
			t.Fatalf("let %s: %v", n.Name(), err)
		}
	}
	for i, n := range b.nodes {
		bind(n, b.values[i])
	}
	for _, n := range b.scope.Graph().Inputs() {
		if n.Name() == "input "+weights {
			bind(n, b.feeds[weights])
		}
	}
}

func tensorOf(t *testing.T, v gorgonia.Value) graph.Tensor {
	t.Helper()
	switch x := v.Data().(type) {
	case float64:
		return graph.Tensor{Shape: graph.Shape{}, Dtype: graph.Float64, F64: []float64{x}}
	case []float64:
		return graph.Tensor{Shape: v.Shape(), Dtype: graph.Float64, F64: x}
	case []int:
		return graph.Tensor{Shape: v.Shape(), Dtype: graph.Int, Int: x}
	default:
		t.Fatalf("a machine gave a %T", x)
		return graph.Tensor{}
	}
}
