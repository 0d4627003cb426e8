package graph_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/graph"
	"spotlighter/layers"
	"spotlighter/vit"
)

var update = flag.Bool("update", false, "write golden files anew")

// careless is an op whose Infer does not check its operand.
type careless struct{ graph.NoGrad }

func (careless) Name() string { return "careless" }
func (careless) Infer(in []graph.Type) (graph.Type, error) {
	return graph.Type{Shape: in[0].Shape[2:3], Dtype: in[0].Dtype}, nil
}
func (careless) Run(*graph.Ctx, graph.Tensor, []graph.Tensor) error { return nil }

// bent is an op whose gradient has another shape than its operand.
type bent struct{}

func (bent) Name() string                                             { return "bent" }
func (bent) Infer(in []graph.Type) (graph.Type, error)                { return in[0], nil }
func (bent) Grad(in []*Node, _, dout *Node) []*Node                   { return []*Node{layers.Sum(dout, 0)} }
func (bent) Run(_ *graph.Ctx, _ graph.Tensor, _ []graph.Tensor) error { return nil }

// mistakes are what people get wrong while they build a graph.
var mistakes = []struct {
	name  string
	build func(s *graph.Scope)
}{
	{"the weight of a layer the other way round", func(s *graph.Scope) {
		mlp := s.Sub("visual").Sub("block").Sub("3").Sub("mlp")
		defer mlp.Enter()()
		layers.Linear(s.Input("x", graph.Float32, 8, 197, 768), mlp.Var("weight", graph.Frozen, graph.Zeros, 768, 3072), nil)
	}},
	{"a bias of the width before", func(s *graph.Scope) {
		mlp := s.Sub("mlp")
		defer mlp.Enter()()
		layers.Linear(s.Input("x", graph.Float32, 8, 768), mlp.Var("weight", graph.Frozen, graph.Zeros, 3072, 768), mlp.Var("bias", graph.Frozen, graph.Zeros, 768))
	}},
	{"inner sizes of a product", func(s *graph.Scope) {
		layers.MatMul(s.Input("x", graph.Float32, 4, 512), s.Input("text", graph.Float32, 10, 512), false, false)
	}},
	{"batches of different sizes", func(s *graph.Scope) {
		layers.MatMul(s.Input("x", graph.Float32, 4, 5, 6), s.Input("y", graph.Float32, 3, 6, 5), false, false)
	}},
	{"shapes that do not broadcast", func(s *graph.Scope) {
		defer s.Sub("spotlight").Enter()()
		layers.Mul(s.Input("tokens", graph.Float32, 4, 196, 512), s.Input("score", graph.Float32, 4, 196))
	}},
	{"heads that do not divide the width", func(s *graph.Scope) {
		layers.Attention(s.Input("qkv", graph.Float32, 2, 50, 3*100), 12, false)
	}},
	{"the heads of what is not packed", func(s *graph.Scope) {
		layers.SplitHeads(s.Input("q", graph.Float32, 50, 768), 0, 12)
	}},
	{"labels as floats", func(s *graph.Scope) {
		layers.CrossEntropy(s.Input("logits", graph.Float32, 4, 10), s.Input("labels", graph.Float32, 4))
	}},
	{"labels of another batch", func(s *graph.Scope) {
		layers.CrossEntropy(s.Input("logits", graph.Float32, 4, 10), s.Input("labels", graph.Int, 5))
	}},
	{"indices in arithmetic", func(s *graph.Scope) {
		layers.Add(s.Input("x", graph.Float32, 4), s.Input("index", graph.Int, 4))
	}},
	{"two float types", func(s *graph.Scope) {
		layers.Add(s.Input("x", graph.Float32, 4), s.Input("y", graph.Float64, 4))
	}},
	{"more tokens than there are", func(s *graph.Scope) {
		defer s.Sub("spotlight").Enter()()
		layers.TopK(s.Input("score", graph.Float32, 4, 9), 12)
	}},
	{"a reshape that does not fit", func(s *graph.Scope) {
		layers.Reshape(s.Input("x", graph.Float32, 4, 196, 512), 4, 14, 15, 512)
	}},
	{"two free sizes", func(s *graph.Scope) {
		layers.Reshape(s.Input("x", graph.Float32, 4, 6), -1, -1)
	}},
	{"an order of other axes", func(s *graph.Scope) {
		layers.Transpose(s.Input("x", graph.Float32, 4, 6, 2), 1, 0)
	}},
	{"an axis that is not there", func(s *graph.Scope) {
		layers.Mean(s.Input("x", graph.Float32, 4, 6), 2)
	}},
	{"a slice beyond the end", func(s *graph.Scope) {
		layers.Slice(s.Input("x", graph.Float32, 4, 6), 1, 3, 9)
	}},
	{"parts that are not alike", func(s *graph.Scope) {
		layers.Concat(1, s.Input("class", graph.Float32, 4, 1, 768), s.Input("patches", graph.Float32, 4, 196, 512))
	}},
	{"a norm of another width", func(s *graph.Scope) {
		n := layers.NewNorm(s.Sub("visual").Sub("ln_post"), layers.Weights{}, 768)
		n.Forward(s.Input("x", graph.Float32, 4, 512))
	}},
	{"a block of another width", func(s *graph.Scope) {
		b := layers.NewBlock(s.Sub("visual").Sub("block"), layers.Weights{}, layers.BlockConfig{Width: 64, Heads: 4})
		b.Forward(s.Input("x", graph.Float32, 2, 5, 32), false)
	}},
	{"images of another size", func(s *graph.Scope) {
		e := vit.New(s.Sub("visual"), layers.Weights{}, vit.Config{ImageSize: 32, PatchSize: 8, Width: 16, Layers: 1, Heads: 2, Embed: 8})
		e.Forward(s.Input("images", graph.Float32, 2, 3, 64, 64))
	}},
	{"an operand that was never made", func(s *graph.Scope) {
		var bias *Node
		layers.Add(s.Input("x", graph.Float32, 4), bias)
	}},
	{"a node of another graph", func(s *graph.Scope) {
		graph.Apply(bent{}, s.Input("x", graph.Float32, 4), newScope().Input("y", graph.Float32, 4))
	}},
	{"an Infer that checks nothing", func(s *graph.Scope) {
		defer s.Sub("head").Enter()()
		graph.Apply(careless{}, s.Input("x", graph.Float32, 4, 6))
	}},
	{"a gradient of another shape", func(s *graph.Scope) {
		defer s.Sub("head").Enter()()
		x := s.Var("x", graph.Trainable, graph.Zeros, 4, 6)
		if _, err := s.Grad(layers.SumAll(graph.Apply(bent{}, x)), s.Trainables()); err != nil {
			panic(err)
		}
	}},
	{"a variable that the loss does not reach", func(s *graph.Scope) {
		x := s.Var("x", graph.Trainable, graph.Zeros, 4, 6)
		s.Var("unused", graph.Trainable, graph.Zeros, 6)
		if _, err := s.Grad(layers.SumAll(x), s.Trainables()); err != nil {
			panic(err)
		}
	}},
	{"a variable in two shapes", func(s *graph.Scope) {
		s.Sub("head").Var("weight", graph.Trainable, graph.Zeros, 4, 6)
		s.Sub("head").Var("weight", graph.Trainable, graph.Zeros, 6, 4)
	}},
	{"an input declared twice", func(s *graph.Scope) {
		s.Input("images", graph.Float32, 4)
		s.Input("images", graph.Float32, 4)
	}},
}

// What each mistake is told as is testdata/mistakes.txt, line for line. After a
// change that is meant: go test ./graph -run Mistakes -update
func TestMistakes(t *testing.T) {
	var b strings.Builder
	for _, m := range mistakes {
		err := graph.Try(func() { m.build(newScope()) })
		var e *graph.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error is %v, want an *Error", m.name, err)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", m.name, err)
		}
		fmt.Fprintf(&b, "%s\n    %v\n", m.name, err)
	}
	golden := filepath.Join("testdata", "mistakes.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("messages are\n%s\nwant\n%s", b.String(), want)
	}
}
