package experiments

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/graph"
	"spotlighter/spotlight"
)

func releaseCell(t *testing.T) Config {
	t.Helper()
	c := tinyCell(t, "coop+spotlighter")
	c.Spotlight.Variant = spotlight.Release
	return c
}

// The published trainer, stopped in its second epoch, goes on to the same bits:
// bank, moments and the steps of the dropout are in the checkpoint.
func TestReleaseGoesOn(t *testing.T) {
	c := releaseCell(t)
	lab := newLab(t, c)
	want, dir, _, err := lab.RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	whole := written(t, dir)
	c.Out = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, _, _, err = lab.RunCell(ctx, c, func(s Step) {
		if s.Epoch == 2 {
			stop()
		}
	})
	if !errors.Is(err, ErrStopped) {
		t.Fatalf("stopped run: %v", err)
	}
	got, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) {})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range written(t, dir) {
		if !bytes.Equal(text, whole[i]) {
			t.Errorf("file %d differs from that of an uninterrupted run", i)
		}
	}
	compare(t, got, want)
	if got.TrainableTensors != 16 || got.OnObject != nil {
		t.Errorf("%d tensors trained, tokens on object %v; want 16 and none kept", got.TrainableTensors, got.OnObject)
	}
}

// Classes that training did not see are evaluated with the bank that training
// started from, or, where it is saved, with the trained one.
func TestReleaseBank(t *testing.T) {
	c := releaseCell(t)
	lab := newLab(t, c)
	if err := lab.hold(t.Context(), c, func(string, float64) {}); err != nil {
		t.Fatal(err)
	}
	if err := lab.holdTrain(t.Context(), c, func(string, float64) {}); err != nil {
		t.Fatal(err)
	}
	m, err := methods.New("coop+spotlighter", options(c))
	if err != nil {
		t.Fatal(err)
	}
	base, err := lab.classes(t.Context(), c, lab.bench.Classes[:lab.bench.Base])
	if err != nil {
		t.Fatal(err)
	}
	tr, err := lab.newTrainer(c, m, base, len(lab.labels))
	if err != nil {
		t.Fatal(err)
	}
	bank := func(vars []*graph.Variable) []float32 {
		s, mc, err := lab.scope(vars)
		if err != nil {
			t.Fatal(err)
		}
		err = graph.Try(func() {
			f := spotlight.Inputs(c.Spotlight, s, lab.model.Vision, 1)
			m.Build(mc, base, methods.Batch{Features: f, Text: s.Input("text", graph.Float32, len(base.Names), lab.model.Vision.Embed)})
		})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(s.Store().Find("spotlight.memory.text_fine_cache").Value.F32)
	}
	first := bank(nil)
	if err := tr.run(t.Context(), lab, hooks{epoch: func(int, float64, float64) error { return nil }, step: func(Step, float64) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	trained := bank(tr.store.Variables())
	if slices.Equal(first, trained) {
		t.Fatal("training left the bank as it was")
	}
	for _, lost := range []bool{true, false} {
		c.Spotlight.Release.BankNotSaved = lost
		carried := slices.DeleteFunc(tr.store.Variables(), func(v *graph.Variable) bool { return !methods.CarriesOver(v, c.Spotlight) })
		got := bank(carried)
		if want := map[bool][]float32{true: first, false: trained}[lost]; !slices.Equal(got, want) {
			t.Errorf("bank_not_saved: %v: novel classes see another bank", lost)
		}
	}
}
