package layers

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// BatchNorm normalises columns over the rows of a batch (Ioffe and Szegedy,
// arXiv 1502.03167) and keeps running moments of them for test time, by
// PyTorch's rules and under its names.
type BatchNorm struct {
	scope                   *graph.Scope
	Gamma, Beta             *Node // [W]
	Mean, Variance, Batches *Node // running mean and variance [W], batches seen; states
}

// batchMomentum is the weight of a batch in the running moments.
const batchMomentum = .1

// NewBatchNorm declares weight and bias [width], and the states running_mean,
// running_var and num_batches_tracked.
func NewBatchNorm(s *graph.Scope, w Weights, width int) BatchNorm {
	return BatchNorm{
		scope: s,
		Gamma: s.Var("weight", w.Kind, w.Ones(), width), Beta: s.Var("bias", w.Kind, w.Zeros(), width),
		Mean:     s.Var("running_mean", graph.State, w.Zeros(), width),
		Variance: s.Var("running_var", graph.State, w.Ones(), width),
		Batches:  s.Var("num_batches_tracked", graph.State, w.Zeros()),
	}
}

// Train normalises x [M, W] by the moments of its own rows, at least two, with
// the biased variance. The updates move the running moments towards them, with
// the unbiased variance.
func (n BatchNorm) Train(x *Node) (*Node, []graph.Update) {
	defer n.scope.Enter()()
	y := n.affine(StandardiseColumns(x, Eps))
	x = StopGradient(x)
	m := ShapeOf(x)[0]
	mean := Mean(x, 0)
	variance := Scale(Sum(Square(Sub(x, mean)), 0), 1/float64(m-1))
	move := func(old, batch *Node) *Node { return Add(Scale(old, 1-batchMomentum), Scale(batch, batchMomentum)) }
	return y, []graph.Update{
		{Var: n.scope.Find("running_mean"), Value: move(n.Mean, mean)},
		{Var: n.scope.Find("running_var"), Value: move(n.Variance, variance)},
		{Var: n.scope.Find("num_batches_tracked"), Value: Shift(n.Batches, 1)},
	}
}

// Eval normalises x [M, W] by the running moments.
func (n BatchNorm) Eval(x *Node) *Node { return n.By(n.Mean, n.Variance, x) }

// By normalises x [M, W] by a mean and a variance [W].
func (n BatchNorm) By(mean, variance, x *Node) *Node {
	defer n.scope.Enter()()
	return n.affine(Div(Sub(x, mean), Sqrt(Shift(variance, Eps))))
}

func (n BatchNorm) affine(x *Node) *Node { return Add(Mul(x, n.Gamma), n.Beta) }

// StandardiseColumns gives each column of x [M, W], of two rows or more, mean 0
// and variance 1 (biased, plus eps).
func StandardiseColumns(x *Node, eps float64) *Node { return graph.Apply(standardiseColumns{eps}, x) }

// standardiseColumns is BatchNorm without scale, offset and running moments.
type standardiseColumns struct{ Eps float64 }

func (standardiseColumns) Name() string { return "batchnorm" }
func (standardiseColumns) Infer(in []graph.Type) (graph.Type, error) {
	if s := in[0].Shape; len(s) != 2 || s[0] < 2 {
		return graph.Type{}, fmt.Errorf("want [M, W] with at least two rows")
	}
	return in[0], floats(in...)
}
func (o standardiseColumns) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(standardiseColumnsGrad{Of: o}, in[0], dy)}
}
func (o standardiseColumns) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if w := out.Shape[1]; out.Dtype == graph.Float64 {
		standardiseColumnsKernel(c, o.Eps, w, out.F64, in[0].F64)
	} else {
		standardiseColumnsKernel(c, o.Eps, w, out.F32, in[0].F32)
	}
	return nil
}

// columnBlock is how many columns a task owns: a cache line of float32s.
const columnBlock = 16

// columnMoments returns the mean and 1/sqrt(variance + eps) of columns [lo, hi)
// of x [M, w], at most columnBlock.
func columnMoments[T cpu.Float](x []T, w, lo, hi int, eps float64) (mean, rstd [columnBlock]float64) {
	m := float64(len(x) / w)
	for at := 0; at < len(x); at += w {
		for j, v := range x[at+lo : at+hi] {
			mean[j] += float64(v)
		}
	}
	for j := range mean {
		mean[j] /= m
	}
	for at := 0; at < len(x); at += w {
		for j, v := range x[at+lo : at+hi] {
			d := float64(v) - mean[j]
			rstd[j] += d * d
		}
	}
	for j, sum := range rstd {
		rstd[j] = 1 / math.Sqrt(sum/m+eps)
	}
	return mean, rstd
}

func standardiseColumnsKernel[T cpu.Float](c *graph.Ctx, eps float64, w int, y, x []T) {
	c.For(w, columnBlock, func(lo, hi int) {
		mean, rstd := columnMoments(x, w, lo, hi, eps)
		for at := 0; at < len(x); at += w {
			for j, v := range x[at+lo : at+hi] {
				y[at+lo+j] = T((float64(v) - mean[j]) * rstd[j])
			}
		}
	})
}

// standardiseColumnsGrad is the gradient with respect to x.
type standardiseColumnsGrad struct {
	graph.NoGrad
	Of standardiseColumns
}

func (standardiseColumnsGrad) Name() string                              { return "batchnorm gradient" }
func (standardiseColumnsGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (o standardiseColumnsGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if w := out.Shape[1]; out.Dtype == graph.Float64 {
		standardiseColumnsGradKernel(c, o.Of.Eps, w, out.F64, in[0].F64, in[1].F64)
	} else {
		standardiseColumnsGradKernel(c, o.Of.Eps, w, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

// With z = (x - mean) rstd: dx = rstd (dy - mean(dy) - z mean(dy z)).
func standardiseColumnsGradKernel[T cpu.Float](c *graph.Ctx, eps float64, w int, dx, x, dy []T) {
	m := float64(len(x) / w)
	c.For(w, columnBlock, func(lo, hi int) {
		mean, rstd := columnMoments(x, w, lo, hi, eps)
		var plain, along [columnBlock]float64 // means of dy and of dy z
		for at := 0; at < len(x); at += w {
			for j, v := range x[at+lo : at+hi] {
				g := float64(dy[at+lo+j])
				plain[j] += g / m
				along[j] += g * (float64(v) - mean[j]) * rstd[j] / m
			}
		}
		for at := 0; at < len(x); at += w {
			for j, v := range x[at+lo : at+hi] {
				z := (float64(v) - mean[j]) * rstd[j]
				dx[at+lo+j] = T(rstd[j] * (float64(dy[at+lo+j]) - plain[j] - z*along[j]))
			}
		}
	})
}
