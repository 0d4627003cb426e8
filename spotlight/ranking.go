package spotlight

import (
	"spotlighter/layers"
)

// rank weighs the tokens inside each level by softmax(.3 s + rho): a weight an
// image and token [B, K], each level summing to 1. A registered weighting takes
// its place.
func (m *Model) rank(score *Node) *Node {
	defer m.stage("ranking")()
	if m.Weighting != Softmax {
		w := weightings[m.Weighting](Ranking{Scope: m.scope.Sub("weighting"), Score: score, Levels: m.levels()})
		m.wantShape("weighting "+m.Weighting, w, shape(score)...)
		return w
	}
	logits := layers.Add(layers.Scale(score, .3), m.rho)
	var w []*Node
	for _, l := range m.levels() {
		w = append(w, layers.Softmax(layers.Slice(logits, 1, l.Lo, l.Hi)))
	}
	return layers.Concat(1, w...)
}

// strength is exp(omega) of each kept token's level times the level's size
// [K]: with even weights each token then counts exp(omega).
func (m *Model) strength() *Node {
	var parts []*Node
	for i, l := range m.levels() {
		e := layers.Scale(layers.Exp(layers.Slice(m.omega, 0, i, i+1)), float64(l.Size()))
		parts = append(parts, layers.Broadcast(e, l.Size()))
	}
	return layers.Concat(0, parts...)
}
