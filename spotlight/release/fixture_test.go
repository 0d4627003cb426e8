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
	"spotlighter/internal/shared"
	"spotlighter/internal/weights"
	"spotlighter/layers"
	"spotlighter/optim"
	"spotlighter/textenc"
	"spotlighter/vit"
)

// fixture is the published trainer's input on a random tiny CLIP, and what it
// made of it; see fixtures/release/README.md of the shared data.
type fixture struct {
	t       *testing.T
	model   *clip.Model
	in      *weights.File
	prompts textenc.Prompts
	labels  graph.Tensor
	// differences by tensor of float32 from float64 in the reference itself
	rounding map[string]struct {
		Difference float64 `json:"max_abs_diff"`
	}
}

func load(t *testing.T) *fixture {
	t.Helper()
	x := &fixture{t: t, in: open(t, "inputs")}
	var err error
	if x.model, err = clip.Open(shared.Path(t, "fixtures", "release", "tiny_clip.safetensors")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(shared.Path(t, "fixtures", "release", "tolerance_fp32_vs_fp64.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &struct{ Values any }{&x.rounding}); err != nil {
		t.Fatal(err)
	}
	ids := ints(t, x.in, "token_ids")
	x.prompts.Rows = x.model.Text.Context // all positions, so that all can be compared
	for row := range slices.Chunk(ids, x.prompts.Rows) {
		x.prompts.IDs = append(x.prompts.IDs, row[:slices.Index(row, textenc.EOT)+1])
	}
	x.labels = graph.Ints(ints(t, x.in, "labels"), 6)
	return x
}

func open(t *testing.T, name string) *weights.File {
	t.Helper()
	f, err := weights.Open(shared.Path(t, "fixtures", "release", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func ints(t *testing.T, f *weights.File, name string) []int {
	t.Helper()
	v, err := f.Ints(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int, len(v))
	for i := range v {
		out[i] = int(v[i])
	}
	return out
}

func read(t *testing.T, f *weights.File, name string) graph.Tensor {
	t.Helper()
	v, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return graph.Floats(v.Data, v.Shape...)
}

// floor is the absolute difference that is always allowed.
const floor = 1e-7

// want compares a value with the reference's: within ten times the difference
// that rounding makes to the reference, by the name that it has there. Derivatives
// by intermediates have none: logits of up to 96 are off by 1.7e-4 there, and with
// them the softmax in every derivative, so these are held to 1e-4 of their size.
func (x *fixture) want(f *weights.File, name string, got graph.Tensor, rounding string) {
	x.t.Helper()
	want := read(x.t, f, name).F32
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

func (x *fixture) wantInts(f *weights.File, name string, got []int) {
	x.t.Helper()
	if want := ints(x.t, f, name); !slices.Equal(got, want) {
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
func (x *fixture) graph(store *graph.Store, c Config, mask func(p *pass) *Node, train bool) *pass {
	x.t.Helper()
	s, e, err := x.model.Scope()
	if err != nil {
		x.t.Fatal(err)
	}
	p := &pass{scope: s, enc: e}
	if store != nil {
		for _, v := range store.Variables() {
			s.Store().Set(v.Name, v.Kind, v.Value)
		}
	}
	err = graph.Try(func() {
		p.vit = e.Vision.Forward(s.Input("images", graph.Float32, 6, 3, 32, 32))
		p.f = Encode(e.Vision, p.vit)
		context := s.Sub("prompt").Var("context", graph.Trainable, graph.Zeros, 4, 64)
		p.embed = textenc.Learned(e.Text.Embed(s.Const(x.prompts.IDTensor())), context)
		p.text = e.Text.Forward(p.embed, s.Const(x.prompts.EOTTensor()))
		p.t = layers.L2Normalize(p.text.Feature, 0)
		p.m = New(s.Sub("spotlight"), c, 64, x.model.Scale, 1)
		if train {
			p.out = p.m.Train(p.f, p.t, s.Input("labels", graph.Int, 6), mask(p))
		} else {
			p.out = p.m.Eval(p.f.Image, p.t)
		}
	})
	if err != nil {
		x.t.Fatal(err)
	}
	if store == nil {
		x.start(s.Store())
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
func (x *fixture) start(store *graph.Store) {
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
		copy(v.Value.F32, read(x.t, x.in, n).F32)
	}
}

const batches = "mid_image_trans.conv1.1.num_batches_tracked"

// trained adds the optimiser's step, and returns the gradients by the reference's
// names.
func (x *fixture) trained(p *pass) ([]graph.Update, map[string]*Node) {
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
func (x *fixture) compile(p *pass, outputs map[string]*Node, updates []graph.Update) func(feeds map[string]graph.Tensor) *graph.Program {
	x.t.Helper()
	program, err := p.scope.Compile(cpu.NewPool(2), outputs, updates...)
	if err != nil {
		x.t.Fatal(err)
	}
	images := read(x.t, x.in, "images")
	return func(feeds map[string]graph.Tensor) *graph.Program {
		x.t.Helper()
		all := map[string]graph.Tensor{"images": images, "labels": x.labels}
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
