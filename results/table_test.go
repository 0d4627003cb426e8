package results

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"spotlighter/experiments/runfmt"
)

// handMade writes run folders with round numbers: two data sets, two seeds,
// three methods; HM is given, not computed, so that sums can be done by eye.
func handMade(t *testing.T) (out string, runs []string) {
	t.Helper()
	out = t.TempDir()
	add := func(method, dataset string, seed int, base, novel, hm float64, rest string) {
		dir := filepath.Join(out, fmt.Sprintf("%s-%s-s%d-0", method, dataset, seed))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`{"schema":1,"config":"abc","protocol":"base-to-novel","method":%q,"dataset":%q,"seed":%d,"base":%g,"novel":%g,"hm":%g%s}`,
			method, dataset, seed, base, novel, hm, rest)
		if err := os.WriteFile(filepath.Join(dir, runfmt.ResultFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, dir)
	}
	const coop = `,"trainable_scalars":512,"prompt_scalars":512,"images_per_second":100`
	const ours = `,"trainable_scalars":533,"prompt_scalars":512,"images_per_second":90,"on_object":{"top1":90,"top3":80,"top5":70,"chance":9}`
	for _, seed := range []int{1, 2} {
		s := float64(seed)
		add("clip", "clutter", seed, 60, 60, 60, "")
		add("coop", "clutter", seed, 60+2*s, 58, 60+s, coop)
		add("coop+spotlighter", "clutter", seed, 70, 60, 62+2*s, ours)
		add("clip", "fog", seed, 50, 50, 50, "")
		add("coop", "fog", seed, 55, 51, 52, coop)
		add("coop+spotlighter", "fog", seed, 56, 54, 55, ours)
	}
	return out, runs
}

func row(t *testing.T, rows []Row, method, dataset string) Row {
	t.Helper()
	for _, r := range rows {
		if r.Method == method && r.Dataset == dataset {
			return r
		}
	}
	t.Fatalf("no row for %s on %q", method, dataset)
	return Row{}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestTableNumbers(t *testing.T) {
	out, runs := handMade(t)
	list, err := Read(runs)
	if err != nil {
		t.Fatal(err)
	}
	table, err := New(list, "coop")
	if err != nil {
		t.Fatal(err)
	}

	coop := row(t, table.Rows, "coop", "clutter")
	if !near(coop.Base.Mean, 63) || !near(coop.Base.Std, math.Sqrt2) || coop.Base.N != 2 || coop.Diff != nil {
		t.Errorf("coop on clutter: %+v, want base 63 ± 1.414", coop)
	}
	ours := row(t, table.Rows, "coop+spotlighter", "clutter")
	// Differences: 64-61 = 3, 66-62 = 4.
	if !near(ours.HM.Mean, 65) || !near(ours.Diff.Mean, 3.5) || ours.Diff.Low != 3 || ours.Diff.High != 4 {
		t.Errorf("ours on clutter: %+v %+v, want 65, +3.5 [3, 4]", ours, *ours.Diff)
	}
	// Over data sets: (65 + 55)/2; seeds' means (64+55)/2 and (66+55)/2; differences 3, 4, 3, 3.
	average := row(t, table.Average, "coop+spotlighter", "")
	if !near(average.HM.Mean, 60) || !near(average.HM.Std, math.Sqrt(.5)) || !near(average.Diff.Mean, 3.25) || average.Diff.Pairs != 4 {
		t.Errorf("average of ours: %+v %+v, want 60 ± .707, +3.25 of 4 pairs", average, *average.Diff)
	}
	if average.OnObject == nil || average.OnObject.Top3 != 80 || average.TrainableScalars != 533 || average.ImagesPerSecond != 90 {
		t.Errorf("average of ours: %+v", average)
	}
	if clip := row(t, table.Average, "clip", ""); clip.OnObject != nil || !near(clip.Diff.Mean, -1.75) {
		t.Errorf("average of clip: %+v, want no tokens and -1.75", clip)
	}

	// The folder as a whole has the same runs.
	all, err := ReadFolder(out)
	if err != nil || len(all) != len(list) {
		t.Errorf("%d runs in the folder, %v, want %d", len(all), err, len(list))
	}

	text, err := table.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var back Table
	if err := json.Unmarshal(text, &back); err != nil || len(back.Rows) != 6 || back.Schema != TableSchema {
		t.Errorf("JSON does not come back: %v", err)
	}
}

func TestTableText(t *testing.T) {
	_, runs := handMade(t)
	list, err := Read(runs)
	if err != nil {
		t.Fatal(err)
	}
	table, err := New(list, "coop")
	if err != nil {
		t.Fatal(err)
	}
	text := table.Terminal()
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > 100 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	const want = "coop+spotlighter  63.0 ±0.0  57.0 ±0.0  60.0 ±0.7  +3.2 [+3.0, +3.8]     90   512+21   80% (9%)"
	if !strings.Contains(text, want) {
		t.Errorf("no line\n%s\nin\n%s", want, text)
	}
	for _, title := range []string{"clutter\n", "fog\n", "average of 2\n"} {
		if !strings.Contains(text, title) {
			t.Errorf("no block %q", title)
		}
	}
	const markdown = "| coop+spotlighter | 63.0 ±0.0 | 57.0 ±0.0 | 60.0 ±0.7 | +3.2 [+3.0, +3.8] | 90 | 512+21 | 80% (9%) |"
	if got := table.Markdown(); !strings.Contains(got, markdown) {
		t.Errorf("no line\n%s\nin\n%s", markdown, got)
	}
}

// A seed that lacks a data set is in the mean of the others, not in the spread.
func TestTableWithGaps(t *testing.T) {
	_, runs := handMade(t)
	list, err := Read(runs[:len(runs)-1]) // without coop+spotlighter on fog, seed 2
	if err != nil {
		t.Fatal(err)
	}
	table, err := New(list, "coop")
	if err != nil {
		t.Fatal(err)
	}
	average := row(t, table.Average, "coop+spotlighter", "")
	if !near(average.HM.Mean, 60) || average.HM.N != 1 || average.Diff.Pairs != 3 {
		t.Errorf("%+v, want mean 60 of one whole seed and 3 pairs", average)
	}
	if table, err = New(list, "absent"); err != nil || table.Rows[0].Diff != nil {
		t.Errorf("a baseline without runs: %v, want no differences", err)
	}
}

func TestTableRefuses(t *testing.T) {
	out, runs := handMade(t)
	list, err := Read(append(runs, runs[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{second(New(list, "coop")), "clip on clutter, seed 1, has two results"},
		{second(New(nil, "coop")), "no finished run"},
		{second(Read([]string{out})), "has no result.json, it is not finished"},
		{second(ReadFolder(filepath.Join(out, "absent"))), "no such file"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) || strings.Contains(test.err.Error(), "\n") {
			t.Errorf("%v, want one line with %q", test.err, test.want)
		}
	}

	bad := filepath.Join(runs[0], runfmt.ResultFile)
	for text, want := range map[string]string{
		`{"schema":1,"method":"cl`: "not a whole result",
		`{"schema":7}`:             "schema 7, want at most 1; written by a newer program",
	} {
		if err := os.WriteFile(bad, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFolder(out)
		if err == nil || !strings.HasPrefix(err.Error(), bad+": "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want one line with the file and %q", text, err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestBootstrap(t *testing.T) {
	diffs := []float64{2.1, .4, 3.3, 1.2, -.5, 2.8, 1.9, .7, 2.2}
	a, b := Bootstrap(diffs), Bootstrap(diffs)
	if a != b {
		t.Errorf("%+v, then %+v", a, b)
	}
	// The normal approximation: mean 1.567, standard error of the resampled
	// mean .386, so about [.81, 2.32].
	if !near(a.Mean, 14.1/9) || math.Abs(a.Low-.81) > .06 || math.Abs(a.High-2.32) > .06 {
		t.Errorf("%+v, want about 1.57 [.81, 2.32]", a)
	}
	if one := Bootstrap([]float64{2}); one != (Interval{2, 2, 2, 1}) {
		t.Errorf("one pair: %+v", one)
	}
}
