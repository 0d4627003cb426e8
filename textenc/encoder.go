// Package textenc is CLIP's text side: the byte-pair tokenizer, the causal text
// transformer, and prompts with learned context (Radford et al., arXiv
// 2103.00020, section 2.4; Zhou et al., arXiv 2109.01134).
//
// Shape legend: C texts, T positions, W width, D joint width.
package textenc

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Config sizes a text encoder.
type Config struct {
	Vocabulary int // rows of the token embedding
	Context    int // the most positions
	Width      int
	Layers     int
	Heads      int
	Hidden     int // width of the MLPs; 0 is 4*Width
	Embed      int // D
	ExactGELU  bool
}

// Encoder holds the nodes of the weights.
type Encoder struct {
	Config
	scope      *graph.Scope
	Table      *layers.Node // token embedding [V, W]
	Positions  *layers.Node // [Context, W]
	Blocks     []*layers.Block
	Final      layers.Norm
	Projection *layers.Node // [W, D]
}

// New declares the encoder's variables under s, with OpenAI's names, which
// have no prefix of their own.
func New(s *graph.Scope, w layers.Weights, c Config) *Encoder {
	if c.Hidden == 0 {
		c.Hidden = 4 * c.Width
	}
	if c.Heads < 1 || c.Width%max(c.Heads, 1) != 0 || c.Layers < 1 || c.Vocabulary < 1 || c.Context < 2 || c.Embed < 1 {
		graph.Failf("text encoder: sizes do not fit: %+v", c)
	}
	e := &Encoder{Config: c, scope: s}
	e.Table = s.Sub("token_embedding").Var("weight", w.Kind, w.Normal(.02), c.Vocabulary, c.Width)
	e.Positions = s.Var("positional_embedding", w.Kind, w.Normal(.01), c.Context, c.Width)
	for l := range c.Layers {
		b := layers.NewBlock(s.Sub("transformer").Sub("resblocks").Sub(fmt.Sprint(l)), w,
			layers.BlockConfig{Width: c.Width, Heads: c.Heads, Hidden: c.Hidden, Layers: c.Layers, ExactGELU: c.ExactGELU})
		e.Blocks = append(e.Blocks, b)
	}
	e.Final = layers.NewNorm(s.Sub("ln_final"), w, c.Width)
	e.Projection = s.Var("text_projection", w.Kind, w.Normal(math.Pow(float64(c.Width), -.5)), c.Width, c.Embed)
	return e
}

// Output holds the named intermediates of one pass.
type Output struct {
	Tokens  []*layers.Node // what each block reads, then what the last one wrote: [C, T, W]
	Last    *layers.Node   // after ln_final [C, T, W]
	Feature *layers.Node   // at EOT, projected, not normalised [C, D]
}

// Embed looks token ids [C, T] up: [C, T, W], without positions.
func (e *Encoder) Embed(ids *layers.Node) *layers.Node {
	defer e.scope.Sub("token_embedding").Enter()()
	return layers.Embedding(e.Table, ids)
}

// Forward encodes embedded tokens x [C, T, W], without positions, and reads the
// feature at eot [C, 1] (Int), the position of the end-of-text token. Attention
// is causal, so T need not exceed the last EOT: positions after it change
// nothing.
func (e *Encoder) Forward(x, eot *layers.Node) Output { return e.Prompted(x, eot, Context{}) }

// Prompted is Forward of texts x [C, T, W] that Compose made with a context, and eot:
// its deep prompts are put in.
func (e *Encoder) Prompted(x, eot *layers.Node, c Context) Output {
	c.checkDeep(e.Layers, e.Width)
	s := layers.ShapeOf(x)
	if len(s) != 3 || s[1] > e.Context {
		graph.Refusef("text encoder", []*layers.Node{x}, "want tokens [C, T, %d] with T of at most %d", e.Width, e.Context)
	}
	leave := e.scope.Enter()
	x = layers.Add(x, layers.Slice(e.Positions, 0, 0, s[1]))
	leave()
	o := Output{Tokens: []*layers.Node{x}}
	var mixed *layers.Node
	for l, b := range e.Blocks {
		mixed = b.Attend(b.QKV(x), true)
		x = c.after(l, b.Finish(x, mixed))
		o.Tokens = append(o.Tokens, x)
	}
	o.Last = e.Final.Forward(x)
	end := func(x *layers.Node) *layers.Node { return layers.Reshape(layers.Gather(x, eot), s[0], e.Width) }
	o.Feature = e.read(end(o.Tokens[e.Layers-1]), end(mixed))
	return o
}

// read does what follows the last attention for the rows that a feature is read
// at alone: x and mixed [C, W], what the last block reads and has mixed, give
// [C, D]. Nothing else looks at the other rows.
func (e *Encoder) read(x, mixed *layers.Node) *layers.Node {
	x = e.Final.Forward(e.Blocks[e.Layers-1].Finish(x, mixed))
	defer e.scope.Enter()()
	return layers.MatMul(x, e.Projection, false, false)
}
