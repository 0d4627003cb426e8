package textenc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/internal/tiny"
	"spotlighter/layers"
	"spotlighter/textenc"
)

// classify encodes prompts and compares them with images drawn at random: the
// logits and, where the prompts have learned context, its gradient.
func classify(t *testing.T, s *graph.Scope, e *textenc.Encoder, p textenc.Prompts, start *graph.Tensor, o textenc.Options) (logits, grad graph.Tensor) {
	t.Helper()
	var learned, loss *graph.Node
	outputs := map[string]*graph.Node{}
	err := graph.Try(func() {
		if start != nil {
			learned = s.Sub("prompt").Var("context", graph.Trainable, graph.Values(start.F32), start.Shape...)
		}
		text := layers.L2Normalize(e.Classes(p, learned, o), 0)
		images, labels := graph.NewTensor(graph.Float32, 6, e.Config.Embed), graph.NewTensor(graph.Int, 6)
		graph.Normal(3, 1)("images", images.F32)
		for i := range labels.Int {
			labels.Int[i] = i % len(p.IDs)
		}
		outputs["logits"] = layers.Scale(layers.MatMul(layers.L2Normalize(s.Const(images), 0), text, false, true), 30)
		loss = layers.CrossEntropy(outputs["logits"], s.Const(labels))
	})
	if err != nil {
		t.Fatal(err)
	}
	if learned != nil {
		grads, err := s.Grad(loss, s.Trainables())
		if err != nil {
			t.Fatal(err)
		}
		outputs["grad"] = grads[0]
	}
	program, err := s.Compile(cpu.NewPool(2), outputs)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if learned != nil {
		grad = program.Output("grad")
	}
	return program.Output("logits"), grad
}

// agree runs a model under all switches, with and without learned context.
func agree(t *testing.T, build func() (*graph.Scope, *textenc.Encoder), ids [][]int, start graph.Tensor) {
	t.Helper()
	_, e := build()
	p, err := textenc.NewPrompts(ids, e.Context)
	if err != nil {
		t.Fatal(err)
	}
	for _, learned := range []*graph.Tensor{nil, &start} {
		s, e := build()
		logits, grad := classify(t, s, e, p, learned, textenc.Options{})
		for _, o := range []textenc.Options{{Trim: true}, {SharedPrefix: true}, textenc.Fast()} {
			s, e := build()
			l, g := classify(t, s, e, p, learned, o)
			fixture.Near(t, fmt.Sprintf("%+v: logits", o), l, logits, 1e-5)
			if learned != nil {
				fixture.Near(t, fmt.Sprintf("%+v: gradient", o), g, grad, 1e-5)
			}
		}
	}
}

func TestSwitchesHuggingFace(t *testing.T) {
	x, io := huggingFace(t)
	all := io.Ints("input_ids")
	eot := firstOf(t, 999, all)
	var ids [][]int
	for i := range all.Shape[0] {
		ids = append(ids, all.Int[i*77:i*77+eot.Int[i]+1])
	}
	start := graph.NewTensor(graph.Float32, 2, 48) // fits the shortest text
	graph.Normal(1, .02)("start", start.F32)
	agree(t, func() (*graph.Scope, *textenc.Encoder) {
		store := graph.NewStore(nil)
		s := graph.New(store, graph.Float32)
		e := textenc.New(s, layers.Weights{Kind: graph.Frozen}, x.config)
		own := map[string]graph.Tensor{}
		for n, v := range x.values {
			if !strings.HasPrefix(n, "visual.") && n != "logit_scale" {
				own[n] = v
			}
		}
		if err := store.Load(own); err != nil {
			t.Fatal(err)
		}
		return s, e
	}, ids, start)
}

func TestSwitchesEmbedded(t *testing.T) {
	m, err := tiny.CLIP()
	if err != nil {
		t.Fatal(err)
	}
	task, err := tiny.FindTask("clutter")
	if err != nil {
		t.Fatal(err)
	}
	var ids [][]int
	for _, name := range task.ClassNames() {
		rows, err := m.Tokens(m.Prompt("a photo of a", name))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, rows)
	}
	agree(t, func() (*graph.Scope, *textenc.Encoder) {
		s, e, err := m.Scope()
		if err != nil {
			t.Fatal(err)
		}
		return s, e.Text
	}, ids, m.Embedding(ids[0][1:5]))
}
