// Package vit is CLIP's image encoder, a vision transformer (Dosovitskiy et al.,
// arXiv 2010.11929; Radford et al., arXiv 2103.00020, section 2.4).
//
// Shape legend: B images, N patches, W width, H heads, D joint width. Token 0 is
// CLS, tokens 1 to N are the patches, row by row.
package vit

import (
	"fmt"
	"math"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Config sizes an image encoder.
type Config struct {
	ImageSize int // side of the square input, in pixels
	PatchSize int
	Width     int
	Layers    int
	Heads     int
	Hidden    int // width of the MLPs; 0 is 4*Width
	Embed     int // D, the width of the space shared with the text
	ExactGELU bool
	Prune     Prune
}

// Grid is the number of patches along a side.
func (c Config) Grid() int { return c.ImageSize / c.PatchSize }

// Patches is N.
func (c Config) Patches() int { return c.Grid() * c.Grid() }

func (c Config) check() {
	if c.PatchSize < 1 || c.ImageSize < 1 || c.ImageSize%max(c.PatchSize, 1) != 0 || c.Heads < 1 || c.Width%max(c.Heads, 1) != 0 || c.Layers < 1 || c.Embed < 1 {
		graph.Failf("image encoder: sizes do not fit: %+v", c)
	}
	c.checkPrune()
}

// Encoder holds the nodes of the weights.
type Encoder struct {
	Config
	scope            *graph.Scope
	conv, class, pos *layers.Node
	pre              layers.Norm
	Blocks           []*layers.Block
	Post             layers.Norm
	Proj             *layers.Node // [W, D]
}

// New declares the encoder's variables under s, with OpenAI's names.
func New(s *graph.Scope, w layers.Weights, c Config) *Encoder {
	if c.Hidden == 0 {
		c.Hidden = 4 * c.Width
	}
	c.check()
	std := math.Pow(float64(c.Width), -.5)
	e := &Encoder{Config: c, scope: s}
	e.conv = s.Sub("conv1").Var("weight", w.Kind, w.Normal(std), c.Width, 3, c.PatchSize, c.PatchSize)
	e.class = s.Var("class_embedding", w.Kind, w.Normal(std), c.Width)
	e.pos = s.Var("positional_embedding", w.Kind, w.Normal(std), c.Patches()+1, c.Width)
	e.pre = layers.NewNorm(s.Sub("ln_pre"), w, c.Width)
	for l := range c.Layers {
		b := layers.NewBlock(s.Sub("transformer").Sub("resblocks").Sub(fmt.Sprint(l)), w,
			layers.BlockConfig{Width: c.Width, Heads: c.Heads, Hidden: c.Hidden, Layers: c.Layers, ExactGELU: c.ExactGELU})
		e.Blocks = append(e.Blocks, b)
	}
	e.Post = layers.NewNorm(s.Sub("ln_post"), w, c.Width)
	e.Proj = s.Var("proj", w.Kind, w.Normal(std), c.Width, c.Embed)
	return e
}

// Output holds the named intermediates of one pass.
type Output struct {
	// Tokens[l] [B, Rows(l)+1, W] is what block l reads; Tokens[L] is what the
	// last block wrote. Prompts are left out, here and below.
	Tokens []*layers.Node
	// QKV[l] [B, Rows(l)+1, 3W] are block l's packed queries, keys and values.
	QKV []*layers.Node
	// Remain [B, N] is 1 where a patch outlives pruning and 0 elsewhere, Index
	// [B, Kept] (Int) the places of those that do, in the order of the grid. Both
	// are nil where nothing is dropped.
	Remain, Index *layers.Node
	// Class [B, W] is the CLS token as the last block wrote it.
	Class *layers.Node
	// Feature [B, D] is the CLS token after ln_post and projection, not
	// normalised.
	Feature *layers.Node

	qkv []*layers.Node // QKV with the prompts' rows, which follow the others
}

// AllQKV is QKV[l] with the rows of prompts, which follow the others.
func (o Output) AllQKV(l int) *layers.Node { return o.qkv[l] }

// Forward encodes images [B, 3, S, S], normalised by CLIP's mean and deviation.
// Patches are dropped as Prune says.
func (e *Encoder) Forward(images *layers.Node) Output { return e.ForwardBy(images, e.OwnScore) }

// ForwardBy is Forward of images [B, 3, S, S] with patches dropped by another
// score.
func (e *Encoder) ForwardBy(images *layers.Node, score Score) Output {
	return e.Prompted(images, score)
}

// Prompted is ForwardBy with prompts, tokens [P, W] that follow those of the
// image (Jia et al., arXiv 2203.12119): the first are there from the start, before
// ln_pre and without a position, and prompts[l] take the place, before block l, of
// what the block before made of its own. Without any the pass is ForwardBy's.
func (e *Encoder) Prompted(images *layers.Node, score Score, prompts ...*layers.Node) Output {
	e.checkPrompts(prompts)
	var o Output
	x := e.stem(images, prompts)
	o.Tokens = []*layers.Node{e.image(x, 0)}
	var mixed *layers.Node
	for l, b := range e.Blocks {
		if l > 0 && l < len(prompts) {
			x = e.prompt(o.Tokens[l], prompts[l])
		}
		qkv := b.QKV(x)
		mixed = b.AttendCounted(qkv, e.Count(l))
		x = b.Finish(x, mixed)
		o.qkv, o.QKV = append(o.qkv, qkv), append(o.QKV, e.image(qkv, l))
		own := e.image(x, l)
		if e.prunes() && l+1 == e.Prune.Block {
			all := x
			own = e.prune(&o, own, score(o, own))
			x = own
			if n := layers.ShapeOf(all)[1]; n > e.Rows(l)+1 {
				x = layers.Concat(1, own, layers.Slice(all, 1, e.Rows(l)+1, n))
			}
		}
		o.Tokens = append(o.Tokens, own)
	}
	// What follows the last attention is done for CLS alone: where only the feature
	// is asked for, nothing computes the other rows.
	class := func(x *layers.Node) *layers.Node {
		return layers.Reshape(layers.Slice(x, 1, 0, 1), layers.ShapeOf(x)[0], e.Width)
	}
	o.Class = e.Blocks[e.Layers-1].Finish(class(o.Tokens[e.Layers-1]), class(mixed))
	o.Feature = e.Head(o.Class)
	return o
}

// image is the rows of x that block l, counted from 0, reads beside prompts.
func (e *Encoder) image(x *layers.Node, l int) *layers.Node {
	if n := e.Rows(l) + 1; layers.ShapeOf(x)[1] > n {
		return layers.Slice(x, 1, 0, n)
	}
	return x
}

// prompt puts prompts [P, W] after the tokens x [B, n, W] of each image.
func (e *Encoder) prompt(x, prompts *layers.Node) *layers.Node {
	b, p := layers.ShapeOf(x)[0], layers.ShapeOf(prompts)[0]
	return layers.Concat(1, x, layers.Broadcast(layers.Reshape(prompts, 1, p, e.Width), b, p, e.Width))
}

func (e *Encoder) checkPrompts(prompts []*layers.Node) {
	if len(prompts) > e.Layers {
		graph.Failf("image encoder: prompts for %d blocks, it has %d", len(prompts), e.Layers)
	}
	for _, p := range prompts {
		if s := layers.ShapeOf(p); len(s) != 2 || s[0] != layers.ShapeOf(prompts[0])[0] || s[1] != e.Width {
			graph.Refusef("image encoder: prompts", []*layers.Node{p}, "want [P, %d], P the same in each block", e.Width)
		}
	}
}

// stem makes the tokens that the first block reads, the first prompts among them.
func (e *Encoder) stem(images *layers.Node, prompts []*layers.Node) *layers.Node {
	defer e.scope.Enter()()
	x := layers.PatchEmbed(images, e.conv) // [B, N, W]
	b := layers.ShapeOf(x)[0]
	if n := layers.ShapeOf(x)[1]; n != e.Patches() {
		graph.Refusef("image encoder", []*layers.Node{images}, "images give %d patches, want %d", n, e.Patches())
	}
	class := layers.Broadcast(layers.Reshape(e.class, 1, 1, e.Width), b, 1, e.Width)
	x = layers.Add(layers.Concat(1, class, x), e.pos) // [B, N+1, W]
	if len(prompts) > 0 {
		x = e.prompt(x, prompts[0]) // [B, N+1+P, W]
	}
	return e.pre.Forward(x)
}

// Enter makes what reads the encoder's intermediates a layer of it, until the
// function it returns is called: visual.contributions, say.
func (e *Encoder) Enter(name string) (leave func()) { return e.scope.Sub(name).Enter() }

// Head maps tokens [..., W] into the joint space [..., D]: ln_post, then the
// projection.
func (e *Encoder) Head(x *layers.Node) *layers.Node {
	x = e.Post.Forward(x)
	defer e.scope.Enter()()
	return e.Project(x)
}

// Project multiplies rows [..., W] with the projection alone.
func (e *Encoder) Project(x *layers.Node) *layers.Node {
	s := layers.ShapeOf(x)
	n := 1
	for _, d := range s[:len(s)-1] {
		n *= d
	}
	y := layers.MatMul(layers.Reshape(x, n, e.Width), e.Proj, false, false)
	return layers.Reshape(y, append(s[:len(s)-1:len(s)-1], e.Embed)...)
}

// PatchTokens are the patches after the last block, ln_post and projection:
// [B, N, D], not normalised; zero where one was dropped.
func (e *Encoder) PatchTokens(o Output) *layers.Node {
	x := o.Tokens[e.Layers]
	return e.OnGrid(o, e.Layers, e.Head(layers.Slice(x, 1, 1, layers.ShapeOf(x)[1])))
}

// ClassAttention is how block l's CLS token attends: [B, H, Rows(l)+1] over all
// tokens, itself first; each row sums to 1, with what prompts get, which is left
// out.
func (e *Encoder) ClassAttention(o Output, l int) *layers.Node {
	a := layers.FirstAttention(o.qkv[l], e.Heads, e.Count(l))
	if n := e.Rows(l) + 1; layers.ShapeOf(a)[2] > n {
		return layers.Slice(a, 2, 0, n)
	}
	return a
}

// ClassValues is what block l's CLS token takes from each other token
// [B, Rows(l), W]: its values times the attention's weights, head by head.
func (e *Encoder) ClassValues(o Output, l int) *layers.Node {
	v := layers.FirstValues(o.qkv[l], e.Heads, e.Count(l))
	if n := e.Rows(l); layers.ShapeOf(v)[1] > n {
		return layers.Slice(v, 1, 0, n)
	}
	return v
}
