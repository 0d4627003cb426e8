package spotlight

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// The fixtures are float64 numbers of an independent reference, on a random
// tiny CLIP; see testdata/README.md.
var cases = []struct {
	file   string
	blocks []int
	reread int
}{
	{"blocks2_reread1", []int{2}, 1},
	{"blocks12_reread2", []int{1, 2}, 2},
}

type reference struct {
	t   *testing.T
	ref fixture.File
	in  fixture.File
	cfg Config
	// frozen CLIP
	base        *graph.Store
	vision      vit.Config
	text        textenc.Config
	tau         float64
	prompts     textenc.Prompts
	dtype       graph.Dtype
	pool        *cpu.Pool
	labels      graph.Tensor
	classes     int
	batch, ctxN int
}

func load(t *testing.T, file string, blocks []int, reread int, dtype graph.Dtype) *reference {
	x := &reference{t: t, dtype: dtype, pool: cpu.NewPool(2), cfg: oneReading(), batch: 6, classes: 5, ctxN: 4}
	x.cfg.Blocks, x.cfg.RereadBlocks, x.cfg.Window = blocks, reread, 3
	x.ref = fixture.At(t, "testdata/"+file+".safetensors")
	x.in = fixture.At(t, "testdata/inputs.safetensors")
	x.vision = vit.Config{ImageSize: 32, PatchSize: 8, Width: 128, Layers: 2, Heads: 2, Embed: 64}
	x.text = textenc.Config{Vocabulary: 49408, Context: 77, Width: 64, Layers: 2, Heads: 1, Embed: 64}
	x.base = graph.NewStore(nil)
	s := graph.New(x.base, dtype)
	frozen := layers.Weights{Kind: graph.Frozen}
	vit.New(s.Sub("visual"), frozen, x.vision)
	textenc.New(s, frozen, x.text)
	values := fixture.TinyCLIP(t, "testdata")
	x.tau = math.Exp(float64(values["logit_scale"].F32[0]))
	delete(values, "logit_scale")
	if err := x.base.Load(values); err != nil {
		t.Fatal(err)
	}
	ids := x.in.Ints("token_ids").Int
	rows := make([][]int, x.classes)
	for c := range rows {
		row := ids[c*77 : (c+1)*77]
		rows[c] = row[:slices.Index(row, textenc.EOT)+1]
	}
	var err error
	if x.prompts, err = textenc.NewPrompts(rows, 77); err != nil {
		t.Fatal(err)
	}
	x.prompts.Words = x.ctxN
	x.labels = x.in.Ints("labels")
	return x
}

// training builds the whole step over a store.
func (x *reference) training(store *graph.Store, start graph.Tensor) (run func() *graph.Program) {
	x.t.Helper()
	s := graph.New(store, x.dtype)
	frozen := layers.Weights{Kind: graph.Frozen}
	enc := vit.New(s.Sub("visual"), frozen, x.vision)
	txt := textenc.New(s, frozen, x.text)
	images, labels, lr := s.Input("images", x.dtype, x.batch, 3, 32, 32), s.Input("labels", graph.Int, x.batch), s.Input("lr", x.dtype)
	pass := enc.Forward(images)
	f := Encode(x.cfg, enc, pass)
	ctx := s.Sub("prompt").Var("context", graph.Trainable, graph.Values(x.in.Tensor("param.prompt_learner.ctx").F32), x.ctxN, 64)
	raw := txt.Forward(txt.Compose(x.prompts, textenc.Context{Vectors: ctx}, 0)).Feature
	m := New(s, x.cfg, enc, x.tau, start)
	o := m.Forward(f, unit(raw))
	l := m.Loss(o, labels)
	if n := scalars(s) - x.ctxN*64; n != 21 {
		x.t.Errorf("%d scalars beside the prompt, want 21", n)
	}
	var prompt, rest []*graph.Variable
	for _, v := range s.Trainables() {
		if v.Name == "prompt.context" {
			prompt = append(prompt, v)
		} else {
			rest = append(rest, v)
		}
	}
	grads, err := s.Grad(l.Total, append(slices.Clone(prompt), rest...))
	if err != nil {
		x.t.Fatal(err)
	}
	updates := optim.SGD{Momentum: .9, WeightDecay: 5e-4}.Updates(s.Sub("optim"), lr, prompt, grads[:1])
	updates = append(updates, optim.SGD{Momentum: .9}.Updates(s.Sub("optim"), layers.Scale(lr, .05), rest, grads[1:])...)
	updates = append(updates, m.Updates(o, labels)...)
	out := map[string]*Node{
		"image_raw": pass.Feature, "contribution": f.Tokens, "cls_row_at_reread": f.Class, "text_raw": raw,
		"belief": o.Belief, "s1": o.SampleScore, "s2": o.SemanticScore, "score": o.Score, "index": o.Index, "kept_score": o.KeptScore,
		"kept_token": o.Kept, "level_weight": o.Weight, "bias": m.bias(o.Weight, o.Index), "reread": o.Reading, "matched": o.Matched, "irm": o.Mapped, "rep": o.Representation,
		"class_reading": o.ClassReading, "text_rep": o.Text, "logits_plain": o.Plain, "logits_global": o.Global, "logits_local": o.Local, "logits": o.Logits,
		"loss.plain": l.Plain, "loss.prediction": l.Prediction, "loss.total": l.Total, "image": f.Image,
	}
	for i, c := range f.Caches {
		c = layers.Slice(c, 1, 1, shape(c)[1])
		out[fmt.Sprintf("keys.%d", i)], out[fmt.Sprintf("values.%d", i)] = layers.SplitHeads(c, 1, enc.Heads), layers.SplitHeads(c, 2, enc.Heads)
	}
	for i, v := range append(prompt, rest...) {
		out["grad."+strings.TrimPrefix(strings.TrimPrefix(v.Name, "spotlight."), "prompt.")] = grads[i]
	}
	p, err := s.Compile(x.pool, out, updates...)
	if err != nil {
		x.t.Fatal(err)
	}
	feeds := map[string]graph.Tensor{"images": x.in.Tensor("images"), "labels": x.labels, "lr": graph.Floats([]float32{.002})}
	return func() *graph.Program {
		x.t.Helper()
		if err := p.Run(context.Background(), feeds); err != nil {
			x.t.Fatal(err)
		}
		return p
	}
}

func scalars(s *graph.Scope) int {
	n := 0
	for _, v := range s.Trainables() {
		n += v.Value.Len()
	}
	return n
}

func TestReference(t *testing.T) {
	for _, c := range cases {
		for _, d := range []graph.Dtype{graph.Float32, graph.Float64} {
			t.Run(fmt.Sprintf("%s/%v", c.file, d), func(t *testing.T) {
				x := load(t, c.file, c.blocks, c.reread, d)
				tol := 1e-4
				x.start(tol)
				x.point(tol)
			})
		}
	}
}

func (x *reference) start(tol float64) {
	p := x.training(graph.NewStore(x.base), x.ref.Tensor("bank_start"))()
	for _, n := range []string{"image_raw", "contribution", "cls_row_at_reread", "text_raw", "keys.0", "values.0"} {
		x.ref.Near(n, p.Output(n), tol)
	}
	if got, want := p.Output("index").Int, x.ref.Ints("start.index").Int; !slices.Equal(got, want) {
		x.t.Errorf("start: kept tokens %v, want %v", got, want)
	}
	for _, n := range []string{"belief", "s1", "s2", "score", "kept_score", "kept_token", "level_weight", "bias", "reread", "matched", "irm", "rep", "text_rep",
		"logits_plain", "logits_global", "logits_local", "logits", "loss.plain", "loss.prediction", "loss.total", "image"} {
		x.ref.Near("start."+n, p.Output(n), tol)
	}
	for _, v := range p.Output("class_reading").Convert(graph.Float64).F64 {
		if v != 0 {
			x.t.Fatal("start: a class reading before any class was seen")
		}
	}
}

// params are the reference's names of the trainables.
var params = []string{"theta", "rho", "kappa", "omega", "head_log_temp", "gamma", "a", "b", "phi"}

// point checks the numbers away from the start, where every scalar has a
// gradient, and five training steps from there.
func (x *reference) point(tol float64) {
	store := graph.NewStore(x.base)
	run := x.training(store, x.ref.Tensor("bank_start"))
	set := func(name string, t graph.Tensor) {
		v := store.Find(name)
		copy(v.Value.F32, t.F32)
		copy(v.Value.F64, t.Convert(graph.Float64).F64)
	}
	for _, n := range params {
		set("spotlight."+n, x.ref.Tensor("point.param."+n))
	}
	set("prompt.context", x.ref.Tensor("point.param.ctx"))
	set("spotlight.bank", x.ref.Tensor("point.bank"))
	set("spotlight.reading", x.ref.Tensor("point.h"))
	seen := graph.NewTensor(graph.Float32, x.classes)
	for i, v := range x.ref.Ints("point.seen").Int {
		seen.F32[i] = float32(v)
	}
	set("spotlight.seen", seen)
	for step := 1; step <= 5; step++ {
		p := run()
		if got, want := p.Output("index").Int, x.ref.Ints(fmt.Sprintf("step%d.index", step)).Int; !slices.Equal(got, want) {
			x.t.Errorf("step %d: kept tokens %v, want %v", step, got, want)
		}
		x.ref.Near(fmt.Sprintf("step%d.loss", step), p.Output("loss.total"), tol)
		if step > 1 {
			continue
		}
		for _, n := range []string{"belief", "s1", "s2", "score", "kept_score", "kept_token", "level_weight", "bias", "reread", "matched", "irm", "rep",
			"class_reading", "text_rep", "logits_plain", "logits_global", "logits_local", "logits", "loss.plain", "loss.prediction", "loss.total"} {
			x.ref.Near("point."+n, p.Output(n), tol)
		}
		for _, n := range params {
			x.ref.Near("point.grad."+n, p.Output("grad."+n), tol)
		}
		x.ref.Near("point.grad.ctx", p.Output("grad.context"), tol)
		x.ref.Near("point.bank_after", store.Find("spotlight.bank").Value, tol)
		x.ref.Near("point.h_after", store.Find("spotlight.reading").Value, tol)
	}
	for _, n := range params {
		x.ref.Near("step5.param."+n, store.Find("spotlight."+n).Value, tol)
	}
	x.ref.Near("step5.param.ctx", store.Find("prompt.context").Value, tol)
	x.ref.Near("step5.bank", store.Find("spotlight.bank").Value, tol)
	x.ref.Near("step5.h", store.Find("spotlight.reading").Value, tol)
}
