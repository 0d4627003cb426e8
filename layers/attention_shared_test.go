package layers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestSharedAttention(t *testing.T) {
	for _, c := range []struct {
		w, heads, prefix int
		lengths          []int
	}{
		{1, 1, 1, []int{1}}, {4, 2, 3, []int{1}}, {6, 3, 1, []int{4, 1, 2}}, {4, 4, 5, []int{2, 2, 2}},
		{4, 2, 2, []int{40, 9, 50, 1, 1}}, // several groups, one longer than a group should be
		{1, 1, 2, []int{70, 40, 35}},      // tiles between the prefix and a text
	} {
		rows := c.prefix
		for _, n := range c.lengths {
			rows += n
		}
		for _, batch := range [][]int{nil, {1}, {3}, {2, 2}} {
			optest.Check(t, Case{
				Name: fmt.Sprint(c, batch), Inputs: []Input{normal(append(batch, rows, 3*c.w)...)},
				Build: one(func(x *Node) *Node { return layers.SharedAttention(x, c.heads, c.prefix, c.lengths) }),
			})
			if rows > 50 {
				break // one shape of it takes long enough
			}
		}
	}
}

// So many rows that a card sums the gradients of the prefix in parts.
func TestSharedAttentionOfMany(t *testing.T) {
	const w, heads, prefix, texts, length = 2, 2, 3, 66, 8
	optest.Check(t, Case{
		Name: "many", Inputs: []Input{normal(prefix+texts*length, 3*w)},
		Build: one(func(x *Node) *Node {
			return layers.SharedAttention(x, heads, prefix, slices.Repeat([]int{length}, texts))
		}),
	})
}

// Sets of texts do not see each other.
func TestSharedAttentionOfSets(t *testing.T) {
	const w, heads, p, rows = 4, 2, 2, 2 + 47 + 3
	lengths := []int{47, 3} // two groups
	optest.Check(t, Case{
		Name: "sets less one by one", Inputs: []Input{normal(2, rows, 3*w)}, Want: make([]float64, 2*rows*w), WantTol: 1e-14,
		Build: one(func(x *Node) *Node {
			var sets []*Node
			for b := range 2 {
				one := layers.Reshape(layers.Slice(x, 0, b, b+1), rows, 3*w)
				sets = append(sets, layers.Reshape(layers.SharedAttention(one, heads, p, lengths), 1, rows, w))
			}
			return layers.Sub(layers.SharedAttention(x, heads, p, lengths), layers.Concat(0, sets...))
		}),
	})
}

// Each text's rows are those of its own attention over prefix and text, with
// the gradients of both.
func TestSharedAttentionOfTexts(t *testing.T) {
	const w, heads, p = 6, 3, 3
	lengths := []int{2, 47, 1, 5}
	optest.Check(t, Case{
		Name: "shared less one by one", Inputs: []Input{normal(p+2+47+1+5, 3*w)}, Want: make([]float64, (p+2+47+1+5)*w), WantTol: 1e-14,
		Build: one(func(x *Node) *Node {
			prefix := layers.Slice(x, 0, 0, p)
			alone := func(x *Node) *Node {
				n := layers.ShapeOf(x)[0]
				return layers.Reshape(layers.Attention(layers.Reshape(x, 1, n, 3*w), heads, true), n, w)
			}
			parts, at := []*Node{alone(prefix)}, p
			for _, n := range lengths {
				text := alone(layers.Concat(0, prefix, layers.Slice(x, 0, at, at+n)))
				parts, at = append(parts, layers.Slice(text, 0, p, p+n)), at+n
			}
			return layers.Sub(layers.SharedAttention(x, heads, p, lengths), layers.Concat(0, parts...))
		}),
	})
}

func TestSharedAttentionRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		rows, prefix int
		lengths      []int
	}{"rows": {6, 2, []int{3}}, "prefix": {3, 0, []int{3}}, "a text of none": {5, 2, []int{3, 0}}} {
		err := graph.Try(func() {
			s := graph.New(graph.NewStore(nil), graph.Float32)
			layers.SharedAttention(s.Input("x", graph.Float32, c.rows, 6), 2, c.prefix, c.lengths)
		})
		if err == nil || !strings.Contains(err.Error(), "shared attention") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
