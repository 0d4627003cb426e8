package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/inspect"
	"spotlighter/layers"
)

type Node = graph.Node

func newScope() *graph.Scope { return graph.New(graph.NewStore(nil), graph.Float32) }

// runWatched compiles under watch and runs once.
func runWatched(t *testing.T, s *graph.Scope, w graph.Watcher, outputs map[string]*Node, feeds map[string]graph.Tensor, updates ...graph.Update) error {
	t.Helper()
	s.Watch(w)
	s.Called("step")
	p, err := s.Compile(cpu.NewPool(1), outputs, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p.Run(context.Background(), feeds)
}

func vector(s *graph.Scope, name string, values ...float32) *Node {
	return s.Var(name, graph.Trainable, graph.Values(values), len(values))
}

// says wants one line with all the words.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", words)
	}
	for _, w := range append(words, "") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has more than a line: %q", err)
	}
}

// The first op that makes NaN or infinity is named, with its operands, in each
// phase; nothing is said of healthy programs.
func TestNumerics(t *testing.T) {
	t.Run("forward", func(t *testing.T) {
		s := newScope()
		x := vector(s, "x", 1, -4, 9)
		leave := s.Sub("head").Enter()
		y := layers.Log(layers.Sqrt(layers.Scale(x, 2)))
		leave()
		err := runWatched(t, s, inspect.Numerics{}, map[string]*Node{"y": layers.SumAll(y)}, nil)
		says(t, err, "step: sqrt in head, node head/sqrt, forward: 1 NaN among 3 elements of [3], the first (NaN) at [1]", "head/scale", "[3] from -8 to 18")
	})
	t.Run("backward", func(t *testing.T) {
		s := newScope()
		x := vector(s, "x", 1, 0)
		loss := layers.SumAll(layers.Sqrt(x))
		grads, err := s.Grad(loss, s.Trainables())
		if err != nil {
			t.Fatal(err)
		}
		err = runWatched(t, s, inspect.Numerics{}, map[string]*Node{"loss": loss, "grad": grads[0]}, nil)
		says(t, err, "backward", "1 Inf among 2 elements", "at [1]", "node grad/")
	})
	t.Run("update", func(t *testing.T) {
		s := newScope()
		x := vector(s, "x", 1)
		grads, err := s.Grad(layers.SumAll(layers.Square(x)), s.Trainables())
		if err != nil {
			t.Fatal(err)
		}
		err = runWatched(t, s, inspect.Numerics{}, nil, nil, graph.Update{Var: s.Trainables()[0], Value: layers.Exp(layers.Scale(grads[0], 1000))})
		says(t, err, "update: 1 Inf", "node update/exp", "[1] from 2000 to 2000")
		if got := s.Trainables()[0].Value.F32[0]; got != 1 {
			t.Errorf("the variable is %v after a Run that failed, was 1", got)
		}
	})
	t.Run("input", func(t *testing.T) {
		s := newScope()
		y := layers.Exp(s.Input("x", graph.Float32, 2))
		nan := graph.Floats([]float32{0, 0}, 2)
		nan.F32[1] /= nan.F32[0]
		says(t, runWatched(t, s, inspect.Numerics{}, map[string]*Node{"y": y}, map[string]graph.Tensor{"x": nan}), "input x, before any op", "at [1]")
	})
	t.Run("healthy", func(t *testing.T) {
		s := newScope()
		y := layers.Softmax(vector(s, "x", 1, 2, 3000))
		if err := runWatched(t, s, inspect.Numerics{}, map[string]*Node{"y": y}, nil); err != nil {
			t.Error(err)
		}
	})
}

// dumped is a program whose every kind of value is written.
func dumped(t *testing.T) (dir string, d *inspect.Dump) {
	t.Helper()
	d, err := inspect.NewDump([]string{"head/*", "x", "labels", "score", "top", "grad/w"})
	if err != nil {
		t.Fatal(err)
	}
	d.Folder = t.TempDir()
	s := newScope()
	x, labels := s.Input("x", graph.Float32, 2, 3), s.Input("labels", graph.Int, 2)
	head := s.Sub("head")
	leave := head.Enter()
	w := s.Var("w", graph.Trainable, graph.Values([]float32{1, 2, 3, 4, 5, 6}), 2, 3)
	logits := layers.QuickGELU(layers.Linear(x, w, nil)) // fused when nobody looks
	leave()
	s.Label("score", logits)
	loss := layers.CrossEntropy(logits, labels)
	top := layers.TopK(logits, 1)
	if _, err := s.Grad(loss, s.Trainables()); err != nil {
		t.Fatal(err)
	}
	feeds := map[string]graph.Tensor{"x": graph.Floats([]float32{1, 0, 0, 0, 1, .5}, 2, 3), "labels": graph.Ints([]int{1, 0}, 2)}
	var grad *Node
	for _, v := range s.Trainables() {
		grad = s.Node(v).Deriv()
	}
	if err := runWatched(t, s, d, map[string]*Node{"loss": loss, "top": top, "g": grad}, feeds); err != nil {
		t.Fatal(err)
	}
	if err := d.Missing(); err != nil {
		t.Error(err)
	}
	return filepath.Join(d.Folder, "step"), d
}

// Intermediates, also those that fusing would have done away with, inputs, labels
// and gradients are written, and read back by another program's reader.
func TestDump(t *testing.T) {
	dir, d := dumped(t)
	var names []string
	for _, path := range d.Written {
		names = append(names, filepath.Base(path))
	}
	slices.Sort(names)
	want := []string{"grad__w.npy", "head__linear.npy", "head__quickgelu.npy", "labels.npy", "score.npy", "top.npy", "x.npy"}
	if !slices.Equal(names, want) {
		t.Fatalf("written are %q, want %q", names, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, "head__linear.npy"))
	if err != nil {
		t.Fatal(err)
	}
	if at := bytes.IndexByte(text, '\n') + 1; at%64 != 0 {
		t.Errorf("the data begin at byte %d, want a multiple of 64", at)
	}
	got := new(tensor.Dense)
	if err := got.ReadNpy(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Shape(), []int{2, 2}) || !slices.Equal(got.Float32s(), []float32{1, 4, 3.5, 8}) {
		t.Errorf("head/linear is %v %v, want [2 2] [1 4 3.5 8]", got.Shape(), got.Float32s())
	}
}

// NumPy reads every element type and shape. .ci/python says where Python is.
func TestDumpNumPy(t *testing.T) {
	python := os.Getenv("SPOTLIGHTER_PYTHON")
	if python == "" {
		t.Skip("SPOTLIGHTER_PYTHON names no Python with NumPy")
	}
	dir := t.TempDir()
	for name, x := range map[string]graph.Tensor{
		"scalar": graph.Floats([]float32{2.5}),
		"empty":  graph.NewTensor(graph.Float32, 0, 3),
		"cube":   graph.Floats([]float32{0, 1, 2, 3, 4, 5}, 1, 2, 3),
		"double": {Shape: graph.Shape{2}, Dtype: graph.Float64, F64: []float64{.1, -1e300}},
		"ints":   graph.Ints([]int{-7, 1 << 40}, 2),
	} {
		var b bytes.Buffer
		if err := inspect.WriteNPY(&b, x); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".npy"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "-c", `
import json, numpy, sys
print(json.dumps({n: [str(a.dtype), list(a.shape), a.tolist()] for n in ["scalar", "empty", "cube", "double", "ints"]
    for a in [numpy.load(sys.argv[1] + "/" + n + ".npy", allow_pickle=False)]}))`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got map[string][]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{
		"scalar": "[float32 [] 2.5]", "empty": "[float32 [0 3] []]", "cube": "[float32 [1 2 3] [[[0 1 2] [3 4 5]]]]",
		"double": "[float64 [2] [0.1 -1e+300]]", "ints": "[int64 [2] [-7 1.099511627776e+12]]",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s is %v, want %s", name, got[name], want)
		}
	}
}

func TestDumpOfNoNode(t *testing.T) {
	if _, err := inspect.NewDump([]string{"[a"}); err == nil {
		t.Error("a pattern that is none was taken")
	}
	d, err := inspect.NewDump([]string{"head.7/linear"})
	if err != nil {
		t.Fatal(err)
	}
	says(t, d.Missing(), "no program has run")
	d.Folder = t.TempDir()
	s := newScope()
	leave := s.Sub("head").Enter()
	y := layers.Exp(vector(s, "x", 1))
	leave()
	if err := runWatched(t, s, d, map[string]*Node{"y": y}, nil); err != nil {
		t.Fatal(err)
	}
	says(t, d.Missing(), `node "head.7/linear"`, "it has head/exp")
	if len(d.Written) > 0 {
		t.Errorf("written: %q", d.Written)
	}
}

// Names of nodes differ from each other and do not depend on what is compiled.
func TestNodeNames(t *testing.T) {
	s := newScope()
	x := vector(s, "x", 1, 2)
	a := layers.Exp(x)
	leave := s.Sub("block").Sub("0").Enter()
	b := layers.Exp(layers.Add(a, x))
	c := layers.Exp(b)
	leave()
	s.Watch(inspect.Numerics{})
	names := func(n *Node) (out []string) {
		p, err := s.Compile(cpu.NewPool(1), map[string]*Node{"out": n})
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range p.Steps() {
			out = append(out, st.Node)
		}
		return out
	}
	if got, want := names(c), []string{"exp", "block.0/add", "block.0/exp", "block.0/exp:2"}; !slices.Equal(got, want) {
		t.Errorf("nodes are %q, want %q", got, want)
	}
	if got, want := names(layers.Exp(a)), []string{"exp", "exp:2"}; !slices.Equal(got, want) {
		t.Errorf("nodes are %q, want %q", got, want)
	}
}
