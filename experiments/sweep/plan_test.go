package sweep

import (
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments"
	"spotlighter/experiments/runfmt"
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
	// The checker has its say too.
	q, err := New(parse(t, "spotlight.keep=5,7"), Options{Config: config, Strategy: Grid, Metric: "hm"}, func(c experiments.Config) error {
		if c.Spotlight.Keep == 7 {
			return errors.New("seven")
		}
		return nil
	})
	if err != nil || len(q.Trials) != 2 || len(q.Impossible) != 2 || !strings.HasSuffix(q.Impossible[0], "spotlight.keep=7 method=clip: seven") {
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

// finish gives a run a result with this HM.
func finish(t *testing.T, r Run, hm float64) {
	t.Helper()
	run, err := experiments.OpenRun(r.Cell, "w")
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if err := run.Finish(runfmt.Result{Base: hm, Novel: hm, HM: hm}); err != nil {
		t.Fatal(err)
	}
}

// value is a trial's setting of a key.
func value(p *Plan, tr *Trial, key string) string {
	for i, k := range p.Keys {
		if k == key {
			return tr.Values[i]
		}
	}
	return ""
}

func TestBoard(t *testing.T) {
	p := plan(t, Options{Seeds: []int{1, 2}}, "method=coop", "train.lr=.1,.2", "spotlight.keep=5,9")
	// HM = 50 + 10 for lr .2 + 4 for keep 9 - 1 or + 1 by the seed.
	for _, tr := range p.Trials {
		hm := 50.
		if value(p, tr, "train.lr") == ".2" {
			hm += 10
		}
		if value(p, tr, "spotlight.keep") == "9" {
			hm += 4
		}
		finish(t, tr.Rungs[0][0], hm-1)
		finish(t, tr.Rungs[0][1], hm+1)
	}
	b := p.Board(p.Look)
	var got []string
	for _, r := range b.Rows {
		got = append(got, fmt.Sprintf("%d %v %v", r.Rank, r.Values, r.Score))
	}
	want := []string{"1 [.2 9] 64.0 ± 1.4", "2 [.2 5] 60.0 ± 1.4", "3 [.1 9] 54.0 ± 1.4", "4 [.1 5] 50.0 ± 1.4"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	// The deviation is that of the seeds, whatever the other key does.
	if got := fmt.Sprint(b.Effects); got != "[{train.lr [{.1 52.0 ± 1.4 2} {.2 62.0 ± 1.4 2}]} {spotlight.keep [{5 55.0 ± 1.4 2} {9 59.0 ± 1.4 2}]}]" {
		t.Errorf("effects %s", got)
	}
	md := b.Markdown("spotlighter sweep x", []string{"a.png"})
	for _, part := range []string{"| 1 | .2 | 9 |", "64.0 ± 1.4", "![a](a.png)", "52.0 ± 1.4"} {
		if !strings.Contains(md, part) {
			t.Errorf("no %q in\n%s", part, md)
		}
	}
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	plots, err := b.WritePlots(p.Dir, Formats)
	if err != nil || fmt.Sprint(plots) != "[effect-train_lr.png effect-spotlight_keep.png map-train_lr-spotlight_keep.png]" {
		t.Fatalf("%v %v", plots, err)
	}
	for _, name := range plots {
		name = strings.TrimSuffix(name, ".png")
		f, err := os.Open(filepath.Join(p.Dir, name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil || img.Bounds().Dx() < 300 {
			t.Errorf("%s: %v", name, err)
		}
		for ext, magic := range map[string]string{".svg": "<svg", ".pdf": "%PDF-"} {
			text, err := os.ReadFile(filepath.Join(p.Dir, name+ext))
			if err != nil || !strings.Contains(string(text), magic) {
				t.Errorf("%s%s: %v", name, ext, err)
			}
		}
	}
}

// A trial that misses a seed is told, but not ranked, nor part of an effect.
func TestIncompleteTrials(t *testing.T) {
	p := plan(t, Options{Seeds: []int{1, 2}}, "method=coop", "train.lr=.1,.2,.3")
	finish(t, p.Trials[0].Rungs[0][0], 50)
	finish(t, p.Trials[0].Rungs[0][1], 60)
	finish(t, p.Trials[1].Rungs[0][0], 90)
	run, err := experiments.OpenRun(p.Trials[1].Rungs[0][1].Cell, "w") // begun and left
	if err != nil {
		t.Fatal(err)
	}
	run.Close()
	b := p.Board(p.Look)
	var got []string
	for _, r := range b.Rows {
		got = append(got, fmt.Sprint(r.Rank, r.Values, r.Score.N, r.Broken))
	}
	if want := []string{"1 [.1] 2 0", "0 [.2] 1 1", "0 [.3] 0 0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if len(b.Effects) != 0 {
		t.Errorf("one value has an effect: %v", b.Effects)
	}
	if plots, err := b.WritePlots(t.TempDir(), []string{"png"}); err != nil || plots != nil {
		t.Errorf("%v %v", plots, err)
	}
}

// Values that are all different are told by quarters, and drawn one by one.
func TestQuarters(t *testing.T) {
	p := plan(t, Options{Strategy: Random, Budget: 12, Draw: 1, Seeds: []int{1}}, "method=coop", "train.lr=log(1e-4,1)")
	for _, tr := range p.Trials {
		lr, _ := number(tr.Values[0])
		finish(t, tr.Rungs[0][0], 50+10*lr)
	}
	b := p.Board(p.Look)
	if len(b.Effects) != 1 || len(b.Effects[0].Levels) != 4 {
		t.Fatalf("%+v", b.Effects)
	}
	for i, l := range b.Effects[0].Levels {
		if l.Trials != 3 || i > 0 && l.Score.Mean < b.Effects[0].Levels[i-1].Score.Mean {
			t.Errorf("%+v", b.Effects[0].Levels)
		}
	}
	if plots, err := b.WritePlots(t.TempDir(), []string{"svg"}); err != nil || len(plots) != 1 {
		t.Errorf("%v %v", plots, err)
	}
}

func TestHalving(t *testing.T) {
	p := plan(t, Options{Seeds: []int{1, 2}, Halving: Halving{Eta: 3, MinEpochs: 2}}, "method=coop", "train.epochs=20", "train.lr=range(.1,.9,.1)")
	if !reflect.DeepEqual(p.Rungs, []int{2, 6, 20}) {
		t.Fatalf("rungs %v", p.Rungs)
	}
	visited := func() map[int]int {
		n := map[int]int{}
		p.Walk(p.Look, func(_ *Trial, rung int, run Run) {
			n[rung]++
			if run.Cell.Train.Epochs != p.Rungs[rung] {
				t.Errorf("rung %d has %d epochs", rung, run.Cell.Train.Epochs)
			}
		})
		return n
	}
	if got := visited(); !reflect.DeepEqual(got, map[int]int{0: 18}) {
		t.Errorf("at first: %v", got)
	}
	for i, tr := range p.Trials {
		finish(t, tr.Rungs[0][0], 50+float64(i))
		if i != 8 { // the best one, but for a seed
			finish(t, tr.Rungs[0][1], 50+float64(i))
		}
	}
	next := p.Survivors(0, p.Trials, p.Look)
	var got []string
	for _, tr := range next {
		got = append(got, tr.Values[0])
	}
	if !reflect.DeepEqual(got, []string{"0.8", "0.7", "0.6"}) {
		t.Errorf("%v go on", got)
	}
	finish(t, p.Trials[8].Rungs[0][1], 58)
	if got := visited(); !reflect.DeepEqual(got, map[int]int{0: 18, 1: 6}) {
		t.Errorf("after the first: %v", got)
	}
	next = p.Survivors(0, p.Trials, p.Look)
	for i, tr := range next {
		for _, r := range tr.Rungs[1] {
			finish(t, r, 40+float64(i)) // the order turns round
		}
	}
	last := p.Survivors(1, next, p.Look)
	if len(last) != 1 || last[0].Values[0] != "0.7" {
		t.Errorf("%v reach the end", last)
	}
	for _, r := range last[0].Rungs[2] {
		finish(t, r, 30)
	}
	// Who came furthest stands first, though its number is of more epochs.
	b := p.Board(p.Look)
	if r := b.Rows[0]; r.Values[0] != "0.7" || r.Epochs != 20 || r.Score.Mean != 30 {
		t.Errorf("first: %+v", r)
	}
	if r := b.Rows[1]; r.Epochs != 6 || r.Rank != 2 {
		t.Errorf("second: %+v", r)
	}
	for _, h := range []Halving{{1, 1}, {3, 0}, {3, 20}} {
		if _, err := h.rungs(20); err == nil {
			t.Errorf("%+v was taken", h)
		}
	}
	if got, _ := (Halving{10, 7}).rungs(20); !reflect.DeepEqual(got, []int{7, 20}) {
		t.Errorf("a wide step: %v", got)
	}
}
