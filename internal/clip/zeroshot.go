package clip

import (
	"context"
	"errors"
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/textenc"
	"spotlighter/vit/preprocess"
)

// ZeroShot encodes texts and pictures by a frozen model alone.
type ZeroShot struct {
	Options textenc.Options // of the text encoder; all savings, unless it is changed
	model   *Model
	pool    *cpu.Pool
}

// NewZeroShot returns an encoder of texts and pictures.
func NewZeroShot(m *Model, pool *cpu.Pool) *ZeroShot { return &ZeroShot{textenc.Fast(), m, pool} }

// Text encodes texts to unit rows [C, D].
func (z *ZeroShot) Text(ctx context.Context, texts []string) (graph.Tensor, error) {
	ids := make([][]int, len(texts))
	var err error
	for i, t := range texts {
		if ids[i], err = z.model.Tokens(t); err != nil {
			return graph.Tensor{}, err
		}
	}
	prompts, err := textenc.NewPrompts(ids, z.model.Text.Context)
	if err != nil {
		return graph.Tensor{}, err
	}
	s, e, err := z.model.Scope()
	if err != nil {
		return graph.Tensor{}, err
	}
	s.Called("prompts")
	var out *layers.Node
	err = graph.Try(func() {
		out = layers.L2Normalize(e.Text.Classes(prompts, textenc.Context{}, z.Options), 0)
	})
	if err != nil {
		return graph.Tensor{}, err
	}
	p, err := s.Compile(z.pool, map[string]*layers.Node{"text": out})
	if err != nil {
		return graph.Tensor{}, err
	}
	if err := p.Run(ctx, nil); err != nil {
		return graph.Tensor{}, err
	}
	return p.Output("text"), nil
}

// Images encodes pictures to unit rows [n, D].
func (z *ZeroShot) Images(ctx context.Context, images []*preprocess.RGB) (graph.Tensor, error) {
	const batch = 64
	s, e, err := z.model.Scope()
	if err != nil {
		return graph.Tensor{}, err
	}
	side := z.model.Vision.ImageSize
	in := graph.NewTensor(graph.Float32, batch, 3, side, side)
	var out *layers.Node
	err = graph.Try(func() {
		out = layers.L2Normalize(e.Vision.Forward(s.Input("images", graph.Float32, in.Shape...)).Feature, 0)
	})
	if err != nil {
		return graph.Tensor{}, err
	}
	p, err := s.Compile(z.pool, map[string]*layers.Node{"image": out})
	if err != nil {
		return graph.Tensor{}, err
	}
	features := graph.NewTensor(graph.Float32, len(images), z.model.Vision.Embed)
	for at := 0; at < len(images); at += batch {
		n := min(batch, len(images)-at)
		z.pool.For(n, 1, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				copy(in.Row(i), z.model.Transform.Apply(images[at+i]))
			}
		})
		if err := p.Run(ctx, map[string]graph.Tensor{"images": in}); err != nil {
			return graph.Tensor{}, err
		}
		for i := range n {
			copy(features.Row(at+i), p.Output("image").Row(i))
		}
	}
	return features, nil
}

// Nearest is the row of unit texts [C, D] closest to a feature.
func Nearest(feature []float32, texts graph.Tensor) int {
	best, at := float32(-2), 0
	for c := range texts.Shape[0] {
		if d := cpu.Dot(feature, texts.Row(c)); d > best {
			best, at = d, c
		}
	}
	return at
}

// Ensemble encodes each class in every template, in which {} stands for it, and
// returns the unit means of the unit features: [C, D] (Radford et al., arXiv
// 2103.00020, section 3.1.4).
func (z *ZeroShot) Ensemble(ctx context.Context, templates, classes []string) (graph.Tensor, error) {
	if len(templates) == 0 {
		return graph.Tensor{}, errors.New("no templates to read the classes in")
	}
	const batch = 32
	enc := NewTextEncoder(z.model, z.pool, batch)
	out := graph.NewTensor(graph.Float32, len(classes), z.model.Text.Embed)
	var texts []string
	first := 0 // of texts, among all pairs of a class and a template
	flush := func() error {
		features, err := enc.Encode(ctx, texts)
		if err != nil {
			return err
		}
		for i := range texts {
			Unit(features.Row(i))
			sum := out.Row((first + i) / len(templates))
			cpu.Add(sum, sum, features.Row(i))
		}
		first, texts = first+len(texts), texts[:0]
		return nil
	}
	for _, class := range classes {
		for _, t := range templates {
			text := z.model.Fill(t, class)
			if _, err := z.model.Tokens(text); err != nil { // here the class is known
				return graph.Tensor{}, fmt.Errorf("class %q: %w", class, err)
			}
			if texts = append(texts, text); len(texts) == batch {
				if err := flush(); err != nil {
					return graph.Tensor{}, err
				}
			}
		}
	}
	if len(texts) > 0 {
		if err := flush(); err != nil {
			return graph.Tensor{}, err
		}
	}
	for c := range classes {
		Unit(out.Row(c))
	}
	return out, nil
}
