package spotlight_test

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/spotlight"
	"spotlighter/vit"
)

// The method over a frozen encoder: which tokens are kept, and the 21 scalars that
// training has beside the prompt.
func ExampleModel_Forward() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Init: true}, vit.Config{ImageSize: 64, PatchSize: 8, Width: 64, Layers: 5, Heads: 4, Embed: 64})
	pass := e.Forward(s.Input("images", graph.Float32, 16, 3, 64, 64))
	text := s.Input("text", graph.Float32, 10, 64) // unit features of ten classes

	c := spotlight.Default()
	c.Candidates = 1
	start := graph.NewTensor(graph.Float32, 10, c.Prototypes, 64)
	m := spotlight.New(s, c, e, 100, start)
	o := m.Forward(spotlight.Encode(c, e, pass), text)
	fmt.Println("score ", layers.ShapeOf(o.Score))
	fmt.Println("kept  ", layers.ShapeOf(o.Index))
	fmt.Println("logits", layers.ShapeOf(o.Logits))
	n := 0
	for _, v := range s.Trainables() {
		n += v.Value.Len()
	}
	fmt.Println(n, "scalars")
	// Output:
	// score  (16, 64)
	// kept   (16, 5)
	// logits (16, 10)
	// 21 scalars
}

// A setting that cannot work is named by its key.
func ExampleConfig_Validate() {
	c := spotlight.Default()
	c.Level1 = 9
	fmt.Println(c.Validate())
	c = spotlight.Default()
	c.Read = "rereed"
	fmt.Println(c.Validate())
	// Output:
	// spotlight.level1: 9, want 1 to keep (5)
	// spotlight.read: "rereed" is none of reread, pool, tokens
}

// A program can rank the tokens by a score of its own: here by their length alone,
// under the key spotlight.activation.
func ExampleRegisterActivation() {
	spotlight.RegisterActivation("example-length", func(s spotlight.Sight) *spotlight.Node {
		return s.Spread(layers.Sum(layers.Square(s.Tokens), 2)) // [B, N]
	})
	c := spotlight.Default()
	c.Activation, c.SampleWise, c.SemanticWise = "example-length", false, false
	fmt.Println(c.Validate())
	// Output:
	// <nil>
}
