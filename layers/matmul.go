package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// matmul multiplies the last two axes; leading axes are a batch.
type matmul struct{ TransA, TransB bool }

// MatMul is op(a) op(b) over the last two axes: [..., M, K] and [..., K, N]
// give [..., M, N], with equal leading axes. transA and transB say that an
// operand is stored with its last two axes swapped.
func MatMul(a, b *Node, transA, transB bool) *Node {
	return graph.Apply(matmul{transA, transB}, a, b)
}

func (matmul) Name() string { return "matmul" }

func (o matmul) dims(a, b graph.Shape) (m, k, n, k2 int) {
	m, k = a[len(a)-2], a[len(a)-1]
	if o.TransA {
		m, k = k, m
	}
	k2, n = b[len(b)-2], b[len(b)-1]
	if o.TransB {
		k2, n = n, k2
	}
	return
}

func (o matmul) Infer(in []graph.Type) (graph.Type, error) {
	a, b := in[0].Shape, in[1].Shape
	if len(a) < 2 || len(a) != len(b) || !isShape(a[:len(a)-2], b[:len(b)-2]...) {
		return graph.Type{}, fmt.Errorf("want two or more axes and equal leading ones")
	}
	m, k, n, k2 := o.dims(a, b)
	if k != k2 {
		return graph.Type{}, fmt.Errorf("inner sizes are %d and %d (transposed: %v, %v)", k, k2, o.TransA, o.TransB)
	}
	s := a.Clone()
	s[len(s)-2], s[len(s)-1] = m, n
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}

func (o matmul) Grad(in []*Node, _, dy *Node) []*Node {
	a, b := in[0], in[1]
	var da, db *Node
	if o.TransA {
		da = MatMul(b, dy, o.TransB, true)
	} else {
		da = MatMul(dy, b, false, !o.TransB)
	}
	if o.TransB {
		db = MatMul(dy, a, true, o.TransA)
	} else {
		db = MatMul(a, dy, !o.TransA, false)
	}
	return []*Node{da, db}
}

func (o matmul) FLOPs(in []graph.Type, out graph.Type) int64 {
	_, k, _, _ := o.dims(in[0].Shape, in[1].Shape)
	return 2 * int64(count(out.Shape)) * int64(k)
}

func (o matmul) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		matmulKernel(c, o, in[0].Shape, in[1].Shape, out.F64, in[0].F64, in[1].F64)
	} else {
		matmulKernel(c, o, in[0].Shape, in[1].Shape, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func matmulKernel[T cpu.Float](c *graph.Ctx, o matmul, as, bs graph.Shape, y, a, b []T) {
	m, k, n, _ := o.dims(as, bs)
	cpu.Gemm(c.Pool, cpu.GemmArgs[T]{
		TransA: o.TransA, TransB: o.TransB, M: m, N: n, K: k,
		A: a, LDA: last(as), StrideA: m * k,
		B: b, LDB: last(bs), StrideB: k * n,
		C: y, LDC: n, StrideC: m * n,
		Batch: count(as[:len(as)-2]),
	})
}

// linear is x Wᵀ + bias, with W stored [out, in] as checkpoints do.
type linear struct{ Bias bool }

// Linear maps the last axis: x [..., in], w [out, in] and bias [out], which may
// be nil, give [..., out].
func Linear(x, w, bias *Node) *Node {
	if bias == nil {
		return graph.Apply(linear{false}, x, w)
	}
	return graph.Apply(linear{true}, x, w, bias)
}

func (linear) Name() string { return "linear" }
func (o linear) Infer(in []graph.Type) (graph.Type, error) {
	x, w := in[0].Shape, in[1].Shape
	if len(x) < 1 || len(w) != 2 || last(x) != w[1] {
		return graph.Type{}, fmt.Errorf("want [..., in] and a weight [out, in]")
	}
	if o.Bias && !isShape(in[2].Shape, w[0]) {
		return graph.Type{}, fmt.Errorf("want a bias of %d", w[0])
	}
	s := x.Clone()
	s[len(s)-1] = w[0]
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}
func (o linear) Grad(in []*Node, _, dy *Node) []*Node {
	x, w := in[0], in[1]
	g := []*Node{
		Reshape(MatMul(flat(dy), w, false, false), ShapeOf(x)...),
		MatMul(flat(dy), flat(x), true, false),
	}
	if o.Bias {
		g = append(g, Sum(flat(dy), 0))
	}
	return g
}

// flat joins all axes but the last.
func flat(x *Node) *Node {
	n := last(ShapeOf(x))
	return Reshape(x, count(ShapeOf(x))/max(n, 1), n)
}

func (o linear) FLOPs(in []graph.Type, out graph.Type) int64 {
	return 2 * int64(count(out.Shape)) * int64(in[1].Shape[1])
}
func (o linear) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	w := in[1].Shape
	if out.Dtype == graph.Float64 {
		var bias []float64
		if o.Bias {
			bias = in[2].F64
		}
		linearKernel(c, w[0], w[1], out.F64, in[0].F64, in[1].F64, bias)
		return nil
	}
	var bias []float32
	if o.Bias {
		bias = in[2].F32
	}
	linearKernel(c, w[0], w[1], out.F32, in[0].F32, in[1].F32, bias)
	return nil
}

func linearKernel[T cpu.Float](c *graph.Ctx, n, k int, y, x, w, bias []T) {
	cpu.Gemm(c.Pool, cpu.GemmArgs[T]{
		TransB: true, M: len(y) / n, N: n, K: k,
		A: x, LDA: k, B: w, LDB: k, C: y, LDC: n, Bias: bias,
	})
}
