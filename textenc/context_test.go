package textenc_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/textenc"
)

// numbered is an encoder of width 1 whose token i is embedded as i.
func numbered(t *testing.T) (*graph.Scope, *textenc.Encoder) {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	e := textenc.New(s, layers.Weights{Kind: graph.Frozen, Init: true}, textenc.Config{Vocabulary: 100, Context: 9, Width: 1, Layers: 1, Heads: 1, Embed: 1})
	for i := range 100 {
		s.Store().Find("token_embedding.weight").Value.F32[i] = float32(i)
	}
	return s, e
}

// Two prompts: 90 SOT, 10 and 11 the words, 20 and so on the names, 95 the stop,
// 99 EOT.
var names = textenc.Prompts{IDs: [][]int{{90, 10, 11, 20, 95, 99}, {90, 10, 11, 30, 31, 95, 99}}, Words: 2, Names: []int{1, 2}}

func TestCompose(t *testing.T) {
	for _, c := range []struct {
		what  string
		at    textenc.Position
		over  textenc.Over
		start []float32
		shape []int
		want  []float32
		ends  []int
	}{
		{"none", textenc.End, textenc.AllClasses, nil, nil, []float32{90, 10, 11, 20, 95, 99, 0, 90, 10, 11, 30, 31, 95, 99}, []int{5, 6}},
		{"end", textenc.End, textenc.AllClasses, []float32{-1, -2, -3}, []int{3, 1},
			[]float32{90, -1, -2, -3, 20, 95, 99, 0, 90, -1, -2, -3, 30, 31, 95, 99}, []int{6, 7}},
		{"middle, the second half longer", textenc.Middle, textenc.AllClasses, []float32{-1, -2, -3}, []int{3, 1},
			[]float32{90, -1, 20, -2, -3, 95, 99, 0, 90, -1, 30, 31, -2, -3, 95, 99}, []int{6, 7}},
		{"front, fewer vectors than words", textenc.Front, textenc.AllClasses, []float32{-1}, []int{1, 1},
			[]float32{90, 20, -1, 95, 99, 0, 90, 30, 31, -1, 95, 99}, []int{4, 5}},
		{"each class", textenc.Middle, textenc.EachClass, []float32{-1, -2, -3, -4}, []int{2, 2, 1},
			[]float32{90, -1, 20, -2, 95, 99, 0, 90, -3, 30, 31, -4, 95, 99}, []int{5, 6}},
		{"each image", textenc.End, textenc.EachImage, []float32{-1, -2, -3}, []int{3, 1, 1},
			[]float32{90, -1, 20, 95, 99, 0, 90, -1, 30, 31, 95, 99, 90, -2, 20, 95, 99, 0, 90, -2, 30, 31, 95, 99,
				90, -3, 20, 95, 99, 0, 90, -3, 30, 31, 95, 99}, []int{4, 5, 4, 5, 4, 5}},
	} {
		s, e := numbered(t)
		learned := textenc.Context{Name: c.at, Over: c.over}
		if c.start != nil {
			learned.Vectors = s.Const(graph.Floats(c.start, c.shape...))
		}
		x, eot := e.Compose(names, learned, 0)
		p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"x": x, "eot": eot})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		if got := p.Output("x").F32; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		if got := p.Output("eot").Int; !slices.Equal(got, c.ends) {
			t.Errorf("%s: ends at %v, want %v", c.what, got, c.ends)
		}
	}
}

func TestContextRefused(t *testing.T) {
	for want, c := range map[string]struct {
		change func(p *textenc.Prompts, c *textenc.Context)
		shape  []int
	}{
		"makes prompts of 11 tokens, want at most 9": {nil, []int{6, 1}},
		"of 3 classes does not fit 2 prompts":        {func(_ *textenc.Prompts, c *textenc.Context) { c.Over = textenc.EachClass }, []int{3, 2, 1}},
		"want 2 axes":                                {nil, []int{3, 2, 1}},
		"needs the lengths of all 2, there are 0": {func(p *textenc.Prompts, c *textenc.Context) {
			p.Names, c.Name = nil, textenc.Front
		}, []int{2, 1}},
		"has no 5 words": {func(p *textenc.Prompts, _ *textenc.Context) { p.Words = 5 }, []int{2, 1}},
	} {
		s, e := numbered(t)
		p, learned := names, textenc.Context{}
		if c.change != nil {
			c.change(&p, &learned)
		}
		err := graph.Try(func() {
			learned.Vectors = s.Const(graph.NewTensor(graph.Float32, c.shape...))
			e.Classes(p, learned, textenc.Fast())
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}
