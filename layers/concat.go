package layers

import (
	"fmt"
	"slices"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// concat joins values along an axis.
type concat struct{ Axis int }

// Concat joins values, alike in all other axes, along one.
func Concat(axis int, xs ...*Node) *Node {
	if len(xs) == 1 {
		return xs[0]
	}
	return graph.Apply(concat{axisOf("concat", xs[0], axis)}, xs...)
}

func (concat) Loops()       {}
func (concat) Name() string { return "concat" }
func (o concat) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape.Clone()
	for _, t := range in[1:] {
		if len(t.Shape) != len(s) {
			return graph.Type{}, fmt.Errorf("want as many axes in each")
		}
		for i := range s {
			if i == o.Axis {
				s[i] += t.Shape[i]
			} else if t.Shape[i] != s[i] {
				return graph.Type{}, fmt.Errorf("axis %d is %d and %d, only axis %d may differ", i, s[i], t.Shape[i], o.Axis)
			}
		}
	}
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}
func (o concat) Grad(in []*Node, _, dout *Node) []*Node {
	grads, at := make([]*Node, len(in)), 0
	for i, x := range in {
		n := ShapeOf(x)[o.Axis]
		grads[i] = Slice(dout, o.Axis, at, at+n)
		at += n
	}
	return grads
}
func (o concat) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	at := 0
	for _, x := range in {
		outer, n, inner := split(x.Shape, o.Axis)
		w := out.Shape[o.Axis]
		if out.Dtype == graph.Float64 {
			copyBlocks(c, outer, n*inner, out.F64[at*inner:], w*inner, x.F64, n*inner)
		} else {
			copyBlocks(c, outer, n*inner, out.F32[at*inner:], w*inner, x.F32, n*inner)
		}
		at += n
	}
	return nil
}

// copyBlocks copies `outer` blocks of n elements between two strides.
func copyBlocks[T cpu.Float](c *graph.Ctx, outer, n int, dst []T, ld int, src []T, ls int) {
	c.For(outer, rowGrain(n), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			copy(dst[r*ld:r*ld+n], src[r*ls:r*ls+n])
		}
	})
}

// slice cuts a range out of an axis.
type slice struct{ Axis, Lo, Hi int }

// Slice is x[..., lo:hi, ...] along an axis, which stays, also at length 1.
func Slice(x *Node, axis, lo, hi int) *Node {
	axis = axisOf("slice", x, axis)
	if lo == 0 && hi == ShapeOf(x)[axis] {
		return x
	}
	return graph.Apply(slice{axis, lo, hi}, x)
}

func (slice) Loops()       {}
func (slice) Name() string { return "slice" }
func (o slice) Infer(in []graph.Type) (graph.Type, error) {
	s := slices.Clone(in[0].Shape)
	if o.Lo < 0 || o.Hi > s[o.Axis] || o.Lo >= o.Hi {
		return graph.Type{}, fmt.Errorf("range [%d,%d) of axis %d, want a part of its %d", o.Lo, o.Hi, o.Axis, s[o.Axis])
	}
	s[o.Axis] = o.Hi - o.Lo
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}
func (o slice) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{graph.Apply(pad{Axis: o.Axis, Lo: o.Lo, Size: ShapeOf(in[0])[o.Axis]}, dout)}
}
func (o slice) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	outer, w, inner := split(in[0].Shape, o.Axis)
	n := (o.Hi - o.Lo) * inner
	if out.Dtype == graph.Float64 {
		copyBlocks(c, outer, n, out.F64, n, in[0].F64[o.Lo*inner:], w*inner)
	} else {
		copyBlocks(c, outer, n, out.F32, n, in[0].F32[o.Lo*inner:], w*inner)
	}
	return nil
}

// pad puts a value into zeros: the gradient of slice.
type pad struct{ Axis, Lo, Size int }

func (pad) Loops()       {}
func (pad) Name() string { return "pad" }
func (o pad) Infer(in []graph.Type) (graph.Type, error) {
	s := slices.Clone(in[0].Shape)
	s[o.Axis] = o.Size
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, nil
}
func (o pad) Grad(in []*Node, _, dout *Node) []*Node {
	return []*Node{Slice(dout, o.Axis, o.Lo, o.Lo+ShapeOf(in[0])[o.Axis])}
}
func (o pad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	outer, n, inner := split(in[0].Shape, o.Axis)
	if out.Dtype == graph.Float64 {
		padKernel(c, outer, n*inner, out.F64, o.Lo*inner, o.Size*inner, in[0].F64)
	} else {
		padKernel(c, outer, n*inner, out.F32, o.Lo*inner, o.Size*inner, in[0].F32)
	}
	return nil
}

// padKernel copies blocks of n elements to place `at` of blocks of ld, zero but there.
func padKernel[T cpu.Float](c *graph.Ctx, outer, n int, dst []T, at, ld int, src []T) {
	c.For(outer, rowGrain(ld), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			to := dst[r*ld : (r+1)*ld]
			clear(to[:at])
			copy(to[at:], src[r*n:(r+1)*n])
			clear(to[at+n:])
		}
	})
}
