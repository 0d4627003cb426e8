package sweep

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"spotlighter/experiments"
	"spotlighter/experiments/runfmt"
)

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
	p := plan(t, Options{Seeds: []int{1, 2}}, "method=coop+spotlighter", "train.lr=.1,.2", "spotlight.keep=5,9")
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
	if got := fmt.Sprint(b.Effects); got != "[{train.lr [{.1 52.0 ± 1.4 2 0} {.2 62.0 ± 1.4 2 0}]} {spotlight.keep [{5 55.0 ± 1.4 2 0} {9 59.0 ± 1.4 2 0}]}]" {
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

// A protocol without halves has its one number, under its name.
func TestBoardOfOneNumber(t *testing.T) {
	p := plan(t, Options{Seeds: []int{1}}, "method=coop", "protocol=few-shot", "train.lr=.1,.2")
	finish(t, p.Trials[0].Rungs[0][0], 50)
	finish(t, p.Trials[1].Rungs[0][0], 60)
	b := p.Board(p.Look)
	for _, text := range []string{b.Terminal(), b.Markdown("x", nil)} {
		if !strings.Contains(text, "accuracy") || !strings.Contains(text, "Ranked by accuracy;") {
			t.Errorf("no accuracy in\n%s", text)
		}
		for _, absent := range []string{"base", "novel", "HM"} {
			if strings.Contains(text, absent) {
				t.Errorf("few-shot has %s in\n%s", absent, text)
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

// A run that collapsed is in the means, and every number that it is part of says so.
func TestBoardMarksCollapsed(t *testing.T) {
	p := plan(t, Options{Seeds: []int{1, 2}}, "method=coop+spotlighter", "train.lr=.1,.2", "spotlight.keep=5,9")
	for _, tr := range p.Trials {
		for _, r := range tr.Rungs[0] {
			run, err := experiments.OpenRun(r.Cell, "w")
			if err != nil {
				t.Fatal(err)
			}
			acc := 60.
			if tr == p.Trials[1] && r.Seed == 2 {
				acc = 10
			}
			set := func(name string) runfmt.Set { return runfmt.Set{Name: name, Top1: acc, ZeroShot: 55} }
			if err := run.Finish(runfmt.Result{Base: acc, Novel: acc, HM: acc, Sets: []runfmt.Set{set("base"), set("novel")}}); err != nil {
				t.Fatal(err)
			}
			run.Close()
		}
	}
	b := p.Board(p.Look)
	last := b.Rows[3]
	if !reflect.DeepEqual(last.Values, p.Trials[1].Values) || !reflect.DeepEqual(last.Collapsed, []Collapse{{2, "10.0, zero-shot 55.0"}}) || last.Score.Mean != 35 {
		t.Errorf("last: %+v", last)
	}
	for _, r := range b.Rows[:3] {
		if r.Collapsed != nil {
			t.Errorf("%+v", r)
		}
	}
	for _, e := range b.Effects {
		for i, l := range e.Levels {
			if want := l.Value == last.Values[slices.Index(p.Keys, e.Key)]; (l.Collapsed == 1) != want {
				t.Errorf("%s, level %d: %+v", e.Key, i, l)
			}
		}
	}
	name := p.Name(p.Trials[1])
	for _, text := range []string{b.Terminal(), b.Markdown("x", nil)} {
		for _, want := range []string{"2/2, 1 collapsed ‡", "47.5 ± 17.7 ‡", "‡ " + name + " collapsed with seed 2 (10.0, zero-shot 55.0); the means include it."} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	dir := t.TempDir()
	if _, err := b.WritePlots(dir, []string{"svg"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"effect-train_lr": "‡ with collapsed runs: .", "map-train_lr-spotlight_keep": "35.0 ‡"} {
		if text, err := os.ReadFile(filepath.Join(dir, name+".svg")); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s.svg: no %q, %v", name, want, err)
		}
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
