package methods

import (
	"fmt"
	"slices"
	"strings"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
)

// spotlighterName is what the method is plugged in by.
const spotlighterName = "spotlighter"

func init() {
	RegisterPlug(Plug{
		Name: spotlighterName,
		Over: func(r Row) bool {
			return r.Taught || slices.Contains([]string{"clip", "coop", "maple", "promptsrc"}, r.Name)
		},
		New: func(base Method, r Row, o Options) (Method, error) {
			switch {
			case o.Spotlight.Variant != spotlight.Release:
				return spotlighter{base, o, !r.Learns, r.Taught}, nil
			case !r.Learns:
				return nil, fmt.Errorf("method %q: spotlight.variant %s has nothing to do without training, want paper", r.Name+"+"+spotlighterName, spotlight.Release)
			case r.Taught:
				return publishedStudent{base.(promptKD)}, nil
			case r.Images:
				return nil, fmt.Errorf("method %q: spotlight.variant %s was published over coop and promptkd alone, want paper", r.Name+"+"+spotlighterName, spotlight.Release)
			}
			return published{base, o}, nil
		},
	})
}

// KeepsTokens says whether the method of that name reads image tokens at test
// time.
func KeepsTokens(name string, cfg spotlight.Config) bool {
	return Plugged(name) && cfg.Variant != spotlight.Release
}

// spotlighter plugs the method into a prompt: the prompt's texts, the method's
// reading of the image (arXiv 2509.00905). Over hand-written prompts nothing is
// learned and the sample's own activation alone selects.
//
// Where the method beneath makes its own pass of the image encoder, everything is
// read of that pass: the tokens are the prompted encoder's, of patches and not of
// prompts, and the second reading has the prompts' keys and values as the first
// had. Gradients reach the prompts through both. Its own loss stays as it is, and
// the prediction's is added to it.
//
// A student's tokens are taken on into its teacher's space, by the linear map that
// its projection is at the image's feature. It is told the teacher's logits in
// place of labels, of the prediction too, and the bank is written by the class
// that the teacher thinks likeliest.
type spotlighter struct {
	Method
	Options
	trainingFree bool
	taught       bool
}

func (m spotlighter) Build(c CLIP, cl Classes, b Batch) Outputs {
	cfg := m.Spotlight
	if m.trainingFree {
		cfg = cfg.TrainingFree()
	}
	var base Outputs
	if !m.trainingFree && b.Labels != nil { // before the scalars are declared, which are none of its business
		base = m.Method.Build(c, cl, b)
	}
	if b.Labels != nil && cfg.TrainCandidates > 0 {
		cfg.Candidates = cfg.TrainCandidates
	}
	model := spotlight.New(c.Scope, cfg, c.Vision, c.Model.Scale, StartBank(cl, cfg))
	f := b.Features
	if m.taught {
		f = spotlight.EncodeThrough(cfg, c.Vision, b.Pass, m.Method.(promptKD).student(c, b).head(b))
	}
	out := model.Forward(f, b.Text)
	o := Outputs{Logits: out.Logits, Index: out.Index, Candidates: out.Candidates, Named: map[string]*Node{
		NamedScore: out.Score, NamedKept: out.Kept, NamedWeight: out.Weight, NamedBelief: out.Belief,
	}}
	if out.SampleScore != nil {
		o.Named[NamedSample] = out.SampleScore
	}
	if out.SemanticScore != nil {
		o.Named[NamedSemantic] = out.SemanticScore
	}
	for name, n := range o.Named {
		c.Scope.Label(name, n)
	}
	if m.trainingFree || b.Labels == nil {
		return o
	}
	labels := b.Labels
	if m.taught {
		labels = layers.ArgMax(b.Teacher)
	}
	scalars := slices.DeleteFunc(c.Scope.Trainables(), func(v *graph.Variable) bool { return !strings.HasPrefix(v.Name, plugScope+".") })
	o.Loss = layers.Add(base.Loss, m.local(model, out, b, labels))
	o.Updates = append(base.Updates, model.Updates(out, labels)...)
	o.After = base.After
	o.Groups = append(base.Groups, optim.Group{Optimizer: optim.SGD{Momentum: m.Momentum}, LRScale: m.ScalarLR, Vars: scalars})
	return o
}

// local is the part of the loss that is added to that of the method beneath.
func (m spotlighter) local(model *spotlight.Model, out spotlight.Output, b Batch, labels *Node) *Node {
	if !m.taught {
		return model.Loss(out, labels).Local
	}
	kd := m.Method.(promptKD)
	sum := layers.Distillation(out.Logits, b.Teacher, kd.Temperature)
	for _, level := range out.Levels {
		sum = layers.Add(sum, layers.Distillation(level, b.Teacher, kd.Temperature))
	}
	return layers.Scale(sum, kd.Weight/model.Balance)
}

// StartBank is the prototypes [C, P, D] that classes start from.
func StartBank(cl Classes, cfg spotlight.Config) graph.Tensor {
	text := cl.Text
	if cl.Teacher.F32 != nil {
		text = cl.Teacher
	}
	return spotlight.Start(text, cl.Names, cfg.Prototypes, bankSeed)
}

// bankSeed is of the noise that sets the prototypes of a class apart: one for
// all runs, so that a class never seen in training has the same prototypes in
// every process that evaluates it.
const bankSeed = 5
