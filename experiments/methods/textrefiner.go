package methods

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/spotlight/release"
)

const textRefinerName = "textrefiner"

func init() {
	RegisterPlug(Plug{
		Name:      textRefinerName,
		Over:      func(r Row) bool { return r.Name == "coop" || r.Taught },
		AllTokens: true,
		Section:   Section{Key: textRefinerName, Default: func() Settings { s := defaultTextRefiner(); return &s }},
		New: func(base Method, r Row, o Options) (Method, error) {
			return textRefiner{Method: base, Options: o, TextRefiner: settings[TextRefiner](o, textRefinerName), taught: r.Taught}, nil
		},
	})
}

// TextRefiner are the settings of TextRefiner. The defaults are the published
// ones (xjjxmu/TextRefiner, train.py; over PromptKD its trainers/textrefiner.py).
type TextRefiner struct {
	Prototypes int `yaml:"prototypes"` // of the local cache
	// Keep is how many of the tokens that CLS attends to most are classified in
	// training, beside CLS itself and the mean of all.
	Keep int `yaml:"keep"`
	// Balance divides the loss of those tokens, and Regularize multiplies the distance
	// of the refined texts from the prompt's. Over PromptKD the published weights are
	// others: its own weight divided by 100 and by 50.
	Balance    float64 `yaml:"balance"`
	Regularize float64 `yaml:"regularize"`
}

func defaultTextRefiner() TextRefiner {
	return TextRefiner{Prototypes: 25, Keep: 5, Balance: 50, Regularize: 20}
}

// Validate implements Settings.
func (s *TextRefiner) Validate() error {
	switch {
	case s.Prototypes < 1:
		return fmt.Errorf("textrefiner.prototypes: found %d, want at least 1", s.Prototypes)
	case s.Keep < 1:
		return fmt.Errorf("textrefiner.keep: found %d, want at least 1", s.Keep)
	case s.Balance <= 0:
		return fmt.Errorf("textrefiner.balance: found %g, want above 0", s.Balance)
	case s.Regularize < 0:
		return fmt.Errorf("textrefiner.regularize: found %g, want 0 or above", s.Regularize)
	}
	return nil
}

// textRefiner refines class texts by what image tokens look like (TextRefiner: Xie
// et al., arXiv 2412.08176). A local cache of prototypes is written by the tokens
// of every training image, after a transform that aligns them with the texts
// (feature alignment, section 3.3), and read by each class's text (aggregation,
// section 3.2). The image side stays as it is, so that nothing of it runs at test
// time but the cache.
type textRefiner struct {
	Method
	Options
	TextRefiner
	taught bool // over PromptKD: by a teacher's logits in place of labels
}

func (m textRefiner) Build(c CLIP, cl Classes, b Batch) Outputs {
	image, tokens, attention, kd := b.Features.Image, b.Features.Tokens, b.Features.Attention, promptKD{}
	var moments []graph.Update
	if m.taught {
		kd = m.Method.(promptKD)
		student := kd.student(c, b)
		f := release.Encode(c.Vision, b.Pass)
		image, tokens, attention, moments = student.Feature, f.Tokens, f.Attention, student.Moments
	}
	s, width := c.Scope.Sub("refiner"), layers.ShapeOf(b.Text)[1]
	cache := release.NewCache(s, m.Seed, m.Prototypes, width)
	refined := cache.Refine(b.Text)
	o := Outputs{Logits: compare(c, image, refined.Text)}
	align := layers.NewProjector(s.Sub("mid_image_trans"), m.Seed, c.Vision.Embed, width)
	if b.Labels == nil {
		return o
	}
	n := layers.ShapeOf(tokens)
	if m.Keep > n[1]-1 {
		graph.Failf("textrefiner.keep: %d, the image encoder has %d patches", m.Keep, n[1]-1)
	}
	aligned := align.Train(layers.Reshape(tokens, n[0]*n[1], n[2]))
	rows := layers.Reshape(aligned.Rows, n[0], n[1], width)
	kept := layers.Gather(layers.Slice(rows, 1, 1, n[1]), layers.TopK(attention, m.Keep))
	local := layers.Scale(layers.Linear(release.Framed(rows, kept), b.Text, nil), c.Model.Scale) // [B, K+2, C]
	apart := release.Distance(refined.Text, b.Text)
	if m.taught {
		semantic := layers.Distillation(local, b.Teacher, kd.Temperature)
		o.Loss = layers.Add(layers.Distillation(o.Logits, b.Teacher, kd.Temperature), layers.Scale(semantic, 1./100))
		o.Loss = layers.Scale(layers.Add(o.Loss, layers.Scale(apart, 1./50)), kd.Weight)
	} else {
		semantic := release.RowsCrossEntropy(local, b.Labels)
		o.Loss = layers.Add(layers.CrossEntropy(o.Logits, b.Labels), layers.Scale(semantic, 1/m.Balance))
		o.Loss = layers.Add(o.Loss, layers.Scale(apart, m.Regularize))
	}
	o.Updates = append(append(moments, aligned.Moments...), cache.Update(cache.Write(aligned.Rows, nil, true)))
	o.Groups = everything(c, m.Options)
	return o
}
