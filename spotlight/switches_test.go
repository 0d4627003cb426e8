package spotlight

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/internal/fixture"
)

// everything stands for all outputs.
var everything = []string{"everything"}

// switches are the ablations: what each must change in a step of the default
// method, and what it must leave as it is.
var switches = []struct {
	name    string
	change  func(c *Config)
	changes []string
	keeps   []string
}{
	{"default", func(*Config) {}, nil, everything},
	{"tokens: value", func(c *Config) { c.Tokens = "value" }, []string{"tokens", "score"}, []string{"plain"}},
	{"tokens: plain", func(c *Config) { c.Tokens = "plain" }, []string{"tokens", "score"}, []string{"plain"}},
	{"blocks: [1, 3]", func(c *Config) { c.Blocks = []int{1, 3} }, []string{"tokens", "score"}, []string{"plain"}},
	{"blocks: [2]", func(c *Config) { c.Blocks = []int{2} }, nil, everything},
	{"sample-wise only", func(c *Config) { c.SemanticWise = false }, []string{"score"}, []string{"tokens"}},
	{"semantic-wise only", func(c *Config) { c.SampleWise = false }, []string{"score"}, []string{"tokens"}},
	{"no contrast", func(c *Config) { c.Contrast = false }, []string{"score"}, []string{"tokens"}},
	{"no smoothing", func(c *Config) { c.Smooth = 0 }, []string{"score"}, []string{"tokens"}},
	{"smooth: 2", func(c *Config) { c.Smooth = 2 }, []string{"score"}, []string{"tokens"}},
	{"select: cls-attention", func(c *Config) { c.Select = "cls-attention" }, []string{"index", "logits"}, []string{"score"}},
	{"select: random", func(c *Config) { c.Select = "random" }, []string{"index", "logits"}, []string{"score"}},
	{"select: all", func(c *Config) { c.Select = "all" }, []string{"index", "logits"}, []string{"score"}},
	{"window: 0", func(c *Config) { c.Window = 0 }, []string{"index", "logits"}, []string{"score"}},
	{"window: 3", func(c *Config) { c.Window = 3 }, nil, everything},
	{"window: 5", func(c *Config) { c.Window = 5 }, []string{"index", "logits"}, []string{"score"}},
	{"keep: 9", func(c *Config) { c.Keep = 9 }, []string{"index", "logits"}, []string{"score"}},
	{"keep: 1", func(c *Config) { c.Keep, c.Level1 = 1, 1 }, []string{"index", "logits"}, []string{"score"}},
	{"one level", func(c *Config) { c.Level1 = c.Keep }, []string{"weight", "reading"}, []string{"index"}},
	{"level1: 1", func(c *Config) { c.Level1 = 1 }, []string{"weight", "reading"}, []string{"index"}},
	{"levels: [2, 2, 1]", func(c *Config) { c.Levels = []int{2, 2, 1} }, []string{"weight", "reading", "representation"}, []string{"index"}},
	{"levels: [1, 1, 1, 1, 1]", func(c *Config) { c.Levels = []int{1, 1, 1, 1, 1} }, []string{"weight", "reading"}, []string{"index"}},
	{"levels: [3, 2]", func(c *Config) { c.Levels = []int{3, 2} }, nil, everything},
	{"levels of candidates", func(c *Config) { c.Levels, c.Candidates = []int{1, 3, 1}, 2 }, []string{"weight", "logits"}, []string{"tokens", "plain"}},
	{"bank: frozen", func(c *Config) { c.Bank = "frozen" }, []string{"bank after", "reading after", "text"}, []string{"score"}},
	{"bank: global", func(c *Config) { c.Bank = "global" }, []string{"bank after", "score", "representation"}, []string{"tokens", "text"}},
	{"bank: global of candidates", func(c *Config) { c.Bank, c.Candidates = "global", 2 }, []string{"bank after", "score"}, []string{"tokens", "plain"}},
	{"bank: off", func(c *Config) { c.Bank = "off" }, []string{"score", "text", "representation"}, []string{"tokens", "plain"}},
	{"bank: off of candidates", func(c *Config) { c.Bank, c.Candidates = "off", 2 }, []string{"score", "text"}, []string{"tokens", "plain"}},
	{"prototypes: 1", func(c *Config) { c.Prototypes = 1 }, []string{"score", "bank after"}, []string{"tokens"}},
	{"momentum: 0", func(c *Config) { c.Momentum = 0 }, []string{"bank after"}, []string{"logits", "reading after"}},
	{"reading_momentum: .5", func(c *Config) { c.ReadingMomentum = .5 }, []string{"reading after"}, []string{"logits", "bank after"}},
	{"read: pool", func(c *Config) { c.Read = "pool" }, []string{"reading", "logits"}, []string{"index", "weight"}},
	{"read: tokens", func(c *Config) { c.Read = "tokens" }, []string{"reading", "logits"}, []string{"index", "weight"}},
	{"reread_blocks: 1", func(c *Config) { c.RereadBlocks = 1 }, []string{"reading", "logits"}, []string{"index", "weight"}},
	{"reread_blocks: 2", func(c *Config) { c.RereadBlocks = 2 }, nil, everything},
	{"reread_blocks: 3", func(c *Config) { c.RereadBlocks = 3 }, []string{"reading", "logits"}, []string{"index", "weight"}},
	{"no IRM", func(c *Config) { c.IRM = false }, []string{"representation", "logits"}, []string{"reading", "text"}},
	{"heads: 1", func(c *Config) { c.Heads = 1 }, []string{"representation", "logits"}, []string{"reading", "text"}},
	{"trm: linear", func(c *Config) { c.TRM = "linear" }, []string{"text", "logits"}, []string{"representation"}},
	{"trm: off", func(c *Config) { c.TRM = "off" }, []string{"text", "logits"}, []string{"representation"}},
	{"candidates: 2", func(c *Config) { c.Candidates = 2 }, []string{"score", "index", "logits"}, []string{"tokens", "plain"}},
	{"more candidates than classes", func(c *Config) { c.Candidates = 9 }, []string{"score", "index", "logits"}, []string{"tokens", "plain"}},
	{"evidence: 1", func(c *Config) { c.Evidence = 1 }, []string{"local", "logits"}, []string{"representation", "text", "bank after"}},
	{"centre: .5", func(c *Config) { c.Centre = .5 }, nil, []string{"logits"}}, // of a mean that is zero as yet
	{"local_loss", func(c *Config) { c.LocalLoss = true }, []string{"total"}, []string{"logits", "prediction", "bank after"}},
	{"local_loss of pooled tokens", func(c *Config) { c.LocalLoss, c.Read = true, "pool" }, []string{"total", "reading"}, []string{"weight"}},
	{"local_loss of tokens", func(c *Config) { c.LocalLoss, c.Read = true, "tokens" }, []string{"total", "reading"}, []string{"weight"}},
	{"balance: 1", func(c *Config) { c.Balance = 1 }, []string{"total"}, []string{"logits", "prediction", "bank after"}},
}

func TestSwitches(t *testing.T) {
	base := newToy(t, oneReading(), graph.Float32).run()
	for _, sw := range switches {
		t.Run(sw.name, func(t *testing.T) {
			c := oneReading()
			sw.change(&c)
			x := newToy(t, c, graph.Float32)
			var bank graph.Tensor // none under bank: off
			if v := x.state("bank"); v != nil {
				bank = clone(v.Value)
			}
			before := map[string]graph.Tensor{}
			for name := range x.grads {
				before[name] = clone(x.store.Find(name).Value)
			}
			got := x.run()
			for name, v := range got {
				for _, e := range v.F32 {
					if math.IsNaN(float64(e)) || math.IsInf(float64(e), 0) {
						t.Fatalf("%s holds %v", name, e)
					}
				}
			}
			for _, name := range sw.changes {
				if reflect.DeepEqual(got[name], base[name]) {
					t.Errorf("%s does not change", name)
				}
			}
			keeps := sw.keeps
			if len(keeps) > 0 && keeps[0] == "everything" {
				keeps = nil
				for name := range base {
					keeps = append(keeps, name)
				}
			}
			for _, name := range keeps {
				if !reflect.DeepEqual(got[name], base[name]) {
					t.Errorf("%s changes", name)
				}
			}
			if reflect.DeepEqual(got["bank after"], bank) != x.frozen {
				t.Errorf("bank %v has become %v", bank, got["bank after"])
			}
			for name := range x.grads { // a step moves what has a gradient
				moved := !reflect.DeepEqual(x.store.Find(name).Value, before[name])
				zero := !slices.ContainsFunc(got["gradient of "+name].F32, func(g float32) bool { return math.Abs(float64(g)) > 1e-5 })
				if !moved && !zero {
					t.Errorf("%s has a gradient and stays", name)
				}
			}
			first := got["total"].F32[0]
			for range 5 {
				got = x.run()
			}
			if last := got["total"].F32[0]; !(last < first) {
				t.Errorf("loss is %v, and %v five steps later", first, last)
			}
		})
	}
}

// In Float64 the gradients agree with differences of the loss, and the loss and
// the kept tokens with those of Float32.
func TestGradientsOfSwitches(t *testing.T) {
	for _, sw := range switches {
		t.Run(sw.name, func(t *testing.T) {
			c := oneReading()
			sw.change(&c)
			x := newToy(t, c, graph.Float64)
			p, err := x.scope.Compile(cpu.NewPool(1), x.nodes)
			if err != nil {
				t.Fatal(err)
			}
			run := func() map[string]graph.Tensor {
				if err := p.Run(context.Background(), x.feeds); err != nil {
					t.Fatal(err)
				}
				out := map[string]graph.Tensor{}
				for name := range x.nodes {
					out[name] = clone(p.Output(name))
				}
				return out
			}
			exact, single := run(), newToy(t, c, graph.Float32).run()
			if !reflect.DeepEqual(exact["index"], single["index"]) && c.Select != "random" { // which draws from the bits
				t.Errorf("kept tokens %v, in Float32 %v", exact["index"].Int, single["index"].Int)
			} else if c.Select != "random" {
				for _, name := range []string{"logits", "total"} {
					fixture.Near(t, name, single[name], exact[name], 1e-4)
				}
			}
			if c.Select == "random" { // a difference would draw other tokens
				return
			}
			forward, err := x.scope.Compile(cpu.NewPool(1), map[string]*Node{"total": x.nodes["total"]})
			if err != nil {
				t.Fatal(err)
			}
			lossAt := func() float64 {
				if err := forward.Run(context.Background(), x.feeds); err != nil {
					t.Fatal(err)
				}
				return forward.Output("total").F64[0]
			}
			const h = 1e-5
			check := func(name string, at []float64, direction []float64) {
				t.Helper()
				var got float64
				for i, d := range direction {
					got += d * exact["gradient of "+name].F64[i]
				}
				start := slices.Clone(at)
				move := func(by float64) float64 {
					for i, d := range direction {
						at[i] = start[i] + by*d
					}
					return lossAt()
				}
				want := (move(h) - move(-h)) / (2 * h)
				copy(at, start)
				if math.Abs(got-want) > 1e-6*math.Abs(want)+2e-9 {
					t.Errorf("gradient of %s is %v, differences give %v", name, got, want)
				}
			}
			for name := range x.grads {
				at := x.store.Find(name).Value.F64
				if name == "prompt.text" {
					for class := range toyClasses {
						check(name, at, unbelieved(exact["image"], at, class))
					}
					continue
				}
				for i := 0; i < len(at); i += 1 + len(at)/6 { // some of many
					direction := make([]float64, len(at))
					direction[i] = 1
					check(name, at, direction)
				}
			}
		})
	}
}

// unbelieved is a direction of a class's text that changes no cosine with an
// image: the belief, through which no gradient passes, stays as it is. The text
// is a unit row and the direction is orthogonal to it too.
func unbelieved(image graph.Tensor, text []float64, class int) []float64 {
	d := image.Shape[1]
	basis := [][]float64{slices.Clone(text[class*d : (class+1)*d])}
	for b := range image.Shape[0] {
		basis = append(basis, slices.Clone(image.F64[b*d:(b+1)*d]))
	}
	basis = append(basis, draw("direction", d).Convert(graph.Float64).F64)
	for i, v := range basis { // Gram-Schmidt
		for _, u := range basis[:i] {
			cpu.AddScaled(v, -cpu.Dot(u, v), u)
		}
		normalise(v)
	}
	out := make([]float64, len(text))
	copy(out[class*d:], basis[len(basis)-1])
	return out
}
