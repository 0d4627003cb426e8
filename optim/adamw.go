package optim

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter, arXiv
// 1711.05101) by PyTorch's rule:
//
//	p = p - lr*WeightDecay*p
//	m = Beta1*m + (1-Beta1)*grad;  v = Beta2*v + (1-Beta2)*grad²
//	p = p - lr * m/(1-Beta1^t) / (sqrt(v/(1-Beta2^t)) + Eps)
type AdamW struct {
	Beta1, Beta2, Eps float64
	WeightDecay       float64
}

// Updates implements Optimizer. The state is two moments of each variable's shape, and the
// number of steps.
func (o AdamW) Updates(s *graph.Scope, lr *layers.Node, vars []*graph.Variable, grads []*layers.Node) []graph.Update {
	if len(vars) == 0 {
		return nil
	}
	steps := &graph.Variable{Name: vars[0].Name, Type: graph.Type{Shape: graph.Shape{}}}
	count, n := state(s, steps, "steps")
	t := layers.Shift(n, 1)
	us := []graph.Update{{Var: count, Value: t}}
	for i, v := range vars {
		mv, m := state(s, v, "mean")
		vv, sq := state(s, v, "square")
		m1 := graph.Apply(moment{Beta: o.Beta1}, m, grads[i])
		v1 := graph.Apply(moment{Beta: o.Beta2, Square: true}, sq, grads[i])
		p1 := graph.Apply(adamW{Of: o}, s.Node(v), m1, v1, lr, t)
		us = append(us, graph.Update{Var: mv, Value: m1}, graph.Update{Var: vv, Value: v1}, graph.Update{Var: v, Value: p1})
	}
	return us
}

// moment is a running mean of the gradient or of its square.
type moment struct {
	graph.NoGrad
	Beta   float64
	Square bool
}

func (moment) Loops()                                    {}
func (moment) Overwrites(int) bool                       { return true }
func (moment) Name() string                              { return "moment" }
func (moment) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o moment) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		momentKernel(c, o, out.F64, in[0].F64, in[1].F64)
	} else {
		momentKernel(c, o, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func momentKernel[T cpu.Float](c *graph.Ctx, o moment, y, m, g []T) {
	a, b := T(o.Beta), T(1-o.Beta)
	c.For(len(y), 1<<13, func(lo, hi int) {
		if o.Square {
			cpu.SquareMoment(y[lo:hi], m[lo:hi], g[lo:hi], a, b)
		} else {
			cpu.Moment(y[lo:hi], m[lo:hi], g[lo:hi], a, b)
		}
	})
}

// adamW moves a parameter by its moments.
type adamW struct {
	graph.NoGrad
	Of AdamW
}

func (adamW) Loops()                                    {}
func (adamW) Overwrites(operand int) bool               { return operand < 3 }
func (adamW) Name() string                              { return "adamw" }
func (adamW) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o adamW) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		adamWKernel(c, o.Of, out.F64, in[0].F64, in[1].F64, in[2].F64, in[3].F64, in[4].F64)
	} else {
		adamWKernel(c, o.Of, out.F32, in[0].F32, in[1].F32, in[2].F32, in[3].F32, in[4].F32)
	}
	return nil
}

func adamWKernel[T cpu.Float](c *graph.Ctx, o AdamW, y, p, m, v, rates, steps []T) {
	c.For(len(y), 1<<13, func(lo, hi int) {
		lr, t := float64(rates[0]), float64(steps[0])
		keep := T(1 - lr*o.WeightDecay)
		rate := T(lr / (1 - math.Pow(o.Beta1, t)))
		inv, eps := T(1/(1-math.Pow(o.Beta2, t))), T(o.Eps)
		cpu.AdamW(y[lo:hi], p[lo:hi], m[lo:hi], v[lo:hi], keep, rate, inv, eps)
	})
}
