package layers

import (
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// unary is an elementwise function of one operand.
type unary struct{ Fn string }

// unaryGrad multiplies the gradient with the function's derivative.
type unaryGrad struct {
	graph.NoGrad
	Fn string
}

// function is an elementwise function and its derivative, the latter given x
// and y = f(x); package cpu has those that are missing here.
type function struct {
	f  func(x float64) float64
	df func(x, y float64) float64
}

var functions = map[string]function{
	"log":     {math.Log, func(x, _ float64) float64 { return 1 / x }},
	"sigmoid": {nil, func(_, y float64) float64 { return y * (1 - y) }},
	"sqrt":    {nil, func(_, y float64) float64 { return .5 / y }},
	"square":  {nil, func(x, _ float64) float64 { return 2 * x }},
	"abs":     {math.Abs, func(x, _ float64) float64 { return step(x) - step(-x) }},
	"tanh":    {math.Tanh, func(_, y float64) float64 { return 1 - y*y }},
	"relu":    {func(x float64) float64 { return max(x, 0) }, func(x, _ float64) float64 { return step(x) }},
}

func step(x float64) float64 {
	if x > 0 {
		return 1
	}
	return 0
}

// Abs is |x|, elementwise. Its derivative at 0 is 0.
func Abs(x *Node) *Node { return graph.Apply(unary{"abs"}, x) }

// Exp is e^x, elementwise.
func Exp(x *Node) *Node { return graph.Apply(unary{"exp"}, x) }

// Log is the natural logarithm, elementwise.
func Log(x *Node) *Node { return graph.Apply(unary{"log"}, x) }

// Sigmoid is 1/(1+e^-x), elementwise.
func Sigmoid(x *Node) *Node { return graph.Apply(unary{"sigmoid"}, x) }

// Sqrt is the square root, elementwise.
func Sqrt(x *Node) *Node { return graph.Apply(unary{"sqrt"}, x) }

// Square is x*x, elementwise.
func Square(x *Node) *Node { return graph.Apply(unary{"square"}, x) }

// Tanh is the hyperbolic tangent, elementwise.
func Tanh(x *Node) *Node { return graph.Apply(unary{"tanh"}, x) }

// ReLU is max(x, 0), elementwise.
func ReLU(x *Node) *Node { return graph.Apply(unary{"relu"}, x) }

// GELU is x times the normal distribution function of x, elementwise
// (Hendrycks and Gimpel, arXiv 1606.08415; the exact form, with erf).
func GELU(x *Node) *Node { return graph.Apply(unary{"gelu"}, x) }

// Clamp limits x to [lo, hi], elementwise. The gradient passes inside.
func Clamp(x *Node, lo, hi float64) *Node {
	return Sub(Shift(ReLU(Shift(x, -lo)), lo), ReLU(Shift(x, -hi)))
}

// QuickGELU is x*sigmoid(1.702x), elementwise: CLIP's activation.
func QuickGELU(x *Node) *Node { return graph.Apply(quickGELU{}, x) }

func (unary) Loops()                                      {}
func (unary) Overwrites(int) bool                         { return true }
func (o unary) Name() string                              { return o.Fn }
func (o unary) Infer(in []graph.Type) (graph.Type, error) { return in[0], floats(in...) }
func (o unary) Grad(in []*Node, out, dout *Node) []*Node {
	return []*Node{graph.Apply(unaryGrad{Fn: o.Fn}, in[0], out, dout)}
}
func (o unary) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		apply(c, o.Fn, out.F64, in[0].F64)
	} else {
		apply(c, o.Fn, out.F32, in[0].F32)
	}
	return nil
}

// vector is the function over slices that package cpu has, if any.
func vector[T cpu.Float](fn string) func(dst, x []T) {
	switch fn {
	case "exp":
		return cpu.Exp[T]
	case "gelu":
		return cpu.GELU[T]
	case "sigmoid":
		return cpu.Sigmoid[T]
	case "sqrt":
		return cpu.Sqrt[T]
	case "square":
		return func(dst, x []T) { cpu.Mul(dst, x, x) }
	}
	return nil
}

// vectorGrad is the same for gradients.
func vectorGrad[T cpu.Float](fn string) func(dst, x, y, dy []T) {
	switch fn {
	case "exp":
		return func(dst, _, y, dy []T) { cpu.Mul(dst, y, dy) }
	case "gelu":
		return func(dst, x, _, dy []T) { cpu.GELUGrad(dst, x, dy) }
	}
	return nil
}

func apply[T cpu.Float](c *graph.Ctx, fn string, out, x []T) {
	if v := vector[T](fn); v != nil {
		each(c, len(out), func(lo, hi int) { v(out[lo:hi], x[lo:hi]) })
		return
	}
	f := functions[fn].f
	c.For(len(out), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = T(f(float64(x[i])))
		}
	})
}

func (unaryGrad) Loops()                                      {}
func (unaryGrad) Overwrites(int) bool                         { return true }
func (o unaryGrad) Name() string                              { return o.Fn + " gradient" }
func (o unaryGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (o unaryGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		applyGrad(c, o.Fn, out.F64, in[0].F64, in[1].F64, in[2].F64)
	} else {
		applyGrad(c, o.Fn, out.F32, in[0].F32, in[1].F32, in[2].F32)
	}
	return nil
}

func applyGrad[T cpu.Float](c *graph.Ctx, fn string, out, x, y, dy []T) {
	if v := vectorGrad[T](fn); v != nil {
		each(c, len(out), func(lo, hi int) { v(out[lo:hi], x[lo:hi], y[lo:hi], dy[lo:hi]) })
		return
	}
	df := functions[fn].df
	c.For(len(out), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			out[i] = dy[i] * T(df(float64(x[i]), float64(y[i])))
		}
	})
}

type quickGELU struct{}

func (quickGELU) Loops()                                    {}
func (quickGELU) Overwrites(int) bool                       { return true }
func (quickGELU) Name() string                              { return "quickgelu" }
func (quickGELU) Infer(in []graph.Type) (graph.Type, error) { return in[0], floats(in...) }
func (quickGELU) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{graph.Apply(quickGELUGrad{}, in[0], dout)}
}
func (quickGELU) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		each(c, out.Len(), func(lo, hi int) { cpu.QuickGELU(out.F64[lo:hi], in[0].F64[lo:hi]) })
	} else {
		each(c, out.Len(), func(lo, hi int) { cpu.QuickGELU(out.F32[lo:hi], in[0].F32[lo:hi]) })
	}
	return nil
}

type quickGELUGrad struct{ graph.NoGrad }

func (quickGELUGrad) Loops()                                    {}
func (quickGELUGrad) Overwrites(int) bool                       { return true }
func (quickGELUGrad) Name() string                              { return "quickgelu gradient" }
func (quickGELUGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], sameAs(in) }
func (quickGELUGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	x, dy := in[0], in[1]
	if out.Dtype == graph.Float64 {
		each(c, out.Len(), func(lo, hi int) { cpu.QuickGELUGrad(out.F64[lo:hi], x.F64[lo:hi], dy.F64[lo:hi]) })
	} else {
		each(c, out.Len(), func(lo, hi int) { cpu.QuickGELUGrad(out.F32[lo:hi], x.F32[lo:hi], dy.F32[lo:hi]) })
	}
	return nil
}
