package optest

import (
	"context"
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// built is a case as a graph.
type built struct {
	store  *graph.Store
	scope  *graph.Scope
	values []graph.Tensor // of the inputs
	nodes  []*graph.Node  // of the inputs
	out    *graph.Node
	loss   *graph.Node // nil without gradients
	grads  []*graph.Node
	vars   []*graph.Variable // the float inputs
	feeds  map[string]graph.Tensor
}

func name(i int) string { return fmt.Sprintf("input%d", i) }

const weights = "weights of the loss"

// build makes the case's graph, with the gradients of its float inputs.
func (c Case) build(t *testing.T, dtype graph.Dtype) *built {
	t.Helper()
	store := graph.NewStore(nil)
	s := graph.New(store, dtype)
	b := &built{store: store, scope: s, values: c.values(), feeds: map[string]graph.Tensor{}}
	err := graph.Try(func() {
		for i, v := range b.values {
			if v.Dtype == graph.Int {
				b.nodes = append(b.nodes, s.Input(name(i), graph.Int, v.Shape...))
				b.feeds[name(i)] = v
			} else {
				b.nodes = append(b.nodes, s.Var(name(i), graph.Trainable, graph.Values(v.F32), v.Shape...))
			}
		}
		b.out = c.Build(s, b.nodes)
		if c.NoGrad {
			return
		}
		shape := graph.TypeOf(b.out).Shape
		b.feeds[weights] = Normal(shape...).tensor(c.rand())
		b.loss = graph.Apply(dot{}, b.out, s.Input(weights, dtype, shape...))
	})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	if !c.NoGrad {
		b.vars = s.Trainables()
		if b.grads, err = s.Grad(b.loss, b.vars); err != nil {
			t.Fatalf("gradient: %v", err)
		}
	}
	return b
}

// result is what one Run computes: the value and, by input, its gradients.
type result struct {
	out   graph.Tensor
	grads []graph.Tensor
}

// run computes the result twice with one program, which must not change it, nor
// may what a run of other values leaves in the program's memory.
func (b *built) run(t *testing.T, threads int) result {
	t.Helper()
	outputs := map[string]*graph.Node{"out": b.out}
	for i, g := range b.grads {
		outputs[name(i)] = g
	}
	p, err := b.scope.Compile(cpu.NewPool(threads), outputs)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	defer covered.add(b)
	var r [2]result
	for i := range r {
		if i == 1 {
			b.negate()
			_ = p.Run(context.Background(), b.feeds) // its result may be NaN: all the better
			b.negate()
		}
		if err := p.Run(context.Background(), b.feeds); err != nil {
			t.Fatalf("run: %v", err)
		}
		r[i].out = clone(p.Output("out"))
		for k := range b.grads {
			r[i].grads = append(r[i].grads, clone(p.Output(name(k))))
		}
	}
	b.same(t, "second run", r[1], r[0])
	return r[0]
}

// negate changes the sign of the float inputs.
func (b *built) negate() {
	for _, v := range b.scope.Variables() {
		for i := range v.Value.F32 {
			v.Value.F32[i] = -v.Value.F32[i]
		}
		for i := range v.Value.F64 {
			v.Value.F64[i] = -v.Value.F64[i]
		}
	}
}

func clone(t graph.Tensor) graph.Tensor {
	c := graph.NewTensor(t.Dtype, t.Shape...)
	copy(c.F32, t.F32)
	copy(c.F64, t.F64)
	copy(c.Int, t.Int)
	return c
}

// each compares the parts of two results.
func (b *built) each(got, want result, f func(part string, got, want graph.Tensor)) {
	f("result", got.out, want.out)
	for i := range want.grads {
		f("gradient of "+b.vars[i].Name, got.grads[i], want.grads[i])
	}
}
