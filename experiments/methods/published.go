package methods

import (
	"strings"

	"spotlighter/graph"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/spotlight/release"
)

// published plugs the published trainer into a learned prompt: variant release.
// All that it learns has the prompt's optimiser and rate.
type published struct {
	Method
	Options
}

const plugScope = "spotlight"

func (m published) Build(c CLIP, _ Classes, b Batch) Outputs {
	f := b.Features
	model := release.New(c.Scope.Sub(plugScope), m.Spotlight.Release, c.Vision.Embed, c.Model.Scale, m.Seed)
	if b.Labels == nil {
		return Outputs{Logits: model.Eval(f.Image, b.Text).Logits}
	}
	mask := model.Mask(b.Labels.Shape()[0])
	out := model.Train(release.Features{Image: f.Image, Tokens: f.Tokens, Attention: f.Attention}, b.Text, b.Labels, mask)
	return Outputs{
		Logits: out.Logits, Loss: out.Losses.Total, Updates: model.Updates(out),
		Groups: []optim.Group{{
			Optimizer: optim.SGD{Momentum: m.Momentum, WeightDecay: m.WeightDecay}, LRScale: 1, Vars: c.Scope.Trainables(),
		}},
	}
}

// CarriesOver says whether what training left in a variable serves classes that
// it did not see: all that is learned, and states that belong to no class, which
// are those outside of Spotlighter's scope but for what SupportKind names, and in it
// a global bank, the mean reading, and the published trainer's where it is saved.
func CarriesOver(v *graph.Variable, cfg spotlight.Config) bool {
	plugged := strings.HasPrefix(v.Name, plugScope+".")
	bank := v.Name == plugScope+"."+release.BankName && !cfg.Release.BankNotSaved
	global := v.Name == BankName && cfg.Bank == "global" || v.Name == meanName
	return v.Kind == graph.Trainable || !plugged && !ofClasses(v.Name) || bank || global
}
