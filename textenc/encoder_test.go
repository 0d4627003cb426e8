package textenc_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/textenc"
)

const tol = 1e-4 // of the largest element

// tower is an encoder with weights, under OpenAI's names.
type tower struct {
	config textenc.Config
	values map[string]graph.Tensor
}

// run encodes ids [C, T], each read at eot [C, 1], and returns every
// intermediate by name: tokens.0 to tokens.L, last, pooled and feature.
func (x tower) run(t *testing.T, ids, eot graph.Tensor) *graph.Program {
	t.Helper()
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
	embedded, end := e.Embed(s.Const(ids)), s.Const(eot)
	o := e.Forward(embedded, end)
	out := map[string]*graph.Node{
		"embedded": embedded, "last": o.Last, "feature": o.Feature,
		"pooled": layers.Reshape(layers.Gather(o.Last, end), ids.Shape[0], x.config.Width),
		"unit":   layers.L2Normalize(o.Feature, 0),
	}
	for l, n := range o.Tokens {
		out[fmt.Sprint("tokens.", l)] = n
	}
	p, err := s.Compile(cpu.NewPool(2), out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return p
}

// firstOf returns where id is in each row of ids, the first time: [C, 1].
func firstOf(t *testing.T, id int, ids graph.Tensor) graph.Tensor {
	t.Helper()
	c, n := ids.Shape[0], ids.Shape[1]
	at := graph.NewTensor(graph.Int, c, 1)
	for i := range c {
		if at.Int[i] = slices.Index(ids.Int[i*n:(i+1)*n], id); at.Int[i] < 0 {
			t.Fatalf("row %d has no id %d", i, id)
		}
	}
	return at
}

// cut keeps the first n ids of each row.
func cut(ids graph.Tensor, n int) graph.Tensor {
	c := graph.NewTensor(graph.Int, ids.Shape[0], n)
	for i := range ids.Shape[0] {
		copy(c.Int[i*n:(i+1)*n], ids.Int[i*ids.Shape[1]:])
	}
	return c
}

func huggingFace(t *testing.T) (tower, fixture.File) {
	t.Helper()
	io, model := fixture.Open(t, "fixtures/hf_clip_tiny/io.safetensors"), fixture.Open(t, "fixtures/hf_clip_tiny/model.safetensors")
	named, err := weights.HFToOpenAI(model.File)
	if err != nil {
		t.Fatal(err)
	}
	x := tower{textenc.Config{Vocabulary: 1000, Context: 77, Width: 48, Layers: 3, Heads: 4, Embed: 40}, map[string]graph.Tensor{}}
	for n, v := range named {
		x.values[n] = graph.Floats(v.Data, v.Shape...)
	}
	return x, io
}

// A CLIPModel of the transformers library; see fixtures/hf_clip_tiny of the
// shared data.
func TestHuggingFace(t *testing.T) {
	x, io := huggingFace(t)
	ids := io.Ints("input_ids")
	p := x.run(t, ids, firstOf(t, 999, ids))
	for l := range 4 {
		fixture.Near(t, fmt.Sprint("block ", l), p.Output(fmt.Sprint("tokens.", l)), io.Tensor(fmt.Sprint("text_hidden_", l)), tol)
	}
	for name, want := range map[string]string{
		"last": "text_last_hidden_state", "pooled": "text_pooler_output", "feature": "text_features_unnormalised", "unit": "text_embeds",
	} {
		fixture.Near(t, name, p.Output(name), io.Tensor(want), tol)
	}
}

// What lies after a text's end changes nothing: neither other padding nor
// leaving the positions out.
func TestAfterTheEnd(t *testing.T) {
	x, io := huggingFace(t)
	ids := io.Ints("input_ids_zero_padded")
	if slices.Equal(ids.Int, io.Ints("input_ids").Int) {
		t.Fatal("the two paddings are the same")
	}
	zeros := x.run(t, ids, firstOf(t, 999, ids))
	fixture.Near(t, "padded with zeros", zeros.Output("unit"), io.Tensor("text_embeds"), tol)

	short := cut(ids, 12) // the first three texts have 5, 9 and 12 tokens
	short.Int, short.Shape = short.Int[:3*12], graph.Shape{3, 12}
	trimmed := x.run(t, short, firstOf(t, 999, short))
	want := zeros.Output("feature")
	want = graph.Floats(want.F32[:3*40], 3, 40)
	fixture.Near(t, "trimmed", trimmed.Output("feature"), want, 1e-5)
}

// The position of EOT is the first of equals, not the largest id.
func TestFirstEnd(t *testing.T) {
	x, io := huggingFace(t)
	ids := io.Ints("eos.input_ids")
	p := x.run(t, ids, firstOf(t, 500, ids))
	fixture.Near(t, "ends at id 500", p.Output("unit"), io.Tensor("eos.text_embeds_eos500_first_match"), tol)
	p = x.run(t, ids, graph.NewTensor(graph.Int, 2, 1))
	fixture.Near(t, "read at 0", p.Output("unit"), io.Tensor("eos.text_embeds_eos999_absent_takes_position0"), tol)
}

// The random CLIP of the published program, with CLIP's own ids and learned
// context; see fixtures/release of the shared data.
func TestRelease(t *testing.T) {
	forward, in := fixture.Open(t, "fixtures/release/forward.safetensors"), fixture.Open(t, "fixtures/release/inputs.safetensors")
	model := fixture.Open(t, "fixtures/release/tiny_clip.safetensors")
	store := graph.NewStore(nil)
	s := graph.New(store, graph.Float32)
	e := textenc.New(s, layers.Weights{Kind: graph.Frozen}, textenc.Config{Vocabulary: textenc.VocabSize, Context: 77, Width: 64, Layers: 2, Heads: 1, Embed: 64})
	values := map[string]graph.Tensor{}
	for _, n := range model.Names() {
		if !strings.HasPrefix(n, "visual.") && n != "logit_scale" {
			values[n] = model.Tensor(n)
		}
	}
	if err := store.Load(values); err != nil {
		t.Fatal(err)
	}
	ids := in.Ints("token_ids")
	eot := firstOf(t, textenc.EOT, ids)
	learned := s.Const(in.Tensor("param.prompt_learner.ctx"))
	// The same without the positions after the last EOT.
	rows := make([][]int, 5)
	for i := range rows {
		rows[i] = ids.Int[i*77 : i*77+eot.Int[i]+1]
	}
	prompts, err := textenc.NewPrompts(rows, 77)
	if err != nil {
		t.Fatal(err)
	}
	if prompts.Rows >= 20 {
		t.Fatalf("prompts have %d rows", prompts.Rows)
	}
	prompts.Words = 4
	x, end := e.Compose(prompts, textenc.Context{Vectors: learned}, 77)
	o := e.Forward(x, end)
	short := e.Forward(e.Compose(prompts, textenc.Context{Vectors: learned}, 0))
	p, err := s.Compile(cpu.NewPool(2), map[string]*graph.Node{
		"shared.text.prompts": x, "shared.text.block0.residual": o.Tokens[1], "shared.text.block1.residual": o.Tokens[2],
		"shared.text.features_raw": o.Feature, "shared.text.features": layers.L2Normalize(o.Feature, 0), "short": short.Feature,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"prompts", "block0.residual", "block1.residual", "features_raw", "features"} {
		forward.Near("shared.text."+n, p.Output("shared.text."+n), tol)
	}
	fixture.Near(t, "trimmed prompts", p.Output("short"), forward.Tensor("shared.text.features_raw"), tol)
}

func TestSizesThatDoNotFit(t *testing.T) {
	fits := textenc.Config{Vocabulary: 9, Context: 5, Width: 8, Layers: 1, Heads: 2, Embed: 4}
	build := func(c textenc.Config, positions int) error {
		return graph.Try(func() {
			s := graph.New(graph.NewStore(nil), graph.Float32)
			e := textenc.New(s, layers.Weights{Kind: graph.Frozen}, c)
			e.Forward(e.Embed(s.Input("ids", graph.Int, 2, positions)), s.Input("eot", graph.Int, 2, 1))
		})
	}
	for name, change := range map[string]func(*textenc.Config){
		"vocabulary": func(c *textenc.Config) { c.Vocabulary = 0 },
		"context":    func(c *textenc.Config) { c.Context = 1 },
		"heads":      func(c *textenc.Config) { c.Heads = 3 },
		"no heads":   func(c *textenc.Config) { c.Heads = 0 },
		"layers":     func(c *textenc.Config) { c.Layers = 0 },
		"embed":      func(c *textenc.Config) { c.Embed = 0 },
	} {
		c := fits
		change(&c)
		if err := build(c, 5); err == nil || !strings.Contains(err.Error(), "text encoder: sizes do not fit") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if err := build(fits, 5); err != nil {
		t.Error(err)
	}
	if err := build(fits, 6); err == nil || !strings.Contains(err.Error(), "want tokens [C, T, 8] with T of at most 5") {
		t.Errorf("6 positions: error is %v", err)
	}
}
