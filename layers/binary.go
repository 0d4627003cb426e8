package layers

import (
	"fmt"
	"slices"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// binary is elementwise arithmetic with NumPy's broadcasting: axes are aligned
// from the last, and an axis of size 1 (or a missing one) repeats.
type binary struct{ Op byte }

// Add is a + b, elementwise, with broadcasting.
func Add(a, b *Node) *Node { return graph.Apply(binary{'+'}, a, b) }

// Sub is a - b, elementwise, with broadcasting.
func Sub(a, b *Node) *Node { return graph.Apply(binary{'-'}, a, b) }

// Mul is a * b, elementwise, with broadcasting.
func Mul(a, b *Node) *Node { return graph.Apply(binary{'*'}, a, b) }

// Div is a / b, elementwise, with broadcasting.
func Div(a, b *Node) *Node { return graph.Apply(binary{'/'}, a, b) }

func (binary) Loops()              {}
func (binary) Overwrites(int) bool { return true }
func (o binary) Name() string {
	return map[byte]string{'+': "add", '-': "sub", '*': "mul", '/': "div"}[o.Op]
}

func (o binary) Infer(in []graph.Type) (graph.Type, error) {
	a, b := in[0].Shape, in[1].Shape
	out := make(graph.Shape, max(len(a), len(b)))
	for i := range out {
		x, y := axisFromEnd(a, len(out)-i), axisFromEnd(b, len(out)-i)
		switch {
		case x == y || y == 1:
			out[i] = x
		case x == 1:
			out[i] = y
		default:
			return graph.Type{}, fmt.Errorf("sizes %d and %d do not broadcast, want equal ones or 1", x, y)
		}
	}
	return graph.Type{Shape: out, Dtype: in[0].Dtype}, floats(in...)
}

func axisFromEnd(s graph.Shape, i int) int {
	if i > len(s) {
		return 1
	}
	return s[len(s)-i]
}

// Adds says that b is added to an a of its shape, when the shapes are equal.
func (o binary) Adds() bool { return o.Op == '+' }

func (o binary) Grad(in []*Node, out, dout *Node) []*Node {
	a, b := in[0], in[1]
	var da, db *Node
	switch o.Op {
	case '+':
		da, db = dout, dout
	case '-':
		da, db = dout, Scale(dout, -1)
	case '*':
		da, db = Mul(dout, b), Mul(dout, a)
	case '/':
		da = Div(dout, b)
		db = Scale(Mul(da, out), -1) // -dout a/b / b
	}
	return []*Node{SumTo(da, ShapeOf(a)), SumTo(db, ShapeOf(b))}
}

func (o binary) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		binaryKernel(c, o.Op, out, in[0], in[1], out.F64, in[0].F64, in[1].F64)
	} else {
		binaryKernel(c, o.Op, out, in[0], in[1], out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func binaryKernel[T cpu.Float](c *graph.Ctx, op byte, out, a, b graph.Tensor, y, p, q []T) {
	if slices.Equal(a.Shape, b.Shape) {
		each(c, len(y), func(lo, hi int) { combine(op, y[lo:hi], p[lo:hi], q[lo:hi], 1, 1) })
		return
	}
	if len(y) == 0 {
		return
	}
	if len(out.Shape) == 0 || len(y) == 1 {
		each(c, 1, func(int, int) { combine(op, y, p, q, 1, 1) })
		return
	}
	n := last(out.Shape)
	sa, sb := strides(a.Shape, out.Shape), strides(b.Shape, out.Shape)
	rows(c, len(y), n, func(r, lo, hi int) {
		i, j := offset(r, out.Shape, sa), offset(r, out.Shape, sb)
		combine(op, y[lo:hi], p[i:], q[j:], last(sa), last(sb))
	})
}

// combine computes one row; a stride of 0 repeats the operand's first element.
func combine[T cpu.Float](op byte, y, a, b []T, sa, sb int) {
	switch {
	case sa == 1 && sb == 1 && op == '+':
		cpu.Add(y, a[:len(y)], b[:len(y)])
	case sa == 1 && sb == 1 && op == '-':
		cpu.Sub(y, a[:len(y)], b[:len(y)])
	case sa == 1 && sb == 1 && op == '*':
		cpu.Mul(y, a[:len(y)], b[:len(y)])
	case sa == 1 && sb == 1 && op == '/':
		cpu.Div(y, a[:len(y)], b[:len(y)])
	case sa == 1 && sb == 0 && op == '/':
		cpu.Divide(y, b[0], a)
	case sa == 1 && sb == 0 && op == '+':
		cpu.Affine(y, 1, a, b[0])
	case sa == 0 && sb == 1 && op == '+':
		cpu.Affine(y, 1, b, a[0])
	case sa == 1 && sb == 0 && op == '-':
		cpu.Affine(y, 1, a, -b[0])
	case sa == 0 && sb == 1 && op == '-':
		cpu.Affine(y, -1, b, a[0])
	case sa == 1 && sb == 0 && op == '*':
		cpu.Scale(y, b[0], a)
	case sa == 0 && sb == 1 && op == '*':
		cpu.Scale(y, a[0], b)
	case op == '+':
		for i := range y {
			y[i] = a[i*sa] + b[i*sb]
		}
	case op == '-':
		for i := range y {
			y[i] = a[i*sa] - b[i*sb]
		}
	case op == '*':
		for i := range y {
			y[i] = a[i*sa] * b[i*sb]
		}
	default:
		for i := range y {
			y[i] = a[i*sa] / b[i*sb]
		}
	}
}

// strides says how far each axis of out moves in an operand of shape s: 0 where
// the operand repeats.
func strides(s, out graph.Shape) []int {
	st := make([]int, len(out))
	n := 1
	for i := 1; i <= len(s); i++ {
		if s[len(s)-i] != 1 {
			st[len(out)-i] = n
		}
		n *= s[len(s)-i]
	}
	return st
}

// offset is where row r of out, over all axes but the last, begins in the
// operand.
func offset(r int, out graph.Shape, st []int) int {
	off := 0
	for i := len(out) - 2; i >= 0; i-- {
		off += r % out[i] * st[i]
		r /= out[i]
	}
	return off
}

// scale is a*x + b with two constants.
type scale struct{ A, B float64 }

// Scale is a*x, elementwise, with a constant a.
func Scale(x *Node, a float64) *Node { return graph.Apply(scale{a, 0}, x) }

// Shift is x + b, elementwise, with a constant b.
func Shift(x *Node, b float64) *Node { return graph.Apply(scale{1, b}, x) }

func (scale) Loops()                                    {}
func (scale) Overwrites(int) bool                       { return true }
func (scale) Name() string                              { return "scale" }
func (scale) Infer(in []graph.Type) (graph.Type, error) { return in[0], floats(in...) }
func (o scale) Grad(_ []*Node, _, dout *Node) []*Node {
	if o.A == 1 {
		return []*Node{dout}
	}
	return []*Node{Scale(dout, o.A)}
}
func (o scale) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		scaleKernel(c, o, out.F64, in[0].F64)
	} else {
		scaleKernel(c, o, out.F32, in[0].F32)
	}
	return nil
}

func scaleKernel[T cpu.Float](c *graph.Ctx, o scale, y, x []T) {
	each(c, len(y), func(lo, hi int) {
		if o.B == 0 {
			cpu.Scale(y[lo:hi], T(o.A), x[lo:hi])
		} else {
			cpu.Affine(y[lo:hi], T(o.A), x[lo:hi], T(o.B))
		}
	})
}
