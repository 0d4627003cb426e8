package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// softmax turns rows into distributions.
type softmax struct{}

// Softmax is e^x over its sum, in each row of x [..., N].
func Softmax(x *Node) *Node { return graph.Apply(softmax{}, x) }

func (softmax) Loops()                                    {}
func (softmax) Overwrites(int) bool                       { return true }
func (softmax) Name() string                              { return "softmax" }
func (softmax) Infer(in []graph.Type) (graph.Type, error) { return in[0], atLeast(in[0], 1) }
func (softmax) Grad(_ []*Node, y, dy *Node) []*Node {
	return []*Node{graph.Apply(softmaxGrad{}, y, dy)}
}
func (softmax) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		softmaxKernel(c, last(out.Shape), out.F64, in[0].F64)
	} else {
		softmaxKernel(c, last(out.Shape), out.F32, in[0].F32)
	}
	return nil
}

func softmaxKernel[T cpu.Float](c *graph.Ctx, n int, y, x []T) {
	if n == 0 {
		return
	}
	c.For(len(y)/n, rowGrain(n), func(lo, hi int) { cpu.SoftmaxRows(y[lo*n:hi*n], x[lo*n:hi*n], n) })
}

type softmaxGrad struct{ graph.NoGrad }

func (softmaxGrad) Loops()                                    {}
func (softmaxGrad) Overwrites(int) bool                       { return true }
func (softmaxGrad) Name() string                              { return "softmax gradient" }
func (softmaxGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (softmaxGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n, y, dy := last(out.Shape), in[0], in[1]
	if out.Dtype == graph.Float64 {
		rows(c, out.Len(), n, func(_, lo, hi int) { cpu.SoftmaxGradRow(out.F64[lo:hi], y.F64[lo:hi], dy.F64[lo:hi]) })
	} else {
		rows(c, out.Len(), n, func(_, lo, hi int) { cpu.SoftmaxGradRow(out.F32[lo:hi], y.F32[lo:hi], dy.F32[lo:hi]) })
	}
	return nil
}

// logSoftmax is the logarithm of softmax, without overflow.
type logSoftmax struct{}

// LogSoftmax is x minus the logarithm of the sum of e^x, in each row of x
// [..., N].
func LogSoftmax(x *Node) *Node { return graph.Apply(logSoftmax{}, x) }

func (logSoftmax) Loops()                                    {}
func (logSoftmax) Name() string                              { return "log-softmax" }
func (logSoftmax) Infer(in []graph.Type) (graph.Type, error) { return in[0], atLeast(in[0], 1) }
func (logSoftmax) Grad(in []*Node, y, dy *Node) []*Node {
	return []*Node{graph.Apply(logSoftmaxGrad{}, y, dy)}
}
func (logSoftmax) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n := last(out.Shape)
	if out.Dtype == graph.Float64 {
		rows(c, out.Len(), n, func(_, lo, hi int) { logSoftmaxRow(out.F64[lo:hi], in[0].F64[lo:hi]) })
	} else {
		rows(c, out.Len(), n, func(_, lo, hi int) { logSoftmaxRow(out.F32[lo:hi], in[0].F32[lo:hi]) })
	}
	return nil
}

func logSoftmaxRow[T cpu.Float](y, x []T) { cpu.Affine(y, 1, x, -cpu.LogSumExp(x)) }

type logSoftmaxGrad struct{ graph.NoGrad }

func (logSoftmaxGrad) Loops()                                    {}
func (logSoftmaxGrad) Overwrites(operand int) bool               { return operand == 0 }
func (logSoftmaxGrad) Name() string                              { return "log-softmax gradient" }
func (logSoftmaxGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (logSoftmaxGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	n, y, dy := last(out.Shape), in[0], in[1]
	if out.Dtype == graph.Float64 {
		rows(c, out.Len(), n, func(_, lo, hi int) { logSoftmaxGradRow(out.F64[lo:hi], y.F64[lo:hi], dy.F64[lo:hi]) })
	} else {
		rows(c, out.Len(), n, func(_, lo, hi int) { logSoftmaxGradRow(out.F32[lo:hi], y.F32[lo:hi], dy.F32[lo:hi]) })
	}
	return nil
}

func logSoftmaxGradRow[T cpu.Float](dx, y, dy []T) {
	s := cpu.Sum(dy)
	cpu.Exp(dx, y)
	cpu.Scale(dx, -s, dx)
	cpu.Add(dx, dx, dy)
}

// crossEntropy is the mean negative log-likelihood of labels.
type crossEntropy struct{}

// CrossEntropy is the mean over rows of logSumExp(row) - row[label]: logits
// [M, C] and labels [M] (Int, in [0, C)) give a scalar.
func CrossEntropy(logits, labels *Node) *Node { return graph.Apply(crossEntropy{}, logits, labels) }

func (crossEntropy) Loops()       {}
func (crossEntropy) Name() string { return "cross-entropy" }
func (crossEntropy) Infer(in []graph.Type) (graph.Type, error) {
	x, y := in[0].Shape, in[1]
	if len(x) != 2 || y.Dtype != graph.Int || len(y.Shape) != 1 || y.Shape[0] != x[0] {
		return graph.Type{}, fmt.Errorf("want logits [M, C] and Int labels [M]")
	}
	return graph.Type{Shape: graph.Shape{}, Dtype: in[0].Dtype}, floats(in[0])
}
func (crossEntropy) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{graph.Apply(crossEntropyGrad{}, in[0], in[1], dout), nil}
}
func (crossEntropy) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := inRange(c, "label", in[1], last(in[0].Shape)); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		crossEntropyKernel(c, out.F64, in[0].F64, in[1].Int)
	} else {
		crossEntropyKernel(c, out.F32, in[0].F32, in[1].Int)
	}
	return nil
}

// inRange checks indices, which would otherwise read other memory.
func inRange(c *graph.Ctx, what string, idx graph.Tensor, n int) error {
	return c.Do(func() error {
		for i, v := range idx.Int {
			if v < 0 || v >= n {
				return fmt.Errorf("%s %d at position %d, want 0 to %d", what, v, i, n-1)
			}
		}
		return nil
	})
}

func crossEntropyKernel[T cpu.Float](c *graph.Ctx, out, x []T, labels []int) {
	n := len(x) / len(labels)
	per := graph.Scratch[T](c, len(labels))
	rows(c, len(x), n, func(r, lo, hi int) {
		per[r] = cpu.LogSumExp(x[lo:hi]) - x[lo+labels[r]]
	})
	each(c, 1, func(int, int) { out[0] = cpu.Sum(per) / T(len(labels)) })
}

type crossEntropyGrad struct{ graph.NoGrad }

func (crossEntropyGrad) Loops()                                    {}
func (crossEntropyGrad) Name() string                              { return "cross-entropy gradient" }
func (crossEntropyGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (crossEntropyGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := inRange(c, "label", in[1], last(in[0].Shape)); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		crossEntropyGradKernel(c, out.F64, in[0].F64, in[1].Int, in[2].F64)
	} else {
		crossEntropyGradKernel(c, out.F32, in[0].F32, in[1].Int, in[2].F32)
	}
	return nil
}

func crossEntropyGradKernel[T cpu.Float](c *graph.Ctx, dx, x []T, labels []int, dout []T) {
	n := len(x) / len(labels)
	rows(c, len(x), n, func(r, lo, hi int) {
		cpu.SoftmaxRow(dx[lo:hi], x[lo:hi], 1)
		dx[lo+labels[r]]--
		cpu.Scale(dx[lo:hi], dout[0]/T(len(labels)), dx[lo:hi])
	})
}
