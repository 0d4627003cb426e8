package main

import (
	"fmt"
	"math"
	"slices"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/vit"
)

func init() {
	methods.Register(methods.Row{
		Name: section, Learns: true, Images: true,
		Section: methods.Section{Key: section, Default: func() methods.Settings { return defaults() }},
		New: func(o methods.Options) methods.Method {
			s, given := o.Settings[section].(*settings)
			if !given {
				s = defaults()
			}
			return lora{o, *s}
		},
	})
}

// section is the row's name and the key of its settings.
const section = "lora"

// settings are those of the configuration's section lora.
type settings struct {
	Rank  int     `yaml:"rank"`  // r, of each update
	Alpha float64 `yaml:"alpha"` // updates count alpha/r
}

func defaults() *settings { return &settings{Rank: 2, Alpha: 2} }

// Validate reports the first setting that cannot work.
func (s *settings) Validate() error {
	switch {
	case s.Rank < 1:
		return fmt.Errorf("lora.rank: found %d, want at least 1", s.Rank)
	case s.Alpha <= 0:
		return fmt.Errorf("lora.alpha: found %g, want above 0", s.Alpha)
	}
	return nil
}

// lora adds to the queries' and values' weights of each block of the image encoder
// an update of low rank, W + alpha/r B A, and learns A [r, W] and B [W, r] (Hu et
// al., arXiv 2106.09685). The classes are read in hand-written prompts.
type lora struct {
	methods.Options
	settings
}

func (lora) Text(c methods.CLIP, cl methods.Classes) *graph.Node { return c.Scope.Const(cl.Text) }

// Image is the encoder's pass over blocks whose weights are adapted.
func (m lora) Image(c methods.CLIP, _ methods.Classes, images *graph.Node) vit.Output {
	adapted := *c.Vision
	adapted.Blocks = slices.Clone(adapted.Blocks)
	for l := range adapted.Blocks {
		block := *adapted.Blocks[l]
		block.InW = m.adapt(c.Scope.Sub(section).Sub(fmt.Sprint(l)), block.InW)
		adapted.Blocks[l] = &block
	}
	return adapted.Forward(images)
}

// adapt adds the updates to the weight [3W, W] of packed queries, keys and values.
// B starts at 0, and with it the update.
func (m lora) adapt(s *graph.Scope, weight *graph.Node) *graph.Node {
	w := layers.ShapeOf(weight)[1]
	update := func(s *graph.Scope) *graph.Node {
		a := s.Var("a", graph.Trainable, graph.Normal(m.Seed, 1/math.Sqrt(float64(w))), m.Rank, w)
		b := s.Var("b", graph.Trainable, graph.Zeros, w, m.Rank)
		return layers.Scale(layers.MatMul(b, a, false, false), m.Alpha/float64(m.Rank)) // [W, W]
	}
	keys := s.Const(graph.NewTensor(graph.Float32, w, w)) // stay as they are
	return layers.Add(weight, layers.Concat(0, update(s.Sub("q")), keys, update(s.Sub("v"))))
}

func (m lora) Build(c methods.CLIP, _ methods.Classes, b methods.Batch) methods.Outputs {
	cosines := layers.MatMul(b.Features.Image, b.Text, false, true)
	o := methods.Outputs{Logits: layers.Scale(cosines, c.Model.Scale)} // [B, C]
	if b.Labels != nil {
		o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
		o.Groups = []optim.Group{{
			Optimizer: optim.AdamW{Beta1: .9, Beta2: .999, Eps: 1e-8, WeightDecay: m.WeightDecay}, LRScale: 1, Vars: c.Scope.Trainables(),
		}}
	}
	return o
}
