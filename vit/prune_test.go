package vit_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
	"spotlighter/vit"
)

var small = vit.Config{ImageSize: 16, PatchSize: 4, Width: 8, Layers: 3, Heads: 2, Embed: 6}

// pruned encodes two random images by random weights.
func pruned(t *testing.T, p vit.Prune, outputs func(e *vit.Encoder, o vit.Output) map[string]*graph.Node) *graph.Program {
	t.Helper()
	return prunedBy(t, p, nil, outputs)
}

// prunedBy is pruned with a function that sees what is pruned and its scores.
func prunedBy(t *testing.T, p vit.Prune, see func(x, score *graph.Node), outputs func(e *vit.Encoder, o vit.Output) map[string]*graph.Node) *graph.Program {
	t.Helper()
	c := small
	c.Prune = p
	s := graph.New(graph.NewStore(nil), graph.Float64)
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Seed: 9, Init: true}, c)
	images := graph.NewTensor(graph.Float32, 2, 3, 16, 16)
	for i := range images.F32 {
		images.F32[i] = float32(math.Sin(float64(i * i)))
	}
	pass := e.ForwardBy(s.Const(images), func(o vit.Output, x *graph.Node) *graph.Node {
		score := e.OwnScore(o, x)
		if see != nil {
			see(x, score)
		}
		return score
	})
	program, err := s.Compile(cpu.NewPool(2), outputs(e, pass))
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return program
}

// Where every patch is kept nothing changes, to the bit.
func TestPruneNothing(t *testing.T) {
	feature := func(e *vit.Encoder, o vit.Output) map[string]*graph.Node {
		return map[string]*graph.Node{"feature": o.Feature, "patches": e.PatchTokens(o)}
	}
	want := pruned(t, vit.Prune{}, feature)
	for _, p := range []vit.Prune{{Block: 1, Keep: 1}, {Block: 2, Keep: .99}, {Block: 0, Keep: .1}} {
		got := pruned(t, p, feature)
		for _, name := range []string{"feature", "patches"} {
			if !slices.Equal(got.Output(name).F64, want.Output(name).F64) {
				t.Errorf("%+v: %s differs", p, name)
			}
		}
	}
	if got := pruned(t, vit.Prune{Block: 1, Keep: .5}, feature); slices.Equal(got.Output("feature").F64, want.Output("feature").F64) {
		t.Error("half of the patches changes nothing")
	}
}

// The kept patches are those of the greatest score, in the order of the grid; the
// others' mean by it follows. Values of later blocks find their
// places again.
func TestPruneTokens(t *testing.T) {
	const n, w = 16, 8
	for _, p := range []vit.Prune{{Block: 1, Keep: .3}, {Block: 2, Keep: .5}, {Block: 2, Keep: .001}, {Block: 2, Keep: 15. / 16}, {Block: 1, Keep: .4, By: vit.Deviation}, {Block: 2, Keep: .6, By: vit.Deviation}} {
		k := max(1, int(math.Round(p.Keep*n)))
		var before, score *graph.Node
		program := prunedBy(t, p, func(x, s *graph.Node) { before, score = x, s }, func(e *vit.Encoder, o vit.Output) map[string]*graph.Node {
			after := o.Tokens[p.Block]
			return map[string]*graph.Node{"before": before, "score": score, "after": after, "index": o.Index, "remain": o.Remain,
				"grid": e.OnGrid(o, p.Block, layers.Slice(after, 1, 1, k+2))}
		})
		if p.By == vit.Deviation {
			wantDeviations(t, program.Output("before"), program.Output("score"))
		}
		for b := range 2 {
			all, s := program.Output("before").F64[b*(n+1)*w:], program.Output("score").F64[b*n:(b+1)*n]
			got := program.Output("after").F64[b*(k+2)*w : (b+1)*(k+2)*w]
			best := make([]int, n)
			for i := range best {
				best[i] = i
			}
			slices.SortStableFunc(best, func(i, j int) int {
				if s[i] > s[j] {
					return -1
				}
				return 1
			})
			kept, rest := slices.Sorted(slices.Values(best[:k])), best[k:]
			if index := program.Output("index").Int[b*k : (b+1)*k]; !slices.Equal(index, kept) {
				t.Errorf("%+v: kept %v, want %v", p, index, kept)
			}
			want := slices.Clone(all[:w])
			for _, i := range kept {
				want = append(want, all[(i+1)*w:(i+2)*w]...)
			}
			var sum float64
			for _, i := range rest {
				sum += s[i]
			}
			for j := range w {
				var v float64
				for _, i := range rest {
					v += s[i] / sum * all[(i+1)*w+j]
				}
				want = append(want, v)
			}
			for i := range want {
				if math.Abs(got[i]-want[i]) > 1e-12 {
					t.Fatalf("%+v image %d token %d: %g, want %g", p, b, i/w, got[i], want[i])
				}
			}
			grid := program.Output("grid").F64[b*n*w : (b+1)*n*w]
			for i := range n {
				at, remains := slices.BinarySearch(kept, i)
				if r := program.Output("remain").F64[b*n+i]; (r == 1) != remains {
					t.Errorf("%+v: patch %d remains %v", p, i, r)
				}
				for j := range w {
					if v := grid[i*w+j]; remains && v != got[(at+1)*w+j] || !remains && v != 0 {
						t.Fatalf("%+v: patch %d is %g on the grid", p, i, v)
					}
				}
			}
		}
	}
}

// wantDeviations checks the distances [B, N] of the patches of x [B, N+1, W] from
// their mean.
func wantDeviations(t *testing.T, x, got graph.Tensor) {
	t.Helper()
	rows, w := x.Shape[1], x.Shape[2]
	for b := range x.Shape[0] {
		for i := range rows - 1 {
			var sum float64
			for j := range w {
				var mean float64
				for k := range rows - 1 {
					mean += x.F64[(b*rows+k+1)*w+j] / float64(rows-1)
				}
				d := x.F64[(b*rows+i+1)*w+j] - mean
				sum += d * d
			}
			if d := got.F64[b*(rows-1)+i]; math.Abs(d-math.Sqrt(sum)) > 1e-12 {
				t.Errorf("image %d: patch %d is %g from the mean, want %g", b, i, d, math.Sqrt(sum))
			}
		}
	}
}

func TestPruneGradient(t *testing.T) {
	for _, p := range []vit.Prune{{Block: 1, Keep: .4}, {Block: 2, Keep: .1}, {Block: 1, Keep: .5, By: vit.Deviation}} {
		c := vit.Config{ImageSize: 9, PatchSize: 3, Width: 6, Layers: 3, Heads: 2, Embed: 4, Prune: p}
		optest.Check(t, optest.Case{
			Name: "pruned encoder", Inputs: []optest.Input{optest.Normal(2, 3, 9, 9)}, GradTol: 1e-6, F32Tol: 1e-4,
			SkipStock: "a constant is bound by the program alone",
			Build: func(s *graph.Scope, in []*graph.Node) *graph.Node {
				e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Seed: 4, Init: true}, c)
				o := e.Forward(in[0])
				return layers.Concat(1, o.Feature, layers.Reshape(e.PatchTokens(o), 2, 9*4))
			},
		})
	}
}

// Summary counts what is computed: blocks after pruning at k + 2 tokens.
func TestPruneFLOPs(t *testing.T) {
	flops := func(p vit.Prune) int64 {
		return pruned(t, p, func(_ *vit.Encoder, o vit.Output) map[string]*graph.Node {
			return map[string]*graph.Node{"feature": o.Feature}
		}).FLOPs()
	}
	const b, n, w, d = 2, 16, 8, 6
	block := func(rows int64) int64 { return b * (24*rows*w*w + 4*rows*rows*w) }
	last := func(rows int64) int64 { return b * (6*rows*w*w + 4*rows*rows*w + 18*w*w) } // CLS alone after the attention
	ends := int64(b * (2*n*3*4*4*w + 2*w*d))
	if got, want := flops(vit.Prune{}), 2*block(n+1)+last(n+1)+ends; got != want {
		t.Errorf("unpruned: %d, want %d", got, want)
	}
	score := int64(b * 2 * w * (n + 1)) // queries of CLS by all keys
	fuse := int64(b * 2 * n * w)
	if got, want := flops(vit.Prune{Block: 1, Keep: .25}), block(n+1)+block(4+2)+last(4+2)+ends+score+fuse; got != want {
		t.Errorf("pruned: %d, want %d", got, want)
	}
}

func TestPruneThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		p    vit.Prune
		want string
	}{
		{vit.Prune{Block: 3, Keep: .5}, "prune.block: 3, the image encoder has 3 blocks and one must follow: want 1 to 2, or 0 (off)"},
		{vit.Prune{Block: -1, Keep: .5}, "prune.block: -1"},
		{vit.Prune{Block: 1}, "prune.keep: 0, want above 0 and at most 1"},
		{vit.Prune{Block: 1, Keep: 1.5}, "prune.keep: 1.5"},
		{vit.Prune{Block: 1, Keep: math.NaN()}, "prune.keep: NaN"},
	} {
		bad := small
		bad.Prune = c.p
		err := graph.Try(func() { build(bad, 1, 16) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error is %v, want %s", c.p, err, c.want)
		}
	}
}
