package main

import (
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/internal/cli"
	"spotlighter/spotlight"
)

const stock = "a constant is bound by the program alone"

func TestZipf(t *testing.T) {
	build := func(s *graph.Scope, in []*graph.Node) *graph.Node { return zipf(in[0], in[1], s) }
	optest.Check(t, optest.Case{
		Name: "any", Inputs: []optest.Input{optest.Normal(3, 5), optest.Normal(1)}, Build: build, SkipStock: stock,
	})
	optest.Check(t, optest.Case{
		Name:      "squares, of equal scores",
		Inputs:    []optest.Input{optest.Floats([]float64{1, 1, 1}, 1, 3), optest.Floats([]float64{2}, 1)},
		Build:     build,
		Want:      []float64{36. / 49, 9. / 49, 4. / 49},
		SkipStock: stock,
	})
}

// TestWeighting: at the start it is the method's own, and each level sums to 1.
func TestWeighting(t *testing.T) {
	e := math.Exp(.3)
	optest.Check(t, optest.Case{
		Name:   "two levels",
		Inputs: []optest.Input{optest.Floats([]float64{2, 1, 1, 1, 0}, 1, 5)},
		Build: func(s *graph.Scope, in []*graph.Node) *graph.Node {
			return weighting(spotlight.Ranking{Scope: s, Score: in[0], Levels: []spotlight.Level{{Lo: 0, Hi: 3}, {Lo: 3, Hi: 5}}})
		},
		Want:      []float64{e / (e + 2), 1 / (e + 2), 1 / (e + 2), e / (e + 1), 1 / (e + 1)},
		SkipStock: stock,
	})
}

// TestRun trains and tests with the weighting, from the command line.
func TestRun(t *testing.T) {
	args := []string{"run", "zipf.yaml", "--quiet", "out=" + t.TempDir(), "seed=1",
		"data.classes=4", "data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}
	if code := cli.Main(args); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
