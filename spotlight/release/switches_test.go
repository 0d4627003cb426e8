package release

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/optest"
	"spotlighter/layers"
)

// The toy: 6 images of 3 classes, 9 patches, width 16.
const (
	toyImages, toyPatches, toyClasses, toyWidth = 6, 9, 3, 16
	toyRows                                     = toyImages * (toyPatches + 1)
)

var toyLabels = []int{0, 1, 2, 2, 1, 0}

func toyConfig() Config {
	c := Default()
	c.Prototypes, c.Heads = 7, 4
	return c
}

// toyFeatures are random features, the same for every switch.
func toyFeatures(s *graph.Scope) (f Features, text graph.Tensor) {
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(unit bool, shape ...int) graph.Tensor {
		t := graph.NewTensor(graph.Float32, shape...)
		for i := range t.F32 {
			t.F32[i] = float32(r.NormFloat64())
		}
		for i := 0; unit && i < shape[0]; i++ {
			normalise(t.Row(i))
		}
		return t
	}
	f.Image = s.Const(draw(true, toyImages, toyWidth))
	f.Tokens = s.Const(draw(false, toyImages, toyPatches+1, toyWidth))
	f.Attention = s.Const(draw(false, toyImages, toyPatches))
	return f, draw(true, toyClasses, toyWidth)
}

// toy runs one step at the start and returns what it made: the stages, the
// gradients, the bank after the step, and the logits at test time.
func toy(t *testing.T, c Config) map[string]graph.Tensor {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := graph.New(graph.NewStore(nil), graph.Float32)
	outputs := map[string]*Node{}
	var updates []graph.Update
	err := graph.Try(func() {
		f, text := toyFeatures(s)
		m := New(s, c, toyWidth, 10, 1)
		texts := s.Const(text)
		labels := s.Input("labels", graph.Int, toyImages)
		o := m.Train(f, texts, labels, m.Mask(toyImages))
		updates = m.Updates(o)
		outputs = map[string]*Node{
			"tokens": o.Rows, "index": o.Index, "all": o.All, "top": o.Top, "low": o.Low, "text": o.Text, "attention": o.Attention,
			"image": o.Image, "logits": o.Logits, "assignment": o.Assignment, "over rows": o.OverRows, "written": o.Unit,
			"bank": m.memory.Bank, "bank after": o.Bank, "loss": o.Losses.Total, "test logits": m.Eval(f.Image, texts).Logits,
		}
		vars := s.Trainables()
		grads, err := s.Grad(o.Losses.Total, vars)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vars {
			outputs["grad "+v.Name] = grads[i]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(1), outputs, updates...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), map[string]graph.Tensor{"labels": graph.Ints(toyLabels, toyImages)}); err != nil {
		t.Fatal(err)
	}
	got := map[string]graph.Tensor{}
	for name := range outputs {
		got[name] = p.Output(name)
		for _, v := range got[name].F32 {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%s holds %v", name, v)
			}
		}
	}
	if after := s.Find(BankName).Value.F32; !slices.Equal(after, got["bank after"].F32) {
		t.Error("the bank of the store is not the bank after the step")
	}
	return got
}

func same(a, b graph.Tensor) bool {
	return slices.Equal(a.Shape, b.Shape) && slices.Equal(a.F32, b.F32) && slices.Equal(a.Int, b.Int)
}

// Every key changes what it is about and leaves the rest.
func TestSwitches(t *testing.T) {
	base := toy(t, toyConfig())
	for _, sw := range []struct {
		name           string
		change         func(c *Config)
		changes, keeps []string
	}{
		{"default", func(*Config) {}, nil, slices.Collect(keysOf(base))},
		{"bank_not_saved", func(c *Config) { c.BankNotSaved = false }, nil, slices.Collect(keysOf(base))}, // of evaluation
		{"off_by_one", func(c *Config) { c.OffByOne = false }, []string{"all", "top", "low", "loss"}, []string{"index", "logits", "bank after"}},
		{"sum_write", func(c *Config) { c.SumWrite = false }, []string{"bank after"}, []string{"assignment", "over rows", "loss"}},
		{"unlabelled_bank", func(c *Config) { c.UnlabelledBank = false }, []string{"assignment", "over rows", "bank after"}, []string{"loss", "written"}},
		{"single_key_attention", func(c *Config) { c.SingleKeyAttention = false },
			[]string{"attention", "image", "logits", "test logits", "grad memory.mutitransformer.query.weight", "grad memory.mutitransformer.key.weight"},
			[]string{"text", "all", "bank after"}},
		{"train_mix", func(c *Config) { c.TrainMix = .1 }, []string{"logits", "loss"}, []string{"test logits", "image"}},
		{"test_mix", func(c *Config) { c.TestMix = .05 }, []string{"test logits"}, []string{"logits", "loss"}},
		{"dropout", func(c *Config) { c.Dropout = 0 }, []string{"attention", "image", "loss"}, []string{"test logits", "all"}},
		{"prototypes", func(c *Config) { c.Prototypes = 2 }, []string{"bank after", "text", "logits"}, []string{"all"}},
		{"keep", func(c *Config) { c.Keep = 4 }, []string{"all", "low"}, []string{"top", "logits", "bank after"}},
		{"level1", func(c *Config) { c.Level1 = 3 }, []string{"top", "low"}, []string{"all", "logits", "bank after"}},
		{"heads", func(c *Config) { c.Heads = 2 }, []string{"attention"}, []string{"text", "test logits"}}, // one key: all heads alike
	} {
		t.Run(sw.name, func(t *testing.T) {
			c := toyConfig()
			sw.change(&c)
			got := toy(t, c)
			for _, name := range sw.changes {
				if same(got[name], base[name]) {
					t.Errorf("%s did not change", name)
				}
			}
			for _, name := range sw.keeps {
				if !same(got[name], base[name]) {
					t.Errorf("%s changed", name)
				}
			}
		})
	}
}

func keysOf(m map[string]graph.Tensor) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// The i-th kept row is the row of the patch, or, off by one, the row before.
func TestOffByOne(t *testing.T) {
	for off, shift := range map[bool]int{true: 0, false: 1} {
		c := toyConfig()
		c.OffByOne = off
		got := toy(t, c)
		for b := range toyImages {
			for i, patch := range got["index"].Int[b*5 : b*5+5] {
				row := got["tokens"].Row(b*(toyPatches+1) + patch + shift)
				if kept := got["all"].F32[(b*7+1+i)*toyWidth:][:toyWidth]; !slices.Equal(kept, row) {
					t.Errorf("off by one %v: image %d: kept row %d is not that of patch %d", off, b, i, patch)
				}
			}
		}
	}
}

// Without the sum a prototype moves to .8 of itself and .2 of the weighted mean
// of its rows, whatever their number.
func TestMeanWrite(t *testing.T) {
	c := toyConfig()
	c.SumWrite = false
	got := toy(t, c)
	for p := range c.Prototypes {
		mean, total := make([]float64, toyWidth), 0.
		for r, to := range got["assignment"].Int {
			if to == p {
				w := float64(got["over rows"].F32[r*c.Prototypes+p])
				total += w
				for k, v := range got["written"].Row(r) {
					mean[k] += w * float64(v)
				}
			}
		}
		want, length := make([]float64, toyWidth), 0.
		for k, v := range got["bank"].Row(p) {
			want[k] = float64(v)
			if total > 0 {
				want[k] = .8*want[k] + .2*mean[k]/total
			}
			length += want[k] * want[k]
		}
		for k, v := range got["bank after"].Row(p) {
			if math.Abs(float64(v)-want[k]/math.Sqrt(length)) > 1e-6 {
				t.Fatalf("prototype %d is %v at %d, want %v", p, v, k, want[k]/math.Sqrt(length))
			}
		}
	}
}

// With labels a row goes to a prototype of its image's class, and only rows of
// the prototype's class weigh in its softmax; with more classes than prototypes
// some share.
func TestLabelledBank(t *testing.T) {
	for _, prototypes := range []int{7, 2} {
		c := toyConfig()
		c.UnlabelledBank, c.Prototypes = false, prototypes
		got := toy(t, c)
		owners := min(prototypes, toyClasses)
		for r, p := range got["assignment"].Int {
			y := toyLabels[r/(toyPatches+1)]
			if p%owners != y%owners {
				t.Errorf("%d prototypes: a row of class %d went to prototype %d", prototypes, y, p)
			}
			for q, w := range got["over rows"].Row(r) {
				if own := q%owners == y%owners; own != (w > 0) {
					t.Errorf("%d prototypes: a row of class %d weighs %v for prototype %d", prototypes, y, w, q)
				}
			}
		}
	}
}

// Gradients agree with differences, of the published attention and of the whole
// one, and with tokens read at their places.
func TestGradients(t *testing.T) {
	for _, single := range []bool{true, false} {
		c := toyConfig()
		c.SingleKeyAttention, c.OffByOne, c.UnlabelledBank = single, single, single
		name := map[bool]string{true: "published", false: "mended"}[single]
		var text graph.Tensor
		_, text = toyFeatures(graph.New(graph.NewStore(nil), graph.Float32))
		values := make([]float64, text.Len())
		for i, v := range text.F32 {
			values[i] = float64(v)
		}
		optest.Check(t, optest.Case{
			Name: name, Inputs: []optest.Input{optest.Floats(values, text.Shape...), optest.Ints(toyLabels, toyImages)},
			GradTol: 1e-6, F32Tol: 1e-4, SkipStock: "its variables are the model's own",
			Build: func(s *graph.Scope, in []*Node) *Node {
				f, _ := toyFeatures(s)
				m := New(s, c, toyWidth, 10, 1)
				return m.Train(f, layers.L2Normalize(in[0], 0), in[1], m.Mask(toyImages)).Losses.Total
			},
		})
	}
}

// Masks differ from step to step, and a step's mask is drawn again from its count.
func TestMasksOfSteps(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	c := toyConfig()
	c.Dropout = .5
	f, text := toyFeatures(s)
	m := New(s, c, toyWidth, 10, 1)
	o := m.Train(f, s.Const(text), s.Input("labels", graph.Int, toyImages), m.Mask(toyImages))
	p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"attention": o.Attention}, m.Updates(o)...)
	if err != nil {
		t.Fatal(err)
	}
	run := func() []float32 {
		if err := p.Run(context.Background(), map[string]graph.Tensor{"labels": graph.Ints(toyLabels, toyImages)}); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(p.Output("attention").F32)
	}
	first, second := run(), run()
	if slices.Equal(first, second) {
		t.Error("two steps have one mask")
	}
	s.Find("dropout.step").Value.F32[0] = 0
	if !slices.Equal(first, run()) {
		t.Error("the first step's mask was not drawn again")
	}
}

func TestRefusals(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"spotlight.release.train_mix: 2, want 0 to 1":                    func(c *Config) { c.TrainMix = 2 },
		"spotlight.release.test_mix: -1, want 0 to 1":                    func(c *Config) { c.TestMix = -1 },
		"spotlight.release.prototypes: 0, want at least 1":               func(c *Config) { c.Prototypes = 0 },
		"spotlight.release.keep: 1, want at least 2, one for each level": func(c *Config) { c.Keep = 1 },
		"spotlight.release.level1: 5, want 1 to keep - 1 (4)":            func(c *Config) { c.Level1 = 5 },
		"spotlight.release.heads: 0, want at least 1":                    func(c *Config) { c.Heads = 0 },
		"spotlight.release.dropout: 1, want 0 <= dropout < 1":            func(c *Config) { c.Dropout = 1 },
		"spotlight.release.heads: 3 do not divide the joint width 16":    func(c *Config) { c.Heads = 3 },
		"spotlight.release.keep: 10, the image encoder has 9 patches":    func(c *Config) { c.Keep = 10 },
	} {
		c := toyConfig()
		change(&c)
		err := c.Validate()
		if err == nil {
			err = graph.Try(func() {
				s := graph.New(graph.NewStore(nil), graph.Float32)
				f, text := toyFeatures(s)
				New(s, c, toyWidth, 10, 1).Train(f, s.Const(text), s.Input("labels", graph.Int, toyImages), nil)
			})
		}
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}
