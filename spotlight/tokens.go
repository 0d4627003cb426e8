package spotlight

import (
	"fmt"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/spotlight/release"
	"spotlighter/vit"
)

// Features are what the method needs of an image, computed once by the frozen
// encoder. Where the encoder drops patches, the tokens and the attention have
// zeros for what a dropped patch would have given.
type Features struct {
	Image     *Node   // unit CLS feature g [B, D]
	Tokens    *Node   // patch tokens c [B, N, D], magnitudes kept; all tokens [B, N+1, D] in variant release
	Evidence  *Node   // what each patch contributes in the evidence blocks [B, N, D]; nil where none is asked for
	Attention *Node   // CLS attention over the patches, mean of heads and blocks [B, N]
	Remain    *Node   // 1 where a patch remains, 0 where it was dropped [B, N]; nil where none is
	Class     *Node   // the CLS row that the re-read starts from [B, W]
	Caches    []*Node // keys and values of the tokens beside CLS, a re-read block each; see layers.CacheWeights

	head Head
	// What Tokens and Evidence are made of, where this graph's encoder makes them.
	tokens, evidence *contributions
}

// Head is what follows the image encoder's own head: a student's projection into
// its teacher's space of width T. The zero value is nothing, and T is D.
type Head struct {
	Feature *Node               // of the pass, not normalised [B, T]
	Rows    func(x *Node) *Node // other CLS features, of the same batch: [R, D] to [R, T]
	// Tangent is the linear map that the head is at the pass's features: [B, N, D] to
	// [B, N, T].
	Tangent func(x *Node) *Node
}

// rows maps [B, N, D] to [B, N, T].
func (h Head) rows(x *Node) *Node {
	if h.Rows == nil {
		return x
	}
	s := shape(x)
	y := h.Rows(layers.Reshape(x, s[0]*s[1], s[2]))
	return layers.Reshape(y, s[0], s[1], shape(y)[1])
}

// Encode adds the nodes of the features to an encoder's pass.
func Encode(c Config, e *vit.Encoder, o vit.Output) Features {
	return EncodeThrough(c, e, o, Head{Feature: o.Feature})
}

// EncodeThrough is Encode of an encoder that a head follows. Where the pass had
// prompts, the features are of its patches alone, but the keys and values are of
// the prompts too, which read again as they were read.
func EncodeThrough(c Config, e *vit.Encoder, o vit.Output, head Head) Features {
	if c.Variant == Release {
		f := release.Encode(e, o)
		return Features{Image: f.Image, Tokens: f.Tokens, Attention: f.Attention}
	}
	f := Features{Image: layers.L2Normalize(head.Feature, 0), Remain: o.Remain, head: head}
	blocks := c.blocks(e.Layers)
	switch c.Tokens {
	case "contribution":
		f.tokens = newContributions(e, o, blocks, head)
		f.Tokens = f.tokens.all()
	case "value":
		last := e.Blocks[e.Layers-1]
		v := layers.Slice(besideClass(o.QKV[e.Layers-1]), 2, 2*e.Width, 3*e.Width) // [B, Rows, W]
		f.Tokens = e.OnGrid(o, e.Layers-1, unit(head.rows(e.Head(layers.Linear(v, last.OutW, last.OutB)))))
	default:
		f.Tokens = unit(head.rows(e.PatchTokens(o)))
	}
	f.Attention = classAttention(e, o, blocks)
	if c.Evidence > 0 {
		f.evidence = newContributions(e, o, c.evidenceBlocks(e.Layers), head)
		f.Evidence = f.evidence.all()
	}
	if c.Read == "reread" {
		f.remember(e, o, c.rereadBlocks(e.Layers))
	}
	return f
}

// classAttention is how CLS attends to the patches, the mean of heads and blocks
// [B, N].
func classAttention(e *vit.Encoder, o vit.Output, blocks []int) *Node {
	defer e.Enter("class_attention")()
	var sum *Node
	for _, l := range blocks {
		a := e.ClassAttention(o, l-1)
		a = layers.Mean(layers.Slice(a, 2, 1, last(shape(a))), 1)
		if a = e.OnGrid(o, l-1, a); sum == nil {
			sum = a
		} else {
			sum = layers.Add(sum, a)
		}
	}
	return layers.Scale(sum, 1/float64(len(blocks)))
}

// remember keeps what a re-read of the last r blocks starts from.
func (f *Features) remember(e *vit.Encoder, o vit.Output, r int) {
	defer e.Enter("reread")()
	first := o.Tokens[e.Layers-r]
	f.Class = layers.Reshape(layers.Slice(first, 1, 0, 1), shape(first)[0], e.Width)
	for l := e.Layers - r; l < e.Layers; l++ {
		f.Caches = append(f.Caches, o.AllQKV(l))
	}
}

// besideClass is all tokens of x [B, Rows+1, ...] but CLS.
func besideClass(x *Node) *Node { return layers.Slice(x, 1, 1, shape(x)[1]) }

// Named lists the features, each [B, ...], by the names that they are cached and
// fed by.
func (f Features) Named() map[string]*Node {
	m := map[string]*Node{"image": f.Image, "tokens": f.Tokens, "attention": f.Attention}
	if f.Class != nil {
		m["class"] = f.Class
	}
	if f.Remain != nil {
		m["remain"] = f.Remain
	}
	if f.Evidence != nil {
		m["evidence"] = f.Evidence
	}
	for i, c := range f.Caches {
		if w := last(shape(f.Class)); last(shape(c)) == 3*w { // queries are not read again
			c = besideClass(layers.Slice(c, 2, w, 3*w))
		}
		m[fmt.Sprintf("cache.%d", i)] = c // [B, Rows, 2W]
	}
	return m
}

// Inputs declares the features as inputs of another graph, for b images of an
// encoder of that size.
func Inputs(c Config, s *graph.Scope, v vit.Config, b int) Features {
	n, tokens := v.Patches(), v.Patches()
	if c.Variant == Release {
		tokens++ // CLS too
	}
	f := Features{
		Image:     s.Input("image", s.Dtype(), b, v.Embed),
		Tokens:    s.Input("tokens", s.Dtype(), b, tokens, v.Embed),
		Attention: s.Input("attention", s.Dtype(), b, n),
	}
	if c.Variant != Release && c.Read == "reread" {
		f.Class = s.Input("class", s.Dtype(), b, v.Width)
		r := c.rereadBlocks(v.Layers)
		for i := range r {
			rows := v.Rows(v.Layers - r + i)
			f.Caches = append(f.Caches, s.Input(fmt.Sprintf("cache.%d", i), s.Dtype(), b, rows, 2*v.Width))
		}
	}
	if c.Variant != Release && c.Evidence > 0 {
		f.Evidence = s.Input("evidence", s.Dtype(), b, n, v.Embed)
	}
	if v.Kept() < n {
		f.Remain = s.Input("remain", s.Dtype(), b, n)
	}
	return f
}

// blocks resolves Config.Blocks for a depth.
func (c Config) blocks(depth int) []int {
	return resolve("blocks", c.Blocks, depth, 2, 4)
}

// evidenceBlocks resolves Config.EvidenceBlocks for a depth.
func (c Config) evidenceBlocks(depth int) []int {
	return resolve("evidence_blocks", c.EvidenceBlocks, depth, 2, 3)
}

// resolve checks named blocks against a depth; where there are none they are
// those after lo fifths of it, to hi fifths.
func resolve(key string, named []int, depth, lo, hi int) []int {
	if len(named) > 0 {
		for _, l := range named {
			if l < 1 || l > depth {
				graph.Failf("spotlight.%s: %d, the image encoder has blocks 1 to %d", key, l, depth)
			}
		}
		return named
	}
	var out []int
	from, to := (2*lo*depth+5)/10, (2*hi*depth+5)/10 // rounded
	for l := from + 1; l <= max(to, from+1); l++ {
		out = append(out, l)
	}
	return out
}

// rereadBlocks resolves Config.RereadBlocks for a depth.
func (c Config) rereadBlocks(depth int) int {
	r := c.RereadBlocks
	if r == 0 {
		r = max(1, min(4, 4*depth/5))
	}
	if r > depth {
		graph.Failf("spotlight.reread_blocks: %d, the image encoder has %d blocks", r, depth)
	}
	return r
}
