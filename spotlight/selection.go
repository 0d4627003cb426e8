package spotlight

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// retain returns which tokens are kept [B, K], by falling score. Of an image
// whose encoder dropped patches they are among those that remain.
func (m *Model) retain(score *Node, f Features) *Node {
	defer m.stage("selection")()
	switch m.Select {
	case "cls-attention":
		score = f.Attention
	case "random":
		score = graph.Apply(scramble{}, score)
	}
	in := []*Node{score}
	if f.Remain != nil {
		in = append(in, f.Remain)
	}
	return graph.Apply(keep{K: m.Keep, Window: m.Window, Grid: m.grid}, in...)
}

// keep takes the best tokens inside a window around the best one. A second
// operand [B', N], B a multiple of B', is 1 at the tokens that may be taken and 0
// elsewhere; if the window has too few of them, the best of the others follow.
type keep struct {
	graph.NoGrad
	K, Window, Grid int
}

func (keep) Name() string { return "keep" }
func (keep) Loops()       {}
func (o keep) Infer(in []graph.Type) (graph.Type, error) {
	s := in[0].Shape
	if len(s) != 2 || s[1] != o.Grid*o.Grid {
		return graph.Type{}, fmt.Errorf("want scores [B, %d]", o.Grid*o.Grid)
	}
	if len(in) > 1 && (len(in[1].Shape) != 2 || in[1].Shape[1] != s[1] || s[0]%in[1].Shape[0] != 0) {
		return graph.Type{}, fmt.Errorf("want which tokens remain as [B', %d], B' a divisor of %d", s[1], s[0])
	}
	if o.K > s[1] || o.Window > 0 && o.K > o.Window*o.Window {
		return graph.Type{}, fmt.Errorf("%d tokens cannot be kept of %d, window %d", o.K, s[1], o.Window)
	}
	return graph.Type{Shape: graph.Shape{s[0], o.K}, Dtype: graph.Int}, nil
}
func (o keep) Run(c *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if in[0].Dtype == graph.Float64 {
		return keepKernel[float64](c, o, out.Int, in)
	}
	return keepKernel[float32](c, o, out.Int, in)
}

func keepKernel[T cpu.Float](c *graph.Ctx, o keep, idx []int, in []graph.Tensor) error {
	score, remain, share := graph.Data[T](in[0]), []T(nil), 1
	if len(in) > 1 {
		remain = graph.Data[T](in[1])
		share = in[0].Shape[0] / in[1].Shape[0]
	}
	n := o.Grid * o.Grid
	err := c.Do(func() error {
		for i, v := range score {
			if v != v {
				return fmt.Errorf("score of token %d of image %d is not a number", i%n, i/n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	lists := make([]int, n*c.Threads()) // a worker's each
	c.ForWorker(len(score)/n, 16, func(worker, lo, hi int) {
		all := lists[worker*n:][:0:n]
		for b := lo; b < hi; b++ {
			var may []T
			if remain != nil {
				may = remain[b/share*n:][:n]
			}
			all = choose(o, all[:0], score[b*n:b*n+n], may)
			copy(idx[b*o.K:(b+1)*o.K], all)
		}
	})
	return nil
}

// choose lists the tokens of the window around the best one by falling score,
// ties in order. Where not all may be taken (may is not nil) it lists those that
// may, and if they are fewer than K then the others that may.
func choose[T cpu.Float](o keep, all []int, s, may []T) []int {
	falling := func(i, j int) int { return cmp.Compare(s[j], s[i]) }
	if may == nil {
		all = o.around(all, first(s))
		slices.SortStableFunc(all, falling)
		return all
	}
	barred := func(t int) bool { return may[t] == 0 }
	peak := -1
	for t, v := range s {
		if !barred(t) && (peak < 0 || v > s[peak]) {
			peak = t
		}
	}
	all = slices.DeleteFunc(o.around(all, max(peak, 0)), barred)
	slices.SortStableFunc(all, falling)
	if inside := len(all); inside < o.K {
		for t := range s {
			if !barred(t) && !slices.Contains(all[:inside], t) {
				all = append(all, t)
			}
		}
		slices.SortStableFunc(all[inside:], falling)
	}
	return all
}

// around lists the tokens of the window around a peak, in order. Where the
// window would leave the grid it is moved inside.
func (o keep) around(all []int, peak int) []int {
	side := o.Window
	if side == 0 {
		side = o.Grid
	}
	r0 := min(max(peak/o.Grid-side/2, 0), o.Grid-side)
	c0 := min(max(peak%o.Grid-side/2, 0), o.Grid-side)
	for r := r0; r < r0+side; r++ {
		for c := c0; c < c0+side; c++ {
			all = append(all, r*o.Grid+c)
		}
	}
	return all
}

// first is where the greatest element is, the first of equals.
func first[T cpu.Float](s []T) int {
	at := 0
	for i, v := range s {
		if v > s[at] {
			at = i
		}
	}
	return at
}

// window resolves Config.Window for a grid: a third of its side, made odd, or
// as large as the kept tokens need.
func (c Config) window(grid int) int {
	w := c.Window
	if w == -1 {
		w = int(math.Round(float64(grid) / 3))
		w += 1 - w%2
		for w*w < c.Keep {
			w += 2
		}
	}
	if w >= grid {
		return 0
	}
	return w
}

// scramble replaces scores by noise that depends on the scores alone, so that
// the random choice of an image's tokens is the same in every run.
type scramble struct{ graph.NoGrad }

func (scramble) Name() string                              { return "scramble" }
func (scramble) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (scramble) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	at := func(i int, score float32) float32 { // by Float32 in both types: one choice
		return float32(noise(uint64(math.Float32bits(score)) + uint64(i%last(out.Shape))<<32))
	}
	for i, v := range in[0].F32 {
		out.F32[i] = at(i, v)
	}
	for i, v := range in[0].F64 {
		out.F64[i] = float64(at(i, float32(v)))
	}
	return nil
}

func last(s graph.Shape) int { return s[len(s)-1] }

// noise is a number in [0,1) mixed from x (the finaliser of MurmurHash3).
func noise(x uint64) float64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

// kept gathers what the selection keeps: unit tokens z [B, K, D] and their
// scores [B, K].
func kept(tokens, score, index *Node) (z, s *Node) {
	return unit(layers.Gather(tokens, index)), layers.Gather(score, index)
}
