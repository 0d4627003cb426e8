package spotlight

import "spotlighter/layers"

// irm is the image mapping module: in each level, attention of the matched
// prototypes q over the level's tokens z (both [B, K, D]), in heads of D/H with
// identity projections and a temperature a head; averaged over the level's rows
// and then over the levels: [B, D].
func (m *Model) irm(q, z *Node) *Node {
	defer m.stage("irm")()
	s := shape(z)
	temperature := layers.Broadcast(layers.Reshape(layers.Exp(m.headTemp), m.Heads, 1), m.Heads, s[2]/m.Heads)
	q = layers.Mul(q, layers.Reshape(temperature, s[2]))
	var sum *Node
	ls := m.levels()
	for _, l := range ls {
		queries, keys := m.heads(layers.Slice(q, 1, l.Lo, l.Hi)), m.heads(layers.Slice(z, 1, l.Lo, l.Hi)) // [B, H, n, D/H]
		a := layers.Softmax(layers.MatMul(queries, keys, false, true))
		mixed := layers.JoinHeads(layers.MatMul(a, keys, false, false)) // [B, n, D]
		if a := layers.Mean(mixed, 1); sum == nil {
			sum = a
		} else {
			sum = layers.Add(sum, a)
		}
	}
	return layers.Reshape(layers.Scale(sum, 1/float64(len(ls))), s[0], s[2])
}

// heads splits the last axis: [B, n, D] to [B, H, n, D/H].
func (m *Model) heads(x *Node) *Node {
	s := shape(x)
	return layers.Transpose(layers.Reshape(x, s[0], s[1], m.Heads, s[2]/m.Heads), 0, 2, 1, 3)
}
