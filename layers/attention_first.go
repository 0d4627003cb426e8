package layers

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// firstAttention is one row of the attention's weights.
type firstAttention struct {
	Heads int
	Count Count
}

// FirstAttention is how the first token attends: of packed queries, keys and
// values qkv [B, N, 3W] of H heads the weights softmax(q0 kT/sqrt(d)) over all
// tokens [B, H, N], read where they lie; c is of ProportionalAttention.
func FirstAttention(qkv *Node, heads int, c Count) *Node {
	return graph.Apply(firstAttention{heads, c}, qkv)
}

func (firstAttention) Loops()       {}
func (firstAttention) Name() string { return "attention of the first token" }
func (o firstAttention) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 3 || o.Heads < 1 || s[2]%(3*o.Heads) != 0 {
		return graph.Type{}, fmt.Errorf("want [B, N, 3W] with W a multiple of %d heads", o.Heads)
	}
	if err := o.Count.check(s[1]); err != nil {
		return graph.Type{}, err
	}
	return graph.Type{Shape: graph.Shape{s[0], o.Heads, s[1]}, Dtype: in[0].Dtype}, floats(in...)
}
func (o firstAttention) FLOPs(in []graph.Type, _ graph.Type) int64 {
	return 2 * int64(count(in[0].Shape)) / 3
}

// Grad is the softmax's gradient g, then dq = g k and dk = gT q.
func (o firstAttention) Grad(in []*Node, y, dy *Node) []*Node {
	s := ShapeOf(in[0])
	b, n, w := s[0], s[1], s[2]/3
	g := Mul(y, Sub(dy, Reshape(Sum(Mul(dy, y), 2), b, o.Heads, 1)))
	g = Reshape(Scale(g, o.scale(s)), b, o.Heads, 1, n)
	q := SplitHeads(Slice(in[0], 1, 0, 1), 0, o.Heads)
	dq := JoinHeads(MatMul(g, SplitHeads(in[0], 1, o.Heads), false, false)) // [B, 1, W]
	dk := JoinHeads(MatMul(g, q, true, false))                              // [B, N, W]
	all := Concat(2, graph.Apply(pad{Axis: 1, Size: n}, dq), dk)
	return []*Node{graph.Apply(pad{Axis: 2, Size: 3 * w}, all)}
}

func (o firstAttention) scale(s graph.Shape) float64 {
	return 1 / math.Sqrt(float64(s[2]/3/o.Heads))
}

func (o firstAttention) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		firstAttentionKernel(c, o, in[0].Shape, out.F64, in[0].F64)
	} else {
		firstAttentionKernel(c, o, in[0].Shape, out.F32, in[0].F32)
	}
	return nil
}

func firstAttentionKernel[T cpu.Float](c *graph.Ctx, o firstAttention, s graph.Shape, y, qkv []T) {
	n, w := s[1], s[2]/3
	o.groups(c, s, func(_, b, lo, hi int) {
		firstWeights(o, y[b*o.Heads*n:], qkv[b*n*3*w:], n, w, lo, hi)
	})
}

// groupWidth is about how much of a token is read at a time: heads of one token
// lie together, those of the next are far.
const groupWidth = 256

// groups calls f for each image and group of its heads [lo, hi).
func (o firstAttention) groups(c *graph.Ctx, s graph.Shape, f func(worker, b, lo, hi int)) {
	n, w := s[1], s[2]/3
	size := max(1, groupWidth*o.Heads/w) // heads of a group
	groups := (o.Heads + size - 1) / size
	c.ForWorker(s[0]*groups, rowGrain(2*n*w/groups), func(worker, lo, hi int) {
		for t := lo; t < hi; t++ {
			f(worker, t/groups, t%groups*size, min(t%groups*size+size, o.Heads))
		}
	})
}

// firstWeights computes those of heads [lo, hi) of one image's qkv [N, 3W]: a [H, N].
func firstWeights[T cpu.Float](o firstAttention, a, qkv []T, n, w, lo, hi int) {
	d := w / o.Heads
	more := T(o.Count.bias() * math.Sqrt(float64(d)))
	for i := range n {
		k := qkv[i*3*w+w:]
		for h := lo; h < hi; h++ {
			a[h*n+i] = cpu.Dot(qkv[h*d:h*d+d], k[h*d:h*d+d])
		}
	}
	for h := lo; h < hi; h++ {
		if o.Count.Times > 1 {
			a[h*n+o.Count.Token] += more
		}
		cpu.SoftmaxRow(a[h*n:h*n+n], a[h*n:h*n+n], T(1/math.Sqrt(float64(d))))
	}
}

// firstValues is what the first token takes from each other.
type firstValues firstAttention

// FirstValues is what the first token takes from each other token: of packed
// queries, keys and values qkv [B, N, 3W] of H heads the values times the weights of
// FirstAttention [B, N-1, W]. With the first token's own they sum to the first row
// of Attention, or of ProportionalAttention with c.
func FirstValues(qkv *Node, heads int, c Count) *Node {
	return graph.Apply(firstValues{heads, c}, qkv)
}

func (firstValues) Loops()       {}
func (firstValues) Name() string { return "values of the first token" }
func (o firstValues) Infer(in []graph.Type) (graph.Type, error) {
	t, err := firstAttention(o).Infer(in)
	if err != nil {
		return t, err
	}
	s := in[0].Shape
	if s[1] < 2 {
		return t, fmt.Errorf("want at least two tokens")
	}
	return graph.Type{Shape: graph.Shape{s[0], s[1] - 1, s[2] / 3}, Dtype: in[0].Dtype}, nil
}
func (o firstValues) FLOPs(in []graph.Type, _ graph.Type) int64 { return int64(count(in[0].Shape)) }

// Grad is that of the product of the weights and the values.
func (o firstValues) Grad(in []*Node, _, dy *Node) []*Node {
	s := ShapeOf(in[0])
	b, n, w := s[0], s[1]-1, s[2]/3
	a := Slice(FirstAttention(in[0], o.Heads, o.Count), 2, 1, n+1) // [B, H, N-1]
	heads := func(x *Node) *Node { return Transpose(Reshape(x, b, n, o.Heads, w/o.Heads), 0, 2, 1, 3) }
	d := heads(dy)
	da := Sum(Mul(d, SplitHeads(Slice(in[0], 1, 1, n+1), 2, o.Heads)), 3)
	dv := JoinHeads(Mul(d, Reshape(a, b, o.Heads, n, 1)))
	dv = graph.Apply(pad{Axis: 1, Lo: 1, Size: n + 1}, dv)
	all := FirstAttention(in[0], o.Heads, o.Count)
	dqk := firstAttention(o).Grad(in, all, graph.Apply(pad{Axis: 2, Lo: 1, Size: n + 1}, da))[0]
	return []*Node{Add(dqk, graph.Apply(pad{Axis: 2, Lo: 2 * w, Size: 3 * w}, dv))}
}

func (o firstValues) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		firstValuesKernel(c, o, in[0].Shape, out.F64, in[0].F64)
	} else {
		firstValuesKernel(c, o, in[0].Shape, out.F32, in[0].F32)
	}
	return nil
}

func firstValuesKernel[T cpu.Float](c *graph.Ctx, o firstValues, s graph.Shape, y, qkv []T) {
	n, w, d := s[1], s[2]/3, s[2]/3/o.Heads
	scratch := graph.Scratch[T](c, c.Threads()*o.Heads*n)
	firstAttention(o).groups(c, s, func(worker, b, lo, hi int) {
		a, x := scratch[worker*o.Heads*n:], qkv[b*n*3*w:]
		firstWeights(firstAttention(o), a, x, n, w, lo, hi)
		for i := 1; i < n; i++ {
			out, v := y[(b*(n-1)+i-1)*w:], x[i*3*w+2*w:]
			for h := lo; h < hi; h++ {
				cpu.Scale(out[h*d:h*d+d], a[h*n+i], v[h*d:h*d+d])
			}
		}
	})
}
