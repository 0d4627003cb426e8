package clip

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/textenc"
	"spotlighter/vit"
	"spotlighter/vit/preprocess"
)

// Random returns a CLIP of those sizes that knows nothing: its weights are drawn
// as CLIP's training starts them. It serves measurements of speed and memory. The
// towers that are not asked for have no weights and cannot run.
func Random(v vit.Config, t textenc.Config, seed uint64, vision, text bool) (*Model, error) {
	tokenizer, err := textenc.NewTokenizer()
	if err != nil {
		return nil, err
	}
	m := &Model{
		Name: "random weights", Vision: v, Text: t, Transform: preprocess.CLIP(v.ImageSize), Scale: 1 / .07,
		store: graph.NewStore(nil), tokenizer: tokenizer,
	}
	err = graph.Try(func() {
		s := graph.New(m.store, graph.Float32)
		w := layers.Weights{Kind: graph.Frozen, Seed: seed, Init: vision}
		m.Vision = vit.New(s.Sub("visual"), w, v).Config
		w.Init = text
		m.Text = textenc.New(s, w, t).Config
		s.Var("logit_scale", w.Kind, graph.Fill(float32(math.Log(m.Scale))))
	})
	return m, err
}
