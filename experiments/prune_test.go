package experiments

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

func quiet(Step) {}

// A run whose encoder keeps every patch is the run without pruning, to the bit;
// one that drops some is another, with tokens that lie in the picture. What
// dropped patches were ranked by matters.
func TestPrunedRun(t *testing.T) {
	run := func(change func(p *Prune)) (runfmt.Result, [3][]byte) {
		c := tinyCell(t, "coop+spotlighter")
		change(&c.Prune)
		res, dir, _, err := newLab(t, c).RunCell(t.Context(), c, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return res, written(t, dir)
	}
	_, whole := run(func(*Prune) {})
	if _, same := run(func(p *Prune) { p.Block, p.Keep = 2, 1 }); !bytes.Equal(same[0], whole[0]) || !bytes.Equal(same[2], whole[2]) {
		t.Error("keeping every patch changes the run")
	}
	var before [][]byte
	for _, by := range []string{"deviation", "attention", "text", "both"} {
		res, files := run(func(p *Prune) { p.Block, p.Keep, p.By = 2, .25, by })
		for _, b := range append(before, whole[0]) {
			if bytes.Equal(b, files[0]) {
				t.Errorf("pruning by %s trains as without or by another score", by)
			}
		}
		before = append(before, files[0])
		if res.OnObject == nil || res.OnObject.Top1 < 3*res.OnObject.Chance {
			t.Errorf("by %s: kept tokens on the object: %+v", by, res.OnObject)
		}
		var shown []runfmt.Example
		if err := json.Unmarshal(files[2], &shown); err != nil || len(shown) == 0 {
			t.Fatal(err, len(shown))
		}
		for _, x := range shown {
			if n := len(x.Level1) + len(x.Level2); n != 5 {
				t.Errorf("by %s: %d tokens kept, want 5", by, n)
			}
		}
	}
}

// The hash of a run without pruning does not know of pruning.
func TestHashOfPruned(t *testing.T) {
	plain := Default()
	off := Default()
	off.Prune.Keep, off.Prune.By = .3, "both"
	if off.Hash() != plain.Hash() {
		t.Error("settings of pruning that is off change the hash")
	}
	on := Default()
	on.Prune.Block = 3
	if on.Hash() == plain.Hash() {
		t.Error("pruning does not change the hash")
	}
}

// What only the model can refuse.
func TestPruneRefused(t *testing.T) {
	for _, x := range []struct {
		block int
		keep  float64
		want  string
	}{
		{5, .5, "prune.block: 5, the image encoder has 5 blocks and one must follow: want 1 to 4, or 0 (off)"},
		{2, .05, "spotlight.keep: 5, pruning leaves 3 patches"},
	} {
		c := tinyCell(t, "coop+spotlighter")
		c.Prune.Block, c.Prune.Keep = x.block, x.keep
		l := newLab(t, c)
		if err := l.Check(t.Context(), c); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("check: error is %v, want %s", err, x.want)
		}
		if _, _, _, err := l.RunCell(t.Context(), c, quiet); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("run: error is %v, want %s", err, x.want)
		}
	}
}
