package methods

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/textenc"
)

const cocoopKey = "cocoop"

func init() {
	Register(Row{
		Name: "cocoop", Learns: true,
		Section: Section{Key: cocoopKey, Default: func() Settings { return &CoCoOp{Start: startWords, Reduction: 16} }},
		New:     func(o Options) Method { return cocoop{Options: o, set: settings[CoCoOp](o, cocoopKey)} },
	})
}

// CoCoOp is what context that depends on the image looks like.
type CoCoOp struct {
	Start  string `yaml:"start"`  // as of CoOp
	Length int    `yaml:"length"` // as of CoOp
	// Reduction is by how much the net that reads the image narrows its feature.
	Reduction int `yaml:"reduction"`
}

// Validate reports the first setting that cannot work.
func (c *CoCoOp) Validate() error {
	switch {
	case c.Start != startWords && c.Start != startRandom:
		return fmt.Errorf("cocoop.start: %q is none of %s, %s", c.Start, startWords, startRandom)
	case c.Length < 0:
		return fmt.Errorf("cocoop.length: found %d, want at least 0 (as many as train.context has)", c.Length)
	case c.Length > 0 && c.Start == startWords:
		return fmt.Errorf("cocoop.length: found %d, want 0 (as many as train.context has) under cocoop.start %s", c.Length, startWords)
	case c.Reduction < 1:
		return fmt.Errorf("cocoop.reduction: found %d, want at least 1", c.Reduction)
	}
	return nil
}

// cocoop shifts learned context by what a small net makes of the image's feature,
// so that each image has texts of its own (CoCoOp: Zhou et al., arXiv 2203.05557,
// section 3.2).
type cocoop struct {
	frozenVision
	Options
	set CoCoOp
}

// Text is nil: the texts depend on the image.
func (cocoop) Text(CLIP, Classes) *Node { return nil }

func (m cocoop) Build(c CLIP, cl Classes, b Batch) Outputs {
	image := b.Features.Image // [B, D]
	n, d := layers.ShapeOf(image)[0], layers.ShapeOf(image)[1]
	context := m.context(c, m.set.Start, m.set.Length, 0) // [M, W]
	w := layers.ShapeOf(context)[1]
	shift := m.net(c, image, d, max(1, d/m.set.Reduction), w)
	context = layers.Add(layers.Reshape(shift, n, 1, w), layers.Reshape(context, 1, -1, w)) // [B, M, W]
	text := unit(c.Encoders.Text.Classes(cl.Prompts, textenc.Context{Vectors: context, Over: textenc.EachImage}, m.TextEncoder))
	logits := compare(c, layers.Reshape(image, n, 1, d), text) // [B, 1, C]
	o := Outputs{Logits: layers.Reshape(logits, n, len(cl.Names))}
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = append(o.Groups, m.sgd(c.Scope.Trainables()...))
	}
	return o
}

// net maps unit features [B, D] to shifts of the context [B, W]: Linear, ReLU,
// Linear, which start as PyTorch's do.
func (m cocoop) net(c CLIP, x *Node, in, hidden, out int) *Node {
	s := c.Scope.Sub(promptScope).Sub("meta_net")
	linear := func(name string, x *Node, in, out int) *Node {
		bound := 1 / math.Sqrt(float64(in))
		l, init := s.Sub(name), graph.Uniform(m.Seed, -bound, bound)
		return layers.Linear(x, l.Var("weight", graph.Trainable, init, out, in), l.Var("bias", graph.Trainable, init, out))
	}
	return linear("linear2", layers.ReLU(linear("linear1", x, in, hidden)), hidden, out)
}
