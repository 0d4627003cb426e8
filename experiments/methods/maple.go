package methods

import (
	"fmt"

	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

const mapleKey = "maple"

func init() {
	Register(Row{
		Name: "maple", Learns: true, Images: true,
		Section: Section{Key: mapleKey, Default: func() Settings { return &MaPLe{Tokens: 2, Depth: 9, Std: .02} }},
		New:     func(o Options) Method { return maple{Options: o, set: settings[MaPLe](o, mapleKey)} },
	})
}

// MaPLe is how many prompts are learned, and where.
type MaPLe struct {
	Tokens int     `yaml:"tokens"` // M, learned in the place of the first of the context words
	Depth  int     `yaml:"depth"`  // blocks of both encoders that read prompts of their own
	Std    float64 `yaml:"std"`    // of the normal draws that deep prompts start from
}

// Validate reports the first setting that cannot work.
func (s *MaPLe) Validate() error {
	switch {
	case s.Tokens < 1:
		return fmt.Errorf("maple.tokens: found %d, want at least 1", s.Tokens)
	case s.Depth < 1:
		return fmt.Errorf("maple.depth: found %d, want at least 1 (the first block)", s.Depth)
	case s.Std < 0:
		return fmt.Errorf("maple.std: found %g, want 0 or above", s.Std)
	}
	return nil
}

// maple is multi-modal prompt learning (MaPLe: Khattak et al., arXiv 2210.03117):
// prompts P_l [M, W_t] of the first blocks of the text encoder, and of each by a
// coupling function F_l, which is linear, those of the same block of the image
// encoder [M, W_v].
type maple struct {
	Options
	set MaPLe
}

// prompts declares P_0, which starts at the embeddings of the first context words,
// and P_1 to P_(Depth-1).
func (m maple) prompts(c CLIP) []*Node {
	return m.deepPrompts(c, m.set.Tokens, m.set.Depth, m.set.Std, "maple.")
}

// Text encodes the classes with P_l in the places of the first M context words
// (equations 1 to 3).
func (m maple) Text(c CLIP, cl Classes) *Node {
	p := m.prompts(c)
	cl.Prompts.Words = m.set.Tokens // the words after them stay
	return unit(c.Encoders.Text.Classes(cl.Prompts, textenc.Context{Vectors: p[0], Deep: p[1:]}, m.TextEncoder))
}

// Image encodes the images with F_l(P_l) after their patches (equations 4 and 5).
func (m maple) Image(c CLIP, _ Classes, images *Node) vit.Output {
	var visual []*Node
	for l, p := range m.prompts(c) {
		couple := layers.NewDense(c.Scope.Sub(promptScope).Sub(fmt.Sprintf("couple.%d", l)), m.Seed, c.Encoders.Text.Width, c.Vision.Width)
		visual = append(visual, couple.Forward(p)) // [M, W_v]
	}
	return c.Vision.Prompted(images, c.Vision.OwnScore, visual...)
}

// Build classifies by CLIP's logits and learns by their cross-entropy.
func (m maple) Build(c CLIP, _ Classes, b Batch) Outputs {
	o := Outputs{Logits: compare(c, b.Features.Image, b.Text)}
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = []optim.Group{m.sgd(learnedPrompts(c)...)}
	}
	return o
}
