package experiments

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"testing"

	"spotlighter/experiments/runfmt"
)

// tinyCell is a cell of seconds: two base classes, two novel ones.
func tinyCell(t *testing.T, method string, overrides ...string) Config {
	t.Helper()
	c, err := LoadEmbedded("debug.yaml", append([]string{"method=" + method, "shots=3", "train.batch=2"}, overrides...))
	if err != nil {
		t.Fatal(err)
	}
	c.Out, c.Threads = t.TempDir(), 2
	return c
}

func newLab(t *testing.T, c Config) *Lab {
	t.Helper()
	l, err := NewLab(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// written is what a finished cell wrote that must not depend on how it was run.
func written(t *testing.T, dir string) [3][]byte {
	t.Helper()
	var list [3][]byte
	for i, name := range []string{runfmt.CheckpointFile, runfmt.MetricsFile, runfmt.ExamplesFile} {
		text, err := os.ReadFile(dir + string(os.PathSeparator) + name)
		if errors.Is(err, os.ErrNotExist) && name != runfmt.ExamplesFile {
			continue // of a method that does not learn, or not step by step
		}
		if err != nil {
			t.Fatal(err)
		}
		list[i] = text
	}
	return list
}

// timeless is a result without times.
func timeless(r runfmt.Result) runfmt.Result {
	r.ImagesPerSecond, r.TrainSeconds, r.EvalSeconds, r.RunSeconds = 0, 0, 0, 0
	return r
}

// A cell may be stopped wherever it tells its progress, in each phase and at
// each step: it goes on to the same bits.
func TestStopAnywhere(t *testing.T) {
	c := tinyCell(t, "coop+spotlighter")
	moments := 0
	phases := map[string]bool{}
	want, dir, done, err := newLab(t, c).RunCell(t.Context(), c, func(s Step) {
		moments++
		phases[s.Phase] = true
	})
	if err != nil || done {
		t.Fatalf("%v, done %v", err, done)
	}
	whole := written(t, dir)
	for _, phase := range []string{"encode test images", "encode training images", "", "evaluate"} {
		if !phases[phase] {
			t.Errorf("no word of phase %q in %v", phase, phases)
		}
	}
	lab := newLab(t, c)
	for at := 1; at <= moments; at++ {
		c.Out = t.TempDir()
		if at%2 == 0 { // with everything to be encoded first, and with it at hand
			lab = newLab(t, c)
		}
		ctx, stop := context.WithCancel(t.Context())
		n := 0
		_, dir, _, err := lab.RunCell(ctx, c, func(Step) {
			if n++; n == at {
				stop()
			}
		})
		stop()
		if err == nil { // after the last word, or where nothing more was to be encoded
			continue
		}
		if !errors.Is(err, ErrStopped) {
			t.Fatalf("moment %d: %v", at, err)
		}
		if _, err := runfmt.ReadResult(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("moment %d: a stopped run has a result: %v", at, err)
		}
		got, _, _, err := lab.RunCell(t.Context(), c, func(Step) {})
		if err != nil {
			t.Fatalf("moment %d: %v", at, err)
		}
		for i, text := range written(t, dir) {
			if !bytes.Equal(text, whole[i]) {
				t.Errorf("moment %d: file %d differs from that of an uninterrupted run", at, i)
			}
		}
		compare(t, got, want)
	}
}

func compare(t *testing.T, got, want runfmt.Result) {
	t.Helper()
	g, w := timeless(got), timeless(want)
	if (g.OnObject == nil) != (w.OnObject == nil) || g.OnObject != nil && *g.OnObject != *w.OnObject {
		t.Errorf("on object %+v, want %+v", g.OnObject, w.OnObject)
	}
	g.OnObject, w.OnObject = nil, nil
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %+v\nwant %+v", g, w)
	}
}

// A lab that has run other methods and data sets before gives the numbers of a
// fresh one: nothing of a cell leaks into the next.
func TestCellsDoNotMix(t *testing.T) {
	grid := tinyCell(t, "[clip, clip+spotlighter, coop, coop+spotlighter]")
	grid.Dataset, grid.Seed = List[string]{"clutter", "fog"}, List[int]{1, 2}
	lab := newLab(t, grid)
	say := func(Step) {}
	for i, c := range grid.Cells() {
		got, _, _, err := lab.RunCell(t.Context(), c, say)
		if err != nil {
			t.Fatal(err)
		}
		if i%5 > 0 { // each method once will show it
			continue
		}
		c.Out = t.TempDir()
		want, _, _, err := newLab(t, c).RunCell(t.Context(), c, say)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, got, want)
	}
}
