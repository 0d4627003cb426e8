package layers

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// l2 divides rows by their length.
type l2 struct{ Eps float64 }

// L2Normalize divides each row of x [..., D] by max(|row|, eps): length 1, as
// features are compared by cosine. eps 0 is CLIP's own division.
func L2Normalize(x *Node, eps float64) *Node { return graph.Apply(l2{eps}, x) }

func (l2) Loops()                                    {}
func (l2) Overwrites(int) bool                       { return true }
func (l2) Name() string                              { return "l2 normalize" }
func (l2) Infer(in []graph.Type) (graph.Type, error) { return in[0], atLeast(in[0], 1) }
func (o l2) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(l2Grad{Eps: o.Eps}, in[0], dy)}
}
func (o l2) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n := last(out.Shape)
	if out.Dtype == graph.Float64 {
		l2Kernel(c, o.Eps, n, out.F64, in[0].F64)
	} else {
		l2Kernel(c, o.Eps, n, out.F32, in[0].F32)
	}
	return nil
}

func l2Kernel[T cpu.Float](c *graph.Ctx, eps float64, n int, y, x []T) {
	rows(c, len(x), n, func(_, lo, hi int) {
		length := math.Sqrt(float64(cpu.Dot(x[lo:hi], x[lo:hi])))
		cpu.Scale(y[lo:hi], T(1/max(length, eps)), x[lo:hi])
	})
}

type l2Grad struct {
	graph.NoGrad
	Eps float64
}

func (l2Grad) Loops()                                    {}
func (l2Grad) Name() string                              { return "l2 normalize gradient" }
func (l2Grad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (o l2Grad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n := last(out.Shape)
	if out.Dtype == graph.Float64 {
		l2GradKernel(c, o.Eps, n, out.F64, in[0].F64, in[1].F64)
	} else {
		l2GradKernel(c, o.Eps, n, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func l2GradKernel[T cpu.Float](c *graph.Ctx, eps float64, n int, dx, x, dy []T) {
	rows(c, len(x), n, func(_, lo, hi int) {
		x, dy, dx := x[lo:hi], dy[lo:hi], dx[lo:hi]
		length := math.Sqrt(float64(cpu.Dot(x, x)))
		cpu.Scale(dx, T(1/max(length, eps)), dy)
		if length >= eps && length > 0 { // dx = (dy - x (x.dy)/|x|²)/|x|
			along := float64(cpu.Dot(x, dy)) / (length * length * length)
			cpu.AddScaled(dx, T(-along), x)
		}
	})
}

// standardise gives rows mean 0 and deviation 1.
type standardise struct{ Eps float64 }

// Standardise gives each row of x [..., N] mean 0 and divides it by its
// (biased) standard deviation plus eps.
func Standardise(x *Node, eps float64) *Node { return graph.Apply(standardise{Eps: eps}, x) }

func (standardise) Loops()                                    {}
func (standardise) Overwrites(int) bool                       { return true }
func (standardise) Name() string                              { return "standardise" }
func (standardise) Infer(in []graph.Type) (graph.Type, error) { return in[0], atLeast(in[0], 1) }
func (o standardise) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(standardiseGrad{Of: o}, in[0], dy)}
}
func (o standardise) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n := last(out.Shape)
	if out.Dtype == graph.Float64 {
		standardiseKernel(c, o, n, out.F64, in[0].F64)
	} else {
		standardiseKernel(c, o, n, out.F32, in[0].F32)
	}
	return nil
}

// moments are a row's mean and biased standard deviation.
func moments[T cpu.Float](x []T) (mean, deviation float64) {
	m, r := cpu.RowStats(x, 0)
	return float64(m), 1 / float64(r) // 0 for a constant row
}

func standardiseKernel[T cpu.Float](c *graph.Ctx, o standardise, n int, y, x []T) {
	rows(c, len(x), n, func(_, lo, hi int) {
		mean, deviation := moments(x[lo:hi])
		cpu.StandardiseRow(y[lo:hi], x[lo:hi], T(mean), T(1/(deviation+o.Eps)))
	})
}

type standardiseGrad struct {
	graph.NoGrad
	Of standardise
}

func (standardiseGrad) Loops()                                    {}
func (standardiseGrad) Name() string                              { return "standardise gradient" }
func (standardiseGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (o standardiseGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n := last(out.Shape)
	if out.Dtype == graph.Float64 {
		standardiseGradKernel(c, o.Of, n, out.F64, in[0].F64, in[1].F64)
	} else {
		standardiseGradKernel(c, o.Of, n, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func standardiseGradKernel[T cpu.Float](c *graph.Ctx, o standardise, n int, dx, x, dy []T) {
	rows(c, len(x), n, func(_, lo, hi int) {
		mean, deviation := moments(x[lo:hi])
		d := deviation + o.Eps
		meanDy := float64(cpu.Sum(dy[lo:hi])) / float64(n)
		var along float64 // mean of dy * (x - mean)
		for i := lo; i < hi; i++ {
			along += float64(dy[i]) * (float64(x[i]) - mean)
		}
		along /= float64(n)
		k := 0.0
		if deviation > 0 { // d(divisor)/dx = (x - mean)/(n deviation)
			k = along / (d * d * deviation)
		}
		for i := lo; i < hi; i++ {
			dx[i] = T((float64(dy[i])-meanDy)/d - (float64(x[i])-mean)*k)
		}
	})
}
