package layers_test

import (
	"fmt"
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// caches are shapes of rows and of what they read: images, rows, tokens, width,
// heads, and for how many tokens there is a bias.
var caches = []struct{ b, m, n, w, heads, bias int }{
	{2, 3, 5, 6, 3, 5}, {1, 1, 1, 1, 1, 1}, {1, 5, 64, 8, 2, 64}, {3, 2, 9, 10, 2, 4}, {2, 33, 4, 6, 1, 1}, {1, 2, 70, 64, 2, 70},
}

// parts are queries of rows, and keys and values of rows and of a cache, by head.
func parts(qkv, cache *Node, heads int) (q, k, v, keys, values *Node) {
	s, c := layers.ShapeOf(qkv), layers.ShapeOf(cache)
	w := s[2] / 3
	if c[2] == 3*w {
		cache = layers.Slice(cache, 1, 1, c[1])
	} else { // queries that nothing reads
		cache = layers.Concat(2, layers.Slice(cache, 2, 0, w), cache)
	}
	split := layers.SplitHeads
	return split(qkv, 0, heads), split(qkv, 1, heads), split(qkv, 2, heads), split(cache, 1, heads), split(cache, 2, heads)
}

func TestCacheWeights(t *testing.T) {
	for _, c := range caches {
		for kind, shape := range map[string][]int{"packed": {c.b, c.n + 1, 3 * c.w}, "kept": {c.b, c.n, 2 * c.w}} {
			inputs := []Input{normal(c.b, c.m, 3*c.w), normal(shape...), normal(c.b, c.m, c.bias)}
			weights := func(in []*Node) *Node { return layers.CacheWeights(in[0], in[1], in[2], c.heads) }
			optest.Check(t, Case{
				Name: fmt.Sprint("cache weights, ", kind, " ", c), Inputs: inputs,
				Build: func(_ *graph.Scope, in []*Node) *Node { return weights(in) },
			})
			optest.Check(t, Case{
				Name: fmt.Sprint("less parts, ", kind, " ", c), Inputs: inputs, Want: make([]float64, c.b*c.m*c.heads*(1+c.n)), WantTol: 1e-14,
				Build: func(_ *graph.Scope, in []*Node) *Node {
					q, k, _, keys, _ := parts(in[0], in[1], c.heads) // [B, H, M, d], [B, H, N, d]
					own := layers.Reshape(layers.Sum(layers.Mul(q, k), 3), c.b, c.heads, c.m, 1)
					logits := layers.Scale(layers.Concat(3, own, layers.MatMul(q, keys, false, true)), 1/math.Sqrt(float64(c.w/c.heads)))
					bias := layers.Reshape(in[2], c.b, 1, c.m, c.bias)
					some := layers.Add(layers.Slice(logits, 3, 1, 1+c.bias), bias)
					all := []*Node{layers.Slice(logits, 3, 0, 1), some}
					if c.bias < c.n {
						all = append(all, layers.Slice(logits, 3, 1+c.bias, 1+c.n))
					}
					return layers.Sub(weights(in), layers.Transpose(layers.Softmax(layers.Concat(3, all...)), 0, 2, 1, 3))
				},
			})
		}
	}
	// softmax([1*2, 1*1 + ln 2, 1*0]), by hand
	sum := math.Exp(2) + 2*math.E + 1
	optest.Check(t, Case{
		Name: "fixture", Want: []float64{math.Exp(2) / sum, 2 * math.E / sum, 1 / sum}, WantTol: 1e-8,
		Inputs: []Input{optest.Floats([]float64{1, 2, 9}, 1, 1, 3), optest.Floats([]float64{7, 7, 7, 7, 1, 7, 7, 0, 7}, 1, 3, 3), optest.Floats([]float64{math.Ln2}, 1, 1, 1)},
		Build:  func(_ *graph.Scope, in []*Node) *Node { return layers.CacheWeights(in[0], in[1], in[2], 1) },
	})
	optest.Check(t, Case{
		Name: "far logits", Inputs: []Input{spread(6, 1, 3, 12), spread(7, 1, 70, 8), normal(1, 3, 70)}, F32Tol: 1e-4, GradTol: 1e-5,
		Build: func(_ *graph.Scope, in []*Node) *Node { return layers.CacheWeights(in[0], in[1], in[2], 2) },
	})
}

func TestCacheValues(t *testing.T) {
	for _, c := range caches {
		for kind, shape := range map[string][]int{"packed": {c.b, c.n + 1, 3 * c.w}, "kept": {c.b, c.n, 2 * c.w}} {
			inputs := []Input{normal(c.b, c.m, c.heads, 1+c.n), normal(c.b, c.m, 3*c.w), normal(shape...)}
			mix := func(in []*Node) *Node { return layers.CacheValues(in[0], in[1], in[2]) }
			optest.Check(t, Case{
				Name: fmt.Sprint("cache values, ", kind, " ", c), Inputs: inputs,
				Build: func(_ *graph.Scope, in []*Node) *Node { return mix(in) },
			})
			optest.Check(t, Case{
				Name: fmt.Sprint("less parts, ", kind, " ", c), Inputs: inputs, Want: make([]float64, c.b*c.m*c.w), WantTol: 1e-13,
				Build: func(_ *graph.Scope, in []*Node) *Node {
					_, _, v, _, values := parts(in[1], in[2], c.heads)
					a := layers.Transpose(in[0], 0, 2, 1, 3) // [B, H, M, 1+N]
					y := layers.Mul(layers.Slice(a, 3, 0, 1), v)
					y = layers.Add(y, layers.MatMul(layers.Slice(a, 3, 1, 1+c.n), values, false, false))
					return layers.Sub(mix(in), layers.JoinHeads(y))
				},
			})
		}
	}
	optest.Check(t, Case{
		Name: "fixture", Want: []float64{.5*8 + .25*4 - .125*16}, WantTol: 1e-14,
		Inputs: []Input{optest.Floats([]float64{.5, .25, -.125}, 1, 1, 1, 3), optest.Floats([]float64{9, 9, 8}, 1, 1, 3), optest.Floats([]float64{9, 4, 9, 16}, 1, 2, 2)},
		Build:  func(_ *graph.Scope, in []*Node) *Node { return layers.CacheValues(in[0], in[1], in[2]) },
	})
}

// Rows that read a pass of their own, without a bias, attend as its first token did.
func TestCacheOfOnePass(t *testing.T) {
	const b, n, w, heads = 2, 7, 6, 3
	optest.Check(t, Case{
		Name: "less attention", Inputs: []Input{normal(b, n, 3*w)}, Want: make([]float64, b*w), WantTol: 1e-14,
		Build: one(func(x *Node) *Node {
			first := layers.Slice(x, 1, 0, 1)
			none := layers.Scale(layers.Slice(first, 2, 0, n-1), 0)
			y := layers.CacheValues(layers.CacheWeights(first, x, none, heads), first, x)
			return layers.Sub(y, layers.Slice(layers.Attention(x, heads, false), 1, 0, 1))
		}),
	})
}

func TestCacheRefusals(t *testing.T) {
	weights := func(rows, cache, bias []int, heads int) func(s *graph.Scope) {
		return func(s *graph.Scope) { layers.CacheWeights(x(s, rows...), x(s, cache...), x(s, bias...), heads) }
	}
	refuses(t, "width", weights([]int{2, 3, 12}, []int{2, 5, 9}, []int{2, 3, 5}, 2), "weights over a cache of [2,3,12] and [2,5,9]", "width 8 or 12")
	refuses(t, "images", weights([]int{2, 3, 12}, []int{1, 5, 8}, []int{2, 3, 5}, 2), "a cache [B, N, 2W]")
	refuses(t, "heads", weights([]int{2, 3, 12}, []int{2, 5, 8}, []int{2, 3, 5}, 3), "3 heads")
	refuses(t, "nothing", weights([]int{2, 3, 12}, []int{2, 1, 12}, []int{2, 3, 1}, 2), "at least one token")
	refuses(t, "bias", weights([]int{2, 3, 12}, []int{2, 5, 8}, []int{2, 3, 6}, 2), "want a bias [2, 3, R] of R of 5 tokens")
	refuses(t, "mix", func(s *graph.Scope) { layers.CacheValues(x(s, 2, 3, 2, 5), x(s, 2, 3, 12), x(s, 2, 5, 8)) },
		"values of a cache of [2,3,2,5]", "want weights [2, 3, H, 6], H a divisor of 4")
}
