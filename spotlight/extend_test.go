package spotlight

import (
	"slices"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/internal/fixture"
	"spotlighter/layers"
)

func init() {
	RegisterActivation("test-same", func(s Sight) *Node { return s.Score })
	RegisterActivation("test-length", func(s Sight) *Node {
		share := s.Scope.Var("share", graph.Trainable, graph.Fill(.5))
		length := layers.Sum(layers.Square(s.Tokens), 2) // [B, N]
		return layers.Add(s.Score, layers.Mul(s.Spread(length), share))
	})
	RegisterActivation("test-nothing", func(Sight) *Node { return nil })
	RegisterWeighting("test-even", func(r Ranking) *Node {
		var w []*Node
		for _, l := range r.Levels {
			score := layers.Slice(r.Score, 1, l.Lo, l.Hi)
			w = append(w, layers.Shift(layers.Scale(score, 0), 1/float64(l.Size())))
		}
		return layers.Concat(1, w...)
	})
	RegisterWeighting("test-column", func(r Ranking) *Node { return layers.Slice(r.Score, 1, 0, 1) })
}

// TestRegisteredActivation: one that returns the method's own score changes no
// bit, in either mode; one with a variable of its own trains it.
func TestRegisteredActivation(t *testing.T) {
	for _, candidates := range []int{1, 3} {
		c := oneReading()
		c.Candidates = candidates
		want := newToy(t, c, graph.Float32).run()
		c.Activation = "test-same"
		got := newToy(t, c, graph.Float32).run()
		for name := range want {
			if !slices.Equal(got[name].F32, want[name].F32) || !slices.Equal(got[name].Int, want[name].Int) {
				t.Errorf("candidates %d: %s differs", candidates, name)
			}
		}
		c.Activation = "test-length"
		x := newToy(t, c, graph.Float32)
		before := x.state("activation.share").Value.F32[0]
		if out := x.run(); slices.Equal(out["score"].F32, want["score"].F32) {
			t.Errorf("candidates %d: the score is what it was", candidates)
		}
		if x.state("activation.share").Value.F32[0] == before {
			t.Errorf("candidates %d: the activation's variable does not learn", candidates)
		}
	}
}

func TestRegisteredWeighting(t *testing.T) {
	c := oneReading()
	c.Weighting = "test-even"
	x := newToy(t, c, graph.Float32)
	even := graph.NewTensor(graph.Float32, toyImages, c.Keep)
	for i := range even.F32 {
		even.F32[i] = 1. / 3
		if i%c.Keep >= c.Level1 {
			even.F32[i] = 1. / 2
		}
	}
	fixture.Near(t, "weights", x.run()["weight"], even, 1e-6)
	if x.state("rho") != nil {
		t.Error("rho is declared, and nothing reads it")
	}
}

func TestRegisteredMistakes(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Activation = "test-nothing" }, "spotlight.activation test-nothing: returned nothing, want (3, 16)"},
		{func(c *Config) { c.Weighting = "test-column" }, "spotlight.weighting test-column: returned (3, 1), want (3, 5)"},
	} {
		cfg := oneReading()
		c.change(&cfg)
		err := graph.Try(func() { newToy(t, cfg, graph.Float32) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
	c := Default()
	c.Weighting = "even"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `spotlight.weighting: "even" is none of softmax, test-column, test-even`) {
		t.Errorf("a weighting that is not registered: %v", err)
	}
	for _, name := range []string{"test-even", Softmax, ""} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("weighting %q was registered", name)
				}
			}()
			RegisterWeighting(name, nil)
		}()
	}
}
