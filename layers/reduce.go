package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// reduce sums, averages or takes the greatest along one axis, which is dropped.
type reduce struct {
	Fn   string
	Axis int
}

// Sum adds along an axis and drops it. A negative axis counts from the end.
func Sum(x *Node, axis int) *Node { return graph.Apply(reduce{"sum", axisOf("sum", x, axis)}, x) }

// Mean averages along an axis and drops it.
func Mean(x *Node, axis int) *Node {
	axis = axisOf("mean", x, axis)
	return Scale(Sum(x, axis), 1/float64(ShapeOf(x)[axis]))
}

// Max takes the greatest along an axis and drops it. The gradient goes to the
// first of equals.
func Max(x *Node, axis int) *Node { return graph.Apply(reduce{"max", axisOf("max", x, axis)}, x) }

// SumAll adds all elements to a scalar.
func SumAll(x *Node) *Node {
	if len(ShapeOf(x)) == 0 {
		return x
	}
	return Sum(Reshape(x, count(ShapeOf(x))), 0)
}

// MeanAll averages all elements to a scalar.
func MeanAll(x *Node) *Node { return Scale(SumAll(x), 1/float64(count(ShapeOf(x)))) }

func axisOf(op string, x *Node, axis int) int {
	n := len(ShapeOf(x))
	if axis < 0 {
		axis += n
	}
	if axis < 0 || axis >= n {
		graph.Refusef(op, []*Node{x}, "found axis %d, the operand has %d axes", axis, n)
	}
	return axis
}

func (reduce) Loops()         {}
func (o reduce) Name() string { return o.Fn }
func (o reduce) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if o.Fn == "max" && s[o.Axis] == 0 {
		return graph.Type{}, fmt.Errorf("axis %d is empty", o.Axis)
	}
	out := append(s[:o.Axis:o.Axis], s[o.Axis+1:]...)
	return graph.Type{Shape: out, Dtype: in[0].Dtype}, floats(in...)
}
func (o reduce) Grad(in []*Node, out, dout *Node) []*Node {
	s := ShapeOf(in[0])
	if o.Fn == "max" {
		return []*Node{graph.Apply(maxGrad{Axis: o.Axis}, in[0], dout)}
	}
	one := s.Clone()
	one[o.Axis] = 1
	return []*Node{Broadcast(Reshape(dout, one...), s...)}
}
func (o reduce) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		reduceKernel(c, o, in[0].Shape, out.F64, in[0].F64)
	} else {
		reduceKernel(c, o, in[0].Shape, out.F32, in[0].F32)
	}
	return nil
}

func reduceKernel[T cpu.Float](c *graph.Ctx, o reduce, s graph.Shape, y, x []T) {
	outer, n, inner := split(s, o.Axis)
	if n == 0 {
		clear(y)
		return
	}
	if inner == 1 {
		c.For(outer, rowGrain(n), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				if row := x[r*n : r*n+n]; o.Fn == "sum" {
					y[r] = cpu.Sum(row)
				} else {
					y[r] = cpu.Max(row)
				}
			}
		})
		return
	}
	// Blocks of rows are reduced side by side and then joined in their order: the
	// blocks depend on the shape alone, and so does the result.
	block := max(1, rowGrain(inner))
	blocks := (n + block - 1) / block
	if blocks == 1 {
		c.For(outer, 1, func(lo, hi int) {
			for r := lo; r < hi; r++ {
				columns(o, y[r*inner:(r+1)*inner], x[r*n*inner:(r+1)*n*inner])
			}
		})
		return
	}
	part := graph.Scratch[T](c, outer*blocks*inner)
	c.For(outer*blocks, 1, func(lo, hi int) {
		for t := lo; t < hi; t++ {
			r, from, to := t/blocks, t%blocks*block, min(t%blocks*block+block, n)
			columns(o, part[t*inner:(t+1)*inner], x[(r*n+from)*inner:(r*n+to)*inner])
		}
	})
	c.For(outer, 1, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			columns(o, y[r*inner:(r+1)*inner], part[r*blocks*inner:(r+1)*blocks*inner])
		}
	})
}

// columns reduces rows of len(y) elements to one.
func columns[T cpu.Float](o reduce, y, x []T) {
	copy(y, x)
	for at := len(y); at < len(x); at += len(y) {
		row := x[at : at+len(y)]
		if o.Fn == "sum" {
			cpu.Add(y, y, row)
			continue
		}
		for i, v := range row {
			y[i] = max(y[i], v)
		}
	}
}

// maxGrad sends the gradient of a maximum to the first element that attains it.
type maxGrad struct {
	graph.NoGrad
	Axis int
}

func (maxGrad) Loops()                                    {}
func (maxGrad) Name() string                              { return "max gradient" }
func (maxGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o maxGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		maxGradKernel(c, o.Axis, out.Shape, out.F64, in[0].F64, in[1].F64)
	} else {
		maxGradKernel(c, o.Axis, out.Shape, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func maxGradKernel[T cpu.Float](c *graph.Ctx, axis int, s graph.Shape, dx, x, dy []T) {
	outer, n, inner := split(s, axis)
	c.For(outer, rowGrain(n*inner), func(lo, hi int) {
		clear(dx[lo*n*inner : hi*n*inner])
		for r := lo; r < hi; r++ {
			for j := 0; j < inner; j++ {
				base, best := r*n*inner+j, 0
				for a := 1; a < n; a++ {
					if x[base+a*inner] > x[base+best*inner] {
						best = a
					}
				}
				dx[base+best*inner] = dy[r*inner+j]
			}
		}
	})
}

// SumTo undoes a broadcast: it sums x over the axes in which shape repeats.
func SumTo(x *Node, shape graph.Shape) *Node {
	s := ShapeOf(x)
	if isShape(s, shape...) {
		return x
	}
	to := graph.Type{Shape: shape, Dtype: graph.TypeOf(x).Dtype}
	if t, err := (binary{'+'}).Infer([]graph.Type{graph.TypeOf(x), to}); err != nil || !isShape(t.Shape, s...) {
		graph.Refusef("sum to", []*Node{x}, "%v is no broadcast of %v", []int(s), []int(shape))
	}
	for len(s) > len(shape) {
		x = Sum(x, 0)
		s = ShapeOf(x)
	}
	for i := range shape {
		if shape[i] == 1 && s[i] != 1 {
			x = Sum(x, i)
			one := s.Clone()
			one[i] = 1
			x = Reshape(x, one...)
			s = ShapeOf(x)
		}
	}
	return x
}
