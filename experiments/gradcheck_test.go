package experiments

import (
	"context"
	"math"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/graph/inspect"
)

// Every gradient of every variant of the method is that of finite differences,
// through the whole model in Float64.
func TestGradcheck(t *testing.T) {
	for _, overrides := range [][]string{
		{"method=coop"}, {"method=coop+spotlighter"}, {"method=coop+spotlighter", "spotlight.variant=release"},
		{"method=coop+spotlighter", "spotlight.candidates=1", "spotlight.local_loss=true", "spotlight.trm=linear"},
		{"method=promptkd+spotlighter", "spotlight.candidates=2", "promptkd.depth=2"},
	} {
		c, err := LoadEmbedded("quickstart.yaml", append(overrides, "dataset=clutter", "seed=1", "shots=1", "data.classes=6"))
		if err != nil {
			t.Fatal(err)
		}
		lab, err := NewLab(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := lab.Gradcheck(context.Background(), c, Gradcheck{Check: inspect.Check{Elements: 3, Step: 1e-4, Tol: 1e-6}, Images: 2, Steps: 2})
		if err != nil {
			t.Fatalf("%v: %v", overrides, err)
		}
		if r.Images != 2 || r.Classes != 3 || len(r.Rows) == 0 || !(r.Loss > 0) {
			t.Errorf("%v: %+v", overrides, r)
		}
		for _, row := range r.Rows {
			if !row.OK {
				t.Errorf("%v: %+v", overrides, row)
			}
		}
	}
}

// The whole model in Float64, image encoder, text encoder and method, agrees with
// Float32.
func TestDoubleModel(t *testing.T) {
	c, err := LoadEmbedded("quickstart.yaml", []string{"method=coop+spotlighter", "dataset=clutter", "seed=1", "shots=1", "data.classes=6"})
	if err != nil {
		t.Fatal(err)
	}
	lab, err := NewLab(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	b, err := OpenBenchmark(c)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := lab.classes(ctx, c, b.Classes[:b.Base])
	if err != nil {
		t.Fatal(err)
	}
	feeds, err := lab.doubleFeeds(ctx, c, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err := methods.New(c.Method[0], options(c))
	if err != nil {
		t.Fatal(err)
	}
	double, err := lab.lossAt(ctx, c, m, lab.model.Double(), cl, feeds, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, mc, err := lab.scope(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Compile(lab.pool, map[string]*graph.Node{"loss": lab.build(c, m, mc, cl, 3).Loss})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx, feeds); err != nil {
		t.Fatal(err)
	}
	if single := float64(p.Output("loss").F32[0]); math.Abs(single-double) > 1e-5 || single == double {
		t.Errorf("the loss is %v in Float32 and %v in Float64", single, double)
	}
}
