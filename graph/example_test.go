package graph_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
)

// A graph is declared, differentiated, compiled and run: one Run of a program with
// updates is one training step. Here w learns to be 3.
func Example() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	w := s.Var("w", graph.Trainable, graph.Fill(1), 1)
	loss := layers.SumAll(layers.Square(layers.Shift(w, -3)))

	grads, err := s.Grad(loss, s.Trainables())
	if err != nil {
		fmt.Println(err)
		return
	}
	step := graph.Update{Var: s.Find("w"), Value: layers.Sub(w, layers.Scale(grads[0], .25))}
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss}, step)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		if err := p.Run(context.Background(), nil); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("loss", p.Output("loss").F32[0], "then w is", s.Find("w").Value.F32[0])
	}
	// Output:
	// loss 4 then w is 2
	// loss 1 then w is 2.5
	// loss 0.25 then w is 2.75
}

// Building a graph panics with an *Error that names the op and its operands; Try
// makes it an error where a package ends.
func ExampleTry() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	err := graph.Try(func() {
		x := s.Input("x", graph.Float32, 2, 3)
		w := s.Sub("head").Var("weight", graph.Frozen, graph.Zeros, 4, 5)
		defer s.Sub("head").Enter()()
		layers.Linear(x, w, nil)
	})
	var mistake *graph.Error
	if errors.As(err, &mistake) {
		fmt.Println(mistake.Op, "in", mistake.Layer, "of", mistake.In)
	}
	// Output:
	// linear in head of [(2, 3) (4, 5)]
}

// Every input is fed by its name.
func ExampleProgram_Run() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	x := s.Input("x", graph.Float32, 2, 2)
	p, err := s.Compile(cpu.NewPool(2), map[string]*graph.Node{"y": layers.Scale(x, 10)})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = p.Run(context.Background(), map[string]graph.Tensor{"x": graph.Floats([]float32{1, 2, 3, 4}, 2, 2)})
	fmt.Println(p.Output("y").F32, err)
	err = p.Run(context.Background(), nil)
	fmt.Println(strings.Contains(err.Error(), "x was not fed"))
	// Output:
	// [10 20 30 40] <nil>
	// true
}

// A summary counts what a program does, layer by layer.
func ExampleProgram_WriteSummary() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	x := s.Input("x", graph.Float32, 8, 16)
	head := s.Sub("head")
	w := head.Var("weight", graph.Trainable, graph.Normal(1, .02), 4, 16)
	leave := head.Enter()
	y := layers.Softmax(layers.Linear(x, w, nil))
	leave()
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"y": y})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.WriteSummary(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// layer  shape  ops  trainable  frozen  state  MFLOP
	// head   [8 4]  2    64         0       0      0.0
	// total         2                              0.0
}

// Names are paths: a model's variables form a tree.
func ExampleScope_Var() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	block := s.Sub("visual").Sub("block").Sub("3")
	block.Var("weight", graph.Trainable, graph.Zeros, 4, 4)
	block.Var("mean", graph.State, graph.Zeros, 4)
	for _, v := range s.Variables() {
		fmt.Println(v.Name, v.Kind, v.Type.Shape)
	}
	// Output:
	// visual.block.3.weight trainable (4, 4)
	// visual.block.3.mean state (4)
}
