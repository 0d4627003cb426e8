package onnx_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/onnx"
	"spotlighter/layers"
)

type Node = graph.Node

// compiled is a program of images x [B, 60] and a variable w [4, 60] of some values.
func compiled(t *testing.T, batch int, build func(s *graph.Scope, x, w *Node) *Node, updates ...graph.Update) *graph.Program {
	t.Helper()
	s := graph.New(graph.NewStore(nil), graph.Float32)
	outputs := map[string]*Node{}
	err := graph.Try(func() {
		x, w := s.Input("x", s.Dtype(), batch, 60), s.Sub("some").Var("w", graph.State, graph.Normal(1, 1), 4, 60)
		outputs["y"] = build(s, x, w)
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(cpu.NewPool(1), outputs, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open exports a program for any batch.
func open(t *testing.T, build func(s *graph.Scope, x, w *Node) *Node) (*onnx.Model, error) {
	t.Helper()
	return onnx.Export(compiled(t, 11, build), compiled(t, 13, build))
}

// mixture has shapes and constants that depend on the batch in each way that there is.
func mixture(s *graph.Scope, x, w *Node) *Node {
	b := layers.ShapeOf(x)[0]
	rows := layers.Linear(x, w, nil)                                              // [B, 4]
	row := layers.Broadcast(layers.Reshape(w, 1, 4, 60), b, 4, 60)                // [B, 4, 60]
	row = layers.Reshape(layers.Add(row, layers.Reshape(rows, b, 4, 1)), 4*b, 60) // [4B, 60]
	weights := graph.NewTensor(graph.Float32, 4*b, 1)                             // the same for each item
	at := graph.NewTensor(graph.Int, b, 2)
	for i := range weights.F32 {
		weights.F32[i] = float32(i % 4)
	}
	for i := range at.Int {
		at.Int[i] = 3 - 2*(i%2)
	}
	row = layers.Reshape(layers.Mul(row, s.Const(weights)), b, 4, 60)
	some := layers.Gather(row, s.Const(at))                                                        // [B, 2, 60]
	best := layers.TopK(layers.StopGradient(layers.Reshape(some, b, 120)), 2)                      // [B, 2]
	return layers.Scatter(layers.Broadcast(layers.Reshape(some, b, 1, 120), b, 2, 120), best, 120) // [B, 120, 120]
}

// A model of any batch is kept for .ci/onnx, with a run of 5 items; and so is one
// whose weights are in a second file.
func TestAnyBatch(t *testing.T) {
	root := os.Getenv("SPOTLIGHTER_ONNX")
	if root == "" {
		root = t.TempDir()
	}
	m, err := open(t, mixture)
	if err != nil {
		t.Fatal(err)
	}
	p := compiled(t, 5, mixture)
	feeds := p.Feeds()
	for i := range feeds["x"].F32 {
		feeds["x"].F32[i] = float32(i%7) - 2.5
	}
	if err := p.Run(t.Context(), feeds); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name  string
		limit int
		files []string
	}{
		{"whole", 1 << 20, []string{"model.onnx"}},
		{"outside", 4000, []string{"model.onnx", "model.onnx.data"}},
	} {
		dir := filepath.Join(root, "onnx", x.name)
		if err := m.SaveTestData(dir, feeds, p); err != nil {
			t.Fatal(err)
		}
		onnx.Limit(t, x.limit)
		written, err := m.Save(filepath.Join(dir, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range written {
			written[i] = filepath.Base(written[i])
		}
		if got, want := strings.Join(written, " "), strings.Join(x.files, " "); got != want {
			t.Errorf("%s: wrote %s, want %s", x.name, got, want)
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "onnx", "outside", "model.onnx.data"))
	if err != nil || len(data) != 4*4*60 {
		t.Errorf("%d bytes of weights, %v", len(data), err)
	}
	onnx.Limit(t, 1000)
	if _, err := m.Save(filepath.Join(t.TempDir(), "model.onnx")); err == nil || !strings.Contains(err.Error(), "ONNX files hold 1000 bytes, without its weights this model has") {
		t.Errorf("too large even so: %v", err)
	}
}

// The same program gives the same bytes.
func TestSameBytes(t *testing.T) {
	var first []byte
	for range 2 {
		m, err := open(t, mixture)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "model.onnx")
		if _, err := m.Save(path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(got, first) {
			t.Error("other bytes")
		}
		first = got
	}
}

// own is an op without a form.
type own struct{ graph.NoGrad }

func (own) Name() string                                               { return "my own" }
func (own) Infer(in []graph.Type) (graph.Type, error)                  { return in[0], nil }
func (own) Run(_ *graph.Ctx, out graph.Tensor, _ []graph.Tensor) error { return nil }

func TestWhatCannotBeExported(t *testing.T) {
	for _, x := range []struct {
		name, want string
		fixed      bool // a fixed batch can be
		build      func(s *graph.Scope, x, w *Node) *Node
	}{
		{"no form", "onnx: here.there/my-own: op my own has no form in ONNX", false, func(s *graph.Scope, x, _ *Node) *Node {
			defer s.Sub("here").Sub("there").Enter()()
			return graph.Apply(own{}, x)
		}},
		{"mean over the batch", "onnx: scale: it depends on the number of items beyond its shapes: only a fixed batch can be exported", true, func(_ *graph.Scope, x, _ *Node) *Node { return layers.Mean(x, 0) }},
		{"constant", "onnx: add: constant of shape [11 60]: it depends", true, func(s *graph.Scope, x, _ *Node) *Node {
			c := graph.NewTensor(graph.Float32, layers.ShapeOf(x)...)
			c.F32[0] = 1
			return layers.Add(x, s.Const(c))
		}},
		{"two axes", "onnx: sum: shape [-1 1 -1] has the batch in 2 axes: it depends", true, func(_ *graph.Scope, x, _ *Node) *Node {
			b := layers.ShapeOf(x)[0]
			return layers.Sum(layers.Reshape(layers.MatMul(x, x, false, true), b, 1, b), 1)
		}},
		{"half", "onnx: slice: axis 0 is 5 for 11 items and 6 for 13", true, func(_ *graph.Scope, x, _ *Node) *Node {
			return layers.Slice(x, 0, 0, layers.ShapeOf(x)[0]/2)
		}},
		{"other ops", "onnx: another number of items has other ops", true, func(_ *graph.Scope, x, _ *Node) *Node {
			for range layers.ShapeOf(x)[0] {
				x = layers.Exp(x)
			}
			return x
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if _, err := open(t, x.build); err == nil || !strings.HasPrefix(err.Error(), x.want) || errors.Is(err, onnx.ErrFixed) != x.fixed {
				t.Errorf("error is %v, want one that begins %q", err, x.want)
			}
			if _, err := onnx.Export(compiled(t, 11, x.build), nil); (err == nil) != x.fixed {
				t.Errorf("with a fixed batch: %v", err)
			}
		})
	}
}

// What trains is refused, and so are Float64 and a name that is an input's and an
// output's.
func TestPrograms(t *testing.T) {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	w := s.Var("w", graph.State, graph.Zeros, 2)
	p, err := s.Compile(cpu.NewPool(1), nil, graph.Update{Var: s.Find("w"), Value: layers.Exp(w)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Export(p, nil); err == nil || err.Error() != "onnx: the program updates w: what trains is not exported" {
		t.Error(err)
	}
	s = graph.New(graph.NewStore(nil), graph.Float64)
	if p, err = s.Compile(cpu.NewPool(1), map[string]*Node{"y": layers.Exp(s.Input("x", graph.Float64, 2))}); err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Export(p, nil); err == nil || err.Error() != "onnx: input x: floats are float64, want float32" {
		t.Error(err)
	}
	s = graph.New(graph.NewStore(nil), graph.Float32)
	if p, err = s.Compile(cpu.NewPool(1), map[string]*Node{"x": layers.Exp(s.Input("x", graph.Float32, 2))}); err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Export(p, nil); err == nil || err.Error() != "onnx: input x: an output has its name" {
		t.Error(err)
	}
}
