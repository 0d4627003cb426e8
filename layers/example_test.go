package layers_test

import (
	"context"
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// show runs a graph without inputs and prints the rows of its result.
func show(s *graph.Scope, out *layers.Node) {
	p, err := s.Compile(cpu.NewPool(1), map[string]*layers.Node{"out": out})
	if err == nil {
		err = p.Run(context.Background(), nil)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	y := p.Output("out")
	n := y.Shape[len(y.Shape)-1]
	for i := 0; i < y.Len(); i += n {
		if y.Dtype == graph.Int {
			fmt.Println(y.Int[i : i+n])
		} else {
			fmt.Printf("%.3f\n", y.F32[i:i+n])
		}
	}
}

func newGraph() *graph.Scope { return graph.New(graph.NewStore(nil), graph.Float32) }

// Operations are functions of nodes; a program runs them.
func Example() {
	s := newGraph()
	x := s.Const(graph.Floats([]float32{3, 4, 0, 5}, 2, 2))
	text := s.Const(graph.Floats([]float32{1, 0, 0, 1}, 2, 2))
	cosines := layers.MatMul(layers.L2Normalize(x, 0), text, false, true)
	show(s, layers.Softmax(layers.Scale(cosines, 10)))
	// Output:
	// [0.119 0.881]
	// [0.000 1.000]
}

// The logits of a row may lie as far apart as they like.
func ExampleSoftmax() {
	s := newGraph()
	show(s, layers.Softmax(s.Const(graph.Floats([]float32{1000, 1000, -1000, 0, 0, 0}, 2, 3))))
	// Output:
	// [0.500 0.500 0.000]
	// [0.333 0.333 0.333]
}

func ExampleLayerNorm() {
	s := newGraph()
	x := s.Const(graph.Floats([]float32{1, 2, 3, 10, 20, 30}, 2, 3))
	gamma, beta := s.Const(graph.Floats([]float32{1, 1, 1}, 3)), s.Const(graph.Floats([]float32{0, 0, 1}, 3))
	show(s, layers.LayerNorm(x, gamma, beta, layers.Eps))
	// Output:
	// [-1.225 0.000 2.225]
	// [-1.225 0.000 2.225]
}

// The best tokens of each image, and what they hold.
func ExampleTopK() {
	s := newGraph()
	score := s.Const(graph.Floats([]float32{.1, .9, .5, .7, .2, .7}, 2, 3)) // two images of three tokens
	tokens := s.Const(graph.Floats([]float32{1, 2, 3, 4, 5, 6}, 2, 3, 1))
	best := layers.TopK(score, 2)
	show(s, best)
	show(s, layers.Reshape(layers.Gather(tokens, best), 2, 2))
	// Output:
	// [1 2]
	// [0 2]
	// [2.000 3.000]
	// [4.000 6.000]
}

func ExampleCrossEntropy() {
	s := newGraph()
	logits := s.Const(graph.Floats([]float32{0, 0, 20, 0}, 2, 2))
	loss := layers.CrossEntropy(logits, s.Const(graph.Ints([]int{1, 0}, 2))) // mean of ln 2 and 0
	show(s, layers.Reshape(loss, 1))
	// Output:
	// [0.347]
}

// A layer declares its variables under a scope; a checkpoint finds them by name.
func ExampleNewBlock() {
	s := newGraph()
	w := layers.Weights{Kind: graph.Frozen, Seed: 1, Init: true}
	b := layers.NewBlock(s.Sub("block"), w, layers.BlockConfig{Width: 8, Heads: 2, Hidden: 32, Layers: 12})
	x := s.Input("x", graph.Float32, 4, 10, 8) // four images of ten tokens
	out, qkv := b.Forward(x, false)
	fmt.Println(layers.ShapeOf(out), layers.ShapeOf(qkv))
	fmt.Println(s.Variables()[4].Name, s.Variables()[4].Type.Shape)
	// Output:
	// (4, 10, 8) (4, 10, 24)
	// block.attn.in_proj_weight (24, 8)
}
