package layers_test

import (
	"fmt"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// A token that counts several times is as if it stood there so often.
func TestProportionalAttention(t *testing.T) {
	for _, c := range []struct {
		b, n, w, heads int
		count          layers.Count
	}{
		{2, 5, 6, 3, layers.Count{Token: 3, Times: 4}}, {1, 1, 4, 2, layers.Count{Token: 0, Times: 3}}, {1, 33, 10, 1, layers.Count{Token: 32, Times: 7}},
		{2, 48, 8, 2, layers.Count{Token: 15, Times: 18}}, {1, 17, 5, 5, layers.Count{Token: 16, Times: 1}}, {2, 6, 8, 2, layers.Count{}}, {1, 300, 4, 1, layers.Count{Token: 170, Times: 2}},
	} {
		repeated := func(x *Node) *Node {
			parts := []*Node{x}
			for range c.count.Times - 1 {
				parts = append(parts, layers.Slice(x, 1, c.count.Token, c.count.Token+1))
			}
			if len(parts) == 1 {
				return x
			}
			return layers.Concat(1, parts...)
		}
		for name, of := range map[string]struct {
			counted, plain func(x *Node) *Node
			size           int
		}{
			"attention": {
				func(x *Node) *Node { return layers.ProportionalAttention(x, c.heads, c.count) },
				func(x *Node) *Node { return layers.Slice(layers.Attention(repeated(x), c.heads, false), 1, 0, c.n) },
				c.n * c.w,
			},
			"first attention": { // what the copies have is the token's
				func(x *Node) *Node { return layers.FirstAttention(x, c.heads, c.count) },
				func(x *Node) *Node {
					a, k := layers.FirstAttention(repeated(x), c.heads, layers.Count{}), c.count.Token
					own := layers.Slice(a, 2, k, k+1)
					if c.count.Times > 1 {
						copies := layers.Sum(layers.Slice(a, 2, c.n, c.n+c.count.Times-1), 2)
						own = layers.Add(own, layers.Reshape(copies, c.b, c.heads, 1))
					}
					if k > 0 {
						own = layers.Concat(2, layers.Slice(a, 2, 0, k), own)
					}
					if k+1 < c.n {
						own = layers.Concat(2, own, layers.Slice(a, 2, k+1, c.n))
					}
					return own
				},
				c.heads * c.n,
			},
		} {
			optest.Check(t, Case{Name: fmt.Sprint(name, " ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Build: one(of.counted)})
			optest.Check(t, Case{
				Name: fmt.Sprint(name, " less copies ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*of.size), WantTol: 1e-13,
				Build: one(func(x *Node) *Node { return layers.Sub(of.counted(x), of.plain(x)) }),
			})
		}
	}
	for _, c := range []layers.Count{{Token: 3, Times: 2}, {Token: -1, Times: 2}, {Token: 1, Times: -2}, {Token: 2}} {
		refuses(t, fmt.Sprint("attention ", c), func(s *graph.Scope) { layers.ProportionalAttention(x(s, 2, 3, 12), 2, c) }, "attention of [2,3,12]", "want at least once")
		refuses(t, fmt.Sprint("first attention ", c), func(s *graph.Scope) { layers.FirstAttention(x(s, 2, 3, 12), 2, c) }, "attention of the first token of [2,3,12]", "want at least once")
	}
}
