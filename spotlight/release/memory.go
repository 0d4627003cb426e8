package release

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// memory reads the bank for texts, as TextRefiner does, and for images.
type memory struct {
	Cache
	query, key, value, out layers.Dense
	heads                  int
}

// newMemory declares the memory in the scope of the model. The published names
// are kept, spelling included.
func newMemory(model *graph.Scope, c Config, seed uint64, width int) memory {
	a := model.Sub("memory").Sub("mutitransformer")
	dense := func(name string) layers.Dense { return layers.NewDense(a.Sub(name), seed, width, width) }
	return memory{
		query: dense("query"), key: dense("key"), value: dense("value"), out: dense("out"), heads: c.Heads,
		Cache: NewCache(model, seed, c.Prototypes, width),
	}
}

// image attends from unit image features g [B, D], in heads of D/H: to what g
// read from the bank, one key, or to the prototypes. own makes g itself the value
// of the one key. mask [B, H, 1, keys] drops weights; nil drops none.
func (m memory) image(o *Output, g *Node, single, own bool, mask *Node) {
	b, d := shape(g)[0], shape(g)[1]
	o.ImageWeights, o.ImageRead = m.Read(g)
	query := layers.Reshape(g, b, 1, d)
	keys := layers.Reshape(o.ImageRead, b, 1, d)
	values := keys
	switch {
	case !single:
		p := shape(m.Bank)[0]
		keys = layers.Broadcast(layers.Reshape(m.Bank, 1, p, d), b, p, d)
		values = keys
	case own:
		values = query
	}
	split := func(x *Node) *Node { // [B, n, D] to [B, H, n, D/H]
		return layers.Transpose(layers.Reshape(x, b, shape(x)[1], m.heads, d/m.heads), 0, 2, 1, 3)
	}
	q, k, v := split(m.query.Forward(query)), split(m.key.Forward(keys)), split(m.value.Forward(values))
	w := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1/math.Sqrt(float64(d/m.heads))))
	if mask != nil {
		w = layers.Dropout(w, mask)
	}
	o.Attention = w                                                                  // [B, H, 1, keys]
	o.Image = m.out.Forward(layers.Reshape(layers.MatMul(w, v, false, false), b, d)) // heads side by side
}
