package experiments

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments/methods"
	"spotlighter/experiments/runfmt"
)

// cellsOfRows are cells of seconds of the rows that have none of their own elsewhere.
func cellsOfRows(t *testing.T) map[string]Config {
	cells := map[string]Config{}
	for name, overrides := range map[string][]string{
		"coop":                 {"coop.position=middle", "coop.start=random", "coop.length=5"},
		"coop, a context each": {"coop.class_specific=true", "coop.position=front", "protocol=few-shot"},
		"cocoop":               {"train.batch=1"},
		"clipfit":              {},
		"tip-adapter":          {},
		"tip-adapter-f":        {"train.schedule=step"},
		"linear-probe":         {},
	} {
		method, _, _ := strings.Cut(name, ",")
		c, err := LoadEmbedded("debug.yaml", append(overrides, "method="+method, "shots=3", "train.batch=2", "train.views=2"))
		if err != nil {
			t.Fatal(err)
		}
		c.Out, c.Threads = t.TempDir(), 2
		cells[name] = c
	}
	return cells
}

// A row that is stopped at any of a few moments goes on to the same bits, with any
// number of threads.
func TestRowsSameBits(t *testing.T) {
	for name, c := range cellsOfRows(t) {
		moments := 0
		want, dir, _, err := newLab(t, c).RunCell(t.Context(), c, func(Step) { moments++ })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		whole := written(t, dir)
		if want.TrainableScalars == 0 != (name == "tip-adapter") {
			t.Errorf("%s trains %d scalars", name, want.TrainableScalars)
		}
		check := func(what string, got runfmt.Result, dir string) {
			for i, text := range written(t, dir) {
				if !bytes.Equal(text, whole[i]) {
					t.Errorf("%s, %s: file %d differs", name, what, i)
				}
			}
			compare(t, got, want)
		}
		for _, threads := range []int{1, 3} {
			c.Out, c.Threads = t.TempDir(), threads
			got, dir, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("%d threads", threads), got, dir)
		}
		lab := newLab(t, c)
		for _, at := range []int{moments / 4, moments / 2, moments * 3 / 4, moments - 1} {
			c.Out = t.TempDir()
			ctx, stop := context.WithCancel(t.Context())
			n := 0
			_, _, _, err := lab.RunCell(ctx, c, func(Step) {
				if n++; n == at {
					stop()
				}
			})
			stop()
			if err != nil && !errors.Is(err, ErrStopped) {
				t.Fatalf("%s, moment %d: %v", name, at, err)
			}
			got, dir, _, err := lab.RunCell(t.Context(), c, quiet)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("stopped at %d of %d", at, moments), got, dir)
		}
	}
}

// A finished run put to work on its base classes says of its own test images what
// its result says.
func TestRowsTrained(t *testing.T) {
	for name, c := range cellsOfRows(t) {
		dir, res := finished(t, c)
		var names []string
		var want []int
		for _, class := range res.Classes[:res.BaseClasses] {
			names, want = append(names, class.Name), append(want, class.Right)
		}
		tr, err := OpenTrained(t.Context(), dir, Use{Classes: names, Batch: 5, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got := classified(t, tr, c, 0, res.BaseClasses); !slices.Equal(got, want) {
			t.Errorf("%s: right %v, the run had %v", name, got, want)
		}
		_, err = OpenTrained(t.Context(), dir, Use{Classes: append([]string{"star"}, names...), Batch: 5, Threads: 2})
		refused := methods.Alone(c.Method[0]) || strings.Contains(name, "each")
		if (err != nil) != refused {
			t.Errorf("%s among other classes: %v", name, err)
		}
	}
}

// Rows that keep the training images, or are fitted to them, are zero-shot CLIP on
// the classes that they did not learn, and say so; the others are not.
func TestUnseenZeroShot(t *testing.T) {
	cells := cellsOfRows(t)
	for name, c := range cells {
		if c.Protocol != BaseToNovel {
			continue
		}
		c.Data.TestPerClass = 20
		_, res := finished(t, c)
		novel, _ := res.Set("novel")
		support := methods.ReadsSupport(c.Method[0])
		if res.UnseenZeroShot != support {
			t.Errorf("%s: unseen classes are zero-shot: %v", name, res.UnseenZeroShot)
		}
		if support && novel.Top1 != novel.ZeroShot {
			t.Errorf("%s: %g right of the novel images, zero-shot CLIP has %g", name, novel.Top1, novel.ZeroShot)
		}
	}
}

// What a context of each class cannot do is refused where it is asked for.
func TestClassSpecificRefused(t *testing.T) {
	_, err := LoadEmbedded("debug.yaml", []string{"method=coop", "coop.class_specific=true"})
	want := "override coop.class_specific=true: coop.class_specific: a class that was not learned has no context of its own, and protocol base-to-novel tests such classes: want protocol few-shot"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
