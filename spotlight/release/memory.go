package release

import (
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// textShare is the weight of what the memory adds to a class text.
const textShare = .2

// memory reads a bank of prototypes [P, D] for texts and images.
type memory struct {
	bank                   *Node // unit rows [P, D], a state
	query, key, value, out linear
	extractor              *Node // [D, 2D], no bias
	heads                  int
}

// BankName is the bank's variable below the scope of the model, by its published
// name.
const BankName = "memory.text_fine_cache"

// newMemory declares the memory in the scope of the model. The published names
// are kept, spelling included.
func newMemory(model *graph.Scope, c Config, seed uint64, width int) memory {
	s := model.Sub("memory")
	a := s.Sub("mutitransformer")
	m := memory{
		heads: c.Heads,
		query: newLinear(a.Sub("query"), seed, width, width), key: newLinear(a.Sub("key"), seed, width, width),
		value: newLinear(a.Sub("value"), seed, width, width), out: newLinear(a.Sub("out"), seed, width, width),
		extractor: uniform(s.Sub("extractor"), "weight", seed, 2*width, width, 2*width),
	}
	m.bank = model.Var(BankName, graph.State, positiveUnit(seed, width), c.Prototypes, width)
	return m
}

// positiveUnit starts rows uniform in [0, 1) and normalised: all positive, so
// that every two have a cosine of about .75.
func positiveUnit(seed uint64, width int) graph.Init {
	draw := graph.Uniform(seed, 0, 1)
	return func(name string, dst []float32) {
		draw(name, dst)
		for at := 0; at < len(dst); at += width {
			normalise(dst[at : at+width])
		}
	}
}

// read mixes the prototypes by their cosines with the rows of x [.., D], without
// a temperature: the weights are nearly equal.
func (m memory) read(x *Node) (weights, read *Node) {
	weights = layers.Softmax(layers.MatMul(unit(x), m.bank, false, true))
	return weights, layers.MatMul(weights, m.bank, false, false)
}

// text maps unit class texts t [C, D] to r, of no particular length.
func (m memory) text(o *Output, t *Node) {
	o.TextWeights, o.TextRead = m.read(t)
	o.Extracted = layers.Linear(layers.Concat(1, t, o.TextRead), m.extractor, nil)
	o.Text = layers.Add(layers.Scale(o.Extracted, textShare), t)
}

// image attends from unit image features g [B, D], in heads of D/H: to what g
// read from the bank, one key, or to the prototypes. mask [B, H, 1, keys] drops
// weights; nil drops none.
func (m memory) image(o *Output, g *Node, single bool, mask *Node) {
	b, d := shape(g)[0], shape(g)[1]
	o.ImageWeights, o.ImageRead = m.read(g)
	keys := layers.Reshape(o.ImageRead, b, 1, d)
	if !single {
		p := shape(m.bank)[0]
		keys = layers.Broadcast(layers.Reshape(m.bank, 1, p, d), b, p, d)
	}
	split := func(x *Node) *Node { // [B, n, D] to [B, H, n, D/H]
		return layers.Transpose(layers.Reshape(x, b, shape(x)[1], m.heads, d/m.heads), 0, 2, 1, 3)
	}
	q, k, v := split(m.query.forward(layers.Reshape(g, b, 1, d))), split(m.key.forward(keys)), split(m.value.forward(keys))
	w := layers.Softmax(layers.Scale(layers.MatMul(q, k, false, true), 1/math.Sqrt(float64(d/m.heads))))
	if mask != nil {
		w = layers.Dropout(w, mask)
	}
	o.Attention = w                                                                  // [B, H, 1, keys]
	o.Image = m.out.forward(layers.Reshape(layers.MatMul(w, v, false, false), b, d)) // heads side by side
}
