package optest

import (
	"context"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda/interp"
)

// kernels runs every op of the graph by its CUDA kernels, on the interpreter.
func (c Case) kernels(t *testing.T) {
	t.Helper()
	c.On(t, &interp.Device{})
}

// On runs the case, in Float32, on a device that compares each op by itself.
func (c Case) On(t *testing.T, d *interp.Device) {
	t.Helper()
	d.Host = func(op graph.Op) bool {
		switch op.(type) {
		case dot, times:
			return true
		}
		return false
	}
	b := c.build(t, graph.Float32)
	b.store.On(d)
	outputs := map[string]*graph.Node{"out": b.out}
	for i, g := range b.grads {
		outputs[name(i)] = g
	}
	p, err := b.scope.Compile(cpu.NewPool(1), outputs)
	if err != nil {
		t.Fatalf("compile for CUDA: %v", err)
	}
	if err := p.Run(context.Background(), b.feeds); err != nil {
		t.Errorf("CUDA kernels: %v", err)
	}
}
