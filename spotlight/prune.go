package spotlight

import (
	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/vit"
)

// What patches are pruned by inside the encoder.
const (
	PruneByAttention = vit.Attention // the CLS token's attention
	PruneByDeviation = vit.Deviation // the distance from the mean of the image's patches
	PruneByText      = "text"        // the sample-wise activation: similarity to the texts believed in
	PruneByBoth      = "both"        // the mean of the sample-wise and the semantic-wise activation
)

// PrunedAlone says whether the encoder ranks patches itself, by vit.Prune.
func PrunedAlone(by string) bool { return by == PruneByAttention || by == PruneByDeviation }

// PruneScore is the score that patches are pruned by: PruneByText or PruneByBoth.
// The activations are those of the method, of what the block before pruning adds
// to the CLS token, and the belief is that of the CLS token there. text [C, D] are
// unit texts, bank [C, P, D] prototypes; both are constants, since a frozen encoder
// runs before anything is learned.
func PruneScore(by string, c Config, s *graph.Scope, e *vit.Encoder, tau float64, text, bank graph.Tensor) vit.Score {
	m := &Model{Config: c, scope: s.Sub("prune"), enc: e, grid: e.Grid(), tau: tau}
	return func(o vit.Output, x *layers.Node) *layers.Node {
		b := shape(x)[0]
		texts := m.scope.Const(text)
		class := unit(e.Head(layers.Reshape(layers.Slice(x, 1, 0, 1), b, e.Width)))
		p := belief(m.compare(class, texts))
		tokens := newContributions(e, o, []int{e.Prune.Block}, Head{}).unscaled()
		score := m.sampleWise(p, texts, tokens)
		if by == PruneByBoth {
			score = layers.Scale(layers.Add(score, m.semanticWise(p, m.scope.Const(bank), tokens)), .5)
		}
		return layers.Softmax(score) // positive, in the order of the activation
	}
}
