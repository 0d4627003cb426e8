package methods

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/prompts"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

const promptsrcKey = "promptsrc"

func init() {
	Register(Row{
		Name: "promptsrc", Learns: true, Images: true, Frozen: true,
		Section: Section{Key: promptsrcKey, Default: func() Settings {
			return &PromptSRC{
				TextTokens: 4, ImageTokens: 4, TextDepth: 9, ImageDepth: 9, Std: .02,
				TextWeight: 25, ImageWeight: 10, LogitWeight: 1, AverageMean: 15, AverageStd: 1, Templates: srcTemplates,
			}
		}},
		Templates: func(o Options) []string { return prompts.Expand(settings[PromptSRC](o, promptsrcKey).Templates) },
		New:       func(o Options) Method { return promptSRC{Options: o, set: settings[PromptSRC](o, promptsrcKey)} },
	})
}

// PromptSRC is how many prompts are learned, where, and what holds them back.
type PromptSRC struct {
	TextTokens  int     `yaml:"text_tokens"`  // M_t, learned in the place of the first of the context words
	ImageTokens int     `yaml:"image_tokens"` // M_v
	TextDepth   int     `yaml:"text_depth"`   // blocks of the text encoder that read prompts of their own
	ImageDepth  int     `yaml:"image_depth"`
	Std         float64 `yaml:"std"` // of the normal draws that prompts start from
	// The weights of the losses that keep the prompted features near the frozen ones.
	TextWeight  float64 `yaml:"text_weight"`
	ImageWeight float64 `yaml:"image_weight"`
	LogitWeight float64 `yaml:"logit_weight"`
	// What is kept is the mean of the prompts after each epoch, counted from 1,
	// weighted by a Gaussian of that mean and deviation.
	AverageMean float64 `yaml:"average_mean"`
	AverageStd  float64 `yaml:"average_std"`
	// Templates are what the frozen text features are the mean of; [a|the] stands for
	// either.
	Templates []string `yaml:"templates"`
}

// srcTemplates are the sixty of the published program.
var srcTemplates = []string{
	"a photo of [a|the|many|my|one|the hard to see|a hard to see|a clean|the clean|a dirty|the dirty|the cool|a large|a nice|a weird] {}.",
	"a [bad|low resolution|cropped|bright|close-up|pixelated|blurry] photo of [a|the] {}.",
	"a [dark|black and white|good] photo of the {}.",
	"a jpeg corrupted photo of a {}.",
	"a [sculpture|rendering|painting|doodle|sketch|rendition] of [a|the] {}.",
	"[a tattoo|a drawing|graffiti|art] of a {}.",
	"itap of the {}.",
	"[a|the] [embroidered|plastic|origami] {}.",
	"[the toy|a cartoon] {}.",
	"[a|the] {} in a video game.",
}

// Validate reports the first setting that cannot work.
func (s *PromptSRC) Validate() error {
	for _, n := range []struct {
		key   string
		found int
	}{{"text_tokens", s.TextTokens}, {"image_tokens", s.ImageTokens}, {"text_depth", s.TextDepth}, {"image_depth", s.ImageDepth}} {
		if n.found < 1 {
			return fmt.Errorf("promptsrc.%s: found %d, want at least 1", n.key, n.found)
		}
	}
	for _, w := range []struct {
		key   string
		found float64
	}{{"std", s.Std}, {"text_weight", s.TextWeight}, {"image_weight", s.ImageWeight}, {"logit_weight", s.LogitWeight}} {
		if w.found < 0 {
			return fmt.Errorf("promptsrc.%s: found %g, want 0 or above", w.key, w.found)
		}
	}
	switch {
	case s.AverageStd <= 0:
		return fmt.Errorf("promptsrc.average_std: found %g, want above 0", s.AverageStd)
	case len(s.Templates) == 0:
		return fmt.Errorf("promptsrc.templates: found none, want at least one")
	}
	return nil
}

// promptSRC learns prompts of both encoders, each on its own, held back by what the
// frozen CLIP says of the same images and classes (PromptSRC: Khattak et al., arXiv
// 2307.06948).
type promptSRC struct {
	Options
	set PromptSRC
}

// Text encodes the classes with learned prompts in the places of the first context
// words, in the first blocks.
func (m promptSRC) Text(c CLIP, cl Classes) *Node {
	p := m.deepPrompts(c, m.set.TextTokens, m.set.TextDepth, m.set.Std, "promptsrc.text_")
	cl.Prompts.Words = m.set.TextTokens // the words after them stay
	return unit(c.Encoders.Text.Classes(cl.Prompts, textenc.Context{Vectors: p[0], Deep: p[1:]}, m.TextEncoder))
}

// Image encodes the images with learned prompts after their patches, in the first
// blocks.
func (m promptSRC) Image(c CLIP, _ Classes, images *Node) vit.Output {
	if n := c.Vision.Layers; m.set.ImageDepth > n {
		graph.Failf("promptsrc.image_depth: %d, the image encoder has %d blocks", m.set.ImageDepth, n)
	}
	var p []*Node
	for l := range m.set.ImageDepth {
		p = append(p, c.Scope.Sub(promptScope).Var(fmt.Sprintf("image.%d", l), graph.Trainable, graph.Normal(m.Seed, m.set.Std), m.set.ImageTokens, c.Vision.Width))
	}
	return c.Vision.Prompted(images, c.Vision.OwnScore, p...)
}

// Build classifies by CLIP's logits and learns by their cross-entropy and the three
// losses of self-consistency.
func (m promptSRC) Build(c CLIP, cl Classes, b Batch) Outputs {
	image := b.Features.Image
	o := Outputs{Logits: compare(c, image, b.Text)}
	if b.Labels == nil {
		return o
	}
	text := m.ensemble(c, cl)
	frozen := compare(c, b.Frozen, text)
	apart := func(x, y *Node) *Node { return layers.MeanAll(layers.Abs(layers.Sub(x, y))) }
	o.Loss = layers.CrossEntropy(o.Logits, b.Labels)
	for _, part := range []struct {
		weight float64
		loss   *Node
	}{
		{m.set.TextWeight, apart(b.Text, text)},                       // equation 4
		{m.set.ImageWeight, apart(image, b.Frozen)},                   // equation 3
		{m.set.LogitWeight, layers.Distillation(o.Logits, frozen, 1)}, // equation 5
	} {
		o.Loss = layers.Add(o.Loss, layers.Scale(part.loss, part.weight))
	}
	o.Groups = []optim.Group{m.sgd(learnedPrompts(c)...)}
	o.After = func(s *graph.Scope, us []graph.Update) []graph.Update { return m.average(s, us, b.Clock) }
	return o
}

// ensemble is the mean of the frozen text features over the templates, unit rows
// [C, D].
func (m promptSRC) ensemble(c CLIP, cl Classes) *Node {
	templates := prompts.Expand(m.set.Templates)
	var texts []string
	for _, class := range cl.Names {
		for _, t := range templates {
			texts = append(texts, c.Model.Fill(t, class))
		}
	}
	features, err := cl.Encode(texts)
	if err != nil {
		graph.Failf("promptsrc.templates: %v", err)
	}
	features.Shape = graph.Shape{len(cl.Names), len(templates), c.Vision.Embed}
	return unit(layers.Mean(c.Scope.Const(features), 1))
}

// average adds what each epoch leaves of the learned variables to a mean, which
// takes their place at the end of training (equation 6).
func (m promptSRC) average(s *graph.Scope, us []graph.Update, clock Clock) []graph.Update {
	weight := layers.Embedding(s.Const(graph.Floats(m.weights(), m.Epochs, 1)), clock.Epoch) // [1, 1]
	weight = layers.Mul(layers.Reshape(weight), clock.EpochOver)
	training := layers.Shift(layers.Scale(clock.TrainingOver, -1), 1)
	s = s.Sub("average")
	var out []graph.Update
	for _, u := range us {
		if u.Var.Kind == graph.Trainable {
			sum := layers.Add(s.Var(u.Var.Name, graph.State, graph.Zeros, u.Var.Type.Shape...), layers.Mul(u.Value, weight))
			out = append(out, graph.Update{Var: s.Find(u.Var.Name), Value: sum})
			u.Value = layers.Add(layers.Mul(u.Value, training), layers.Mul(sum, clock.TrainingOver))
		}
		out = append(out, u)
	}
	return out
}

// weights are the epochs' shares of the mean. The exponents are taken from the
// largest: a mean far beyond the last epoch leaves that one, not 0/0.
func (m promptSRC) weights() []float32 {
	exponents := make([]float32, m.Epochs)
	for e := range exponents {
		z := (float64(e+1) - m.set.AverageMean) / m.set.AverageStd
		exponents[e] = float32(-z * z / 2)
	}
	cpu.SoftmaxRow(exponents, exponents, 1)
	return exponents
}
