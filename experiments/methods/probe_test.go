package methods

import (
	"context"
	"errors"
	"slices"
	"testing"

	"spotlighter/graph"
	"spotlighter/graph/cpu"
)

func (r reference) probeSupport() Support {
	return Support{Plain: r.Tensor("images"), Labels: r.Ints("labels").Int}
}

// Loss and gradient at a place, and the minimum, of an independent reference.
func TestProbeReference(t *testing.T) {
	r := openReference(t, "probe")
	p, err := newObjective(r.pool, 4, 3, r.probeSupport())
	if err != nil {
		t.Fatal(err)
	}
	loss, gradient, err := p.at(context.Background(), r.Tensor("place").Convert(graph.Float64).F64)
	if err != nil {
		t.Fatal(err)
	}
	float := func(x ...float64) graph.Tensor {
		return graph.Tensor{Shape: graph.Shape{len(x)}, Dtype: graph.Float64, F64: x}
	}
	r.Near("loss", float(loss), parity)
	r.Near("gradient", float(gradient...), parity)
	x, err := p.least(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	r.Near("minimum", float(x...), parity)
	if loss, _, _ = p.at(context.Background(), x); loss > float64(r.Tensor("least").F32[0])*(1+1e-6) {
		t.Errorf("the least is %v, the reference has %v", loss, r.Tensor("least").F32[0])
	}
}

// The same bits for any number of threads; fewer iterations give another place; a
// context that ends ends the search.
func TestProbeFit(t *testing.T) {
	r := openReference(t, "probe")
	support := r.probeSupport()
	cl := Classes{Names: []string{"a", "b", "c"}, Support: &support}
	fit := func(ctx context.Context, threads int, set Probe) (w, b []float32, err error) {
		m, err := New("linear-probe", r.options("", map[string]Settings{probeKey: &set}))
		if err != nil {
			t.Fatal(err)
		}
		s, enc, err := r.model.Scope()
		if err != nil {
			t.Fatal(err)
		}
		vars, err := m.(Fitter).Fit(ctx, cpu.NewPool(threads), CLIP{Model: r.model, Scope: s, Encoders: enc}, cl)
		if err != nil {
			return nil, nil, err
		}
		if len(vars) != 2 || !slices.Equal(vars[0].Type.Shape, graph.Shape{3, 6}) || !slices.Equal(vars[1].Type.Shape, graph.Shape{3}) {
			t.Fatalf("learned %v", vars)
		}
		return vars[0].Value.F32, vars[1].Value.F32, nil
	}
	w, b, err := fit(context.Background(), 1, Probe{C: 4, Iterations: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for threads := 2; threads <= 3; threads++ {
		w2, b2, err := fit(context.Background(), threads, Probe{C: 4, Iterations: 1000})
		if err != nil || !slices.Equal(w, w2) || !slices.Equal(b, b2) {
			t.Errorf("%d threads give other bits, %v", threads, err)
		}
	}
	if early, _, err := fit(context.Background(), 1, Probe{C: 4, Iterations: 1}); err != nil || slices.Equal(w, early) {
		t.Errorf("one iteration finds the minimum, %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := fit(ctx, 1, Probe{C: 4, Iterations: 1000}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestProbeSettings(t *testing.T) {
	for want, c := range map[string]Probe{
		"probe.c: found 0, want above 0":             {Iterations: 1},
		"probe.iterations: found 0, want at least 1": {C: 1},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := DefaultSettings(probeKey).Validate(); err != nil {
		t.Error(err)
	}
}
