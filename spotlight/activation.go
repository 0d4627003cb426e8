package spotlight

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// belief is what the plain logits say of the classes: softmax of tau g.t
// [B, C]. It uses no label, so training and inference agree, and no gradient
// passes.
func belief(logits *Node) *Node { return layers.StopGradient(layers.Softmax(logits)) }

// sampleWise scores tokens by the texts of the classes believed in:
// a1[b,n] = sum_c p[b,c] c[b,n].t[c], less its mean over the classes under
// contrast. It is linear in t, so one mixed text an image is compared, not C.
func (m *Model) sampleWise(p, text *Node, tokens *Node) *Node {
	defer m.stage("sample_wise")()
	mix := layers.MatMul(p, text, false, false) // [B, D]
	if m.Contrast {
		mix = layers.Sub(mix, layers.Mean(text, 0))
	}
	s := shape(tokens)
	a := layers.MatMul(tokens, layers.Reshape(mix, s[0], 1, s[2]), false, true) // [B, N, 1]
	return m.spread(layers.Reshape(a, s[0], s[1]))
}

// semanticWise scores tokens by the bank: as sampleWise, with the best of a
// class's prototypes in place of its text, or the best of all where the classes
// share them.
func (m *Model) semanticWise(p, bank *Node, tokens *Node) *Node {
	defer m.stage("semantic_wise")()
	best := m.bestPrototype(bank, tokens)
	s := shape(best)
	if s[2] == 1 { // prototypes that all classes share: no belief, no contrast
		return m.spread(layers.Reshape(best, s[0], s[1]))
	}
	a := layers.Reshape(layers.MatMul(best, layers.Reshape(p, s[0], s[2], 1), false, false), s[0], s[1])
	if m.Contrast {
		a = layers.Sub(a, layers.Mean(best, 2))
	}
	return m.spread(a)
}

// bestPrototype is max_j c[b,n].m[c,j], for every class: [B, N, C], or [B, N, 1]
// of prototypes that the classes share.
func (m *Model) bestPrototype(bank, tokens *Node) *Node {
	s, b := shape(tokens), shape(bank) // [B, N, D], [C, P, D]
	rows := layers.Reshape(tokens, s[0]*s[1], s[2])
	sim := layers.MatMul(rows, layers.Reshape(bank, b[0]*b[1], b[2]), false, true)
	return layers.Max(layers.Reshape(sim, s[0], s[1], b[0], b[1]), 3)
}

// spread smooths an activation [B, N] over the patch grid, since objects are
// contiguous, and standardises it over the patches.
func (m *Model) spread(a *Node) *Node {
	if m.Smooth > 0 {
		a = layers.MatMul(a, m.scope.Const(gaussian(m.grid, m.Smooth)), false, false)
	}
	return layers.Standardise(a, 1e-6)
}

// gaussian is the [N, N] matrix of a 5x5 Gaussian over a square grid, its
// kernel summing to 1, with zeros beyond the border.
func gaussian(grid int, sigma float64) graph.Tensor {
	const r = 2
	var k [2*r + 1]float64
	var sum float64
	for i := range k {
		d := float64(i - r)
		k[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += k[i]
	}
	n := grid * grid
	t := graph.NewTensor(graph.Float64, n, n)
	for y := range grid {
		for x := range grid {
			for v := max(0, y-r); v <= min(grid-1, y+r); v++ {
				for u := max(0, x-r); u <= min(grid-1, x+r); u++ {
					t.F64[(y*grid+x)*n+v*grid+u] = k[v-y+r] * k[u-x+r] / (sum * sum)
				}
			}
		}
	}
	return t
}
