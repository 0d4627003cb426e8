package textenc

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Prompts are token ids of one text a class, as rows of the embedding table.
type Prompts struct {
	IDs  [][]int // each SOT, words, EOT; of different lengths
	Rows int     // T: the longest, or more
}

// NewPrompts checks the lengths against the encoder's context. A prompt without
// tokens, or no prompt at all, has no feature.
func NewPrompts(ids [][]int, context int) (Prompts, error) {
	p := Prompts{IDs: ids}
	if len(ids) == 0 {
		return p, fmt.Errorf("no prompts")
	}
	for i, x := range ids {
		switch {
		case len(x) == 0:
			return p, fmt.Errorf("prompt %d is empty", i)
		case len(x) > context:
			return p, fmt.Errorf("prompt %d has %d tokens, the text encoder takes %d", i, len(x), context)
		}
		p.Rows = max(p.Rows, len(x))
	}
	return p, nil
}

// Padded are the same prompts with T = rows, at least the longest.
func (p Prompts) Padded(rows int) Prompts {
	p.Rows = max(p.Rows, rows)
	return p
}

// IDTensor is [C, T], padded with 0, which no result depends on.
func (p Prompts) IDTensor() graph.Tensor {
	t := graph.NewTensor(graph.Int, len(p.IDs), p.Rows)
	for i, x := range p.IDs {
		copy(t.Int[i*p.Rows:], x)
	}
	return t
}

// EOTTensor is [C, 1], where each prompt ends.
func (p Prompts) EOTTensor() graph.Tensor {
	t := graph.NewTensor(graph.Int, len(p.IDs), 1)
	for i, x := range p.IDs {
		t.Int[i] = len(x) - 1
	}
	return t
}

// Learned replaces positions 1 to M of embedded prompts x [C, T, W] by learned
// context [M, W], shared by all classes (CoOp: Zhou et al., arXiv 2109.01134,
// section 3.2, "unified context", class name at the end).
func Learned(x, context *layers.Node) *layers.Node {
	s, m := layers.ShapeOf(x), layers.ShapeOf(context)[0]
	if m+2 > s[1] {
		graph.Failf("learned context of %d vectors does not fit prompts of %d tokens", m, s[1])
	}
	shared := layers.Broadcast(layers.Reshape(context, 1, m, s[2]), s[0], m, s[2])
	return layers.Concat(1, layers.Slice(x, 1, 0, 1), shared, layers.Slice(x, 1, m+1, s[1]))
}
