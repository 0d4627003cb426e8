package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"spotlighter/experiments/runfmt"
	literature "spotlighter/results/paper"
)

// planned is a cell of base to novel; zero is what zero-shot has on both halves.
func planned(method, dataset string, seed int, base, novel, zero float64) Planned {
	return Planned{Group: dataset, Method: method, Seed: seed, State: "done", Result: &runfmt.Result{
		Method: method, Dataset: dataset, Seed: seed, Base: base, Novel: novel, HM: runfmt.HarmonicMean(base, novel),
		Sets: []runfmt.Set{{Name: "base", ZeroShot: zero}, {Name: "novel", ZeroShot: zero}},
	}}
}

func find(t *testing.T, c Comparison, group, method string) CompareRow {
	t.Helper()
	for _, r := range c.Rows {
		if r.Group == group && r.Method == method {
			return r
		}
	}
	t.Fatalf("no row %s of %s", method, group)
	return CompareRow{}
}

func nearly(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

// Both conventions of the harmonic mean, the paper's cell beside, its mark, and a
// seed that collapsed.
func TestCompare(t *testing.T) {
	c := Compare("base-to-novel", "spotlighter table", "coop", []Planned{
		planned("coop", "dtd", 1, 80, 40, 50), planned("coop", "dtd", 2, 60, 60, 50),
		planned("coop+spotlighter", "dtd", 1, 80, 60, 50), planned("coop+spotlighter", "dtd", 2, 20, 10, 50),
		{Group: "dtd", Method: "clip", Seed: 1, State: "missing"}, {Group: "dtd", Method: "clip", Seed: 2, State: "broken"},
	})
	r := find(t, c, "dtd", "coop")
	nearly(t, "HM (seeds)", r.Cells[2].Ours.Mean, (2*80*40/120.+60)/2)
	nearly(t, "HM (means)", r.Cells[3].Ours.Mean, 2*70*50/120.)
	nearly(t, "spread", r.Cells[0].Ours.Std, math.Sqrt(200))
	nearly(t, "paper", *r.Cells[0].Paper, 79.44)
	nearly(t, "difference", *r.Cells[0].Difference, 70-79.44)
	if r.Cells[3].Inconsistent || r.Cells[2].Paper != nil || r.Collapsed != nil {
		t.Errorf("%+v", r)
	}
	ours := find(t, c, "dtd", "coop+spotlighter")
	if !ours.Cells[3].Inconsistent || !reflect.DeepEqual(ours.Collapsed, []int{2}) || ours.Done != 2 {
		t.Errorf("%+v, want the mark of the printed HM and seed 2 collapsed", ours)
	}
	if clip := find(t, c, "dtd", "clip"); clip.Cells[0].Ours != nil || clip.Cells[0].Difference != nil || *clip.Cells[0].Paper != 53.24 || clip.Done != 0 || clip.Of != 2 {
		t.Errorf("%+v", clip)
	}
	if len(c.Tests) != 1 || c.Tests[0].Interval.Pairs != 2 || c.Tests[0].Wins != 1 || c.Tests[0].Losses != 1 {
		t.Errorf("tests %+v", c.Tests)
	}
	text := c.Terminal()
	for _, want := range []string{"coop+spotlighter ‡", "66.18 †", "collapsed: coop+spotlighter on dtd, seed 2 (13.3, zero-shot 50.0); the mean includes it",
		"broken: 1 run, such as clip on dtd seed 2", "not run: 1 run, such as clip on dtd seed 1", "the printed HM does not follow", "-9.44"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// The average stands beside the paper's only if it is of the same eleven sets; a
// method that lacks one of them has none.
func TestCompareAverage(t *testing.T) {
	var cells []Planned
	for i, d := range literature.Eleven() {
		for seed := 1; seed <= 2; seed++ {
			cells = append(cells, planned("coop", d, seed, 50+float64(i)+float64(seed), 40, 30))
		}
		if i > 0 {
			cells = append(cells, planned("clip", d, 1, 50, 50, 50))
		} else {
			cells = append(cells, Planned{Group: d, Method: "clip", Seed: 1, State: "missing"})
		}
	}
	c := Compare("base-to-novel", "", "coop", cells)
	r := find(t, c, "average", "coop")
	nearly(t, "base", r.Cells[0].Ours.Mean, 56.5)
	nearly(t, "spread over seeds", r.Cells[0].Ours.Std, math.Sqrt(.5))
	nearly(t, "HM (means)", r.Cells[3].Ours.Mean, runfmt.HarmonicMean(56.5, 40))
	nearly(t, "paper", *r.Cells[3].Paper, 71.66)
	if clip := find(t, c, "average", "clip"); clip.Cells[0].Ours != nil {
		t.Errorf("%+v: an average of ten data sets", clip)
	}
	c = Compare("base-to-novel", "", "coop", cells[:len(cells)-3])
	if r := find(t, c, "average", "coop"); r.Cells[0].Paper != nil {
		t.Errorf("%+v: ten data sets beside the paper's eleven", r)
	}
}

// Averages are over the data sets of each number of shots, not over the shots.
func TestCompareParts(t *testing.T) {
	var cells []Planned
	for part, accuracy := range map[string]float64{"1 shot": 40, "2 shots": 60} {
		for i, d := range []string{"clutter", "fog"} {
			cells = append(cells, Planned{Group: d + ", " + part, Part: part, Method: "coop", Seed: 1, State: "done", Result: &runfmt.Result{Seed: 1, Method: "coop",
				Sets: []runfmt.Set{{Name: "all", Top1: accuracy + float64(10*i)}}}})
		}
	}
	c := Compare("few-shot", "", "coop", cells)
	nearly(t, "one shot", find(t, c, "average, 1 shot", "coop").Cells[0].Ours.Mean, 45)
	nearly(t, "two shots", find(t, c, "average, 2 shots", "coop").Cells[0].Ours.Mean, 65)
	if len(c.Rows) != 6 {
		t.Errorf("%d rows, want 4 and 2 averages", len(c.Rows))
	}
}

// Targets are rows of their own, beside the paper's, with their average.
func TestCompareTargets(t *testing.T) {
	top5 := 90.
	result := func(seed int, dtd, eurosat float64) Planned {
		return Planned{Group: "imagenet", Method: "coop", Seed: seed, State: "done", Result: &runfmt.Result{Seed: seed, Method: "coop", HM: 60,
			Sets: []runfmt.Set{{Name: "all", Top1: 70, Top5: &top5, ECE: 3}, {Name: "dtd", Top1: dtd}, {Name: "eurosat", Top1: eurosat}}}}
	}
	c := Compare("cross-dataset", "", "coop", []Planned{result(1, 40, 50), result(2, 44, 52)})
	nearly(t, "source", find(t, c, "imagenet", "coop").Cells[1].Ours.Mean, 90)
	r := find(t, c, "dtd from imagenet", "coop")
	nearly(t, "dtd", r.Cells[0].Ours.Mean, 42)
	nearly(t, "printed", *r.Cells[0].Paper, 41.92)
	if r.Cells[1].Ours != nil {
		t.Error("a top-5 of nothing")
	}
	if got := Compare("zero-shot", "", "clip", nil).tested(); got != "top-1" || c.tested() != "HM of source and mean target" {
		t.Errorf("tests of %s and of %s", got, c.tested())
	}
	average := find(t, c, "average of the targets", "coop")
	nearly(t, "average", average.Cells[0].Ours.Mean, 46.5)
	if average.Cells[0].Paper != nil {
		t.Error("the average of two targets beside that of ten")
	}
}

// All formats say the same numbers; LaTeX is escaped and balanced, HTML too.
func TestCompareFormats(t *testing.T) {
	c := Compare("base-to-novel", "spotlighter table base-to-novel 'a=<b>'", "coop", []Planned{
		planned("coop", "oxford_pets", 1, 80.125, 40, 30), planned("coop+spotlighter", "oxford_pets", 1, 90, 40, 30)})
	for _, format := range TableFormats {
		text, err := c.Render(format)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("80.12")) || !bytes.Contains(text, []byte("93.67")) {
			t.Errorf("%s lacks our 80.12 or the paper's 93.67:\n%s", format, text)
		}
	}
	var back Comparison
	text, _ := c.JSON()
	if err := json.Unmarshal(text, &back); err != nil || len(back.Rows) != 2 || *back.Rows[0].Cells[1].Paper != 95.29 {
		t.Errorf("%v %+v", err, back)
	}
	table, _ := c.CSV()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 1+2*4 || rows[1][3] != "80.1250" {
		t.Errorf("%v %q", err, rows)
	}
	tex := c.LaTeX()
	for _, want := range []string{`oxford\_pets & coop & 1/1 & 80.12`, `\toprule`, `\bottomrule`, `95\% bootstrap`, `\begin{tabular}{llrrrrrrrrrrr}`} {
		if !strings.Contains(tex, want) {
			t.Errorf("no %s in\n%s", want, tex)
		}
	}
	page, _ := c.HTML()
	if !bytes.Contains(page, []byte("&lt;b&gt;")) || bytes.Contains(page, []byte("<b>")) {
		t.Errorf("not escaped:\n%s", page)
	}
	if _, err := c.Render("docx"); err == nil {
		t.Error("a format that there is not")
	}
}

// A seed that collapsed is marked in the table of a run too.
func TestTableMarksCollapsed(t *testing.T) {
	table, err := New([]runfmt.Result{*planned("coop", "fog", 1, 60, 60, 50).Result, *planned("coop", "fog", 2, 20, 20, 50).Result}, "coop")
	if err != nil {
		t.Fatal(err)
	}
	if text := table.Terminal(); !strings.Contains(text, "coop ‡") || !strings.Contains(text, "‡ coop on fog collapsed, far below zero-shot, with seed 2; the mean includes it.\n") {
		t.Errorf("%s", text)
	}
}
