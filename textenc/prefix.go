package textenc

import (
	"slices"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Options switch savings that change no feature but in its last digits: the
// transformer is causal and read at EOT alone.
type Options struct {
	// Trim leaves out the positions after the last EOT, which nothing looks at.
	Trim bool `yaml:"trim"`
	// SharedPrefix computes the tokens that all prompts begin with (SOS, learned
	// context before the class name) once a block, not once a class, forward and
	// backward.
	SharedPrefix bool `yaml:"shared_prefix"`
}

// Fast is all savings.
func Fast() Options { return Options{Trim: true, SharedPrefix: true} }

// IsZero says whether nothing is switched off: such options need not be written.
func (o Options) IsZero() bool { return o == Fast() }

// Classes encodes prompts: features [C, D], or [B, C, D] with a context for each
// of B images, not normalised.
func (e *Encoder) Classes(p Prompts, c Context, o Options) *layers.Node {
	texts := p.sources(c)
	rows := longest(texts)
	if rows > e.Context {
		graph.Failf("text encoder: learned context makes prompts of %d tokens, want at most %d", rows, e.Context)
	}
	if !o.Trim {
		rows = e.Context
	}
	var f *layers.Node // [B*C, D]
	if n := common(texts); o.SharedPrefix && n > 0 {
		f = e.shared(texts, c, n, rows, o.Trim)
	} else {
		x, eot := e.compose(texts, c, rows)
		f = e.Prompted(x, eot, c).Feature
	}
	if images, _, _ := c.vectors(); c.Over == EachImage {
		f = layers.Reshape(f, images, len(texts), e.Config.Embed)
	}
	return f
}

// common is how many sources all texts begin with, their last ones apart.
func common(texts [][]source) int {
	n := len(texts[0]) - 1
	for _, t := range texts {
		n = min(n, len(t)-1)
		for n > 0 && !slices.Equal(t[:n], texts[0][:n]) {
			n--
		}
	}
	return n
}

// shared encodes texts that have their first n sources in common. These are the
// first n rows of one matrix; each text's own follow, without gaps if they are
// trimmed, else up to rows.
func (e *Encoder) shared(texts [][]source, c Context, n, rows int, trim bool) *layers.Node {
	c.checkDeep(e.Layers, e.Width)
	images, _, _ := c.vectors()
	of, at := slices.Clone(texts[0][:n]), make([]int, n)
	for i := range at {
		at[i] = i
	}
	lengths, ends := make([]int, len(texts)), make([]int, len(texts))
	for i, t := range texts {
		ends[i] = len(of) + len(t) - 1 - n
		lengths[i] = len(t) - n
		if !trim {
			lengths[i] = rows - n
		}
		for j := n; j < n+lengths[i]; j++ {
			s := pad
			if j < len(t) {
				s = t[j]
			}
			of, at = append(of, s), append(at, j)
		}
	}
	x := e.fill(of, c) // [B, n+R, W]
	leave := e.scope.Enter()
	x = layers.Add(x, layers.Embedding(e.Positions, e.scope.Const(graph.Ints(at, len(at)))))
	leave()
	mix := func(b *layers.Block) *layers.Node { return b.AttendShared(b.QKV(x), n, lengths) }
	for l, b := range e.Blocks[:e.Layers-1] {
		x = c.after(l, b.Finish(x, mix(b)))
	}
	end := e.scope.Const(graph.Ints(slices.Repeat(ends, images), images, len(ends)))
	read := func(x *layers.Node) *layers.Node {
		return layers.Reshape(layers.Gather(x, end), images*len(ends), e.Width) // [B*C, W]
	}
	return e.read(read(x), read(mix(e.Blocks[e.Layers-1])))
}
