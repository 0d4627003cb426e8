package experiments

import (
	"context"
	"errors"
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
		{"method=coop+spotlighter"}, {"method=coop+spotlighter", "spotlight.variant=release"},
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

// Every method there is has gradients that agree, or says that it has no step to
// check: those of the registry, so that none is forgotten.
func TestGradcheckMethods(t *testing.T) {
	sizes := map[string][]string{ // of the embedded CLIP, whose encoders have 5 and 2 blocks
		"maple":     {"maple.depth=2"},
		"promptsrc": {"promptsrc.image_depth=5", "promptsrc.text_depth=2", "promptsrc.templates=['a photo of a {}']"},
		"promptkd":  {"promptkd.depth=2"},
	}
	var lab *Lab
	for _, name := range methods.Names() {
		overrides := []string{"method=" + name, "dataset=clutter", "seed=1", "shots=1", "data.classes=4"}
		for _, key := range methods.SectionsOf(name) {
			overrides = append(overrides, sizes[key]...)
		}
		c, err := LoadEmbedded("quickstart.yaml", overrides)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if lab == nil {
			lab = newLab(t, c)
		}
		r, err := lab.Gradcheck(t.Context(), c, Gradcheck{Check: inspect.Check{Elements: 1, Step: 1e-4, Tol: 1e-6}, Images: 2, Steps: 1})
		m, errNew := methods.New(name, options(c))
		if errNew != nil {
			t.Fatal(errNew)
		}
		if _, fits := m.(methods.Fitter); fits || !methods.Learns(name) {
			if !errors.Is(err, ErrNoStep) {
				t.Errorf("%s: error is %v, want %v", name, err, ErrNoStep)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		agree := 0
		for _, row := range r.Rows {
			if !row.OK {
				t.Errorf("%s: %+v", name, row)
			}
			if !row.Zero && !row.Tiny {
				agree++
			}
		}
		if agree == 0 {
			t.Errorf("%s: no gradient is large enough to be told: %+v", name, r.Rows)
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
