package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// splitHeads copies a part of packed queries, keys and values.
type splitHeads struct{ Part, Heads int }

// SplitHeads takes part i (0 queries, 1 keys, 2 values) of packed qkv
// [B, N, 3W] apart by head: [B, H, N, W/H].
func SplitHeads(qkv *Node, i, heads int) *Node {
	return graph.Apply(splitHeads{i, heads}, qkv)
}

func (splitHeads) Loops()       {}
func (splitHeads) Name() string { return "split heads" }
func (o splitHeads) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 3 || o.Heads < 1 || s[2]%(3*o.Heads) != 0 || o.Part < 0 || o.Part > 2 {
		return graph.Type{}, fmt.Errorf("part %d of %d heads, want [B, N, 3W] with W a multiple of the heads", o.Part, o.Heads)
	}
	return graph.Type{Shape: graph.Shape{s[0], o.Heads, s[1], s[2] / 3 / o.Heads}, Dtype: in[0].Dtype}, floats(in...)
}

// Grad puts the part back among zeros.
func (o splitHeads) Grad(in []*Node, _, dy *Node) []*Node {
	s := ShapeOf(in[0])
	return []*Node{graph.Apply(pad{Axis: 2, Lo: o.Part * s[2] / 3, Size: s[2]}, JoinHeads(dy))}
}

func (o splitHeads) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if out.Dtype == graph.Float64 {
		splitHeadsKernel(c, o, out.Shape, out.F64, in[0].F64)
	} else {
		splitHeadsKernel(c, o, out.Shape, out.F32, in[0].F32)
	}
	return nil
}

func splitHeadsKernel[T cpu.Float](c *graph.Ctx, o splitHeads, s graph.Shape, y, qkv []T) {
	heads, n, d := s[1], s[2], s[3]
	w := heads * d
	c.For(s[0]*n, rowGrain(w), func(lo, hi int) { // token by token, as they lie
		for t := lo; t < hi; t++ {
			b, i := t/n, t%n
			from := qkv[(t*3+o.Part)*w:][:w]
			for h := range heads {
				copy(y[((b*heads+h)*n+i)*d:][:d], from[h*d:])
			}
		}
	})
}

// JoinHeads undoes SplitHeads: [B, H, N, d] to [B, N, H*d].
func JoinHeads(x *Node) *Node {
	s := ShapeOf(x)
	if len(s) != 4 {
		graph.Refusef("join heads", []*Node{x}, "want [B, H, N, d]")
	}
	return Reshape(Transpose(x, 0, 2, 1, 3), s[0], s[2], s[1]*s[3])
}
