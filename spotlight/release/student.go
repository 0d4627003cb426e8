package release

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// Teacher is what a student is taught by. Nothing of it is learned.
type Teacher struct {
	Texts  *Node // unit class texts [C, D]
	Logits *Node // of the batch [B, C]
	// Temperature divides both sides' logits.
	Temperature float64
	// Weight multiplies the whole loss: 1000, or 200 for aircraft, flowers and
	// textures.
	Weight float64
}

// NewStudent declares the trainer as it plugs into PromptKD: image tokens of width
// in are transformed into the teacher's width D, which all else has. tau is the
// student's temperature. It differs from New by what was published: a patch is
// read at its own row, the image's attention has the image feature itself as the
// value, and the logits are mixed in training as at test time.
func NewStudent(s *graph.Scope, c Config, in, width int, tau float64, seed uint64) *Model {
	c.OffByOne, c.TestMix, c.UnlabelledBank = false, c.TrainMix, true
	m := newModel(s, c, in, width, tau, seed)
	m.student = true
	return m
}

// Distill is Train with a teacher in place of labels: f.Image are the student's
// unit features [B, D], already of the teacher's width.
func (m *Model) Distill(f Features, t Teacher, mask *Node) Output {
	defer m.scope.Enter()()
	o := m.local(f, t.Texts)
	m.remember(&o, f.Image, t.Texts, m.TrainMix, mask)
	o.Written = m.memory.Write(o.Rows, nil, m.SumWrite)
	o.Losses = t.losses(o, f.Image)
	return o
}

// losses adds up what is minimised. No label is used.
func (t Teacher) losses(o Output, g *Node) Losses {
	kl := func(logits *Node) *Node { return layers.Distillation(logits, t.Logits, t.Temperature) }
	l := Losses{
		Global: kl(o.Logits), All: kl(o.AllLogits), Top: kl(o.TopLogits), Low: kl(o.LowLogits),
		Text: Distance(o.Text, t.Texts), Image: Distance(o.Image, g),
	}
	l.Total = l.Global
	for _, part := range []struct {
		loss   *Node
		weight float64
	}{{l.All, 1. / 100}, {l.Top, 1. / 1000}, {l.Low, 1. / 1000}, {l.Text, 1. / 50}, {l.Image, 1. / 100}} {
		l.Total = layers.Add(l.Total, layers.Scale(part.loss, part.weight))
	}
	l.Total = layers.Scale(l.Total, t.Weight)
	return l
}
