package vit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/vit"
)

const tol = 1e-4 // of the largest element

// tower is an encoder with weights, under OpenAI's names, and images.
type tower struct {
	config vit.Config
	values map[string]graph.Tensor // all of the CLIP
	images graph.Tensor
}

// run encodes the images and returns every intermediate by name: tokens.0 to
// tokens.L, attention.0 on, patches, class (after ln_post and projection) and
// all (the same of every token).
func (x tower) run(t *testing.T) *graph.Program {
	t.Helper()
	store := graph.NewStore(nil)
	s := graph.New(store, graph.Float32)
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen}, x.config)
	own := map[string]graph.Tensor{}
	for n, v := range x.values {
		if strings.HasPrefix(n, "visual.") {
			own[n] = v
		}
	}
	if err := store.Load(own); err != nil {
		t.Fatal(err)
	}
	o := e.Forward(s.Input("images", graph.Float32, x.images.Shape...))
	last := o.Tokens[x.config.Layers]
	out := map[string]*graph.Node{
		"feature": o.Feature, "patches": e.PatchTokens(o), "last": last, "all": e.Head(last),
		"pooled": e.Post.Forward(layers.Reshape(layers.Slice(last, 1, 0, 1), x.images.Shape[0], x.config.Width)),
	}
	for l, n := range o.Tokens {
		out[fmt.Sprintf("tokens.%d", l)] = n
		out[fmt.Sprintf("projected.%d", l)] = e.Head(n)
	}
	for l := range x.config.Layers {
		out[fmt.Sprintf("attention.%d", l)] = e.ClassAttention(o, l)
	}
	p, err := s.Compile(cpu.NewPool(2), out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), map[string]graph.Tensor{"images": x.images}); err != nil {
		t.Fatal(err)
	}
	return p
}

// A CLIPModel of the transformers library; its numbers are in
// fixtures/hf_clip_tiny of the shared data. Its heads are not width/64.
func TestHuggingFace(t *testing.T) {
	io, model := fixture.Open(t, "fixtures/hf_clip_tiny/io.safetensors"), fixture.Open(t, "fixtures/hf_clip_tiny/model.safetensors")
	named, err := weights.HFToOpenAI(model.File)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]graph.Tensor{}
	for n, v := range named {
		values[n] = graph.Floats(v.Data, v.Shape...)
	}
	c := vit.Config{ImageSize: 32, PatchSize: 8, Width: 64, Layers: 2, Heads: 4, Embed: 40}
	p := tower{c, values, io.Tensor("pixel_values")}.run(t)
	for l := range 3 {
		fixture.Near(t, fmt.Sprint("block ", l), p.Output(fmt.Sprint("tokens.", l)), io.Tensor(fmt.Sprint("vision_hidden_", l)), tol)
	}
	for name, want := range map[string]string{
		"last": "vision_last_hidden_state", "pooled": "vision_pooler_output",
		"feature": "image_features_unnormalised", "all": "patch_tokens_projected",
	} {
		fixture.Near(t, name, p.Output(name), io.Tensor(want), tol)
	}
	fixture.Near(t, "patches", p.Output("patches"), rows(io.Tensor("patch_tokens_projected"), 1, 17), tol)
	for l := range 2 { // [B, H, 17, 17]: the row of CLS
		a := io.Tensor(fmt.Sprint("vision_attn_", l))
		want := graph.NewTensor(graph.Float32, 3, 4, 17)
		for i := range 3 * 4 {
			copy(want.F32[i*17:(i+1)*17], a.F32[i*17*17:])
		}
		fixture.Near(t, fmt.Sprint("attention ", l), p.Output(fmt.Sprint("attention.", l)), want, tol)
	}
}

// The random CLIP of the published program, run in float32 by PyTorch; see
// fixtures/release.
func TestRelease(t *testing.T) {
	forward, in := fixture.Open(t, "fixtures/release/forward.safetensors"), fixture.Open(t, "fixtures/release/inputs.safetensors")
	model := fixture.Open(t, "fixtures/release/tiny_clip.safetensors")
	values := map[string]graph.Tensor{}
	for _, n := range model.Names() {
		if strings.HasPrefix(n, "visual.") {
			values[n] = model.Tensor(n)
		}
	}
	c := vit.Config{ImageSize: 32, PatchSize: 8, Width: 128, Layers: 2, Heads: 2, Embed: 64}
	p := tower{c, values, in.Tensor("images")}.run(t)
	forward.Near("shared.vision.image_features_raw", p.Output("feature"), tol)
	for l := range 2 {
		block := fmt.Sprintf("shared.vision.block%d.", l)
		forward.Near(block+"residual", p.Output(fmt.Sprint("tokens.", l+1)), tol)
		forward.Near(block+"tokens", p.Output(fmt.Sprint("projected.", l+1)), tol)
		a := p.Output(fmt.Sprint("attention.", l)) // [6, 2, 17]
		mean := graph.NewTensor(graph.Float32, 6, 16)
		for b := range 6 {
			for n := range 16 {
				mean.F32[b*16+n] = (a.F32[(2*b)*17+n+1] + a.F32[(2*b+1)*17+n+1]) / 2
			}
		}
		forward.Near(block+"cls_attn", mean, tol)
	}
}

// rows are rows [lo, hi) of the second axis.
func rows(x graph.Tensor, lo, hi int) graph.Tensor {
	b, n, w := x.Shape[0], x.Shape[1], x.Shape[2]
	y := graph.NewTensor(graph.Float32, b, hi-lo, w)
	for i := range b {
		copy(y.F32[i*(hi-lo)*w:(i+1)*(hi-lo)*w], x.F32[(i*n+lo)*w:])
	}
	return y
}

func TestSizesThatDoNotFit(t *testing.T) {
	fits := vit.Config{ImageSize: 8, PatchSize: 4, Width: 8, Layers: 1, Heads: 2, Embed: 4}
	for name, change := range map[string]func(*vit.Config){
		"patch":    func(c *vit.Config) { c.PatchSize = 3 },
		"no patch": func(c *vit.Config) { c.PatchSize = 0 },
		"no image": func(c *vit.Config) { c.ImageSize = 0 },
		"heads":    func(c *vit.Config) { c.Heads = 3 },
		"no heads": func(c *vit.Config) { c.Heads = 0 },
		"layers":   func(c *vit.Config) { c.Layers = 0 },
		"embed":    func(c *vit.Config) { c.Embed = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			c := fits
			change(&c)
			err := graph.Try(func() { build(c, 2, 8) })
			if err == nil || !strings.Contains(err.Error(), "image encoder: sizes do not fit") {
				t.Errorf("error is %v", err)
			}
		})
	}
	if err := graph.Try(func() { build(fits, 2, 8) }); err != nil {
		t.Error(err)
	}
	err := graph.Try(func() { build(fits, 2, 12) })
	for _, words := range []string{"image encoder of [2,3,12,12] in visual, at vit/encoder_test.go:", "images give 9 patches, want 4"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("larger images: error is %v, want one that says %q", err, words)
		}
	}
}

func build(c vit.Config, batch, side int) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen}, c)
	e.Forward(s.Input("images", graph.Float32, batch, 3, side, side))
}
