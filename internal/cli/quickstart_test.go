package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"spotlighter/experiments/runfmt"
	"spotlighter/internal/shared"
	"spotlighter/results"
)

// quickstartVariable asks for the whole quickstart, which takes minutes.
const quickstartVariable = "SPOTLIGHTER_QUICKSTART"

func tableOf(t *testing.T, o outcome) results.Table {
	t.Helper()
	var table results.Table
	if err := json.Unmarshal([]byte(o.out), &table); err != nil {
		t.Fatalf("%v:\n%s", err, o.out)
	}
	return table
}

// The main job as a user runs it first. The bounds are wide: they tell a method
// that works from one that is broken, not a good day from a bad one.
func TestQuickstart(t *testing.T) {
	if os.Getenv(quickstartVariable) == "" {
		t.Skip("minutes; set " + quickstartVariable + "=1")
	}
	out := t.TempDir()
	start := time.Now()
	table := tableOf(t, mustRun(t, "quickstart", "--json", "out="+out))
	t.Logf("quickstart took %v", time.Since(start).Round(time.Second))

	runs, err := filepath.Glob(filepath.Join(out, "*", runfmt.ResultFile))
	if err != nil || len(runs) != 36 {
		t.Errorf("%d runs, want 4 methods x 3 tasks x 3 seeds", len(runs))
	}
	if len(table.Rows) != 12 || len(table.Average) != 4 || len(table.Seeds) != 3 {
		t.Fatalf("%d rows, %d averages, seeds %v, want 12, 4 and 3 seeds", len(table.Rows), len(table.Average), table.Seeds)
	}
	const chance = 100. / 16
	for _, r := range append(table.Rows, table.Average...) {
		t.Logf("%-9s %-17s base %.1f  novel %.1f  HM %.1f ±%.1f", r.Dataset, r.Method, r.Base.Mean, r.Novel.Mean, r.HM.Mean, r.HM.Std)
		if r.Base.N != 3 || r.HM.N != 3 {
			t.Errorf("%s on %s: %d seeds, want 3", r.Method, r.Dataset, r.HM.N)
		}
		if r.Base.Mean < 3*chance || r.Novel.Mean < 3*chance {
			t.Errorf("%s on %q: base %.1f, novel %.1f, where chance is %.1f", r.Method, r.Dataset, r.Base.Mean, r.Novel.Mean, chance)
		}
	}
	average := map[string]results.Row{}
	for _, r := range table.Average {
		average[r.Method] = r
	}
	clip, ours := average["clip"], average["coop+spotlighter"]
	if hm := clip.HM.Mean; hm < 30 || hm > 90 {
		t.Errorf("zero-shot HM %.1f, want 30 to 90", hm)
	}
	if gain := ours.HM.Mean - clip.HM.Mean; gain < 2 {
		t.Errorf("coop+spotlighter gains %.1f HM over CLIP, want at least 2", gain)
	}
	if clip.TrainableScalars != 0 || average["clip+spotlighter"].TrainableScalars != 0 {
		t.Error("what is not trained has trainable scalars")
	}
	if rest := ours.TrainableScalars - ours.PromptScalars; rest != 21 || ours.PromptScalars != average["coop"].TrainableScalars {
		t.Errorf("%d scalars beside the prompt's %d, want 21 and CoOp's %d", rest, ours.PromptScalars, average["coop"].TrainableScalars)
	}
	for _, m := range []string{"clip+spotlighter", "coop+spotlighter"} {
		switch on := average[m].OnObject; {
		case on == nil:
			t.Errorf("%s: it is not known how many kept tokens are on the object", m)
		case on.Top3 < 50 || on.Chance < 5 || on.Chance > 15:
			t.Errorf("%s: %.1f%% of the top 3 on the object, chance %.1f%%, want at least 50%% and 5%% to 15%%", m, on.Top3, on.Chance)
		}
	}
	if !exists(out, "quickstart.png") {
		t.Error("no contact sheet")
	}
}

// The same job on real JPEGs: all images of four classes, two of them learned.
func TestCaltech(t *testing.T) {
	root := filepath.Dir(shared.Path(t, "data", "caltech-101"))
	out := t.TempDir()
	args := []string{"run", "../../experiments/base-to-novel.yaml", "dataset=caltech101", "data.root=" + root,
		"out=" + out, "data.classes=4", "seed=1", "train.epochs=2", "train.views=2", "--json"}
	wantLine(t, run(t, args...), `"a photo of a face": this CLIP does not know face`)
	args = append(args, "clip.unknown=random")
	table := tableOf(t, mustRun(t, args...))
	if len(table.Rows) != 4 || table.Datasets[0] != "caltech101" {
		t.Fatalf("%d rows of %v, want the four methods on caltech101", len(table.Rows), table.Datasets)
	}
	for _, r := range table.Rows {
		t.Logf("%-17s base %.1f  novel %.1f", r.Method, r.Base.Mean, r.Novel.Mean)
		if r.OnObject != nil {
			t.Errorf("%s: nobody said where the objects of photographs are", r.Method)
		}
	}
	result, err := runfmt.ReadResult(folder(t, out, "coop+spotlighter"))
	if err != nil {
		t.Fatal(err)
	}
	// CoOp's split tests on 130 faces, 60 leopards, 239 motorbikes and 16 accordions.
	if result.BaseClasses != 2 || result.NovelClasses != 2 || result.BaseImages != 130+60 || result.NovelImages != 239+16 ||
		result.Epochs != 2 || result.FinalLoss <= 0 || result.TrainableScalars-result.PromptScalars != 21 {
		t.Errorf("%+v", result)
	}
	if again := tableOf(t, mustRun(t, args...)); again.Rows[3].HM != table.Rows[3].HM {
		t.Error("another number from the same runs")
	}
}
