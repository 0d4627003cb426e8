package optim_test

import (
	"context"
	"fmt"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/layers"
	"spotlighter/optim"
)

// Step makes the updates of a training step; a program that has them trains.
func ExampleStep() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	w := s.Var("w", graph.Trainable, graph.Fill(1), 1)
	lr := s.Input("lr", graph.Float32)
	loss := layers.SumAll(layers.Square(w))
	updates, err := optim.Step(s.Sub("optim"), loss, lr, optim.Group{Optimizer: optim.SGD{Momentum: .5}, LRScale: 1, Vars: s.Trainables()})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"loss": loss}, updates...)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		if err := p.Run(context.Background(), map[string]graph.Tensor{"lr": graph.Floats([]float32{.25})}); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Store().Find("w").Value.F32[0], s.Store().Find("optim.w.velocity").Value.F32[0])
	}
	// Output:
	// 0.5 2
	// 0 2
	// -0.25 1
}

// A schedule is a function of the epoch and nothing else.
func ExampleCosine() {
	schedule := optim.Cosine{LR: .002, Epochs: 20, Warmup: 1, WarmupLR: 1e-5}
	for _, e := range []int{0, 1, 11, 19} {
		fmt.Printf("%d %.6f\n", e, schedule.At(float64(e)))
	}
	// Output:
	// 0 0.000010
	// 1 0.002000
	// 11 0.001000
	// 19 0.000049
}

// Gradients of length 5 are cut to length 1.
func ExampleClipNorm() {
	s := graph.New(graph.NewStore(nil), graph.Float32)
	grads := []*graph.Node{s.Const(graph.Floats([]float32{3, 0}, 2)), s.Const(graph.Floats([]float32{4}, 1))}
	clipped := optim.ClipNorm(grads, 1)
	p, err := s.Compile(cpu.NewPool(1), map[string]*graph.Node{"a": clipped[0], "b": clipped[1]})
	if err == nil {
		err = p.Run(context.Background(), nil)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f %.3f\n", p.Output("a").F32, p.Output("b").F32)
	// Output:
	// [0.600 0.000] [0.800]
}
