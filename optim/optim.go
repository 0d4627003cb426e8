// Package optim holds optimisers as updates of a graph: a Run of a program that
// has them is one training step. Learning rates are inputs, so that a schedule
// is a function of the epoch or the step and nothing else.
package optim

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// Optimizer turns gradients into updates.
type Optimizer interface {
	// Updates declares the optimiser's state under s and returns the updates of
	// the variables and of that state. lr is a scalar; grads belong to vars.
	Updates(s *graph.Scope, lr *layers.Node, vars []*graph.Variable, grads []*layers.Node) []graph.Update
}

// SGD is stochastic gradient descent with momentum by PyTorch's rule:
//
//	d = grad + WeightDecay*p;  v = Momentum*v + d;  p = p - lr*v
//
// which, unlike Sutskever's, does not fold the learning rate into v.
type SGD struct {
	Momentum    float64
	WeightDecay float64
}

// Updates implements Optimizer. The state is a velocity of each variable's shape.
func (o SGD) Updates(s *graph.Scope, lr *layers.Node, vars []*graph.Variable, grads []*layers.Node) []graph.Update {
	var us []graph.Update
	for i, v := range vars {
		p, d := s.Node(v), grads[i]
		if o.WeightDecay != 0 {
			d = layers.Add(d, layers.Scale(p, o.WeightDecay))
		}
		if o.Momentum != 0 {
			vel, node := state(s, v, "velocity")
			d = layers.Add(layers.Scale(node, o.Momentum), d)
			us = append(us, graph.Update{Var: vel, Value: d})
		}
		us = append(us, graph.Update{Var: v, Value: layers.Sub(p, layers.Mul(d, lr))})
	}
	return us
}

// state declares a variable of the optimiser, of the shape of v.
func state(s *graph.Scope, v *graph.Variable, name string) (*graph.Variable, *layers.Node) {
	sub := s.Sub(v.Name)
	n := sub.Var(name, graph.State, graph.Zeros, v.Type.Shape...)
	return sub.Find(name), n
}

// ClipNorm scales gradients of any shapes so that their joint L2 norm is at most max, as
// torch.nn.utils.clip_grad_norm_ does (with its 1e-6 beside the norm).
func ClipNorm(grads []*layers.Node, max float64) []*layers.Node {
	k := graph.Apply(clipFactor{Max: max}, grads...)
	out := make([]*layers.Node, len(grads))
	for i, g := range grads {
		out[i] = layers.Mul(g, k)
	}
	return out
}

// clipFactor is min(1, max/(norm + 1e-6)).
type clipFactor struct {
	graph.NoGrad
	Max float64
}

func (clipFactor) Name() string { return "clip factor" }
func (clipFactor) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: graph.Shape{}, Dtype: in[0].Dtype}, nil
}
func (o clipFactor) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		out.F64[0] = norm(o.Max, in, func(t graph.Tensor) []float64 { return t.F64 })
	} else {
		out.F32[0] = norm(o.Max, in, func(t graph.Tensor) []float32 { return t.F32 })
	}
	return nil
}

func norm[T cpu.Float](limit float64, in []graph.Tensor, of func(graph.Tensor) []T) T {
	var sum float64
	for _, t := range in {
		sum += float64(cpu.Dot(of(t), of(t)))
	}
	return T(min(1, limit/(math.Sqrt(sum)+1e-6)))
}

// Group is a set of variables with a learning rate of its own, as a multiple of
// the common one.
type Group struct {
	Optimizer Optimizer
	LRScale   float64
	Vars      []*graph.Variable
}

// Step differentiates the loss with respect to all groups' variables and
// returns the updates of one training step. Loss and learning rate are scalars.
func Step(s *graph.Scope, loss, lr *layers.Node, groups ...Group) ([]graph.Update, error) {
	var all []*graph.Variable
	for _, g := range groups {
		all = append(all, g.Vars...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing to train: no variable is trainable")
	}
	grads, err := s.Grad(loss, all)
	if err != nil {
		return nil, err
	}
	var us []graph.Update
	err = graph.Try(func() {
		for _, g := range groups {
			us = append(us, g.Optimizer.Updates(s, layers.Scale(lr, g.LRScale), g.Vars, grads[:len(g.Vars)])...)
			grads = grads[len(g.Vars):]
		}
	})
	return us, err
}
