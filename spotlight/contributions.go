package spotlight

import (
	"spotlighter/layers"
	"spotlighter/vit"
)

// contributions are what each patch adds to the CLS feature in some blocks,
// exactly: in a pre-LayerNorm transformer the CLS row is a sum, and ln_post is
// linear once the deviation of that row is known. So g = rest + sum of c over the
// patches. They are kept as the factors of their products: the scores of few texts
// and the rows of few patches cost less than all rows do.
type contributions struct {
	enc    *vit.Encoder
	pass   vit.Output
	blocks []int // counted from 1
	head   Head
}

func newContributions(e *vit.Encoder, o vit.Output, blocks []int, head Head) *contributions {
	return &contributions{enc: e, pass: o, blocks: blocks, head: head}
}

// values are what the CLS token takes from each patch in the i-th block [B, Rows, W].
// Each reader asks anew: a program computes them once, and just before the first
// reads them, while they are in the caches.
func (c *contributions) values(i int) *Node { return c.enc.ClassValues(c.pass, c.blocks[i]-1) }

// all are the contributions of all patches [B, N, D].
func (c *contributions) all() *Node {
	x := c.unscaled()
	defer c.enc.Enter("contributions")()
	if c.head.Tangent != nil {
		x = c.head.Tangent(x)
	}
	return layers.Div(x, c.unit())
}

// unscaled are those of all patches up to a factor an image, for which the blocks
// up to the last named are enough.
func (c *contributions) unscaled() *Node {
	defer c.enc.Enter("contributions")()
	return c.joint(func(i int, v *Node) *Node { return c.grid(i, c.out(i, v)) })
}

// of are those of some patches [B, R] of each image: [B, R, D].
func (c *contributions) of(index *Node) *Node {
	defer c.enc.Enter("contributions")()
	return layers.Div(c.joint(func(i int, v *Node) *Node {
		return c.out(i, layers.Gather(c.grid(i, v), index))
	}), c.unit())
}

// sums are the sums of each k of some patches [B, R]: [B, R/k, D].
func (c *contributions) sums(index *Node, k int) *Node {
	defer c.enc.Enter("contributions")()
	return layers.Div(c.joint(func(i int, v *Node) *Node {
		return c.out(i, sumOf(layers.Gather(c.grid(i, v), index), k))
	}), c.unit())
}

// dot are the products of M vectors an image and of the contributions of all
// patches: [B, M, N]. The vectors are taken back to the values, not these forward.
func (c *contributions) dot(v vectors) *Node {
	defer c.enc.Enter("contributions")()
	e := c.enc
	v = v.fewest().through(func(x *Node) *Node {
		x = layers.Mul(layers.MatMul(x, e.Proj, false, true), e.Post.Gamma)
		return layers.Sub(x, layers.Reshape(layers.Mean(x, 1), shape(x)[0], 1)) // centring is its own transpose
	})
	var sum *Node
	for i, l := range c.blocks {
		w := v.through(func(x *Node) *Node { return layers.MatMul(x, e.Blocks[l-1].OutW, false, false) })
		part := layers.MatMul(c.values(i), w.rows(), false, true) // [B, Rows, M]
		sum = plus(sum, c.grid(i, part))
	}
	return layers.Div(layers.Transpose(sum, 0, 2, 1), c.unit())
}

// source gives what is read of the patches' tokens.
type source interface {
	dot(v vectors) *Node           // their products with M vectors an image: [B, M, N]
	of(index *Node) *Node          // those of patches [B, R]: [B, R, D]
	sums(index *Node, k int) *Node // the sums of each k of patches [B, R]: [B, R/k, D]
}

// given are tokens [B, N, D] that all are at hand.
type given struct{ all *Node }

func (g given) dot(v vectors) *Node           { return layers.MatMul(v.rows(), g.all, false, true) }
func (g given) of(index *Node) *Node          { return layers.Gather(g.all, index) }
func (g given) sums(index *Node, k int) *Node { return sumOf(layers.Gather(g.all, index), k) }

// sources are the tokens and the evidence of which so many products and rows are
// read: their factors, where less is to be computed so, or all of them.
func (f Features) sources(read int) (tokens, evidence source) {
	if c := f.tokens; c != nil && c.head.Tangent == nil && read < c.enc.Rows(c.blocks[len(c.blocks)-1]-1) {
		return c, f.evidence
	}
	return given{f.Tokens}, given{f.Evidence}
}

// joint brings the sum over the blocks, of what part makes of each block's values,
// into the joint space, up to a factor an image: [B, R, W] to [B, R, D].
func (c *contributions) joint(part func(i int, v *Node) *Node) *Node {
	var sum *Node
	for i := range c.blocks {
		sum = plus(sum, part(i, c.values(i)))
	}
	s := shape(sum)
	centred := layers.Sub(sum, layers.Reshape(layers.Mean(sum, 2), s[0], s[1], 1))
	return c.enc.Project(layers.Mul(centred, c.enc.Post.Gamma))
}

// out is the i-th block's projection of rows.
func (c *contributions) out(i int, x *Node) *Node {
	return layers.Linear(x, c.enc.Blocks[c.blocks[i]-1].OutW, nil)
}

// grid puts rows of the i-th block to their places in the grid.
func (c *contributions) grid(i int, x *Node) *Node {
	return c.enc.OnGrid(c.pass, c.blocks[i]-1, x)
}

// unit is what contributions are divided by, since features have unit length:
// [B, 1, 1].
func (c *contributions) unit() *Node {
	s := shape(c.pass.Class)
	class := layers.Reshape(c.pass.Class, s[0], 1, s[1])
	return layers.Mul(deviation(class), layers.Reshape(length(c.head.Feature), s[0], 1, 1))
}

// plus is a + b, b where a is nil.
func plus(a, b *Node) *Node {
	if a == nil {
		return b
	}
	return layers.Add(a, b)
}

// sumOf sums each k rows: [B, R, D] to [B, R/k, D].
func sumOf(x *Node, k int) *Node {
	s := shape(x)
	x = layers.Sum(layers.Reshape(x, s[0]*s[1]/k, k, s[2]), 1)
	return layers.Reshape(x, s[0], s[1]/k, s[2])
}

// deviation is the standard deviation of rows, with LayerNorm's epsilon:
// [B, 1, W] to [B, 1, 1].
func deviation(x *Node) *Node {
	s := shape(x)
	d := layers.Sub(x, layers.Reshape(layers.Mean(x, 2), s[0], 1, 1))
	v := layers.Mean(layers.Square(d), 2)
	return layers.Reshape(layers.Sqrt(layers.Shift(v, layers.Eps)), s[0], 1, 1)
}

// length is the L2 norm of rows: [B, D] to [B].
func length(x *Node) *Node { return layers.Sqrt(layers.Sum(layers.Square(x), 1)) }
