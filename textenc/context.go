package textenc

import (
	"fmt"
	"slices"

	"spotlighter/graph"
	"spotlighter/layers"
)

// Context is what a prompt learns: M vectors in place of the words around the
// class name (CoOp: Zhou et al., arXiv 2109.01134, section 3.2). The zero Context
// leaves the words.
type Context struct {
	// Vectors are one context for all classes [M, W] ("unified"), one for each class
	// [C, M, W], or one for each of several images [B, M, W].
	Vectors *layers.Node
	Over    Over
	Name    Position
	// Deep[l] [M, W] take the vectors' positions again, before block l+1, counted from
	// 0, in place of what the block before wrote there (Khattak et al., arXiv
	// 2210.03117, equation 3). They are for one context for all classes that stands
	// before the names, so that the prefix can be shared still.
	Deep []*layers.Node
}

// Over is what a context is for.
type Over int

// AllClasses have one context, EachClass its own, EachImage one for all classes.
const (
	AllClasses Over = iota
	EachClass
	EachImage
)

// Position is where the class name stands in learned context.
type Position int

// The positions: after the context, between its halves (the second is the longer
// one where M is odd), before it.
const (
	End Position = iota
	Middle
	Front
)

// PositionNames are the positions as a configuration has them, in their order.
var PositionNames = []string{"end", "middle", "front"}

func (c Context) vectors() (images, classes, m int) {
	if c.Vectors == nil {
		return 1, 1, 0
	}
	s := layers.ShapeOf(c.Vectors)
	want := 3
	if c.Over == AllClasses {
		want = 2
	}
	if len(s) != want {
		graph.Refusef("learned context", []*layers.Node{c.Vectors}, "want %d axes", want)
	}
	images, classes, m = 1, 1, s[len(s)-2]
	switch c.Over {
	case EachClass:
		classes = s[0]
	case EachImage:
		images = s[0]
	}
	return images, classes, m
}

// checkDeep refuses deep prompts that do not fit.
func (c Context) checkDeep(blocks, width int) {
	if len(c.Deep) == 0 {
		return
	}
	if c.Vectors == nil || c.Over != AllClasses || c.Name != End {
		graph.Failf("deep prompts need one learned context for all classes, before their names")
	}
	if len(c.Deep) >= blocks {
		graph.Failf("text encoder: deep prompts for %d blocks, %d follow the first", len(c.Deep), blocks-1)
	}
	_, _, m := c.vectors()
	for _, d := range c.Deep {
		if s := layers.ShapeOf(d); len(s) != 2 || s[0] != m || s[1] != width {
			graph.Refusef("text encoder: deep prompts", []*layers.Node{d}, "want [%d, %d] as the learned context", m, width)
		}
	}
}

// after is what the block after block l reads of what that wrote: x [R, T, W] with
// the deep prompts in their places.
func (c Context) after(l int, x *layers.Node) *layers.Node {
	if l >= len(c.Deep) {
		return x
	}
	s, m := layers.ShapeOf(x), layers.ShapeOf(c.Deep[l])[0]
	deep := layers.Broadcast(layers.Reshape(c.Deep[l], 1, m, s[2]), s[0], m, s[2])
	return layers.Concat(1, layers.Slice(x, 1, 0, 1), deep, layers.Slice(x, 1, m+1, s[1]))
}

// source is what stands at a position of a prompt: a token's id, or, below 0, a
// vector of the context, counted from -1 on.
type source = int

// pad is a token that no result depends on.
const pad source = 0

// sources lays out every prompt.
func (p Prompts) sources(c Context) [][]source {
	_, classes, m := c.vectors()
	if c.Vectors == nil {
		return p.IDs
	}
	switch {
	case classes != 1 && classes != len(p.IDs):
		graph.Failf("learned context of %d classes does not fit %d prompts", classes, len(p.IDs))
	case c.Name != End && len(p.Names) != len(p.IDs):
		graph.Failf("learned context that does not stand before the class names needs the lengths of all %d, there are %d", len(p.IDs), len(p.Names))
	}
	out := make([][]source, len(p.IDs))
	for i, ids := range p.IDs {
		if p.Words+2 > len(ids) {
			graph.Failf("prompt %d of %d tokens has no %d words that learned context could take the place of", i, len(ids), p.Words)
		}
		context := make([]source, m)
		for j := range context {
			context[j] = -1 - j - i%classes*m
		}
		before, name := m, 0
		switch c.Name {
		case Middle:
			before, name = m/2, p.Names[i]
		case Front:
			before, name = 0, p.Names[i]
		}
		rest := ids[1+p.Words:]
		out[i] = slices.Concat(ids[:1], context[:before], rest[:name], context[before:], rest[name:])
	}
	return out
}

// Compose embeds prompts with learned context, for Forward: [C, T, W], or
// [B*C, T, W] of a context for each of B images, without positions, and where
// each ends. T is the longest prompt, or more.
func (e *Encoder) Compose(p Prompts, c Context, rows int) (x, eot *layers.Node) {
	texts := p.sources(c)
	return e.compose(texts, c, max(rows, longest(texts)))
}

func longest(texts [][]source) (n int) {
	for _, t := range texts {
		n = max(n, len(t))
	}
	return n
}

func (e *Encoder) compose(texts [][]source, c Context, rows int) (x, eot *layers.Node) {
	images, _, _ := c.vectors()
	var flat []source
	ends := graph.NewTensor(graph.Int, images*len(texts), 1)
	for i, t := range texts {
		flat = append(append(flat, t...), make([]source, rows-len(t))...)
		for b := range images {
			ends.Int[b*len(texts)+i] = len(t) - 1
		}
	}
	x = e.fill(flat, c)
	return layers.Reshape(x, images*len(texts), rows, e.Width), e.scope.Const(ends)
}

// fill looks the sources up: [B, len(of), W].
func (e *Encoder) fill(of []source, c Context) *layers.Node {
	images, _, _ := c.vectors()
	if c.Vectors == nil {
		return layers.Reshape(e.Embed(e.scope.Const(graph.Ints(of, len(of)))), 1, len(of), e.Width)
	}
	var ids []int // without repetition
	row := map[int]int{}
	for _, s := range of {
		if _, ok := row[s]; s >= 0 && !ok {
			row[s] = len(ids)
			ids = append(ids, s)
		}
	}
	at := graph.NewTensor(graph.Int, images, len(of))
	for i, s := range of {
		r := row[s]
		if s < 0 {
			r = len(ids) - 1 - s
		}
		for b := range images {
			at.Int[b*len(of)+i] = r
		}
	}
	words := layers.Reshape(e.Embed(e.scope.Const(graph.Ints(ids, len(ids)))), 1, len(ids), e.Width)
	vectors := layers.Reshape(c.Vectors, images, layers.ShapeOf(c.Vectors).TotalSize()/images/e.Width, e.Width)
	table := layers.Concat(1, layers.Broadcast(words, images, len(ids), e.Width), vectors)
	return layers.Gather(table, e.scope.Const(at))
}

// ParsePosition is the position of that name.
func ParsePosition(name string) (Position, error) {
	if i := slices.Index(PositionNames, name); i >= 0 {
		return Position(i), nil
	}
	return 0, fmt.Errorf("class position %q is none of %v", name, PositionNames)
}
