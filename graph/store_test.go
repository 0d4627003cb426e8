package graph_test

import (
	"testing"

	"spotlighter/graph"
	"spotlighter/layers"
)

func model() *graph.Scope {
	s := newScope()
	s.Sub("a").Var("w", graph.Frozen, nil, 2)
	s.Sub("a").Var("b", graph.Frozen, nil, 1)
	s.Var("proj", graph.Trainable, nil, 1, 2)
	s.Var("scale", graph.Trainable, nil)
	return s
}

func TestLoad(t *testing.T) {
	s := model()
	w := graph.Floats([]float32{1, 2}, 2)
	err := s.Store().Load(map[string]graph.Tensor{
		"a.w": w, "a.b": graph.Floats([]float32{3}, 1), "proj": graph.Floats([]float32{4, 5}, 1, 2), "scale": graph.Floats([]float32{6}),
	})
	if err != nil {
		t.Fatal(err)
	}
	y := layers.Mul(s.Var("scale", graph.Trainable, nil), layers.Add(s.Sub("a").Var("w", graph.Frozen, nil, 2), s.Var("proj", graph.Trainable, nil, 1, 2)))
	p := compile(t, s, map[string]*Node{"y": y})
	run(t, p, nil)
	wantValues(t, "y", p.Output("y").F32, 30, 42)
}

func TestLoadNamesAllThatDoesNotFit(t *testing.T) {
	s := model()
	err := s.Store().Load(map[string]graph.Tensor{
		"a.w": graph.Floats([]float32{1, 2, 3}, 3), "proj": graph.Floats([]float32{1, 2}, 2, 1),
		"a.b": graph.Ints([]int{1}, 1), "z": graph.Floats([]float32{1}, 1), "y": graph.Floats([]float32{1}, 1),
	})
	says(t, err, "unknown: y, z", "missing: scale", "misshapen:", "a.w is (3), want (2)", "proj is (2, 1), want (1, 2)", "a.b is int")
	for _, v := range s.Store().Variables() {
		if v.Value.Shape != nil {
			t.Errorf("%s has a value after a failed load", v.Name)
		}
	}
}

// A program writes into what it trains, so a loaded tensor is its owner's still.
func TestLoadedTensorsAreNotWritten(t *testing.T) {
	s := newScope()
	x := s.Var("x", graph.Trainable, nil, 2)
	src := []float32{1, 2}
	if err := s.Store().Load(map[string]graph.Tensor{"x": graph.Floats(src, 2)}); err != nil {
		t.Fatal(err)
	}
	run(t, compile(t, s, nil, graph.Update{Var: s.Store().Find("x"), Value: layers.Shift(x, 1)}), nil)
	wantValues(t, "the loaded tensor", src, 1, 2)
	wantValues(t, "the variable", s.Store().Find("x").Value.F32, 2, 3)
}

func TestLoadInto64(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float64)
	s.Var("x", graph.Frozen, nil, 1)
	if err := s.Store().Load(map[string]graph.Tensor{"x": graph.Floats([]float32{1.5}, 1)}); err != nil {
		t.Fatal(err)
	}
	if v := s.Store().Find("x").Value; v.Dtype != graph.Float64 || v.F64[0] != 1.5 {
		t.Errorf("value is %+v", v)
	}
}

func TestSet(t *testing.T) {
	base := graph.NewStore(nil)
	base.Set("x", graph.Frozen, graph.Floats([]float32{1, 2}, 2))
	store := graph.NewStore(base)
	store.Set("x", graph.Frozen, graph.Floats([]float32{3}, 1))
	store.Set("scale", graph.Frozen, graph.Floats([]float32{5}))
	s := graph.New(store, graph.Float32)
	p := compile(t, s, map[string]*Node{"y": layers.Mul(s.Var("x", graph.Frozen, nil, 1), s.Var("scale", graph.Frozen, nil))})
	run(t, p, nil)
	wantValues(t, "y", p.Output("y").F32, 15)
}
