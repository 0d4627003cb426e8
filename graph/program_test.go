package graph_test

import (
	"context"
	"errors"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

func TestFeeds(t *testing.T) {
	s := newScope()
	x, idx := s.Input("x", graph.Float32, 2, 2), s.Sub("text").Input("ids", graph.Int, 2)
	s.Input("unused", graph.Float32, 3)
	p := compile(t, s, map[string]*Node{"y": layers.Embedding(x, idx)})
	good := graph.Floats([]float32{1, 2, 3, 4}, 2, 2)
	ids := graph.Ints([]int{1, 0}, 2)
	ctx := context.Background()
	says(t, p.Run(ctx, map[string]graph.Tensor{"x": good}), "input text.ids was not fed")
	says(t, p.Run(ctx, map[string]graph.Tensor{"x": graph.Floats(good.F32, 4), "text.ids": ids}), "input x was fed (4), want (2, 2)")
	says(t, p.Run(ctx, map[string]graph.Tensor{"x": good, "text.ids": graph.Floats([]float32{1, 0}, 2)}), "text.ids", "float32", "int")
	says(t, p.Run(ctx, map[string]graph.Tensor{"x": graph.Ints([]int{1, 2, 3, 4}, 2, 2), "text.ids": ids}), "input x", "int", "float32")
	run(t, p, map[string]graph.Tensor{"x": good, "text.ids": ids})
	wantValues(t, "y", p.Output("y").F32, 3, 4, 1, 2)
	double := graph.Tensor{Shape: graph.Shape{2, 2}, Dtype: graph.Float64, F64: []float64{5, 6, 7, 8}}
	run(t, p, map[string]graph.Tensor{"x": double, "text.ids": ids})
	wantValues(t, "y of float64s", p.Output("y").F32, 7, 8, 5, 6)
	says(t, graph.Try(func() { p.Output("z") }), `"z"`)
}

func TestVariableWithoutValue(t *testing.T) {
	s := newScope()
	p := compile(t, s, map[string]*Node{"y": layers.Square(s.Sub("m").Var("w", graph.Frozen, nil, 2))})
	says(t, p.Run(context.Background(), nil), "m.w", "neither initialised nor loaded")
	s.Store().Find("m.w").Value = graph.Floats([]float32{2, 3}, 2)
	run(t, p, nil)
	wantValues(t, "y", p.Output("y").F32, 4, 9)
}

// Run is one step: each update sees the values from before it.
func TestUpdatesSeeTheValuesBefore(t *testing.T) {
	s := newScope()
	a, b := vector(s, "a", 1, 2), vector(s, "b", 10, 20)
	va, vb := s.Store().Find("a"), s.Store().Find("b")
	t.Run("swap", func(t *testing.T) {
		p := compile(t, s, map[string]*Node{"a": a}, graph.Update{Var: va, Value: b}, graph.Update{Var: vb, Value: a})
		run(t, p, nil)
		wantValues(t, "a", va.Value.F32, 10, 20)
		wantValues(t, "b", vb.Value.F32, 1, 2)
		wantValues(t, "the output", p.Output("a").F32, 1, 2)
		run(t, p, nil)
		wantValues(t, "a", va.Value.F32, 1, 2)
	})
	t.Run("views", func(t *testing.T) {
		view := layers.Reshape(a, 2, 1)
		p := compile(t, s, map[string]*Node{"view": view},
			graph.Update{Var: va, Value: layers.Shift(a, 1)}, graph.Update{Var: vb, Value: layers.Reshape(view, 2)})
		run(t, p, nil)
		wantValues(t, "a", va.Value.F32, 2, 3)
		wantValues(t, "b", vb.Value.F32, 1, 2)
		wantValues(t, "the output", p.Output("view").F32, 1, 2)
	})
}

func TestStepCounts(t *testing.T) {
	s := newScope()
	x := s.Var("x", graph.State, graph.Zeros)
	p := compile(t, s, map[string]*Node{"before": layers.Scale(x, 1)}, graph.Update{Var: s.Store().Find("x"), Value: layers.Shift(x, 1)})
	for i := range 5 {
		run(t, p, nil)
		wantValues(t, "before", p.Output("before").F32, float32(i))
		wantValues(t, "after", s.Store().Find("x").Value.F32, float32(i+1))
	}
}

// A failure or a cancelled context in the middle leaves every variable alone.
func TestUpdatesAreAllOrNothing(t *testing.T) {
	for name, c := range map[string]struct {
		hook func(cancel func()) error
		want error
	}{
		"error":  {func(func()) error { return errProbe }, errProbe},
		"cancel": {func(cancel func()) error { cancel(); return nil }, context.Canceled},
		"before": {nil, context.Canceled}, // cancelled before the run: the hook is not called
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if c.hook == nil {
				cancel()
			}
			s := newScope()
			a, b := vector(s, "a", 1), vector(s, "b", 2)
			p := compile(t, s, nil,
				graph.Update{Var: s.Store().Find("a"), Value: layers.Shift(a, 1)},
				graph.Update{Var: s.Store().Find("b"), Value: layers.Square(graph.Apply(hook(t, func() error { return c.hook(cancel) }), b))})
			if err := p.Run(ctx, nil); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			wantValues(t, "a", s.Store().Find("a").Value.F32, 1)
			wantValues(t, "b", s.Store().Find("b").Value.F32, 2)
		})
	}
}

func TestUpdatesThatDoNotFit(t *testing.T) {
	s := newScope()
	x := vector(s, "x", 1, 2)
	w := s.Var("w", graph.Frozen, graph.Zeros, 2)
	s.Var("empty", graph.State, nil, 2)
	v := s.Store().Find
	pool := cpu.NewPool(1)
	_, err := s.Compile(pool, nil, graph.Update{Var: v("w"), Value: x})
	says(t, err, "w is frozen")
	_, err = s.Compile(pool, nil, graph.Update{Var: v("x"), Value: w}, graph.Update{Var: v("x"), Value: x})
	says(t, err, "x is updated twice")
	_, err = s.Compile(pool, nil, graph.Update{Var: v("x"), Value: layers.Reshape(x, 2, 1)})
	says(t, err, "x is (2), its update is (2, 1)")
	_, err = s.Compile(pool, nil, graph.Update{Var: v("x"), Value: s.Input("i", graph.Int, 2)})
	says(t, err, "x is float32, its update is int")
	// A variable that was never given a value is not given one in silence.
	p := compile(t, s, nil, graph.Update{Var: v("empty"), Value: x})
	says(t, p.Run(context.Background(), nil), "empty", "no value")
}

func TestOutputOfAnotherGraph(t *testing.T) {
	s, other := newScope(), newScope()
	vector(s, "x", 1)
	_, err := s.Compile(cpu.NewPool(1), map[string]*Node{"y": layers.Square(vector(other, "x", 1))})
	says(t, err, "y", "another graph")
	_, err = s.Compile(cpu.NewPool(1), map[string]*Node{"nothing": nil})
	says(t, err, "nothing")
}

func TestPanicInAnOp(t *testing.T) {
	s := newScope()
	v := s.Sub("visual").Sub("block")
	leave := v.Enter()
	y := graph.Apply(hook(t, func() error { panic("kaboom") }), vector(s, "x", 1, 2))
	leave()
	for _, threads := range []int{1, 2} {
		p, err := s.Compile(cpu.NewPool(threads), map[string]*Node{"y": y})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			says(t, p.Run(context.Background(), nil), "probe of [2] in visual.block: panic: kaboom")
		}
	}
	var e *graph.Error
	p := compile(t, s, map[string]*Node{"y": y})
	if err := p.Run(context.Background(), nil); !errors.As(err, &e) || e.Op != "probe" || e.Layer != "visual.block" {
		t.Errorf("error %v has no op or layer", err)
	}
}

// A panic on a thread of the pool is an error, and the pool works on.
type parallelPanic struct{ graph.NoGrad }

func (parallelPanic) Name() string                              { return "parallel" }
func (parallelPanic) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (parallelPanic) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	c.For(len(out.F32), 1, func(lo, _ int) {
		if in[0].F32[lo] < 0 {
			panic("negative")
		}
		out.F32[lo] = in[0].F32[lo]
	})
	return nil
}

func TestPanicOnAThread(t *testing.T) {
	s := newScope()
	x := s.Input("x", graph.Float32, 64)
	p, err := s.Compile(cpu.NewPool(3), map[string]*Node{"y": graph.Apply(parallelPanic{}, x)})
	if err != nil {
		t.Fatal(err)
	}
	in := graph.NewTensor(graph.Float32, 64)
	for i := range in.F32 {
		in.F32[i] = float32(i)
	}
	for range 20 {
		in.F32[50] = -1
		says(t, p.Run(context.Background(), map[string]graph.Tensor{"x": in}), "parallel of [64]: panic: negative")
		in.F32[50] = 50
		run(t, p, map[string]graph.Tensor{"x": in})
		wantValues(t, "y", p.Output("y").F32, in.F32...)
	}
}

// Outputs may be leaves.
func TestLeafOutputs(t *testing.T) {
	s := newScope()
	x, w, c := s.Input("x", graph.Float32, 1), vector(s, "w", 2), s.Const(graph.Floats([]float32{3}, 1))
	p := compile(t, s, map[string]*Node{"x": x, "w": w, "c": c})
	run(t, p, map[string]graph.Tensor{"x": graph.Floats([]float32{1}, 1)})
	for name, want := range map[string]float32{"x": 1, "w": 2, "c": 3} {
		wantValues(t, name, p.Output(name).F32, want)
	}
}
