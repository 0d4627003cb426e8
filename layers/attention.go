package layers

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// attention is scaled dot-product attention over packed queries, keys and
// values (Vaswani et al., arXiv 1706.03762, section 3.2).
type attention struct {
	Heads  int
	Causal bool
}

// Attention mixes tokens: qkv [B, N, 3W] holds queries, keys and values side by
// side, each of H heads of W/H; the result is [B, N, W]. Causal lets token i see
// tokens 0 to i alone. No [N, N] matrix outlives the head that needs it: the
// gradient computes the weights again.
func Attention(qkv *Node, heads int, causal bool) *Node {
	return graph.Apply(attention{heads, causal}, qkv)
}

func (attention) Loops()       {}
func (attention) Name() string { return "attention" }
func (o attention) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 3 || o.Heads < 1 || s[2]%(3*o.Heads) != 0 {
		return graph.Type{}, fmt.Errorf("want [B, N, 3W] with W a multiple of %d heads", o.Heads)
	}
	return graph.Type{Shape: graph.Shape{s[0], s[1], s[2] / 3}, Dtype: in[0].Dtype}, floats(in...)
}
func (o attention) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(attentionGrad{Of: o}, in[0], dy)}
}
func (o attention) FLOPs(in []graph.Type, out graph.Type) int64 {
	n := int64(out.Shape[1])
	return 4 * int64(count(out.Shape)) * n
}

func (o attention) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		attentionKernel(c, o, out.Shape, out.F64, in[0].F64)
	} else {
		attentionKernel(c, o, out.Shape, out.F32, in[0].F32)
	}
	return nil
}

// head is where one head of one image lies in packed qkv [B, N, 3W].
type head[T cpu.Float] struct {
	q, k, v []T
	ld      int // from token to token
	n, d    int // tokens, width of the head
}

func headOf[T cpu.Float](qkv []T, n, w, heads, task int) head[T] {
	b, h, d := task/heads, task%heads, w/heads
	at := qkv[b*n*3*w+h*d:]
	return head[T]{q: at, k: at[w:], v: at[2*w:], ld: 3 * w, n: n, d: d}
}

// weights computes softmax(q kᵀ/sqrt(d)) into s [N, N].
func (h head[T]) weights(p *cpu.Pool, s []T, causal bool) {
	scale := T(1 / math.Sqrt(float64(h.d)))
	cpu.Gemm(p, cpu.GemmArgs[T]{TransB: true, M: h.n, N: h.n, K: h.d, A: h.q, LDA: h.ld, B: h.k, LDB: h.ld, C: s, LDC: h.n})
	for i := 0; i < h.n; i++ {
		row, seen := s[i*h.n:i*h.n+h.n], h.n
		if causal {
			seen = i + 1
			clear(row[seen:])
		}
		cpu.SoftmaxRow(row[:seen], row[:seen], scale)
	}
}

func attentionKernel[T cpu.Float](c *graph.Ctx, o attention, s graph.Shape, y, qkv []T) {
	n, w := s[1], s[2]
	scratch := graph.Scratch[T](c, c.Threads()*n*n)
	c.ForWorker(s[0]*o.Heads, 1, func(worker, lo, hi int) {
		p, a := c.Alone(worker), scratch[worker*n*n:(worker+1)*n*n]
		for t := lo; t < hi; t++ {
			h := headOf(qkv, n, w, o.Heads, t)
			h.weights(p, a, o.Causal)
			out := y[t/o.Heads*n*w+t%o.Heads*h.d:]
			cpu.Gemm(p, cpu.GemmArgs[T]{M: n, N: h.d, K: n, A: a, LDA: n, B: h.v, LDB: h.ld, C: out, LDC: w})
		}
	})
}

// attentionGrad is the gradient with respect to packed qkv.
type attentionGrad struct {
	graph.NoGrad
	Of attention
}

func (attentionGrad) Loops()                                    {}
func (attentionGrad) Name() string                              { return "attention gradient" }
func (attentionGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o attentionGrad) FLOPs(in []graph.Type, _ graph.Type) int64 {
	return 10 * int64(count(in[1].Shape)) * int64(in[1].Shape[1])
}
func (o attentionGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		attentionGradKernel(c, o.Of, in[1].Shape, out.F64, in[0].F64, in[1].F64)
	} else {
		attentionGradKernel(c, o.Of, in[1].Shape, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func attentionGradKernel[T cpu.Float](c *graph.Ctx, o attention, s graph.Shape, dqkv, qkv, dy []T) {
	n, w := s[1], s[2]
	scratch := graph.Scratch[T](c, c.Threads()*2*n*n)
	c.ForWorker(s[0]*o.Heads, 1, func(worker, lo, hi int) {
		p, a := c.Alone(worker), scratch[worker*2*n*n:worker*2*n*n+n*n]
		da := scratch[worker*2*n*n+n*n : (worker+1)*2*n*n]
		for t := lo; t < hi; t++ {
			h, g := headOf(qkv, n, w, o.Heads, t), headOf(dqkv, n, w, o.Heads, t)
			dout := dy[t/o.Heads*n*w+t%o.Heads*h.d:]
			h.weights(p, a, o.Causal)
			cpu.Gemm(p, cpu.GemmArgs[T]{TransA: true, M: n, N: h.d, K: n, A: a, LDA: n, B: dout, LDB: w, C: g.v, LDC: g.ld})
			cpu.Gemm(p, cpu.GemmArgs[T]{TransB: true, M: n, N: n, K: h.d, A: dout, LDA: w, B: h.v, LDB: h.ld, C: da, LDC: n})
			for i := 0; i < n; i++ {
				cpu.SoftmaxGradRow(da[i*n:i*n+n], a[i*n:i*n+n], da[i*n:i*n+n])
			}
			scale := T(1 / math.Sqrt(float64(h.d)))
			cpu.Scale(da, scale, da)
			cpu.Gemm(p, cpu.GemmArgs[T]{M: n, N: h.d, K: n, A: da, LDA: n, B: h.k, LDB: h.ld, C: g.q, LDC: g.ld})
			cpu.Gemm(p, cpu.GemmArgs[T]{TransA: true, M: n, N: h.d, K: n, A: da, LDA: n, B: h.q, LDB: h.ld, C: g.k, LDC: g.ld})
		}
	})
}
