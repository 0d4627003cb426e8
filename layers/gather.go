package layers

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

// embedding looks rows up in one table.
type embedding struct{}

// Embedding takes rows of a table: table [V, W] and ids [...] (Int, in [0, V))
// give [..., W]. The gradient of the table is a scatter-add, in the order of
// the ids.
func Embedding(table, ids *Node) *Node { return graph.Apply(embedding{}, table, ids) }

func (embedding) Loops() {}

// Picks says that few rows are read.
func (embedding) Picks() {}

func (embedding) Name() string { return "embedding" }
func (embedding) Infer(in []graph.Type) (graph.Type, error) {
	if len(in[0].Shape) != 2 || in[1].Dtype != graph.Int {
		return graph.Type{}, fmt.Errorf("want a table [V, W] and Int ids")
	}
	return graph.Type{Shape: append(in[1].Shape.Clone(), in[0].Shape[1]), Dtype: in[0].Dtype}, floats(in[0])
}
func (embedding) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{graph.Apply(embeddingGrad{Rows: ShapeOf(in[0])[0]}, in[1], dy), nil}
}
func (embedding) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := inRange(c, "id", in[1], in[0].Shape[0]); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		embeddingKernel(c, in[0].Shape[1], out.F64, in[0].F64, in[1].Int)
	} else {
		embeddingKernel(c, in[0].Shape[1], out.F32, in[0].F32, in[1].Int)
	}
	return nil
}

func embeddingKernel[T cpu.Float](c *graph.Ctx, w int, y, table []T, ids []int) {
	rows(c, len(y), w, func(r, lo, hi int) { copy(y[lo:hi], table[ids[r]*w:]) })
}

type embeddingGrad struct {
	graph.NoGrad
	Rows int
}

func (embeddingGrad) Loops()       {}
func (embeddingGrad) Name() string { return "embedding gradient" }
func (o embeddingGrad) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: graph.Shape{o.Rows, last(in[1].Shape)}, Dtype: in[1].Dtype}, nil
}
func (o embeddingGrad) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := inRange(c, "id", in[0], o.Rows); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		embeddingGradKernel(c, out.Shape[1], out.F64, in[0].Int, in[1].F64)
	} else {
		embeddingGradKernel(c, out.Shape[1], out.F32, in[0].Int, in[1].F32)
	}
	return nil
}

func embeddingGradKernel[T cpu.Float](c *graph.Ctx, w int, dtable []T, ids []int, dy []T) {
	each(c, len(dtable), func(lo, hi int) { clear(dtable[lo:hi]) })
	// Tasks own columns: each sum has the order of the ids.
	c.For(w, max(16, w/8), func(lo, hi int) {
		for i, id := range ids {
			dst := dtable[id*w+lo : id*w+hi]
			cpu.Add(dst, dst, dy[i*w+lo:i*w+hi])
		}
	})
}

// gather takes tokens of each image.
type gather struct{}

// Gather takes elements along axis 1, for each image its own: x [B, N, ...] and
// idx [B, K] (Int, in [0, N)) give [B, K, ...]. Its gradient is Scatter.
func Gather(x, idx *Node) *Node { return graph.Apply(gather{}, x, idx) }

func (gather) Loops() {}

// Picks says that few rows are read.
func (gather) Picks() {}

func (gather) Name() string { return "gather" }
func (gather) Infer(in []graph.Type) (graph.Type, error) {
	x, idx := in[0].Shape, in[1]
	if len(x) < 2 || idx.Dtype != graph.Int || len(idx.Shape) != 2 || idx.Shape[0] != x[0] {
		return graph.Type{}, fmt.Errorf("want [B, N, ...] and Int indices [B, K]")
	}
	s := x.Clone()
	s[1] = idx.Shape[1]
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in[0])
}
func (gather) Grad(in []*Node, _, dy *Node) []*Node {
	return []*Node{Scatter(dy, in[1], ShapeOf(in[0])[1]), nil}
}
func (gather) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	x, idx := in[0], in[1]
	if err := inRange(c, "index", idx, x.Shape[1]); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		gatherKernel(c, x.Shape, idx.Shape[1], out.F64, x.F64, idx.Int)
	} else {
		gatherKernel(c, x.Shape, idx.Shape[1], out.F32, x.F32, idx.Int)
	}
	return nil
}

func gatherKernel[T cpu.Float](c *graph.Ctx, s graph.Shape, k int, y, x []T, idx []int) {
	n, w := s[1], count(s[2:])
	rows(c, len(y), w, func(r, lo, hi int) { copy(y[lo:hi], x[(r/k*n+idx[r])*w:]) })
}

// scatter adds tokens into zeros at their places.
type scatter struct{ N int }

// Scatter adds along axis 1, for each image at its own places: x [B, K, ...]
// and idx [B, K] (Int, in [0, n)) give [B, n, ...], zero where no index points.
// Equal indices add up. Its gradient is Gather.
func Scatter(x, idx *Node, n int) *Node { return graph.Apply(scatter{n}, x, idx) }

func (scatter) Loops()       {}
func (scatter) Name() string { return "scatter" }
func (o scatter) Infer(in []graph.Type) (graph.Type, error) {
	x, idx := in[0].Shape, in[1]
	if len(x) < 2 || idx.Dtype != graph.Int || !isShape(idx.Shape, x[:2]...) {
		return graph.Type{}, fmt.Errorf("want [B, K, ...] and Int indices [B, K]")
	}
	s := x.Clone()
	s[1] = o.N
	return graph.Type{Shape: s, Dtype: in[0].Dtype}, floats(in[0])
}
func (scatter) Grad(in []*Node, _, dy *Node) []*Node { return []*Node{Gather(dy, in[1]), nil} }
func (o scatter) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	x, idx := in[0], in[1]
	if err := inRange(c, "index", idx, o.N); err != nil {
		return err
	}
	if out.Dtype == graph.Float64 {
		scatterKernel(c, out.Shape, idx.Shape[1], out.F64, x.F64, idx.Int)
	} else {
		scatterKernel(c, out.Shape, idx.Shape[1], out.F32, x.F32, idx.Int)
	}
	return nil
}

func scatterKernel[T cpu.Float](c *graph.Ctx, s graph.Shape, k int, y, x []T, idx []int) {
	n, w := s[1], count(s[2:])
	c.For(s[0], rowGrain(n*w), func(lo, hi int) { // a task owns whole images
		clear(y[lo*n*w : hi*n*w])
		for r := lo * k; r < hi*k; r++ {
			dst := y[(r/k*n+idx[r])*w:][:w]
			cpu.Add(dst, dst, x[r*w:r*w+w])
		}
	})
}
