package graph_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

type Node = graph.Node

func newScope() *graph.Scope { return graph.New(graph.NewStore(nil), graph.Float32) }

func compile(t *testing.T, s *graph.Scope, outputs map[string]*Node, updates ...graph.Update) *graph.Program {
	t.Helper()
	p, err := s.Compile(cpu.NewPool(1), outputs, updates...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, p *graph.Program, feeds map[string]graph.Tensor) {
	t.Helper()
	if err := p.Run(context.Background(), feeds); err != nil {
		t.Fatal(err)
	}
}

// says checks that err has all the words; with none, that there is no error.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one that says %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func wantValues(t *testing.T, what string, got []float32, want ...float32) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// vector declares a trainable vector.
func vector(s *graph.Scope, name string, values ...float32) *Node {
	return s.Var(name, graph.Trainable, graph.Values(values), len(values))
}

// probe is x+1, but calls a function on the way, which may fail.
type probe struct {
	graph.NoGrad
	ID string
}

var errProbe = errors.New("out of luck")

// hooks are what the probes call, by ID.
var hooks = map[string]func() error{}

func hook(t *testing.T, f func() error) probe {
	hooks[t.Name()] = f
	t.Cleanup(func() { delete(hooks, t.Name()) })
	return probe{ID: t.Name()}
}

// counter is a probe that counts its runs.
func counter(t *testing.T) (probe, *atomic.Int64) {
	n := new(atomic.Int64)
	return hook(t, func() error { n.Add(1); return nil }), n
}

func (probe) Name() string                              { return "probe" }
func (probe) Infer(in []graph.Type) (graph.Type, error) { return in[0], nil }
func (o probe) Run(_ *graph.Ctx, out graph.Tensor, in []graph.Tensor) error {
	if err := hooks[o.ID](); err != nil {
		return err
	}
	for i, v := range in[0].F32 {
		out.F32[i] = v + 1
	}
	return nil
}
