package clip

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// Shape is the sizes of a CLIP.
type Shape struct {
	Vision vit.Config
	Text   textenc.Config
}

var (
	base  = textenc.Config{Vocabulary: textenc.VocabSize, Context: 77, Width: 512, Layers: 12, Heads: 8, Embed: 512}
	large = textenc.Config{Vocabulary: textenc.VocabSize, Context: 77, Width: 768, Layers: 12, Heads: 12, Embed: 768}
)

// shapes are those that were published (arXiv 2103.00020, table 20).
var shapes = map[string]Shape{
	"ViT-B/32": {vit.Config{ImageSize: 224, PatchSize: 32, Width: 768, Layers: 12, Heads: 12, Embed: 512}, base},
	"ViT-B/16": {vit.Config{ImageSize: 224, PatchSize: 16, Width: 768, Layers: 12, Heads: 12, Embed: 512}, base},
	"ViT-L/14": {vit.Config{ImageSize: 224, PatchSize: 14, Width: 1024, Layers: 24, Heads: 16, Embed: 768}, large},
}

// ShapeOf is the published shape of that name: ViT-B/32, ViT-B/16 or ViT-L/14.
func ShapeOf(name string) (Shape, error) {
	s, ok := shapes[name]
	if !ok {
		return s, fmt.Errorf("%q, want ViT-B/32, ViT-B/16 or ViT-L/14", name)
	}
	return s, nil
}

// Blank returns a CLIP of that shape whose weights are all 0, for graphs that are
// built to be looked at and are not run: nothing is drawn, and memory that nobody
// writes is not taken.
func (s Shape) Blank() (*Model, error) {
	m, err := Random(s.Vision, s.Text, 0, false, false)
	if err != nil {
		return nil, err
	}
	for _, v := range m.store.Variables() {
		if v.Value.F32 == nil {
			v.Value = graph.NewTensor(graph.Float32, v.Type.Shape...)
		}
	}
	return m, nil
}
