package textenc_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/textenc"
)

func TestPrompts(t *testing.T) {
	p, err := textenc.NewPrompts([][]int{{7, 1, 8}, {7, 1, 2, 3, 8}, {7, 8}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	ids, eot := p.IDTensor(), p.EOTTensor()
	if !slices.Equal(ids.Shape, []int{3, 5}) || !slices.Equal(ids.Int, []int{7, 1, 8, 0, 0, 7, 1, 2, 3, 8, 7, 8, 0, 0, 0}) {
		t.Errorf("ids %v %v", ids.Shape, ids.Int)
	}
	if !slices.Equal(eot.Shape, []int{3, 1}) || !slices.Equal(eot.Int, []int{2, 4, 1}) {
		t.Errorf("ends %v %v", eot.Shape, eot.Int)
	}
}

func TestPromptsRefused(t *testing.T) {
	for want, ids := range map[string][][]int{
		"prompt 1 has 4 tokens, the text encoder takes 3": {{7, 8}, {7, 1, 2, 8}},
		"prompt 0 is empty": {{}, {7, 8}},
		"no prompts":        nil,
	} {
		if _, err := textenc.NewPrompts(ids, 3); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestLearned(t *testing.T) {
	optest.Check(t, optest.Case{
		Name: "values", Inputs: []optest.Input{
			optest.Floats([]float64{1, 2, 3, 4, 5, 6, 7, 8}, 2, 4, 1), optest.Floats([]float64{-1, -2}, 2, 1),
		},
		Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node { return textenc.Learned(in[0], in[1]) },
		Want:  []float64{1, -1, -2, 4, 5, -1, -2, 8},
	})
	optest.Check(t, optest.Case{
		Name: "one class", Inputs: []optest.Input{optest.Normal(1, 6, 3), optest.Normal(4, 3)},
		Build: func(_ *graph.Scope, in []*graph.Node) *graph.Node { return textenc.Learned(in[0], in[1]) },
	})
	s := graph.New(graph.NewStore(nil), graph.Float32)
	err := graph.Try(func() {
		textenc.Learned(s.Input("x", graph.Float32, 2, 5, 3), s.Var("context", graph.Trainable, graph.Zeros, 4, 3))
	})
	if err == nil || !strings.Contains(err.Error(), "learned context of 4 vectors does not fit prompts of 5 tokens") {
		t.Errorf("error is %v", err)
	}
}

// Learned context that holds a prompt's own words gives the prompt.
func TestLearnedFromWords(t *testing.T) {
	x, _ := huggingFace(t)
	prompts, err := textenc.NewPrompts([][]int{{998, 5, 6, 7, 30, 999}, {998, 5, 6, 7, 40, 41, 999}}, 77)
	if err != nil {
		t.Fatal(err)
	}
	want := x.run(t, prompts.IDTensor(), prompts.EOTTensor()).Output("embedded")
	s := graph.New(graph.NewStore(nil), graph.Float32)
	table := x.values["token_embedding.weight"]
	words := s.Var("context", graph.Trainable, graph.Values(table.F32[5*48:8*48]), 3, 48)
	blank := graph.NewTensor(graph.Float32, want.Shape...)
	for i := range want.F32 {
		if pos := i / 48 % 7; pos < 1 || pos > 3 {
			blank.F32[i] = want.F32[i]
		}
	}
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"x": textenc.Learned(s.Const(blank), words)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Output("x").F32, want.F32) {
		t.Error("learned context differs from the words that it holds")
	}
}
