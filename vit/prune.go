package vit

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Prune says where the encoder drops patches, so that the blocks after it run
// on fewer tokens. The zero value drops none.
type Prune struct {
	Block int     // patches are dropped after this block, counted from 1; 0 is off
	Keep  float64 // r, the share of the patches that stay, above 0
	By    string  // what they are ranked by: Attention, which "" is too, or Deviation
}

// What an encoder ranks patches by on its own.
const (
	Attention = "attention"
	Deviation = "deviation"
)

// Kept is how many patches the last blocks see: max(1, round(r N)), the same for
// every image; N where nothing is dropped.
func (c Config) Kept() int {
	if c.Prune.Block == 0 {
		return c.Patches()
	}
	return min(max(1, int(math.Round(c.Prune.Keep*float64(c.Patches())))), c.Patches())
}

// prunes says whether any patch is dropped.
func (c Config) prunes() bool { return c.Kept() < c.Patches() }

// Rows is how many tokens beside CLS block l, counted from 0, reads: N, or after
// pruning the kept patches and the fused token.
func (c Config) Rows(l int) int {
	if c.prunes() && l >= c.Prune.Block {
		return c.Kept() + 1
	}
	return c.Patches()
}

// Count says how many patches the fused token stands for where block l, counted
// from 0, attends: there it counts as many times.
func (c Config) Count(l int) layers.Count {
	if c.prunes() && l >= c.Prune.Block {
		return layers.Count{Token: c.Kept() + 1, Times: c.Patches() - c.Kept()}
	}
	return layers.Count{}
}

func (c Config) checkPrune() {
	switch p := c.Prune; {
	case p.Block < 0 || p.Block > 0 && p.Block >= c.Layers:
		graph.Failf("prune.block: %d, the image encoder has %d blocks and one must follow: want 1 to %d, or 0 (off)", p.Block, c.Layers, c.Layers-1)
	case p.Block > 0 && !(p.Keep > 0 && p.Keep <= 1):
		graph.Failf("prune.keep: %g, want above 0 and at most 1", p.Keep)
	case p.By != "" && p.By != Attention && p.By != Deviation:
		graph.Failf("prune.by: %q, want %s or %s", p.By, Attention, Deviation)
	}
}

// Score rates the patches of x [B, N+1, W], which the block before pruning
// wrote; o holds what came before. The result [B, N] is positive: the best stay,
// and the others are fused in proportion to it.
type Score func(o Output, x *layers.Node) *layers.Node

// ByAttention scores patches [B, Rows] by the CLS token's attention in the block before
// pruning, the mean of its heads (as EViT does: arXiv 2202.07800, section 3.2).
func (e *Encoder) ByAttention(o Output, _ *layers.Node) *layers.Node {
	a := e.ClassAttention(o, e.Prune.Block-1)
	return layers.Mean(layers.Slice(a, 2, 1, layers.ShapeOf(a)[2]), 1)
}

// ByDeviation scores patches [B, N] by how far the block before pruning wrote them
// from their mean: most patches of an image are of its background, and alike.
func (e *Encoder) ByDeviation(_ Output, x *layers.Node) *layers.Node {
	s := layers.ShapeOf(x) // [B, N+1, W]
	p := layers.Slice(x, 1, 1, s[1])
	d := layers.Sub(p, layers.Reshape(layers.Mean(p, 1), s[0], 1, s[2]))
	return layers.Sqrt(layers.Shift(layers.Sum(layers.Square(d), 2), tiny))
}

// OwnScore is the score [B, N] that Prune.By says.
func (e *Encoder) OwnScore(o Output, x *layers.Node) *layers.Node {
	if e.Prune.By == Deviation {
		return e.ByDeviation(o, x)
	}
	return e.ByAttention(o, x)
}

// prune drops the worst patches of x [B, N+1, W]: what is left is CLS, the kept
// patches in the order of the grid, and one token that is the mean of the
// others, weighted by their scores [B, k+2, W].
func (e *Encoder) prune(o *Output, x, score *layers.Node) *layers.Node {
	defer e.scope.Sub("prune").Enter()()
	b, n, k := layers.ShapeOf(x)[0], e.Patches(), e.Kept()
	ones := graph.NewTensor(graph.Float64, b, k)
	for i := range ones.F64 {
		ones.F64[i] = 1
	}
	o.Remain = layers.Scatter(e.scope.Const(ones), layers.TopK(layers.StopGradient(score), k), n)
	o.Index = layers.TopK(o.Remain, k) // of equals the lower comes first: the grid's order

	patches := layers.Slice(x, 1, 1, n+1)
	w := layers.Mul(score, layers.Shift(layers.Scale(o.Remain, -1), 1))
	w = layers.Div(w, layers.Reshape(layers.Shift(layers.Sum(w, 1), tiny), b, 1))
	fused := layers.MatMul(layers.Reshape(w, b, 1, n), patches, false, false)
	return layers.Concat(1, layers.Slice(x, 1, 0, 1), layers.Gather(patches, o.Index), fused)
}

// tiny keeps the weights of patches that all have score 0 finite, and the
// gradient of patches that are all alike.
const tiny = 1e-30

// OnGrid puts values of the tokens beside CLS that block l, counted from 0, reads
// [B, Rows(l), ...] to their places in the grid: [B, N, ...], zero where a patch
// was dropped. The fused token has no place and is left out.
func (e *Encoder) OnGrid(o Output, l int, x *layers.Node) *layers.Node {
	if o.Index == nil || l < e.Prune.Block {
		return x
	}
	return layers.Scatter(layers.Slice(x, 1, 0, e.Kept()), o.Index, e.Patches())
}

// FromGrid is the way back: of values in the grid [B, N, M] those of the tokens
// beside CLS that the blocks after pruning read [B, Kept+1, M], and a value of the
// fused one. remain is Output.Remain.
func (e *Encoder) FromGrid(remain, x *layers.Node, fused float64) *layers.Node {
	s := layers.ShapeOf(x)
	row := graph.NewTensor(graph.Float64, s[0], 1, s[2])
	for i := range row.F64 {
		row.F64[i] = fused
	}
	return layers.Concat(1, layers.Gather(x, layers.TopK(remain, e.Kept())), e.scope.Const(row))
}
