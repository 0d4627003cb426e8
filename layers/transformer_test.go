package layers_test

import (
	"fmt"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

func TestBlock(t *testing.T) {
	for _, c := range []struct {
		name          string
		causal, exact bool
	}{{"vision", false, false}, {"text", true, false}, {"exact GELU", false, true}} {
		optest.Check(t, Case{
			Name: c.name, Inputs: []Input{normal(2, 5, 6)}, GradTol: 1e-6,
			Build: func(s *graph.Scope, in []*Node) *Node {
				w := layers.Weights{Kind: graph.Trainable, Seed: 3, Init: true}
				b := layers.NewBlock(s.Sub("block"), w, layers.BlockConfig{Width: 6, Heads: 2, Hidden: 8, Layers: 2, ExactGELU: c.exact})
				out, qkv := b.Forward(in[0], c.causal)
				if !slices.Equal(layers.ShapeOf(qkv), graph.Shape{2, 5, 18}) {
					t.Errorf("queries, keys and values are %v", layers.ShapeOf(qkv))
				}
				return out
			},
			SkipStock: "the block's own variables are not bound there",
		})
	}
}

// A checkpoint finds the block's variables by OpenAI's names.
func TestBlockNames(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	layers.NewBlock(s.Sub("resblocks").Sub("0"), layers.Weights{}, layers.BlockConfig{Width: 4, Heads: 2, Hidden: 16, Layers: 1})
	var got []string
	for _, v := range s.Store().Variables() {
		got = append(got, v.Name)
		if v.Kind != graph.Frozen || v.Value.Shape != nil {
			t.Errorf("%s is %v and has a value before it is loaded", v.Name, v.Kind)
		}
	}
	var want []string
	for _, n := range []string{"attn.in_proj_bias", "attn.in_proj_weight", "attn.out_proj.bias", "attn.out_proj.weight", "ln_1.bias", "ln_1.weight",
		"ln_2.bias", "ln_2.weight", "mlp.c_fc.bias", "mlp.c_fc.weight", "mlp.c_proj.bias", "mlp.c_proj.weight"} {
		want = append(want, "resblocks.0."+n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("names are %v, want %v", got, want)
	}
}

func TestHeads(t *testing.T) {
	for i := range 3 {
		optest.Check(t, Case{
			Name: "part " + string(rune('0'+i)), Inputs: []Input{normal(2, 3, 12)},
			Build: one(func(x *Node) *Node { return layers.SplitHeads(x, i, 2) }),
		})
	}
	optest.Check(t, Case{
		Name: "fixture", Inputs: []Input{optest.Floats([]float64{0, 0, 1, 2, 0, 0, 0, 0, 3, 4, 0, 0}, 1, 2, 6)}, Want: []float64{1, 3, 2, 4},
		Build: one(func(x *Node) *Node { return layers.SplitHeads(x, 1, 2) }),
	})
	for _, c := range []struct{ b, n, w, heads, part int }{{2, 5, 6, 3, 1}, {1, 1, 4, 2, 2}, {3, 2, 5, 1, 0}, {2, 33, 24, 2, 2}} {
		optest.Check(t, Case{
			Name: fmt.Sprint("less slices ", c), Inputs: []Input{normal(c.b, c.n, 3*c.w)}, Want: make([]float64, c.b*c.n*c.w),
			Build: one(func(x *Node) *Node {
				got := layers.SplitHeads(x, c.part, c.heads)
				x = layers.Slice(x, 2, c.part*c.w, (c.part+1)*c.w)
				return layers.Sub(got, layers.Transpose(layers.Reshape(x, c.b, c.n, c.heads, c.w/c.heads), 0, 2, 1, 3))
			}),
		})
	}
	refuses(t, "split heads", func(s *graph.Scope) { layers.SplitHeads(x(s, 2, 3, 12), 1, 3) }, "split heads of [2,3,12]", "part 1 of 3 heads")
	optest.Check(t, Case{
		Name: "there and back", Inputs: []Input{normal(2, 3, 4, 5)},
		Build: one(func(x *Node) *Node { return layers.JoinHeads(x) }),
	})
}
