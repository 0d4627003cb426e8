package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments"
	"spotlighter/graph"
	"spotlighter/graph/optest"
	"spotlighter/internal/cli"
	"spotlighter/internal/weights"
)

// TestAdapt: by hand, and its gradients through both factors.
func TestAdapt(t *testing.T) {
	m := lora{settings: settings{Rank: 1, Alpha: 2}}
	m.Seed = 1
	optest.Check(t, optest.Case{
		Name: "start", Inputs: []optest.Input{optest.Normal(9, 3)},
		Build:     func(s *graph.Scope, in []*graph.Node) *graph.Node { return m.adapt(s.Sub("lora"), in[0]) },
		SkipStock: "the method's own variables are not bound there",
	})
	// Queries get 2 b_q a_q, keys nothing, values 2 b_v a_v.
	optest.Check(t, optest.Case{
		Name: "rank 1", Inputs: []optest.Input{optest.Floats(make([]float64, 12), 6, 2)},
		Build: func(s *graph.Scope, in []*graph.Node) *graph.Node {
			q, v := s.Sub("lora").Sub("q"), s.Sub("lora").Sub("v")
			q.Var("a", graph.Trainable, graph.Values([]float32{1, 2}), 1, 2)
			q.Var("b", graph.Trainable, graph.Values([]float32{3, 4}), 2, 1)
			v.Var("a", graph.Trainable, graph.Values([]float32{5, 6}), 1, 2)
			v.Var("b", graph.Trainable, graph.Values([]float32{7, 8}), 2, 1)
			return m.adapt(s.Sub("lora"), in[0])
		},
		Want:      []float64{6, 12, 8, 16, 0, 0, 0, 0, 70, 84, 80, 96},
		SkipStock: "the method's own variables are not bound there",
	})
}

// small is a run that takes a second.
func small(out string, more ...string) []string {
	return append([]string{"run", "lora.yaml", "--quiet", "out=" + out, "method=lora", "seed=1", "train.lr=.002",
		"data.classes=4", "data.test_per_class=4", "shots=2", "train.epochs=2", "train.batch=4", "train.views=1"}, more...)
}

// ran runs with those arguments and opens what it left.
func ran(t *testing.T, args ...string) (result map[string]any, checkpoint *weights.File) {
	t.Helper()
	out := t.TempDir()
	if code := cli.Main(small(out, args...)); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	runs, err := filepath.Glob(filepath.Join(out, "lora-*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("runs %v, %v", runs, err)
	}
	text, err := os.ReadFile(filepath.Join(runs[0], "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	checkpoint, err = weights.Open(filepath.Join(runs[0], "checkpoint.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	return result, checkpoint
}

// TestRun trains, counts and saves, from the command line: in every block both
// factors of queries and values, and B no longer the 0 that it starts as.
func TestRun(t *testing.T) {
	result, checkpoint := ran(t)
	tensors, scalars := 0, 0
	for _, name := range checkpoint.Names() {
		i := strings.Index(name, section+".")
		if i < 0 || strings.Contains(name, "optim.") {
			continue
		}
		x, err := checkpoint.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors, scalars = tensors+1, scalars+len(x.Data)
		if !slices.ContainsFunc(x.Data, func(v float32) bool { return v != 0 }) {
			t.Errorf("%s was not trained", name)
		}
	}
	if result["trainable_tensors"] != float64(tensors) || result["trainable_scalars"] != float64(scalars) || tensors == 0 || tensors%4 != 0 {
		t.Errorf("saved %d tensors of %d scalars, counted %v of %v", tensors, scalars, result["trainable_tensors"], result["trainable_scalars"])
	}
	if twice, _ := ran(t, "lora.rank=4"); twice["trainable_scalars"] != float64(2*scalars) {
		t.Errorf("of rank 4: %v scalars, want twice %d", twice["trainable_scalars"], scalars)
	}
}

// TestRefused wants what cannot work refused by its key.
func TestRefused(t *testing.T) {
	for override, want := range map[string]string{
		"lora.rank=0":   "lora.rank: found 0, want at least 1",
		"lora.alpha=-1": "lora.alpha: found -1, want above 0",
		"lora.ranks=2":  "rank",
	} {
		_, err := experiments.Load("lora.yaml", []string{override})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", override, err, want)
		}
	}
}
