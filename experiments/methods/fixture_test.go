package methods

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/internal/fixture"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/spotlight"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// parity bounds the distance from the published programs, relative to the largest
// element.
const parity = 1e-4

// The classes of the fixtures, in the words of testdata/published.py.
var fixtureClasses = []string{"red cat", "green dog", "blue bird", "fish", "red fish"}

// fixtureSteps is how many steps the fixtures are trained, of an epoch each.
const fixtureSteps = 2

// reference is a published method's numbers on the tiny random CLIP.
type reference struct {
	t *testing.T
	fixture.File
	model *clip.Model
	pool  *cpu.Pool
}

// openReference opens the numbers of testdata/name.safetensors.
func openReference(t *testing.T, name string) reference {
	t.Helper()
	f, err := weights.Open(filepath.Join("testdata", "clip.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := clip.Load("clip.safetensors", f)
	if err != nil {
		t.Fatal(err)
	}
	return reference{t, fixture.At(t, filepath.Join("testdata", name+".safetensors")), m, cpu.NewPool(2)}
}

// options are those of the fixtures' training.
func (r reference) options(words string, settings map[string]Settings) Options {
	return Options{ContextWords: words, Momentum: .9, WeightDecay: 5e-4, Seed: 1, Epochs: fixtureSteps, Spotlight: spotlight.Default(), TextEncoder: textenc.Fast(), Settings: settings}
}

// classes prepares the fixtures' classes with the texts of the context words.
func (r reference) classes(words string) Classes {
	r.t.Helper()
	cl := Classes{Names: fixtureClasses}
	var err error
	if cl.Prompts, err = r.model.Prompts(words, cl.Names); err != nil {
		r.t.Fatal(err)
	}
	var texts []string
	for _, n := range cl.Names {
		texts = append(texts, r.model.Prompt(words, n))
	}
	if cl.Text, err = clip.NewZeroShot(r.model, r.pool).Text(context.Background(), texts); err != nil {
		r.t.Fatal(err)
	}
	cl.Encode = func(texts []string) (graph.Tensor, error) {
		return clip.EncodeTexts(context.Background(), r.model, r.pool, texts)
	}
	return cl
}

// training is one method's step over the images of a fixture.
type training struct {
	r       reference
	store   *graph.Store
	program *graph.Program
	vars    []*graph.Variable
	steps   int // taken
}

// train builds a method's step over rows [lo, hi) of the images. What store holds
// it goes on from. Gradients are outputs by the variables' names.
func (r reference) train(name string, o Options, cl Classes, store *graph.Store, lo, hi int) *training {
	r.t.Helper()
	m, err := New(name, o)
	if err != nil {
		r.t.Fatal(err)
	}
	s, enc, err := r.model.Scope()
	if err != nil {
		r.t.Fatal(err)
	}
	if store != nil {
		for _, v := range store.Variables() {
			s.Store().Set(v.Name, v.Kind, v.Value)
		}
	}
	outputs := map[string]*graph.Node{}
	var updates, more []graph.Update
	x := &training{r: r, store: s.Store()}
	err = graph.Try(func() {
		c := CLIP{Model: r.model, Scope: s, Encoders: enc}
		b := r.batch(name, m, c, cl, lo, hi)
		b.Text = m.Text(c, cl)
		labels := graph.NewTensor(graph.Int, hi-lo)
		if !Taught(name) {
			copy(labels.Int, r.Ints("labels").Int[lo:hi])
		}
		b.Labels = s.Const(labels)
		b.Clock = Clock{Epoch: s.Input("epoch", graph.Int, 1), EpochOver: s.Input("epoch.over", graph.Float32), TrainingOver: s.Input("training.over", graph.Float32)}
		if ReadsImages(name) && ReadsFrozen(name) {
			b.Frozen = unit(c.Vision.Forward(b.Images).Feature)
		}
		out := m.Build(c, cl, b)
		outputs["loss"], outputs["logits"], more = out.Loss, out.Logits, out.Updates
		for _, g := range out.Groups {
			x.vars = append(x.vars, g.Vars...)
		}
		// The rule of optim.Step, with the gradients in sight.
		grads, err := s.Grad(out.Loss, x.vars)
		if err != nil {
			graph.Failf("%v", err)
		}
		for i, v := range x.vars {
			outputs[v.Name] = grads[i]
		}
		lr := s.Input("lr", graph.Float32)
		for _, g := range out.Groups {
			updates = append(updates, g.Optimizer.Updates(s.Sub("optim"), layers.Scale(lr, g.LRScale), g.Vars, grads[:len(g.Vars)])...)
			grads = grads[len(g.Vars):]
		}
		if out.After != nil {
			updates = out.After(s.Sub("optim"), updates)
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	updates = append(updates, more...)
	if x.program, err = s.Compile(r.pool, outputs, updates...); err != nil {
		r.t.Fatal(err)
	}
	return x
}

// batch is the images, as the method reads them.
func (r reference) batch(name string, m Method, c CLIP, cl Classes, lo, hi int) Batch {
	images := layers.Slice(c.Scope.Const(r.Tensor("images")), 0, lo, hi)
	if ReadsImages(name) {
		pass := m.Image(c, cl, images)
		b := Batch{Images: images, Pass: pass, Features: spotlight.Encode(spotlight.Default(), c.Vision, pass)}
		if Taught(name) {
			b.Teacher = layers.Slice(c.Scope.Const(r.Tensor("teacher.logits")), 0, lo, hi)
		}
		return b
	}
	if len(layers.ShapeOf(images)) == 2 {
		return Batch{Features: spotlight.Features{Image: images}}
	}
	return Batch{Features: spotlight.Encode(Features(name, spotlight.Default()), c.Vision, c.Vision.Forward(images))}
}

// start gives a learned variable the reference's value.
func (x *training) start(name, of string) {
	x.r.t.Helper()
	v := x.store.Find(name)
	want := x.r.Tensor(of)
	if v == nil || !slices.Equal(v.Type.Shape, want.Shape) {
		x.r.t.Fatalf("variable %s is %v, the reference's %s is %v", name, v, of, want.Shape)
	}
	copy(v.Value.F32, want.F32)
}

// step trains once.
func (x *training) step(lr float32) {
	x.r.t.Helper()
	x.steps++
	over := float32(x.steps / fixtureSteps)
	err := x.program.Run(context.Background(), map[string]graph.Tensor{
		"lr": graph.Floats([]float32{lr}), "epoch": graph.Ints([]int{x.steps - 1}, 1),
		"epoch.over": graph.Floats([]float32{1}), "training.over": graph.Floats([]float32{over}),
	})
	if err != nil {
		x.r.t.Fatal(err)
	}
}

// follow trains a method beside the reference, from where that starts, and compares
// what a step gives; names are ours of the reference's. Learned context of words
// starts where the reference's does by itself.
func (r reference) follow(name string, o Options, cl Classes, names map[string]string) {
	r.t.Helper()
	x := r.train(name, o, cl, nil, 0, r.Tensor("images").Shape[0])
	if len(x.vars) != len(names) {
		r.t.Errorf("%d variables are learned, want %d", len(x.vars), len(names))
	}
	for theirs, ours := range names {
		if ours == promptScope+"."+contextName {
			r.Near("start."+theirs, x.store.Find(ours).Value, 0)
		}
		x.start(ours, "start."+theirs)
	}
	for i := range fixtureSteps {
		step := fmt.Sprintf("step%d.", i+1)
		x.step(.02)
		r.Near(step+"loss", x.program.Output("loss"), parity)
		for theirs, ours := range names {
			r.Near(step+"gradient."+theirs, x.program.Output(ours), parity)
			r.Near(step+"after."+theirs, x.store.Find(ours).Value, parity)
		}
	}
	r.Near("logits", r.test(name, o, cl, x.store), parity)
}

// refuses wants settings to be refused with that message, "" for none.
func refuses(t *testing.T, s Settings, want string) {
	t.Helper()
	got := ""
	if err := s.Validate(); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%+v: error is %q, want %q", s, got, want)
	}
}

// test is the logits of a method that has learned what store holds.
func (r reference) test(name string, o Options, cl Classes, store *graph.Store) graph.Tensor {
	r.t.Helper()
	m, err := New(name, o)
	if err != nil {
		r.t.Fatal(err)
	}
	program := func(build func(c CLIP) *graph.Node) graph.Tensor {
		s, enc, err := r.model.Scope()
		if err != nil {
			r.t.Fatal(err)
		}
		for _, v := range store.Variables() {
			s.Store().Set(v.Name, v.Kind, v.Value)
		}
		var out *graph.Node
		if err := graph.Try(func() { out = build(CLIP{Model: r.model, Scope: s, Encoders: enc}) }); err != nil {
			r.t.Fatal(err)
		}
		if out == nil {
			return graph.Tensor{}
		}
		p, err := s.Compile(r.pool, map[string]*graph.Node{"out": out})
		if err != nil {
			r.t.Fatal(err)
		}
		if err := p.Run(context.Background(), nil); err != nil {
			r.t.Fatal(err)
		}
		return p.Output("out")
	}
	text := program(func(c CLIP) *graph.Node { return m.Text(c, cl) })
	return program(func(c CLIP) *graph.Node {
		b := r.batch(name, m, c, cl, 0, r.Tensor("images").Shape[0])
		if text.F32 != nil {
			b.Text = c.Scope.Const(text)
		}
		return m.Build(c, cl, b).Logits
	})
}

// count is the tensors and scalars that a method trains in one step.
func (x *training) count() (tensors, scalars int) {
	for _, v := range x.vars {
		scalars += v.Value.Len()
	}
	return len(x.vars), scalars
}

// random is a CLIP of ViT-B/16's sizes.
var random = sync.OnceValues(func() (*clip.Model, error) {
	v := vit.Config{ImageSize: 224, PatchSize: 16, Width: 768, Layers: 12, Heads: 12, Embed: 512}
	return clip.Random(v, textenc.Config{Vocabulary: textenc.VocabSize, Context: 77, Width: 512, Layers: 12, Heads: 8, Embed: 512}, 1, true, true)
})

// vitB16 is what a method trains over CLIP ViT-B/16.
func vitB16(t *testing.T, name string, o Options, classes int) (tensors, scalars int) {
	t.Helper()
	m, err := random()
	if err != nil {
		t.Fatal(err)
	}
	cl := Classes{}
	for i := range classes {
		cl.Names = append(cl.Names, fmt.Sprint("class ", i))
	}
	if cl.Prompts, err = m.Prompts("a photo of a", cl.Names); err != nil {
		t.Fatal(err)
	}
	cl.Text = graph.NewTensor(graph.Float32, classes, 512)
	cl.Encode = func(texts []string) (graph.Tensor, error) {
		return graph.NewTensor(graph.Float32, len(texts), 512), nil
	}
	if Taught(name) {
		cl.Teacher = graph.NewTensor(graph.Float32, classes, 768) // of ViT-L/14
	}
	method, err := New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	s, enc, err := m.Scope()
	if err != nil {
		t.Fatal(err)
	}
	var groups []optim.Group
	err = graph.Try(func() {
		c := CLIP{Model: m, Scope: s, Encoders: enc}
		b := Batch{Labels: s.Input("labels", graph.Int, 2)}
		if ReadsImages(name) {
			images := s.Input("images", graph.Float32, 2, 3, 224, 224)
			b.Pass = method.Image(c, cl, images)
			b.Features = spotlight.Encode(Features(name, spotlight.Default()), c.Vision, b.Pass)
			b.Frozen = s.Input("image", graph.Float32, 2, 512)
		} else {
			b.Features = spotlight.Inputs(Features(name, spotlight.Default()), s, m.Vision, 2)
		}
		if Taught(name) {
			b.Teacher = s.Input("teacher", graph.Float32, 2, classes)
		}
		b.Text = method.Text(c, cl)
		groups = method.Build(c, cl, b).Groups
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		tensors += len(g.Vars)
		for _, v := range g.Vars {
			n := 1
			for _, d := range v.Type.Shape {
				n *= d
			}
			scalars += n
		}
	}
	return tensors, scalars
}
