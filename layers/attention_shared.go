package layers

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// sharedAttention is causal attention over texts that begin alike. Lengths is
// kept as text so that ops stay comparable values.
type sharedAttention struct {
	Heads, Prefix int
	Lengths       string
}

// SharedAttention is the causal Attention of texts that have their first tokens
// in common, each computed once: qkv [..., P+R, 3W] holds the packed queries, keys
// and values of the P tokens of the prefix and then those of each text's own
// tokens, text after text, lengths of them, R in all. A token sees the prefix up
// to itself, or all of it, and its own text up to itself. The result is
// [..., P+R, W]. The prefix has the gradients of all texts.
func SharedAttention(qkv *Node, heads, prefix int, lengths []int) *Node {
	return graph.Apply(sharedAttention{heads, prefix, encode(lengths)}, qkv)
}

func (sharedAttention) Loops()       {}
func (sharedAttention) Name() string { return "shared attention" }
func (o sharedAttention) Infer(in []graph.Type) (graph.Type, error) {
	s, rows := in[0].Shape, o.Prefix
	for _, n := range decode(o.Lengths) {
		if n < 1 {
			return graph.Type{}, fmt.Errorf("want texts of at least one token after the prefix, not %s", o.Lengths)
		}
		rows += n
	}
	if len(s) < 2 || o.Prefix < 1 || s[len(s)-2] != rows || o.Heads < 1 || last(s)%(3*o.Heads) != 0 {
		return graph.Type{}, fmt.Errorf("want [..., %d, 3W] with a prefix of at least one token and W a multiple of %d heads", rows, o.Heads)
	}
	s = s.Clone()
	s[len(s)-1] /= 3
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in...)
}
func (o sharedAttention) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(sharedAttentionGrad{Of: o}, in[0], dy)}
}

// pairs is how many pairs of a query and a key there are.
func (o sharedAttention) pairs() int64 {
	n := o.Prefix * o.Prefix
	for _, l := range decode(o.Lengths) {
		n += l * (o.Prefix + l)
	}
	return int64(n)
}
func (o sharedAttention) FLOPs(_ []graph.Type, out graph.Type) int64 {
	return 4 * int64(last(out.Shape)*batches(out.Shape)) * o.pairs()
}

// batches is how many sets of texts a value [..., P+R, W] holds.
func batches(s graph.Shape) int { return count(s[:len(s)-2]) }

func (o sharedAttention) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		sharedAttentionKernel(c, o, out.Shape, out.F64, in[0].F64)
	} else {
		sharedAttentionKernel(c, o, out.Shape, out.F32, in[0].F32)
	}
	return nil
}

// textGroup is a run of whole texts, which one product takes at a time: the
// pairs of different texts are computed too, and masked, which for few short
// texts costs less than a product each.
type textGroup struct {
	row  int   // the first
	ends []int // of the texts, in rows after it
}

// groupRows is about how many rows a group has: a panel of a product.
const groupRows = 48

func (g textGroup) rows() int { return g.ends[len(g.ends)-1] }

// groups are the prefix, alone, and then the texts. most is the rows of the largest.
func (o sharedAttention) groups() (gs []textGroup, most int) {
	gs = []textGroup{{0, []int{o.Prefix}}}
	most, row := o.Prefix, o.Prefix
	for i, n := range decode(o.Lengths) {
		g := &gs[len(gs)-1]
		if i == 0 || g.rows()+n > groupRows {
			gs = append(gs, textGroup{row, []int{n}})
			g = &gs[len(gs)-1]
		} else {
			g.ends = append(g.ends, g.rows()+n)
		}
		most, row = max(most, g.rows()), row+n
	}
	return gs, most
}

// sharedHead is one head of a group of texts.
type sharedHead[T cpu.Float] struct {
	head[T]
	prefix head[T]
	p      int // tokens of the prefix; 0 for the prefix itself
	ends   []int
	width  int // of a row of the weights: p + n
}

func sharedHeadOf[T cpu.Float](qkv []T, o sharedAttention, w int, g textGroup, h int) sharedHead[T] {
	d := w / o.Heads
	at := func(row, n int) head[T] {
		x := qkv[row*3*w+h*d:]
		return head[T]{q: x, k: x[w:], v: x[2*w:], ld: 3 * w, n: n, d: d}
	}
	x := sharedHead[T]{head: at(g.row, g.rows()), prefix: at(0, o.Prefix), ends: g.ends}
	if g.row > 0 {
		x.p = o.Prefix
	}
	x.width = x.p + x.n
	return x
}

// weights computes the softmax of what each row sees, the prefix and its own
// text, into s [n, p+n].
func (h sharedHead[T]) weights(pool *cpu.Pool, s []T) {
	h.outer(pool, h.q, h.ld, h.prefix.k, h.k, s)
	scale, none := T(1/math.Sqrt(float64(h.d))), T(math.Inf(-1))
	begin := 0
	for _, end := range h.ends {
		for i := begin; i < end; i++ {
			row := s[i*h.width : (i+1)*h.width]
			for j := range begin {
				row[h.p+j] = none
			}
			seen := h.p + i + 1
			clear(row[seen:])
			cpu.SoftmaxRow(row[:seen], row[:seen], scale)
		}
		begin = end
	}
}

// outer multiplies the rows of a with those of the prefix and of the group:
// [n, d] to [n, p+n].
func (h sharedHead[T]) outer(pool *cpu.Pool, a []T, lda int, prefix, own, s []T) {
	g := cpu.GemmArgs[T]{TransB: true, M: h.n, N: h.p, K: h.d, A: a, LDA: lda, B: prefix, LDB: h.ld, C: s, LDC: h.width}
	cpu.Gemm(pool, g)
	g.N, g.B, g.C = h.n, own, s[h.p:]
	cpu.Gemm(pool, g)
}

// inner mixes the rows of the prefix and of the group: [n, p+n] to [n, d].
func (h sharedHead[T]) inner(pool *cpu.Pool, s, prefix, own, out []T, ldc int) {
	g := cpu.GemmArgs[T]{M: h.n, N: h.d, K: h.n, A: s[h.p:], LDA: h.width, B: own, LDB: h.ld, C: out, LDC: ldc}
	cpu.Gemm(pool, g)
	if h.p > 0 {
		g.Accumulate, g.K, g.A, g.B = true, h.p, s, prefix
		cpu.Gemm(pool, g)
	}
}

// across sums over the group's rows what each row of the prefix and of the group
// gets of a: [n, p+n] and [n, d] to [p, d], 2W apart, and [n, d].
func (h sharedHead[T]) across(pool *cpu.Pool, s, a []T, lda int, prefix, own []T, w int) {
	g := cpu.GemmArgs[T]{TransA: true, M: h.n, N: h.d, K: h.n, A: s[h.p:], LDA: h.width, B: a, LDB: lda, C: own, LDC: h.ld}
	cpu.Gemm(pool, g)
	g.M, g.A, g.C, g.LDC = h.p, s, prefix, 2*w
	cpu.Gemm(pool, g)
}

func sharedAttentionKernel[T cpu.Float](c *graph.Ctx, o sharedAttention, s graph.Shape, y, qkv []T) {
	groups, most := o.groups()
	rows, w := s[len(s)-2], last(s)
	size := most * (o.Prefix + most)
	scratch := graph.Scratch[T](c, c.Threads()*size)
	c.ForWorker(batches(s)*len(groups)*o.Heads, 1, func(worker, lo, hi int) {
		pool, a := c.Alone(worker), scratch[worker*size:(worker+1)*size]
		for t := lo; t < hi; t++ {
			b, g := t/o.Heads/len(groups)*rows*w, groups[t/o.Heads%len(groups)]
			h := sharedHeadOf(qkv[3*b:], o, w, g, t%o.Heads)
			h.weights(pool, a)
			h.inner(pool, a, h.prefix.v, h.v, y[b+g.row*w+t%o.Heads*h.d:], w)
		}
	})
}

// sharedAttentionGrad is the gradient with respect to packed qkv.
type sharedAttentionGrad struct {
	graph.NoGrad
	Of sharedAttention
}

func (sharedAttentionGrad) Loops()                                    {}
func (sharedAttentionGrad) Name() string                              { return "shared attention gradient" }
func (sharedAttentionGrad) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o sharedAttentionGrad) FLOPs(in []graph.Type, _ graph.Type) int64 {
	return 10 * int64(last(in[1].Shape)*batches(in[1].Shape)) * o.Of.pairs()
}
func (o sharedAttentionGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		sharedAttentionGradKernel(c, o.Of, in[1].Shape, out.F64, in[0].F64, in[1].F64)
	} else {
		sharedAttentionGradKernel(c, o.Of, in[1].Shape, out.F32, in[0].F32, in[1].F32)
	}
	return nil
}

func sharedAttentionGradKernel[T cpu.Float](c *graph.Ctx, o sharedAttention, s graph.Shape, dqkv, qkv, dy []T) {
	groups, most := o.groups()
	rows, w := s[len(s)-2], last(s)
	size := most * (o.Prefix + most)
	// What each group of texts adds to the gradients of the prefix's keys and
	// values lies by itself, [P, 2W], so that the sum has one order.
	share := o.Prefix * 2 * w
	scratch := graph.Scratch[T](c, c.Threads()*2*size+batches(s)*len(groups)*share)
	shares := scratch[c.Threads()*2*size:]
	c.ForWorker(batches(s)*len(groups)*o.Heads, 1, func(worker, lo, hi int) {
		pool := c.Alone(worker)
		a := scratch[worker*2*size : (worker+1)*2*size]
		a, da := a[:size], a[size:]
		for t := lo; t < hi; t++ {
			b, g := t/o.Heads/len(groups)*rows*w, groups[t/o.Heads%len(groups)]
			h, d := sharedHeadOf(qkv[3*b:], o, w, g, t%o.Heads), sharedHeadOf(dqkv[3*b:], o, w, g, t%o.Heads)
			dout, dk := dy[b+g.row*w+t%o.Heads*h.d:], shares[t/o.Heads*share+t%o.Heads*h.d:]
			h.weights(pool, a)
			h.across(pool, a, dout, w, dk[w:], d.v, w)
			h.outer(pool, dout, w, h.prefix.v, h.v, da)
			scale := T(1 / math.Sqrt(float64(h.d)))
			for i := range h.n {
				row := da[i*h.width : (i+1)*h.width]
				cpu.SoftmaxGradRow(row, a[i*h.width:(i+1)*h.width], row)
				cpu.Scale(row, scale, row)
			}
			h.inner(pool, da, h.prefix.k, h.k, d.q, d.ld)
			h.across(pool, da, h.q, h.ld, dk, d.k, w)
		}
	})
	c.For(batches(s)*o.Prefix, 1, func(lo, hi int) {
		for r := lo; r < hi; r++ {
			b, i := r/o.Prefix, r%o.Prefix
			to := dqkv[(b*rows+i)*3*w+w:][:2*w]
			for g := 1; g < len(groups); g++ {
				cpu.Add(to, to, shares[(b*len(groups)+g)*share+i*2*w:][:2*w])
			}
		}
	})
}
