package optest

import (
	"context"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
	"spotlighter/graph/cuda/interp"
)

// recording says that the environment asks for the jobs of all cases: then nothing
// but the CUDA kernels is checked.
func recording() bool {
	r, err := interp.Recording()
	return r != nil || err != nil
}

// kernels runs every op of the graph by its CUDA kernels, on the interpreter.
func (c Case) kernels(t *testing.T) {
	t.Helper()
	d := &interp.Device{Host: func(op graph.Op) bool {
		switch op.(type) {
		case dot, times:
			return true
		}
		return false
	}}
	if recording() {
		r, err := interp.Recording()
		if err != nil {
			t.Fatal(err)
		}
		d.Record = func(j *interp.Job) error {
			j.Name = t.Name() + ": " + j.Name
			return r.Record(j)
		}
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
	c.ended(t, "CUDA kernels", p.Run(context.Background(), b.feeds))
}
