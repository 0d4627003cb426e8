package clip

import (
	"context"
	"math"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/vit/preprocess"
)

// ImageEncoder encodes pictures, a batch at a time.
type ImageEncoder struct {
	model   *Model
	pool    *cpu.Pool
	program *graph.Program
	images  graph.Tensor // [batch, 3, S, S]
	patches bool
}

// NewImageEncoder compiles the image encoder for batches of that size; with
// patches also their projected tokens come out.
func NewImageEncoder(m *Model, pool *cpu.Pool, batch int, patches bool) (*ImageEncoder, error) {
	s, e, err := m.Scope()
	if err != nil {
		return nil, err
	}
	side := m.Vision.ImageSize
	x := &ImageEncoder{model: m, pool: pool, images: graph.NewTensor(graph.Float32, batch, 3, side, side), patches: patches}
	nodes := map[string]*graph.Node{}
	err = graph.Try(func() {
		pass := e.Vision.Forward(s.Input("images", graph.Float32, x.images.Shape...))
		nodes["image"] = pass.Feature
		if patches {
			nodes["patches"] = e.Vision.PatchTokens(pass)
		}
	})
	if err != nil {
		return nil, err
	}
	x.program, err = s.Compile(pool, nodes)
	return x, err
}

// Encode encodes at most a batch of n pictures, each given by load, which is
// called from several goroutines. Features [batch, D] and patches [batch, N, D]
// are not normalised; rows from n on mean nothing, and the next call overwrites
// all.
func (x *ImageEncoder) Encode(ctx context.Context, n int, load func(i int) (*preprocess.RGB, error)) (features, patches graph.Tensor, err error) {
	errs := make([]error, n)
	x.pool.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			img, err := load(i)
			if err != nil {
				errs[i] = err
				continue
			}
			copy(x.images.Row(i), x.model.Transform.Apply(img))
		}
	})
	for _, err := range errs {
		if err != nil {
			return graph.Tensor{}, graph.Tensor{}, err
		}
	}
	if err := x.program.Run(ctx, map[string]graph.Tensor{"images": x.images}); err != nil {
		return graph.Tensor{}, graph.Tensor{}, err
	}
	if x.patches {
		patches = x.program.Output("patches")
	}
	return x.program.Output("image"), patches, nil
}

// TextEncoder encodes texts, a batch at a time.
type TextEncoder struct {
	model    *Model
	pool     *cpu.Pool
	batch    int
	compiled map[int]*graph.Program // by length
}

// NewTextEncoder returns an encoder of batches of that size.
func NewTextEncoder(m *Model, pool *cpu.Pool, batch int) *TextEncoder {
	return &TextEncoder{m, pool, batch, map[int]*graph.Program{}}
}

// lengthStep is what lengths are rounded up to, so that few programs are
// compiled; what follows the end of a text changes nothing.
const lengthStep = 8

// Encode encodes at most a batch of texts: [batch, D], not normalised. Rows
// beyond the texts mean nothing, and the next call overwrites all.
func (x *TextEncoder) Encode(ctx context.Context, texts []string) (graph.Tensor, error) {
	ids := make([][]int, len(texts))
	length := 0
	var err error
	for i, t := range texts {
		if ids[i], err = x.model.Tokens(t); err != nil {
			return graph.Tensor{}, err
		}
		length = max(length, len(ids[i]))
	}
	length = min((length+lengthStep-1)/lengthStep*lengthStep, x.model.Text.Context)
	p, err := x.program(length)
	if err != nil {
		return graph.Tensor{}, err
	}
	rows, ends := graph.NewTensor(graph.Int, x.batch, length), graph.NewTensor(graph.Int, x.batch, 1)
	for i, r := range ids {
		copy(rows.Int[i*length:], r)
		ends.Int[i] = len(r) - 1
	}
	if err := p.Run(ctx, map[string]graph.Tensor{"ids": rows, "ends": ends}); err != nil {
		return graph.Tensor{}, err
	}
	return p.Output("text"), nil
}

// EncodeTexts encodes texts with the frozen model: features [n, D], not normalised.
func EncodeTexts(ctx context.Context, m *Model, pool *cpu.Pool, texts []string) (graph.Tensor, error) {
	const batch = 32
	enc := NewTextEncoder(m, pool, batch)
	out := graph.NewTensor(graph.Float32, len(texts), m.Text.Embed)
	for at := 0; at < len(texts); at += batch {
		part := texts[at:min(at+batch, len(texts))]
		features, err := enc.Encode(ctx, part)
		if err != nil {
			return graph.Tensor{}, err
		}
		for i := range part {
			copy(out.Row(at+i), features.Row(i))
		}
	}
	return out, nil
}

func (x *TextEncoder) program(length int) (*graph.Program, error) {
	if p := x.compiled[length]; p != nil {
		return p, nil
	}
	s, e, err := x.model.Scope()
	if err != nil {
		return nil, err
	}
	var out *layers.Node
	err = graph.Try(func() {
		ids, ends := s.Input("ids", graph.Int, x.batch, length), s.Input("ends", graph.Int, x.batch, 1)
		out = e.Text.Forward(e.Text.Embed(ids), ends).Feature
	})
	if err != nil {
		return nil, err
	}
	p, err := s.Compile(x.pool, map[string]*layers.Node{"text": out})
	if err != nil {
		return nil, err
	}
	x.compiled[length] = p
	return p, nil
}

// Unit scales a row to length 1.
func Unit(row []float32) {
	if n := cpu.Dot(row, row); n > 0 {
		cpu.Scale(row, float32(1/math.Sqrt(float64(n))), row)
	}
}
