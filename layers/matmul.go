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
		return graph.Type{}, fmt.Errorf("inner sizes are %d and %d, want equal ones (transposed: %v, %v)", k, k2, o.TransA, o.TransB)
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
		matmulKernel[float64](c, o, out, in[0], in[1])
	} else {
		matmulKernel[float32](c, o, out, in[0], in[1])
	}
	return nil
}

func matmulKernel[T cpu.Float](c *graph.Ctx, o matmul, out, a, b graph.Tensor) {
	m, k, n, _ := o.dims(a.Shape, b.Shape)
	g := cpu.GemmArgs[T]{
		TransA: o.TransA, TransB: o.TransB, M: m, N: n, K: k,
		A: graph.Data[T](a), LDA: last(a.Shape), StrideA: m * k,
		B: graph.Data[T](b), LDB: last(b.Shape), StrideB: k * n,
		C: graph.Data[T](out), LDC: n, StrideC: m * n,
		Batch: count(a.Shape[:len(a.Shape)-2]),
	}
	if len(b.Shape) == 2 {
		g.StrideB = 0 // one product, whose B may be a weight
		g.Packed = c.Packed(b, m, k, n, o.TransB)
	}
	cpu.Gemm(c.Pool, g)
}

// linear is x Wᵀ + bias, with W stored [out, in] as checkpoints do. Fused into
// it may be a residual, which is the last operand, and then QuickGELU.
type linear struct{ Bias, Residual, QuickGELU bool }

// Linear maps the last axis: x [..., in], w [out, in] and bias [out], which may
// be nil, give [..., out].
func Linear(x, w, bias *Node) *Node {
	if bias == nil {
		return graph.Apply(linear{}, x, w)
	}
	return graph.Apply(linear{Bias: true}, x, w, bias)
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

// Fuse takes in an addition and QuickGELU.
func (o linear) Fuse(reader graph.Op, _ int, in []graph.Type) graph.Op {
	switch r := reader.(type) {
	case graph.Adder:
		if !r.Adds() || o.Residual || o.QuickGELU || !isShape(in[0].Shape, in[1].Shape...) {
			return nil
		}
		o.Residual = true
	case quickGELU:
		if o.QuickGELU {
			return nil
		}
		o.QuickGELU = true
	default:
		return nil
	}
	return o
}

func (o linear) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		linearKernel[float64](c, o, out, in)
	} else {
		linearKernel[float32](c, o, out, in)
	}
	return nil
}

func linearKernel[T cpu.Float](c *graph.Ctx, o linear, out graph.Tensor, in []graph.Tensor) {
	w := in[1]
	n, k := w.Shape[0], w.Shape[1]
	a := cpu.GemmArgs[T]{
		TransB: true, M: out.Len() / max(n, 1), N: n, K: k, QuickGELU: o.QuickGELU,
		A: graph.Data[T](in[0]), LDA: k, B: graph.Data[T](w), LDB: k, C: graph.Data[T](out), LDC: n,
	}
	if o.Bias {
		a.Bias = graph.Data[T](in[2])
	}
	if o.Residual {
		a.Residual = graph.Data[T](in[len(in)-1])
	}
	a.Packed = c.Packed(w, a.M, k, n, true)
	cpu.Gemm(c.Pool, a)
}
