package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// Models are the sizes of OpenAI's models.
var Models = map[string]struct {
	Vision vit.Config
	Text   textenc.Config
}{
	"B/32": {visionOf(768, 12, 32, 512), textOf(512, 512)},
	"B/16": {visionOf(768, 12, 16, 512), textOf(512, 512)},
	"L/14": {visionOf(1024, 24, 14, 768), textOf(768, 768)},
}

func visionOf(width, depth, patch, embed int) vit.Config {
	return vit.Config{ImageSize: 224, PatchSize: patch, Width: width, Layers: depth, Heads: width / 64, Embed: embed}
}

func textOf(width, embed int) textenc.Config {
	return textenc.Config{Vocabulary: textenc.VocabSize, Context: textenc.ContextLength, Width: width, Layers: 12, Heads: width / 64, Embed: embed}
}

// random makes the model of that name, the towers that are asked for.
func random(model string, vision, text bool) (*clip.Model, error) {
	sizes, ok := Models[model]
	if !ok {
		return nil, fmt.Errorf("model %q: want one of %s", model, strings.Join(slices.Sorted(maps.Keys(Models)), ", "))
	}
	return clip.Random(sizes.Vision, sizes.Text, 1, vision, text)
}

// ImageResult is the image encoder's speed.
type ImageResult struct {
	Model  string  `json:"model"`
	Batch  int     `json:"batch"`
	Images float64 `json:"images_per_s"`
	GFLOPs float64 `json:"gflops"`
	Share  float64 `json:"share"` // of the limit, measured beside
	Peak   int64   `json:"peak_bytes"`
	Times
}

// Image measures the frozen image encoder of a model with random weights.
func Image(ctx context.Context, on On, model string, batch int, e Effort) (ImageResult, error) {
	r := ImageResult{Model: model, Batch: batch}
	m, err := random(model, true, false)
	if err != nil {
		return r, err
	}
	s, enc, err := on.over(m).Scope()
	if err != nil {
		return r, err
	}
	s.Called("encode")
	var out *graph.Node
	side := m.Vision.ImageSize
	if err := graph.Try(func() {
		out = enc.Vision.Forward(s.Input("images", graph.Float32, batch, 3, side, side)).Feature
	}); err != nil {
		return r, err
	}
	p, err := s.Compile(on.Pool, map[string]*graph.Node{"image": out})
	if err != nil {
		return r, err
	}
	feeds := drawn(p.Feeds())
	if r.Times, err = measure(ctx, e, func() error { return p.Run(ctx, feeds) }); err != nil {
		return r, err
	}
	path, _ := cpu.Path()
	r.Images, r.GFLOPs, r.Peak = float64(batch)/r.Median, float64(p.FLOPs())/r.Median/1e9, on.peak()
	if l := max(limit(on.Pool, path), limit(on.Pool, path), limit(on.Pool, path)); l > 0 {
		r.Share = r.GFLOPs / l
	}
	return r, nil
}

// drawn fills floats with normal numbers.
func drawn(feeds map[string]graph.Tensor) map[string]graph.Tensor {
	for name, t := range feeds {
		if t.Dtype == graph.Float32 {
			graph.Normal(1, 1)(name, t.F32)
		}
	}
	return feeds
}
