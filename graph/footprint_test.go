package graph_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// onlooker watches and does nothing.
type onlooker struct{}

func (onlooker) Begin(*graph.Program, []graph.Leaf) error { return nil }
func (onlooker) Step(*graph.Program, *graph.Step, graph.Tensor, []graph.Tensor, time.Time, time.Duration) error {
	return nil
}

// The peak of a small graph, counted by hand.
func TestFootprint(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	s.Watch(onlooker{})
	x := s.Input("x", graph.Float32, 64, 1)
	w := s.Var("w", graph.Frozen, graph.Fill(1), 1, 64)
	leave := s.Sub("wide").Enter()
	wide := layers.MatMul(x, w, false, false) // 64 x 64
	leave()
	loss := layers.SumAll(layers.Softmax(wide))
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), map[string]graph.Tensor{"x": graph.NewTensor(graph.Float32, 64, 1)}); err != nil {
		t.Fatal(err)
	}
	m := p.Footprint()
	if m.Inputs != 64*4 || m.Variables != 64*4 || m.Live < 64*64*4 || m.Live > m.Values {
		t.Errorf("%+v", m)
	}
	var held int64
	for _, h := range m.Held {
		held += h.Bytes
	}
	if held != m.Live || m.Held[0].Bytes != 64*64*4 {
		t.Errorf("%d bytes are live at %s, %d of them are held by %+v", m.Live, m.Peak, held, m.Held)
	}
	if name := m.Held[0].Node; name != "wide/matmul" && name != "softmax" {
		t.Errorf("the peak is held by %s", name)
	}
}

// What is live never exceeds what was planned, and is what is held.
func TestFootprintOfRandomGraphs(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := graph.New(graph.NewStore(nil), graph.Float32)
		s.Watch(onlooker{})
		nodes := randomGraph(r, []*Node{s.Input("a", graph.Float32, 2, 3), s.Input("b", graph.Float32, 12)}, 30, false)
		p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"y": nodes[len(nodes)-1], "z": nodes[len(nodes)-2]})
		if err != nil {
			t.Fatal(err)
		}
		m := p.Footprint()
		var held int64
		for _, h := range m.Held {
			held += h.Bytes
		}
		if held != m.Live || m.Live > m.Values {
			t.Errorf("seed %d: %d live, %d held, %d planned", seed, m.Live, held, m.Values)
		}
	}
}
