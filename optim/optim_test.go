package optim_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/optim"
)

// trainer is a graph with variables p and q of two elements and the loss
// sum(c*p) + sum(d*q), whose gradients are the inputs c and d.
type trainer struct {
	scope *graph.Scope
	store *graph.Store
	p, q  *graph.Variable
	prog  *graph.Program
}

func vector(v ...float64) graph.Tensor {
	return graph.Tensor{Shape: graph.Shape{len(v)}, Dtype: graph.Float64, F64: v}
}

// newTrainer builds one over a store, which may hold the variables already.
func newTrainer(t *testing.T, store *graph.Store, dtype graph.Dtype, groups func(x *trainer) []optim.Group) *trainer {
	t.Helper()
	x := &trainer{scope: graph.New(store, dtype), store: store}
	s := x.scope
	p := s.Var("p", graph.Trainable, graph.Values([]float32{1, -2}), 2)
	q := s.Var("q", graph.Trainable, graph.Values([]float32{3, .5}), 2)
	x.p, x.q = store.Find("p"), store.Find("q")
	c, d, lr := s.Input("c", dtype, 2), s.Input("d", dtype, 2), s.Input("lr", dtype)
	loss := layers.Add(layers.SumAll(layers.Mul(c, p)), layers.SumAll(layers.Mul(d, q)))
	us, err := optim.Step(s.Sub("optim"), loss, lr, groups(x)...)
	if err != nil {
		t.Fatal(err)
	}
	if x.prog, err = s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss}, us...); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *trainer) step(t *testing.T, c, d graph.Tensor, lr float64) {
	t.Helper()
	rate := graph.NewTensor(graph.Float64)
	rate.F64[0] = lr
	if err := x.prog.Run(context.Background(), map[string]graph.Tensor{"c": c, "d": d, "lr": rate}); err != nil {
		t.Fatal(err)
	}
}

// both is one group of both variables.
func both(o optim.Optimizer) func(x *trainer) []optim.Group {
	return func(x *trainer) []optim.Group {
		return []optim.Group{{Optimizer: o, LRScale: 1, Vars: []*graph.Variable{x.p, x.q}}}
	}
}

// Three steps of SGD on the first element of p, from 1, with gradients 1, 2 and
// -1, momentum .5 and decay .1, at rates .1, .1 and .2:
//
//	d = 1 + .1*1 = 1.1         v = 1.1            p = 1 - .11 = .89
//	d = 2 + .1*.89 = 2.089     v = 2.639          p = .89 - .2639 = .6261
//	d = -1 + .06261 = -.93739  v = .38211         p = .6261 - .076422 = .549678
//
// A rule that folds the rate into v would end elsewhere, as the rate changes.
func TestSGD(t *testing.T) {
	x := newTrainer(t, graph.NewStore(nil), graph.Float64, both(optim.SGD{Momentum: .5, WeightDecay: .1}))
	for i, want := range []struct{ grad, lr, v, p float64 }{{1, .1, 1.1, .89}, {2, .1, 2.639, .6261}, {-1, .2, .38211, .549678}} {
		x.step(t, vector(want.grad, 0), vector(0, 0), want.lr)
		if got := x.p.Value.F64[0]; math.Abs(got-want.p) > 1e-12 {
			t.Errorf("step %d: p is %v, want %v", i+1, got, want.p)
		}
		if got := x.store.Find("optim.p.velocity").Value.F64[0]; math.Abs(got-want.v) > 1e-12 {
			t.Errorf("step %d: v is %v, want %v", i+1, got, want.v)
		}
	}
	// Without momentum and decay there is no state, and the step is lr*grad.
	x = newTrainer(t, graph.NewStore(nil), graph.Float64, both(optim.SGD{}))
	x.step(t, vector(1, -4), vector(0, 2), .25)
	fixture.Near(t, "p", x.p.Value, vector(.75, -1), 1e-15)
	fixture.Near(t, "q", x.q.Value, vector(3, 0), 1e-15)
	if n := len(x.store.Variables()); n != 2 {
		t.Errorf("%d variables, want p and q alone", n)
	}
}

// adamW is PyTorch's rule on one scalar, literally.
func adamW(o optim.AdamW, p float64, grads, lrs []float64) float64 {
	var m, v float64
	for t, g := range grads {
		p -= lrs[t] * o.WeightDecay * p
		m = o.Beta1*m + (1-o.Beta1)*g
		v = o.Beta2*v + (1-o.Beta2)*g*g
		mhat, vhat := m/(1-math.Pow(o.Beta1, float64(t+1))), v/(1-math.Pow(o.Beta2, float64(t+1)))
		p -= lrs[t] * mhat / (math.Sqrt(vhat) + o.Eps)
	}
	return p
}

func TestAdamW(t *testing.T) {
	o := optim.AdamW{Beta1: .9, Beta2: .98, Eps: 1e-6, WeightDecay: .2}
	grads, lrs := [][4]float64{{.5, -3, 1e-4, 0}, {.25, 2, -1e-4, 0}, {-1, 1, 3e-4, 0}}, []float64{.1, .1, .02}
	for dtype, tol := range map[graph.Dtype]float64{graph.Float64: 1e-14, graph.Float32: 1e-6} {
		x := newTrainer(t, graph.NewStore(nil), dtype, both(o))
		for i, g := range grads {
			x.step(t, vector(g[:2]...), vector(g[2:]...), lrs[i])
		}
		for k, start := range []float64{1, -2, 3, .5} {
			var gs []float64
			for _, g := range grads {
				gs = append(gs, g[k])
			}
			got := append(x.p.Value.Convert(graph.Float64).F64, x.q.Value.Convert(graph.Float64).F64...)[k]
			if want := adamW(o, start, gs, lrs); math.Abs(got-want) > tol*math.Abs(want) {
				t.Errorf("%v: element %d is %v, want %v", dtype, k, got, want)
			}
		}
	}
	// The first step by hand: m-hat/sqrt(v-hat) is the sign of the gradient.
	x := newTrainer(t, graph.NewStore(nil), graph.Float64, both(optim.AdamW{Beta1: .9, Beta2: .999, Eps: 0, WeightDecay: .5}))
	x.step(t, vector(4, -.001), vector(7, 7), .1)
	fixture.Near(t, "p after one step", x.p.Value, vector(1-.05-.1, -2+.1+.1), 1e-12)
}

// Groups have learning rates, rules and gradients of their own.
func TestGroups(t *testing.T) {
	x := newTrainer(t, graph.NewStore(nil), graph.Float64, func(x *trainer) []optim.Group {
		return []optim.Group{
			{Optimizer: optim.SGD{}, LRScale: 1, Vars: []*graph.Variable{x.q}},
			{Optimizer: optim.SGD{WeightDecay: 1}, LRScale: .05, Vars: []*graph.Variable{x.p}},
		}
	})
	x.step(t, vector(10, 20), vector(1, 2), .5)
	fixture.Near(t, "q", x.q.Value, vector(3-.5, .5-1), 1e-15)
	fixture.Near(t, "p", x.p.Value, vector(1-.025*11, -2-.025*18), 1e-15)
}

func TestNothingToTrain(t *testing.T) {
	for _, groups := range [][]optim.Group{nil, {{Optimizer: optim.SGD{}, LRScale: 1}}} {
		s := graph.New(graph.NewStore(nil), graph.Float32)
		loss := layers.SumAll(s.Input("x", graph.Float32, 2))
		if _, err := optim.Step(s, loss, s.Input("lr", graph.Float32), groups...); err == nil || !strings.Contains(err.Error(), "nothing to train") {
			t.Errorf("error is %v", err)
		}
	}
}

// One gradient node may belong to two variables. Gorgonia's solvers zero it
// after the first, and the second never moves.
func TestSharedGradient(t *testing.T) {
	for name, o := range map[string]optim.Optimizer{
		"SGD": optim.SGD{Momentum: .9}, "AdamW": optim.AdamW{Beta1: .9, Beta2: .999, Eps: 1e-8},
	} {
		s := graph.New(graph.NewStore(nil), graph.Float64)
		p, q := s.Var("p", graph.Trainable, graph.Zeros, 2), s.Var("q", graph.Trainable, graph.Zeros, 2)
		loss := layers.SumAll(layers.Mul(s.Input("c", graph.Float64, 2), layers.Add(p, q)))
		us, err := optim.Step(s.Sub("optim"), loss, s.Input("lr", graph.Float64), optim.Group{Optimizer: o, LRScale: 1, Vars: s.Trainables()})
		if err != nil {
			t.Fatal(err)
		}
		prog, err := s.Compile(cpu.NewPool(1), nil, us...)
		if err != nil {
			t.Fatal(err)
		}
		rate := graph.NewTensor(graph.Float64)
		rate.F64[0] = .5
		for range 2 {
			if err := prog.Run(context.Background(), map[string]graph.Tensor{"c": vector(1, -2), "lr": rate}); err != nil {
				t.Fatal(err)
			}
		}
		a, b := s.Find("p").Value, s.Find("q").Value
		fixture.Near(t, name, b, a, 0)
		if a.F64[0] >= -.5 || a.F64[1] <= .5 {
			t.Errorf("%s: two steps lead to %v", name, a.F64)
		}
	}
}

func TestClipNorm(t *testing.T) {
	norm := func(a, b graph.Tensor, limit float64) (x, y graph.Tensor) {
		t.Helper()
		s := graph.New(graph.NewStore(nil), graph.Float64)
		out := optim.ClipNorm([]*graph.Node{s.Const(a), s.Const(b)}, limit)
		p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"x": out[0], "y": out[1]})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		return p.Output("x"), p.Output("y")
	}
	// The joint norm of (3, 0) and (0, 4) is 5.
	x, y := norm(vector(3, 0), vector(0, 4), 1)
	k := 1 / (5 + 1e-6)
	fixture.Near(t, "clipped", x, vector(3*k, 0), 1e-15)
	fixture.Near(t, "clipped", y, vector(0, 4*k), 1e-15)
	x, y = norm(vector(3, 0), vector(0, 4), 6)
	fixture.Near(t, "short enough", x, vector(3, 0), 0)
	fixture.Near(t, "short enough", y, vector(0, 4), 0)
	x, _ = norm(vector(0, 0), vector(0, 0), 1)
	fixture.Near(t, "zero", x, vector(0, 0), 0)
}

// A store that is saved and restored continues to the bit.
func TestRestored(t *testing.T) {
	for name, o := range map[string]optim.Optimizer{
		"SGD": optim.SGD{Momentum: .9, WeightDecay: 5e-4}, "AdamW": optim.AdamW{Beta1: .9, Beta2: .98, Eps: 1e-6, WeightDecay: .2},
	} {
		through := newTrainer(t, graph.NewStore(nil), graph.Float32, both(o))
		step := func(x *trainer, i int) {
			f := float64(i)
			x.step(t, vector(math.Sin(f), math.Cos(3*f)), vector(1/(1+f), -f), .01*(1+f))
		}
		saved := map[string]graph.Tensor{}
		for i := range 6 {
			if i == 3 {
				for _, v := range through.store.Variables() {
					saved[v.Name] = graph.Floats(append([]float32(nil), v.Value.F32...), v.Value.Shape...)
				}
			}
			step(through, i)
		}
		restored := newTrainer(t, graph.NewStore(nil), graph.Float32, both(o))
		if err := restored.store.Load(saved); err != nil {
			t.Fatal(err)
		}
		for i := 3; i < 6; i++ {
			step(restored, i)
		}
		for _, v := range through.store.Variables() {
			fixture.Near(t, name+" "+v.Name, restored.store.Find(v.Name).Value, v.Value, 0)
		}
	}
}
