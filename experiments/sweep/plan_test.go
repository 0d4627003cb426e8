package sweep

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments"
)

const config = "../debug.yaml"

func accept(experiments.Config) error { return nil }

// plan lays out a sweep of debug.yaml below a new folder.
func plan(t *testing.T, o Options, args ...string) *Plan {
	t.Helper()
	o.Config = config
	if o.Strategy == "" {
		o.Strategy = Grid
	}
	if o.Metric == "" {
		o.Metric = "hm"
	}
	p, err := New(parse(t, append([]string{"out=" + t.TempDir()}, args...)...), o, accept)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// names are the trials of a plan.
func names(p *Plan) []string {
	var all []string
	for _, tr := range p.Trials {
		all = append(all, p.Name(tr))
	}
	return all
}

// Values that are written differently and mean the same are one combination,
// and so are those of keys that change no number.
func TestDuplicates(t *testing.T) {
	p := plan(t, Options{}, "method=coop", "train.lr=.1,0.1,1e-1,.2", "cache=off,memory")
	want := []string{"train.lr=.1 cache=off", "train.lr=.2 cache=off"}
	if !reflect.DeepEqual(names(p), want) || p.Duplicates != 6 {
		t.Errorf("%v and %d duplicates, want %v and 6", names(p), p.Duplicates, want)
	}
}

// The configuration's own lists of methods and data sets are columns, its seeds
// are what is averaged over.
func TestColumns(t *testing.T) {
	p := plan(t, Options{Seeds: []int{4, 5}}, "dataset=[clutter, dusk]", "train.lr=.1,.2")
	if !reflect.DeepEqual(p.Keys, []string{"train.lr", "method", "dataset"}) || len(p.Trials) != 8 {
		t.Errorf("%v: %v", p.Keys, names(p))
	}
	for _, tr := range p.Trials {
		if len(tr.Rungs) != 1 || len(tr.Rungs[0]) != 2 || tr.Rungs[0][1].Seed != 5 {
			t.Errorf("%v", tr)
		}
	}
}

func TestImpossible(t *testing.T) {
	p := plan(t, Options{}, "method=coop", "train.epochs=1,2", "train.warmup_epochs=0,1", "spotlight.keep=9,0")
	if len(p.Trials) != 3 || len(p.Impossible) != 5 {
		t.Errorf("%d trials, impossible: %q", len(p.Trials), p.Impossible)
	}
	for _, line := range p.Impossible {
		if !strings.Contains(line, "want") || strings.Contains(line, "\n") {
			t.Errorf("%q does not say what is wanted", line)
		}
	}
	// A rung can be impossible where the whole run is not.
	p = plan(t, Options{Halving: Halving{Eta: 3, MinEpochs: 1}}, "method=coop", "train.epochs=9", "train.warmup_epochs=0,1")
	if len(p.Trials) != 1 || len(p.Impossible) != 1 || !strings.Contains(p.Impossible[0], "with 1 epochs: train.warmup_epochs") {
		t.Errorf("%v, impossible: %q", names(p), p.Impossible)
	}
	// The checker has its say too; clip, which keeps no tokens, is one trial of both.
	q, err := New(parse(t, "spotlight.keep=5,7"), Options{Config: config, Strategy: Grid, Metric: "hm"}, func(c experiments.Config) error {
		if c.Spotlight.Keep == 7 {
			return errors.New("seven")
		}
		return nil
	})
	if err != nil || len(q.Trials) != 2 || q.Duplicates != 1 || len(q.Impossible) != 1 || !strings.HasSuffix(q.Impossible[0], "spotlight.keep=7 method=coop+spotlighter: seven") {
		t.Errorf("%v %v", q, err)
	}
}

func TestUnknownKey(t *testing.T) {
	_, err := New(parse(t, "train.lrr=.1"), Options{Config: config, Strategy: Grid, Metric: "hm"}, accept)
	if err == nil || !strings.Contains(err.Error(), "did you mean train.lr?") {
		t.Errorf("%v", err)
	}
}

// The same command has the same folder; another one has another.
func TestFolder(t *testing.T) {
	out := t.TempDir()
	dir := func(args ...string) string {
		p := plan(t, Options{}, args...)
		if err := p.Write(); err != nil {
			t.Fatal(err)
		}
		back, err := Read(p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(names(back), names(p)) || back.Trials[0].Rungs[0][0].Folder != p.Trials[0].Rungs[0][0].Folder {
			t.Errorf("read back: %v, want %v", names(back), names(p))
		}
		run := p.Trials[0].Rungs[0][0]
		cell, err := experiments.Load(CellFile(p.Dir, run.Folder), nil)
		if err != nil || experiments.RunName(cell) != run.Folder {
			t.Errorf("cell %s is that of run %s (%v)", run.Folder, experiments.RunName(cell), err)
		}
		found, err := Find(filepath.Dir(p.Dir))
		if err != nil || len(found) != 1 || found[0] != p.Dir {
			t.Errorf("found %v %v, want %s", found, err, p.Dir)
		}
		return filepath.Base(p.Dir)
	}
	a, b, c := dir("train.lr=.1,.2"), dir("train.lr=.1,.2"), dir("train.lr=.1,.3")
	if a != b || a == c || !strings.HasPrefix(a, "sweep-debug-") {
		t.Errorf("%s %s %s", a, b, c)
	}
	if _, err := Read(out); err == nil || !strings.Contains(err.Error(), "is no sweep") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(out, PlanFile), []byte(`{"keys": ["a"`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(out); err == nil || !strings.Contains(err.Error(), "not a whole plan") {
		t.Errorf("%v", err)
	}
}
