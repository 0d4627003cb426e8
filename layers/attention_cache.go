package layers

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// A cache is what another pass kept of N tokens: their keys and values [B, N, 2W],
// or its packed qkv [B, N+1, 3W], of which the first token is not read. M rows of
// this pass attend each to itself and to the cache, not to each other.

// CacheWeights is how rows attend: of their packed qkv [B, M, 3W], of H heads, and a
// cache of N tokens the weights softmax(q kT/sqrt(d) + bias) [B, M, H, 1+N], their
// own first. bias [B, M, R] is of the cache's first R tokens, in every head.
func CacheWeights(qkv, cache, bias *Node, heads int) *Node {
	return graph.Apply(cacheWeights{heads}, qkv, cache, bias)
}

// CacheValues mixes values by the weights a [B, M, H, 1+N] of CacheWeights: those of
// packed qkv [B, M, 3W] and those of a cache of N tokens give [B, M, W].
func CacheValues(a, qkv, cache *Node) *Node {
	return graph.Apply(cacheMix{values}, a, qkv, cache)
}

// part is what is read of packed tokens, in widths from the end of their last axis.
type part int

const (
	keys   part = 2
	values part = 1
)

// cached is where the tokens of a cache lie, and how many rows read them.
type cached struct {
	b, m, n, w int // images, rows, tokens, width
	first, ld  int // elements before the tokens, and from one to the next
}

// cachedOf checks what M rows read: packed own [B, M, 3W], and a cache.
func cachedOf(own, cache graph.Shape) (s cached, err error) {
	if len(own) != 3 || own[2]%3 != 0 || len(cache) != 3 || own[0] != cache[0] {
		return s, fmt.Errorf("want rows [B, M, 3W] and a cache [B, N, 2W] or [B, N+1, 3W]")
	}
	s = cached{b: own[0], m: own[1], n: cache[1], w: own[2] / 3, ld: cache[2]}
	switch s.ld {
	case 3 * s.w:
		s.n, s.first = s.n-1, s.ld
	case 2 * s.w:
	default:
		return s, fmt.Errorf("want a cache of width %d or %d", 2*s.w, 3*s.w)
	}
	if s.n < 1 {
		return s, fmt.Errorf("want at least one token in the cache")
	}
	return s, nil
}

// at is where a part of the tokens begins.
func (s cached) at(p part) int { return s.first + s.ld - int(p)*s.w }

// put makes the gradient of a cache [B, N+1, 3W] or [B, N, 2W] of that of a part.
func (s cached) put(p part, d *Node) *Node {
	if s.first > 0 {
		d = graph.Apply(pad{Axis: 1, Lo: 1, Size: s.n + 1}, d)
	}
	return graph.Apply(pad{Axis: 2, Lo: s.ld - int(p)*s.w, Size: s.ld}, d)
}

// of are the gradients of a part of rows, packed [B, M, 3W], and of a cache that a
// [B, M, H, 1+N] weighs, for x [B, M, W]: those of sum(x * CacheMix(a, own, cache)).
func (s cached) of(p part, a, x *Node) (own, cache *Node) {
	h := ShapeOf(a)[2]
	x = Reshape(x, s.b, s.m, h, s.w/h)
	own = Reshape(Mul(Slice(a, 3, 0, 1), x), s.b, s.m, s.w)
	heads := func(x *Node) *Node { return Transpose(x, 0, 2, 1, 3) }
	cache = JoinHeads(MatMul(heads(Slice(a, 3, 1, s.n+1)), heads(x), true, false)) // [B, N, W]
	return graph.Apply(pad{Axis: 2, Lo: (3 - int(p)) * s.w, Size: 3 * s.w}, own), s.put(p, cache)
}

// cacheWeights are products with keys and their softmax.
type cacheWeights struct{ Heads int }

func (cacheWeights) Loops()       {}
func (cacheWeights) Name() string { return "weights over a cache" }
func (o cacheWeights) Infer(in []graph.Type) (graph.Type, error) {
	t, err := cacheProducts{Heads: o.Heads, Part: keys}.shape(in[0], in[1])
	if err != nil {
		return t, err
	}
	if r := in[2].Shape; len(r) != 3 || !isShape(r[:2], t.Shape[:2]...) || r[2] >= t.Shape[3] {
		return t, fmt.Errorf("want a bias [%d, %d, R] of R of %d tokens", t.Shape[0], t.Shape[1], t.Shape[3]-1)
	}
	return t, floats(in...)
}
func (o cacheWeights) FLOPs(in []graph.Type, out graph.Type) int64 {
	return 2 * int64(count(out.Shape)) * int64(in[0].Shape[2]/3/o.Heads)
}

// Grad is the softmax's gradient, then that of the products.
func (o cacheWeights) Grad(in []*Node, y, dy *Node) []*Node {
	s, _ := cachedOf(ShapeOf(in[0]), ShapeOf(in[1]))
	g := graph.Apply(softmaxGrad{}, y, dy)
	dbias := Slice(Sum(g, 2), 2, 1, 1+last(ShapeOf(in[2])))
	g = Scale(g, o.scale(s))
	dq := graph.Apply(cacheMix{keys}, g, in[0], in[1]) // [B, M, W]
	own, cache := s.of(keys, g, Slice(in[0], 2, 0, s.w))
	return []*Node{Add(graph.Apply(pad{Axis: 2, Size: 3 * s.w}, dq), own), cache, dbias}
}

func (o cacheWeights) scale(s cached) float64 { return 1 / math.Sqrt(float64(s.w/o.Heads)) }

func (o cacheWeights) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		cacheWeightsKernel[float64](c, o, out, in)
	} else {
		cacheWeightsKernel[float32](c, o, out, in)
	}
	return nil
}

func cacheWeightsKernel[T cpu.Float](c *graph.Ctx, o cacheWeights, out graph.Tensor, in []graph.Tensor) {
	s, _ := cachedOf(in[0].Shape, in[1].Shape)
	qkv, bias, r := graph.Data[T](in[0]), graph.Data[T](in[2]), last(in[2].Shape)
	scale := T(o.scale(s))
	products(c, s, o.Heads, keys, graph.Data[T](out), qkv, 3*s.w, qkv, graph.Data[T](in[1]), func(row []T, i int) {
		cpu.Scale(row, scale, row)
		cpu.Add(row[1:1+r], row[1:1+r], bias[i*r:i*r+r])
		cpu.SoftmaxRow(row, row, 1)
	})
}

// cacheProducts are the products of x [B, M, W] with a part of rows' own, packed
// [B, M, 3W], and of a cache: what the gradient of CacheValues needs.
type cacheProducts struct {
	graph.NoGrad
	Heads int
	Part  part
}

func (cacheProducts) Loops()       {}
func (cacheProducts) Name() string { return "products with a cache" }
func (o cacheProducts) Infer(in []graph.Type) (graph.Type, error) {
	t, err := o.shape(in[1], in[2])
	if err == nil && !isShape(in[0].Shape, t.Shape[0], t.Shape[1], in[1].Shape[2]/3) {
		err = fmt.Errorf("want [%d, %d, %d]", t.Shape[0], t.Shape[1], in[1].Shape[2]/3)
	}
	if err != nil {
		return t, err
	}
	return t, floats(in...)
}

// shape is [B, M, H, 1+N].
func (o cacheProducts) shape(own, cache graph.Type) (graph.Type, error) {
	s, err := cachedOf(own.Shape, cache.Shape)
	if err == nil && (o.Heads < 1 || s.w%o.Heads != 0) {
		err = fmt.Errorf("want a width that is a multiple of %d heads", o.Heads)
	}
	return graph.Type{Shape: graph.Shape{s.b, s.m, o.Heads, 1 + s.n}, Dtype: own.Dtype}, err
}
func (o cacheProducts) FLOPs(in []graph.Type, out graph.Type) int64 {
	return 2 * int64(count(out.Shape)) * int64(in[0].Shape[2]/o.Heads)
}
func (o cacheProducts) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		cacheProductsKernel[float64](c, o, out, in)
	} else {
		cacheProductsKernel[float32](c, o, out, in)
	}
	return nil
}

func cacheProductsKernel[T cpu.Float](c *graph.Ctx, o cacheProducts, out graph.Tensor, in []graph.Tensor) {
	s, _ := cachedOf(in[1].Shape, in[2].Shape)
	products(c, s, o.Heads, o.Part, graph.Data[T](out), graph.Data[T](in[0]), s.w, graph.Data[T](in[1]), graph.Data[T](in[2]), func([]T, int) {})
}

// products computes y [B, M, H, 1+N] of x, whose rows are ldx apart, where the
// tokens lie; then calls finish for each row and the number of its token of B*M.
func products[T cpu.Float](c *graph.Ctx, s cached, heads int, p part, y, x []T, ldx int, own, cache []T, finish func(row []T, i int)) {
	d, n := s.w/heads, 1+s.n
	scratch := graph.Scratch[T](c, c.Threads()*d)
	c.ForWorker(s.b*heads, rowGrain(s.m*s.n*d), func(worker, lo, hi int) {
		both := scratch[worker*d : (worker+1)*d]
		for t := lo; t < hi; t++ {
			b, h := t/heads, t%heads
			out := y[b*s.m*heads*n+h*n:]
			cpu.Gemm(c.Alone(worker), cpu.GemmArgs[T]{
				TransB: true, M: s.m, N: s.n, K: d, A: x[b*s.m*ldx+h*d:], LDA: ldx,
				B: cache[b*s.tokens()+s.at(p)+h*d:], LDB: s.ld, C: out[1:], LDC: heads * n,
			})
			for i := range s.m {
				row := b*s.m + i
				cpu.Mul(both, x[row*ldx+h*d:][:d], own[(row+1)*3*s.w-int(p)*s.w+h*d:][:d])
				out[i*heads*n] = cpu.Sum(both)
				finish(out[i*heads*n:][:n], row)
			}
		}
	})
}

// tokens is the size of one image's cache.
func (s cached) tokens() int { return s.first + s.n*s.ld }

// cacheMix mixes a part of rows' own and of a cache.
type cacheMix struct{ Part part }

func (cacheMix) Loops()       {}
func (cacheMix) Name() string { return "values of a cache" }
func (o cacheMix) Infer(in []graph.Type) (graph.Type, error) {
	s, err := cachedOf(in[1].Shape, in[2].Shape)
	if err != nil {
		return graph.Type{}, err
	}
	if a := in[0].Shape; len(a) != 4 || !isShape(a[:2], s.b, s.m) || a[2] < 1 || s.w%a[2] != 0 || a[3] != 1+s.n {
		return graph.Type{}, fmt.Errorf("want weights [%d, %d, H, %d], H a divisor of %d", s.b, s.m, 1+s.n, s.w)
	}
	return graph.Type{Shape: graph.Shape{s.b, s.m, s.w}, Dtype: in[0].Dtype}, floats(in...)
}
func (o cacheMix) FLOPs(in []graph.Type, out graph.Type) int64 {
	return 2 * int64(count(out.Shape)) * int64(last(in[0].Shape))
}
func (o cacheMix) Grad(in []*Node, _, dy *Node) []*Node {
	s, _ := cachedOf(ShapeOf(in[1]), ShapeOf(in[2]))
	own, cache := s.of(o.Part, in[0], dy)
	return []*Node{graph.Apply(cacheProducts{Heads: ShapeOf(in[0])[2], Part: o.Part}, dy, in[1], in[2]), own, cache}
}
func (o cacheMix) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	s, err := cachedOf(in[1].Shape, in[2].Shape)
	if err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		cacheMixKernel(c, s, in[0].Shape[2], o.Part, out.F64, in[0].F64, in[1].F64, in[2].F64)
	} else {
		cacheMixKernel(c, s, in[0].Shape[2], o.Part, out.F32, in[0].F32, in[1].F32, in[2].F32)
	}
	return nil
}

func cacheMixKernel[T cpu.Float](c *graph.Ctx, s cached, heads int, p part, y, a, own, cache []T) {
	d, n := s.w/heads, 1+s.n
	scratch := graph.Scratch[T](c, c.Threads()*d)
	c.ForWorker(s.b*heads, rowGrain(s.m*s.n*d), func(worker, lo, hi int) {
		mine := scratch[worker*d : (worker+1)*d]
		for t := lo; t < hi; t++ {
			b, h := t/heads, t%heads
			weights, out := a[b*s.m*heads*n+h*n:], y[b*s.m*s.w+h*d:]
			cpu.Gemm(c.Alone(worker), cpu.GemmArgs[T]{
				M: s.m, N: d, K: s.n, A: weights[1:], LDA: heads * n,
				B: cache[b*s.tokens()+s.at(p)+h*d:], LDB: s.ld, C: out, LDC: s.w,
			})
			for i := range s.m {
				cpu.Scale(mine, weights[i*heads*n], own[(b*s.m+i+1)*3*s.w-int(p)*s.w+h*d:][:d])
				cpu.Add(out[i*s.w:][:d], mine, out[i*s.w:][:d])
			}
		}
	})
}
