package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// layerNorm normalises rows (Ba, Kiros and Hinton, arXiv 1607.06450).
type layerNorm struct{ Eps float64 }

// LayerNorm gives each row of x [..., W] mean 0 and variance 1 (biased, plus
// eps), then scales it by gamma [W] and adds beta [W].
func LayerNorm(x, gamma, beta *Node, eps float64) *Node {
	return graph.Apply(layerNorm{eps}, x, gamma, beta)
}

func (layerNorm) Loops()              {}
func (layerNorm) Overwrites(int) bool { return true }
func (layerNorm) Name() string        { return "layernorm" }
func (layerNorm) Infer(in []graph.Type) (graph.Type, error) {
	if err := atLeast(in[0], 1); err != nil {
		return graph.Type{}, err
	}
	w := last(in[0].Shape)
	if !isShape(in[1].Shape, w) || !isShape(in[2].Shape, w) {
		return graph.Type{}, fmt.Errorf("want gamma and beta of %d", w)
	}
	return in[0], floats(in...)
}
func (o layerNorm) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{
		graph.Apply(layerNormGrad{Eps: o.Eps}, in[0], in[1], dy),
		graph.Apply(layerNormScaleGrad{Eps: o.Eps}, in[0], dy),
		Sum(flat(dy), 0),
	}
}
func (o layerNorm) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		layerNormKernel(c, o.Eps, out.F64, in[0].F64, in[1].F64, in[2].F64)
	} else {
		layerNormKernel(c, o.Eps, out.F32, in[0].F32, in[1].F32, in[2].F32)
	}
	return nil
}

func layerNormKernel[T cpu.Float](c *graph.Ctx, eps float64, y, x, gamma, beta []T) {
	rows(c, len(x), len(gamma), func(_, lo, hi int) {
		cpu.LayerNormRow(y[lo:hi], x[lo:hi], gamma, beta, T(eps))
	})
}

// layerNormGrad is the gradient with respect to x, to which a fourth operand may
// be added: the gradient that came past the norm, along the residual.
type layerNormGrad struct {
	graph.NoGrad
	Eps      float64
	Residual bool
}

// Fuse takes in an addition.
func (o layerNormGrad) Fuse(reader graph.Op, _ int, in []graph.Type) graph.Op {
	if r, ok := reader.(graph.Adder); !ok || !r.Adds() || o.Residual || !isShape(in[0].Shape, in[1].Shape...) {
		return nil
	}
	o.Residual = true
	return o
}

func (layerNormGrad) Loops()                                    {}
func (layerNormGrad) Overwrites(operand int) bool               { return operand < 3 }
func (layerNormGrad) Name() string                              { return "layernorm gradient" }
func (layerNormGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o layerNormGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		layerNormGradKernel[float64](c, o, out, in)
	} else {
		layerNormGradKernel[float32](c, o, out, in)
	}
	return nil
}

func layerNormGradKernel[T cpu.Float](c *graph.Ctx, o layerNormGrad, out graph.Tensor, in []graph.Tensor) {
	dx, x, gamma, dy := graph.Data[T](out), graph.Data[T](in[0]), graph.Data[T](in[1]), graph.Data[T](in[2])
	var residual []T
	if o.Residual {
		residual = graph.Data[T](in[3])
	}
	rows(c, len(x), len(gamma), func(_, lo, hi int) {
		mean, rstd := cpu.RowStats(x[lo:hi], T(o.Eps))
		cpu.LayerNormGradRow(dx[lo:hi], x[lo:hi], gamma, dy[lo:hi], mean, rstd)
		if residual != nil {
			cpu.Add(dx[lo:hi], dx[lo:hi], residual[lo:hi])
		}
	})
}

// layerNormScaleGrad is the gradient with respect to gamma.
type layerNormScaleGrad struct {
	graph.NoGrad
	Eps float64
}

func (layerNormScaleGrad) Loops()       {}
func (layerNormScaleGrad) Name() string { return "layernorm scale gradient" }
func (layerNormScaleGrad) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: graph.Shape{last(in[0].Shape)}, Dtype: in[0].Dtype}, nil
}
func (o layerNormScaleGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		layerNormScaleGradKernel(c, o.Eps, out.F64, in[0].F64, in[1].F64)
	} else {
		layerNormScaleGradKernel(c, o.Eps, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

// Blocks of rows are added side by side and then joined in their order: the
// blocks depend on the shape alone, and so does the result.
func layerNormScaleGradKernel[T cpu.Float](c *graph.Ctx, eps float64, dgamma, x, dy []T) {
	w := len(dgamma)
	block := rowGrain(w) * w
	blocks := (len(x) + block - 1) / max(block, 1)
	part := graph.Scratch[T](c, blocks*w)
	c.For(blocks, 1, func(lo, hi int) {
		for b := lo; b < hi; b++ {
			sum := part[b*w : (b+1)*w]
			clear(sum)
			for at := b * block; at < min((b+1)*block, len(x)); at += w {
				row := x[at : at+w]
				mean, rstd := cpu.RowStats(row, T(eps))
				cpu.LayerNormScaleGrad(sum, row, dy[at:], mean, rstd)
			}
		}
	})
	each(c, 1, func(int, int) {
		clear(dgamma)
		for b := range blocks {
			cpu.Add(dgamma, dgamma, part[b*w:])
		}
	})
}
