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
func classify(t *testing.T, s *graph.Scope, e *textenc.Encoder, p textenc.Prompts, c textenc.Context, start *graph.Tensor, o textenc.Options) (logits, grad graph.Tensor) {
	t.Helper()
	var loss *graph.Node
	outputs := map[string]*graph.Node{}
	err := graph.Try(func() {
		if start != nil {
			c.Vectors = s.Sub("prompt").Var("context", graph.Trainable, graph.Values(start.F32), start.Shape...)
		}
		for l := range c.Deep { // the caller says for how many blocks
			c.Deep[l] = layers.Scale(c.Vectors, float64(l)-.5)
		}
		text := layers.L2Normalize(e.Classes(p, c, o), 0)
		const batch = 6
		images, labels := graph.NewTensor(graph.Float32, batch, e.Config.Embed), graph.NewTensor(graph.Int, batch)
		graph.Normal(3, 1)("images", images.F32)
		for i := range labels.Int {
			labels.Int[i] = i % len(p.IDs)
		}
		image := layers.L2Normalize(s.Const(images), 0)
		if c.Over == textenc.EachImage {
			image = layers.Reshape(image, batch, 1, e.Config.Embed)
		}
		outputs["logits"] = layers.Reshape(layers.Scale(layers.MatMul(image, text, false, true), 30), batch, len(p.IDs))
		loss = layers.CrossEntropy(outputs["logits"], s.Const(labels))
	})
	if err != nil {
		t.Fatal(err)
	}
	if start != nil {
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
	if start != nil {
		grad = program.Output("grad")
	}
	return program.Output("logits"), grad
}

// agree runs a model under all switches, without learned context and with every
// kind of it: m vectors, for what has words words and names.
func agree(t *testing.T, build func() (*graph.Scope, *textenc.Encoder), ids [][]int, words, m int, names []int) {
	t.Helper()
	_, e := build()
	p, err := textenc.NewPrompts(ids, e.Context)
	if err != nil {
		t.Fatal(err)
	}
	p.Words, p.Names = words, names
	check := func(c textenc.Context, start *graph.Tensor) {
		s, e := build()
		logits, grad := classify(t, s, e, p, c, start, textenc.Options{})
		for _, o := range []textenc.Options{{Trim: true}, {SharedPrefix: true}, textenc.Fast()} {
			s, e := build()
			l, g := classify(t, s, e, p, c, start, o)
			what := fmt.Sprintf("%+v, over %d, name %s: ", o, c.Over, textenc.PositionNames[c.Name])
			fixture.Near(t, what+"logits", l, logits, 1e-5)
			if start != nil {
				fixture.Near(t, what+"gradient", g, grad, 1e-5)
			}
		}
	}
	check(textenc.Context{}, nil)
	deep := graph.NewTensor(graph.Float32, m, e.Width)
	graph.Normal(2, .02)("start", deep.F32)
	check(textenc.Context{Deep: make([]*layers.Node, 1)}, &deep)
	check(textenc.Context{Deep: make([]*layers.Node, e.Layers-1)}, &deep)
	for over, shape := range [][]int{{m}, {len(ids), m}, {6, m}} {
		start := graph.NewTensor(graph.Float32, append(shape, e.Width)...)
		graph.Normal(1, .02)("start", start.F32)
		for at := range textenc.PositionNames {
			check(textenc.Context{Over: textenc.Over(over), Name: textenc.Position(at)}, &start)
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
	names := make([]int, len(ids))
	for i := range names {
		names[i] = len(ids[i]) - 4 // after two words, up to EOT
	}
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
	}, ids, 2, 2, names) // the longest prompt leaves no room for a third vector
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
	p, err := m.Prompts("a photo of a", task.ClassNames())
	if err != nil {
		t.Fatal(err)
	}
	agree(t, func() (*graph.Scope, *textenc.Encoder) {
		s, e, err := m.Scope()
		if err != nil {
			t.Fatal(err)
		}
		return s, e.Text
	}, p.IDs, p.Words, 5, p.Names)
}
