package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// topK finds the greatest elements of rows.
type topK struct {
	graph.NoGrad
	K int
}

// TopK returns where the k greatest elements of each row of x [B, N] are, by
// falling value, ties to the lower index: Int [B, k]. What is no number is passed
// over; a row with fewer numbers than k ends in zeros. It has no gradient; gather the
// elements to have one.
func TopK(x *Node, k int) *Node { return graph.Apply(topK{K: k}, x) }

// ArgMax returns where the greatest element of each row of x [B, N] is, the
// first of equals: Int [B].
func ArgMax(x *Node) *Node { return Reshape(TopK(x, 1), ShapeOf(x)[0]) }

func (topK) Loops()       {}
func (topK) Name() string { return "top-k" }
func (o topK) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 2 || o.K < 1 || o.K > s[1] {
		return graph.Type{}, fmt.Errorf("want [B, N] with N of at least k = %d", o.K)
	}
	return graph.Type{Shape: graph.Shape{s[0], o.K}, Dtype: graph.Int}, floats(in[0])
}
func (o topK) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if in[0].Dtype == graph.Float64 {
		topKKernel(c, o.K, last(in[0].Shape), out.Int, in[0].F64)
	} else {
		topKKernel(c, o.K, last(in[0].Shape), out.Int, in[0].F32)
	}
	return nil
}

func topKKernel[T cpu.Float](c *graph.Ctx, k, n int, idx []int, x []T) {
	rows(c, len(x), n, func(r, lo, hi int) { topKRow(idx[r*k:r*k+k], x[lo:hi]) })
}

// topKRow keeps the best k seen so far in order, by insertion.
func topKRow[T cpu.Float](best []int, x []T) {
	n := 0
	for i, v := range x {
		if v != v || n == len(best) && v <= x[best[n-1]] {
			continue
		}
		if n < len(best) {
			n++
		}
		j := n - 1
		for ; j > 0 && v > x[best[j-1]]; j-- {
			best[j] = best[j-1]
		}
		best[j] = i
	}
	clear(best[n:])
}
