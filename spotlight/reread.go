package spotlight

import (
	"math"

	"spotlighter/layers"
	"spotlighter/vit"
)

// bias turns the weights of the kept tokens [B, K] into a bias on the CLS
// token's attention logits at every patch [B, N]: strength exp(omega) K_level w where a
// token is kept, 0 elsewhere.
func (m *Model) bias(weight, index *Node) *Node {
	b := layers.Scale(layers.Mul(weight, m.strength()), m.Strength)
	return layers.Scatter(b, index, m.grid*m.grid)
}

// reread are the readings by Q weightings of each image [B*Q, K]: [B*Q, D].
func (m *Model) reread(f Features, weight, index *Node, q int) *Node {
	defer m.stage("reread")()
	s := shape(f.Tokens) // [B, N, D]
	r := Reread(m.enc, f, layers.Reshape(m.bias(weight, index), s[0], q, s[1]))
	return layers.Reshape(r, s[0]*q, s[2])
}

// Reread runs the CLS row alone through the last blocks again, over the keys
// and values that the first pass kept of the patches, with a bias [B, M, N] on
// its attention logits in every head and block: M readings of each image
// [B, M, D], unit rows. A zero bias gives the first pass. Blocks that the encoder
// ran without the dropped patches have no logits for them, and one for the token
// that they were fused into, with no bias but what it stands for. Prompts' rows, which
// follow the others, have none.
func Reread(e *vit.Encoder, f Features, bias *Node) *Node {
	s := shape(bias) // [B, M, N]
	pruned := bias   // [B, M, Kept+1]
	if f.Remain != nil {
		pruned = layers.Transpose(e.FromGrid(f.Remain, layers.Transpose(bias, 0, 2, 1), math.Log(float64(e.Count(e.Layers-1).Times))), 0, 2, 1)
	}
	each := func(x *Node) *Node { return layers.Broadcast(x, s[0], s[1], shape(x)[2]) }
	x := layers.Reshape(f.Class, s[0], 1, e.Width) // the readings begin as one
	for i, cache := range f.Caches {
		l := e.Layers - len(f.Caches) + i
		b, bias := e.Blocks[l], bias
		if l >= e.Prune.Block {
			bias = pruned
		}
		qkv := each(b.QKV(x)) // [B, M, 3W]
		a := layers.CacheWeights(qkv, cache, bias, e.Heads)
		x = b.Finish(each(x), layers.CacheValues(a, qkv, cache))
	}
	return unit(f.head.rows(e.Head(x)))
}

// read turns weighted kept tokens into a feature [B, D], by Config.Read. weight
// [B, K] may be zero at tokens that are left out.
func (m *Model) read(f Features, weight, index, z *Node) *Node {
	switch m.Read {
	case "reread":
		return m.reread(f, weight, index, 1)
	case "pool": // g less all contributions, and twice those of the kept
		c := layers.Gather(f.Tokens, index)
		spot := m.mix(layers.Scale(layers.Mul(weight, m.strength()), 2), c)
		return unit(layers.Add(layers.Sub(f.Image, layers.Sum(f.Tokens, 1)), spot))
	default: // the kept tokens themselves
		return unit(m.mix(layers.Mul(weight, m.strength()), z))
	}
}

// mix sums tokens [B, K, D] by weights [B, K].
func (m *Model) mix(weight, x *Node) *Node {
	s := shape(x)
	return layers.Reshape(layers.MatMul(layers.Reshape(weight, s[0], 1, s[1]), x, false, false), s[0], s[2])
}
