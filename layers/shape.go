package layers

import (
	"fmt"
	"slices"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// Reshape gives x another shape with as many elements. One size may be -1.
func Reshape(x *Node, shape ...int) *Node {
	n, free := 1, -1
	shape = slices.Clone(shape)
	for i, d := range shape {
		if d < -1 || d == -1 && free >= 0 {
			graph.Refusef("reshape", []*Node{x}, "found the shape %v, want sizes and at most one -1", shape)
		}
		if d == -1 {
			free = i
		} else {
			n *= d
		}
	}
	if free >= 0 && n == 0 {
		graph.Refusef("reshape", []*Node{x}, "any size fits the -1 of %v", shape)
	}
	if free >= 0 {
		shape[free] = count(ShapeOf(x)) / n
	}
	if slices.Equal(ShapeOf(x), shape) {
		return x
	}
	return graph.Apply(view{encode(shape)}, x)
}

// StopGradient is x, of any shape, through which no gradient passes.
func StopGradient(x *Node) *Node { return graph.Apply(stop{}, x) }

// view implements Reshape. Its shape is kept as text so that ops stay
// comparable values.
type view struct{ To string }

func encode(s []int) string { return fmt.Sprint(s) }

func decode(s string) graph.Shape {
	var out graph.Shape
	n, in := 0, false
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n, in = n*10+int(r-'0'), true
		} else if in {
			out, n, in = append(out, n), 0, false
		}
	}
	return out
}

func (view) View()        {}
func (view) Name() string { return "reshape" }
func (o view) Infer(in []graph.Type) (graph.Type, error) {
	to := decode(o.To)
	if count(to) != count(in[0].Shape) {
		return graph.Type{}, fmt.Errorf("%d elements do not fill %v", count(in[0].Shape), []int(to))
	}
	return graph.Type{Shape: to, Dtype: in[0].Dtype}, nil
}
func (view) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{Reshape(dout, ShapeOf(in[0])...)}
}
func (view) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error { return copyAll(out, in[0]) }

type stop struct{ graph.NoGrad }

func (stop) View()                                                       {}
func (stop) Name() string                                                { return "stop gradient" }
func (stop) Infer(in []graph.Type) (graph.Type, error)                   { return in[0], nil }
func (stop) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error { return copyAll(out, in[0]) }

// copyAll serves Gorgonia's own machines, which know no views.
func copyAll(out, in graph.Tensor) error {
	copy(out.F32, in.F32)
	copy(out.F64, in.F64)
	copy(out.Int, in.Int)
	return nil
}

// transpose permutes axes.
type transpose struct{ Perm string }

// Transpose permutes the axes: axis i of the result is axis perm[i] of x.
func Transpose(x *Node, perm ...int) *Node {
	sorted := slices.Clone(perm)
	slices.Sort(sorted)
	for i := range max(len(perm), len(ShapeOf(x))) {
		if len(perm) != len(ShapeOf(x)) || sorted[i] != i {
			graph.Refusef("transpose", []*Node{x}, "found %v, want an order of its %d axes", perm, len(ShapeOf(x)))
		}
	}
	return graph.Apply(transpose{encode(perm)}, x)
}

func (transpose) Loops()         {}
func (o transpose) Name() string { return "transpose" }
func (o transpose) Infer(in []graph.Type) (graph.Type, error) {
	perm := decode(o.Perm)
	s := make(graph.Shape, len(perm))
	for i, p := range perm {
		s[i] = in[0].Shape[p]
	}
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}
func (o transpose) Grad(_ []*Node, _, dout *Node) []*Node {
	perm := decode(o.Perm)
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	return []*Node{Transpose(dout, inverse...)}
}
func (o transpose) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	perm := decode(o.Perm)
	if out.Dtype == graph.Float64 {
		transposeKernel(c, perm, in[0].Shape, out.Shape, out.F64, in[0].F64)
	} else {
		transposeKernel(c, perm, in[0].Shape, out.Shape, out.F32, in[0].F32)
	}
	return nil
}

func transposeKernel[T cpu.Float](c *graph.Ctx, perm []int, from, to graph.Shape, y, x []T) {
	if len(y) == 0 {
		return
	}
	st := make([]int, len(from)) // strides of x, then in the order of y's axes
	n := 1
	for i := len(from) - 1; i >= 0; i-- {
		st[i] = n
		n *= from[i]
	}
	by := make([]int, len(perm))
	for i, p := range perm {
		by[i] = st[p]
	}
	w, sw := last(to), by[len(by)-1]
	rows(c, len(y), w, func(r, lo, hi int) {
		off := offset(r, to, by)
		if sw == 1 {
			copy(y[lo:hi], x[off:off+w])
			return
		}
		for i := range y[lo:hi] {
			y[lo+i] = x[off+i*sw]
		}
	})
}

// broadcast repeats axes of size 1.
type broadcast struct{ To string }

// Broadcast repeats x along its axes of size 1, and along new leading axes, to
// the given shape.
func Broadcast(x *Node, shape ...int) *Node {
	if slices.Equal(ShapeOf(x), shape) {
		return x
	}
	return graph.Apply(broadcast{encode(shape)}, x)
}

func (broadcast) Loops()       {}
func (broadcast) Name() string { return "broadcast" }
func (o broadcast) Infer(in []graph.Type) (graph.Type, error) {
	to := decode(o.To)
	t, err := binary{'+'}.Infer([]graph.Type{in[0], {Shape: to, Dtype: in[0].Dtype}})
	if err == nil && !slices.Equal(t.Shape, to) {
		err = fmt.Errorf("cannot be repeated to %v", []int(to))
	}
	return graph.Type{Shape: to, Dtype: in[0].Dtype}, err
}
func (broadcast) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{SumTo(dout, ShapeOf(in[0]))}
}
func (o broadcast) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		broadcastKernel(c, in[0].Shape, out.Shape, out.F64, in[0].F64)
	} else {
		broadcastKernel(c, in[0].Shape, out.Shape, out.F32, in[0].F32)
	}
	return nil
}

func broadcastKernel[T cpu.Float](c *graph.Ctx, from, to graph.Shape, y, x []T) {
	st := strides(from, to)
	sw := last(st)
	rows(c, len(y), last(to), func(r, lo, hi int) {
		off := offset(r, to, st)
		if sw == 1 {
			copy(y[lo:hi], x[off:])
			return
		}
		for i := range y[lo:hi] {
			y[lo+i] = x[off]
		}
	})
}
