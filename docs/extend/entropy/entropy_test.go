package main

import (
	"math"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/internal/cli"
)

func TestEntropy(t *testing.T) {
	of := func(tau float64) func(*graph.Scope, []*graph.Node) *graph.Node {
		return func(_ *graph.Scope, in []*graph.Node) *graph.Node { return entropy(in[0], in[1], tau) }
	}
	optest.Check(t, optest.Case{
		Name: "any", Inputs: []optest.Input{optest.Normal(2, 5, 3), optest.Normal(4, 3)}, Build: of(3),
	})
	// Between two opposite texts: a token along one is sure, a token across is not.
	p := 1 / (1 + math.Exp(-4))
	optest.Check(t, optest.Case{
		Name:   "two classes",
		Inputs: []optest.Input{optest.Floats([]float64{7, 0, 0, 2}, 1, 2, 2), optest.Floats([]float64{1, 0, -1, 0}, 2, 2)},
		Build:  of(2),
		Want:   []float64{-p*math.Log(p) - (1-p)*math.Log(1-p), math.Log(2)},
	})
}

// TestRun trains and tests with the activation, from the command line.
func TestRun(t *testing.T) {
	args := []string{"run", "entropy.yaml", "--quiet", "out=" + t.TempDir(), "seed=1",
		"data.classes=4", "data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}
	if code := cli.Main(args); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
