package textenc

import (
	"fmt"

	"spotlighter/graph"
)

// Prompts are token ids of one text a class, as rows of the embedding table.
type Prompts struct {
	IDs  [][]int // each SOT, words, EOT; of different lengths
	Rows int     // T: the longest
	// Words is how many tokens after SOT are the words around the class name, which
	// learned context takes the place of.
	Words int
	// Names is how many tokens after these each class name has; learned context that
	// does not stand before the name needs it.
	Names []int
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
