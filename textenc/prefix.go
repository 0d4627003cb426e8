package textenc

import (
	"spotlighter/graph"
	"spotlighter/layers"
)

// Options switch savings that change no feature but in its last digits: the
// transformer is causal and read at EOT alone.
type Options struct {
	// Trim leaves out the positions after the last EOT, which nothing looks at.
	Trim bool `yaml:"trim"`
	// SharedPrefix computes the tokens that all prompts begin with (SOS, the
	// learned context) once a block, not once a class, forward and backward.
	SharedPrefix bool `yaml:"shared_prefix"`
}

// Fast is all savings.
func Fast() Options { return Options{Trim: true, SharedPrefix: true} }

// IsZero says whether nothing is switched off: such options need not be written.
func (o Options) IsZero() bool { return o == Fast() }

// Classes encodes prompts: features [C, D], not normalised. Learned context
// [M, W], where it is not nil, takes positions 1 to M, as in Learned.
func (e *Encoder) Classes(p Prompts, context *layers.Node, o Options) *layers.Node {
	if !o.Trim {
		p = p.Padded(e.Context)
	}
	m := 0
	if context != nil {
		m = layers.ShapeOf(context)[0]
	}
	if n := p.common(m); o.SharedPrefix && n > m {
		return e.shared(p, context, n, o.Trim)
	}
	x := e.Embed(e.scope.Const(p.IDTensor()))
	if context != nil {
		x = Learned(x, context)
	}
	return e.Forward(x, e.scope.Const(p.EOTTensor())).Feature
}

// common is how many tokens all prompts begin with, whatever those from 1 to m
// are, their last tokens apart.
func (p Prompts) common(m int) int {
	n := len(p.IDs[0]) - 1
	for _, x := range p.IDs {
		n = min(n, len(x)-1)
		for i := range n {
			if x[i] != p.IDs[0][i] && (i < 1 || i > m) {
				n = i
				break
			}
		}
	}
	return n
}

// shared encodes prompts that have their first n tokens in common. These are the
// first n rows of one matrix; each prompt's own tokens follow, without gaps if
// they are trimmed.
func (e *Encoder) shared(p Prompts, context *layers.Node, n int, trim bool) *layers.Node {
	ids, at := append([]int(nil), p.IDs[0][:n]...), make([]int, n)
	for i := range at {
		at[i] = i
	}
	lengths, ends := make([]int, len(p.IDs)), make([]int, len(p.IDs))
	for c, x := range p.IDs {
		ends[c] = len(ids) + len(x) - 1 - n
		lengths[c] = len(x) - n
		if !trim {
			lengths[c] = p.Rows - n
		}
		for i := n; i < n+lengths[c]; i++ {
			id := 0
			if i < len(x) {
				id = x[i]
			}
			ids, at = append(ids, id), append(at, i)
		}
	}
	vector := func(x []int) *layers.Node { return e.scope.Const(graph.Ints(x, len(x))) }
	x := e.Embed(vector(ids)) // [n+R, W]
	if context != nil {
		m := layers.ShapeOf(context)[0]
		x = layers.Concat(0, layers.Slice(x, 0, 0, 1), context, layers.Slice(x, 0, m+1, len(ids)))
	}
	leave := e.scope.Enter()
	x = layers.Add(x, layers.Embedding(e.Positions, vector(at)))
	leave()
	mix := func(b *layers.Block) *layers.Node { return layers.SharedAttention(b.QKV(x), b.Heads, n, lengths) }
	for _, b := range e.Blocks[:e.Layers-1] {
		x = b.Finish(x, mix(b))
	}
	end := vector(ends)
	return e.read(layers.Embedding(x, end), layers.Embedding(mix(e.Blocks[e.Layers-1]), end))
}
