package graph_test

import (
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/layers"
)

func TestNamesFormATree(t *testing.T) {
	s := newScope()
	v := s.Sub("visual")
	v.Sub("block").Sub("3").Var("weight", graph.Frozen, graph.Zeros, 2)
	v.Var("proj", graph.Trainable, graph.Zeros, 2, 3)
	s.Var("scale", graph.State, graph.Zeros)
	var got []string
	for _, v := range s.Variables() {
		got = append(got, v.Name)
	}
	if want := []string{"visual.block.3.weight", "visual.proj", "scale"}; !slices.Equal(got, want) {
		t.Errorf("variables in the order of declaration are %v, want %v", got, want)
	}
	got = nil
	for _, v := range s.Store().Variables() {
		got = append(got, v.Name)
	}
	if want := []string{"scale", "visual.block.3.weight", "visual.proj"}; !slices.Equal(got, want) {
		t.Errorf("variables of the store by name are %v, want %v", got, want)
	}
	if tr := s.Trainables(); len(tr) != 1 || tr[0].Name != "visual.proj" {
		t.Errorf("trainable are %v", tr)
	}
}

// Siblings of one parent do not write into each other's path.
func TestSubScopesDoNotShareMemory(t *testing.T) {
	s := newScope().Sub("a").Sub("b").Sub("c")
	x, y := s.Sub("x"), s.Sub("y")
	x.Var("w", graph.Frozen, nil, 1)
	y.Var("w", graph.Frozen, nil, 1)
	for _, name := range []string{"a.b.c.x.w", "a.b.c.y.w"} {
		if s.Store().Find(name) == nil {
			t.Errorf("no variable %s", name)
		}
	}
}

func TestVariableTwice(t *testing.T) {
	s := newScope()
	a := s.Sub("m").Var("w", graph.Trainable, graph.Fill(2), 3)
	if b := s.Sub("m").Var("w", graph.Trainable, graph.Fill(5), 3); a != b {
		t.Error("one variable has two nodes in one graph")
	}
	wantValues(t, "value", s.Store().Find("m.w").Value.F32, 2, 2, 2)
	says(t, graph.Try(func() { s.Sub("m").Var("w", graph.Trainable, nil, 4) }), "m.w", "3", "4")
	other := graph.New(s.Store(), graph.Float32)
	says(t, graph.Try(func() { other.Sub("m").Var("w", graph.Trainable, nil, 3, 1) }), "m.w")
	says(t, graph.Try(func() { other.Sub("m").Var("w", graph.State, nil, 3) }), "m.w", "trainable", "state")
	double := graph.New(s.Store(), graph.Float64)
	says(t, graph.Try(func() { double.Sub("m").Var("w", graph.Trainable, nil, 3) }), "m.w", "float32", "float64")
}

func TestInputTwice(t *testing.T) {
	s := newScope()
	s.Input("image", graph.Float32, 2)
	says(t, graph.Try(func() { s.Input("image", graph.Int, 3) }), "image", "twice")
}

// An input, a variable and a constant of one name and shape are three leaves.
func TestLeavesOfOneName(t *testing.T) {
	s := newScope()
	a := s.Input("x", graph.Float32, 2)
	b := vector(s, "x", 1, 2)
	c, d := s.Const(graph.Floats([]float32{10, 20}, 2)), s.Const(graph.Floats([]float32{100, 200}, 2))
	p := compile(t, s, map[string]*Node{"y": layers.Add(layers.Add(a, b), layers.Add(c, d))})
	run(t, p, map[string]graph.Tensor{"x": graph.Floats([]float32{1000, 2000}, 2)})
	wantValues(t, "sum", p.Output("y").F32, 1111, 2222)
}

// Two graphs over one store train one variable.
func TestGraphsShareVariables(t *testing.T) {
	store := graph.NewStore(nil)
	a, b := graph.New(store, graph.Float32), graph.New(store, graph.Float32)
	x := vector(a, "x", 1, 2)
	step := compile(t, a, nil, graph.Update{Var: store.Find("x"), Value: layers.Shift(x, 1)})
	read := compile(t, b, map[string]*Node{"y": layers.Scale(b.Var("x", graph.Trainable, nil, 2), 10)})
	run(t, step, nil)
	run(t, step, nil)
	run(t, read, nil)
	wantValues(t, "the other graph's value", read.Output("y").F32, 30, 40)
}

// Runs over one base share its frozen weights and keep their own variables.
func TestBaseStore(t *testing.T) {
	base := graph.NewStore(nil)
	graph.New(base, graph.Float32).Var("frozen", graph.Frozen, graph.Fill(7), 1)
	var runs []*graph.Store
	for range 2 {
		store := graph.NewStore(base)
		s := graph.New(store, graph.Float32)
		w := s.Var("frozen", graph.Frozen, nil, 1)
		x := vector(s, "x", 1)
		p := compile(t, s, nil, graph.Update{Var: store.Find("x"), Value: layers.Mul(x, w)})
		for range len(runs) + 1 {
			run(t, p, nil)
		}
		runs = append(runs, store)
	}
	wantValues(t, "first run's x", runs[0].Find("x").Value.F32, 7)
	wantValues(t, "second run's x", runs[1].Find("x").Value.F32, 49)
	if len(runs[0].Variables()) != 1 || base.Find("x") != nil {
		t.Error("a run's variable is in the base, or the base's in the run")
	}
}

func TestInits(t *testing.T) {
	s := newScope()
	a := s.Var("a", graph.Frozen, graph.Normal(1, .5), 1000)
	s.Var("b", graph.Frozen, graph.Normal(1, .5), 1000)
	s.Var("c", graph.Frozen, graph.Normal(2, .5), 1000)
	other := newScope() // declared in another order
	other.Var("b", graph.Frozen, graph.Normal(1, .5), 1000)
	other.Var("a", graph.Frozen, graph.Normal(1, .5), 1000)
	x, y := s.Store().Find("a").Value.F32, other.Store().Find("a").Value.F32
	if !slices.Equal(x, y) {
		t.Error("the draws depend on the order of declaration")
	}
	if slices.Equal(x, s.Store().Find("b").Value.F32) || slices.Equal(x, s.Store().Find("c").Value.F32) {
		t.Error("other names or seeds have the same draws")
	}
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	if m, v := sum/1000, squares/1000; m < -.05 || m > .05 || v < .22 || v > .28 {
		t.Errorf("mean %.3f and variance %.3f, want 0 and 0.25", m, v)
	}
	s.Var("u", graph.Frozen, graph.Uniform(1, 2, 4), 1000)
	u := s.Store().Find("u").Value.F32
	if low, high := slices.Min(u), slices.Max(u); low < 2 || low > 2.02 || high >= 4 || high < 3.98 {
		t.Errorf("uniform draws from %g to %g, want 2 to 4", low, high)
	}
	says(t, graph.Try(func() { s.Var("d", graph.Frozen, graph.Values([]float32{1}), 2) }), "d", "2 elements", "1 start")
	if graph.TypeOf(a).Dtype != graph.Float32 {
		t.Error("the variable is not of the graph's type")
	}
}

// Values copies: a later change of the source is not seen.
func TestValuesCopies(t *testing.T) {
	src := []float32{1, 2}
	s := newScope()
	s.Var("x", graph.Trainable, graph.Values(src), 2)
	src[0] = 9
	wantValues(t, "value", s.Store().Find("x").Value.F32, 1, 2)
}

func TestApplyErrors(t *testing.T) {
	s := newScope()
	err := graph.Try(func() {
		v := s.Sub("visual").Sub("3")
		defer v.Enter()()
		layers.Add(vector(s, "a", 1, 2), vector(s, "b", 1, 2, 3))
	})
	says(t, err, "add of [2] and [3] in visual.3", "2 and 3")
	says(t, graph.Try(func() { layers.Add(vector(s, "c", 1), vector(newScope(), "d", 1)) }), "add", "graph")
	defer func() {
		if recover() != "other" {
			t.Error("Try kept a panic that is not its own")
		}
	}()
	_ = graph.Try(func() { panic("other") })
}
