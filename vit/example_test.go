package vit_test

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/vit"
)

// The shapes of ViT-B/16, from pixels to the feature. Nothing is computed: a graph
// knows its shapes when it is built.
func ExampleEncoder_Forward() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen},
		vit.Config{ImageSize: 224, PatchSize: 16, Width: 768, Layers: 12, Heads: 12, Embed: 512})
	o := e.Forward(s.Input("images", graph.Float32, 4, 3, 224, 224))
	fmt.Println("tokens  ", layers.ShapeOf(o.Tokens[0]))
	fmt.Println("CLS     ", layers.ShapeOf(o.Class))
	fmt.Println("feature ", layers.ShapeOf(o.Feature))
	fmt.Println("patches ", layers.ShapeOf(e.PatchTokens(o)))
	fmt.Println("attends ", layers.ShapeOf(e.ClassAttention(o, 11)))
	// Output:
	// tokens   (4, 197, 768)
	// CLS      (4, 768)
	// feature  (4, 512)
	// patches  (4, 196, 512)
	// attends  (4, 12, 197)
}

// Half of the patches are dropped after the sixth block: the last six run on 98 of
// them and one token that the others are fused into.
func ExamplePrune() {
	c := vit.Config{ImageSize: 224, PatchSize: 16, Width: 768, Layers: 12, Heads: 12, Embed: 512, Prune: vit.Prune{Block: 6, Keep: .5}}
	fmt.Println(c.Rows(5), c.Rows(6), c.Kept())
	// Output:
	// 196 99 98
}
