package spotlight

import (
	"spotlighter/layers"
)

// level is a range of the kept tokens: the first K1, then the rest.
type level struct{ lo, hi int }

func (l level) size() int { return l.hi - l.lo }

func (m *Model) levels() []level {
	if m.Level1 >= m.Keep {
		return []level{{0, m.Keep}}
	}
	return []level{{0, m.Level1}, {m.Level1, m.Keep}}
}

// rank weighs the tokens inside each level by softmax(.3 s + rho): a weight an
// image and token [B, K], each level summing to 1.
func (m *Model) rank(score *Node) *Node {
	logits := layers.Add(layers.Scale(score, .3), m.rho)
	var w []*Node
	for _, l := range m.levels() {
		w = append(w, layers.Softmax(layers.Slice(logits, 1, l.lo, l.hi)))
	}
	return layers.Concat(1, w...)
}

// strength is exp(omega) of each kept token's level times the level's size
// [K]: with even weights each token then counts exp(omega).
func (m *Model) strength() *Node {
	var parts []*Node
	for i, l := range m.levels() {
		e := layers.Scale(layers.Exp(layers.Slice(m.omega, 0, i, i+1)), float64(l.size()))
		parts = append(parts, layers.Broadcast(e, l.size()))
	}
	return layers.Concat(0, parts...)
}
