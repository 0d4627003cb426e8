package results

import (
	"bytes"
	"encoding/csv"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
)

// ablated is the runs of a row: two data sets and two seeds around an HM.
func ablated(hm float64) []runfmt.Result {
	var runs []runfmt.Result
	for i, set := range []string{"a", "b"} {
		for seed := 1; seed <= 2; seed++ {
			runs = append(runs, runfmt.Result{Protocol: "base-to-novel", Method: "m", Dataset: set, Seed: seed, Base: hm, Novel: hm, HM: hm + float64(i) + .1*float64(seed),
				TrainableScalars: 533, PromptScalars: 512, OnObject: &runfmt.OnObject{Top1: 90, Top3: 80, Top5: 70, Chance: 9}})
		}
	}
	return runs
}

func exampleAblations(t *testing.T) Ablations {
	t.Helper()
	half, fallen := ablated(71)[:2], ablated(40)
	for i := range fallen {
		fallen[i].Sets = []runfmt.Set{{Name: "base", Images: 1, Classes: 1, Top1: 40, ZeroShot: 70}}
	}
	a, err := NewAblations("spotlighter ablations", []Ablation{
		{Name: "keep", Title: "Tokens kept", About: "K.", Key: "spotlight.keep", Rows: []AblationRow{
			{Name: "5", Runs: ablated(70), Planned: 4}, {Name: "1", Settings: []string{"spotlight.keep=1"}, Runs: ablated(68), Planned: 4},
			{Name: "9", Runs: ablated(73), Planned: 4}, {Name: "3", Runs: half, Planned: 4}}},
		{Name: "words", Title: "Words", Rows: []AblationRow{
			{Name: "all", Runs: ablated(70), Planned: 4}, {Name: "none", Runs: fallen, Planned: 4}}},
		{Name: "begun", Title: "Begun", Rows: []AblationRow{{Name: "one", Planned: 4}, {Name: "two", Runs: ablated(70), Planned: 4}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAblations(t *testing.T) {
	a := exampleAblations(t)
	page := a.Markdown("ablations", map[string]bool{"keep": true})
	for _, want := range []string{
		"Base to novel on 2 data sets (a, b) with 2 seeds.",
		"Not finished: 6 runs missing",
		"Of 3 changes, 2 lose and 1 gain",
		"| 5 | 70.0 ±0.0 | 70.0 ±0.0 | 70.7 ±0.1 |  |  | 512+21 | 90, 80, 70 (9) |",
		"| 1 | 68.0 ±0.0 | 68.0 ±0.0 | 68.7 ±0.1 | -2.0 [-2.0, -2.0] | 0.125 | 512+21 | 90, 80, 70 (9) |",
		"| 3 |  |  |  | 2 of 4 runs |",
		"| none | all | Words | 40.7 ±0.1 | -30.0 [-30.0, -30.0] |",
		"none ‡", "‡ none collapsed on b with seed 2",
		"![Tokens kept](ablations/keep.png)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "words.png") {
		t.Error("a plot that is not there")
	}
	text, err := a.CSV()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll() // which wants as many fields in each
	if err != nil || len(lines) != 1+4+2+2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if got := strings.Join(lines[2][:16], ","); got != "keep,1,5,spotlight.keep=1,4,4,68.0000,0.0000,68.0000,0.0000,68.6500,0.0707,-2.0000,-2.0000,-2.0000,0.1250" {
		t.Error(got)
	}
	if lines[4][4] != "2" || lines[4][10] != "" || lines[6][25] != "1 2 1 2" {
		t.Errorf("%v\n%v", lines[4], lines[6])
	}
}

// A numeric key is drawn as a line in the order of its values, words as bars, and
// a table without a finished pair not at all.
func TestAblationPlots(t *testing.T) {
	a := exampleAblations(t)
	dir := t.TempDir()
	drawn, err := a.Plots(dir)
	if err != nil || !drawn["keep"] || !drawn["words"] || drawn["begun"] {
		t.Fatalf("%v %v", drawn, err)
	}
	for name := range drawn {
		path := filepath.Join(dir, name+".png")
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 400 {
			t.Errorf("%s: %v", path, err)
		}
	}
	charts := a.Tables[0].charts()
	line := charts[0].Series[0]
	if len(charts) != 2 || charts[0].Names != nil || len(line.X) != 3 || line.X[0] != 1 || line.X[2] != 9 || line.Y[1] != 0 || line.Y[2] < 2.9 {
		t.Errorf("%+v", charts)
	}
	if bars := a.Tables[1].charts()[0]; len(bars.Names) != 2 || bars.Series[0].Y[1] > -29 {
		t.Errorf("%+v", bars)
	}
}
