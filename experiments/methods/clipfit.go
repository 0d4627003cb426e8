package methods

import (
	"fmt"

	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

const clipfitKey = "clipfit"

func init() {
	Register(Row{
		Name: "clipfit", Learns: true, Images: true,
		Section: Section{Key: clipfitKey, Default: func() Settings { return &CLIPFit{Lambda: 8} }},
		New:     func(o Options) Method { return clipfit{Options: o, set: settings[CLIPFit](o, clipfitKey)} },
	})
}

// CLIPFit is how CLIP's own weights are tuned.
type CLIPFit struct {
	// Lambda weighs how far the classes' texts may leave those of the frozen encoder.
	Lambda float64 `yaml:"lambda"`
}

// Validate reports the first setting that cannot work.
func (c *CLIPFit) Validate() error {
	if c.Lambda < 0 {
		return fmt.Errorf("clipfit.lambda: found %g, want 0 or above", c.Lambda)
	}
	return nil
}

// clipfit adds nothing to CLIP: it tunes the biases of the second projection of the
// text encoder's MLPs and all LayerNorms of the image encoder, and keeps the texts
// of hand-written prompts near those of the frozen encoder (CLIPFit: Li et al.,
// arXiv 2409.16718, sections 3.2 and 3.3).
type clipfit struct {
	Options
	set CLIPFit
}

func (m clipfit) Text(c CLIP, cl Classes) *Node {
	for l := range c.Model.Text.Layers {
		c.Scope.Unfreeze(fmt.Sprintf("transformer.resblocks.%d.mlp.c_proj.bias", l))
	}
	return unit(c.Encoders.Text.Classes(cl.Prompts, textenc.Context{}, m.TextEncoder))
}

func (m clipfit) Image(c CLIP, _ Classes, images *Node) vit.Output {
	s := c.Scope.Sub("visual")
	norms := []string{"ln_pre", "ln_post"}
	for l := range c.Model.Vision.Layers {
		norms = append(norms, fmt.Sprintf("transformer.resblocks.%d.ln_1", l), fmt.Sprintf("transformer.resblocks.%d.ln_2", l))
	}
	for _, name := range norms {
		s.Unfreeze(name + ".weight")
		s.Unfreeze(name + ".bias")
	}
	return c.Vision.Forward(images)
}

func (m clipfit) Build(c CLIP, cl Classes, b Batch) Outputs {
	o := Outputs{Logits: compare(c, b.Features.Image, b.Text)}
	if b.Labels != nil {
		same := layers.Mean(layers.Sum(layers.Mul(b.Text, c.Scope.Const(cl.Text)), 1), 0) // mean cosine with the frozen texts
		drift := layers.Shift(layers.Scale(same, -1), 1)
		o.Loss = layers.Add(layers.CrossEntropy(o.Logits, b.Labels), layers.Scale(drift, m.set.Lambda))
		o.Groups = []optim.Group{m.sgd(c.Scope.Trainables()...)}
	}
	return o
}
