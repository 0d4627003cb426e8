package methods

import (
	"fmt"
	"slices"

	"spotlighter/graph"
	"spotlighter/optim"
	"spotlighter/spotlight"
)

// spotlighterName is what the method is plugged in by.
const spotlighterName = "spotlighter"

func init() {
	RegisterPlug(Plug{
		Name: spotlighterName,
		Over: func(r Row) bool { return r.Name == "clip" || r.Name == "coop" },
		New: func(base Method, r Row, o Options) (Method, error) {
			switch {
			case o.Spotlight.Variant != spotlight.Release:
				return spotlighter{base, o, !r.Learns}, nil
			case !r.Learns:
				return nil, fmt.Errorf("method %q: spotlight.variant %s has nothing to do without training, want paper", r.Name+"+"+spotlighterName, spotlight.Release)
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
type spotlighter struct {
	Method
	Options
	trainingFree bool
}

func (m spotlighter) Build(c CLIP, cl Classes, b Batch) Outputs {
	cfg := m.Spotlight
	if m.trainingFree {
		cfg = cfg.TrainingFree()
	}
	model := spotlight.New(c.Scope, cfg, c.Vision, c.Model.Scale, StartBank(cl, cfg))
	out := model.Forward(b.Features, b.Text)
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
	o.Loss = model.Loss(out, b.Labels).Total
	o.Updates = model.Updates(out, b.Labels)
	o.Groups = m.Method.Build(c, cl, b).Groups
	prompt := o.Groups[0].Vars
	scalars := slices.DeleteFunc(c.Scope.Trainables(), func(v *graph.Variable) bool { return slices.Contains(prompt, v) })
	o.Groups = append(o.Groups, optim.Group{Optimizer: optim.SGD{Momentum: m.Momentum}, LRScale: m.ScalarLR, Vars: scalars})
	return o
}

// StartBank is the prototypes [C, P, D] that classes start from.
func StartBank(cl Classes, cfg spotlight.Config) graph.Tensor {
	return spotlight.Start(cl.Text, cl.Names, cfg.Prototypes, bankSeed)
}

// bankSeed is of the noise that sets the prototypes of a class apart: one for
// all runs, so that a class never seen in training has the same prototypes in
// every process that evaluates it.
const bankSeed = 5
