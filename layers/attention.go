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
	Count  Count
}

// Attention mixes tokens: qkv [B, N, 3W] holds queries, keys and values side by
// side, each of H heads of W/H; the result is [B, N, W]. Causal lets token i see
// tokens 0 to i alone. The weights are computed for some queries of one head at a
// time, and again by the gradient: no [N, N] matrix is kept.
func Attention(qkv *Node, heads int, causal bool) *Node {
	return graph.Apply(attention{Heads: heads, Causal: causal}, qkv)
}

// Count says that a token stands for so many, and counts so many times in the
// softmax of attention. The zero value says so of none.
type Count struct{ Token, Times int }

// ProportionalAttention is Attention, not causal, where a token counts several
// times, qkv [B, N, 3W] to [B, N, W]: the logarithm of how many is added to its
// logits (Bolya et al., arXiv 2210.09461, section 3).
func ProportionalAttention(qkv *Node, heads int, c Count) *Node {
	return graph.Apply(attention{Heads: heads, Count: c}, qkv)
}

func (c Count) check(tokens int) error {
	if c != (Count{}) && (c.Times < 1 || c.Token < 0 || c.Token >= tokens) {
		return fmt.Errorf("token %d of %d counts %d times, want at least once", c.Token, tokens, c.Times)
	}
	return nil
}

// bias is what is added to the token's logits.
func (c Count) bias() float64 { return math.Log(float64(max(c.Times, 1))) }

func (attention) Loops()       {}
func (attention) Name() string { return "attention" }
func (o attention) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 3 || o.Heads < 1 || s[2]%(3*o.Heads) != 0 {
		return graph.Type{}, fmt.Errorf("want [B, N, 3W] with W a multiple of %d heads", o.Heads)
	}
	if err := o.Count.check(s[1]); err != nil {
		return graph.Type{}, err
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

// queryBlock is how many queries an [N, N] matrix is computed for at a time: all,
// if there are few, else equal parts (of whole tiles of the products) that stay in
// the cache. Of causal attention a part sees no token after its last.
func queryBlock(n int, causal bool) int {
	most := 160
	switch {
	case causal:
		most = 32
	case n <= 256:
		return n
	}
	parts := (n + most - 1) / most
	return ((n+parts-1)/parts + 7) &^ 7
}

// block is a run of queries [from,to) and the number of tokens that they see.
type block struct{ from, to, seen int }

func (b block) rows() int { return b.to - b.from }

// blocks calls f for blocks of queries, the one that sees all tokens first.
func (h head[T]) blocks(causal bool, f func(b block)) {
	size := queryBlock(h.n, causal)
	for from := (h.n - 1) / size * size; from >= 0; from -= size {
		b := block{from, min(from+size, h.n), h.n}
		if causal {
			b.seen = b.to
		}
		f(b)
	}
}

// weights computes softmax(q kᵀ/sqrt(d)) of a block into s [rows, seen], with what
// a token that counts several times has more.
func (h head[T]) weights(p *cpu.Pool, s []T, b block, causal bool, c Count) {
	more := T(c.bias() * math.Sqrt(float64(h.d)))
	scale := T(1 / math.Sqrt(float64(h.d)))
	cpu.Gemm(p, cpu.GemmArgs[T]{TransB: true, M: b.rows(), N: b.seen, K: h.d, A: h.q[b.from*h.ld:], LDA: h.ld, B: h.k, LDB: h.ld, C: s, LDC: b.seen})
	for i := range b.rows() {
		row, seen := s[i*b.seen:(i+1)*b.seen], b.seen
		if causal {
			seen = b.from + i + 1
			clear(row[seen:])
		}
		if c.Times > 1 {
			row[c.Token] += more
		}
		cpu.SoftmaxRow(row[:seen], row[:seen], scale)
	}
}

func attentionKernel[T cpu.Float](c *graph.Ctx, o attention, s graph.Shape, y, qkv []T) {
	n, w := s[1], s[2]
	if n == 0 {
		return
	}
	size := queryBlock(n, o.Causal) * n
	scratch := graph.Scratch[T](c, c.Threads()*size)
	c.ForWorker(s[0]*o.Heads, 1, func(worker, lo, hi int) {
		p, a := c.Alone(worker), scratch[worker*size:(worker+1)*size]
		for t := lo; t < hi; t++ {
			h := headOf(qkv, n, w, o.Heads, t)
			out := y[t/o.Heads*n*w+t%o.Heads*h.d:]
			h.blocks(o.Causal, func(b block) {
				h.weights(p, a, b, o.Causal, o.Count)
				cpu.Gemm(p, cpu.GemmArgs[T]{M: b.rows(), N: h.d, K: b.seen, A: a, LDA: b.seen, B: h.v, LDB: h.ld, C: out[b.from*w:], LDC: w})
			})
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
	if n == 0 {
		return
	}
	size := queryBlock(n, o.Causal) * n
	scratch := graph.Scratch[T](c, c.Threads()*2*size)
	c.ForWorker(s[0]*o.Heads, 1, func(worker, lo, hi int) {
		p, a, da := c.Alone(worker), scratch[2*worker*size:], scratch[(2*worker+1)*size:]
		for t := lo; t < hi; t++ {
			h, g := headOf(qkv, n, w, o.Heads, t), headOf(dqkv, n, w, o.Heads, t)
			dout := dy[t/o.Heads*n*w+t%o.Heads*h.d:]
			scale := T(1 / math.Sqrt(float64(h.d)))
			h.blocks(o.Causal, func(b block) {
				q, dq, dout, more := h.q[b.from*h.ld:], g.q[b.from*g.ld:], dout[b.from*w:], b.to < n
				h.weights(p, a, b, o.Causal, o.Count)
				cpu.Gemm(p, cpu.GemmArgs[T]{TransA: true, M: b.seen, N: h.d, K: b.rows(), A: a, LDA: b.seen, B: dout, LDB: w, C: g.v, LDC: g.ld, Accumulate: more})
				cpu.Gemm(p, cpu.GemmArgs[T]{TransB: true, M: b.rows(), N: b.seen, K: h.d, A: dout, LDA: w, B: h.v, LDB: h.ld, C: da, LDC: b.seen})
				for i := range b.rows() {
					row := da[i*b.seen : (i+1)*b.seen]
					cpu.SoftmaxGradRow(row, a[i*b.seen:(i+1)*b.seen], row)
				}
				cpu.Gemm(p, cpu.GemmArgs[T]{Alpha: scale, M: b.rows(), N: h.d, K: b.seen, A: da, LDA: b.seen, B: h.k, LDB: h.ld, C: dq, LDC: g.ld})
				cpu.Gemm(p, cpu.GemmArgs[T]{Alpha: scale, TransA: true, M: b.seen, N: h.d, K: b.rows(), A: da, LDA: b.seen, B: q, LDB: h.ld, C: g.k, LDC: g.ld, Accumulate: more})
			})
		}
	})
}
