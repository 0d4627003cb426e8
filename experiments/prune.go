package experiments

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/spotlight"
	"spotlighter/vit"
)

// Prune drops patches inside the frozen image encoder, in training and at test
// time, for every method of the experiment.
type Prune struct {
	Block int     `yaml:"block"` // after this block, counted from 1; 0 is off
	Keep  float64 `yaml:"keep"`  // the share of the patches that stays
	// By is what they are ranked by: "deviation" (the distance from the mean of the
	// image's patches), "attention" (of the CLS token), "text" (the
	// sample-wise activation by the hand-written prompts of all classes of the data
	// set) or "both" (that and the semantic-wise one, by the prototypes that the bank
	// starts from: features of a frozen encoder cannot follow what it learns).
	By string `yaml:"by"`
}

func defaultPrune() Prune { return Prune{Keep: .5, By: spotlight.PruneByDeviation} }

// encoder is the part of the settings that the encoder itself knows.
func (p Prune) encoder() vit.Prune {
	v := vit.Prune{Block: p.Block, Keep: p.Keep}
	if p.alone() {
		v.By = p.By
	}
	return v
}

// alone says whether the encoder needs nothing else to rank patches.
func (p Prune) alone() bool { return p.Block == 0 || spotlight.PrunedAlone(p.By) }

// hashed is what of the settings changes a number: none while it is off.
func (p Prune) hashed() Prune {
	if p.Block == 0 {
		return Prune{}
	}
	return p
}

func (c Config) validatePrune() error {
	p, plugged := c.Prune, slices.ContainsFunc(c.Method, methods.Plugged)
	err := cmp.Or(
		atLeast("prune.block", p.Block, 0),
		check(p.Keep > 0 && p.Keep <= 1, "prune.keep: found %g, want above 0 and at most 1", p.Keep),
		oneOf("prune.by", p.By, []string{spotlight.PruneByDeviation, spotlight.PruneByAttention, spotlight.PruneByText, spotlight.PruneByBoth}),
	)
	if err != nil || p.Block == 0 {
		return err
	}
	if i := slices.IndexFunc(c.Method, methods.ReadsImages); i >= 0 && !p.alone() {
		return fmt.Errorf("prune.by: found %s, want %s or %s: method %s has a pass of the image encoder of its own", p.By, spotlight.PruneByDeviation, spotlight.PruneByAttention, c.Method[i])
	}
	if !plugged {
		return nil
	}
	return cmp.Or(
		check(c.Spotlight.Variant != spotlight.Release, "prune.block: found %d, want 0 (off): spotlight.variant %s reads every patch", p.Block, spotlight.Release),
		check(c.Spotlight.Select != "all" || p.Keep == 1, "prune.block: found %d, want 0 (off): spotlight.select all keeps every patch", p.Block),
	)
}

// use prepares the model for a cell.
func (l *Lab) use(c Config) { l.model = l.model.Pruned(c.Prune.encoder()) }

// featureKey is equal for cells that read the same features of the same images.
func (c Config) featureKey() string {
	key := fmt.Sprintf("%s %+v", c.features().FeatureKey(), c.Prune.hashed())
	if !c.Prune.alone() { // the activation's own settings
		key += fmt.Sprintf(" %v %g %d %s", c.Spotlight.Contrast, c.Spotlight.Smooth, c.Spotlight.Prototypes, c.Train.Context)
	}
	return key
}

// pruneScore gives what an encoder in a graph ranks patches by.
type pruneScore func(s *graph.Scope, e *vit.Encoder) vit.Score

// pruneScore is what the encoder of a cell ranks patches by; activations know the
// classes of those names.
func (l *Lab) pruneScore(ctx context.Context, c Config, names []string) (pruneScore, error) {
	if c.Prune.alone() {
		return func(_ *graph.Scope, e *vit.Encoder) vit.Score { return e.OwnScore }, nil
	}
	cl, err := l.classes(ctx, c, names)
	if err != nil {
		return nil, err
	}
	bank, tau := methods.StartBank(cl, c.Spotlight), l.model.Scale
	return func(s *graph.Scope, e *vit.Encoder) vit.Score {
		return spotlight.PruneScore(c.Prune.By, c.Spotlight, s, e, tau, cl.Text, bank)
	}, nil
}

// encoder builds a cell's image encoder, of all of Spotlighter's features or of
// the image's alone.
func (l *Lab) encoder(ctx context.Context, c Config, names []string, all bool) (*encoder, error) {
	score, err := l.pruneScore(ctx, c, names)
	if err != nil {
		return nil, err
	}
	return newEncoder(l.model, c.features(), all, l.pool, score, encodeBatch)
}
