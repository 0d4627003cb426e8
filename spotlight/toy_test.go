package spotlight

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/vit"
)

// toyVision has 16 patches, and as many features, so that eight heads divide them.
var toyVision = vit.Config{ImageSize: 12, PatchSize: 3, Width: 12, Layers: 3, Heads: 2, Embed: 16}

const (
	toyImages  = 3
	toyClasses = 4 // the last one has no image
	toyTau     = 10
)

var toyLabels = []int{0, 1, 1}

// toy is a whole training step on a small random CLIP, away from the start
// values, where every scalar has a gradient. The texts take the place of the
// prompt.
type toy struct {
	t      *testing.T
	scope  *graph.Scope
	store  *graph.Store
	model  *Model
	nodes  map[string]*Node
	grads  map[string]*Node
	step   *graph.Program
	feeds  map[string]graph.Tensor
	frozen bool
}

// draw gives normal draws that depend on the name alone.
func draw(name string, shape ...int) graph.Tensor {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(h.Sum64(), 11))
	x := graph.NewTensor(graph.Float32, shape...)
	for i := range x.F32 {
		x.F32[i] = float32(r.NormFloat64())
	}
	return x
}

// unitDraw is draw with unit rows.
func unitDraw(name string, shape ...int) graph.Tensor {
	x := draw(name, shape...)
	d := last(shape)
	for i := 0; i < len(x.F32); i += d {
		normalise(x.F32[i : i+d])
	}
	return x
}

func set(v *graph.Variable, x graph.Tensor) {
	copy(v.Value.F32, x.F32)
	copy(v.Value.F64, x.Convert(graph.Float64).F64)
}

// encoder declares the toy's encoder and its pass over the images.
func toyEncoder(s *graph.Scope) (*vit.Encoder, vit.Output) {
	e := newToyEncoder(s, toyVision)
	return e, e.Forward(s.Const(draw("images", toyImages, 3, 12, 12)))
}

func newToyEncoder(s *graph.Scope, v vit.Config) *vit.Encoder {
	return vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Seed: 3, Init: true}, v)
}

func newToy(t *testing.T, c Config, dtype graph.Dtype) *toy {
	t.Helper()
	return newToyOf(t, c, dtype, func(f Features) Features { return f })
}

// newToyOf is newToy of changed features.
func newToyOf(t *testing.T, c Config, dtype graph.Dtype, change func(Features) Features) *toy {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	x := &toy{t: t, store: graph.NewStore(nil), frozen: c.Bank == "frozen" || c.Bank == "off"}
	s := graph.New(x.store, dtype)
	x.scope = s
	e, pass := toyEncoder(s)
	f := change(Encode(c, e, pass))
	text := s.Sub("prompt").Var("text", graph.Trainable, graph.Values(unitDraw("text", toyClasses, 16).F32), toyClasses, 16)
	labels, lr := s.Input("labels", graph.Int, toyImages), s.Input("lr", dtype)
	x.feeds = map[string]graph.Tensor{"labels": graph.Ints(toyLabels, toyImages), "lr": graph.Floats([]float32{.02})}
	x.model = New(s, c, e, toyTau, unitDraw("bank", toyClasses, c.Prototypes, 16))
	o := x.model.Forward(f, unit(text))
	l := x.model.Loss(o, labels)
	x.nodes = map[string]*Node{
		"image": f.Image, "tokens": f.Tokens, "score": o.Score, "index": o.Index, "weight": o.Weight, "kept": o.Kept, "reading": o.Reading,
		"representation": o.Representation, "text": o.Text, "plain": o.Plain, "logits": o.Logits, "prediction": l.Prediction, "total": l.Total,
		"local": o.Local,
	}
	if f.Evidence != nil {
		x.nodes["evidence"] = f.Evidence
	}
	if o.Candidates != nil {
		x.nodes["candidates"] = o.Candidates
	}
	vars := s.Trainables()
	grads, err := s.Grad(l.Total, vars)
	if err != nil {
		t.Fatal(err)
	}
	x.grads = map[string]*Node{}
	for i, v := range vars {
		x.grads[v.Name], x.nodes["gradient of "+v.Name] = grads[i], grads[i]
		if v.Name != "prompt.text" {
			start, noise := v.Value.Convert(graph.Float32), draw(v.Name, v.Value.Shape...)
			for k := range noise.F32 {
				noise.F32[k] = start.F32[k] + .3*noise.F32[k]
			}
			set(v, noise)
		}
	}
	if c.Bank != "off" {
		set(x.state("reading"), unitDraw("reading", toyClasses, 16))
		set(x.state("seen"), graph.Floats([]float32{1, 1, 1, 0}, toyClasses))
	}
	updates := optim.SGD{}.Updates(s.Sub("optim"), lr, vars, grads)
	x.step, err = s.Compile(cpu.NewPool(1), x.nodes, append(updates, x.model.Updates(o, labels)...)...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *toy) state(name string) *graph.Variable { return x.store.Find("spotlight." + name) }

// run makes a step and returns all outputs and, as "bank after" and the like, the
// state that it leaves.
func (x *toy) run() map[string]graph.Tensor {
	x.t.Helper()
	if err := x.step.Run(context.Background(), x.feeds); err != nil {
		x.t.Fatal(err)
	}
	out := map[string]graph.Tensor{}
	for _, name := range []string{"bank", "reading", "mean"} {
		if v := x.state(name); v != nil {
			out[name+" after"] = clone(v.Value)
		}
	}
	for name := range x.nodes {
		out[name] = clone(x.step.Output(name))
	}
	return out
}

func clone(x graph.Tensor) graph.Tensor {
	c := graph.NewTensor(x.Dtype, x.Shape...)
	copy(c.F32, x.F32)
	copy(c.F64, x.F64)
	copy(c.Int, x.Int)
	return c
}

// apply runs one op on given values, Float32 or Float64 as they are.
func apply(t *testing.T, op graph.Op, in ...graph.Tensor) (graph.Tensor, error) {
	t.Helper()
	s := graph.New(graph.NewStore(nil), in[0].Dtype)
	var nodes []*Node
	feeds := map[string]graph.Tensor{}
	for i, v := range in {
		name := string(rune('a' + i))
		nodes = append(nodes, s.Input(name, v.Dtype, v.Shape...))
		feeds[name] = v
	}
	var out *Node
	if err := graph.Try(func() { out = graph.Apply(op, nodes...) }); err != nil {
		return graph.Tensor{}, err
	}
	p, err := s.Compile(cpu.NewPool(2), map[string]*Node{"out": out})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), feeds); err != nil {
		return graph.Tensor{}, err
	}
	return p.Output("out"), nil
}
