package release

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/clip"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// reference is the published trainer's input on a random tiny CLIP, and what it
// made of it; see testdata/README.md.
type reference struct {
	t       *testing.T
	base    *graph.Store // the frozen CLIP
	tau     float64
	in      fixture.File
	prompts textenc.Prompts
	// differences by tensor of float32 from float64 in the reference itself
	rounding map[string]struct {
		Difference float64 `json:"max_abs_diff"`
	}
}

// open opens what is committed of the run.
func open(t *testing.T, name string) fixture.File {
	t.Helper()
	return fixture.At(t, "testdata/"+name+".safetensors")
}

// openWhole opens a file of the whole run, of which open's are a part.
func openWhole(t *testing.T, name string) fixture.File {
	t.Helper()
	return fixture.Open(t, "fixtures", "release", name+".safetensors")
}

func load(t *testing.T) *reference {
	t.Helper()
	x := &reference{t: t, base: graph.NewStore(nil), in: fixture.At(t, "../testdata/inputs.safetensors")}
	declare(graph.New(x.base, graph.Float32))
	values := fixture.TinyCLIP(t, "../testdata")
	if err := x.base.Load(values); err != nil {
		t.Fatal(err)
	}
	x.tau = math.Exp(float64(values["logit_scale"].F32[0]))
	text, err := os.ReadFile("testdata/rounding.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &struct{ Values any }{&x.rounding}); err != nil {
		t.Fatal(err)
	}
	x.prompts.Words = 4
	for row := range slices.Chunk(x.in.Ints("token_ids").Int, 77) {
		x.prompts.IDs = append(x.prompts.IDs, row[:slices.Index(row, textenc.EOT)+1])
	}
	return x
}

// declare declares the fixture's CLIP.
func declare(s *graph.Scope) clip.Encoders {
	e, _ := clip.Declare(s, layers.Weights{Kind: graph.Frozen},
		vit.Config{ImageSize: 32, PatchSize: 8, Width: 128, Layers: 2, Heads: 2, Embed: 64},
		textenc.Config{Vocabulary: 49408, Context: 77, Width: 64, Layers: 2, Heads: 1, Embed: 64})
	return e
}

// floor is the absolute difference that is always allowed.
const floor = 1e-7

// want compares a value with the reference's: within ten times the difference
// that rounding makes to the reference, by the name that it has there. Derivatives
// by intermediates have none: logits of up to 96 are off by 1.7e-4 there, and with
// them the softmax in every derivative, so these are held to 1e-4 of their size.
func (x *reference) want(f fixture.File, name string, got graph.Tensor, rounding string) {
	x.t.Helper()
	want := f.Tensor(name).F32
	if len(got.F32) != len(want) {
		x.t.Errorf("%s: %d elements, want %d", name, len(got.F32), len(want))
		return
	}
	var size, worst float64
	for i, w := range want {
		size = max(size, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got.F32[i]-w)))
		if got.F32[i] != got.F32[i] {
			worst = math.Inf(1)
		}
	}
	tol := 1e-4*size + floor
	if r, ok := x.rounding[rounding]; ok {
		tol = 10*r.Difference + floor
	}
	if !(worst <= tol) {
		x.t.Errorf("%s: off by %.2g of %.3g, want at most %.2g", name, worst, size, tol)
	}
}

func (x *reference) wantInts(f fixture.File, name string, got []int) {
	x.t.Helper()
	if want := f.Ints(name).Int; !slices.Equal(got, want) {
		x.t.Errorf("%s: %v, want %v", name, got, want)
	}
}

// pass is a graph of the trainer over the fixture's CLIP.
type pass struct {
	scope *graph.Scope
	enc   clip.Encoders
	vit   vit.Output
	text  textenc.Output
	f     Features
	m     *Model
	embed *Node // prompts before positions [C, T, W]
	t     *Node // unit texts
	out   Output
}

// graph builds one pass over a store, which may be nil. In training mode mask
// makes the dropout mask.
func (x *reference) graph(store *graph.Store, c Config, mask func(p *pass) *Node, train bool) *pass {
	x.t.Helper()
	fresh := store == nil
	if fresh {
		store = graph.NewStore(x.base)
	}
	s := graph.New(store, graph.Float32)
	p := &pass{scope: s, enc: declare(s)}
	e := p.enc
	err := graph.Try(func() {
		p.vit = e.Vision.Forward(s.Input("images", graph.Float32, 6, 3, 32, 32))
		p.f = Encode(e.Vision, p.vit)
		context := s.Sub("prompt").Var("context", graph.Trainable, graph.Zeros, 4, 64)
		var eot *Node
		p.embed, eot = e.Text.Compose(x.prompts, textenc.Context{Vectors: context}, 77) // all positions, so that all can be compared
		p.text = e.Text.Forward(p.embed, eot)
		p.t = layers.L2Normalize(p.text.Feature, 0)
		p.m = New(s.Sub("spotlight"), c, 64, x.tau, 1)
		if train {
			p.out = p.m.Train(p.f, p.t, s.Input("labels", graph.Int, 6), mask(p))
		} else {
			p.out = p.m.Eval(p.f.Image, p.t)
		}
	})
	if err != nil {
		x.t.Fatal(err)
	}
	if fresh {
		x.start(store)
	}
	return p
}

// variable is our name of a tensor of the reference.
func variable(name string) string {
	if name == "prompt_learner.ctx" {
		return "prompt.context"
	}
	return "spotlight." + name
}

// start sets all variables to the reference's start.
func (x *reference) start(store *graph.Store) {
	x.t.Helper()
	for _, n := range x.in.Names() {
		kind, name, _ := strings.Cut(n, ".")
		if kind != "param" && kind != "buffer" {
			continue
		}
		v := store.Find(variable(name))
		if v == nil {
			x.t.Fatalf("no variable for %s", n)
		}
		if name == batches {
			continue // an int there; 0, as here
		}
		copy(v.Value.F32, x.in.Tensor(n).F32)
	}
}

const batches = "mid_image_trans.conv1.1.num_batches_tracked"

// trained adds the optimiser's step, and returns the gradients by the reference's
// names.
func (x *reference) trained(p *pass) ([]graph.Update, map[string]*Node) {
	x.t.Helper()
	vars := p.scope.Trainables()
	grads, err := p.scope.Grad(p.out.Losses.Total, vars)
	if err != nil {
		x.t.Fatal(err)
	}
	lr := p.scope.Input("lr", graph.Float32)
	updates := optim.SGD{Momentum: .9, WeightDecay: 5e-4}.Updates(p.scope.Sub("optim"), lr, vars, grads)
	named := map[string]*Node{}
	for i, v := range vars {
		name := strings.TrimPrefix(v.Name, "spotlight.")
		if v.Name == "prompt.context" {
			name = "prompt_learner.ctx"
		}
		named[name] = grads[i]
	}
	return append(updates, p.m.Updates(p.out)...), named
}

// compile makes a program that is run on the fixture's images.
func (x *reference) compile(p *pass, outputs map[string]*Node, updates []graph.Update) func(feeds map[string]graph.Tensor) *graph.Program {
	x.t.Helper()
	program, err := p.scope.Compile(cpu.NewPool(2), outputs, updates...)
	if err != nil {
		x.t.Fatal(err)
	}
	images := x.in.Tensor("images")
	return func(feeds map[string]graph.Tensor) *graph.Program {
		x.t.Helper()
		all := map[string]graph.Tensor{"images": images, "labels": x.in.Ints("labels")}
		for n, v := range feeds {
			all[n] = v
		}
		if err := program.Run(context.Background(), all); err != nil {
			x.t.Fatal(err)
		}
		return program
	}
}

func replayed(p *pass) *Node { return p.scope.Input("mask", graph.Float32, 6, 8, 1, 1) }
func undropped(*pass) *Node  { return nil }

func step(k int, name string) string { return fmt.Sprintf("step%d.%s", k, name) }
