package spotlight

import (
	"math"
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/vit"
)

// prunedToy encodes the toy's images with patches dropped.
func prunedToy(t *testing.T, p vit.Prune, by string, outputs func(s *graph.Scope, e *vit.Encoder, o vit.Output, f Features) map[string]*Node) *graph.Program {
	t.Helper()
	c := oneReading()
	s := graph.New(graph.NewStore(nil), graph.Float64)
	v := toyVision
	v.Prune = p
	if PrunedAlone(by) {
		v.Prune.By = by
	}
	e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Seed: 3, Init: true}, v)
	score := e.OwnScore
	if !PrunedAlone(by) {
		score = PruneScore(by, c, s, e, toyTau, unitDraw("text", toyClasses, 16), unitDraw("bank", toyClasses, 5, 16))
	}
	o := e.ForwardBy(s.Const(draw("images", toyImages, 3, 12, 12)), score)
	program, err := s.Compile(cpu.NewPool(1), outputs(s, e, o, Encode(c, e, o)))
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return program
}

var pruneBy = []string{PruneByDeviation, PruneByAttention, PruneByText, PruneByBoth}

// A re-read without a bias is the first pass, the fused token included; with one
// it is another.
func TestRereadOfPruned(t *testing.T) {
	for _, by := range pruneBy {
		for _, p := range []vit.Prune{{Block: 1, Keep: .5}, {Block: 2, Keep: .4}, {Block: 1, Keep: 15. / 16}} {
			program := prunedToy(t, p, by, func(s *graph.Scope, e *vit.Encoder, _ vit.Output, f Features) map[string]*Node {
				even := s.Const(filled(0, toyImages, 1, 16))
				one := layers.Scatter(s.Const(filled(3, toyImages, 1)), layers.TopK(f.Remain, 1), 16)
				return map[string]*Node{"image": f.Image, "even": Reread(e, f, even), "one": Reread(e, f, layers.Reshape(one, toyImages, 1, 16))}
			})
			image, even, one := program.Output("image").F64, program.Output("even").F64, program.Output("one").F64
			differs := 0.
			for i, want := range image {
				if math.Abs(even[i]-want) > 1e-12 {
					t.Fatalf("%s %+v: element %d is %g, want %g", by, p, i, even[i], want)
				}
				differs = max(differs, math.Abs(one[i]-want))
			}
			if differs < 1e-3 {
				t.Errorf("%s %+v: a bias moves the reading by no more than %g", by, p, differs)
			}
		}
	}
}

// What the later blocks add belongs to the patches that remain, at their places.
func TestTokensOfPruned(t *testing.T) {
	for _, by := range pruneBy {
		program := prunedToy(t, vit.Prune{Block: 1, Keep: .3}, by, func(_ *graph.Scope, e *vit.Encoder, o vit.Output, f Features) map[string]*Node {
			plain := oneReading()
			plain.Tokens = "plain"
			value := oneReading()
			value.Tokens = "value"
			return map[string]*Node{"remain": f.Remain, "contribution": f.Tokens, "attention": f.Attention,
				"plain": Encode(plain, e, o).Tokens, "value": Encode(value, e, o).Tokens}
		})
		remain := program.Output("remain").F64
		for _, name := range []string{"contribution", "attention", "plain", "value"} {
			x := program.Output(name)
			w := x.Len() / len(remain)
			for i, r := range remain {
				row := x.F64[i*w : (i+1)*w]
				if zero := slices.IndexFunc(row, func(v float64) bool { return v != 0 }) < 0; zero == (r == 1) {
					t.Errorf("%s by %s: patch %d remains %g, its row is zero %v", name, by, i, r, zero)
				}
			}
		}
	}
}

// The method keeps patches that remain, in every mode.
func TestKeptOfPruned(t *testing.T) {
	for _, change := range []func(c *Config){
		func(*Config) {},
		func(c *Config) { c.Select = "random" },
		func(c *Config) { c.Select = "cls-attention" },
		func(c *Config) { c.Read = "pool" },
		func(c *Config) { c.Candidates = 2 },
	} {
		c := oneReading()
		change(&c)
		program := prunedToy(t, vit.Prune{Block: 2, Keep: .35}, PruneByAttention, func(s *graph.Scope, e *vit.Encoder, _ vit.Output, f Features) map[string]*Node {
			m := New(s, c, e, toyTau, unitDraw("bank", toyClasses, c.Prototypes, 16))
			o := m.Forward(f, s.Const(unitDraw("text", toyClasses, 16)))
			return map[string]*Node{"remain": f.Remain, "index": o.Index, "logits": o.Logits}
		})
		index := program.Output("index")
		q := index.Shape[0] / toyImages
		for i, at := range index.Int {
			if b := i / (q * c.Keep); program.Output("remain").F64[b*16+at] != 1 {
				t.Errorf("%+v: image %d keeps patch %d, which was dropped", c, b, at)
			}
		}
		for _, v := range program.Output("logits").F64 {
			if math.IsNaN(v) {
				t.Fatalf("%+v: logits are not numbers", c)
			}
		}
	}
	err := graph.Try(func() {
		v := toyVision
		v.Prune = vit.Prune{Block: 1, Keep: .25}
		s := graph.New(graph.NewStore(nil), graph.Float64)
		e := vit.New(s.Sub("visual"), layers.Weights{Kind: graph.Frozen, Seed: 3, Init: true}, v)
		New(s, oneReading(), e, toyTau, unitDraw("bank", toyClasses, 5, 16))
	})
	if err == nil || !strings.Contains(err.Error(), "spotlight.keep: 5, pruning leaves 4 patches") {
		t.Errorf("error is %v", err)
	}
}

// Of few remaining tokens those in the window come first, then the best others;
// the window is around the best one that may be taken.
func TestKeepAmongRemaining(t *testing.T) {
	scores := graph.NewTensor(graph.Float64, 2, 25)
	for i := range scores.F64 {
		scores.F64[i] = float64((i * 7) % 25)
	}
	remain := graph.NewTensor(graph.Float64, 1, 25)
	for _, i := range []int{0, 1, 6, 13, 24} {
		remain.F64[i] = 1
	}
	got, err := apply(t, keep{K: 5, Window: 3, Grid: 5}, scores, remain)
	if err != nil {
		t.Fatal(err)
	}
	// Their scores are 0, 7, 17, 16 and 18; the window around 24, moved inside, has 13.
	if want := []int{24, 13, 6, 1, 0, 24, 13, 6, 1, 0}; !slices.Equal(got.Int, want) {
		t.Errorf("kept %v, want %v", got.Int, want)
	}
	if _, err := apply(t, keep{K: 2, Window: 3, Grid: 5}, scores, graph.NewTensor(graph.Float64, 1, 24)); err == nil || !strings.Contains(err.Error(), "want which tokens remain") {
		t.Errorf("error is %v", err)
	}
}
