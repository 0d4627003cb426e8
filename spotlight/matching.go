package spotlight

import "spotlighter/layers"

// match mixes, for each kept token z [B, K, D], the prototypes it is like:
// q[b,i] = sum_c p[b,c] sum_j softmax_j(exp(kappa) z.m[c,j]) m[c,j]. Prototypes
// [1, P, D] are all classes', without a belief p.
func (m *Model) match(p, z, bank *Node) *Node {
	defer m.stage("matching")()
	s, b := shape(z), shape(bank) // [B, K, D], [C, P, D]
	rows := layers.Reshape(bank, b[0]*b[1], b[2])
	sim := layers.MatMul(layers.Reshape(z, s[0]*s[1], s[2]), rows, false, true)
	w := layers.Softmax(layers.Reshape(layers.Mul(sim, layers.Exp(m.kappa)), s[0], s[1], b[0], b[1]))
	if b[0] > 1 {
		w = layers.Mul(w, layers.Reshape(p, s[0], 1, b[0], 1))
	}
	q := layers.MatMul(layers.Reshape(w, s[0]*s[1], b[0]*b[1]), rows, false, false)
	return layers.Reshape(q, s...)
}

// matchOwn is match of the tokens z [B*Q, K, D] of candidates [B, Q], each of which
// believes in its own class.
func (m *Model) matchOwn(candidates, z *Node) *Node {
	defer m.stage("matching")()
	b := shape(m.bank) // [C, P, D]
	own := layers.Reshape(vectors{of: candidates, tables: []*Node{m.bank}}.rows(), shape(z)[0], b[1], b[2])
	w := layers.Softmax(layers.Mul(layers.MatMul(z, own, false, true), layers.Exp(m.kappa)))
	return layers.MatMul(w, own, false, false)
}
