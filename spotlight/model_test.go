package spotlight

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
	"spotlighter/vit"
)

// declared builds the method alone and returns its graph.
func declared(c Config) (s *graph.Scope, err error) {
	s = graph.New(graph.NewStore(nil), graph.Float32)
	err = graph.Try(func() {
		e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen}, toyVision)
		New(s, c, e, toyTau, unitDraw("bank", 2, c.Prototypes, 16))
	})
	return s, err
}

// The paper's 21, counted by the graph.
func TestScalars(t *testing.T) {
	count := func(c Config) int {
		t.Helper()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		s, err := declared(c)
		if err != nil {
			t.Fatal(err)
		}
		return scalars(s)
	}
	if n := count(Default()); n != 21 {
		t.Errorf("%d scalars, want 21", n)
	}
	for k := 1; k <= 9; k++ {
		for _, h := range []int{1, 2, 4, 8} {
			for level1 := 1; level1 <= k; level1++ {
				c := oneReading()
				c.Keep, c.Level1, c.Heads = k, level1, h
				want := k + h + 8
				if level1 == k { // one level has one strength
					want--
				}
				if n := count(c); n != want {
					t.Errorf("K = %d (%d), H = %d: %d scalars, want %d", k, level1, h, n, want)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(c *Config)
		want   int
	}{
		"sample-wise alone":   {func(c *Config) { c.SemanticWise = false }, 20}, // theta
		"semantic-wise alone": {func(c *Config) { c.SampleWise = false }, 20},   // theta
		"no IRM":              {func(c *Config) { c.IRM = false }, 11},          // kappa, gamma, heads
		"no TRM":              {func(c *Config) { c.TRM = "off" }, 19},          // a, b
		"frozen bank":         {func(c *Config) { c.Bank = "frozen" }, 19},      // nothing read: a, b
		"global bank":         {func(c *Config) { c.Bank = "global" }, 21},
		"three levels":        {func(c *Config) { c.Levels = []int{2, 2, 1} }, 22}, // each has a strength
		"a level a token":     {func(c *Config) { c.Levels = []int{1, 1, 1, 1, 1} }, 24},
		"no bank":             {func(c *Config) { c.Bank = "off" }, 5 + 2 + 1},    // rho, omega, phi
		"linear TRM":          {func(c *Config) { c.TRM = "linear" }, 19 + 2*256}, // of 2D to D
		"all tokens":          {func(c *Config) { c.Select = "all" }, 16 + 8 + 7}, // one level
		"class-wise":          {func(c *Config) { c.Candidates = 3 }, 21},
		"literal":             {func(c *Config) { c.Tokens, c.Read, c.LocalLoss = "plain", "tokens", true }, 21},
	} {
		cfg := oneReading()
		c.change(&cfg)
		if n := count(cfg); n != c.want {
			t.Errorf("%s: %d scalars, want %d", name, n, c.want)
		}
	}
	s, err := declared(oneReading())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range s.Trainables() {
		names = append(names, strings.TrimPrefix(v.Name, "spotlight."))
	}
	slices.Sort(names)
	if want := []string{"a", "b", "gamma", "head_log_temp", "kappa", "omega", "phi", "rho", "theta"}; !slices.Equal(names, want) {
		t.Errorf("trainables %v, want %v", names, want)
	}
}

// The training-free mode reads the image by its own activation, writes nothing
// and needs nothing that training would bring.
func TestTrainingFree(t *testing.T) {
	c := oneReading().TrainingFree()
	x := newToy(t, c, graph.Float32)
	if us := x.model.Updates(Output{}, nil); us != nil {
		t.Errorf("%d updates of the bank", len(us))
	}
	bank := clone(x.state("bank").Value)
	first := x.run()
	set(x.state("bank"), unitDraw("another bank", toyClasses, c.Prototypes, 16))
	s := graph.New(graph.NewStore(nil), graph.Float32)
	e, pass := toyEncoder(s)
	text := s.Const(unitDraw("text", toyClasses, 16))
	o := New(s, c, e, toyTau, unitDraw("any", toyClasses, c.Prototypes, 16)).Forward(Encode(c, e, pass), text)
	p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"score": o.Score, "text": layers.Add(o.Text, s.Const(graph.NewTensor(graph.Float32, toyClasses, 16))),
		"logits": o.Logits, "half": layers.Scale(layers.Add(o.Global, o.Local), .5)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(bank.F32, unitDraw("any", toyClasses, c.Prototypes, 16).F32) {
		t.Fatal("the banks are the same")
	}
	fixture.Near(t, "score with another bank", p.Output("score"), first["score"], 1e-5)
	fixture.Near(t, "class texts", p.Output("text"), unitDraw("text", toyClasses, 16), 1e-6)
	fixture.Near(t, "logits", p.Output("logits"), p.Output("half"), 1e-6)
}

func TestConfigRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		`spotlight.tokens: "patch" is none of contribution, value, plain`: func(c *Config) { c.Tokens = "patch" },
		`spotlight.select: "" is none of`:                                 func(c *Config) { c.Select = "" },
		`spotlight.bank: "none" is none of class, global, frozen, off`:    func(c *Config) { c.Bank = "none" },
		`spotlight.read: "never" is none of`:                              func(c *Config) { c.Read = "never" },
		`spotlight.trm: "on" is none of`:                                  func(c *Config) { c.TRM = "on" },
		"both off":                                                        func(c *Config) { c.SampleWise, c.SemanticWise = false, false },
		"spotlight.keep: 0":                                               func(c *Config) { c.Keep = 0 },
		"spotlight.level1: 6":                                             func(c *Config) { c.Level1 = 6 },
		"spotlight.level1: 0":                                             func(c *Config) { c.Level1 = 0 },
		"spotlight.levels: 6 levels, more than the 5 tokens":              func(c *Config) { c.Levels = []int{1, 1, 1, 1, 1, 1} },
		"spotlight.levels: [3 3], want sizes":                             func(c *Config) { c.Levels = []int{3, 3} },
		"spotlight.levels: [5 0], want sizes":                             func(c *Config) { c.Levels = []int{5, 0} },
		"spotlight.window: 4":                                             func(c *Config) { c.Window = 4 },
		"spotlight.window: -3":                                            func(c *Config) { c.Window = -3 },
		"do not fit a window of 1x1":                                      func(c *Config) { c.Window = 1 },
		"spotlight.prototypes: 0":                                         func(c *Config) { c.Prototypes = 0 },
		"spotlight.momentum: 1":                                           func(c *Config) { c.Momentum = 1 },
		"spotlight.reading_momentum: -1":                                  func(c *Config) { c.ReadingMomentum = -1 },
		"spotlight.heads: 0":                                              func(c *Config) { c.Heads = 0 },
		"spotlight.candidates: 0":                                         func(c *Config) { c.Candidates = 0 },
		"spotlight.candidates: 2, which":                                  func(c *Config) { c.Candidates, c.Read = 2, "pool" },
		"spotlight.train_candidates: 6, want":                             func(c *Config) { c.Candidates, c.TrainCandidates = 5, 6 },
		"spotlight.evidence: -1":                                          func(c *Config) { c.Evidence = -1 },
		"spotlight.evidence_blocks: [2 2]":                                func(c *Config) { c.EvidenceBlocks = []int{2, 2} },
		"spotlight.centre: 2":                                             func(c *Config) { c.Centre = 2 },
		"spotlight.balance: 0":                                            func(c *Config) { c.Balance = 0 },
		"spotlight.smooth: -1":                                            func(c *Config) { c.Smooth = -1 },
		"spotlight.reread_blocks: -1":                                     func(c *Config) { c.RereadBlocks = -1 },
		"spotlight.blocks: [2 2]":                                         func(c *Config) { c.Blocks = []int{2, 2} },
		"spotlight.blocks: [0]":                                           func(c *Config) { c.Blocks = []int{0} },
		"sum to the feature, tokens: pla":                                 func(c *Config) { c.Tokens, c.Read = "plain", "pool" },
		"sum to the feature, tokens: val":                                 func(c *Config) { c.Tokens, c.Read = "value", "pool" },
		"would change nothing":                                            func(c *Config) { c.Select, c.Read = "all", "pool" },
	} {
		c := oneReading()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

// What only an encoder's sizes show is refused when the graph is built.
func TestSizesRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"spotlight.heads: 3 do not divide the joint width 16":    func(c *Config) { c.Heads = 3 },
		"spotlight.keep: 17, the image encoder has 16 patches":   func(c *Config) { c.Keep = 17 },
		"spotlight.heads: 32 do not divide the joint width 16":   func(c *Config) { c.Heads = 32 },
		"spotlight.keep: 1000, the image encoder has 16 patches": func(c *Config) { c.Keep, c.Window = 1000, 0 },
	} {
		c := oneReading()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := declared(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// Each row of the class-wise mode is the default's activation under the belief
// in that one class.
// A step of the method allocates nothing once it has its memory.
func TestStepsAllocateNothing(t *testing.T) {
	if name, _ := cpu.Path(); name == "go" {
		t.Skip("products without SIMD kernels allocate a closure each")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // collections allocate, too
	for name, c := range map[string]Config{"one reading": oneReading(), "default": Default()} {
		x := newToy(t, c, graph.Float32)
		least := uint64(math.MaxUint64)
		for range 30 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := x.step.Run(t.Context(), x.feeds)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, after.Mallocs-before.Mallocs)
		}
		if least != 0 {
			t.Errorf("%s: a step makes %d allocations", name, least)
		}
	}
}

func TestCandidates(t *testing.T) {
	c := oneReading()
	c.Candidates = 3
	s := graph.New(graph.NewStore(nil), graph.Float64)
	e, pass := toyEncoder(s)
	f := Encode(c, e, pass)
	text := s.Const(unitDraw("text", toyClasses, 16))
	m := New(s, c, e, toyTau, unitDraw("bank", toyClasses, c.Prototypes, 16))
	o := m.Forward(f, text)
	out := map[string]*Node{"candidates": o.Candidates, "plain": o.Plain, "s1": o.SampleScore, "s2": o.SemanticScore, "index": o.Index, "belief": o.Belief, "score": o.Score,
		"kept": o.Kept, "reading": o.Reading}
	labels := s.Input("labels", graph.Int, toyImages)
	z, score, reading := m.ofClass(o, labels)
	out["z"], out["z score"], out["z reading"], out["kept score"] = z, score, reading, o.KeptScore
	for class := range toyClasses {
		p := graph.NewTensor(graph.Float64, toyImages, toyClasses)
		for b := range toyImages {
			p.F64[b*toyClasses+class] = 1
		}
		belief := s.Const(p)
		out[fmt.Sprint("s1.", class)], out[fmt.Sprint("s2.", class)] = m.sampleWise(belief, text, f.Tokens), m.semanticWise(belief, m.bank, f.Tokens)
	}
	p, err := s.Compile(cpu.NewPool(1), out)
	if err != nil {
		t.Fatal(err)
	}
	plainAt := func(b, class int) float64 { return p.Output("plain").F64[b*toyClasses+class] }
	if err := p.Run(context.Background(), map[string]graph.Tensor{"labels": graph.NewTensor(graph.Int, toyImages)}); err != nil {
		t.Fatal(err)
	}
	// The label of the first image is its last candidate, of the second its
	// first, of the third none of them.
	candidates := slices.Clone(p.Output("candidates").Int)
	none := 0
	for slices.Contains(candidates[6:9], none) {
		none++
	}
	y := graph.Ints([]int{candidates[2], candidates[3], none}, toyImages)
	if err := p.Run(context.Background(), map[string]graph.Tensor{"labels": y}); err != nil {
		t.Fatal(err)
	}
	row := func(name string, i, n int) graph.Tensor {
		x := graph.NewTensor(graph.Float64, n)
		copy(x.F64, p.Output(name).F64[i*n:(i+1)*n])
		return x
	}
	for b := range toyImages {
		for i, class := range candidates[b*3 : b*3+3] {
			if i > 0 && plainAt(b, class) > plainAt(b, candidates[b*3+i-1]) {
				t.Errorf("image %d: candidates %v do not fall", b, candidates[b*3:b*3+3])
			}
			for _, s := range []string{"s1", "s2"} {
				fixture.Near(t, s, row(s, b*3+i, 16), row(fmt.Sprintf("%s.%d", s, class), b, 16), 1e-9)
			}
			if p.Output("belief").F64[(b*3+i)*toyClasses+class] != 1 {
				t.Errorf("image %d: candidate %d is not believed in", b, i)
			}
		}
		at := b*3 + []int{2, 0, 0}[b]
		fixture.Near(t, "tokens of the label", row("z", b, 5*16), row("kept", at, 5*16), 0)
		fixture.Near(t, "scores of the label", row("z score", b, 5), row("kept score", at, 5), 0)
		fixture.Near(t, "reading of the label", row("z reading", b, 16), row("reading", at, 16), 0)
	}
}
