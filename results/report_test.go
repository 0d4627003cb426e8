package results_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"spotlighter/experiments"
)

// made is the folder of real runs that the tests share.
var made struct {
	sync.Once
	out string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.out != "" {
		os.RemoveAll(made.out)
	}
	os.Exit(code)
}

// realRuns makes runs of all methods, two data sets and two seeds, and one
// method with another number of tokens.
func realRuns(t *testing.T) string {
	t.Helper()
	made.Do(func() {
		if made.out, made.err = os.MkdirTemp("", "runs"); made.err != nil {
			return
		}
		small := []string{"out=" + made.out, "data.classes=8", "data.test_per_class=6", "shots=2", "train.epochs=3", "train.batch=4",
			"dataset=[clutter,fog]", "seed=[1,2]"}
		for _, overrides := range [][]string{
			{"method=[clip,clip+spotlighter,coop,coop+spotlighter]"},
			{"method=coop+spotlighter", "spotlight.keep=9"},
		} {
			if made.err = runCells(t, append(small, overrides...)); made.err != nil {
				return
			}
		}
	})
	if made.err != nil {
		t.Fatal(made.err)
	}
	return made.out
}

func runCells(t *testing.T, overrides []string) error {
	c, err := experiments.LoadEmbedded("debug.yaml", overrides)
	if err != nil {
		return err
	}
	lab, err := experiments.NewLab(c)
	if err != nil {
		return err
	}
	for _, cell := range c.Cells() {
		if _, _, _, err := lab.RunCell(t.Context(), cell, func(experiments.Step) {}); err != nil {
			return err
		}
	}
	return nil
}

// copyRuns is a copy of the runs that a test may break.
func copyRuns(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runs")
	if err := os.CopyFS(out, os.DirFS(realRuns(t))); err != nil {
		t.Fatal(err)
	}
	return out
}
